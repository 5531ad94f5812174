"""The 5-layer networks against their definition, written out timestep by timestep."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from spikingjelly.activation_based import neuron
from torch import Tensor, nn
from torch.nn import functional

from redundancy import AnalysisOptions, analyze
from redundancy.errors import UsageError
from redundancy.networks import build_network
from redundancy.networks.asa import AdvanceSpatialAttention
from redundancy.networks.attention import ATTENTIONS
from tests.toy import ToyDataset

QUICK = AnalysisOptions(n_replicates=10)
SMALL = {"n_classes": 3, "n_timesteps": 4, "input_size": (32, 32), "hidden": 6, "votes": 2}
NETWORKS = ("plif-snn-5", "lif-snn-5")


def count_parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def small(name: str, **arguments: Any) -> nn.Module:
    """Return a small network whose layers all spike."""
    torch.manual_seed(3)
    network = build_network(name, **{**SMALL, "widths": (4, 5, 6, 5, 4), **arguments})
    with torch.no_grad():
        for key, weight in network.named_parameters():
            if "bn.weight" in key:
                weight.fill_(6.0)
            if "bn.bias" in key or "linear.bias" in key:
                weight.uniform_(0.3, 2.5)
            if key.endswith("neuron.w"):
                weight.uniform_(-1, 1)
    return network.eval()


@pytest.mark.parametrize(
    ("name", "arguments", "n_parameters"),
    [
        ("plif-snn-5", {}, 1_698_933),
        ("plif-snn-5", {"attention": "asa-1", "n_timesteps": 60}, 1_717_123),
        ("plif-snn-5", {"attention": "asa-2"}, 1_698_933 + 5 * 38),
        ("plif-snn-5", {"attention": "sa"}, 1_698_933 + 5 * 98),
        ("lif-snn-5", {}, 1_623_918),
        # The frames that the published scripts make of DailyAction.
        ("plif-snn-5", {"n_classes": 10, "input_size": (130, 173)}, 1_955_947),
    ],
)
def test_it_has_the_parameters_of_the_published_network(
    name: str, arguments: dict[str, Any], n_parameters: int
) -> None:
    assert count_parameters(build_network(name, **arguments)) == n_parameters


def reference(name: str, state: dict[str, Tensor], x: Tensor, votes: int) -> Tensor:
    """Return the output of the network with these weights, one timestep after another."""
    potentials: dict[str, Tensor] = {}

    def fire(layer: str, current: Tensor) -> Tensor:
        before = potentials.get(layer, torch.zeros_like(current))
        rate = state[f"{layer}.neuron.w"].sigmoid() if name == "plif-snn-5" else 0.5
        potential = before + (current - before) * rate
        spikes = (potential >= 1.0).to(x.dtype)
        potentials[layer] = potential * (1 - spikes)
        return spikes

    outputs = []
    for frame in x:
        maps = frame
        for n in range(1, 6):
            if n > 1:
                pool = functional.max_pool2d if name == "plif-snn-5" else functional.avg_pool2d
                maps = pool(maps, 2)
            maps = functional.conv2d(maps, state[f"conv{n}.conv.weight"], padding=1)
            maps = functional.batch_norm(
                maps,
                *(state[f"conv{n}.bn.{key}"] for key in ("running_mean", "running_var")),
                *(state[f"conv{n}.bn.{key}"] for key in ("weight", "bias")),
            )
            maps = fire(f"conv{n}", maps)
        vector = functional.max_pool2d(maps, 2).flatten(1)
        for n in (1, 2):
            weights = (state[f"fc{n}.linear.{key}"] for key in ("weight", "bias"))
            vector = fire(f"fc{n}", functional.linear(vector, *weights))
        outputs.append(functional.avg_pool1d(vector[:, None], votes, votes)[:, 0])
    return torch.stack(outputs).mean(0)


@pytest.mark.parametrize("name", NETWORKS)
def test_it_is_what_its_definition_says(name: str) -> None:
    network = small(name).double()
    x = torch.poisson(torch.full((4, 3, 2, 32, 32), 1.0, dtype=torch.float64))
    with torch.no_grad():
        output = network(x)
        expected = reference(name, network.state_dict(), x, votes=2)
    torch.testing.assert_close(output, expected)
    assert 0 < expected.mean() < 1
    assert expected.std() > 0


def test_the_neurons_are_spikingjelly_s_with_the_published_defaults() -> None:
    for name, kind in zip(NETWORKS, (neuron.ParametricLIFNode, neuron.LIFNode), strict=True):
        network = build_network(name, **SMALL)
        neurons = [module for module in network.modules() if isinstance(module, neuron.BaseNode)]
        assert [type(module) for module in neurons] == [kind] * 7
        for module in neurons:
            assert (module.v_threshold, module.v_reset, module.decay_input) == (1.0, 0.0, True)
        tau = neurons[0].tau if name == "lif-snn-5" else 1 / neurons[0].w.sigmoid().item()
        assert tau == pytest.approx(2.0)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("attention", ATTENTIONS)
def test_each_attention_runs_and_learns(name: str, attention: str) -> None:
    network = small(name, attention=attention, mask="straight-through").train()
    output = network(torch.poisson(torch.full((4, 2, 2, 32, 32), 1.0)))
    assert output.shape == (2, 3)
    output.square().sum().backward()
    for key, parameter in network.named_parameters():
        assert parameter.grad is not None, key
    n_attentions = sum(isinstance(m, AdvanceSpatialAttention) for m in network.modules())
    assert n_attentions == (5 if attention.startswith("asa") else 0)


@pytest.mark.parametrize("name", NETWORKS)
def test_it_is_analysed(name: str) -> None:
    dataset = ToyDataset(3, n_timesteps=4, size=(32, 32))
    network = small(name, attention="asa-1", mask="batch-union")
    results = analyze(network, dataset, batch_size=2, options=QUICK)
    layers = [*(f"conv{n}.neuron" for n in range(1, 6)), "fc1.neuron", "fc2.neuron"]
    assert list(results.firing_rates) == layers
    assert results.firing_rates["conv5.neuron"]["n_sfr"].shape == (4, 4, 2, 2)
    assert all(float(results.firing_rates[layer]["nasfr"]) > 0 for layer in layers)


def test_average_pooled_spikes_are_no_spikes() -> None:
    dataset = ToyDataset(2, n_timesteps=4, size=(32, 32))
    shares = {}
    for name in NETWORKS:
        synapses = analyze(small(name), dataset, options=QUICK).synapses
        layer = synapses.sel(synapse="conv3.conv")
        shares[name] = float(layer["input_nonbinary"] / layer["input_elements"])
    assert shares["plif-snn-5"] == 0.0
    assert shares["lif-snn-5"] > 0.05


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"input_size": "31x32"}, "halves its maps 5 times and needs an input of at least 32 x 32"),
        ({"attention": "asa"}, "attention must be one of none, asa-1"),
        ({"mask": "union"}, "mask must be one of per-sample"),
        ({"surrogate_gradient": "relu"}, "surrogate_gradient must be one of rectangle, arctan"),
        ({"votes": 0}, "votes greater than 0"),
        ({"tau": 1.0}, "tau greater than 1"),
        ({"widths": (4, 4, 0, 4, 4)}, "widths greater than 0"),
    ],
)
@pytest.mark.parametrize("name", NETWORKS)
def test_arguments_that_make_no_network_are_refused(
    name: str, arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=f"{name}.*{message}"):
        build_network(name, **arguments)


def test_votes_of_a_class_are_neighbours() -> None:
    network = small("plif-snn-5")
    spikes: list[Tensor] = []
    network.fc2.register_forward_hook(lambda module, args, out: spikes.append(out))
    with torch.no_grad():
        output = network(torch.poisson(torch.full((4, 2, 2, 32, 32), 1.0)))
    votes = spikes[0].numpy()  # (time, sample, 2 * class)
    np.testing.assert_allclose(output, (votes[..., ::2] + votes[..., 1::2]).mean(0) / 2, rtol=1e-6)
