"""Similarity of spike features: hand-worked, against loops and scikit-image."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from skimage.metrics import structural_similarity

from redundancy.errors import UsageError
from redundancy.stats import FiringRate, map_similarity
from redundancy.stats.map_similarity import cosine, pearson, ssim, ssim_window
from redundancy.stats.similarity import MEASURES, feature_similarity
from redundancy.stats.spike_gram import SpikeGram
from tests import similarity_reference as reference

MAP = ("sample", "time", "channel", "y", "x")


def rates(maps, name="layer1"):
    """Firing rates of one timestep from maps (channel, y, x)."""
    values = np.asarray(maps, float)[None]
    return xr.Dataset(
        {"n_sfr": (("time", "channel", "y", "x")[: values.ndim], values)}, attrs={"name": name}
    )


def maps(min_side=1, max_side=5, max_features=5):
    """Rates of at most 8 samples, with silent, constant and repeated maps among them."""
    shape = st.tuples(
        st.integers(1, max_features),
        st.integers(min_side, max_side),
        st.integers(min_side, max_side),
    )
    return hnp.arrays(np.int64, shape, elements=st.integers(0, 8)).map(lambda a: a / 8)


def scikit_ssim(values):
    side = min(7, *values.shape[1:])
    side -= 1 - side % 2
    result = np.full((len(values), len(values)), np.nan)
    for a, b in np.ndindex(result.shape):
        if values[a].any() and values[b].any():
            result[a, b] = structural_similarity(values[a], values[b], data_range=1, win_size=side)
    return result


def test_three_maps_worked_by_hand():
    left, top, none = [[1, 0], [1, 0]], [[1, 1], [0, 0]], [[0, 0], [0, 0]]
    half_left = [[0.5, 0], [0.5, 0]]
    source = rates([left, top, none, half_left])
    nan = np.nan
    found = feature_similarity(source, 0, "cosine")
    expected = [[1, 0.5, nan, 1], [0.5, 1, nan, 0.5], [nan] * 4, [1, 0.5, nan, 1]]
    np.testing.assert_allclose(found, expected, atol=1e-15)
    found = feature_similarity(source, 0, "pearson")
    expected = [[1, 0, nan, 1], [0, 1, nan, 0], [nan] * 4, [1, 0, nan, 1]]
    np.testing.assert_allclose(found, expected, atol=1e-15)
    assert found.dims == ("channel", "other_channel")
    assert found.attrs == {
        "measure": "pearson",
        "time": 0,
        "name": "layer1",
        "long_name": "Pearson correlation of spike features",
        "units": "1",
    }


def test_opposite_maps_have_correlation_minus_one():
    found = pearson(np.array([[[1.0, 0.0]], [[0.0, 1.0]]]))
    np.testing.assert_allclose(found, [[1, -1], [-1, 1]], atol=1e-15)


def test_constant_maps_are_like_one_another_and_unlike_the_others():
    # The mean of nine times 9/10 is not 9/10 in floating point.
    firing, some, other = np.ones((3, 3)), np.full((3, 3), 9 / 10), np.eye(3)
    assert some.ravel().mean() != 9 / 10
    found = pearson(np.stack([firing, some, other, np.zeros((3, 3))]))
    nan = np.nan
    assert np.array_equal(
        found, [[1, 1, 0, nan], [1, 1, 0, nan], [0, 0, 1, nan], [nan] * 4], equal_nan=True
    )


def test_ssim_of_two_maps_worked_by_hand():
    # One 3x3 window. A: one in the centre; B: one in a corner. Means 1/9, sample variances
    # (1 - 1/9)/8 = 1/9, covariance -(1/9)/8 = -1/72.
    a, b = np.zeros((2, 3, 3))
    a[1, 1] = b[0, 0] = 1
    # The means are equal, so luminance is 1 and contrast with structure is what remains.
    variance, covariance = 1 / 9, -1 / 72
    expected = (2 * covariance + 9e-4) / (2 * variance + 9e-4)
    np.testing.assert_allclose(ssim(np.stack([a, b]))[0, 1], expected, rtol=1e-13)


@pytest.mark.parametrize(
    ("size", "side"), [((3, 3), 3), ((4, 9), 3), ((6, 5), 5), ((7, 8), 7), ((16, 11), 7)]
)
def test_ssim_equals_scikit_image(size, side):
    generator = np.random.default_rng(0)
    values = generator.integers(0, 51, (6, *size)) / 50 * (generator.random((6, *size)) < 0.5)
    values[2] = 0  # silent
    values[3] = 1  # always firing
    values[4] = values[1]  # a ghost
    assert ssim_window(*size) == side
    np.testing.assert_allclose(ssim(values), scikit_ssim(values), rtol=0, atol=1e-13)


@settings(deadline=None, max_examples=40)
@given(maps(min_side=3, max_side=9, max_features=3))
def test_ssim_equals_scikit_image_on_any_maps(values):
    np.testing.assert_allclose(ssim(values), scikit_ssim(values), rtol=0, atol=1e-12)


def test_blocks_do_not_change_ssim(monkeypatch):
    values = np.random.default_rng(1).random((5, 9, 12))
    whole = ssim(values)
    monkeypatch.setattr(map_similarity, "_BLOCK_ELEMENTS", 60)
    np.testing.assert_allclose(ssim(values), whole, rtol=1e-13)


def test_ssim_takes_rare_spikes_for_alike_as_its_documentation_says():
    # Two maps without a common position, at 1 % and at 90 %: only the latter
    # differ.
    values = np.zeros((2, 8, 8))
    values[0, :, ::2] = values[1, :, 1::2] = 1
    assert ssim(values * 0.01)[0, 1] > 0.85
    assert ssim(values * 0.9)[0, 1] < 0


@settings(deadline=None, max_examples=80)
@given(maps())
def test_cosine_and_pearson_equal_the_plain_references(values):
    np.testing.assert_allclose(cosine(values), reference.cosine(values), rtol=0, atol=1e-12)
    np.testing.assert_allclose(pearson(values), reference.pearson(values), rtol=0, atol=1e-12)


@pytest.mark.parametrize("compare", [cosine, pearson, ssim])
def test_ranges_symmetry_diagonal_null_and_permutation(compare):
    @settings(deadline=None, max_examples=40)
    @given(maps(min_side=3), st.data())
    def check(values, data):
        found = compare(values)
        silent = ~values.any(axis=(1, 2))
        np.testing.assert_array_equal(np.isnan(found), silent[:, None] | silent[None, :])
        np.testing.assert_array_equal(found, found.T)
        assert (np.diagonal(found)[~silent] == 1).all()
        lowest = 0 if compare is cosine else -1
        assert ((found >= lowest) & (found <= 1))[~np.isnan(found)].all()
        order = data.draw(st.permutations(range(len(values))))
        permuted = compare(values[order])
        np.testing.assert_allclose(permuted, found[order][:, order], rtol=0, atol=1e-13)

    check()


@settings(deadline=None, max_examples=40)
@given(maps(min_side=3).filter(lambda a: a[0].any()), st.sampled_from([cosine, pearson, ssim]))
def test_identical_channels_have_similarity_one(values, compare):
    values = np.concatenate([values, values[:1]])
    assert compare(values)[0, -1] == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("measure", MEASURES)
def test_silent_firing_and_single_channels(measure):
    def compare(spikes):
        recording = xr.Dataset({"spike": (MAP, spikes)})
        statistic = SpikeGram() if measure == "jaccard" else FiringRate()
        state = statistic.observe(recording)
        source = state if measure == "jaccard" else statistic.compute(state)
        return feature_similarity(source, 0, measure).values

    assert np.isnan(compare(np.zeros((1, 1, 3, 4, 4), np.uint8))).all()
    assert compare(np.ones((1, 1, 3, 4, 4), np.uint8)).tolist() == [[1.0] * 3] * 3
    assert compare(np.ones((1, 1, 1, 4, 4), np.uint8)).tolist() == [[1.0]]
    assert np.isnan(compare(np.zeros((2, 1, 1, 4, 4), np.uint8))).tolist() == [[True]]


def test_jaccard_needs_no_maps():
    spikes = np.array([[[1, 1, 0]], [[1, 0, 0]]], np.uint8)
    state = SpikeGram().observe(xr.Dataset({"spike": (MAP[:3], spikes)}, attrs={"name": "fc"}))
    found = feature_similarity(state, 0, "jaccard")
    nan = np.nan
    np.testing.assert_array_equal(found, [[1, 0.5, nan], [0.5, 1, nan], [nan, nan, nan]])
    assert found.attrs["name"] == "fc"


@pytest.mark.parametrize("measure", ["cosine", "pearson", "ssim"])
def test_channels_without_maps_are_sent_to_jaccard(measure):
    vectors = xr.Dataset({"n_sfr": (("time", "channel"), np.ones((1, 4)))}, attrs={"name": "fc1"})
    with pytest.raises(UsageError, match=f"{measure} .*'fc1' is one number .*use jaccard"):
        feature_similarity(vectors, 0, measure)
    with pytest.raises(UsageError, match="use jaccard"):
        feature_similarity(rates(np.ones((4, 1, 1))), 0, measure)


def test_maps_smaller_than_the_window_are_refused():
    with pytest.raises(UsageError, match="at least 3x3 positions, these are 2x8"):
        feature_similarity(rates(np.ones((4, 2, 8))), 0, "ssim")


def test_what_cannot_be_compared_is_said():
    source = rates(np.ones((2, 3, 3)))
    with pytest.raises(UsageError, match="no similarity measure 'dot'; choose one of cosine"):
        feature_similarity(source, 0, "dot")
    for time in (1, -1):
        with pytest.raises(UsageError, match=f"no timestep {time}: .* from 0 to 0"):
            feature_similarity(source, time, "cosine")
    with pytest.raises(UsageError, match="jaccard is computed from the spike gram state"):
        feature_similarity(source, 0, "jaccard")
    gram = SpikeGram().observe(xr.Dataset({"spike": (MAP, np.ones((1, 1, 2, 3, 3), np.uint8))}))
    with pytest.raises(UsageError, match="cosine is computed from the firing rates"):
        feature_similarity(gram, 0, "cosine")
    with pytest.raises(UsageError, match="no timestep 3"):
        feature_similarity(gram, 3, "jaccard")
