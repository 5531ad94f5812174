"""Plain float64 references of the statistics of potentials: loops and definitions.

Nothing is shared with the package but the names of the variables. Arrays are (sample,
time, channel[, y, x]); a threshold is a number or one number a channel.
"""

import math
from fractions import Fraction

import numpy as np
import xarray as xr

MAP = ("sample", "time", "channel", "y", "x")


def as_compared(threshold, dtype):
    """Return the thresholds as numbers of the potential's own type, one a channel or one."""
    return np.asarray(threshold, dtype).astype(np.float64)


def spikes_of(potential, threshold, fires_at=">="):
    """Return the spikes of neurons that compare in the potential's own type."""
    own = np.atleast_1d(np.asarray(threshold, potential.dtype))
    own = own.reshape(1, 1, -1, *(1,) * (potential.ndim - 3))
    fired = potential >= own if fires_at == ">=" else potential > own
    return fired.astype(np.uint8)


def layer(potential, threshold=1.0, fires_at=">=", spikes=None, **others):
    """Return a recording of one layer; spikes follow from the potential unless given."""
    potential = np.asarray(potential)
    if spikes is None:
        spikes = spikes_of(potential, threshold, fires_at)
    dims = MAP[: potential.ndim]
    variables = {"spike": (dims, spikes), "membrane_potential": (dims, potential)}
    variables |= {name: (dims, values) for name, values in others.items()}
    threshold = threshold if np.isscalar(threshold) else list(threshold)
    attributes = {"v_threshold": threshold, "fires_at": fires_at, "position": 0}
    coordinates = {"sample": np.arange(len(potential))}
    return xr.Dataset(variables, coordinates, attributes)


def of_feature(values, time, channel):
    """Return all numbers of one channel at one timestep as a list of Python floats."""
    return [float(v) for v in values[:, time, channel].ravel()]


def per_feature(values, function):
    """Return function(time, channel) as an array (time, channel, ...)."""
    n_times, n_channels = values.shape[1:3]
    return np.array([[function(t, c) for c in range(n_channels)] for t in range(n_times)])


def channel_threshold(threshold, dtype, channel):
    return threshold_of(as_compared(threshold, dtype), channel)


def threshold_of(threshold, channel):
    """Return V_th of a channel; the threshold is a number or one number a channel."""
    return float(threshold if np.ndim(threshold) == 0 else threshold[channel])


def bin_of(value, origin, width, closed_left=True):
    """Return the number of the bin that holds a value's float64 distance from an origin."""
    place = Fraction(float(value) - float(origin)) / Fraction(width)
    return math.floor(place) if closed_left else math.ceil(place) - 1


def count_feature(numbers, origin, width, n_below, n_above, closed_left=True):
    """Return [count of every bin..., below, above, NaN] of a list of numbers."""
    counts = [0] * (n_below + n_above + 3)
    under, over, nan = (n_below + n_above + k for k in range(3))
    for number in numbers:
        if math.isnan(number):
            counts[nan] += 1
        elif math.isinf(number):
            counts[over if number > 0 else under] += 1
        else:
            place = bin_of(number, origin, width, closed_left)
            if place < -n_below:
                counts[under] += 1
            elif place >= n_above:
                counts[over] += 1
            else:
                counts[place + n_below] += 1
    return counts


def histogram(values, threshold, width, n_below, n_above, fires_at=">="):
    """Return counts (time, channel, bin and three counters) about the threshold."""
    return per_feature(
        values,
        lambda t, c: count_feature(
            of_feature(values, t, c),
            channel_threshold(threshold, values.dtype, c),
            width,
            n_below,
            n_above,
            fires_at == ">=",
        ),
    )


def peak_to_threshold(counts, centres):
    """Return the mean centre of up to three bars: highest first, of equals the lower."""
    bars = sorted((-count, place) for place, count in enumerate(counts) if count > 0)[:3]
    if not bars:
        return math.nan
    return math.fsum(float(centres[place]) for _, place in bars) / len(bars)


