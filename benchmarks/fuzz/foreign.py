"""Files of other kinds, and files that would run code if they were trusted."""

from __future__ import annotations

import gzip
import io
import json
import pickle
import struct
import tarfile
import zipfile
from pathlib import Path
from random import Random
from typing import Any

import h5py
import numpy as np
import torch
from PIL import Image


def foreign_files(folder: Path) -> dict[str, bytes]:
    """Return contents that users give by mistake, by what they are."""
    head = json.dumps({"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()
    files = {
        "empty": b"",
        "zeros": bytes(2000),
        "text": b"a text of two lines\nthat is nothing\n",
        "safetensors": struct.pack("<Q", len(head)) + head + bytes(8),
        "Git-LFS pointer": b"version https://git-lfs.github.com/spec/v1\n"
        b"oid sha256:" + b"0" * 64 + b"\nsize 12345\n",
        "HTML page": b"<!DOCTYPE html>\n<html><head><title>404</title></head></html>\n",
        "JSON": b'{"format": "redundancy-checkpoint", "network": {}}',
        "gzip": gzip.compress(bytes(range(256)), mtime=0),
        "AEDAT 4": b"#!AER-DAT4.0\r\n" + bytes(range(200)),
        "Prophesee": b"% evt 3.0\n% end\n" + bytes(range(200)),
        "netCDF-3": b"CDF\x01" + bytes(100),
        "pickle": pickle.dumps([1, {"a": 2.0}]),
        "tensor": _saved(torch.ones(3)),
        "list of tensors": _saved([torch.ones(3)]),
    }
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("a"))
    files["tar"] = stream.getvalue()
    # What torch.jit.save writes; it would import a compiler to write two files.
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as script:
        for member in ("data.pkl", "constants.pkl", "code/__torch__/net.py", "version"):
            script.writestr(f"net/{member}", pickle.dumps(()))
    files["TorchScript"] = stream.getvalue()
    for name, write in (
        ("zip", lambda path: zipfile.ZipFile(path, "w").writestr("a", "b")),
        ("npz", lambda path: np.savez(path, weights=np.ones(3))),
        ("npy", lambda path: np.save(path, np.ones((2, 3), complex))),
        ("HDF5", lambda path: h5py.File(path, "w").create_dataset("a", data=[1])),
        ("PNG", lambda path: Image.new("RGB", (3, 3)).save(path)),
    ):
        path = folder / f"foreign.{name.lower()}"
        write(path)
        files[name] = path.read_bytes()
    return files


def _saved(content: object, **options: Any) -> bytes:
    stream = io.BytesIO()
    torch.save(content, stream, **options)
    return stream.getvalue()


class Hostile:
    """Pickles as a call that would make a file, were it made."""

    def __init__(self, marker: Path, random: Random) -> None:
        self.marker, self.how = str(marker), random.randrange(3)

    def __reduce__(self) -> tuple[Any, ...]:
        """Return what unpickling would call."""
        import os

        return (
            (open, (self.marker, "w")),
            (os.mkdir, (self.marker,)),
            (exec, (f"import pathlib; pathlib.Path({self.marker!r}).touch()",)),
        )[self.how]


def hostile_content(place: str, content: bytes, marker: Path, random: Random) -> bytes:
    """Return a file like `content` that would run code if what it holds were made.

    Parameters
    ----------
    place : str
        Suffix of the file: what kind it must be.
    content : bytes
        The untouched file, whose weights are kept.
    """
    hostile = Hostile(marker, random)
    if place == ".pt":
        saved = torch.load(io.BytesIO(content), weights_only=True)
        saved[random.choice(["optimizer", random.choice(list(saved))])] = hostile
        if random.random() < 0.3:
            return pickle.dumps(saved)
        return _saved(saved, _use_new_zipfile_serialization=random.random() < 0.5)
    stream, array = io.BytesIO(), np.array([hostile] * 4, object)
    if place == ".npz":
        np.savez(stream, frames=array, labels=array, t=array, x=array, y=array, p=array)
    elif place == ".npy":
        np.save(stream, array)
    else:
        stream.write(pickle.dumps({b"data": hostile, b"labels": [1, 2]}, random.randrange(6)))
    return stream.getvalue()
