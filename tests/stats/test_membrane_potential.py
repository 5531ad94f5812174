"""Distributions of potentials: bins about the threshold that lose and double nothing."""

import math

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from redundancy.errors import RecordingError, UsageError
from redundancy.stats import FiringRate, MembranePotentialDistribution, merge
from redundancy.stats.membrane_potential import check_spikes_above_threshold
from tests import potential_reference as plain

FEW = settings(max_examples=25)

COUNTERS = ("underflow", "overflow", "nan_count")
# 0.1, 0.3 and 1/3 are no float32 numbers: a neuron meets them rounded.
THRESHOLDS = (0.3, 0.7, 1 / 3, 0.1, 1.0, 0.0, -0.25, 1e-3)
shapes = st.one_of(
    hnp.array_shapes(min_dims=3, max_dims=3, max_side=4),
    hnp.array_shapes(min_dims=5, max_dims=5, max_side=3),
)
dtypes = st.sampled_from([np.float32, np.float64])


@st.composite
def potentials(draw, choices=THRESHOLDS):
    """Draw potentials, many of them on the threshold, an edge, or one step beside it."""
    dtype = np.dtype(draw(dtypes))
    values = draw(hnp.arrays(dtype, draw(shapes), elements=st.floats(-8, 8, width=32)))
    n_channels = values.shape[2]
    thresholds, per_channel = st.sampled_from(choices), draw(st.booleans())
    v_th = draw(
        st.lists(thresholds, min_size=n_channels, max_size=n_channels)
        if per_channel
        else thresholds
    )
    own = np.atleast_1d(np.asarray(v_th, dtype))
    own = np.broadcast_to(own.reshape(1, 1, -1, *(1,) * (values.ndim - 3)), values.shape)
    near = draw(hnp.arrays(np.int8, values.shape, elements=st.integers(0, 4)))
    steps = [
        own,
        np.nextafter(own, np.asarray(-np.inf, dtype)),
        np.nextafter(own, np.asarray(np.inf, dtype)),
    ]
    for code, exact in enumerate(steps):
        values = np.where(near == code, exact, values)
    return values.astype(dtype), v_th


def statistic(width=0.5, below=4, above=4, quantity="pre-fire"):
    return MembranePotentialDistribution(width, below, above, quantity)


def counted(state):
    """Return histogram and counters of a state side by side."""
    return np.concatenate(
        [state["histogram"].values, *(state[name].values[..., None] for name in COUNTERS)], -1
    )


def test_seven_values_worked_by_hand():
    # V_th = 1, bins of 0.5 from 0 to 2: two below the threshold and two above.
    values = np.array([-0.1, 0.0, 0.5, 1.0, 1.9, 2.0, math.nan]).reshape(7, 1, 1)
    state = statistic(0.5, 2, 2).observe(plain.layer(values, 1.0))
    assert state["histogram"].values.tolist() == [[[1, 1, 1, 1]]]
    assert [state[name].item() for name in COUNTERS] == [1, 1, 1]
    result = statistic(0.5, 2, 2).compute(state)
    assert result["bin_centre"].values.tolist() == [-0.75, -0.25, 0.25, 0.75]
    # A neuron that fires at > has bins that hold their upper edges.
    state = statistic(0.5, 2, 2).observe(plain.layer(values, 1.0, ">"))
    assert state["histogram"].values.tolist() == [[[1, 1, 0, 2]]]
    assert [state[name].item() for name in COUNTERS] == [2, 0, 1]


@pytest.mark.parametrize(("value", "bin_"), [(-1e-17, 1), (1e-17, 1), (-1e-15, 0), (1.0, 2)])
def test_distances_are_those_of_float64(value, bin_):
    """What is nearer to an edge than float64 tells from V_th away is on it, whatever its sign."""
    layer = plain.layer(np.full((1, 1, 1), value), 1.0)
    state = statistic(1.0, 2, 2).observe(layer)
    assert counted(state)[0, 0, :4].tolist() == [float(place == bin_) for place in range(4)]


@FEW
@given(potentials((1.0, 0.5, 0.0, -0.25)), st.integers(-3, 7), st.data())
def test_counts_equal_the_exact_reference(drawn, exponent, data):
    values, v_th = drawn
    width = 2.0**-exponent
    below, above = data.draw(st.integers(1, 9)), data.draw(st.integers(1, 9))
    fires_at = data.draw(st.sampled_from([">=", ">"]))
    state = statistic(width, below, above).observe(plain.layer(values, v_th, fires_at))
    expected = plain.histogram(values, v_th, width, below, above, fires_at)
    np.testing.assert_array_equal(counted(state), expected)


