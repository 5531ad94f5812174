"""Compiled counting of spikes that are kept as bits: what two rows of them share.

Import this module only where it is used: it brings numba.
"""

from __future__ import annotations

import functools
from typing import Any

import numba
import numpy as np
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from redundancy.compiling import compiled

WORD = 64


@intrinsic  # type: ignore[untyped-decorator]
def popcount(typingctx: Any, word: Any) -> Any:
    """Return the number of bits of a 64-bit word that are 1."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.uint64(types.uint64), generate


def pack_bits(spikes: NDArray[Any]) -> NDArray[np.uint64]:
    """Return what is not zero along the last axis as bits.

    Parameters
    ----------
    spikes : ndarray, shape (..., neuron)

    Returns
    -------
    ndarray of uint64, shape (..., word)
        The first neuron is the lowest bit of the first word; bits behind the last are 0.
    """
    packed = np.packbits(spikes != 0, axis=-1, bitorder="little")
    n_words = -(-spikes.shape[-1] // WORD)
    whole = np.zeros((*spikes.shape[:-1], n_words * 8), np.uint8)
    whole[..., : packed.shape[-1]] = packed
    return whole.view("<u8").astype(np.uint64, copy=False)


def close_ranks(bits: NDArray[np.uint64], size: int) -> NDArray[np.uint64]:
    """Return rows of short rows as one row each, with no idle bits between.

    Parameters
    ----------
    bits : ndarray of uint64, shape (time, row, part, word)
    size : int
        Bits in use of each part.

    Returns
    -------
    ndarray of uint64, shape (time, row, word)
    """
    n_times, n_rows, n_parts, n_words = bits.shape
    if size % WORD == 0 or size > WORD:
        return bits.reshape(n_times, n_rows, n_parts * n_words)
    joined = np.zeros((n_times, n_rows, -(-n_parts * size // WORD)), np.uint64)
    _compile_join()(np.ascontiguousarray(bits[..., 0]), size, joined)
    return joined


def count_common(rows: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Count the bits that every two rows have in common.

    Parameters
    ----------
    rows : ndarray of uint64, shape (time, row, word)

    Returns
    -------
    ndarray of int64, shape (time, row, row)
    """
    n_times, n_rows = rows.shape[:2]
    counts = np.empty((n_times, n_rows, n_rows), np.int64)
    _compile_common()(np.require(rows, requirements=["C", "W"]), counts)
    return counts


@functools.cache
def _compile_join() -> Any:
    @compiled("void(uint64[:,:,::1], int64, uint64[:,:,::1])", parallel=True)
    def join(parts: Any, size: Any, joined: Any) -> None:
        n_times, n_rows, n_parts = parts.shape
        for row in numba.prange(n_times * n_rows):
            time, index = row // n_rows, row % n_rows
            for part in range(n_parts):
                word = parts[time, index, part]
                place = part * size
                shift = place % WORD
                joined[time, index, place // WORD] |= word << np.uint64(shift)
                if shift + size > WORD:
                    joined[time, index, place // WORD + 1] |= word >> np.uint64(WORD - shift)

    return join


@functools.cache
def _compile_common() -> Any:
    @compiled("void(uint64[:,:,::1], int64[:,:,::1])", parallel=True)
    def count(rows: Any, counts: Any) -> None:
        n_times, n_rows, n_words = rows.shape
        for row in numba.prange(n_times * n_rows):
            time, first = row // n_rows, row % n_rows
            if n_words == 1:
                # Both halves of the table: of that, a compiler makes vectors.
                word = rows[time, first, 0]
                for second in range(n_rows):
                    counts[time, first, second] = popcount(word & rows[time, second, 0])
                continue
            for second in range(first + 1):
                total = np.uint64(0)
                for word in range(n_words):
                    total += popcount(rows[time, first, word] & rows[time, second, word])
                counts[time, first, second] = total
                counts[time, second, first] = total

    return count
