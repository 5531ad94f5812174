"""Peak-to-threshold distance: three bars, fewer bars, equal bars, none."""

import math

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from redundancy.stats import MembranePotentialDistribution
from redundancy.stats.peak_to_threshold import distance_of, peak_to_threshold_distance
from tests import potential_reference as plain

CENTRES = np.array([-0.75, -0.25, 0.25, 0.75])
# Few heights, so that bars are often equal.
histograms = hnp.arrays(
    np.int64, hnp.array_shapes(min_dims=1, max_dims=3, max_side=6), elements=st.integers(0, 4)
)


@pytest.mark.parametrize(
    ("counts", "distance"),
    [
        ([1, 5, 9, 4], (-0.25 + 0.25 + 0.75) / 3),
        ([9, 5, 4, 1], (-0.75 - 0.25 + 0.25) / 3),
        ([5, 0, 9, 7], (-0.75 + 0.25 + 0.75) / 3),  # bars need not be neighbours
        ([3, 3, 3, 3], (-0.75 - 0.25 + 0.25) / 3),  # of equals the lower
        ([2, 9, 8, 2], (-0.25 + 0.25 - 0.75) / 3),  # third and fourth are equal
        ([1, 7, 1, 7], (-0.25 + 0.75 - 0.75) / 3),
        ([0, 4, 0, 9], 0.25),  # two bars that are not empty
        ([0, 0, 0, 1], 0.75),  # one
        ([0, 0, 0, 0], math.nan),
    ],
)
def test_worked_by_hand(counts, distance):
    result = peak_to_threshold_distance(np.array(counts), CENTRES)
    assert result.item() == pytest.approx(distance, abs=1e-15, nan_ok=True)


@given(histograms)
def test_distances_equal_the_plain_reference(histogram):
    centres = (np.arange(histogram.shape[-1]) - 2 + 0.5) * 0.1
    before = histogram.copy()
    result = peak_to_threshold_distance(histogram, centres)
    rows = histogram.reshape(-1, histogram.shape[-1])
    expected = [plain.peak_to_threshold(row, centres) for row in rows]
    np.testing.assert_allclose(result.ravel(), expected, atol=1e-15)
    np.testing.assert_array_equal(histogram, before)


@given(histograms, st.integers(1, 1000), st.integers(-8, 8))
def test_it_scales_and_moves_as_it_should(histogram, factor, shift):
    centres = (np.arange(histogram.shape[-1]) + 0.5) / 8
    still = peak_to_threshold_distance(histogram, centres)
    np.testing.assert_array_equal(peak_to_threshold_distance(histogram * factor, centres), still)
    moved = peak_to_threshold_distance(histogram, centres + shift)
    np.testing.assert_allclose(moved, still + shift, atol=1e-12)


@given(histograms.filter(lambda h: h.shape[-1] > 1), st.randoms(use_true_random=False))
def test_without_equal_bars_order_does_not_matter(histogram, random):
    bars = histogram * 10 + np.arange(histogram.shape[-1])
    order = list(range(bars.shape[-1]))
    random.shuffle(order)
    centres = (np.arange(bars.shape[-1]) + 0.5) / 8
    np.testing.assert_allclose(
        peak_to_threshold_distance(bars[..., order], centres[order]),
        peak_to_threshold_distance(bars, centres),
        atol=1e-15,
    )


def test_one_and_two_bins():
    assert peak_to_threshold_distance(np.array([3]), np.array([0.5])).item() == 0.5
    assert peak_to_threshold_distance(np.array([3, 9]), np.array([-0.5, 1.5])).item() == 0.5


def distance_of_values(values, v_th=1.0, width=0.5, below=4, above=4, **others):
    statistic = MembranePotentialDistribution(width, below, above, **others)
    state = statistic.observe(plain.layer(values, v_th))
    return distance_of(statistic.compute(state))


def test_a_distribution_has_one_a_feature():
    values = np.random.default_rng(0).normal(0.5, 0.7, (4, 3, 2, 3, 3))
    result = distance_of_values(values)
    assert result.dims == ("time", "channel")
    assert result.attrs["long_name"]
    counts = plain.histogram(values, 1.0, 0.5, 4, 4)[..., :8]
    centres = (np.arange(8) - 4 + 0.5) * 0.5
    expected = np.apply_along_axis(plain.peak_to_threshold, -1, counts, centres)
    np.testing.assert_allclose(result, expected, atol=1e-15)


@pytest.mark.parametrize(("value", "distance"), [(1.0, 0.25), (0.99, -0.25), (-0.4, -1.25)])
def test_a_constant_potential_is_one_bar(value, distance):
    assert distance_of_values(np.full((3, 1, 1), value)).item() == distance


def test_what_the_bins_do_not_hold_is_no_bar():
    values = np.array([99.0, -99.0, math.nan, math.inf, -math.inf]).reshape(5, 1, 1)
    assert math.isnan(distance_of_values(values).item())
    with_one = np.append(values, 0.9).reshape(6, 1, 1)
    assert distance_of_values(with_one).item() == -0.25


@pytest.mark.parametrize("v_th", [0.0, -0.5, 0.3])
def test_it_is_about_any_threshold(v_th):
    values = np.array([v_th - 0.1, v_th - 0.2, v_th + 0.6]).reshape(3, 1, 1)
    assert distance_of_values(values, v_th).item() == pytest.approx((-0.25 + 0.75) / 2)


def test_dimensions_may_come_in_any_order():
    values = np.random.default_rng(0).normal(0.5, 0.7, (4, 3, 2))
    statistic = MembranePotentialDistribution(0.5, 4, 4)
    distribution = statistic.compute(statistic.observe(plain.layer(values)))
    turned = distribution.transpose("bin", "channel", "time")
    xr.testing.assert_identical(
        distance_of(turned).transpose("time", "channel"), distance_of(distribution)
    )


def test_a_sum_over_time_has_one_a_channel():
    values = np.random.default_rng(0).normal(0.5, 0.7, (4, 3, 2))
    statistic = MembranePotentialDistribution(0.5, 4, 4)
    distribution = statistic.compute(statistic.observe(plain.layer(values)))
    assert distance_of(distribution.sum("time")).dims == ("channel",)
