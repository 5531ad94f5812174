"""Quantization errors: three variants, per feature and over a network."""

import math
import warnings

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from redundancy.stats import (
    FiringRate,
    QuantizationError,
    merge,
    network_quantization_error,
)
from tests import potential_reference as plain

FEW = settings(max_examples=25)

NAMES = (
    "quantization_error",
    "quantization_error_scaled",
    "quantization_error_normalized",
)
map_shapes = hnp.array_shapes(min_dims=5, max_dims=5, max_side=3)
vector_shapes = hnp.array_shapes(min_dims=3, max_dims=3, max_side=4)


def arrays(shapes):
    dtypes = st.sampled_from([np.float32, np.float64])
    return hnp.arrays(dtypes, shapes, elements=st.floats(-4, 4, width=32))


thresholds = st.sampled_from([0.3, 1 / 3, 0.7, 1.0, -0.5])


def state_of(values, v_th=1.0, fires_at=">="):
    layer = plain.layer(values, v_th, fires_at)
    return QuantizationError().observe(layer).merge(FiringRate().observe(layer))


def errors(values, v_th=1.0):
    return QuantizationError().compute(state_of(values, v_th))


def test_three_neurons_worked_by_hand():
    # V_th = 2: U = 3 fires, U = 1 and U = 0 do not.
    result = errors(np.array([[[3.0, 1.0, 0.0]]]).reshape(1, 1, 1, 1, 3), 2.0)
    assert result["quantization_error"].item() == (4 + 1 + 0) / 3
    assert result["quantization_error_scaled"].item() == (1 + 1 + 0) / 3
    assert result["quantization_error_normalized"].item() == (0.25 + 0.25 + 0) / 3
    assert result.attrs["n_neurons"] == 3
    assert result.attrs["n_samples"] == 1


@FEW
@given(arrays(st.one_of(map_shapes, vector_shapes)), thresholds, st.sampled_from([">=", ">"]))
def test_errors_equal_the_plain_reference(values, v_th, fires_at):
    result = QuantizationError().compute(state_of(values, v_th, fires_at))
    expected = plain.quantization_errors(values, plain.spikes_of(values, v_th, fires_at), v_th)
    for name, reference in zip(NAMES, expected, strict=True):
        np.testing.assert_allclose(result[name], reference, rtol=1e-12, atol=1e-13, err_msg=name)
        assert result[name].dims == ("time", "channel")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_channel_has_its_own_threshold(dtype):
    values = np.random.default_rng(0).normal(0.3, 0.6, (3, 2, 3, 2, 2)).astype(dtype)
    v_th = [0.3, 0.7, 1 / 3]
    expected = plain.quantization_errors(values, plain.spikes_of(values, v_th), v_th)
    result = errors(values, v_th)
    for name, reference in zip(NAMES, expected, strict=True):
        np.testing.assert_allclose(result[name], reference, rtol=1e-12)


@FEW
@given(arrays(map_shapes).filter(lambda values: len(values) > 1), thresholds, st.data())
def test_batches_merge_to_the_whole(values, v_th, data):
    cut = data.draw(st.integers(1, len(values) - 1))
    merged = merge(*(state_of(part, v_th) for part in np.split(values, [cut])))
    whole = state_of(values, v_th)
    xr.testing.assert_identical(merged["n_errors"], whole["n_errors"])
    for name in ("squared_error_sum", "squared_error_scaled_sum"):
        np.testing.assert_allclose(merged[name], whole[name], rtol=1e-12, atol=1e-12)
    assert QuantizationError().compute(merged).attrs["n_samples"] == len(values)


@FEW
@given(arrays(map_shapes), st.randoms(use_true_random=False))
def test_channels_do_not_touch_one_another(values, random):
    order = list(range(values.shape[2]))
    random.shuffle(order)
    v_th = [0.1 * (c + 1) for c in range(len(order))]
    whole, again = errors(values, v_th), errors(values[:, :, order], [v_th[c] for c in order])
    for name in NAMES:
        np.testing.assert_array_equal(again[name], whole[name][:, order])


