"""Compiled sweeps: a layer's neurons and everything its statistics need, in one pass.

Rows are the positions of one sample, timestep and channel. One thread owns a channel and
makes every sum in a fixed order, so that no number depends on how many threads there are,
nor on who made the potentials: both kernels here sum with the same row functions. Import
this module only where it is used: it brings numba. All of it stands in one file, since
numba's cache on disk notices changes of the kernel's own file only.
"""

from __future__ import annotations

import functools
from typing import Any

import numba
import numpy as np

from redundancy.compiling import compiled
from redundancy.stats.bit_kernels import popcount

# Columns of the sums of a row.
DEVIATION, DEVIATION_SQUARE, SQUARED_ERROR, SQUARED_ERROR_SCALED, LEAST, MOST = range(6)
# Counters behind the bins of a histogram.
UNDER, OVER, NOT_A_NUMBER = range(3)
# How a neuron charges.
IF, LIF, LIF_UNDECAYED_INPUT, PLIF, PLIF_UNDECAYED_INPUT = range(5)
# What is binned.
PRE_FIRE, INPUT, POST_RESET = range(3)
# Rows are summed in blocks of so many neurons: buffers stay in the fastest cache.
BLOCK = 1024
# Indices are unsigned: a signed one may count from the end, which no loop of vectors can.
_BLOCK, _WORD = np.uint64(BLOCK), np.uint64(64)
# Shorter rows are summed one by one.
_SHORT = 16
# A histogram of few bins is counted in so many parts: adding to one number again at once
# would wait for the last time.
_PARTS = 4
_FEW_BINS = 2048
# A float64 without its sign, as an integer.
_MAGNITUDE = np.int64(0x7FFFFFFFFFFFFFFF)
_INFINITE = np.int64(0x7FF0000000000000)
# Powers of two from -_LARGEST to _LARGEST; sums of larger or smaller numbers go the slow way.
_LARGEST = 1000
_POWERS = 2.0 ** np.arange(-_LARGEST, _LARGEST + 1.0)

_row = numba.njit(nogil=True, forceinline=True)


@_row  # type: ignore[untyped-decorator]
def _sum_block(terms: Any, bits: Any, size: Any, squared: bool) -> Any:
    """Return the sum of numbers, or of their squares, as exactly as float64 holds it.

    Integers of 64 bits add in any order to the same sum, which is why a compiler may make
    vectors of them; they are scaled by the power of two that the largest number allows.
    """
    slow = 0.0
    if size < _SHORT:
        for place in range(size):
            slow += terms[place] * terms[place] if squared else terms[place]
        return slow
    largest = np.int64(0)
    for place in range(size):
        largest = max(largest, bits[place] & _MAGNITUDE)
    exponent = (largest >> 52) - 1022
    power = (62 - 10 - 2 * exponent) if squared else (62 - 10 - exponent)
    if abs(power) > _LARGEST or exponent > _LARGEST:
        for place in range(size):
            slow += terms[place] * terms[place] if squared else terms[place]
        return slow
    scale = _POWERS[power + _LARGEST]
    total = np.int64(0)
    if squared:
        for place in range(size):
            total += np.int64(np.rint(terms[place] * terms[place] * scale))
    else:
        for place in range(size):
            total += np.int64(np.rint(terms[place] * scale))
    return np.float64(total) * _POWERS[_LARGEST - power]


@_row  # type: ignore[untyped-decorator]
def _extremes(terms: Any, bits: Any, size: Any) -> tuple[float, float]:
    """Return the least and the greatest number that is not NaN; `terms` has room for one more."""
    least, most = np.inf, -np.inf
    if size >= _SHORT:
        low, high = _MAGNITUDE, ~_MAGNITUDE
        for place in range(size):
            # As integers of the same order as the numbers, of which vectors can be made.
            ordered = bits[place] ^ ((bits[place] >> 63) & _MAGNITUDE)
            low = min(low, ordered)
            high = max(high, ordered)
        if high <= _INFINITE and low >= ~_INFINITE:
            bits[size] = low ^ ((low >> 63) & _MAGNITUDE)
            least = terms[size]
            bits[size] = high ^ ((high >> 63) & _MAGNITUDE)
            return least, terms[size]
    for place in range(size):
        least = terms[place] if terms[place] < least else least
        most = terms[place] if terms[place] > most else most
    return least, most


