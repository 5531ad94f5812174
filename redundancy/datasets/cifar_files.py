"""The batch files of CIFAR-10 and CIFAR-100, of both forms in which they are distributed."""

from __future__ import annotations

import io
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from redundancy.errors import DataError

IMAGE_SHAPE = (3, 32, 32)
_PIXELS = 3 * 32 * 32
# What an array is pickled with, under the names of NumPy 1 and 2; nothing else is called.
_CALLABLES = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("numpy.core.multiarray", "_reconstruct"): np.empty(0).__reduce__()[0],
    ("numpy._core.multiarray", "_reconstruct"): np.empty(0).__reduce__()[0],
    ("_codecs", "encode"): lambda text, encoding: text.encode(encoding),
}

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
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    if path.suffix == ".bin":
        return _from_records(path, data, form)
    return _from_pickle(path, data, form)


def _from_records(path: Path, data: bytes, form: CIFARFormat) -> tuple[Images, Labels]:
    size = form.label_bytes + _PIXELS
    if not data or len(data) % size:
        raise DataError(
            f"{path} has {len(data)} bytes, but a file of {form.binary_folder} has a positive "
            f"multiple of {size}; the record at byte offset {len(data) - len(data) % size} is cut "
            "off"
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


class _ArraysOnly(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _CALLABLES:
            raise pickle.UnpicklingError(f"it would call {module}.{name}")
        return _CALLABLES[module, name]


def _from_pickle(path: Path, data: bytes, form: CIFARFormat) -> tuple[Images, Labels]:
    stream = io.BytesIO(data)
    try:
        # Written by Python 2: its text arrives as bytes.
        content = _ArraysOnly(stream, encoding="bytes").load()
    # Damaged bytes fail in as many ways as a pickle has instructions.
    except Exception as error:
        raise DataError(
            f"{path} cannot be read as a batch of {form.python_folder}, near byte offset "
            f"{stream.tell()}: {error}"
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