@FEW
@given(arrays(map_shapes), thresholds)
def test_a_threshold_of_one_makes_the_variants_equal(values, v_th):
    result = errors(values, 1.0)
    for name in NAMES[1:]:
        np.testing.assert_allclose(result[name], result[NAMES[0]], rtol=1e-12, atol=1e-14)
    result = errors(values, v_th)
    np.testing.assert_allclose(result[NAMES[2]] * v_th**2, result[NAMES[1]], rtol=1e-12)


def test_neurons_that_are_silent_or_on_their_marks():
    assert (errors(np.zeros((2, 3, 2)))[NAMES[0]] == 0).all()
    assert (errors(np.ones((2, 3, 2)))[NAMES[0]] == 0).all()
    assert errors(np.full((2, 3, 2), np.float32(0.3)), 0.3)[NAMES[1]].max() < 1e-15


@pytest.mark.parametrize("v_th", [0.0, [0.5, 0.0]])
def test_nothing_can_be_told_in_thresholds_of_0(v_th):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = errors(np.ones((2, 1, 2)), v_th)
        network = network_quantization_error({"a": state_of(np.ones((2, 1, 2)), v_th)})
    np.testing.assert_array_equal(
        np.isnan(result[NAMES[2]].values[0]), np.broadcast_to(v_th, 2) == 0
    )
    assert result[NAMES[0]].notnull().all()
    assert float(network[NAMES[0]]) == 0
    # A mean over all neurons that leaves some out would be no mean over all neurons.
    assert math.isnan(network[NAMES[2]])


def test_a_potential_that_is_not_a_number_leaves_no_error_of_its_feature():
    values = np.ones((2, 2, 2))
    values[0, 1, 0] = math.nan
    result = errors(values)[NAMES[0]].values
    np.testing.assert_array_equal(np.isnan(result), [[False, False], [True, False]])


class TestNetwork:
    @FEW
    @given(arrays(map_shapes), arrays(vector_shapes), thresholds, thresholds, st.data())
    def test_it_is_the_mean_over_every_neuron(self, maps, vector, first, second, data):
        n, t = min(len(maps), len(vector)), min(maps.shape[1], vector.shape[1])
        layers = [(maps[:n, :t], first), (vector[:n, :t], second)]
        network = network_quantization_error(
            {str(i): state_of(values, v_th) for i, (values, v_th) in enumerate(layers)}
        )
        every = [(v, plain.spikes_of(v, v_th), v_th) for v, v_th in layers]
        for suffix, chosen in (("", every), ("_conv", every[:1])):
            for name, expected in zip(NAMES, plain.network_errors(chosen), strict=True):
                assert float(network[name + suffix]) == pytest.approx(
                    expected, rel=1e-12, abs=1e-13
                )

    def test_layers_weigh_by_their_number_of_neurons(self):
        # Three neurons of error 4 and one of error 0.
        states = {"a": state_of(np.full((1, 1, 3), -2.0)), "b": state_of(np.zeros((1, 1, 1)))}
        network = network_quantization_error(states)
        assert float(network[NAMES[0]]) == 3.0
        assert all(math.isnan(network[f"{name}_conv"]) for name in NAMES)
        for variable in network.data_vars.values():
            assert variable.attrs["long_name"]
            assert variable.attrs["units"]

    def test_a_potential_that_is_not_a_number_is_not_left_out(self):
        values = np.ones((2, 2, 2))
        values[0, 1, 0] = math.nan
        states = {"a": state_of(values), "b": state_of(np.zeros((2, 2, 2)))}
        assert math.isnan(network_quantization_error(states)[NAMES[0]])

    def test_the_order_of_layers_does_not_matter(self):
        random = np.random.default_rng(0)
        states = [state_of(random.normal(size=(2, 2, c, 3, 3)), 0.3) for c in (1, 4, 2)]
        forward = network_quantization_error({str(i): s for i, s in enumerate(states)})
        backward = network_quantization_error({str(i): s for i, s in enumerate(states[::-1])})
        for name in NAMES:
            assert float(forward[name]) == pytest.approx(float(backward[name]), rel=1e-12)
