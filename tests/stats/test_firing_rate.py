"""Firing rates against hand-worked cases, a plain reference and any partition of samples."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from redundancy import schema
from redundancy.stats import FiringRate, merge, network_firing_rate
from tests import reference

MAP = ("sample", "time", "channel", "y", "x")
spike_maps = hnp.arrays(
    np.uint8,
    hnp.array_shapes(min_dims=5, max_dims=5, min_side=1, max_side=4),
    elements=st.integers(0, 1),
)


def layer(spikes):
    return xr.Dataset({schema.SPIKE: (MAP[: spikes.ndim], spikes)}, attrs={"v_threshold": 1.0})


def test_two_samples_worked_by_hand():
    # One channel of 1 x 2 neurons over two timesteps; time 0: both samples spike on the
    # left, one on the right; time 1: none.
    spikes = np.array([[[[[1, 1]]], [[[0, 0]]]], [[[[1, 0]]], [[[0, 0]]]]], np.uint8)
    result = FiringRate().compute(FiringRate().observe(layer(spikes)))
    assert result["n_sfr"].values.tolist() == [[[[1.0, 0.5]]], [[[0.0, 0.0]]]]
    assert result["c_sfr"].values.tolist() == [[0.75], [0.0]]
    assert result["t_sfr"].values.tolist() == [0.75, 0.0]
    assert float(result["nasfr"]) == 0.375
    assert result.attrs == {"v_threshold": 1.0, "n_neurons": 2, "n_samples": 2}


def test_layers_weigh_by_their_number_of_neurons():
    # Three neurons that always spike and one that never does: 3/4, not the mean of 1 and 0.
    always = np.ones((2, 1, 3, 1, 1), np.uint8)
    never = np.zeros((2, 1, 1), np.uint8)
    states = {"a": FiringRate().observe(layer(always)), "b": FiringRate().observe(layer(never))}
    network = network_firing_rate(states)
    assert float(network["nasfr"]) == 0.75
    assert float(network["nasfr_conv"]) == 1.0
    only_vectors = network_firing_rate({"b": states["b"]})
    assert float(only_vectors["nasfr"]) == 0.0
    assert np.isnan(only_vectors["nasfr_conv"])


def test_integer_spikes_count_the_sample_once():
    spikes = np.array([3, 0, 1], np.uint8).reshape(3, 1, 1)
    assert FiringRate().observe(layer(spikes))["spike_count"].values.tolist() == [[2]]


@pytest.mark.parametrize("n_samples", [1, 254, 255, 256, 511, 1000])
def test_counts_do_not_overflow(n_samples):
    spikes = np.ones((n_samples, 2, 3), np.uint8)
    assert (FiringRate().observe(layer(spikes))["spike_count"] == n_samples).all()


@settings(deadline=None)
@given(spike_maps)
def test_rates_equal_the_plain_reference(spikes):
    result = FiringRate().compute(FiringRate().observe(layer(spikes)))
    n_sfr, c_sfr, t_sfr, nasfr = reference.firing_rates(spikes)
    np.testing.assert_array_equal(result["n_sfr"], n_sfr)
    np.testing.assert_allclose(result["c_sfr"], c_sfr, rtol=1e-12)
    np.testing.assert_allclose(result["t_sfr"], t_sfr, rtol=1e-12)
    np.testing.assert_allclose(result["nasfr"], nasfr, rtol=1e-12)


@settings(deadline=None)
@given(st.lists(spike_maps, min_size=1, max_size=3), st.data())
def test_network_rates_equal_the_plain_reference(layers, data):
    n, t = min(s.shape[0] for s in layers), min(s.shape[1] for s in layers)
    layers = [s[:n, :t] for s in layers]
    result = network_firing_rate(
        {str(i): FiringRate().observe(layer(s)) for i, s in enumerate(layers)}
    )
    expected = reference.network_t_sfr(layers)
    np.testing.assert_allclose(result["t_sfr"], expected, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(result["nasfr"], expected.mean(), rtol=1e-12, atol=1e-15)


@settings(deadline=None)
@given(spike_maps.filter(lambda s: len(s) > 1), st.data())
def test_any_partition_into_batches_and_shards_merges_to_the_same_counts(spikes, data):
    cuts = sorted(data.draw(st.sets(st.integers(1, len(spikes) - 1), max_size=4)))
    parts = [layer(part) for part in np.split(spikes, cuts)]
    states = [FiringRate().observe(part) for part in parts]
    while len(states) > 1:  # merge neighbours in any order, as a tree of shards would
        i = data.draw(st.integers(0, len(states) - 2))
        states[i : i + 2] = [merge(states[i], states[i + 1])]
    whole = FiringRate().observe(layer(spikes))
    xr.testing.assert_identical(states[0], whole)


def test_states_of_other_shapes_do_not_merge():
    a = FiringRate().observe(layer(np.ones((1, 2, 3), np.uint8)))
    b = FiringRate().observe(layer(np.ones((1, 2, 4), np.uint8)))
    with pytest.raises(ValueError, match="shape of spike_count"):
        merge(a, b)
    with pytest.raises(ValueError, match="n_samples"):
        merge(a, b.drop_vars("n_samples"))


def test_no_sample_gives_no_rate():
    with pytest.raises(ValueError, match="at least one sample"):
        FiringRate().compute(FiringRate().observe(layer(np.ones((0, 2, 3), np.uint8))))


def test_layers_of_other_samples_do_not_make_a_network():
    a = FiringRate().observe(layer(np.ones((1, 2, 3), np.uint8)))
    b = FiringRate().observe(layer(np.ones((2, 2, 3), np.uint8)))
    with pytest.raises(ValueError, match="same samples and timesteps"):
        network_firing_rate({"a": a, "b": b})


def test_every_variable_says_what_it_is():
    state = FiringRate().observe(layer(np.ones((1, 2, 3), np.uint8)))
    result = FiringRate().compute(state)
    for variable in [
        *result.data_vars.values(),
        *network_firing_rate({"a": state}).data_vars.values(),
    ]:
        assert variable.attrs["long_name"]
        assert variable.attrs["units"] == "spikes per sample"
