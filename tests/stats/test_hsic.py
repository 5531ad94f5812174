"""Kernels between samples and unbiased HSIC: hand-worked and against the definitions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from redundancy.stats.bit_kernels import pack_bits
from redundancy.stats.hsic import sample_kernels, unbiased_hsic
from tests import similarity_reference as reference


def kernels_of(spikes):
    """Return the kernels of spikes (sample, time, channel, position)."""
    return sample_kernels(pack_bits(spikes).transpose(1, 2, 0, 3), spikes.shape[3])


def test_kernels_count_neurons_that_spike_in_both_samples():
    spikes = np.array([[[[1], [1]]], [[[0], [1]]]], np.uint8)  # two samples, one timestep
    assert kernels_of(spikes).tolist() == [[[2.0, 1.0], [1.0, 1.0]]]


@pytest.mark.parametrize("n_positions", [1, 16, 17, 40, 64, 65, 130])
def test_kernels_are_products_of_the_spikes(n_positions):
    spikes = (np.random.default_rng(0).random((5, 3, 4, n_positions)) < 0.3).astype(np.uint8)
    flat = spikes.reshape(5, 3, -1).astype(np.int64)
    expected = np.einsum("atf,btf->tab", flat, flat)
    np.testing.assert_array_equal(kernels_of(spikes), expected)


def test_the_references_agree_with_one_another():
    generator = np.random.default_rng(0)
    K, L = (f @ f.T for f in generator.integers(0, 3, (2, 6, 4)))
    assert reference.unbiased_hsic(K, L) == pytest.approx(reference.hsic_by_quadruples(K, L))


@settings(deadline=None, max_examples=60)
@given(
    hnp.arrays(
        np.int64,
        st.tuples(st.integers(1, 3), st.integers(4, 8), st.integers(1, 4)),
        elements=st.integers(0, 5),
    )
)
def test_hsic_equals_its_definition(features):
    kernels = (features @ features.transpose(0, 2, 1)).astype(float)
    found = unbiased_hsic(kernels)
    expected = [[reference.unbiased_hsic(K, L) for L in kernels] for K in kernels]
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)
    assert (np.diagonal(found) >= 0).all()


def test_hsic_is_unbiased():
    # Over all pairs of four draws of two independent fair coins, its mean is HSIC = 0; the
    # biased estimate's is not.
    values = [np.array([i >> k & 1 for k in range(4)], float) for i in range(16)]
    kernels = np.stack([np.outer(v, v) for v in values])
    assert unbiased_hsic(kernels).mean() == pytest.approx(0, abs=1e-15)
    centre = np.eye(4) - 0.25
    biased = [np.trace(K @ centre @ L @ centre) / 9 for K in kernels for L in kernels]
    assert np.mean(biased) > 0.01
