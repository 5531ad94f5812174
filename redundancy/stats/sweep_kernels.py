"""Compiled sweeps: a layer's neurons and everything its statistics need, in one pass.

One thread owns a channel and makes every sum in a fixed order, so that no number depends on
how many threads there are. Import this module only where it is used: it brings numba.
"""

from __future__ import annotations

import functools
from typing import Any

import numba
import numpy as np

from redundancy.compiling import compiled
from redundancy.stats.sweep_rows import (
    BLOCK,
    VECTOR,
    WORD,
    begin_row,
    correct_errors,
    count_row,
    end_step,
    keep_sums,
    n_parts_of,
    pack,
    row_function,
    rows_ahead,
    sweep_block,
)
from redundancy.stats.vector_rows import fire_vectors

# How a neuron charges.
IF, LIF, LIF_UNDECAYED_INPUT, PLIF, PLIF_UNDECAYED_INPUT = range(5)
# What is binned.
PRE_FIRE, INPUT, POST_RESET = range(3)

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
        n_parts = n_parts_of(size, histogram.shape[2])
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
                    begin_row(sums, row)
                    for begin in range(np.uint64(0), size, BLOCK):
                        n, bits_at = min(BLOCK, size - begin), word * WORD + begin
                        pack(spikes, at + begin, n, words, bits_at)
                        sweep_block(
                            values, at + begin, potentials, at + begin, n, rules,
                            words, bits_at, begin, n_parts, buffers, potentials,
                            at + begin + strides[1] * rows_ahead(size),
                        )  # fmt: skip
                        correct_errors(potentials, spikes, at + begin, n, threshold[index], found)
                        keep_sums(found, threshold[index], sums, row)
                    count_row(words, word, n_words, inside, frame, fired, row)
                    if sample == 0:
                        for place in range(size):
                            first_potential[time, channel, place] = potentials[at + place]
                            first_spikes[time, channel, place] = spikes[at + place]
                end_step(parts, n_parts, spiked, histogram, counts, time, channel)

    return sweep


@row_function  # type: ignore[untyped-decorator]
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


@row_function  # type: ignore[untyped-decorator]
def _fire(
    potentials: Any, size: Any, threshold: Any, reset: Any, soft: bool, output: Any, at: Any,
    carried: Any, held: Any, words: Any, bits_at: Any, currents: Any, ahead: Any,
) -> None:  # fmt: skip
    """Write S of a block, as the layer's output and as bits, and the potential carried on."""
    n_vectors, one = size // VECTOR, np.float32(1.0)
    fire_vectors(
        potentials, n_vectors, threshold, reset, soft, output, at, carried, held, words,
        bits_at // VECTOR, currents, ahead,
    )  # fmt: skip
    for place in range(n_vectors * VECTOR, size):
        fires = potentials[place] >= threshold
        spike = one if fires else np.float32(0.0)
        output[at + place] = spike
        if soft:
            carried[held + place] = potentials[place] - spike * threshold
        else:
            carried[held + place] = spike * reset + (one - spike) * potentials[place]
        bit = bits_at + place
        words[bit // WORD] |= np.uint64(fires) << (bit % WORD)


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
        stride = n_channels * size * rows_ahead(size)
        base, zero = np.float32(0.0) if soft else reset, np.uint64(0)
        n_parts = n_parts_of(size, histogram.shape[2])
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
                    begin_row(sums, row)
                    for begin in range(zero, size, BLOCK):
                        n, bits_at = min(BLOCK, size - begin), word * WORD + begin
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
                        sweep_block(
                            values, first, potentials, zero, n, rules, words,
                            bits_at, begin, n_parts, buffers, output, ahead,
                        )  # fmt: skip
                        keep_sums(found, threshold[index], sums, row)
                        if sample == 0:
                            for place in range(n):
                                first_potential[time, channel, begin + place] = potentials[place]
                                spike = np.uint8(output[at + place] != 0)
                                first_spikes[time, channel, begin + place] = spike
                    count_row(words, word, n_words, inside, frame, fired, row)
                end_step(parts, n_parts, spiked, histogram, counts, time, channel)

    return run
