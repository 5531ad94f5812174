"""What compiled sweeps do with a row: the positions of one sample, timestep and channel.

Every sweep sums with these functions, so that no number depends on who made the potentials.
Import this module only where it is used: it brings numba.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from redundancy.stats.bit_kernels import popcount
from redundancy.stats.vector_rows import LANES, pack_vectors, sum_vectors

# The sums of a row.
DEVIATION, DEVIATION_SQUARE, SQUARED_ERROR, SQUARED_ERROR_SCALED, LEAST, MOST = range(6)
# Counters behind the bins of a histogram.
UNDER, OVER, NOT_A_NUMBER = range(3)
# Rows are swept in blocks of so many neurons: buffers stay in the fastest cache.
# Indices are unsigned: a signed one may count from the end, which no loop of vectors can.
BLOCK, WORD, VECTOR = np.uint64(1024), np.uint64(64), np.uint64(LANES)
# A histogram of few bins is counted in several parts: adding to one number again at once
# would wait for the last time.
_FEW_BINS, _MANY_PARTS, _SOME_PARTS = 512, 8, 4
_MANY_BINS = 2048
_SHORT = 64

row_function = numba.njit(nogil=True, forceinline=True)


@row_function  # type: ignore[untyped-decorator]
def n_parts_of(size: Any, n_counters: Any) -> int:
    """Return in how many parts a histogram is counted."""
    if size < _SHORT or n_counters > _MANY_BINS:
        return 1
    return _MANY_PARTS if n_counters <= _FEW_BINS else _SOME_PARTS


@row_function  # type: ignore[untyped-decorator]
def rows_ahead(size: Any) -> Any:
    """Return which of the next rows to ask memory for: a block's worth ahead."""
    return max(np.uint64(1), BLOCK // size)


@row_function  # type: ignore[untyped-decorator]
def _sum_rest(
    values: Any, start: Any, potentials: Any, first: Any, words: Any, bits_at: Any, begin: Any,
    end: Any, threshold: float, counts: Any, counted: Any, sums: Any,
) -> None:  # fmt: skip
    """Add the neurons behind the last whole vector of a block to its sums."""
    for place in range(begin, end):
        bit = bits_at + place
        fires = (words[bit // WORD] >> (bit % WORD)) & np.uint64(1)
        spike = np.float64(fires)
        deviation = np.float64(values[start + place]) - threshold
        potential = np.float64(potentials[first + place])
        error, scaled = potential - spike, potential - threshold * spike
        sums[DEVIATION] += deviation
        sums[DEVIATION_SQUARE] += deviation * deviation
        sums[SQUARED_ERROR] += error * error
        sums[SQUARED_ERROR_SCALED] += scaled * scaled
        value = np.float64(values[start + place])
        sums[LEAST] = value if value < sums[LEAST] else sums[LEAST]
        sums[MOST] = value if value > sums[MOST] else sums[MOST]
        counts[counted + place] += np.int32(fires)


@row_function  # type: ignore[untyped-decorator]
def _find_bins(values: Any, start: Any, begin: Any, end: Any, rules: Any, places: Any) -> None:
    """Write the place of each value among counters of bins about an origin, which is an edge.

    The inverse of the width is 0 unless it is exact, and a product with it the quotient.
    """
    _, origin, width, inverse, n_below, n_above, closed = rules
    n_bins = n_below + n_above
    for place in range(begin, end):
        deviation = np.float64(values[start + place]) - origin
        quotient = deviation * inverse if inverse != 0.0 else deviation / width
        # A difference of floats has the right sign, so the origin is exact; the quotient of
        # a tiny one may be rounded to 0, on the wrong side.
        if closed:
            bin_ = np.floor(quotient)
            bin_ = -1.0 if (deviation < 0.0 and bin_ >= 0.0) else bin_
        else:
            bin_ = np.ceil(quotient) - 1.0
            bin_ = 0.0 if (deviation > 0.0 and bin_ < 0.0) else bin_
        bin_ = bin_ + n_below
        over = np.float64(n_bins + OVER) if bin_ >= n_bins else bin_
        bin_ = np.float64(n_bins + UNDER) if bin_ < 0.0 else over
        bin_ = bin_ if bin_ == bin_ else np.float64(n_bins + NOT_A_NUMBER)
        places[place] = np.uint32(bin_)


@row_function  # type: ignore[untyped-decorator]
def pack(spikes: Any, at: Any, size: Any, words: Any, bits_at: Any) -> None:
    """Write the spikes of a block as bits."""
    n_vectors = size // VECTOR
    pack_vectors(spikes, at, n_vectors, words, bits_at // VECTOR)
    for place in range(n_vectors * VECTOR, size):
        bit = bits_at + place
        words[bit // WORD] |= np.uint64(spikes[at + place] != 0) << (bit % WORD)


@row_function  # type: ignore[untyped-decorator]
def sweep_block(
    values: Any, start: Any, potentials: Any, first: Any, size: Any, rules: Any,
    words: Any, bits_at: Any, begin: Any, n_parts: int, buffers: Any, written: Any, ahead: Any,
) -> None:  # fmt: skip
    """Make the sums of a block, of which the spikes are kept as bits, and count the rest."""
    found, places, parts, counts = buffers
    threshold, origin, _, inverse, n_below, n_above, closed = rules
    n_vectors = size // VECTOR
    whole = n_vectors * VECTOR
    # A product with a number below 1 may be rounded to 0, which vectors do not look for.
    as_vectors = closed and inverse >= 1.0
    sum_vectors(
        values, start, potentials, first, words, bits_at // VECTOR, n_vectors, threshold, origin,
        inverse, n_below, n_below + n_above, n_parts, counts, begin, places, found, written,
        ahead,
    )  # fmt: skip
    _sum_rest(
        values, start, potentials, first, words, bits_at, whole, size, threshold, counts,
        begin, found,
    )  # fmt: skip
    _find_bins(values, start, whole if as_vectors else np.uint64(0), size, rules, places)
    for place in range(size):
        parts[places[place]] += 1


@row_function  # type: ignore[untyped-decorator]
def correct_errors(
    potentials: Any, spikes: Any, at: Any, size: Any, threshold: float, sums: Any
) -> None:
    """Make the errors of a block anew if spikes are higher than 1."""
    highest = np.uint8(0)
    for place in range(size):
        highest = max(highest, spikes[at + place])
    if highest <= 1:
        return
    sums[SQUARED_ERROR] = sums[SQUARED_ERROR_SCALED] = 0.0
    for place in range(size):
        potential, spike = np.float64(potentials[at + place]), np.float64(spikes[at + place])
        error, scaled = potential - spike, potential - threshold * spike
        sums[SQUARED_ERROR] += error * error
        sums[SQUARED_ERROR_SCALED] += scaled * scaled


@row_function  # type: ignore[untyped-decorator]
def keep_sums(found: Any, threshold: float, sums: Any, row: Any) -> None:
    """Add the sums of a block to its row."""
    for column in range(LEAST):
        sums[column, row] += found[column]
    sums[LEAST, row] = min(sums[LEAST, row], found[LEAST] - threshold)
    sums[MOST, row] = max(sums[MOST, row], found[MOST] - threshold)


@row_function  # type: ignore[untyped-decorator]
def begin_row(sums: Any, row: Any) -> None:
    """Set a row's sums to those of no neuron."""
    for column in range(LEAST):
        sums[column, row] = 0.0
    sums[LEAST, row], sums[MOST, row] = np.inf, -np.inf


@row_function  # type: ignore[untyped-decorator]
def count_row(
    words: Any, at: Any, n_words: Any, inside: Any, frame: Any, fired: Any, row: Any
) -> None:
    """Count a row's spikes, in all and where marked."""
    n_fired, n_marked = np.uint64(0), np.uint64(0)
    for index in range(n_words):
        n_fired += popcount(words[at + index])
        n_marked += popcount(words[at + index] & inside[frame, index])
    fired[0, row], fired[1, row] = np.int64(n_fired), np.int64(n_marked)


@row_function  # type: ignore[untyped-decorator]
def end_step(
    parts: Any, n_parts: int, spiked: Any, histogram: Any, counts: Any, time: Any, channel: Any
) -> None:
    """Write down what was counted of all samples in a timestep, and count anew."""
    n_counters = np.uint64(histogram.shape[2])
    for place in range(n_counters):
        histogram[time, channel, place] = parts[place]
        parts[place] = 0
    for part in range(np.uint64(1), np.uint64(n_parts)):
        for place in range(n_counters):
            histogram[time, channel, place] += parts[part * n_counters + place]
            parts[part * n_counters + place] = 0
    for place in range(np.uint64(counts.shape[2])):
        counts[time, channel, place] = spiked[place]
        spiked[place] = 0
