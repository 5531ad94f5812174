"""What a file that should be a checkpoint is, told by its content, never by its name."""

from __future__ import annotations

import json
import re
import tarfile
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

from redundancy.errors import CheckpointError, UsageError
from redundancy.limits import check_regular_file

_HEAD = 4096
_SAVE = "save the network's state_dict() with torch.save and give that file"
_UNPACK = "unpack it and give the checkpoint inside"
_EVENTS = "it holds events of a camera: name a dataset that reads it with --data"
_RESULTS = "it holds numbers of a network, not its weights: give the checkpoint it was made from"
# The number that torch.save wrote first before its files were zip archives.
_OLD_TORCH = bytes.fromhex("6cfc9c46f9206aa85019")
_MAGIC: tuple[tuple[bytes, str, str], ...] = (
    (
        b"version https://git-lfs.github.com/spec/",
        "a Git LFS pointer, not the file it points to",
        "run git lfs pull, or download the file itself",
    ),
    (b"#!AER-DAT", "an AEDAT file", _EVENTS),
    (b"\x1f\x8b", "a file compressed by gzip", _UNPACK),
    (b"BZh", "a file compressed by bzip2", _UNPACK),
    (b"\xfd7zXZ\x00", "a file compressed by xz", _UNPACK),
    (b"\x28\xb5\x2f\xfd", "a file compressed by Zstandard", _UNPACK),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", _UNPACK),
    (b"Rar!\x1a\x07", "a RAR archive", _UNPACK),
    (b"\x93NUMPY", "an array of NumPy (.npy)", _SAVE),
    (b"CDF\x01", "a netCDF-3 file", _RESULTS),
    (b"CDF\x02", "a netCDF-3 file", _RESULTS),
    (b"GGUF", "a GGUF file of a language model", _SAVE),
    (b"\x89PNG", "an image (PNG)", _SAVE),
    (b"\xff\xd8\xff", "an image (JPEG)", _SAVE),
    (b"%PDF", "a PDF document", _SAVE),
    (b"\x7fELF", "a program", _SAVE),
)


def refuse_other_kinds(path: Path) -> None:
    """Refuse what is no file of ``torch.save``, naming what it is and what to do.

    Raises
    ------
    UsageError
        If there is no file, or a folder, a device or a pipe.
    CheckpointError
        If it is a file of another kind, or empty.
    """
    if path.is_dir():
        _refuse_folder(path)
    check_regular_file(path)
    if not path.exists():
        raise UsageError(f"there is no checkpoint at {path}")
    with open(path, "rb") as file:
        head = file.read(_HEAD)
    if not head:
        raise CheckpointError(f"{path} is empty: it was not saved, copied or downloaded whole")
    for begin, kind, advice in _MAGIC:
        if head.startswith(begin):
            raise CheckpointError(f"{path} is {kind}; {advice}")
    for look in _LOOKS:
        found = look(path, head)
        if found is not None:
            raise CheckpointError(f"{path} is {found[0]}; {found[1]}")


def _refuse_folder(path: Path) -> None:
    names = {entry.name for entry in path.iterdir()}
    what = "a folder; a checkpoint file was expected"
    if names & {"zarr.json", ".zgroup", ".zattrs"}:
        what = "a Zarr folder, as recordings are; the network's checkpoint file was expected"
    elif "data.pkl" in names:
        what = "an unpacked checkpoint of PyTorch; give the archive that it was unpacked from"
    elif names & {"config.json", "model.safetensors", "pytorch_model.bin", "saved_model.pb"}:
        what = "a folder of a model hub; a file of the network's state_dict() was expected"
    raise UsageError(f"{path} is {what}")


Found = tuple[str, str] | None


