"""Foreground and background: which cells the input touches, and what fires there."""

import math
import warnings

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from redundancy.stats import SpatialRates, merge
from tests import potential_reference as plain

FEW = settings(max_examples=25)
RATES = ("foreground_rate", "background_rate")


@st.composite
def maps_and_frames(draw):
    """Draw spikes (sample, time, channel, y, x) and frames of another size, mostly empty."""
    n, t, c = (draw(st.integers(1, 3)) for _ in range(3))
    map_size, frame_size = ((draw(st.integers(1, 5)), draw(st.integers(1, 5))) for _ in range(2))
    seed = draw(st.integers(0, 2**32))
    share = draw(st.sampled_from([0.0, 0.1, 0.5, 1.0]))
    random = np.random.default_rng(seed)
    spikes = (random.random((n, t, c, *map_size)) < 0.5).astype(np.uint8)
    frames = (random.random((n, t, 2, *frame_size)) < share).astype(np.float32) * 3
    return spikes, frames


def state_of(spikes, frames):
    layer = plain.layer(spikes.astype(np.float32), 1.0, spikes=spikes)
    return SpatialRates().observe(layer, frames)


def test_halves_worked_by_hand():
    # 4 x 4 pixels over 2 x 2 cells; one event in the upper left quarter.
    frames = np.zeros((1, 1, 2, 4, 4), np.float32)
    frames[0, 0, 1, 1, 0] = 2
    spikes = np.array([[1, 0], [1, 1]], np.uint8).reshape(1, 1, 1, 2, 2)
    state = state_of(spikes, frames)
    assert state["foreground_cells"].item() == 1
    assert state["background_cells"].item() == 3
    rates = SpatialRates().compute(state)
    assert rates["foreground_rate"].item() == 1.0
    assert rates["background_rate"].item() == 2 / 3
    assert all(rates[name].attrs["units"] == "spikes per cell" for name in RATES)


@FEW
@given(maps_and_frames())
def test_rates_equal_the_plain_reference(drawn):
    spikes, frames = drawn
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rates = SpatialRates().compute(state_of(spikes, frames))
    for name, expected in zip(RATES, plain.spatial_rates(spikes, frames), strict=True):
        np.testing.assert_allclose(rates[name], expected, rtol=1e-15, err_msg=name)
        assert rates[name].dims == ("time", "channel")


@FEW
@given(maps_and_frames())
def test_every_spike_and_cell_is_on_one_side(drawn):
    spikes, frames = drawn
    state = state_of(spikes, frames)
    np.testing.assert_array_equal(
        state["foreground_spikes"] + state["background_spikes"],
        spikes.sum((0, 3, 4), dtype=np.int64),
    )
    n_cells = len(spikes) * spikes[0, 0, 0].size
    assert (state["foreground_cells"] + state["background_cells"] == n_cells).all()
    assert all(variable.dtype == np.int64 for variable in state.data_vars.values())


@FEW
@given(maps_and_frames().filter(lambda drawn: len(drawn[0]) > 1), st.data())
def test_batches_merge_to_the_whole(drawn, data):
    spikes, frames = drawn
    cut = data.draw(st.integers(1, len(spikes) - 1))
    parts = [
        state_of(*both)
        for both in zip(np.split(spikes, [cut]), np.split(frames, [cut]), strict=True)
    ]
    xr.testing.assert_identical(merge(*parts), state_of(spikes, frames))


@FEW
@given(maps_and_frames(), st.randoms(use_true_random=False))
def test_channels_do_not_touch_one_another(drawn, random):
    spikes, frames = drawn
    order = list(range(spikes.shape[2]))
    random.shuffle(order)
    whole, again = state_of(spikes, frames), state_of(spikes[:, :, order], frames)
    for name in ("foreground_spikes", "background_spikes"):
        np.testing.assert_array_equal(again[name], whole[name][:, order])


def test_polarities_and_counts_do_not_matter():
    random = np.random.default_rng(0)
    spikes = random.integers(0, 2, (2, 3, 2, 4, 4), np.uint8)
    frames = random.poisson(0.2, (2, 3, 2, 8, 8)).astype(np.float32)
    expected = state_of(spikes, frames)
    xr.testing.assert_identical(state_of(spikes, frames[:, :, ::-1]), expected)
    xr.testing.assert_identical(state_of(spikes, frames.max(2, keepdims=True) * 0.5), expected)


def test_integer_spikes_count_once():
    frames = np.ones((1, 1, 1, 1, 2), np.float32)
    spikes = np.array([3, 0], np.uint8).reshape(1, 1, 1, 1, 2)
    assert state_of(spikes, frames)["foreground_spikes"].item() == 1


def test_a_layer_without_maps_has_no_place():
    layer = plain.layer(np.ones((2, 3, 4), np.float32))
    state = SpatialRates().observe(layer, np.ones((2, 3, 2, 4, 4)))
    assert all((variable == 0).all() for variable in state.data_vars.values())
    rates = SpatialRates().compute(state)
    assert all(rates[name].shape == (3, 4) for name in RATES)
    assert all(rates[name].isnull().all() for name in RATES)


@pytest.mark.parametrize(("value", "missing"), [(0.0, "foreground_rate"), (1.0, "background_rate")])
def test_an_input_of_one_kind_leaves_one_rate(value, missing):
    frames = np.full((2, 1, 2, 3, 3), value, np.float32)
    rates = SpatialRates().compute(state_of(np.ones((2, 1, 1, 3, 3), np.uint8), frames))
    assert math.isnan(rates[missing].item())
    assert [rates[name].item() for name in RATES if name != missing] == [1.0]
