"""Static images as samples: normalised, and the same at every timestep."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from redundancy.errors import UsageError


def check_timesteps(n_timesteps: int) -> int:
    """Return `n_timesteps`.

    Raises
    ------
    UsageError
        If it is less than 1.
    """
    if n_timesteps < 1:
        raise UsageError(f"n_timesteps must be at least 1, got {n_timesteps}")
    return n_timesteps


def to_frames(
    images: NDArray[np.uint8],
    n_timesteps: int,
    normalisation: tuple[Sequence[float], Sequence[float]] | None,
) -> NDArray[np.float32]:
    """Return images as frames that do not change.

    Parameters
    ----------
    images : ndarray of uint8, shape (sample, channel, y, x)
    n_timesteps : int
    normalisation : tuple or None
        Mean and standard deviation of every channel, of values between 0 and 1; None
        leaves them as they are.

    Returns
    -------
    ndarray of float32, shape (sample, time, channel, y, x)
    """
    values = images.astype(np.float32) / np.float32(255)
    if normalisation is not None:
        mean, deviation = (np.array(part, np.float32)[:, None, None] for part in normalisation)
        values = (values - mean) / deviation
    return np.repeat(values[:, None], n_timesteps, axis=1)
