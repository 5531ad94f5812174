"""Similarity of feature maps as plain arrays: cosine, Pearson, SSIM."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from redundancy.errors import UsageError

Array = NDArray[np.float64]

# The constants of Wang et al. 2004 for values between 0 and 1 (K1 = 0.01, K2 = 0.03),
# and the side of the window.
_SSIM_LUMINANCE = 0.01**2
_SSIM_CONTRAST = 0.03**2
_SSIM_WINDOW = 7
# Pairs of channels times windows worked on at a time (2 MiB of float64).
_BLOCK_ELEMENTS = 2**18


def cosine(maps: Array) -> Array:
    """Cosine of every pair of maps.

    Parameters
    ----------
    maps : ndarray, shape (feature, y, x)

    Returns
    -------
    ndarray, shape (feature, feature)
        NaN for maps that are 0 everywhere.
    """
    flat, active = _active(maps)
    return _expand(_cosine(flat), active)


def pearson(maps: Array) -> Array:
    """Correlation of every pair of maps over positions.

    Parameters
    ----------
    maps : ndarray, shape (feature, y, x)

    Returns
    -------
    ndarray, shape (feature, feature)
        NaN for maps that are 0 everywhere; for other constant maps see
        :func:`redundancy.stats.similarity.feature_similarity`.
    """
    flat, active = _active(maps)
    constant = flat.max(1, initial=-np.inf) == flat.min(1, initial=np.inf)
    centred = flat - flat.mean(1, keepdims=True)
    # The mean of equal numbers may be off by a rounding error.
    centred[constant] = 0.0
    matrix = _cosine(centred)
    matrix[np.ix_(constant, constant)] = 1.0
    return _expand(matrix, active)


def ssim(maps: Array) -> Array:
    """Mean structural similarity of every pair of maps.

    All pairs at once: the second moments of two maps in a window are an inner product of
    their patches, so each window costs one matrix product.

    Parameters
    ----------
    maps : ndarray, shape (feature, y, x)
        Values between 0 and 1.

    Returns
    -------
    ndarray, shape (feature, feature)
        NaN for maps that are 0 everywhere.

    Raises
    ------
    UsageError
        If the maps are smaller than 3x3.
    """
    height, width = maps.shape[1:]
    if min(height, width) < 3:
        raise UsageError(
            f"ssim needs feature maps of at least 3x3 positions, these are {height}x{width}; use "
            "cosine, pearson or jaccard"
        )
    active = np.any(maps, axis=(1, 2))
    kept = maps[active]
    total = np.zeros((len(kept), len(kept)))
    n_windows = 0
    for patches in _patches(kept, ssim_window(height, width)):
        n_windows += len(patches)
        total += _window_similarity(patches).sum(0)
    return _expand(total / n_windows, active)


def ssim_window(height: int, width: int) -> int:
    """Return the side of SSIM's window: the largest odd number up to 7 that fits."""
    side = min(_SSIM_WINDOW, height, width)
    return side - 1 + side % 2


def _window_similarity(patches: Array) -> Array:
    """SSIM (window, feature, feature) of patches (window, feature, position)."""
    mean = patches.mean(2)
    centred = patches - mean[:, :, None]
    covariance = centred @ centred.transpose(0, 2, 1) / (patches.shape[2] - 1)
    variance = np.diagonal(covariance, axis1=1, axis2=2)
    square = mean**2
    numerator = 2 * mean[:, :, None] * mean[:, None, :] + _SSIM_LUMINANCE
    numerator *= 2 * covariance + _SSIM_CONTRAST
    denominator = square[:, :, None] + square[:, None, :] + _SSIM_LUMINANCE
    denominator *= variance[:, :, None] + variance[:, None, :] + _SSIM_CONTRAST
    similarity: Array = numerator / denominator
    return similarity


def _patches(maps: Array, side: int) -> Iterator[Array]:
    """Yield all windows of maps (feature, y, x) in blocks (window, feature, position)."""
    windows = np.lib.stride_tricks.sliding_window_view(maps, (side, side), axis=(1, 2))
    n_features, n_rows, n_columns = windows.shape[:3]
    step = max(1, _BLOCK_ELEMENTS // max(1, n_features, n_features**2))
    for row in range(n_rows):
        for start in range(0, n_columns, step):
            block = windows[:, row, start : start + step].transpose(1, 0, 2, 3)
            yield block.reshape(block.shape[0], n_features, side * side)


def _active(maps: Array) -> tuple[Array, NDArray[np.bool_]]:
    flat = maps.reshape(len(maps), -1)
    active: NDArray[np.bool_] = np.any(flat, axis=1)
    return flat[active], active


def _cosine(flat: Array) -> Array:
    """Cosine of rows, 0 where a row is 0 everywhere."""
    norm = np.linalg.norm(flat, axis=1, keepdims=True)
    unit = np.divide(flat, norm, out=np.zeros_like(flat), where=norm > 0)
    matrix: Array = unit @ unit.T
    return matrix


def _expand(matrix: Array, active: NDArray[np.bool_]) -> Array:
    """Put the similarities of active features among all, free of rounding errors."""
    matrix = np.clip((matrix + matrix.T) / 2, -1.0, 1.0)
    np.fill_diagonal(matrix, 1.0)
    result = np.full((len(active), len(active)), np.nan)
    result[np.ix_(active, active)] = matrix
    return result


MAP_MEASURES: dict[str, Callable[[Array], Array]] = {
    "cosine": cosine,
    "pearson": pearson,
    "ssim": ssim,
}
