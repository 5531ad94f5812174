"""One sweep over a layer: all that it holds against plain NumPy, and every statistic of it."""

import dataclasses

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from redundancy.stats import (
    ExampleNeuron,
    FiringRate,
    MembranePotentialDistribution,
    Moments,
    QuantizationError,
    SpatialRates,
    SpikeGram,
    TemporalKernel,
)
from redundancy.stats.foreground import Foreground
from redundancy.stats.sweep import SweepBuilder, sweep_recording, sweep_spikes
from tests import potential_reference as plain

FEW = settings(max_examples=40, deadline=None)
shapes = st.one_of(
    hnp.array_shapes(min_dims=3, max_dims=3, max_side=5),
    hnp.array_shapes(min_dims=5, max_dims=5, max_side=5),
)
values = st.one_of(
    st.floats(-3, 3, width=32),
    st.sampled_from([0.0, -0.0, 0.3, 0.30000001192092896, np.inf, -np.inf, np.nan, 1e30, 1e-40]),
)
STATISTICS = (
    FiringRate(), Moments(), QuantizationError(), SpatialRates(), SpikeGram(), TemporalKernel(),
    ExampleNeuron(),
)  # fmt: skip


def frames_for(layer):
    generator = np.random.default_rng(1)
    return generator.poisson(0.2, (*layer["spike"].shape[:2], 2, 6, 6)).astype(np.float32)


def counted_bins(values, threshold, rule, fires_at):
    """Count values in bins: the quotient, on the side that the difference is on."""
    n_bins = rule.n_bins_below + rule.n_bins_above
    origin = np.broadcast_to(plain.as_compared(threshold, values.dtype), values.shape[2])
    counts = np.zeros((*values.shape[1:3], n_bins + 3), np.int64)
    for time, channel in np.ndindex(counts.shape[:2]):
        numbers = values[:, time, channel].ravel().astype(np.float64)
        deviation = (numbers - origin[channel])[~np.isnan(numbers)]
        place = np.floor(deviation / rule.bin_width)
        place[deviation < 0] = np.minimum(place[deviation < 0], -1)
        if fires_at == ">":
            place = np.ceil(deviation / rule.bin_width) - 1
            place[deviation > 0] = np.maximum(place[deviation > 0], 0)
        place += rule.n_bins_below
        inside = (place >= 0) & (place < n_bins)
        counts[time, channel, :n_bins] = np.bincount(place[inside].astype(int), minlength=n_bins)
        counts[time, channel, n_bins:] = (
            (place < 0).sum(), (place >= n_bins).sum(), np.isnan(numbers).sum()
        )  # fmt: skip
    return counts


def summed(potential, spikes, threshold):
    """Return the sums of every sample, timestep and channel."""
    flat = potential.reshape(*potential.shape[:3], -1).astype(np.float64)
    fired = spikes.reshape(flat.shape).astype(np.float64)
    v_th = np.broadcast_to(np.asarray(threshold, np.float64), flat.shape[2])[:, None]
    deviation = flat - v_th
    return np.stack(
        [
            deviation.sum(-1),
            (deviation**2).sum(-1),
            ((flat - fired) ** 2).sum(-1),
            ((flat - v_th * fired) ** 2).sum(-1),
            np.fmin.reduce(deviation, axis=-1, initial=np.inf),
            np.fmax.reduce(deviation, axis=-1, initial=-np.inf),
        ],
        -1,
    )


def assert_spikes_are_the_reference(sweep, spikes, frames):
    """Compare what a sweep holds of spikes, of any kind of sweep."""
    n_samples, n_times, n_channels = spikes.shape[:3]
    fired = (spikes != 0).reshape(n_samples, n_times, n_channels, -1)
    np.testing.assert_array_equal(sweep.spike_counts, (spikes != 0).sum(0))
    np.testing.assert_array_equal(sweep.fired[..., 0], fired.sum(-1))
    bits = np.unpackbits(sweep.bits.astype("<u8").view(np.uint8), axis=-1, bitorder="little")
    size = fired.shape[3]
    np.testing.assert_array_equal(bits[..., :size], fired.transpose(1, 2, 0, 3))
    assert not bits[..., size:].any()
    if spikes.ndim == 5:
        inside = plain.pooled_events(frames, *spikes.shape[3:]).reshape(n_samples, n_times, 1, -1)
        np.testing.assert_array_equal(sweep.fired[..., 1], (fired & inside).sum(-1))
        np.testing.assert_array_equal(sweep.foreground_cells, inside.sum((0, 2, 3)))
    else:
        assert sweep.foreground_cells is None
    assert (sweep.n_samples, sweep.n_positions) == (n_samples, size)
    assert sweep.dims == plain.MAP[1 : spikes.ndim]
    for array in (sweep.spike_counts, sweep.fired):
        assert array.dtype == np.int64