@_row  # type: ignore[untyped-decorator]
def _sum_values(
    values: Any, start: Any, size: Any, origin: float, terms: Any, bits: Any, sums: Any, row: Any
) -> None:
    """Add the deviations of a block from an origin to the sums of its row."""
    for place in range(size):
        terms[place] = np.float64(values[start + place]) - origin
    sums[row, DEVIATION] += _sum_block(terms, bits, size, False)
    sums[row, DEVIATION_SQUARE] += _sum_block(terms, bits, size, True)
    least, most = _extremes(terms, bits, size)
    sums[row, LEAST] = min(sums[row, LEAST], least)
    sums[row, MOST] = max(sums[row, MOST], most)


@_row  # type: ignore[untyped-decorator]
def _sum_errors(
    values: Any, start: Any, spikes: Any, first: Any, size: Any, height: float, terms: Any,
    bits: Any,
) -> Any:  # fmt: skip
    """Return the sum of (U - height * S)^2 over a block."""
    for place in range(size):
        spike = np.float64(spikes[first + place])
        terms[place] = np.float64(values[start + place]) - height * spike
    return _sum_block(terms, bits, size, True)


@_row  # type: ignore[untyped-decorator]
def _count_bins(values: Any, start: Any, size: Any, rules: Any, places: Any, counts: Any) -> None:
    """Add a block to the counts (part, bin) of bins about an origin, which is an edge.

    The inverse of the width is 0 unless it is exact, and a product with it the quotient.
    """
    _, origin, width, inverse, n_below, n_above, closed = rules
    n_bins = n_below + n_above
    for place in range(size):
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
        places[place] = np.int32(bin_)
    last = np.uint64(len(counts) - 1)
    for place in range(size):
        counts[place & last, places[place]] += 1


