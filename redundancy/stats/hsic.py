"""Kernels between samples and the unbiased Hilbert-Schmidt independence criterion (HSIC)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# The unbiased estimate of HSIC divides by n - 3.
MINIMUM_SAMPLES = 4


def sample_kernels(bits: NDArray[np.uint64], n_positions: int) -> Array:
    """Count, per timestep, the neurons that spike in both of two samples.

    Parameters
    ----------
    bits : ndarray of uint64, shape (time, channel, sample, word)
        Spikes, see :func:`redundancy.stats.bit_kernels.pack_bits`.
    n_positions : int
        Bits in use of the words of one channel.

    Returns
    -------
    ndarray of float64, shape (time, sample, sample)
        Whole numbers.
    """
    from redundancy.stats.bit_kernels import close_ranks, count_common

    by_sample = bits.transpose(0, 2, 1, 3)
    return count_common(close_ranks(by_sample, n_positions)).astype(np.float64)


def unbiased_hsic(kernels: Array) -> Array:
    """Return the unbiased HSIC_1 of every pair of kernels over the same samples.

    It is an inner product of U-centred kernels (Székely and Rizzo, Ann. Statist. 2014),
    so that no alignment made of it leaves [-1, 1].

    Parameters
    ----------
    kernels : ndarray of float64, shape (kernel, sample, sample)
        Symmetric; at least 4 samples.

    Returns
    -------
    ndarray of float64, shape (kernel, kernel)
    """
    n = kernels.shape[1]
    off = kernels * (1.0 - np.eye(n))
    row = off.sum(axis=2)
    total = row.sum(axis=1)
    # Times (n - 1)(n - 2): sums of whole numbers, so that what is zero is exactly zero.
    centred = (n - 1) * (n - 2) * off
    centred -= (n - 1) * (row[:, :, None] + row[:, None, :])
    centred += total[:, None, None]
    centred *= 1.0 - np.eye(n)
    flat = centred.reshape(len(kernels), -1) / ((n - 1) * (n - 2))
    hsic: Array = flat @ flat.T / (n * (n - 3))
    return hsic
