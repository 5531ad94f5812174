"""Average pooling in the place of PyTorch's own: the same bits, only where that was seen."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from spikingjelly.activation_based import layer, neuron
from torch import nn

from redundancy.datasets.base import Batch
from redundancy.fused_pooling import FastPooling, halves
from redundancy.network_observer import NetworkObserver
from redundancy.stats.pool_kernels import halve


def bits(tensor):
    return tensor.contiguous().view(torch.int32)


def attached(module, maps):
    pooling = FastPooling(module)
    found = []
    for _ in range(3):
        handles = list(pooling.attach())
        found.append(module(maps))
        for handle in handles:
            handle.remove()
    return found, pooling


@settings(max_examples=40, deadline=None)
@given(
    hnp.arrays(
        np.float32,
        hnp.array_shapes(min_dims=4, max_dims=4, min_side=2, max_side=7),
        elements=st.one_of(
            st.floats(-3, 3, width=32), st.sampled_from([-0.0, 1e-45, 3e38, np.inf, -np.inf])
        ),
    )
)
def test_the_means_are_pytorchs_to_the_bit(maps):
    expected = torch.nn.functional.avg_pool2d(torch.from_numpy(maps), 2)
    found = np.empty(expected.shape, np.float32)
    rows, columns = maps.shape[2:]
    halve(
        np.require(maps, requirements=["C", "W"]).reshape(-1, rows, columns),
        found.reshape(-1, rows // 2, columns // 2),
    )
    np.testing.assert_array_equal(found, expected.numpy())
    np.testing.assert_array_equal(np.signbit(found[found == 0]), np.signbit(expected[found == 0]))


@pytest.mark.parametrize(
    "module", [nn.AvgPool2d(2), nn.AvgPool2d((2, 2), stride=2), layer.AvgPool2d(2, step_mode="m")]
)
def test_a_pooling_is_replaced_once_it_was_seen_to_be_the_same(module, monkeypatch):
    maps = torch.randn(*([3] if hasattr(module, "step_mode") else []), 4, 5, 9, 6)
    expected = module(maps)
    found, _ = attached(module, maps)
    assert all(torch.equal(bits(each), bits(expected)) for each in found)
    assert "forward" not in vars(module)
    pooling = FastPooling(module)
    calls = []
    own = type(module).forward
    monkeypatch.setattr(type(module), "forward", lambda *args: calls.append(1) or own(*args))
    handles = list(pooling.attach())
    for _ in range(3):
        module(maps)
    handles[0].remove()
    assert len(calls) == 1


class Other(nn.AvgPool2d):
    def forward(self, maps):
        return super().forward(maps) + 1.0


@pytest.mark.parametrize(
    "module",
    [
        nn.AvgPool2d(3), nn.AvgPool2d(2, stride=1), nn.AvgPool2d(2, padding=1),
        nn.AvgPool2d(2, ceil_mode=True), nn.AvgPool2d(2, divisor_override=3), nn.MaxPool2d(2),
        Other(2),
    ],
)  # fmt: skip
def test_other_poolings_are_left_alone(module):
    assert not halves(module)
    assert not list(FastPooling(module).attach())


@pytest.mark.parametrize(
    "maps",
    [
        torch.randn(4, 5, 9, 6, dtype=torch.float64),
        torch.randn(5, 9, 6),
        torch.randn(4, 5, 6, 9).transpose(2, 3),
    ],
)
def test_inputs_that_are_not_read_take_the_old_way(maps):
    module = nn.AvgPool2d(2)
    expected = module(maps)
    found, pooling = attached(module, maps)
    assert pooling._same is None
    assert all(torch.equal(each, expected) for each in found)


def test_a_pooling_that_gives_other_bits_keeps_its_own_way(monkeypatch):
    module, maps = nn.AvgPool2d(2), torch.randn(2, 3, 4, 4)
    own = nn.AvgPool2d.forward
    monkeypatch.setattr(nn.AvgPool2d, "forward", lambda self, x: own(self, x) * 1.5)
    found, pooling = attached(module, maps)
    assert pooling._same is False
    assert all(torch.equal(each, torch.nn.functional.avg_pool2d(maps, 2) * 1.5) for each in found)


def test_an_observed_network_uses_it_and_gets_its_own_back():
    torch.manual_seed(0)
    network = nn.Sequential(
        layer.Conv2d(2, 3, 3, padding=1, step_mode="m"),
        layer.AvgPool2d(2, step_mode="m"),
        neuron.LIFNode(v_threshold=0.1, step_mode="m"),
        layer.Flatten(step_mode="m"),
    )
    frames = np.random.default_rng(0).poisson(0.5, (2, 3, 2, 8, 8)).astype(np.float32)
    batch = Batch(frames=frames, labels=np.zeros(2, np.int64), recordings=None, start=0)
    results = []
    for fused in (True, False):
        with NetworkObserver(network, fused=fused) as observer:
            states = [observer.observe(batch) for _ in range(3)]
            used = [pooling._same for pooling in observer._recorder._poolings]
        assert (True in used) == fused
        results.append([state["2"].drop_attrs() for state in states])
    assert all(one.identical(other) for one, other in zip(*results, strict=True))
    assert "forward" not in vars(network[1])