@_row  # type: ignore[untyped-decorator]
def _pack_block(
    spikes: Any, first: Any, size: Any, counts: Any, time: Any, channel: Any, begin: Any,
    words: Any, row: Any, inside: Any, frame: Any, fired: Any, total: Any,
) -> None:  # fmt: skip
    """Count a block's spikes, in all and where marked, and keep them as bits."""
    for place in range(size):
        counts[time, channel, begin + place] += spikes[first + place] != 0
    n_fired, n_marked = np.uint64(0), np.uint64(0)
    for index in range((size + np.uint64(63)) // _WORD):
        at = first + _WORD * index
        n_bits = min(_WORD, size - _WORD * index)
        word = np.uint64(0)
        if n_bits == _WORD:
            for bit in range(_WORD):
                word |= np.uint64(spikes[at + bit] != 0) << bit
        else:
            for bit in range(n_bits):
                word |= np.uint64(spikes[at + bit] != 0) << bit
        place = begin // _WORD + index
        words[row, place] = word
        n_fired += popcount(word)
        n_marked += popcount(word & inside[frame, place])
    fired[total, 0] += np.int64(n_fired)
    fired[total, 1] += np.int64(n_marked)


@_row  # type: ignore[untyped-decorator]
def _sweep_row(
    potentials: Any, start: Any, values: Any, first: Any, spikes: Any, place: Any, rules: Any,
    outputs: Any, buffers: Any, n_samples: Any, sample: Any, time: Any, channel: Any,
) -> None:  # fmt: skip
    """Add a row to everything that is kept of its sample, timestep and channel."""
    counts, sums, fired, words, inside = outputs
    terms, bits, places, histogram = buffers
    n_times, n_channels = np.uint64(counts.shape[0]), np.uint64(counts.shape[1])
    size = np.uint64(counts.shape[2])
    frame = sample * n_times + time
    total = frame * n_channels + channel
    packed = (time * n_channels + channel) * n_samples + sample
    for column in range(LEAST):
        sums[total, column] = 0.0
    sums[total, LEAST], sums[total, MOST] = np.inf, -np.inf
    fired[total, 0] = fired[total, 1] = 0
    for begin in range(np.uint64(0), size, _BLOCK):
        n = min(_BLOCK, size - begin)
        _sum_values(values, first + begin, n, rules[0], terms, bits, sums, total)
        for column, height in ((SQUARED_ERROR, 1.0), (SQUARED_ERROR_SCALED, rules[0])):
            sums[total, column] += _sum_errors(
                potentials, start + begin, spikes, place + begin, n, height, terms, bits
            )
        _count_bins(values, first + begin, n, rules, places, histogram)
        _pack_block(
            spikes, place + begin, n, counts, time, channel, begin, words, packed, inside, frame,
            fired, total,
        )  # fmt: skip


# Spike counts (time, channel, position), histogram (time, channel, bin), sums (row, 6) and
# spikes (row, 2: all and marked), rows being (sample, time, channel); bits (row, word), rows
# being (time, channel, sample); marked positions (row, word), rows being (sample, time);
# potentials and spikes of the first sample (time, channel, position).
_OUTPUTS = (
    "int64[:,:,::1], int64[:,:,::1], float64[:,::1], int64[:,::1], uint64[:,::1], "
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
        size = np.uint64(counts.shape[2])
        n_parts = _PARTS if histogram.shape[2] <= _FEW_BINS else 1
        for index in numba.prange(counts.shape[1]):
            channel = np.uint64(index)
            terms, places = np.empty(BLOCK + 1), np.empty(BLOCK, np.int32)
            parts = np.empty((n_parts, histogram.shape[2]), np.int64)
            rules = (threshold[index], origin[index], width, inverse, n_below, n_above, closed)
            outputs = (counts, sums, fired, words, inside)
            buffers = (terms, terms.view(np.int64), places, parts)
            for step in range(n_times):
                time = began + step
                parts[:] = 0
                for sample in range(n_samples):
                    at = step * strides[0] + sample * strides[1] + channel * strides[2]
                    _sweep_row(
                        potentials, at, values, at, spikes, at, rules, outputs, buffers,
                        n_samples, sample, time, channel,
                    )  # fmt: skip
                    if sample == 0:
                        for place in range(size):
                            first_potential[time, channel, place] = potentials[at + place]
                            first_spikes[time, channel, place] = spikes[at + place]
                for part in range(n_parts):
                    histogram[time, channel] += parts[part]

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
    potentials: Any, size: Any, threshold: Any, reset: Any, soft: bool, spikes: Any, output: Any,
    at: Any, carried: Any, held: Any,
) -> None:  # fmt: skip
    """Write S of a row, as bytes and as the layer's output, and the potential carried on."""
    one = np.float32(1.0)
    for place in range(size):
        fires = potentials[place] >= threshold
        spikes[place] = np.uint8(fires)
        spike = one if fires else np.float32(0.0)
        output[at + place] = spike
        if soft:
            carried[held + place] = potentials[place] - spike * threshold
        else:
            carried[held + place] = spike * reset + (one - spike) * potentials[place]


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
        base = np.float32(0.0) if soft else reset
        n_parts = _PARTS if histogram.shape[2] <= _FEW_BINS else 1
        zero = np.uint64(0)
        for index in numba.prange(counts.shape[1]):
            channel = np.uint64(index)
            terms, places = np.empty(BLOCK + 1), np.empty(BLOCK, np.int32)
            parts = np.empty((n_parts, histogram.shape[2]), np.int64)
            potentials, spikes = np.empty(size, np.float32), np.empty(size, np.uint8)
            rules = (threshold[index], origin[index], width, inverse, n_below, n_above, closed)
            outputs = (counts, sums, fired, words, inside)
            buffers = (terms, terms.view(np.int64), places, parts)
            for time in range(np.uint64(counts.shape[0])):
                parts[:] = 0
                for sample in range(n_samples):
                    held = (sample * n_channels + channel) * size
                    at = time * n_samples * n_channels * size + held
                    _charge(currents, at, carried, held, size, kind, rate, base, potentials)
                    _fire(
                        potentials, size, fires_at, reset, soft, spikes, output, at, carried, held
                    )
                    values, first = potentials, zero
                    if quantity == INPUT:
                        values, first = currents, at
                    elif quantity == POST_RESET:
                        values, first = carried, held
                    _sweep_row(
                        potentials, zero, values, first, spikes, zero, rules, outputs, buffers,
                        n_samples, sample, time, channel,
                    )  # fmt: skip
                    if sample == 0:
                        first_potential[time, channel] = potentials
                        first_spikes[time, channel] = spikes
                for part in range(n_parts):
                    histogram[time, channel] += parts[part]

    return run
