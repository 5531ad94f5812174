"""The batch files of CIFAR-10 and CIFAR-100, of both forms in which they are distributed."""

from __future__ import annotations

import io
import pickle
import pickletools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from redundancy.datasets.event_bytes import read_bytes
from redundancy.errors import DataError
from redundancy.file_kinds import but_is

IMAGE_SHAPE = (3, 32, 32)
_PIXELS = 3 * 32 * 32
Images = NDArray[np.uint8]
Labels = NDArray[np.int64]


@dataclass(frozen=True)
class CIFARFormat:
    """In what the files of the two datasets differ.

    Attributes
    ----------
    python_folder, binary_folder : str
    files : dict of str to tuple of str
        Names of the files of each split, without the ``.bin`` of the binary form.
    label_key : str
        Of the labels in a pickled batch.
    label_bytes : int
        Bytes before the pixels of a binary record; the last is the label.
    n_classes : int
    """

    python_folder: str
    binary_folder: str
    files: dict[str, tuple[str, ...]]
    label_key: str
    label_bytes: int
    n_classes: int


CIFAR10_FORMAT = CIFARFormat(
    "cifar-10-batches-py",
    "cifar-10-batches-bin",
    {"train": tuple(f"data_batch_{n}" for n in range(1, 6)), "test": ("test_batch",)},
    "labels",
    1,
    10,
)
CIFAR100_FORMAT = CIFARFormat(
    "cifar-100-python",
    "cifar-100-binary",
    {"train": ("train",), "test": ("test",)},
    "fine_labels",
    2,
    100,
)


def read_batch(path: Path, form: CIFARFormat) -> tuple[Images, Labels]:
    """Read one file.

    Parameters
    ----------
    path : Path
        A binary file if its name ends in ``.bin``, else a pickled one. Pickled files
        may call nothing but what an array is made with.
    form : CIFARFormat

    Returns
    -------
    tuple
        Images (sample, 3, 32, 32), uint8, and labels (sample,).

    Raises
    ------
    DataError
        If it cannot be read, is damaged, or holds a label that is no class; the message
        names the file, and the byte offset where there is one.
    """
    data = read_bytes(path)
    if path.suffix == ".bin":
        return _from_records(path, data, form)
    return _from_pickle(path, data, form)


def _from_records(path: Path, data: bytes, form: CIFARFormat) -> tuple[Images, Labels]:
    size = form.label_bytes + _PIXELS
    if not data or len(data) % size:
        raise DataError(
            f"{path} has {len(data)} bytes, but a file of {form.binary_folder} has a positive "
            f"multiple of {size}; the record at byte offset {len(data) - len(data) % size} is cut "
            f"off{but_is(path)}"
        )
    records = np.frombuffer(data, np.uint8).reshape(-1, size)
    labels = records[:, form.label_bytes - 1].astype(np.int64)
    wrong = np.flatnonzero(labels >= form.n_classes)
    if len(wrong):
        raise DataError(
            f"{path}: the record at byte offset {int(wrong[0]) * size} has label "
            f"{labels[wrong[0]]}, but there are {form.n_classes} classes"
        )
    return records[:, form.label_bytes :].reshape(-1, *IMAGE_SHAPE), labels


class _Kind:
    """Stands for the class ndarray in a pickle, which makes nothing of it."""


class _PickledType:
    """Stands for a data type in a pickle."""

    def __init__(self, code: Any, *_: Any) -> None:
        self.code = code

    def __setstate__(self, state: Any) -> None:
        """Take no more: of single bytes there is no order."""


class _PickledArray:
    """Stands for an array in a pickle: its shape, type and bytes, of which none is made yet."""

    def __init__(self, *_: Any) -> None:
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def bytes_array(self) -> NDArray[np.uint8]:
        """Return the array, if it is one of bytes."""
        _, shape, kind, by_columns, data = self.state
        code = kind.code.decode() if isinstance(kind.code, bytes) else kind.code
        if code not in ("u1", "|u1", "B", "uint8"):
            raise pickle.UnpicklingError(f"it holds an array of {code}")
        values = np.frombuffer(data, np.uint8)
        return values.reshape(shape, order="F" if by_columns else "C").copy()


# What an array is pickled with, under the names of NumPy 1 and 2; nothing else is called,
# and these are none of NumPy's own.
_CALLABLES: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): _Kind,
    ("numpy", "dtype"): _PickledType,
    ("numpy.core.multiarray", "_reconstruct"): _PickledArray,
    ("numpy._core.multiarray", "_reconstruct"): _PickledArray,
    ("_codecs", "encode"): lambda text, encoding: text.encode(_text(encoding)),
}


def _text(encoding: Any) -> str:
    return encoding.decode() if isinstance(encoding, bytes) else str(encoding)


class _ArraysOnly(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _CALLABLES:
            raise pickle.UnpicklingError(f"it would call {module}.{name}")
        return _CALLABLES[module, name]


def _check_instructions(data: bytes) -> None:
    """Refuse a pickle whose lengths and places lie outside of it, before memory is taken."""
    for instruction, argument, _ in pickletools.genops(data):
        if "PUT" in instruction.name and int(argument or 0) > len(data):
            raise pickle.UnpicklingError(f"it would keep {argument} objects")


def _from_pickle(path: Path, data: bytes, form: CIFARFormat) -> tuple[Images, Labels]:
    stream = io.BytesIO(data)
    try:
        # Written by Python 2: its text arrives as bytes.
        _check_instructions(data)
        content = _ArraysOnly(stream, encoding="bytes").load()
        if isinstance(content, dict):
            content = {
                key: value.bytes_array() if isinstance(value, _PickledArray) else value
                for key, value in content.items()
            }
    # Damaged bytes fail in as many ways as a pickle has instructions.
    except Exception as error:
        wrong = "" if data.startswith(pickle.PROTO) else but_is(path)
        raise DataError(
            f"{path} cannot be read as a batch of {form.python_folder}, near byte offset "
            f"{stream.tell()}: {error}{wrong}"
        ) from None
    if not isinstance(content, dict):
        raise DataError(f"{path} holds a {type(content).__name__}; a dictionary was expected")
    by_name = {
        key.decode("latin-1") if isinstance(key, bytes) else key: value
        for key, value in content.items()
    }
    images, labels = by_name.get("data"), by_name.get(form.label_key)
    if (
        not isinstance(images, np.ndarray)
        or images.dtype != np.uint8
        or images.shape[1:] != (_PIXELS,)
        or not len(images)
    ):
        raise DataError(
            f"{path}: 'data' must be an array of uint8, at least one row of {_PIXELS}, got "
            f"{_shown(images)}"
        )
    return images.reshape(-1, *IMAGE_SHAPE), _checked_labels(path, labels, len(images), form)


def _checked_labels(path: Path, labels: Any, n_images: int, form: CIFARFormat) -> Labels:
    if (
        not isinstance(labels, list)
        or len(labels) != n_images
        or not all(type(label) is int and 0 <= label < form.n_classes for label in labels)
    ):
        raise DataError(
            f"{path}: '{form.label_key}' must be a list of {n_images} integers from 0 to "
            f"{form.n_classes - 1}, one an image, got {_shown(labels)}"
        )
    return np.array(labels, np.int64)


def _shown(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"{value.dtype} of shape {value.shape}"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    return "nothing" if value is None else f"a {type(value).__name__}"
