"""Inputs and the weights they meet are counted exactly, for every kind of convolution."""

import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from redundancy.synapses.geometry import dense_operations, weights_met
from redundancy.synapses.kernels import count_inputs
from redundancy.synapses.levels import SPIKES


@st.composite
def convolutions(draw):
    """Any convolution, and an input with zeros, ones and other numbers."""
    dimensions = draw(st.integers(1, 3))
    several = st.integers(1, 3)
    each = st.tuples(*[several] * dimensions)
    kernel, stride, dilation = draw(each), draw(each), draw(st.tuples(*[st.integers(1, 2)] * 3))
    dilation = dilation[:dimensions]
    groups = draw(st.integers(1, 2))
    channels = {
        "in_channels": groups * draw(st.integers(1, 2)),
        "out_channels": groups * draw(st.integers(1, 3)),
        "groups": groups,
    }
    options = {"kernel_size": kernel, "stride": stride, "dilation": dilation, **channels}
    if draw(st.booleans()):
        options["output_padding"] = tuple(
            draw(st.integers(0, max(s, d) - 1)) for s, d in zip(stride, dilation, strict=True)
        )
        options["padding"] = draw(st.tuples(*[st.integers(0, 1)] * dimensions))
        module = getattr(nn, f"ConvTranspose{dimensions}d")(**options)
        smallest = 3
    else:
        options["padding_mode"] = draw(st.sampled_from(["zeros", "circular", "reflect"]))
        same = all(s == 1 for s in stride) and draw(st.booleans())
        options["padding"] = "same" if same else draw(st.tuples(*[st.integers(0, 2)] * dimensions))
        module = getattr(nn, f"Conv{dimensions}d")(**options)
        smallest = 5
    size = draw(st.tuples(*[st.integers(smallest, 7)] * dimensions))
    random = np.random.default_rng(draw(st.integers(0, 100)))
    values = random.choice([0.0, 0.0, 1.0, -0.5, 2.0], (2, channels["in_channels"], *size))
    return module.double(), torch.from_numpy(values)


def ones_in_place_of_weights(module):
    plain = copy.deepcopy(module)
    with torch.no_grad():
        plain.weight.fill_(1.0)
        if plain.bias is not None:
            plain.bias.zero_()
    return plain


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")
@settings(max_examples=150, deadline=None)
@given(convolutions())
def test_effective_operations_are_what_a_convolution_of_ones_sums(case):
    """An input of 1 where the input is not 0, and weights of 1: every product adds 1."""
    module, values = case
    with torch.no_grad():
        output = module(values)
        nonzero = (values != 0).double()
        expected = float(ones_in_place_of_weights(module)(nonzero).sum())
    met = weights_met(module, tuple(values.shape), tuple(output.shape))
    counted = (nonzero.flatten(2).sum((0, 1)).numpy() * met).sum()
    assert counted == expected


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")
@pytest.mark.parametrize(("kernel", "dilation"), [(2, 1), (4, 1), (2, 3), (3, 2)])
def test_padding_to_the_same_size_puts_the_odd_zero_last(kernel, dilation):
    module = nn.Conv1d(1, 1, kernel, dilation=dilation, padding="same").double()
    met = weights_met(module, (1, 1, 9), (1, 1, 9))
    for position in range(9):
        values = torch.zeros(1, 1, 9, dtype=torch.float64)
        values[..., position] = 1.0
        with torch.no_grad():
            assert met[position] == float(ones_in_place_of_weights(module)(values).sum())


def test_effective_operations_of_a_convolution_by_loops():
    module = nn.Conv2d(2, 4, (3, 2), stride=(2, 1), padding=(1, 0), dilation=(1, 2), groups=2)
    values = np.random.default_rng(3).integers(0, 2, (2, 6, 5))
    effective = dense = 0
    for group in range(2):
        for _ in range(2):  # output channels of the group
            for y in range(3):
                for x in range(3):
                    for ky in range(3):
                        for kx in range(2):
                            dense += 1
                            row, column = 2 * y + ky - 1, x + 2 * kx
                            if 0 <= row < 6:
                                effective += int(values[group, row, column] != 0)
    met = weights_met(module, (1, 2, 6, 5), (1, 4, 3, 3))
    assert int((values.sum(0).ravel() * met).sum()) == effective
    assert dense_operations(module, 60, 36) == dense


def test_dense_operations_are_the_formulas_of_the_papers():
    assert dense_operations(nn.Conv2d(64, 128, 3, padding=1), 0, 128 * 32 * 32) == (
        3 * 3 * 32 * 32 * 64 * 128
    )
    assert dense_operations(nn.Conv2d(8, 8, 3, groups=8), 0, 8 * 5 * 5) == 3 * 3 * 5 * 5 * 8
    assert dense_operations(nn.Linear(8192, 256), 8192, 256) == 8192 * 256
    # A transposed convolution does the work of the convolution that it is the transpose of.
    assert dense_operations(nn.ConvTranspose2d(6, 4, 3, stride=2), 6 * 5 * 5, 0) == 9 * 25 * 6 * 4


@settings(max_examples=50, deadline=None)
@given(
    shape=st.tuples(*[st.integers(1, 4)] * 4),
    dtype=st.sampled_from(["float32", "float64"]),
    seed=st.integers(0, 99),
)
def test_inputs_are_counted_as_numpy_counts_them(shape, dtype, seed):
    random = np.random.default_rng(seed)
    values = random.choice([0.0, -0.0, 1.0, 0.5, -1.0, 3.0], shape).astype(dtype)
    met = random.integers(0, 9, shape[3])
    sums, counts = np.ones(shape[1]), np.ones((shape[1], 5), np.int64)
    count_inputs(values, met, SPIKES.lattice(2.0**-23), sums, counts)
    over = (0, 2, 3)
    np.testing.assert_array_equal(sums, 1 + values.sum(over))
    np.testing.assert_array_equal(counts[:, 0], 1 + (values != 0).sum(over))
    np.testing.assert_array_equal(counts[:, 1], 1 + (~np.isin(values, (0, 1))).sum(over))
    np.testing.assert_array_equal(counts[:, 2], 1 + ((values != 0) * met).sum(over))