def mean_of(numbers):
    return math.fsum(numbers) / len(numbers)


def variance_of(numbers):
    mean = mean_of(numbers)
    return mean_of([(number - mean) ** 2 for number in numbers])


def squared_errors(potential, spikes, threshold, time, channel):
    """Return the lists of (U - S)^2, (U - V_th S)^2 and (U / V_th - S)^2 of a feature."""
    v_th = threshold_of(threshold, channel)
    pairs = list(
        zip(of_feature(potential, time, channel), of_feature(spikes, time, channel), strict=True)
    )
    return (
        [(u - s) ** 2 for u, s in pairs],
        [(u - v_th * s) ** 2 for u, s in pairs],
        [(u / v_th - s) ** 2 if v_th else math.nan for u, s in pairs],
    )


def quantization_errors(potential, spikes, threshold):
    """Return the three variants (time, channel)."""
    return [
        per_feature(
            potential,
            lambda t, c, k=k: mean_of(squared_errors(potential, spikes, threshold, t, c)[k]),
        )
        for k in range(3)
    ]


def network_errors(layers):
    """Return the three variants over every neuron of [(potential, spikes, threshold), ...]."""
    everything = ([], [], [])
    for potential, spikes, threshold in layers:
        for t in range(potential.shape[1]):
            for c in range(potential.shape[2]):
                errors = squared_errors(potential, spikes, threshold, t, c)
                for numbers, new in zip(everything, errors, strict=True):
                    numbers.extend(new)
    return [mean_of(numbers) for numbers in everything]


def pooled_events(frames, height, width):
    """Return (sample, time, y, x): a cell is True if a pixel that it touches has an event."""
    n_rows, n_columns = frames.shape[3:]
    events = np.zeros((*frames.shape[:2], height, width), bool)
    for y in range(height):
        rows = [p for p in range(n_rows) if _touch(y, height, p, n_rows)]
        for x in range(width):
            columns = [p for p in range(n_columns) if _touch(x, width, p, n_columns)]
            for n in range(frames.shape[0]):
                for t in range(frames.shape[1]):
                    cell = frames[n, t][:, rows][:, :, columns]
                    events[n, t, y, x] = any(value != 0 for value in cell.ravel())
    return events


def _touch(cell, n_cells, pixel, n_pixels):
    """Tell whether a cell and a pixel, laid over the same unit length, overlap."""
    start, stop = Fraction(cell, n_cells), Fraction(cell + 1, n_cells)
    return Fraction(pixel, n_pixels) < stop and Fraction(pixel + 1, n_pixels) > start


def spatial_rates(spikes, frames):
    """Return spikes per foreground cell and per background cell, each (time, channel)."""
    inside = pooled_events(frames, *spikes.shape[3:])

    def rate(t, c, wanted):
        fired = cells = 0
        for n in range(len(spikes)):
            for y, x in np.ndindex(spikes.shape[3:]):
                if bool(inside[n, t, y, x]) == wanted:
                    cells += 1
                    fired += spikes[n, t, c, y, x] != 0
        return fired / cells if cells else math.nan

    return [per_feature(spikes, lambda t, c, w=w: rate(t, c, w)) for w in (True, False)]


def pattern_by_potential(distance, n_spikes, threshold, tolerance):
    """Return 0 null, 1 noise, 2 normal or -1 undecided of one feature."""
    if n_spikes == 0:
        return 0
    if math.isnan(distance):
        return -1
    return 1 if distance >= -tolerance * abs(threshold) else 2


def pattern_by_place(foreground, background, n_spikes, ratio):
    """Return the code of one feature by its rates inside and outside the foreground."""
    if n_spikes == 0:
        return 0
    if math.isnan(foreground) or math.isnan(background):
        return -1
    return 1 if background >= ratio * foreground else 2
