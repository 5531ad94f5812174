"""Compiled sweeps: a layer's neurons and everything its statistics need, in one pass.

Rows are the positions of one sample, timestep and channel. One thread owns a channel and
makes every sum in a fixed order, so that no number depends on how many threads there are,
nor on who made the potentials: both kernels here sum with the same row functions. Import
this module only where it is used: it brings numba.
"""

from __future__ import annotations

import functools
from typing import Any

import numba
import numpy as np

from redundancy.compiling import compiled
from redundancy.stats.bit_kernels import popcount
from redundancy.stats.vector_rows import LANES, fire_vectors, pack_vectors, sum_vectors

# The sums of a row.
DEVIATION, DEVIATION_SQUARE, SQUARED_ERROR, SQUARED_ERROR_SCALED, LEAST, MOST = range(6)
# Counters behind the bins of a histogram.
UNDER, OVER, NOT_A_NUMBER = range(3)
# How a neuron charges.
IF, LIF, LIF_UNDECAYED_INPUT, PLIF, PLIF_UNDECAYED_INPUT = range(5)
# What is binned.
PRE_FIRE, INPUT, POST_RESET = range(3)
# Rows are swept in blocks of so many neurons: buffers stay in the fastest cache.
BLOCK = 1024
# Indices are unsigned: a signed one may count from the end, which no loop of vectors can.
_BLOCK, _WORD, _LANES = np.uint64(BLOCK), np.uint64(64), np.uint64(LANES)
# A histogram of few bins is counted in several parts: adding to one number again at once
# would wait for the last time.
_FEW_BINS, _MANY_PARTS, _SOME_PARTS = 512, 8, 4
_MANY_BINS = 2048
_SHORT = 64

_row = numba.njit(nogil=True, forceinline=True)


@_row  # type: ignore[untyped-decorator]
def _n_parts(size: Any, n_counters: Any) -> int:
    if size < _SHORT or n_counters > _MANY_BINS:
        return 1
    return _MANY_PARTS if n_counters <= _FEW_BINS else _SOME_PARTS


