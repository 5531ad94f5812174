"""Random numbers and sines that have the same bits on every machine.

Libraries compute sines, logarithms and even the scaling of random numbers with
instructions that differ between processors in the last bit, and one bit moves an
event. Here everything is built from raw random words and from +, -, *, / and
floor, which IEEE 754 fixes to the bit.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

_TERMS = 8


class ExactRandom:
    """Random numbers made of the raw words of a seeded PCG64 generator.

    Parameters
    ----------
    *key : int
        Non-negative integers; different keys give independent streams.
    """

    def __init__(self, *key: int) -> None:
        self._bits = np.random.PCG64(np.random.SeedSequence(key))

    def words(self, n: int) -> NDArray[np.uint64]:
        """Return `n` uniform 64-bit words."""
        return np.asarray(self._bits.random_raw(n), np.uint64)

    def uniform(self, n: int) -> NDArray[np.float64]:
        """Return `n` numbers uniform in [0, 1), multiples of 2**-53."""
        return (self.words(n) >> np.uint64(11)).astype(np.float64) * 2.0**-53

    def normal(self, n: int) -> NDArray[np.float64]:
        """Return `n` numbers of mean 0 and variance 1: sums of twelve uniform ones, in (-6, 6)."""
        parts = self.uniform(12 * n).reshape(12, n)
        total = np.full(n, -6.0)
        for part in parts:
            total = total + part
        return total

    def count(self, mean: float) -> int:
        """Return a count of mean `mean`, binomial with p = 1/256: Poisson to 0.2 %."""
        n_trials = round(256 * mean)
        trials = self.words(-(-n_trials // 8)).astype("<u8").view(np.uint8)[:n_trials]
        return int(np.count_nonzero(trials == 0))


def sine(turns: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the sine of angles given in turns, to 1e-11, the same bits everywhere."""
    u = turns - np.floor(turns + 0.5)
    u = np.where(u > 0.25, 0.5 - u, np.where(u < -0.25, -0.5 - u, u))
    angle = u * (2.0 * math.pi)
    square = angle * angle
    total = np.ones_like(angle)
    for k in range(_TERMS, 0, -1):
        total = 1.0 - square / float(2 * k * (2 * k + 1)) * total
    return angle * total


def cosine(turns: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the cosine of angles given in turns; see `sine`."""
    return sine(turns + 0.25)
