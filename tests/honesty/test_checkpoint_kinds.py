"""A file that is no checkpoint is named for what it is, whatever its name is."""

from __future__ import annotations

import gzip
import io
import json
import pickle
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from redundancy.checkpoint import load_checkpoint
from redundancy.errors import CheckpointError, UsageError
from tests.command_line import run_analyze, save_network


def of_torch(content: object, **options: bool) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer, **options)
    return buffer.getvalue()


def script() -> bytes:
    buffer = io.BytesIO()
    torch.jit.save(torch.jit.script(torch.nn.ReLU()), buffer)
    return buffer.getvalue()


def numpy_archive() -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, a=np.ones(3))
    return buffer.getvalue()


def numpy_array() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.ones(3))
    return buffer.getvalue()


def archive(*names: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name in names:
            file.writestr(name, b"{}")
    return buffer.getvalue()


def tar(*names: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as file:
        for name in names:
            file.addfile(tarfile.TarInfo(name))
    return buffer.getvalue()


def hdf5(*names: str, **attributes: int) -> bytes:
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        for name in names:
            file.create_group(name)
        file.attrs.update(attributes)
    return buffer.getvalue()


def safetensors() -> bytes:
    header = json.dumps({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    return len(header).to_bytes(8, "little") + header + bytes(4)


WHOLE = of_torch({"a": torch.ones(100)})
OLD = of_torch({"a": torch.ones(100)}, _use_new_zipfile_serialization=False)
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 9316903\n"
KINDS: dict[str, tuple[Callable[[], bytes] | bytes, str]] = {
    "empty": (b"", r"is empty: it was not saved, copied or downloaded whole"),
    "Git LFS": (POINTER, r"is a Git LFS pointer, .*; run git lfs pull"),
    "HTML": (b"\n<!DOCTYPE html>\n<html>\n", r"is a web page \(HTML\).*download the file itself"),
    "HTML of a hub": (b"<html class=''>\n", r"is a web page"),
    "XML": (b"<?xml version='1.0'?><Error/>", r"is an XML file"),
    "gzip": (gzip.compress(WHOLE), r"compressed by gzip; unpack it"),
    "bzip2": (b"BZh91AY&SY", r"compressed by bzip2"),
    "xz": (b"\xfd7zXZ\x00\x00", r"compressed by xz"),
    "Zstandard": (b"\x28\xb5\x2f\xfd\x00", r"compressed by Zstandard"),
    "tar": (tar("net.pt"), r"is a tar archive; unpack it"),
    "torch before 0.1.10": (tar("sys_info", "pickle"), r"PyTorch before version 0\.1\.10"),
    "zip": (archive("net/readme.txt"), r"zip archive without weights of PyTorch"),
    "TorchScript": (script, r"is a TorchScript archive.*torch\.jit\.load"),
    "exported program": (archive("a/archive_format", "a/x"), r"an exported program"),
    "Keras": (archive("config.json", "model.weights.h5"), r"is a Keras model"),
    "zipped Zarr": (archive(".zgroup", "a/.zarray"), r"is a Zarr archive"),
    "npz": (numpy_archive, r"archive of NumPy arrays \(\.npz\).*--data frames:FILE"),
    "npy": (numpy_array, r"an array of NumPy \(\.npy\)"),
    "NIR": (lambda: hdf5("node", "version"), r"Neuromorphic Intermediate Representation"),
    "results": (lambda: hdf5(schema_version=2), r"a results file of this project; it holds num"),
    "Keras HDF5": (lambda: hdf5("model_weights"), r"weights of Keras"),
    "events HDF5": (lambda: hdf5("times", "addrs"), r"HDF5 file of events"),
    "other HDF5": (hdf5, r"an HDF5 file"),
    "cut HDF5": (lambda: hdf5()[:60], r"a damaged HDF5 file"),
    "netCDF-3": (b"CDF\x01\x00\x00", r"a netCDF-3 file"),
    "safetensors": (safetensors, r"safetensors\.torch\.load_file"),
    "AEDAT 2": (b"#!AER-DAT2.0\r\n# x", r"an AEDAT file; it holds events"),
    "AEDAT 3.1": (b"#!AER-DAT3.1\r\n", r"an AEDAT file"),
    "AEDAT 4": (b"#!AER-DAT4.0\r\n\x00", r"an AEDAT file"),
    "ONNX": (b"\x08\x08\x12\x07pytorch\x1a\x052.1.0:\x10", r"an ONNX file"),
    "GGUF": (b"GGUF\x03\x00", r"a GGUF file"),
    "PNG": (b"\x89PNG\r\n\x1a\n", r"an image"),
    "JSON": (b'{"net": [1, 2]}', r"is a JSON file"),
    "YAML": (b"model: lif\nT: 4\n", r"is a text file, YAML or alike"),
    "text": (b"hello you\n", r"is a text file.*it begins 'hello you'"),
    "pickle": (pickle.dumps({"a": 1}), r"is a pickle that torch\.save did not write"),
    "whole network": (of_torch(torch.nn.ReLU()), r"not a file of weights only"),
    "cut zip": (WHOLE[:-30], r"a zip archive that was cut short"),
    "cut older file": (OLD[:-30], r"is damaged or not a PyTorch checkpoint"),
    "binary": (bytes(range(128, 256)), r"is damaged or not a PyTorch checkpoint"),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.filterwarnings("ignore:.*torch.jit", "ignore:Detected pickle protocol")
def test_a_file_is_named_for_what_it_is(tmp_path: Path, kind: str) -> None:
    content, message = KINDS[kind]
    path = tmp_path / "net.pt"
    path.write_bytes(content if isinstance(content, bytes) else content())
    with pytest.raises(CheckpointError, match=rf"net\.pt .*{message}") as caught:
        load_checkpoint(path)
    assert "\n" not in str(caught.value)


def test_older_and_compressed_files_of_torch_are_read(tmp_path: Path) -> None:
    path = save_network(tmp_path / "net.pt")
    content = torch.load(path, weights_only=True)
    torch.save(content, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(tmp_path / "zip.pt", "w", 8) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    for name in ("old.pt", "zip.pt"):
        assert load_checkpoint(tmp_path / name).network == "lif-snn-3"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("zarr.json", "is a Zarr folder, as recordings are"),
        (".zgroup", "is a Zarr folder"),
        ("data.pkl", "is an unpacked checkpoint of PyTorch"),
        ("config.json", "is a folder of a model hub"),
        ("notes.txt", "is a folder; a checkpoint file was expected"),
    ],
)
def test_a_folder_is_named_for_what_it_is(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / name).touch()
    with pytest.raises(UsageError, match=message):
        load_checkpoint(tmp_path)


@pytest.mark.parametrize("kind", ["Git LFS", "HTML", "safetensors", "gzip", "AEDAT 4"])
def test_the_command_says_so_in_one_line(tmp_path: Path, kind: str) -> None:
    content, message = KINDS[kind]
    path = tmp_path / "net.pt"
    path.write_bytes(content if isinstance(content, bytes) else content())
    code, out, err = run_analyze("info", path)
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert message.split(";")[0].split("\\")[0].split(".*")[0] in err
