"""Batches are what was asked for, or refused in one sentence: every run reads them here."""

from __future__ import annotations

import math
import operator
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from redundancy.datasets.base import Batch, Dataset
from redundancy.errors import DataError, UsageError
from redundancy.limits import VARIABLE, memory_limit

UNLABELLED = -1
"""The label of a sample that has none; such samples are left out of the accuracy."""

_AXES = "(sample, time, channel, y, x)"
_MOST = 2**31 - 1


def iterate_batches(
    dataset: Dataset, batch_size: int, n_samples: int | None = None
) -> Iterator[Batch]:
    """Yield the first `n_samples` of `dataset` in its order, `batch_size` at a time.

    Parameters
    ----------
    dataset : Dataset
    batch_size : int
        Samples a batch; the last one may be smaller.
    n_samples : int, optional
        How many samples in all; default all, and never more than there are.

    Raises
    ------
    UsageError, DataError
        As :func:`count_samples` and :func:`read_batch`.
    """
    total = count_samples(dataset, batch_size, n_samples)
    for start in range(0, total, batch_size):
        read = read_batch if start else read_first_batch
        yield read(dataset, start, min(start + batch_size, total))


def count_samples(dataset: Dataset, batch_size: int, n_samples: int | None = None) -> int:
    """Return how many samples a run takes, and refuse sizes that no batch can have.

    Raises
    ------
    UsageError
        If a size is no whole number of at least 1, or a batch takes more memory than
        :func:`redundancy.limits.memory_limit`.
    DataError
        If the dataset has no length or no shape of frames.
    """
    size = _whole("batch size", batch_size)
    asked = None if n_samples is None else _whole("number of samples", n_samples)
    try:
        total = len(dataset)
    except (TypeError, ValueError, OverflowError) as error:
        raise DataError(f"dataset {dataset.name!r} has no number of samples: {error}") from error
    total = total if asked is None else min(asked, total)
    n_values = math.prod(_frame_shape(dataset)) * min(size, total)
    if 4 * n_values > memory_limit():
        raise UsageError(
            f"a batch of {min(size, total)} samples of dataset {dataset.name!r} takes "
            f"{4 * n_values / 2**30:.3g} GiB, more than the {memory_limit() / 2**30:.3g} GiB that "
            f"may be taken; ask for a smaller batch size, or set {VARIABLE} to more GiB"
        )
    return total


def read_first_batch(dataset: Dataset, start: int, stop: int) -> Batch:
    """Return a batch that was read twice and was the same; else as :func:`read_batch`.

    Raises
    ------
    DataError
        Also if the second reading gave something else.
    """
    first, second = (read_batch(dataset, start, stop) for _ in range(2))
    for name in ("frames", "labels", "recordings"):
        if not np.array_equal(getattr(first, name), getattr(second, name)):
            raise DataError(
                f"{_call(dataset, start, stop)} gave other {name} when it was read again; numbers "
                "of samples that change cannot be repeated: take random augmentation out, or fix "
                "its seed by the sample's index"
            )
    return first


def read_batch(dataset: Dataset, start: int, stop: int) -> Batch:
    """Return samples `start` to `stop` (exclusive) of a dataset, checked, as own arrays.

    Parameters
    ----------
    dataset : Dataset
    start, stop : int

    Returns
    -------
    Batch
        Frames in float32 and labels in int64, copies that the dataset may not change any
        more, nor what runs on them the dataset's.

    Raises
    ------
    DataError
        If the batch has other samples than asked for, frames of another shape than the
        dataset's, that are no finite numbers or none that float32 can hold, or labels that
        are no class indices (:data:`UNLABELLED` for a sample without one).

    Warns
    -----
    UserWarning
        If frames of more digits are rounded to float32.
    """
    where = _call(dataset, start, stop)
    try:
        batch = dataset.batch(start, stop)
    except (IndexError, KeyError, StopIteration) as error:
        raise DataError(
            f"{where} fails ({type(error).__name__}: {error}), although its length is "
            f"{len(dataset)}"
        ) from error
    missing = [name for name in ("start", "frames", "labels") if not hasattr(batch, name)]
    if missing:
        raise DataError(f"{where} gave a {type(batch).__name__} and no Batch")
    if batch.start != start:
        raise DataError(f"{where} gave the samples from {batch.start} on, not from {start}")
    n_samples = stop - start
    frames = _checked_frames(where, batch.frames, n_samples, _frame_shape(dataset))
    if batch.labels is None and dataset.n_classes is not None:
        raise DataError(
            f"{where} gave no labels, but the dataset has {dataset.n_classes} classes; label all "
            f"samples ({UNLABELLED} for those without a label), or set n_classes to None"
        )
    labels = _checked_labels(where, batch.labels, n_samples, dataset.n_classes)
    recordings = _whole_numbers(where, "recordings", getattr(batch, "recordings", None), n_samples)
    return Batch(start, frames, labels, recordings)


def _call(dataset: Dataset, start: int, stop: int) -> str:
    return f"dataset {dataset.name!r}: batch({start}, {stop})"


def _whole(name: str, value: Any) -> int:
    """Return a size that was asked for."""
    try:
        size = operator.index(value)
    except TypeError:
        size = 0
    if isinstance(value, bool) or size < 1:
        raise UsageError(f"{name} must be at least 1, got {value!r}")
    if name == "batch size" and size > _MOST:
        raise UsageError(f"{name} must be at most {_MOST}, got {value!r}")
    return size


