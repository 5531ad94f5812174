"""Patterns of features by both rules, and whose spikes they are."""

import math

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from redundancy.errors import UsageError
from redundancy.stats import FiringRate, PatternRules, SpatialRates, pattern_shares
from redundancy.stats.patterns import NOISE, NORMAL, NULL, PATTERNS, UNDECIDED, layer_patterns
from tests import potential_reference as plain

BOTH = ("time", "channel")
distances = st.one_of(st.floats(-2, 2), st.just(math.nan))
rates = st.one_of(st.floats(0, 1), st.just(math.nan))


def features(values):
    return xr.DataArray(np.atleast_2d(values), dims=BOTH)


def test_the_codes_have_names():
    assert PATTERNS == {0: "null", 1: "noise", 2: "normal", -1: "undecided"}
    assert (NULL, NOISE, NORMAL, UNDECIDED) == (0, 1, 2, -1)


@pytest.mark.parametrize(
    ("distance", "n_spikes", "threshold", "code"),
    [
        (0.1, 5, 1.0, NOISE),
        (0.0, 5, 1.0, NOISE),
        (-0.5, 5, 1.0, NOISE),  # exactly half a threshold below
        (-0.51, 5, 1.0, NORMAL),
        (-0.1, 5, 0.3, NOISE),
        (-0.2, 5, 0.3, NORMAL),
        (0.1, 0, 1.0, NULL),
        (math.nan, 0, 1.0, NULL),
        (math.nan, 5, 1.0, UNDECIDED),
        (0.0, 5, 0.0, NOISE),
        (-0.01, 5, 0.0, NORMAL),
        (-0.4, 5, -1.0, NOISE),  # the magnitude of the threshold counts
        (-0.6, 5, -1.0, NORMAL),
    ],
)
def test_potential_rule_worked_by_hand(distance, n_spikes, threshold, code):
    codes = PatternRules().by_potential(
        features(distance), features(n_spikes), np.array([threshold])
    )
    assert codes.item() == code
    assert codes.dtype == np.int8


@pytest.mark.parametrize(
    ("foreground", "background", "n_spikes", "code"),
    [
        (0.5, 0.2, 7, NORMAL),
        (0.2, 0.5, 7, NOISE),
        (0.3, 0.3, 7, NOISE),
        (0.5, 0.0, 7, NORMAL),
        (0.0, 0.1, 7, NOISE),
        (0.0, 0.0, 0, NULL),
        (math.nan, 0.3, 7, UNDECIDED),
        (0.3, math.nan, 7, UNDECIDED),
        (math.nan, math.nan, 0, NULL),
    ],
)
def test_spatial_rule_worked_by_hand(foreground, background, n_spikes, code):
    codes = PatternRules().by_place(features(foreground), features(background), features(n_spikes))
    assert codes.item() == code
    assert codes.dtype == np.int8


@given(
    st.lists(st.tuples(distances, st.integers(0, 3), st.floats(-2, 2)), min_size=1, max_size=6),
    st.floats(0, 3),
)
def test_potential_rule_equals_the_plain_reference(drawn, tolerance):
    distance, n_spikes, threshold = (np.array(column) for column in zip(*drawn, strict=True))
    codes = PatternRules(tolerance=tolerance).by_potential(
        features(distance), features(n_spikes), threshold
    )
    expected = [plain.pattern_by_potential(*row, tolerance) for row in drawn]
    assert codes.values.tolist() == [expected]


@given(
    st.lists(st.tuples(rates, rates, st.integers(0, 3)), min_size=1, max_size=6), st.floats(0, 3)
)
def test_spatial_rule_equals_the_plain_reference(drawn, ratio):
    foreground, background, n_spikes = (np.array(column) for column in zip(*drawn, strict=True))
    codes = PatternRules(background_ratio=ratio).by_place(
        features(foreground), features(background), features(n_spikes)
    )
    expected = [plain.pattern_by_place(*row, ratio) for row in drawn]
    assert codes.values.tolist() == [expected]


@given(
    st.lists(distances.filter(math.isfinite), min_size=1, max_size=6),
    st.floats(0, 2),
    st.floats(0, 2),
)
def test_more_tolerance_makes_more_noise(distance, first, second):
    n_spikes, threshold = features(np.ones(len(distance))), np.ones(len(distance))
    strict, loose = (
        PatternRules(tolerance=tolerance).by_potential(features(distance), n_spikes, threshold)
        for tolerance in sorted((first, second))
    )
    assert ((strict != NOISE) | (loose == NOISE)).all()


@pytest.mark.parametrize("name", ["tolerance", "background_ratio"])
@pytest.mark.parametrize("value", [-0.1, math.nan, math.inf])
def test_parameters_that_mean_nothing_are_refused(name, value):
    with pytest.raises(UsageError, match=f"{name} must be finite and at least 0, got {value}"):
        PatternRules(**{name: value})


def layer_of(n_channels, *, maps=True, seed=0):
    """Return the patterns of a layer, with its spikes, frames and distances."""
    random = np.random.default_rng(seed)
    shape = (4, 3, n_channels, *((4, 4) if maps else ()))
    spikes = (random.random(shape) < 0.3).astype(np.uint8)
    spikes[:, :, 0] = 0
    frames = random.poisson(0.1, (4, 3, 2, 8, 8)).astype(np.float32)
    frames[:, 0] = 0
    layer = plain.layer(spikes.astype(np.float32), 0.3, spikes=spikes)
    distance = features(random.normal(-0.2, 0.2, (3, n_channels)))
    state = FiringRate().observe(layer)
    spatial = SpatialRates()
    rates = spatial.compute(spatial.observe(layer, frames))
    return layer_patterns(state, distance, rates, PatternRules()), spikes, frames, distance


