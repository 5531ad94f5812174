"""SA and TCSA against their definitions written out, and what every attention shares."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from redundancy.errors import UsageError
from redundancy.networks.asa import ASA1, ASA2
from redundancy.networks.attention import ATTENTIONS, SA, TCSA, build_attention
from redundancy.stats.attention_cost import attention_macs
from redundancy.stats.energy import SynapticOperations, energy_table
from tests.networks.asa_reference import convolve, sigmoid
from tests.synaptic import small_network, synapses_of

Array = NDArray[np.float64]


def count(module: nn.Module | None) -> int:
    return 0 if module is None else sum(weight.numel() for weight in module.parameters())


def along_axis(x: Array, axis: int, first: Array, second: Array) -> Array:
    """Weigh one sample (time, channel, y, x) along one of its first two axes."""
    moved = np.moveaxis(x, axis, 0)

    def shared(pooled: Array) -> Array:
        return second @ np.maximum(first @ pooled, 0.0)

    pools = moved.reshape(len(moved), -1)
    weights = sigmoid(shared(pools.mean(1)) + shared(pools.max(1)))
    return np.moveaxis(moved * weights[:, None, None, None], 0, axis)


def in_space(x: Array, kernel: Array) -> Array:
    features = x.reshape(-1, *x.shape[2:])
    return x * sigmoid(convolve(np.stack([features.mean(0), features.max(0)]), kernel))


def reference(x: Array, weights: dict[str, Array]) -> Array:
    """Return SA or TCSA of one sample: time, channels, space, ReLU."""
    for axis, part in ((0, "ta"), (1, "ca")):
        layers = [weights.get(f"weighing.{part}.sharedMLP.{n}.weight") for n in (0, 2)]
        if layers[0] is not None and layers[1] is not None:
            x = along_axis(
                x, axis, *(layer[:, :, 0, 0, 0] for layer in layers if layer is not None)
            )
    return np.maximum(in_space(x, weights["weighing.sa.conv.weight"][0]), 0.0)


@pytest.mark.parametrize(
    "module",
    [
        lambda: SA(6, 8),
        lambda: SA(6, 8, kernel_size=3),
        lambda: TCSA(6, 8),
        lambda: TCSA(6, 8, reduction=2, kernel_size=3),
    ],
    ids=["sa", "sa 3 x 3", "tcsa", "tcsa r = 2"],
)
def test_it_is_what_its_definition_says(module: Any) -> None:
    torch.manual_seed(0)
    module = module().double()
    x = torch.randn(6, 3, 8, 5, 9, dtype=torch.float64)
    weights = {key: tensor.numpy() for key, tensor in module.state_dict().items()}
    expected = np.stack([reference(x[:, n].numpy(), weights) for n in range(3)], axis=1)
    with torch.no_grad():
        np.testing.assert_allclose(module(x).numpy(), expected, rtol=1e-12, atol=1e-12)
    assert expected.min() == 0.0 < expected.max()


@pytest.mark.parametrize(
    ("name", "added"),
    [("none", 0), ("asa-1", 10_914), ("asa-2", 114), ("sa", 294), ("tcsa", 24_126)],
)
def test_three_layers_add_the_parameters_of_table_3(name: str, added: int) -> None:
    modules = [build_attention(name, n_timesteps=60, n_channels=c) for c in (64, 128, 128)]
    assert sum(map(count, modules)) == added


def test_arguments_reach_the_module_that_has_them() -> None:
    first = build_attention("asa-1", n_timesteps=8, n_channels=4, reduction=2, mask="batch-union")
    assert isinstance(first, ASA1)
    assert (first.mask, first.importance[0].out_features) == ("batch-union", 4)  # type: ignore[index]
    second = build_attention("asa-2", n_timesteps=8, n_channels=4, mask="straight-through")
    assert isinstance(second, ASA2)
    assert second.mask == "straight-through"


@pytest.mark.parametrize("name", ATTENTIONS[1:])
@pytest.mark.parametrize("n_timesteps", [1, 3])
@pytest.mark.parametrize("n_channels", [1, 3])
def test_the_smallest_layers_have_attention_too(
    name: str, n_timesteps: int, n_channels: int
) -> None:
    module = build_attention(name, n_timesteps=n_timesteps, n_channels=n_channels)
    assert module is not None
    x = torch.randn(n_timesteps, 2, n_channels, 2, 3)
    assert module(x).shape == x.shape


@pytest.mark.parametrize("name", ATTENTIONS[1:])
def test_another_number_of_timesteps_is_refused(name: str) -> None:
    module = build_attention(name, n_timesteps=6, n_channels=4)
    assert module is not None
    with pytest.raises(UsageError, match=r"built for 6 timesteps.*got \(5, 2, 4, 3, 3\)"):
        module(torch.zeros(5, 2, 4, 3, 3))


@pytest.mark.parametrize("name", ["sa", "tcsa"])
def test_another_number_of_channels_is_refused(name: str) -> None:
    module = build_attention(name, n_timesteps=6, n_channels=4)
    assert module is not None
    with pytest.raises(UsageError, match=r"4 channels .*got \(6, 2, 5, 3, 3\)"):
        module(torch.zeros(6, 2, 5, 3, 3))


def test_unknown_names_and_sizes_are_refused() -> None:
    with pytest.raises(UsageError, match=r"attention must be one of none, asa-1, .*got 'ta'"):
        build_attention("ta", n_timesteps=6, n_channels=4)
    with pytest.raises(UsageError, match="SA's kernel_size must be 3 or 7, got 5"):
        SA(6, 4, kernel_size=5)
    with pytest.raises(UsageError, match="TCSA's reduction must be at least 1, got 0"):
        TCSA(6, 4, reduction=0)


@pytest.mark.parametrize(
    ("name", "n_weighed", "n_macs"),
    [
        ("asa-2", 1, lambda maps, channels: 2 * 18 * sum(maps)),
        ("sa", 1, lambda maps, channels: 98 * sum(maps)),
        # Along time (T = 4, one hidden unit) and channels, each on two pools, and in space.
        (
            "tcsa",
            3,
            lambda maps, channels: (
                98 * sum(maps) + sum(2 * 2 * 4 * 1 + 2 * 2 * c * (c // 4) for c in channels)
            ),
        ),
    ],
)
def test_what_attention_costs_is_counted(name: str, n_weighed: int, n_macs: Any) -> None:
    torch.manual_seed(0)
    frames = np.random.default_rng(0).poisson(1.0, (2, 4, 2, 8, 8)).astype(np.float32)
    network = small_network(attention=name, widths=(4, 8, 8)).eval()
    table = energy_table(SynapticOperations().observe(synapses_of(network, frames)))
    cost = attention_macs(table)
    maps, channels = (64, 16, 4), (4, 8, 8)
    n_features = 4 * sum(m * c for m, c in zip(maps, channels, strict=True))
    assert float(cost["attention_macs"]) == n_macs(maps, channels)
    assert float(cost["attention_rescales"]) == n_weighed * n_features
