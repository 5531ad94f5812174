"""Ghost groups and their ratio: hand-worked, against merging by loops, and their trees."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.cluster.hierarchy import fcluster

from redundancy.errors import UsageError
from redundancy.stats.ghosts import (
    active_channels,
    ghost_groups,
    ghost_ratio_curve,
    linkage_of,
)
from tests import similarity_reference as reference


def matrix(values, **attributes):
    return xr.DataArray(
        np.asarray(values, float), dims=("channel", "other_channel"), attrs=attributes
    )


def random_similarity(seed, n, n_null=0):
    """A symmetric matrix without ties, with null channels spread over it."""
    generator = np.random.default_rng(seed)
    values = generator.uniform(-1, 1, (n, n))
    values = (values + values.T) / 2
    np.fill_diagonal(values, 1)
    null = generator.permutation(n)[:n_null]
    values[null] = values[:, null] = np.nan
    return values


similarities = st.builds(
    lambda seed, n, share: random_similarity(seed, n, int(share * n)),
    st.integers(0, 10**6),
    st.integers(1, 8),
    st.floats(0, 1),
)
thresholds = st.floats(-1, 1)


def test_five_channels_worked_by_hand():
    nan = np.nan
    similarity = matrix(
        [
            [1.0, 0.1, nan, 0.8, 0.1],
            [0.1, 1.0, nan, 0.2, 0.9],
            [nan] * 5,
            [0.8, 0.2, nan, 1.0, 0.2],
            [0.1, 0.9, nan, 0.2, 1.0],
        ],
        measure="cosine",
        time=3,
        name="conv1",
        units="1",
    )
    found = ghost_groups(similarity, 0.85)
    assert found["group"].values.tolist() == [1, 0, -1, 2, 0]
    assert found.attrs == {
        "measure": "cosine",
        "time": 3,
        "name": "conv1",
        "linkage": "average",
        "n_active": 4,
        "n_null": 1,
        "threshold": 0.85,
        "n_groups": 3,
        "ghost_ratio": 0.25,
    }
    # Two pairs of the same size: the one with the first channel is group 0.
    assert ghost_groups(similarity, 0.8)["group"].values.tolist() == [0, 1, -1, 0, 1]
    # The pairs join at the mean of their four similarities, 0.15.
    assert linkage_of(similarity)[:, 2] == pytest.approx([0.1, 0.2, 0.85])
    assert ghost_groups(similarity, 0.15).attrs["n_groups"] == 1
    assert ghost_groups(similarity, 0.151).attrs["n_groups"] == 2
    curve = ghost_ratio_curve(similarity, [0.1, 0.5, 0.85, 0.95])
    assert curve["ghost_ratio"].values.tolist() == [0.75, 0.5, 0.25, 0.0]
    assert curve["n_groups"].values.tolist() == [1, 2, 3, 4]
    assert curve["threshold"].values.tolist() == [0.1, 0.5, 0.85, 0.95]


@settings(deadline=None, max_examples=80)
@given(similarities, thresholds)
def test_groups_equal_the_plain_reference(values, threshold):
    found = ghost_groups(matrix(values), threshold)
    expected = reference.average_linkage_groups(values, threshold)
    group = found["group"].values
    labels = set(group.tolist()) - {-1}
    assert {frozenset(np.flatnonzero(group == k).tolist()) for k in labels} == set(
        map(frozenset, expected)
    )
    np.testing.assert_array_equal(group == -1, np.isnan(np.diagonal(values)))
    n_active = int((group >= 0).sum())
    assert found.attrs["n_groups"] == len(expected)
    assert found.attrs["n_active"] == n_active
    assert found.attrs["n_null"] == len(values) - n_active
    sizes = [int((group == k).sum()) for k in range(len(expected))]
    assert sizes == sorted(sizes, reverse=True)
    if n_active:
        assert found.attrs["ghost_ratio"] == 1 - len(expected) / n_active
        assert 0 <= found.attrs["ghost_ratio"] < 1
    else:
        assert np.isnan(found.attrs["ghost_ratio"])


@settings(deadline=None, max_examples=60)
@given(similarities, st.lists(thresholds, min_size=1, max_size=6).map(sorted))
def test_the_curve_is_the_groups_at_each_threshold_and_never_rises(values, at):
    curve = ghost_ratio_curve(matrix(values), at)
    single = [ghost_groups(matrix(values), threshold).attrs for threshold in at]
    np.testing.assert_array_equal(curve["ghost_ratio"], [s["ghost_ratio"] for s in single])
    np.testing.assert_array_equal(curve["n_groups"], [s["n_groups"] for s in single])
    assert (np.diff(curve["n_groups"]) >= 0).all()


@settings(deadline=None, max_examples=60)
@given(similarities, thresholds, st.data())
def test_permuted_channels_stay_in_their_groups(values, threshold, data):
    order = np.array(data.draw(st.permutations(range(len(values)))))
    group = ghost_groups(matrix(values), threshold)["group"].values[order]
    permuted = ghost_groups(matrix(values[order][:, order]), threshold)["group"].values
    np.testing.assert_array_equal(
        group[:, None] == group[None, :], permuted[:, None] == permuted[None, :]
    )
    np.testing.assert_array_equal(group == -1, permuted == -1)


@settings(deadline=None, max_examples=40)
@given(similarities, thresholds)
def test_the_tree_cut_by_scipy_gives_the_groups(values, threshold):
    similarity = matrix(values)
    active = active_channels(similarity)
    tree = linkage_of(similarity)
    assert tree.shape == (max(0, len(active) - 1), 4)
    if len(active) > 1:
        labels = fcluster(tree, 1 - threshold + 1e-12, criterion="distance")
        group = ghost_groups(similarity, threshold)["group"].values[active]
        np.testing.assert_array_equal(
            labels[:, None] == labels[None, :], group[:, None] == group[None, :]
        )


def test_identical_channels_are_one_group_up_to_the_last_threshold():
    values = np.full((4, 4), 1 - 2e-16)
    np.fill_diagonal(values, 1)
    found = ghost_groups(matrix(values), 1.0)
    assert found["group"].values.tolist() == [0] * 4
    assert found.attrs["ghost_ratio"] == 0.75
    assert (ghost_ratio_curve(matrix(values))["ghost_ratio"] == 0.75).all()


def test_no_and_one_active_channel():
    nothing = ghost_groups(matrix(np.full((3, 3), np.nan)), 0.9)
    assert nothing["group"].values.tolist() == [-1, -1, -1]
    assert nothing.attrs["n_groups"] == 0
    assert np.isnan(nothing.attrs["ghost_ratio"])
    assert ghost_ratio_curve(matrix(np.full((3, 3), np.nan)))["ghost_ratio"].isnull().all()
    values = np.full((3, 3), np.nan)
    values[1, 1] = 1
    one = ghost_groups(matrix(values), 0.9)
    assert one["group"].values.tolist() == [-1, 0, -1]
    assert one.attrs["ghost_ratio"] == 0
    assert linkage_of(matrix(values)).shape == (0, 4)
    assert active_channels(matrix(values)).tolist() == [1]
    assert ghost_groups(matrix([[1.0]]), 0.9).attrs["ghost_ratio"] == 0


@pytest.mark.parametrize("threshold", [-1.01, 1.5, float("nan")])
def test_thresholds_out_of_range_are_refused(threshold):
    for call in (ghost_groups, lambda s, t: ghost_ratio_curve(s, [0.5, t])):
        with pytest.raises(UsageError, match="between -1 and 1"):
            call(matrix(np.eye(2)), threshold)


def test_a_curve_needs_a_threshold():
    with pytest.raises(UsageError, match="at least one threshold"):
        ghost_ratio_curve(matrix(np.eye(2)), [])


def test_every_variable_says_what_it_is():
    similarity = matrix(np.eye(2))
    for result in (ghost_groups(similarity, 0.5), ghost_ratio_curve(similarity)):
        for variable in result.variables.values():
            assert variable.attrs["long_name"]
            assert variable.attrs["units"]
    assert ghost_ratio_curve(similarity).sizes["threshold"] == 101
