"""Observing one recorded layer: what a statistic needs of it, and what it refuses."""

import numpy as np
import pytest
import xarray as xr

from redundancy.errors import UsageError
from redundancy.stats import (
    ExampleNeuron,
    FiringRate,
    MembranePotentialDistribution,
    Moments,
    PoissonBootstrap,
    QuantizationError,
    SpatialRates,
    SpikeGram,
    TemporalKernel,
)
from tests import potential_reference as plain

OF_SPIKES = (FiringRate(), SpatialRates(), SpikeGram(), TemporalKernel())
OF_POTENTIALS = (
    MembranePotentialDistribution(0.25, 4, 4), Moments(), QuantizationError(), ExampleNeuron(),
)  # fmt: skip
EVERY = pytest.mark.parametrize(
    "statistic", [*OF_SPIKES, *OF_POTENTIALS], ids=lambda statistic: type(statistic).__name__
)
NEEDING_POTENTIALS = pytest.mark.parametrize(
    "statistic", OF_POTENTIALS, ids=lambda statistic: type(statistic).__name__
)


def recorded(shape=(5, 3, 4, 2, 3), **others):
    potential = np.random.default_rng(0).normal(0.2, 0.5, shape).astype(np.float32)
    return plain.layer(potential, 0.3, **others)


@pytest.mark.parametrize("statistic", OF_SPIKES, ids=lambda statistic: type(statistic).__name__)
@pytest.mark.parametrize("shape", [(5, 3, 4), (5, 3, 4, 2, 3)])
def test_statistics_of_spikes_need_no_potentials(statistic, shape):
    layer = recorded(shape)
    xr.testing.assert_identical(
        statistic.observe(layer.drop_vars("membrane_potential")), statistic.observe(layer)
    )


@EVERY
def test_missing_spikes_are_named(statistic):
    layer = recorded().drop_vars("spike")
    with pytest.raises(ValueError, match="holds no spike, only membrane_potential"):
        statistic.observe(layer)


@NEEDING_POTENTIALS
def test_missing_potentials_are_named(statistic):
    layer = recorded().drop_vars("membrane_potential")
    with pytest.raises(ValueError, match="holds no membrane_potential, only spike"):
        statistic.observe(layer)


@pytest.mark.parametrize("kind", [Moments, lambda q: MembranePotentialDistribution(1.0, 2, 2, q)])
def test_a_missing_quantity_is_named(kind):
    with pytest.raises(ValueError, match="holds no input_current, only spike"):
        kind("input").observe(recorded())
    with pytest.raises(UsageError, match="one of pre-fire, input, post-reset, got 'currents'"):
        kind("currents").observe(recorded())


@EVERY
@pytest.mark.parametrize(
    "dims", [("time", "sample", "channel", "y", "x"), ("sample", "time", "channel", "x", "y")]
)
def test_other_orders_of_dimensions_are_refused(statistic, dims):
    layer = recorded().transpose(*dims)
    with pytest.raises(ValueError, match=r"must be \(sample, time, channel\[, y, x\]\), got "):
        statistic.observe(layer)


@NEEDING_POTENTIALS
def test_potentials_of_another_shape_than_spikes_are_refused(statistic):
    layer = recorded((5, 3, 4)).assign(spike=recorded()["spike"])
    with pytest.raises(ValueError, match="spikes and potentials of a layer must have one shape"):
        statistic.observe(layer)


@EVERY
@pytest.mark.parametrize("dtype", [np.float32, np.int64, bool])
def test_spikes_of_another_type_are_refused(statistic, dtype):
    layer = recorded()
    layer["spike"] = layer["spike"].astype(dtype)
    with pytest.raises(ValueError, match="spike must be uint8"):
        statistic.observe(layer)


@NEEDING_POTENTIALS
def test_thresholds_must_be_one_or_as_many_as_channels(statistic):
    layer = recorded().assign_attrs(v_threshold=[0.1, 0.2])
    with pytest.raises(ValueError, match="4 channels must have 1 threshold or 4, got 2"):
        statistic.observe(layer)


def test_frames_of_other_samples_are_refused():
    with pytest.raises(ValueError, match=r"must be \(5, 3, channel, y, x\), got \(4, 3"):
        SpatialRates().observe(recorded(), np.zeros((4, 3, 2, 8, 8)))


def test_without_frames_nothing_is_told_apart_by_place():
    state = SpatialRates().observe(recorded())
    assert all(not variable.any() for variable in state.data_vars.values())


@pytest.mark.parametrize(
    "statistic",
    [*OF_SPIKES, MembranePotentialDistribution(0.25, 4, 4), QuantizationError()],
    ids=lambda statistic: type(statistic).__name__,
)
def test_sums_over_no_sample_are_zero(statistic):
    state = statistic.observe(recorded((0, 3, 4, 2, 3)))
    assert all(not variable.any() for variable in state.data_vars.values())


@EVERY
def test_observing_changes_nothing_of_the_recording(statistic):
    layer = recorded()
    before = layer.copy(deep=True)
    statistic.observe(layer)
    xr.testing.assert_identical(layer, before)


def test_the_bootstrap_of_a_layer_needs_its_potentials():
    bootstrap = PoissonBootstrap(5)
    nodes = {"/": xr.Dataset(coords={"sample": np.arange(5)}), "a": recorded()}
    weighted = bootstrap.with_weights(nodes)["a"]
    assert set(bootstrap.observe(weighted)) == {"bootstrap_spikes", "bootstrap_squared_error"}
    with pytest.raises(ValueError, match="holds no membrane_potential, only spike"):
        bootstrap.observe(weighted.drop_vars("membrane_potential"))
