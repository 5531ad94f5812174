"""What is stored of recorded values: spikes as bits, potentials rounded if asked to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from redundancy import schema
from redundancy.errors import RecordingError, UsageError
from redundancy.stats.layer_values import as_compared, thresholds

PotentialDtype = Literal["float16", "float32"]
POTENTIAL_DTYPES: tuple[PotentialDtype, ...] = ("float16", "float32")
POTENTIALS = (schema.MEMBRANE_POTENTIAL, schema.INPUT_CURRENT, schema.RESET_POTENTIAL)


def pack_spikes(layer: str, spikes: NDArray[Any]) -> NDArray[np.uint8]:
    """Return spikes as bits.

    Parameters
    ----------
    layer : str
        Its name, for the error.
    spikes : ndarray, shape (sample, time, channel[, y, x])
        0 and 1.

    Returns
    -------
    ndarray of uint8, shape (sample, channel, byte)
        Eight spikes a byte, the first in the most significant bit, in the order of
        time, y, x; the last byte is filled up with zeros.

    Raises
    ------
    RecordingError
        If there is anything but 0 and 1.
    """
    if spikes.dtype.kind not in "bu" or (spikes.size and spikes.max() > 1):
        raise RecordingError(
            f"layer {layer!r} has spikes other than 0 and 1 ({spikes.dtype}, up to "
            f"{spikes.max()}); only 0 and 1 can be recorded"
        )
    by_channel = np.moveaxis(spikes, 2, 1)
    flat = by_channel.reshape(*by_channel.shape[:2], -1)
    return np.packbits(flat.astype(np.uint8, copy=False), axis=-1)


def unpack_spikes(bits: NDArray[np.uint8], shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Return what :func:`pack_spikes` was given.

    Parameters
    ----------
    bits : ndarray of uint8, shape (sample, channel, byte)
    shape : tuple of int
        (time[, y, x]).

    Returns
    -------
    ndarray of uint8, shape (sample, time, channel[, y, x])
    """
    flat = np.unpackbits(bits, axis=-1, count=int(np.prod(shape)))
    return np.ascontiguousarray(np.moveaxis(flat.reshape(*bits.shape[:2], *shape), 1, 2))


def is_rounded(recorded: np.dtype[Any], stored: PotentialDtype) -> bool:
    """Tell whether values lose digits when stored."""
    return np.dtype(stored).itemsize < recorded.itemsize


def rounded(
    name: str,
    attributes: Mapping[Any, Any],
    quantity: str,
    dtype: PotentialDtype,
    values: NDArray[Any],
) -> NDArray[Any]:
    """Return a recorded quantity in the precision it is stored in.

    A membrane potential that would round across the threshold goes to the nearest number
    on its own side instead, so that it fires where it did.

    Parameters
    ----------
    name : str
        The layer's, for the error.
    attributes : mapping
        The layer's.
    quantity : str
        One of `POTENTIALS`.
    dtype : {"float16", "float32"}
    values : ndarray, shape (sample, time, channel[, y, x])

    Raises
    ------
    RecordingError
        If the values are beyond what the precision can hold.
    """
    with np.errstate(over="ignore"):
        result = values.astype(dtype)
    if not np.isfinite(result).all():
        raise RecordingError(
            f"layer {name!r} has a {quantity} of {np.abs(values).max():g}, more than {dtype} can "
            "hold; record it with --potential-dtype float32"
        )
    if quantity == schema.MEMBRANE_POTENTIAL:
        above = fires(attributes, values)
        crossed = above != fires(attributes, result)
        if crossed.any():
            away = np.where(above[crossed], np.inf, -np.inf).astype(dtype)
            result[crossed] = np.nextafter(result[crossed], away)
    return result


def fires(attributes: Mapping[Any, Any], potential: NDArray[Any]) -> NDArray[np.bool_]:
    """Return where a potential, (sample, time, channel, ...), fires in its own precision.

    Half precision is compared as the float32 that statistics make of it.
    """
    if potential.dtype.itemsize < 4:
        potential = potential.astype(np.float32)
    threshold = as_compared(thresholds(attributes, potential.shape[2]), potential.dtype)
    threshold = threshold.astype(potential.dtype).reshape(-1, *[1] * (potential.ndim - 3))
    above: NDArray[np.bool_] = (
        potential > threshold if attributes[schema.FIRES_AT] == ">" else potential >= threshold
    )
    return above


def check_potential_dtype(dtype: str | None) -> None:
    """Refuse a precision that potentials cannot be stored in."""
    if dtype is not None and dtype not in POTENTIAL_DTYPES:
        raise UsageError(
            f"potentials are stored as {' or '.join(POTENTIAL_DTYPES)}, not as {dtype!r}"
        )