def test_a_layer_of_maps():
    patterns, spikes, frames, distance = layer_of(5)
    foreground, background = plain.spatial_rates(spikes, frames)
    counts = spikes.astype(int).sum((0, 3, 4))
    np.testing.assert_array_equal(patterns["spike_count"], counts)
    for t, c in np.ndindex(3, 5):
        assert patterns["pattern_potential"][t, c] == plain.pattern_by_potential(
            float(distance[t, c]), counts[t, c], 0.3, 0.5
        )
        assert patterns["pattern_spatial"][t, c] == plain.pattern_by_place(
            foreground[t, c], background[t, c], counts[t, c], 1.0
        )
    assert (patterns["pattern_potential"][:, 0] == NULL).all()
    assert (patterns["pattern_spatial"][0, 1:] == UNDECIDED).all()  # no event at that timestep
    assert patterns.attrs["tolerance"] == 0.5
    assert patterns.attrs["background_ratio"] == 1.0
    for name in ("pattern_potential", "pattern_spatial", "spike_count", "foreground_rate"):
        assert patterns[name].dims == BOTH
        assert patterns[name].attrs["long_name"]
        assert patterns[name].attrs["units"]


def test_a_layer_without_maps_is_undecided_by_place():
    patterns, spikes, _, _ = layer_of(5, maps=False)
    codes = patterns["pattern_spatial"].values
    np.testing.assert_array_equal(codes, np.where(spikes.any(0), UNDECIDED, NULL))


def test_what_is_given_is_not_changed():
    spikes = np.ones((1, 1, 1, 2, 2), np.uint8)
    layer = plain.layer(spikes.astype(np.float32), 1.0)
    spatial = SpatialRates().compute(SpatialRates().observe(layer, np.ones((1, 1, 2, 2, 2))))
    before = spatial.copy(deep=True)
    layer_patterns(FiringRate().observe(layer), features(0.0), spatial, PatternRules())
    xr.testing.assert_identical(spatial, before)


def coded(codes, counts):
    """Return patterns of a layer as `pattern_shares` reads them."""
    codes = np.asarray(codes, np.int8)
    return xr.Dataset(
        {
            "pattern_potential": (BOTH, codes),
            "pattern_spatial": (BOTH, np.full_like(codes, UNDECIDED)),
            "spike_count": (BOTH, np.asarray(counts, np.int64)),
        }
    )


class TestShares:
    def test_worked_by_hand(self):
        layers = {"a": coded([[0, 1], [2, 2]], [[0, 6], [2, 2]]), "b": coded([[1, -1]], [[5, 5]])}
        shares = pattern_shares(layers)
        assert shares["pattern"].values.tolist() == ["null", "noise", "normal", "undecided"]
        assert shares["n_features"].values.tolist() == [[1, 1, 2, 0], [0, 1, 0, 1]]
        assert shares["feature_share"].values.tolist() == [[0.25, 0.25, 0.5, 0], [0, 0.5, 0, 0.5]]
        assert shares["layer_spike_share"].values.tolist() == [[0, 0.6, 0.4, 0], [0, 0.5, 0, 0.5]]
        assert shares["spike_share"].values.tolist() == [[0, 0.3, 0.2, 0], [0, 0.25, 0, 0.25]]
        assert shares.attrs["rule"] == "potential"
        assert all(variable.attrs["long_name"] for variable in shares.data_vars.values())
        spatial = pattern_shares(layers, "spatial")
        assert spatial["feature_share"].sel(pattern="undecided").values.tolist() == [1, 1]

    @settings(max_examples=25)
    @given(st.lists(st.integers(1, 6), min_size=1, max_size=3), st.integers(0, 99))
    def test_shares_are_of_the_whole(self, widths, seed):
        layers = {str(i): layer_of(c, seed=seed + i)[0] for i, c in enumerate(widths)}
        n_spikes = [int(layer["spike_count"].sum()) for layer in layers.values()]
        for rule in ("potential", "spatial"):
            shares = pattern_shares(layers, rule)
            np.testing.assert_allclose(shares["feature_share"].sum("pattern"), 1)
            np.testing.assert_array_equal(shares["n_features"].sum("pattern"), np.array(widths) * 3)
            fires = np.array(n_spikes) > 0
            np.testing.assert_allclose(shares["layer_spike_share"].sum("pattern"), fires)
            assert float(shares["spike_share"].sum()) == pytest.approx(float(fires.any()))
            assert (shares["spike_share"].sel(pattern="null") == 0).all()

    def test_a_silent_network_has_no_shares_of_spikes(self):
        shares = pattern_shares({"a": coded([[0, 0]], [[0, 0]])})
        assert shares["feature_share"].values.tolist() == [[1, 0, 0, 0]]
        assert (shares["spike_share"] == 0).all()
        assert (shares["layer_spike_share"] == 0).all()

    def test_an_unknown_rule_is_named(self):
        with pytest.raises(UsageError, match="one of potential, spatial, got 'ptd'"):
            pattern_shares({}, "ptd")