@pytest.mark.parametrize("width", [0.05, 0.1, 0.03125, 1 / 3, 0.7])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_counts_of_any_width_equal_the_exact_reference(width, dtype):
    values = np.random.default_rng(1).normal(0, 1, (3, 2, 4, 5, 3)).astype(dtype)
    state = statistic(width, 7, 5).observe(plain.layer(values, 0.3))
    np.testing.assert_array_equal(counted(state), plain.histogram(values, 0.3, width, 7, 5))


@FEW
@given(potentials(), st.sampled_from([0.05, 0.03125, 0.5, 1.7, 1e-6]), st.sampled_from([">=", ">"]))
def test_what_lies_right_of_the_threshold_fires(drawn, width, fires_at):
    values, v_th = drawn
    layer = plain.layer(values, v_th, fires_at)
    state = statistic(width, 3, 5).observe(layer)
    right = state["histogram"].values[..., 3:].sum(-1) + state["overflow"].values
    fired = layer["spike"].values.astype(int).sum(0)
    np.testing.assert_array_equal(right, fired.reshape(*right.shape, -1).sum(-1))
    check_spikes_above_threshold("any", state.merge(FiringRate().observe(layer)))


@FEW
@given(potentials(), st.data())
def test_every_value_is_counted_once(drawn, data):
    values, v_th = drawn
    strange = data.draw(hnp.arrays(np.int8, values.shape, elements=st.integers(0, 9)))
    for code, value in enumerate((math.nan, math.inf, -math.inf)):
        values = np.where(strange == code, np.asarray(value, values.dtype), values)
    state = statistic().observe(plain.layer(values, v_th))
    total = counted(state).sum(-1)
    assert (total == values[:, 0, 0].size).all()
    assert state["nan_count"].sum() == np.isnan(values).sum()


@FEW
@given(potentials().filter(lambda drawn: len(drawn[0]) > 1), st.data())
def test_batches_merge_to_the_whole(drawn, data):
    values, v_th = drawn
    cut = data.draw(st.integers(1, len(values) - 1))
    states = [statistic().observe(plain.layer(part, v_th)) for part in np.split(values, [cut])]
    whole = statistic().observe(plain.layer(values, v_th))
    xr.testing.assert_identical(merge(*states), whole)
    assert all(variable.dtype == np.int64 for variable in whole.data_vars.values())


@FEW
@given(potentials(), st.randoms(use_true_random=False))
def test_channels_do_not_touch_one_another(drawn, random):
    values, v_th = drawn
    order = list(range(values.shape[2]))
    random.shuffle(order)
    whole = counted(statistic().observe(plain.layer(values, v_th)))
    moved = v_th if np.isscalar(v_th) else [v_th[c] for c in order]
    again = counted(statistic().observe(plain.layer(values[:, :, order], moved)))
    np.testing.assert_array_equal(again, whole[:, order])


@FEW
@given(
    hnp.arrays(np.float32, (3, 2, 2), elements=st.integers(-64, 64).map(lambda n: n / 16)),
    st.integers(-16, 16).map(lambda n: n / 8),
)
def test_bins_move_with_the_threshold(values, shift):
    still = statistic().observe(plain.layer(values, 0.5))
    moved = statistic().observe(plain.layer(values + np.float32(shift), 0.5 + shift))
    np.testing.assert_array_equal(counted(moved), counted(still))


@FEW
@given(potentials(), st.integers(1, 4), st.integers(1, 4))
def test_bins_twice_as_wide_hold_what_two_held(drawn, below, above):
    values, v_th = drawn
    layer = plain.layer(values, v_th)
    fine = statistic(0.25, 2 * below, 2 * above).observe(layer)
    wide = statistic(0.5, below, above).observe(layer)
    pairs = fine["histogram"].values.reshape(*wide["histogram"].shape, 2)
    np.testing.assert_array_equal(pairs.sum(-1), wide["histogram"])
    for counter in COUNTERS:
        np.testing.assert_array_equal(fine[counter], wide[counter])


@pytest.mark.parametrize("v_th", [0.0, -0.3, 1e-30])
@pytest.mark.parametrize("fires_at", [">=", ">"])
def test_the_smallest_differences_from_the_threshold_are_seen(v_th, fires_at):
    tiny = np.nextafter(np.float64(0), 1)
    values = np.array([v_th, np.nextafter(v_th, -9), np.nextafter(v_th, 9), v_th - 1, v_th + 1])
    layer = plain.layer(values.reshape(-1, 1, 1), v_th, fires_at)
    for width in (tiny * 8, 1e-30, 1.0):
        state = statistic(width, 2, 2).observe(layer)
        right = state["histogram"].values[0, 0, 2:].sum() + state["overflow"].item()
        assert right == (3 if fires_at == ">=" else 2)


