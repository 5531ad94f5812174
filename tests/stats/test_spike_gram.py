"""Joint spikes of channels: hand-worked, against counting, over any split of the samples."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from redundancy import schema
from redundancy.stats import merge
from redundancy.stats.spike_gram import SpikeGram
from tests import similarity_reference as reference

MAP = ("sample", "time", "channel", "y", "x")
shapes = st.one_of(
    hnp.array_shapes(min_dims=3, max_dims=3, max_side=4),
    hnp.array_shapes(min_dims=5, max_dims=5, max_side=3),
)
spike_arrays = hnp.arrays(np.uint8, shapes, elements=st.integers(0, 2))


def layer(spikes):
    return xr.Dataset({schema.SPIKE: (MAP[: spikes.ndim], spikes)}, attrs={"v_threshold": 1.0})


def test_three_channels_worked_by_hand():
    # Two samples, one timestep, 1x2 positions: a fires in 3 of 4 cells, b in 2 of these and
    # nowhere else, c nowhere.
    spikes = np.array(
        [[[[[1, 1]], [[1, 0]], [[0, 0]]]], [[[[1, 0]], [[1, 0]], [[0, 0]]]]], np.uint8
    )
    state = SpikeGram().observe(layer(spikes))
    assert state["spike_gram"].values.tolist() == [[[3, 2, 0], [2, 2, 0], [0, 0, 0]]]
    assert state["spike_gram"].dtype == np.int64
    assert int(state["n_positions"]) == 4
    assert state.attrs == {"v_threshold": 1.0}
    similarity = SpikeGram().compute(state)["jaccard"].values[0]
    np.testing.assert_array_equal(
        similarity, [[1, 2 / 3, np.nan], [2 / 3, 1, np.nan], [np.nan, np.nan, np.nan]]
    )


@settings(deadline=None, max_examples=60)
@given(spike_arrays)
def test_counts_and_jaccard_equal_the_plain_references(spikes):
    state = SpikeGram().observe(layer(spikes))
    np.testing.assert_array_equal(state["spike_gram"], reference.spike_gram(spikes))
    assert int(state["n_positions"]) == len(spikes) * int(np.prod(spikes.shape[3:]))
    result = SpikeGram().compute(state)["jaccard"].values
    for t in range(spikes.shape[1]):
        np.testing.assert_array_equal(result[t], reference.jaccard(spikes, t))


@settings(deadline=None, max_examples=60)
@given(spike_arrays.filter(lambda s: len(s) > 1), st.data())
def test_any_split_merges_to_the_same_counts(spikes, data):
    cut = data.draw(st.integers(1, len(spikes) - 1))
    first, second = (SpikeGram().observe(layer(p)) for p in np.split(spikes, [cut]))
    xr.testing.assert_identical(merge(first, second), SpikeGram().observe(layer(spikes)))


@settings(deadline=None, max_examples=60)
@given(spike_arrays, st.data())
def test_permuted_channels_permute_the_counts(spikes, data):
    order = data.draw(st.permutations(range(spikes.shape[2])))
    gram = SpikeGram().observe(layer(spikes))["spike_gram"].values
    permuted = SpikeGram().observe(layer(spikes[:, :, order]))["spike_gram"].values
    np.testing.assert_array_equal(permuted, gram[:, order][:, :, order])
    np.testing.assert_array_equal(gram, gram.transpose(0, 2, 1))


@pytest.mark.parametrize("n_positions", [1, 7, 63, 64, 65, 130])
def test_rows_of_any_length_are_counted_whole(n_positions):
    shape = (5, 2, 3, 1, n_positions)
    spikes = (np.random.default_rng(0).random(shape) < 0.5).astype(np.uint8)
    found = SpikeGram().observe(layer(spikes))["spike_gram"]
    np.testing.assert_array_equal(found, reference.spike_gram(spikes))


def test_counts_beyond_what_32_bits_hold_are_exact():
    # 2**24 + 1 is the first whole number that float32 does not have.
    for n_samples, n_positions in ((2, 2**23 + 1), (1, 2**24 + 1)):
        spikes = np.ones((n_samples, 1, 1, 1, n_positions), np.uint8)
        gram = SpikeGram().observe(layer(spikes))["spike_gram"]
        assert gram.values.tolist() == [[[n_samples * n_positions]]]


def test_all_firing_and_all_silent_layers():
    shape = (3, 2, 4, 2, 2)
    firing = SpikeGram().observe(layer(np.ones(shape, np.uint8)))
    assert (firing["spike_gram"] == 12).all()
    assert (SpikeGram().compute(firing)["jaccard"] == 1).all()
    silent = SpikeGram().observe(layer(np.zeros(shape, np.uint8)))
    assert (silent["spike_gram"] == 0).all()
    assert int(silent["n_positions"]) == 12
    assert SpikeGram().compute(silent)["jaccard"].isnull().all()


def test_no_sample_counts_nothing():
    state = SpikeGram().observe(layer(np.ones((0, 2, 3, 2, 2), np.uint8)))
    assert state["spike_gram"].shape == (2, 3, 3)
    assert int(state["spike_gram"].sum()) == 0
    assert int(state["n_positions"]) == 0


def test_other_orders_of_dimensions_are_refused():
    spikes = xr.Dataset({"spike": (("time", "sample", "channel"), np.ones((2, 2, 2), np.uint8))})
    with pytest.raises(ValueError, match=r"spike must be \(sample, time, channel"):
        SpikeGram().observe(spikes)


def test_every_variable_says_what_it_is():
    state = SpikeGram().observe(layer(np.ones((1, 2, 3), np.uint8)))
    for variable in [*state.data_vars.values(), *SpikeGram().compute(state).data_vars.values()]:
        assert variable.attrs["long_name"]
        assert variable.attrs["units"]
    assert {v.attrs["merge"] for v in state.data_vars.values()} == {"sum"}
