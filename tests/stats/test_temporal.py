"""CKA between timesteps and repeats over time: hand-worked and against definitions."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from redundancy.errors import UsageError
from redundancy.stats import merge
from redundancy.stats.ghosts import ghost_groups
from redundancy.stats.temporal import TemporalKernel, temporal_ghost_curve, temporal_similarity
from tests import similarity_reference as reference

MAP = ("sample", "time", "channel", "y", "x")
spike_arrays = hnp.arrays(
    np.uint8,
    st.tuples(st.integers(4, 7), st.integers(1, 4), st.integers(1, 3), st.integers(1, 3)),
    elements=st.integers(0, 2),
).map(lambda a: a[..., None])


def layer(spikes):
    return xr.Dataset({"spike": (MAP[: spikes.ndim], spikes)}, attrs={"name": "conv1"})


def random_spikes(*shape, seed=0, rate=0.3):
    return (np.random.default_rng(seed).random(shape) < rate).astype(np.uint8)


def cka_of(*batches, minibatch=64):
    statistic = TemporalKernel(minibatch)
    states = [statistic.observe(layer(batch)) for batch in batches]
    while len(states) > 1:
        states[:2] = [merge(states[0], states[1])]
    return statistic.compute(states[0])


# CKA


def test_identical_timesteps_have_cka_one():
    one = random_spikes(6, 1, 3, 4, 4)
    found = cka_of(np.concatenate([one, one, one], axis=1))["cka"].values
    np.testing.assert_allclose(found, np.ones((3, 3)), rtol=0, atol=1e-12)


def test_permuted_neurons_have_cka_one():
    one = random_spikes(6, 1, 12)
    other = one[:, :, np.random.default_rng(1).permutation(12)]
    found = cka_of(np.concatenate([one, other], axis=1))["cka"].values
    np.testing.assert_allclose(found, np.ones((2, 2)), rtol=0, atol=1e-12)


def test_four_samples_in_two_halves_worked_by_hand():
    # Time 0 tells samples {0, 1} from {2, 3}, time 1 {0, 2} from {1, 3}: kernels without
    # diagonal hold one pair of ones for two samples each. U-centred kernels of n = 4 sum to
    # zero in every row; K has 2/3 on its two pairs and -1/3 elsewhere, so K.K = 4(2/3)^2 +
    # 8(1/3)^2 = 8/3 and K.L = 4(-2/9) + 4(-2/9) + 4(1/9) = -4/3: CKA = -1/2.
    first, second = np.array([[1, 0], [1, 0], [0, 1], [0, 1]]), np.eye(2)[[0, 1, 0, 1]]
    spikes = np.stack([first, second], axis=1).astype(np.uint8)
    state = TemporalKernel().observe(layer(spikes))
    # HSIC_1 divides by n (n - 3) = 4; the state weighs it by 4 samples.
    np.testing.assert_allclose(state["hsic_sum"], [[8 / 3, -4 / 3], [-4 / 3, 8 / 3]], rtol=1e-13)
    assert int(state["n_hsic_samples"]) == 4
    found = TemporalKernel().compute(state)["cka"].values
    np.testing.assert_allclose(found, [[1, -0.5], [-0.5, 1]], rtol=1e-13)


@settings(deadline=None, max_examples=60)
@given(st.lists(spike_arrays, min_size=1, max_size=3))
def test_minibatch_cka_equals_the_plain_reference(batches):
    shape = np.min([batch.shape[1:] for batch in batches], axis=0)
    batches = [batch[(slice(None), *map(slice, shape))] for batch in batches]
    found = cka_of(*batches)["cka"].values
    np.testing.assert_allclose(found, reference.cka(batches), rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(found, found.T)
    assert (np.abs(found[~np.isnan(found)]) <= 1).all()


@settings(deadline=None, max_examples=40)
@given(spike_arrays, st.data())
def test_order_of_samples_channels_and_timesteps(spikes, data):
    found = cka_of(spikes)["cka"].values
    samples = data.draw(st.permutations(range(len(spikes))))
    channels = data.draw(st.permutations(range(spikes.shape[2])))
    times = data.draw(st.permutations(range(spikes.shape[1])))
    same = cka_of(spikes[samples][:, :, channels])["cka"].values
    np.testing.assert_allclose(same, found, rtol=0, atol=1e-9)
    permuted = cka_of(spikes[:, times])["cka"].values
    np.testing.assert_allclose(permuted, found[times][:, times], rtol=0, atol=1e-9)


def test_large_batches_are_cut_into_minibatches():
    spikes = random_spikes(17, 3, 5)
    parts = np.array_split(spikes, 3)
    assert [len(part) for part in parts] == [6, 6, 5]
    whole, cut = cka_of(spikes, minibatch=8), cka_of(*parts)
    np.testing.assert_allclose(whole["cka"], cut["cka"], rtol=1e-12)
    assert whole.attrs["n_hsic_samples"] == cut.attrs["n_hsic_samples"] == 17
    assert whole.attrs["minibatch"] == 8


@pytest.mark.parametrize("n_samples", range(4, 60))
def test_no_sample_of_a_large_enough_batch_is_left_out(n_samples):
    state = TemporalKernel(minibatch=7).observe(layer(random_spikes(n_samples, 1, 3)))
    assert int(state["n_hsic_samples"]) == n_samples
    assert np.isfinite(state["hsic_sum"]).all()


def test_a_minibatch_must_hold_enough_samples():
    with pytest.raises(UsageError, match="at least 7 samples, got 6"):
        TemporalKernel(minibatch=6)


@pytest.mark.parametrize("n_samples", [0, 1, 3])
def test_batches_below_four_samples_are_left_out(n_samples):
    small = random_spikes(n_samples, 2, 3, 2, 2)
    alone = cka_of(small)
    assert alone["cka"].isnull().all()
    assert alone.attrs["n_hsic_samples"] == 0
    batch = random_spikes(8, 2, 3, 2, 2, seed=1)
    np.testing.assert_array_equal(cka_of(batch, small)["cka"], cka_of(batch)["cka"])


def test_timesteps_that_tell_nothing_apart_have_no_cka():
    spikes = random_spikes(6, 4, 3, 2, 2)
    spikes[:, 1] = 0  # silent
    spikes[:, 2] = 1  # all firing
    spikes[:, 3] = spikes[:1, 3]  # the same for all samples
    found = cka_of(spikes)["cka"].values
    expected = np.full((4, 4), np.nan)
    expected[0, 0] = 1
    np.testing.assert_array_equal(found, expected)


def test_one_timestep_and_one_neuron():
    found = cka_of(np.array([1, 1, 0, 0, 1], np.uint8).reshape(5, 1, 1))["cka"].values
    assert found.tolist() == [[1.0]]


# Features of a channel over time


def rates(maps, name="conv1"):
    """Firing rates from maps (time, channel, y, x)."""
    return xr.Dataset({"n_sfr": (("time", "channel", "y", "x"), maps)}, attrs={"name": name})


A, B = np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]])
ZERO = np.zeros((1, 2))


def test_repeats_worked_by_hand():
    # Channel 0 shows A, A, B, A; channel 1 nothing, then A, then nothing, then B.
    maps = np.stack([np.stack([A, ZERO]), np.stack([A, A]), np.stack([B, ZERO]), np.stack([A, B])])
    similarity = temporal_similarity(rates(maps))
    assert similarity.dims == ("channel", "time", "other_time")
    assert similarity[0].values.tolist() == [[1, 1, 0, 1], [1, 1, 0, 1], [0, 0, 1, 0], [1, 1, 0, 1]]
    nan = np.nan
    np.testing.assert_array_equal(
        similarity[1], [[nan] * 4, [nan, 1, nan, 0], [nan] * 4, [nan, 0, nan, 1]]
    )
    curve = temporal_ghost_curve(rates(maps), 0.9)
    assert curve["n_timesteps"].values.tolist() == [1, 2, 3, 4]
    assert curve["n_active"].values.tolist() == [1, 3, 4, 6]
    assert curve["n_groups"].values.tolist() == [1, 2, 3, 4]
    np.testing.assert_allclose(curve["temporal_ghost_ratio"], [0, 1 / 3, 1 / 4, 2 / 6])
    assert curve.attrs == {
        "measure": "cosine",
        "threshold": 0.9,
        "linkage": "average",
        "name": "conv1",
    }


map_sequences = hnp.arrays(
    np.int64,
    st.tuples(st.integers(1, 4), st.integers(1, 3), st.just(3), st.integers(3, 4)),
    elements=st.integers(0, 4),
).map(lambda a: a / 4)


@settings(deadline=None, max_examples=40)
@given(map_sequences, st.sampled_from(["cosine", "pearson"]))
def test_temporal_similarity_equals_the_plain_reference(maps, measure):
    found = temporal_similarity(rates(maps), measure).values
    for channel in range(maps.shape[1]):
        expected = getattr(reference, measure)(maps[:, channel])
        np.testing.assert_allclose(found[channel], expected, rtol=0, atol=1e-12)


@settings(deadline=None, max_examples=40)
@given(map_sequences, st.floats(-1, 1))
def test_the_curve_counts_the_groups_of_each_channel(maps, threshold):
    curve = temporal_ghost_curve(rates(maps), threshold)
    similarity = temporal_similarity(rates(maps)).values
    for n in range(1, len(maps) + 1):
        attributes = [
            ghost_groups(
                xr.DataArray(m[:n, :n], dims=("channel", "other_channel")), threshold
            ).attrs
            for m in similarity
        ]
        active = sum(a["n_active"] for a in attributes)
        groups = sum(a["n_groups"] for a in attributes)
        row = curve.sel(n_timesteps=n)
        assert (int(row["n_active"]), int(row["n_groups"])) == (active, groups)
        if active:
            assert float(row["temporal_ghost_ratio"]) == pytest.approx(1 - groups / active)
        else:
            assert np.isnan(row["temporal_ghost_ratio"])


def test_constant_silent_and_single_timestep_layers():
    same = rates(np.ones((5, 3, 2, 2)))
    curve = temporal_ghost_curve(same, 1.0)["temporal_ghost_ratio"].values
    np.testing.assert_allclose(curve, [0, 1 / 2, 2 / 3, 3 / 4, 4 / 5])
    silent = temporal_ghost_curve(rates(np.zeros((5, 3, 2, 2))), 0.5)
    assert silent["temporal_ghost_ratio"].isnull().all()
    assert temporal_ghost_curve(rates(np.ones((1, 1, 1, 2))), 0.5)["temporal_ghost_ratio"] == 0


def test_what_cannot_be_compared_over_time_is_said():
    vectors = xr.Dataset({"n_sfr": (("time", "channel"), np.ones((3, 4)))}, attrs={"name": "fc"})
    with pytest.raises(UsageError, match="'fc' is one number"):
        temporal_ghost_curve(vectors, 0.9)
    with pytest.raises(UsageError, match="jaccard does not compare feature maps; choose one of"):
        temporal_similarity(rates(np.ones((2, 2, 3, 3))), "jaccard")
    with pytest.raises(UsageError, match="between -1 and 1"):
        temporal_ghost_curve(rates(np.ones((2, 2, 3, 3))), 2.0)


def test_every_variable_says_what_it_is():
    state = TemporalKernel().observe(layer(random_spikes(4, 2, 3)))
    results = [state, TemporalKernel().compute(state)]
    results.append(temporal_ghost_curve(rates(np.ones((2, 2, 3, 3))), 0.9))
    for result in results:
        for variable in result.variables.values():
            assert variable.attrs["long_name"]
            assert variable.attrs["units"]
    similarity = temporal_similarity(rates(np.ones((2, 2, 3, 3))), "ssim")
    assert (
        similarity.attrs["long_name"]
        == "structural similarity (SSIM) of spike features between timesteps"
    )
    assert similarity.attrs["units"] == "1"