def _zip_archive(path: Path, head: bytes) -> Found:
    if not head.startswith((b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")):
        return None
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except Exception:  # zipfile raises many classes for damage
        return (
            "damaged or not a PyTorch checkpoint: a zip archive that was cut short, as by a "
            "download that stopped",
            "get it again",
        )
    inner = {name.partition("/")[2] for name in names}
    if "constants.pkl" in inner or any(name.startswith("code/") for name in inner):
        return (
            "a TorchScript archive, which holds a program",
            "load it with torch.jit.load, and save its state_dict() with torch.save",
        )
    if "data.pkl" in inner:
        return None
    if any(
        re.search(r"(^|/)(archive_format|serialized_exported_program\.json)$", n) for n in names
    ):
        return "an exported program of PyTorch (.pt2)", _SAVE
    if names and all(name.endswith(".npy") for name in names):
        return (
            "an archive of NumPy arrays (.npz)",
            f"as data it is --data frames:FILE; else {_SAVE}",
        )
    if any(re.search(r"(^|/)(zarr\.json|\.zgroup|\.zarray)$", name) for name in names):
        return "a Zarr archive, as recordings are", "give the network's checkpoint"
    if any(name.endswith("model.weights.h5") for name in names):
        return "a Keras model", _SAVE
    return "a zip archive without weights of PyTorch", _UNPACK


def _tar_archive(path: Path, head: bytes) -> Found:
    if head[257:262] != b"ustar":
        return None
    try:
        with tarfile.open(path) as archive:
            names = {archive.next().name for _ in range(1)}  # type: ignore[union-attr]
    except Exception:  # tarfile raises many classes for damage
        names = set()
    if names & {"storages", "tensors", "pickle", "sys_info"}:
        return (
            "a checkpoint of PyTorch before version 0.1.10 (a tar archive)",
            "open it with that version, and save it again",
        )
    return "a tar archive", _UNPACK


def _hdf5(path: Path, head: bytes) -> Found:
    if not head.startswith(b"\x89HDF\r\n\x1a\n"):
        return None
    import h5py  # type: ignore[import-untyped]

    try:
        with h5py.File(path, "r") as file:
            names, attributes = set(file), set(file.attrs)
    except Exception:  # h5py raises many classes for damage
        return "a damaged HDF5 file", _SAVE
    if "node" in names and "version" in names:
        return (
            "a network in the Neuromorphic Intermediate Representation (NIR)",
            "load it in Python and call redundancy.analyze(network, dataset)",
        )
    if "schema_version" in attributes:
        return "a results file of this project", _RESULTS
    if names & {"model_weights", "layer_names", "layers"}:
        return "weights of Keras (HDF5)", _SAVE
    if names & {"times", "addrs", "events"}:
        return "an HDF5 file of events", _EVENTS
    return "an HDF5 file (netCDF-4, NIR or another)", _SAVE


def _safetensors(path: Path, head: bytes) -> Found:
    length = int.from_bytes(head[:8], "little")
    if head[8:10] != b'{"' or not 2 <= length <= 1 << 27:
        return None
    return (
        "a safetensors file",
        "load it with safetensors.torch.load_file, and save what comes out with torch.save",
    )


def _onnx(path: Path, head: bytes) -> Found:
    # A version below 32, then the text that names who wrote it.
    if not re.match(rb"\x08[\x01-\x1f]\x12[\x01-\x40][\x20-\x7e]+[\x1a\x22\x28\x2a\x32\x3a]", head):
        return None
    return "an ONNX file", f"from the network that it was exported from, {_SAVE}"


def _pickle(path: Path, head: bytes) -> Found:
    if not re.match(rb"\x80[\x02-\x05]", head) or _OLD_TORCH in head[:32]:
        return None
    return (
        "a pickle that torch.save did not write, and opening it could run code: it is not a file "
        "of weights only",
        _SAVE,
    )


def _text(path: Path, head: bytes) -> Found:
    try:
        text = head[: head.rfind(b"\n") + 1 or None].decode("utf-8-sig").lstrip()
    except UnicodeDecodeError:
        return None
    if not text or re.search(r"[\x00-\x08\x0e-\x1f]", text):
        return None
    begin = text[:40].lower()
    if begin.startswith(("<!doctype html", "<html", "<head")):
        return (
            "a web page (HTML), such as a download link gives where a login or a click is asked "
            "for",
            "download the file itself",
        )
    if begin.startswith("<?xml"):
        return "an XML file", _SAVE
    if begin[0] in "{[":
        try:
            json.loads(path.read_bytes()[: 1 << 24])
        except ValueError:
            return "a text file", _SAVE
        return "a JSON file", _SAVE
    if re.match(r"(---|[\w-]+:(\s|$))", text):
        return "a text file, YAML or alike", _SAVE
    first = text.splitlines()[0][:40]
    return f"a text file, damaged or not a PyTorch checkpoint (it begins {first!r})", _SAVE


def _other(path: Path, head: bytes) -> Found:
    if head.startswith(b"PK") or re.match(rb"\x80[\x02-\x05]", head):
        return None
    return (
        f"damaged or not a PyTorch checkpoint (it begins with the bytes {head[:8].hex(' ')})",
        _SAVE,
    )


_LOOKS: Sequence[Callable[[Path, bytes], Found]] = (
    _zip_archive,
    _tar_archive,
    _hdf5,
    _safetensors,
    _onnx,
    _pickle,
    _text,
    _other,
)
