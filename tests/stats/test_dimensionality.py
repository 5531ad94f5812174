"""Effective rank and participation ratio: hand-worked and from the spikes themselves."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from redundancy.stats import merge
from redundancy.stats.dimensionality import dimensionality
from redundancy.stats.spike_gram import SpikeGram
from tests import similarity_reference as reference

MAP = ("sample", "time", "channel", "y", "x")
spike_arrays = hnp.arrays(
    np.uint8,
    st.tuples(st.integers(1, 6), st.integers(1, 3), st.integers(1, 5), st.integers(1, 4)),
    elements=st.integers(0, 2),
).map(lambda a: a[..., None])


def state_of(spikes):
    return SpikeGram().observe(
        xr.Dataset({"spike": (MAP[: spikes.ndim], spikes)}, attrs={"name": "conv1"})
    )


def of_channels(*channels):
    """Both measures for the spikes of some channels over samples."""
    spikes = np.array(channels, np.uint8).T[:, None]
    found = dimensionality(state_of(spikes))
    return float(found["effective_rank"][0]), float(found["participation_ratio"][0])


def test_uncorrelated_channels_are_as_many_dimensions():
    # All patterns of three coins once: covariance I / 4.
    coins = [[i >> k & 1 for i in range(8)] for k in range(3)]
    assert of_channels(*coins) == pytest.approx((3.0, 3.0), abs=1e-12)


def test_identical_and_complementary_channels_are_one_dimension():
    a = [1, 0, 0, 1, 0]
    assert of_channels(a, a, a) == pytest.approx((1.0, 1.0), abs=1e-12)
    assert of_channels(a, [1 - s for s in a]) == pytest.approx((1.0, 1.0), abs=1e-12)


def test_two_copies_beside_an_independent_channel_worked_by_hand():
    # Eigenvalues 1/2 (the copies) and 1/4: singular values in the ratio sqrt(2) : 1.
    a, b = [0, 0, 1, 1], [0, 1, 0, 1]
    share = np.array([np.sqrt(2), 1]) / (np.sqrt(2) + 1)
    effective_rank = np.exp(-(share * np.log(share)).sum())
    assert of_channels(a, a, b) == pytest.approx((effective_rank, 0.75**2 / (0.25 + 0.0625)))


def test_channels_that_never_or_always_spike_add_nothing():
    a, b = [0, 0, 1, 1], [0, 1, 0, 1]
    plain = of_channels(a, b)
    assert of_channels(a, [0] * 4, b, [1] * 4) == pytest.approx(plain, abs=1e-12)
    assert np.isnan(of_channels([0] * 4, [0] * 4)).all()
    assert np.isnan(of_channels([1] * 4, [1] * 4)).all()
    assert np.isnan(of_channels([1], [0])).all()  # one sample, one neuron a channel


def test_one_channel():
    assert of_channels([0, 1, 1]) == (1.0, 1.0)


@settings(deadline=None, max_examples=80)
@given(spike_arrays)
def test_both_equal_the_plain_reference(spikes):
    found = dimensionality(state_of(spikes))
    for t in range(spikes.shape[1]):
        effective_rank, participation_ratio = reference.dimensionality(spikes, t)
        np.testing.assert_allclose(found["effective_rank"][t], effective_rank, rtol=1e-6)
        np.testing.assert_allclose(found["participation_ratio"][t], participation_ratio, rtol=1e-9)


@settings(deadline=None, max_examples=60)
@given(spike_arrays, st.data())
def test_ranges_order_of_channels_and_repeated_samples(spikes, data):
    found = dimensionality(state_of(spikes))
    order = data.draw(st.permutations(range(spikes.shape[2])))
    permuted = dimensionality(state_of(spikes[:, :, order]))
    twice = dimensionality(merge(state_of(spikes), state_of(spikes)))
    for name in ("effective_rank", "participation_ratio"):
        values = found[name].values
        kept = values[~np.isnan(values)]
        assert (kept >= 1 - 1e-9).all()
        assert (kept <= spikes.shape[2] + 1e-9).all()
        np.testing.assert_allclose(permuted[name], values, rtol=1e-6)
        np.testing.assert_allclose(twice[name], values, rtol=1e-6)


def test_attributes_and_labels():
    found = dimensionality(state_of(np.ones((3, 2, 4, 2, 2), np.uint8)))
    assert found.attrs == {"name": "conv1", "n_channels": 4, "n_positions": 12}
    for variable in found.data_vars.values():
        assert variable.dims == ("time",)
        assert variable.attrs["long_name"]
        assert variable.attrs["units"] == "dimensions"


def test_no_sample_has_no_dimension():
    with pytest.raises(ValueError, match="at least one sample"):
        dimensionality(state_of(np.ones((0, 2, 3), np.uint8)))