def _frame_shape(dataset: Dataset) -> tuple[int, ...]:
    shape = dataset.frame_shape
    try:
        sizes = tuple(operator.index(size) for size in shape)
    except TypeError:
        sizes = ()
    if len(sizes) != 4 or min(sizes) < 1:
        raise DataError(
            f"dataset {dataset.name!r}: frame_shape must be four positive whole numbers (time, "
            f"channel, y, x), got {shape!r}"
        )
    return sizes


def _checked_frames(
    where: str, frames: Any, n_samples: int, frame_shape: tuple[int, ...]
) -> NDArray[np.float32]:
    if not isinstance(frames, np.ndarray) or isinstance(frames, np.ma.MaskedArray):
        raise DataError(
            f"{where} gave frames of type {type(frames).__name__}, expected a NumPy array of "
            f"float32 {_AXES}"
        )
    if frames.ndim != 5:
        raise DataError(f"{where} gave frames of shape {frames.shape}, expected {_AXES}")
    if len(frames) != n_samples:
        raise DataError(f"{where} gave {len(frames)} samples for the {n_samples} asked for")
    for axis, got, expected in zip(
        ("T", "channels", "y", "x"), frames.shape[1:], frame_shape, strict=True
    ):
        if got != expected:
            raise DataError(
                f"{where} gave frames of {axis} = {got}, but the dataset's frame_shape says "
                f"{expected}: shape {frames.shape[1:]} for {frame_shape}"
            )
    return as_float32(frames, where)


def as_float32(frames: NDArray[Any], where: str) -> NDArray[np.float32]:
    """Return a copy of frames in float32, which has no other values than they.

    Parameters
    ----------
    frames : ndarray, shape (sample, time, channel, y, x)
    where : str
        Begins the sentence.

    Raises
    ------
    DataError
        If they are no real numbers, not finite, or whole numbers that float32 lacks.

    Warns
    -----
    UserWarning
        If digits beyond those of float32 are rounded.
    """
    if frames.dtype.kind not in "buif":
        raise DataError(f"{where} gave frames of {frames.dtype}, expected real numbers (float32)")
    with np.errstate(over="ignore", invalid="ignore"):
        values = np.array(frames, np.float32, order="C")
        # NaN and infinity reach any sum, which is faster than a look at each value.
        suspicious = not np.isfinite(values.sum())
    if suspicious and not (finite := np.isfinite(values)).all():
        place = np.unravel_index(int(np.flatnonzero(~finite)[0]), values.shape)
        raise DataError(
            f"{where} gave frames that are no finite float32 numbers: frames"
            f"{[int(i) for i in place]} is {frames[place]}"
        )
    if np.can_cast(frames.dtype, np.float32) or np.array_equal(values, frames):
        return values
    if frames.dtype.kind != "f":
        place = np.unravel_index(int(np.flatnonzero(values != frames)[0]), values.shape)
        raise DataError(
            f"{where} gave frames of {frames.dtype} that float32 cannot hold: frames"
            f"{[int(i) for i in place]} is {frames[place]}"
        )
    name = where.partition(": batch(")[0]
    warnings.warn(f"{name}: frames of {frames.dtype} are rounded to float32", stacklevel=4)
    return values


def _checked_labels(
    where: str, labels: Any, n_samples: int, n_classes: int | None
) -> NDArray[np.int64] | None:
    values = _whole_numbers(where, "labels", labels, n_samples)
    if values is None:
        return None
    wrong = values < UNLABELLED
    if n_classes is not None:
        wrong |= values >= n_classes
    if wrong.any():
        most = "" if n_classes is None else f" to {n_classes - 1}"
        raise DataError(
            f"{where} gave {_of(wrong)} a label that is no class, the first {values[wrong][0]}; "
            f"labels are class indices from 0{most}, or {UNLABELLED} for a sample without a label"
        )
    return values


def _whole_numbers(where: str, name: str, values: Any, n_samples: int) -> NDArray[np.int64] | None:
    """Return labels or recordings, one a sample, as a copy in int64."""
    if values is None:
        return None
    try:
        given = np.asarray(values)
    except ValueError:
        given = np.empty((), object)
    if given.ndim == 2 and given.shape[0] == n_samples and given.shape[1] > 1:
        raise DataError(
            f"{where} gave {name} of shape {given.shape}, as one-hot {name} have; give the class "
            f"indices, {name}.argmax(1)"
        )
    if given.shape != (n_samples,):
        raise DataError(
            f"{where} gave {name} of shape {given.shape}, expected one for each of the "
            f"{n_samples} samples"
        )
    if given.dtype.kind not in "buif":
        raise DataError(
            f"{where} gave {n_samples} {name} that are no numbers ({given.dtype}), the first "
            f"{given[0]!r}; give class indices, whole numbers from 0"
        )
    with np.errstate(invalid="ignore"):
        whole = given.astype(np.int64)
        wrong = whole != given
    if wrong.any():
        raise DataError(
            f"{where} gave {_of(wrong)} {name} that are no whole numbers, the first "
            f"{given[wrong][0]}; give class indices from 0"
        )
    return whole


def _of(wrong: NDArray[np.bool_]) -> str:
    return f"{int(wrong.sum())} of {len(wrong)} samples"
