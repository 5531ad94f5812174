"""One sweep over a layer: every statistic as from its own observation, to the plain reference."""

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
from redundancy.stats.spatial_rates import with_foreground
from redundancy.stats.sweep import Foreground, SweepBuilder, sweep_recording
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


def assert_same(first, second):
    assert set(first) == set(second)
    for name, variable in first.data_vars.items():
        if variable.dtype == np.float64 and name != "hsic_sum":
            np.testing.assert_allclose(
                second[name], variable, rtol=1e-12, atol=1e-13, err_msg=str(name)
            )
        else:
            xr.testing.assert_identical(variable, second[name])


def assert_sweep_is_every_statistic(layer, distribution):
    frames = frames_for(layer)
    sweep = sweep_recording(layer, distribution, Foreground(frames))
    seen = with_foreground(layer, frames)
    with np.errstate(invalid="ignore", over="ignore"):
        for statistic in (*STATISTICS, distribution):
            assert_same(statistic.observe(seen), statistic.observe_sweep(sweep))


@FEW
@given(
    st.data(),
    st.sampled_from([np.float32, np.float64]),
    st.sampled_from([0.3, 1.0, 0.0, -0.7]),
    st.sampled_from([0.25, 0.1, 1 / 3]),
    st.sampled_from([">=", ">"]),
)
def test_the_sweep_is_every_statistic(data, dtype, threshold, width, fires_at):
    potential = data.draw(hnp.arrays(dtype, shapes, elements=values))
    layer = plain.layer(potential, threshold, fires_at)
    assert_sweep_is_every_statistic(layer, MembranePotentialDistribution(width, 3, 4))


@pytest.mark.parametrize("size", [(1, 15), (4, 4), (7, 9), (8, 8), (5, 13), (33, 33), (64, 40)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_maps_of_any_size(size, dtype):
    # Rows short and long: below 16 and above 1024 neurons, with and without idle bits.
    potential = np.random.default_rng(0).normal(0.1, 0.4, (5, 3, 3, *size)).astype(dtype)
    layer = plain.layer(potential, [0.3, 1.0, -0.2])
    assert_sweep_is_every_statistic(layer, MembranePotentialDistribution(0.0625, 12, 9))


def test_graded_spikes_count_as_one_and_err_by_their_height():
    generator = np.random.default_rng(0)
    potential = generator.normal(0.5, 1, (6, 2, 3, 5, 4)).astype(np.float32)
    graded = generator.integers(0, 4, potential.shape).astype(np.uint8)
    layer = plain.layer(potential, 1.0, spikes=graded)
    assert_sweep_is_every_statistic(layer, MembranePotentialDistribution(0.5, 4, 4))


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