@pytest.mark.parametrize("flag", ["read-only", "Fortran", "strided", "broadcast"])
def test_memory_of_any_kind_is_read(flag):
    values = np.random.default_rng(0).normal(0.3, 1, (3, 2, 4, 2, 2)).astype(np.float32)
    other = {
        "read-only": values.copy(),
        "Fortran": np.asfortranarray(values),
        "strided": np.repeat(values, 2, axis=0)[::2],
        "broadcast": np.broadcast_to(values, values.shape),
    }[flag]
    if flag == "read-only":
        other.flags.writeable = False
    expected = statistic().observe(plain.layer(values, 0.3))
    xr.testing.assert_identical(statistic().observe(plain.layer(other, 0.3)), expected)


def test_bins_about_a_threshold_far_below():
    values = np.array([-3.02, -3.01, -2.9, -2.77, 2.98, 3.0]).reshape(1, 1, 1, 1, 6)
    counts = counted(statistic(0.05, 1, 120).observe(plain.layer(values, -3.01)))[0, 0]
    assert counts.nonzero()[0].tolist() == [0, 1, 3, 5, 120, 122]
    assert counts.sum() == 6


class TestOtherQuantities:
    def test_they_are_binned_about_the_threshold_and_not_compared_with_spikes(self):
        potential = np.array([0.5, 1.5]).reshape(2, 1, 1)
        current = np.array([3.0, -1.0]).reshape(2, 1, 1)
        layer = plain.layer(
            potential, 1.0, input_current=current, post_reset_potential=potential * 0
        )
        state = statistic(1.0, 2, 2, "input").observe(layer)
        assert counted(state)[0, 0].tolist() == [1, 0, 0, 0, 0, 1, 0]
        check_spikes_above_threshold("any", state.merge(FiringRate().observe(layer)))
        after = statistic(1.0, 2, 2, "post-reset").observe(layer)
        assert after["histogram"].values.tolist() == [[[0, 2, 0, 0]]]
        check_spikes_above_threshold("any", after.merge(FiringRate().observe(layer)))
        assert state["histogram"].attrs["long_name"] == "counts of input current"
        assert "after reset" in after["histogram"].attrs["long_name"]

    def test_one_that_was_not_recorded_is_named(self):
        with pytest.raises(ValueError, match="no input_current, only spike, membrane_potential"):
            statistic(quantity="input").observe(plain.layer(np.ones((1, 1, 1))))


def test_spikes_that_are_not_right_of_the_threshold_are_refused():
    values = np.array([0.5, 1.5], np.float32).reshape(2, 1, 1)
    layer = plain.layer(values, 1.0, spikes=np.array([0, 0], np.uint8).reshape(2, 1, 1))
    state = statistic().observe(layer).merge(FiringRate().observe(layer))
    with pytest.raises(RecordingError, match=r"'conv1': 1 membrane potentials .* 0 spikes"):
        check_spikes_above_threshold("conv1", state)
    # The sums agree, the channels do not.
    values = np.array([[[0.5, 1.5]]], np.float32)
    layer = plain.layer(values, 1.0, spikes=np.array([[[1, 0]]], np.uint8))
    state = statistic().observe(layer).merge(FiringRate().observe(layer))
    with pytest.raises(RecordingError, match="cannot be trusted"):
        check_spikes_above_threshold("conv1", state)


@pytest.mark.parametrize("width", [0, -0.5, math.nan, math.inf])
def test_widths_that_are_none_are_refused(width):
    with pytest.raises(UsageError, match="bin width must be positive and finite"):
        statistic(width)
    with pytest.raises(UsageError, match="bin width must be positive and finite"):
        MembranePotentialDistribution.from_pilot(plain.layer(np.ones((2, 1, 1))), bin_width=width)


def test_bad_parameters_are_refused():
    with pytest.raises(UsageError, match="a bin below and one above"):
        statistic(0.5, 0, 4)
    with pytest.raises(UsageError, match=r"one of pre-fire, input, post-reset, got 'spikes'"):
        statistic(quantity="spikes")
    with pytest.raises(UsageError, match="one of pre-fire"):
        MembranePotentialDistribution.from_pilot(plain.layer(np.ones((1, 1, 1))), quantity="U")


def test_thresholds_must_be_one_or_as_many_as_channels():
    with pytest.raises(ValueError, match="3 channels must have 1 threshold or 3, got 2"):
        statistic().observe(
            plain.layer(np.ones((1, 1, 3)), [0.1, 0.2], spikes=np.ones((1, 1, 3), np.uint8))
        )


def test_a_state_says_what_it_was_observed_with():
    state = statistic(0.25, 3, 7).observe(plain.layer(np.ones((1, 2, 3))))
    assert MembranePotentialDistribution.of(state) == statistic(0.25, 3, 7)
    result = statistic(0.25, 3, 7).compute(state)
    for variable in (*result.data_vars.values(), result["bin_centre"]):
        assert variable.attrs["long_name"]
        assert variable.attrs["units"]


