"""Moments of potentials: exact about the threshold, merged, and right for odd layers."""

import math
import warnings

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from redundancy.stats import Moments, merge
from tests import potential_reference as plain

FEW = settings(max_examples=25)

NAMES = ("mean", "variance", "minimum", "maximum")
shapes = st.one_of(
    hnp.array_shapes(min_dims=3, max_dims=3, max_side=4),
    hnp.array_shapes(min_dims=5, max_dims=5, max_side=3),
)
arrays = hnp.arrays(
    st.sampled_from([np.float32, np.float64]), shapes, elements=st.floats(-8, 8, width=32)
)
thresholds = st.sampled_from([0.3, 1 / 3, 1.0, 0.0, -0.7])


def moments(values, v_th=1.0, **others):
    return Moments().compute(Moments().observe(plain.layer(values, v_th, **others)))


def assert_are_the_references(result, values):
    for name, function in zip(NAMES, (plain.mean_of, plain.variance_of, min, max), strict=True):
        expected = plain.per_feature(
            values, lambda t, c, f=function: f(plain.of_feature(values, t, c))
        )
        np.testing.assert_allclose(result[name], expected, rtol=1e-12, atol=2e-13, err_msg=name)


def test_four_values_worked_by_hand():
    result = moments(np.array([0.0, 1.0, 2.0, 5.0]).reshape(2, 1, 1, 2, 1), 1.0)
    assert [result[name].values.tolist() for name in NAMES] == [[[2.0]], [[3.5]], [[0.0]], [[5.0]]]
    assert result["variance"].attrs["long_name"] == "variance of the membrane potential"
    assert all(result[name].attrs["units"] for name in NAMES)


@FEW
@given(arrays, thresholds)
def test_moments_equal_the_plain_reference(values, v_th):
    assert_are_the_references(moments(values, v_th), values)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("v_th", [0.3, [0.3, 0.7, 1 / 3]])
def test_moments_are_absolute_to_the_last_digits(dtype, v_th):
    # Whatever sums are taken about, float32(0.3) - 0.3 = 1.2e-8 must not be left over.
    values = np.random.default_rng(2).normal(0.2, 0.4, (5, 2, 3, 6, 6)).astype(dtype)
    assert_are_the_references(moments(values, v_th), values)


def test_a_far_mean_does_not_swallow_the_variance():
    # float32 sums of squares would lose all of it.
    values = 1000 + np.random.default_rng(0).normal(0, 1e-3, (200, 1, 1, 4, 4))
    assert moments(values, 1000.0)["variance"].item() == pytest.approx(values.var(), rel=1e-9)


@FEW
@given(arrays.filter(lambda values: len(values) > 1), thresholds, st.data())
def test_batches_merge_to_the_whole(values, v_th, data):
    cut = data.draw(st.integers(1, len(values) - 1))
    parts = [Moments().observe(plain.layer(part, v_th)) for part in np.split(values, [cut])]
    merged, whole = merge(*parts), Moments().observe(plain.layer(values, v_th))
    for name, variable in whole.data_vars.items():
        if name in ("n_values", "minimum", "maximum"):
            xr.testing.assert_identical(merged[name], variable)
        else:
            np.testing.assert_allclose(merged[name], variable, rtol=1e-12, atol=1e-12)
    assert whole["n_values"].dtype == np.int64


@FEW
@given(arrays, st.randoms(use_true_random=False))
def test_channels_do_not_touch_one_another(values, random):
    order = list(range(values.shape[2]))
    random.shuffle(order)
    v_th = [0.1 * (c + 1) for c in range(len(order))]
    whole = Moments().observe(plain.layer(values, v_th))
    again = Moments().observe(plain.layer(values[:, :, order], [v_th[c] for c in order]))
    for name in whole.data_vars:
        np.testing.assert_array_equal(again[name], whole[name][:, order])


@FEW
@given(st.floats(-4, 4, width=32), thresholds, shapes, st.integers(1, 5))
def test_what_never_varies_has_no_variance(value, v_th, shape, n_parts):
    values = np.full((shape[0] * n_parts, *shape[1:]), value, np.float32)
    parts = [Moments().observe(plain.layer(part, v_th)) for part in np.split(values, n_parts)]
    state = parts[0]
    for part in parts[1:]:
        state = merge(state, part)
    result = Moments().compute(state)
    assert (result["variance"] == 0).all()
    for name in ("mean", "minimum", "maximum"):
        np.testing.assert_allclose(result[name], np.float64(values[0, 0, 0].flat[0]), atol=1e-12)


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 1, 1, 1, 1), (1, 4, 2), (3, 1, 1)])
def test_the_smallest_layers(shape):
    values = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    result = moments(values, 0.3)
    assert result["mean"].shape == shape[1:3]
    assert_are_the_references(result, values)


class TestStrangeValues:
    @pytest.mark.parametrize("order", [1, -1])
    def test_one_that_is_not_a_number_leaves_no_moments(self, order):
        values = np.array([math.nan, 1.0, 1.0][::order]).reshape(3, 1, 1)
        result = moments(values, 0.3)
        assert math.isnan(result["mean"].item())
        assert math.isnan(result["variance"].item())

    def test_other_channels_and_timesteps_are_untouched(self):
        values = np.ones((2, 2, 2), np.float32)
        values[1, 0, 1] = math.nan
        mean = moments(values, 0.3)["mean"].values
        np.testing.assert_array_equal(np.isnan(mean), [[False, True], [False, False]])

    @pytest.mark.parametrize("value", [math.inf, -math.inf])
    @pytest.mark.parametrize("others", [0.0, None])
    def test_infinite_ones(self, value, others):
        values = np.array([value, value if others is None else others]).reshape(2, 1, 1)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            result = moments(values, 0.3)
        assert result["mean"].item() == value
        assert math.isnan(result["variance"].item())
        assert value in (result["minimum"].item(), result["maximum"].item())

    def test_without_any_number_there_is_no_least_and_no_greatest(self):
        result = moments(np.full((2, 1, 1), math.nan), 0.3)
        assert [math.isnan(result[name].item()) for name in NAMES] == [True] * 4


def test_moments_of_another_quantity_are_of_that_quantity():
    potential = np.zeros((3, 1, 1))
    current = np.array([1.0, 2.0, 6.0]).reshape(3, 1, 1)
    layer = plain.layer(potential, 0.3, input_current=current)
    result = Moments("input").compute(Moments("input").observe(layer))
    assert_are_the_references(result, current)
    assert_are_the_references(Moments().compute(Moments().observe(layer)), potential)