@_row  # type: ignore[untyped-decorator]
def _rows_ahead(size: Any) -> Any:
    """Return which of the next rows to ask memory for: a block's worth ahead."""
    return max(np.uint64(1), _BLOCK // size)


@_row  # type: ignore[untyped-decorator]
def _sum_rest(
    values: Any, start: Any, potentials: Any, first: Any, words: Any, bits_at: Any, begin: Any,
    end: Any, threshold: float, counts: Any, counted: Any, sums: Any,
) -> None:  # fmt: skip
    """Add the neurons behind the last whole vector of a block to its sums."""
    for place in range(begin, end):
        bit = bits_at + place
        fires = (words[bit // _WORD] >> (bit % _WORD)) & np.uint64(1)
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


@_row  # type: ignore[untyped-decorator]
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


@_row  # type: ignore[untyped-decorator]
def _pack(spikes: Any, at: Any, size: Any, words: Any, bits_at: Any) -> None:
    """Write the spikes of a block as bits."""
    n_vectors = size // _LANES
    pack_vectors(spikes, at, n_vectors, words, bits_at // _LANES)
    for place in range(n_vectors * _LANES, size):
        bit = bits_at + place
        words[bit // _WORD] |= np.uint64(spikes[at + place] != 0) << (bit % _WORD)


@_row  # type: ignore[untyped-decorator]
def _sweep_block(
    values: Any, start: Any, potentials: Any, first: Any, size: Any, rules: Any,
    words: Any, bits_at: Any, begin: Any, n_parts: int, buffers: Any, written: Any, ahead: Any,
) -> None:  # fmt: skip
    """Make the sums of a block, of which the spikes are kept as bits, and count the rest."""
    found, places, parts, counts = buffers
    threshold, origin, _, inverse, n_below, n_above, closed = rules
    n_vectors = size // _LANES
    whole = n_vectors * _LANES
    # A product with a number below 1 may be rounded to 0, which vectors do not look for.
    as_vectors = closed and inverse >= 1.0
    sum_vectors(
        values, start, potentials, first, words, bits_at // _LANES, n_vectors, threshold, origin,
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


@_row  # type: ignore[untyped-decorator]
def _correct_errors(
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


@_row  # type: ignore[untyped-decorator]
def _keep_sums(found: Any, threshold: float, sums: Any, row: Any) -> None:
    """Add the sums of a block to its row."""
    for column in range(LEAST):
        sums[column, row] += found[column]
    sums[LEAST, row] = min(sums[LEAST, row], found[LEAST] - threshold)
    sums[MOST, row] = max(sums[MOST, row], found[MOST] - threshold)


@_row  # type: ignore[untyped-decorator]
def _begin_row(sums: Any, row: Any) -> None:
    for column in range(LEAST):
        sums[column, row] = 0.0
    sums[LEAST, row], sums[MOST, row] = np.inf, -np.inf


@_row  # type: ignore[untyped-decorator]
def _count_row(
    words: Any, at: Any, n_words: Any, inside: Any, frame: Any, fired: Any, row: Any
) -> None:
    """Count a row's spikes, in all and where marked."""
    n_fired, n_marked = np.uint64(0), np.uint64(0)
    for index in range(n_words):
        n_fired += popcount(words[at + index])
        n_marked += popcount(words[at + index] & inside[frame, index])
    fired[0, row], fired[1, row] = np.int64(n_fired), np.int64(n_marked)


@_row  # type: ignore[untyped-decorator]
def _end_step(
    parts: Any, n_parts: int, spiked: Any, histogram: Any, counts: Any, time: Any, channel: Any
) -> None:
    """Add what was counted of all samples to a timestep's counts, and count anew."""
    n_counters = histogram.shape[2]
    for part in range(n_parts):
        for place in range(n_counters):
            histogram[time, channel, place] += parts[part * n_counters + place]
            parts[part * n_counters + place] = 0
    for place in range(np.uint64(counts.shape[2])):
        counts[time, channel, place] += spiked[place]
        spiked[place] = 0


# Spike counts (time, channel, position), histogram (time, channel, bin), sums (6, row) and
# spikes (2: all and marked, row), rows being (channel, time, sample); bits, flat as (row, word),
# rows being (time, channel, sample); marked positions (row, word), rows being (sample, time);
# potentials and spikes of the first sample (time, channel, position).
_OUTPUTS = (
    "int64[:,:,::1], int64[:,:,::1], float64[:,::1], int64[:,::1], uint64[::1], "
    "uint64[:,::1], {0}[:,:,::1], uint8[:,:,::1]"
)
_RULES = "float64[::1], float64[::1], float64, float64, int64, int64, boolean"


@functools.cache
def sweep_kernel(dtype: str) -> Any:
    """Return the sweep over potentials of a data type that are there already.

    Arrays are flat; `strides` are those of time, sample and channel, in elements.
    Timesteps are written from `began` on, so that a layer may come in parts.
    """

    @compiled(
        f"void({dtype}[::1], {dtype}[::1], uint8[::1], uint64[::1], uint64, uint64, uint64, "
        f"{_RULES}, {_OUTPUTS.format(dtype)})",
        parallel=True,
    )
    def sweep(
        potentials: Any, values: Any, spikes: Any, strides: Any, began: Any, n_times: Any,
        n_samples: Any, threshold: Any, origin: Any, width: Any, inverse: Any, n_below: Any,
        n_above: Any, closed: Any, counts: Any, histogram: Any, sums: Any, fired: Any,
        words: Any, inside: Any, first_potential: Any, first_spikes: Any,
    ) -> None:  # fmt: skip
        size, n_channels = np.uint64(counts.shape[2]), np.uint64(counts.shape[1])
        all_times, n_words = np.uint64(counts.shape[0]), np.uint64(inside.shape[1])
        n_parts = _n_parts(size, histogram.shape[2])
        for index in numba.prange(counts.shape[1]):
            channel = np.uint64(index)
            rules = (threshold[index], origin[index], width, inverse, n_below, n_above, closed)
            found, places = np.empty(6), np.empty(BLOCK, np.uint32)
            parts = np.zeros(n_parts * histogram.shape[2], np.int32)
            spiked = np.zeros(size, np.int32)
            buffers = (found, places, parts, spiked)
            for step in range(n_times):
                time = began + step
                for sample in range(n_samples):
                    at = step * strides[0] + sample * strides[1] + channel * strides[2]
                    frame = sample * all_times + time
                    row = (channel * all_times + time) * n_samples + sample
                    word = ((time * n_channels + channel) * n_samples + sample) * n_words
                    _begin_row(sums, row)
                    for begin in range(np.uint64(0), size, _BLOCK):
                        n, bits_at = min(_BLOCK, size - begin), word * _WORD + begin
                        _pack(spikes, at + begin, n, words, bits_at)
                        _sweep_block(
                            values, at + begin, potentials, at + begin, n, rules,
                            words, bits_at, begin, n_parts, buffers, potentials,
                            at + begin + strides[1] * _rows_ahead(size),
                        )  # fmt: skip
                        _correct_errors(potentials, spikes, at + begin, n, threshold[index], found)
                        _keep_sums(found, threshold[index], sums, row)
                    _count_row(words, word, n_words, inside, frame, fired, row)
                    if sample == 0:
                        for place in range(size):
                            first_potential[time, channel, place] = potentials[at + place]
                            first_spikes[time, channel, place] = spikes[at + place]
                _end_step(parts, n_parts, spiked, histogram, counts, time, channel)

    return sweep


@_row  # type: ignore[untyped-decorator]
def _charge(
    currents: Any, at: Any, carried: Any, held: Any, size: Any, kind: int, rate: Any, base: Any,
    potentials: Any,
) -> None:  # fmt: skip
    """Write U of a row: SpikingJelly's own order of operations, in its own precision."""
    if kind == IF:
        for place in range(size):
            potentials[place] = carried[held + place] + currents[at + place]
    elif kind == LIF:
        for place in range(size):
            before = carried[held + place]
            potentials[place] = before + (currents[at + place] - (before - base)) / rate
    elif kind == LIF_UNDECAYED_INPUT:
        for place in range(size):
            before = carried[held + place]
            potentials[place] = before - (before - base) / rate + currents[at + place]
    elif kind == PLIF:
        for place in range(size):
            before = carried[held + place]
            potentials[place] = before + (currents[at + place] - (before - base)) * rate
    else:
        for place in range(size):
            before = carried[held + place]
            potentials[place] = before - (before - base) * rate + currents[at + place]


@_row  # type: ignore[untyped-decorator]
def _fire(
    potentials: Any, size: Any, threshold: Any, reset: Any, soft: bool, output: Any, at: Any,
    carried: Any, held: Any, words: Any, bits_at: Any, currents: Any, ahead: Any,
) -> None:  # fmt: skip
    """Write S of a block, as the layer's output and as bits, and the potential carried on."""
    n_vectors, one = size // _LANES, np.float32(1.0)
    fire_vectors(
        potentials, n_vectors, threshold, reset, soft, output, at, carried, held, words,
        bits_at // _LANES, currents, ahead,
    )  # fmt: skip
    for place in range(n_vectors * _LANES, size):
        fires = potentials[place] >= threshold
        spike = one if fires else np.float32(0.0)
        output[at + place] = spike
        if soft:
            carried[held + place] = potentials[place] - spike * threshold
        else:
            carried[held + place] = spike * reset + (one - spike) * potentials[place]
        bit = bits_at + place
        words[bit // _WORD] |= np.uint64(fires) << (bit % _WORD)


@functools.cache
def neuron_kernel() -> Any:
    """Return the sweep that is the neuron as well: currents in, spikes and sums out.

    Currents and output are flat, (time, sample, channel, position); `carried`, flat as
    (sample, channel, position), is the potential before the first timestep, and after the
    last.
    """

    @compiled(
        "void(float32[::1], float32[::1], float32[::1], uint64, int64, float32, float32, "
        f"float32, boolean, int64, {_RULES}, {_OUTPUTS.format('float32')})",
        parallel=True,
    )
    def run(
        currents: Any, carried: Any, output: Any, n_samples: Any, kind: Any, rate: Any,
        fires_at: Any, reset: Any, soft: Any, quantity: Any, threshold: Any, origin: Any,
        width: Any, inverse: Any, n_below: Any, n_above: Any, closed: Any, counts: Any,
        histogram: Any, sums: Any, fired: Any, words: Any, inside: Any, first_potential: Any,
        first_spikes: Any,
    ) -> None:  # fmt: skip
        size, n_channels = np.uint64(counts.shape[2]), np.uint64(counts.shape[1])
        n_times, n_words = np.uint64(counts.shape[0]), np.uint64(inside.shape[1])
        # Rows lie too far apart for the processor to foresee the next.
        stride = n_channels * size * _rows_ahead(size)
        base, zero = np.float32(0.0) if soft else reset, np.uint64(0)
        n_parts = _n_parts(size, histogram.shape[2])
        for index in numba.prange(counts.shape[1]):
            channel = np.uint64(index)
            rules = (threshold[index], origin[index], width, inverse, n_below, n_above, closed)
            found, places = np.empty(6), np.empty(BLOCK, np.uint32)
            parts = np.zeros(n_parts * histogram.shape[2], np.int32)
            spiked, potentials = np.zeros(size, np.int32), np.empty(BLOCK, np.float32)
            buffers = (found, places, parts, spiked)
            for time in range(n_times):
                for sample in range(n_samples):
                    frame = sample * n_times + time
                    row = (channel * n_times + time) * n_samples + sample
                    word = ((time * n_channels + channel) * n_samples + sample) * n_words
                    _begin_row(sums, row)
                    for begin in range(zero, size, _BLOCK):
                        n, bits_at = min(_BLOCK, size - begin), word * _WORD + begin
                        held = (sample * n_channels + channel) * size + begin
                        at = time * n_samples * n_channels * size + held
                        ahead = at + stride
                        _charge(currents, at, carried, held, n, kind, rate, base, potentials)
                        _fire(
                            potentials, n, fires_at, reset, soft, output, at, carried, held,
                            words, bits_at, currents, ahead,
                        )  # fmt: skip
                        values, first = potentials, zero
                        if quantity == INPUT:
                            values, first = currents, at
                        elif quantity == POST_RESET:
                            values, first = carried, held
                        _sweep_block(
                            values, first, potentials, zero, n, rules, words,
                            bits_at, begin, n_parts, buffers, output, ahead,
                        )  # fmt: skip
                        _keep_sums(found, threshold[index], sums, row)
                        if sample == 0:
                            for place in range(n):
                                first_potential[time, channel, begin + place] = potentials[place]
                                spike = np.uint8(output[at + place] != 0)
                                first_spikes[time, channel, begin + place] = spike
                    _count_row(words, word, n_words, inside, frame, fired, row)
                _end_step(parts, n_parts, spiked, histogram, counts, time, channel)

    return run