class TestPilot:
    def pilot(self, values, v_th=1.0, **options):
        return MembranePotentialDistribution.from_pilot(plain.layer(values, v_th), **options)

    @pytest.mark.parametrize(("v_th", "width"), [(0.3, 1 / 32), (1.0, 0.125), (-1.0, 0.125)])
    def test_the_width_is_a_power_of_two_near_a_tenth_of_the_threshold(self, v_th, width):
        values = np.random.default_rng(0).normal(0, 0.2, (4, 2, 3, 4, 4)).astype(np.float32)
        assert self.pilot(values, v_th).bin_width == width

    @FEW
    @given(potentials())
    def test_whatever_the_values_the_bins_are_few_and_nothing_is_lost(self, drawn):
        values, v_th = drawn
        chosen = self.pilot(values, v_th)
        assert 2 <= chosen.n_bins_below + chosen.n_bins_above <= 1024
        assert math.log2(chosen.bin_width) == round(math.log2(chosen.bin_width))
        state = chosen.observe(plain.layer(values, v_th))
        assert (counted(state).sum(-1) == values[:, 0, 0].size).all()

    def test_a_normal_distribution_fits_in(self):
        values = np.random.default_rng(0).normal(-0.5, 0.6, (8, 3, 4, 8, 8)).astype(np.float32)
        state = self.pilot(values, 0.3).observe(plain.layer(values, 0.3))
        assert not state["underflow"].any()
        assert not state["overflow"].any()

    def test_every_channel_is_seen_about_its_own_threshold(self):
        own = np.array([1.0, 101.0, 1001.0]).reshape(1, 1, 3, 1, 1)
        values = own + np.random.default_rng(0).uniform(-1, 1, (4, 2, 3, 2, 5))
        chosen = self.pilot(values, own.ravel().tolist(), bin_width=0.125)
        assert 8 <= chosen.n_bins_below <= 12
        assert 8 <= chosen.n_bins_above <= 12

    def test_few_far_values_do_not_stretch_the_bins(self):
        values = np.random.default_rng(0).normal(0, 0.5, (4, 4, 4, 16, 16)).astype(np.float32)
        values[0, 0, 0, 0, 0] = 1e6
        chosen = self.pilot(values, 1.0)
        assert chosen.bin_width == 0.125
        assert chosen.observe(plain.layer(values, 1.0))["overflow"].sum() == 1

    @pytest.mark.parametrize("value", [0.0, 5.0, -5.0, math.nan, math.inf, -math.inf])
    @pytest.mark.parametrize("v_th", [0.0, 0.3, -0.3])
    def test_constant_and_unusable_potentials_have_bins(self, value, v_th):
        values = np.full((2, 1, 1), value, np.float32)
        chosen = self.pilot(values, v_th)
        assert counted(chosen.observe(plain.layer(values, v_th))).sum() == 2

    @pytest.mark.parametrize("v_th", [0.3, [0.3, 1.0], -1.0])
    def test_bounds_are_covered(self, v_th):
        values = np.zeros((1, 1, 2), np.float32)
        chosen = self.pilot(values, v_th, bounds=(-2.0, 3.0), bin_width=0.25)
        low = -chosen.n_bins_below * 0.25 + np.max(v_th)
        high = chosen.n_bins_above * 0.25 + np.min(v_th)
        # The bins of every channel cover the bounds, and of one of them not much more.
        assert low <= -2.0 < low + 0.25
        assert high - 0.25 < 3.0 <= high

    @pytest.mark.parametrize("bounds", [(1.0, 2.0), (-2.0, -1.0)])
    def test_bounds_on_one_side_of_the_threshold_keep_it_an_edge(self, bounds):
        chosen = self.pilot(np.zeros((1, 1, 1)), 0.3, bounds=bounds)
        assert min(chosen.n_bins_below, chosen.n_bins_above) == 1

    def test_a_width_of_the_user_is_kept_however_many_bins(self):
        values = np.linspace(-40, 40, 64).reshape(64, 1, 1)
        chosen = self.pilot(values, 1.0, bin_width=0.0625)
        assert chosen.bin_width == 0.0625
        assert chosen.n_bins_below + chosen.n_bins_above > 1024

    @pytest.mark.parametrize("bounds", [(3.0, -2.0), (1.0, 1.0), (-math.inf, 1.0), (0.0, math.nan)])
    def test_bounds_that_are_none_are_refused(self, bounds):
        with pytest.raises(UsageError):
            self.pilot(np.zeros((1, 1, 1)), bounds=bounds)

    def test_bins_without_number_are_refused(self):
        # 2e12 bins a feature would take terabytes.
        with pytest.raises(UsageError):
            self.pilot(np.zeros((1, 1, 1)), bin_width=1e-12, bounds=(-1.0, 1.0))
