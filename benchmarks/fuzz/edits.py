"""Random edits of what a structured file says; the file is saved anew and whole."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import h5py
import numpy as np
import torch
from torch import Tensor

VALUES = "values"
"""First word of edits that leave a whole file, of which some values are others."""

Edit = Callable[[Path, Random], str]


def _places(content: Any, before: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(content, dict):
        for key, value in content.items():
            yield (*before, key)
            yield from _places(value, (*before, key))


def _scaled(value: Any) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, Tensor):
        return value * 2 if value.dtype != torch.bool else ~value
    if isinstance(value, np.ndarray):
        return value + 1 if value.dtype.kind in "iuf" else value[::-1]
    if isinstance(value, int | float):
        return value + 1
    if isinstance(value, bytes):
        return value + b"x"
    if isinstance(value, list | tuple):
        return type(value)(reversed(value))
    return f"{value}x"


def _retyped(value: Any, random: Random) -> Any:
    other = random.choice((None, "text", 7.5, -1, [1, 2], {}, float("nan"), 10**30))
    if isinstance(value, Tensor):
        kinds = (torch.float64, torch.float16, torch.int8, torch.bool, torch.complex64)
        return random.choice((value.to(random.choice(kinds)), value.to("meta"), other))
    if isinstance(value, np.ndarray):
        kind = random.choice(("f2", "f4", "f8", "i1", "u1", "i8", "u8", "c8", "S4", "?", "O"))
        with np.errstate(all="ignore"):
            return random.choice((value.astype(kind), value.astype(">f4"), np.array(3)))
    return other


def _cut(value: Any, random: Random) -> Any:
    if isinstance(value, Tensor | np.ndarray) and value.ndim:
        axis = random.randrange(value.ndim)
        place = tuple(slice(None, -1) if n == axis else slice(None) for n in range(value.ndim))
        return random.choice((value[place], value[None], value.reshape(-1), value[place][:0]))
    return value[:-1] if isinstance(value, str | bytes | list | tuple) else None


def edit_mapping(content: dict[Any, Any], random: Random) -> str:
    """Edit a nested dict in place, and return how, in words."""
    places = list(_places(content))
    *outer, key = random.choice(
        [place for place in places if len(place) == 1] if random.random() < 0.15 else places
    )
    inner = content
    for name in outer:
        inner = inner[name]
    value = inner[key]
    how = random.choice(("drop", "rename", "retype", "scale", "cut", "duplicate", "swap"))
    kind, where = "names", "/".join(map(str, (*outer, key)))
    if how == "drop":
        del inner[key]
    elif how == "rename":
        new = f"{key}_" if isinstance(key, str) else key + b"_"
        items = [(new if name == key else name, old) for name, old in inner.items()]
        inner.clear()
        inner.update(items)
    elif how == "duplicate":
        inner[f"{key}.copy" if isinstance(key, str) else key + b"2"] = value
    elif how == "swap":
        kind, other = VALUES, random.choice(list(inner))
        inner[key], inner[other] = inner[other], value
    elif how == "cut":
        inner[key] = _cut(value, random)
    else:
        changed = _scaled(value) if how == "scale" else _retyped(value, random)
        kind, inner[key] = VALUES, changed
    return f"{kind}: {how} {where}"


def edit_torch(path: Path, random: Random) -> str:
    """Edit what torch saved."""
    content = torch.load(path, weights_only=True)
    words = edit_mapping(content, random)
    torch.save(content, path)
    return words


def edit_torch_names(path: Path, random: Random) -> str:
    """Edit what torch saved, but for the values of weights."""
    content = torch.load(path, weights_only=True)
    before = dict(content["state_dict"])
    words = edit_mapping(content, random)
    after = content.get("state_dict")
    for key, value in after.items() if isinstance(after, dict) else ():
        if isinstance(value, Tensor) and key in before and value.shape == before[key].shape:
            after[key] = before[key]
    torch.save(content, path)
    return words


def edit_npz(path: Path, random: Random) -> str:
    """Edit arrays of an .npz file."""
    with np.load(path) as archive:
        arrays = dict(archive)
    words = edit_mapping(arrays, random)
    np.savez(path, **{str(k): np.asarray(v, None if v is not None else object)
                      for k, v in arrays.items()})  # fmt: skip
    return f"{VALUES}: {words}"


def edit_npy(path: Path, random: Random) -> str:
    """Edit an .npy file."""
    array = {"array": np.load(path)}
    words = edit_mapping(array, random)
    np.save(path, np.asarray(next(iter(array.values()), np.zeros(0))))
    return f"{VALUES}: {words}"


def edit_pickle(path: Path, random: Random) -> str:
    """Edit a pickled dict."""
    content = pickle.loads(path.read_bytes(), encoding="bytes")
    words = edit_mapping(content, random)
    path.write_bytes(pickle.dumps(content, protocol=2))
    return f"{VALUES}: {words}"


def edit_hdf5(path: Path, random: Random) -> str:
    """Edit groups, arrays, attributes and links of an HDF5 file."""
    with h5py.File(path, "r+") as file:
        names: list[str] = []
        file.visit(names.append)
        name = random.choice(names)
        how = random.choice(("drop", "rename", "copy", "link", "attribute", "array", "array"))
        if how == "drop":
            del file[name]
        elif how == "rename":
            file.move(name, f"{name}_")
        elif how == "copy":
            file.copy(name, f"{name}_copy")
        elif how == "link":
            del file[name]
            link = (
                h5py.SoftLink(f"/{random.choice(names)}"),
                h5py.ExternalLink("/etc/passwd", "/"),
            )
            file[name] = random.choice(link)
        elif how == "attribute":
            return f"names: {_edit_attribute(file[random.choice((name, '/'))], random)} of {name}"
        elif isinstance(file[name], h5py.Dataset):
            return f"{VALUES}: {_edit_array(file, name, random)} {name}"
        return f"names: {how} {name}"


def _edit_attribute(node: Any, random: Random) -> str:
    if not (names := list(node.attrs)):
        return "nothing"
    name, how = random.choice(names), random.choice(("drop", "rename", "change"))
    value = node.attrs[name]
    if how != "change":
        del node.attrs[name]
    if how == "rename":
        node.attrs[f"{name}_"] = value
    if how == "change":
        node.attrs[name] = random.choice((0, 1.5, "text", np.arange(3)))
    return f"{how} attribute {name}"


def _edit_array(file: Any, name: str, random: Random) -> str:
    node = file[name]
    values, attributes = node[()], dict(node.attrs)
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "iuf":
        values = np.asarray(0)
    how = random.choice(("scale", "retype", "cut"))
    changed = {
        "scale": lambda: np.asarray(_scaled(values)),
        "retype": lambda: values.astype(random.choice(("f4", "f8", "i2", "u8"))),
        "cut": lambda: np.asarray(_cut(values, random) if values.ndim else values),
    }[how]()
    del file[name]
    file[name] = changed
    for key, value in attributes.items():
        if key not in ("DIMENSION_LIST", "REFERENCE_LIST"):
            file[name].attrs[key] = value
    return how


def edit_folder(path: Path, random: Random) -> str:
    """Edit a Zarr folder: a file or array lost, another's in its place, metadata changed.

    `path` is any file in it.
    """
    while (path.parent / "zarr.json").exists() or path.parent.name in ("c", *"0123456789"):
        path = path.parent
    files = sorted(p for p in path.rglob("*") if p.is_file())
    file, other = random.choice(files), random.choice(files)
    how = random.choice(("drop", "replace", "array", "metadata", "metadata"))
    if how == "drop":
        file.unlink()
    elif how == "replace":
        shutil.copyfile(other, file) if other != file else file.unlink()
    elif how == "array":
        shutil.rmtree(random.choice([p for p in sorted(path.rglob("*")) if p.is_dir()]))
    else:
        file = random.choice([p for p in files if p.name == "zarr.json"])
        content = json.loads(file.read_text())
        words = edit_mapping(content, random)
        file.write_text(json.dumps(content))
        return f"names: {words} in {file.relative_to(path)}"
    return f"names: {how} {file.relative_to(path)}"