def assert_sweep_is_the_reference(layer, distribution):
    """Compare all of a sweep with NumPy, and every statistic's state with its own sweep."""
    frames, foreground = frames_for(layer), Foreground(frames_for(layer))
    potential, spikes = layer["membrane_potential"].values, layer["spike"].values
    threshold, fires_at = layer.attrs["v_threshold"], layer.attrs["fires_at"]
    sweep = sweep_recording(layer, distribution, foreground)
    for found in (sweep, sweep_spikes(layer, foreground)):
        assert_spikes_are_the_reference(found, spikes, frames)
    np.testing.assert_array_equal(
        sweep.bins, counted_bins(potential, threshold, distribution, fires_at)
    )
    with np.errstate(invalid="ignore", over="ignore"):
        expected = summed(potential, spikes, threshold)
        np.testing.assert_array_equal(sweep.sums[..., 4:], expected[..., 4:])
        np.testing.assert_allclose(sweep.sums, expected, rtol=1e-12, atol=1e-13)
        assert sweep.is_finite == np.isfinite(potential).all()
        first = (*potential.shape[1:3], -1)
        np.testing.assert_array_equal(sweep.first_potential, potential[0].reshape(first))
        np.testing.assert_array_equal(sweep.first_spikes, spikes[0].reshape(first))
        for statistic in (*STATISTICS, distribution):
            arguments = (layer, frames) if isinstance(statistic, SpatialRates) else (layer,)
            state = statistic.observe(*arguments)
            xr.testing.assert_identical(state, statistic.observe_sweep(sweep))


@FEW
@given(
    st.data(),
    st.sampled_from([np.float32, np.float64]),
    st.sampled_from([0.3, 1.0, 0.0, -0.7]),
    st.sampled_from([0.25, 0.1, 1 / 3]),
    st.sampled_from([">=", ">"]),
)
def test_the_sweep_is_the_reference(data, dtype, threshold, width, fires_at):
    potential = data.draw(hnp.arrays(dtype, shapes, elements=values))
    layer = plain.layer(potential, threshold, fires_at)
    assert_sweep_is_the_reference(layer, MembranePotentialDistribution(width, 3, 4))


@pytest.mark.parametrize("size", [(1, 15), (4, 4), (7, 9), (8, 8), (5, 13), (33, 33), (64, 40)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_maps_of_any_size(size, dtype):
    # Rows short and long: below 16 and above 1024 neurons, with and without idle bits.
    potential = np.random.default_rng(0).normal(0.1, 0.4, (5, 3, 3, *size)).astype(dtype)
    layer = plain.layer(potential, [0.3, 1.0, -0.2])
    assert_sweep_is_the_reference(layer, MembranePotentialDistribution(0.0625, 12, 9))


def test_graded_spikes_count_as_one_and_err_by_their_height():
    generator = np.random.default_rng(0)
    potential = generator.normal(0.5, 1, (6, 2, 3, 5, 4)).astype(np.float32)
    graded = generator.integers(0, 4, potential.shape).astype(np.uint8)
    layer = plain.layer(potential, 1.0, spikes=graded)
    assert_sweep_is_the_reference(layer, MembranePotentialDistribution(0.5, 4, 4))


@pytest.mark.parametrize("level", [1e-6, 1.0, 1e12])
@pytest.mark.parametrize("spread", [0.0, 1e-9, 1.0])
def test_sums_are_those_of_exact_arithmetic(level, spread):
    generator = np.random.default_rng(0)
    potential = (level * (1 + spread * generator.normal(size=(3, 2, 2, 40, 40)))).astype("float64")
    layer = plain.layer(potential, 0.3)
    distribution = MembranePotentialDistribution(1.0, 4, 4)
    sweep = sweep_recording(layer, distribution, Foreground(frames_for(layer)))
    moments = Moments().compute(Moments().observe_sweep(sweep))
    errors = QuantizationError().observe_sweep(sweep)
    for time, channel in np.ndindex(2, 2):
        numbers = plain.of_feature(potential, time, channel)
        assert moments["mean"][time, channel] == pytest.approx(plain.mean_of(numbers), rel=1e-12)
        first, scaled, _ = plain.squared_errors(
            potential, layer["spike"].values, 0.3, time, channel
        )
        for name, terms in (("squared_error_sum", first), ("squared_error_scaled_sum", scaled)):
            assert errors[name][time, channel] == pytest.approx(
                plain.mean_of(terms) * len(terms), rel=1e-12
            )


def test_timesteps_may_come_one_by_one():
    potential = np.random.default_rng(0).normal(0.1, 0.4, (4, 5, 3, 6, 7)).astype(np.float32)
    layer = plain.layer(potential, 0.3)
    distribution, foreground = MembranePotentialDistribution(0.1, 9, 9), Foreground(
        frames_for(layer)
    )  # fmt: skip
    whole = sweep_recording(layer, distribution, foreground)
    builder = SweepBuilder(distribution, layer.attrs, potential.shape, potential.dtype, foreground)
    for time in range(5):
        step = potential[None, :, time]
        builder.add(step, step, layer["spike"].values[None, :, time], began=time)
    parts = builder.finish()
    for field in dataclasses.fields(whole):
        if isinstance(getattr(whole, field.name), np.ndarray):
            np.testing.assert_array_equal(getattr(parts, field.name), getattr(whole, field.name))


def test_no_sum_depends_on_the_number_of_threads():
    import numba

    potential = np.random.default_rng(0).normal(0.1, 0.4, (4, 3, 5, 9, 9)).astype(np.float32)
    layer = plain.layer(potential, 0.3)
    distribution = MembranePotentialDistribution(0.1, 9, 9)
    before, sums = numba.get_num_threads(), []
    try:
        for n_threads in {1, before}:
            numba.set_num_threads(n_threads)
            sums.append(sweep_recording(layer, distribution, Foreground(frames_for(layer))).sums)
    finally:
        numba.set_num_threads(before)
    np.testing.assert_array_equal(sums[0], sums[-1])
