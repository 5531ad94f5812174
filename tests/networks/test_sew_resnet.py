"""SEW-ResNet-18: SpikingJelly's own network, and what the analysis makes of its sums."""

from __future__ import annotations

import sys
import types
from typing import Any

import pytest
import torch
from spikingjelly.activation_based import functional, neuron, surrogate
from torch import nn

from redundancy import AnalysisOptions, analyze
from redundancy.errors import UsageError
from redundancy.networks import build_network
from redundancy.networks.attention import ATTENTIONS
from tests.toy import ToyDataset

QUICK = AnalysisOptions(n_replicates=10)
SMALL = {"n_classes": 3, "n_timesteps": 4, "widths": (4, 6, 8, 8), "input_size": (24, 40)}


def small(**arguments: Any) -> nn.Module:
    """Return a small network whose layers all spike."""
    torch.manual_seed(0)
    network = build_network("sew-resnet-18", **{**SMALL, **arguments})
    with torch.no_grad():
        for key, weight in network.named_parameters():
            if "bn" in key or "downsample.1" in key:
                weight.fill_(2.0 if key.endswith("weight") else 1.0)
    return network.eval()


def count_parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_it_has_the_parameters_of_resnet_18() -> None:
    # 11,689,512 is the well-known count of three colours and a thousand classes.
    images = build_network("sew-resnet-18", n_classes=1000, input_channels=3)
    assert count_parameters(images) == 11_689_512
    events = 11_689_512 - 7 * 7 * 64 - 700 * 513
    assert count_parameters(build_network("sew-resnet-18")) == events == 11_327_276


@pytest.mark.parametrize(
    ("attention", "added"), [("asa-1", 4 * (2 + 64 + 36)), ("asa-2", 4 * 38), ("sa", 4 * 98)]
)
def test_attention_comes_once_a_stage(attention: str, added: int) -> None:
    network = build_network("sew-resnet-18", attention=attention)
    assert count_parameters(network) == 11_327_276 + added
    attentive = {name for name, _ in network.named_modules() if name.endswith(".attention")}
    assert attentive == {f"layer{n}.1.attention" for n in (1, 2, 3, 4)}


@pytest.fixture
def spikingjelly_model(monkeypatch: pytest.MonkeyPatch) -> Any:
    """SpikingJelly's module of this network, which needs torchvision for downloads only."""
    for name in ("torchvision", "torchvision.models", "torchvision.models.utils"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    monkeypatch.setattr(
        sys.modules["torchvision.models.utils"], "load_state_dict_from_url", None, raising=False
    )
    name = "spikingjelly.activation_based.model.sew_resnet"
    monkeypatch.delitem(sys.modules, name, raising=False)
    module = __import__(name, fromlist=["sew_resnet18"])
    monkeypatch.setitem(sys.modules, name, module)  # so that it goes again
    return module


def test_it_is_spikingjelly_s_network(spikingjelly_model: Any) -> None:
    theirs = spikingjelly_model.sew_resnet18(
        cnf="ADD",
        num_classes=7,
        spiking_neuron=neuron.LIFNode,
        surrogate_function=surrogate.ATan(),
    )
    functional.set_step_mode(theirs, "m")
    torch.manual_seed(1)
    ours = build_network("sew-resnet-18", n_classes=7, input_channels=3)
    with torch.no_grad():
        for key, weight in ours.named_parameters():
            if "bn" in key or "downsample.1" in key:
                weight.uniform_(0.5, 2.0)
    theirs.load_state_dict(ours.state_dict())
    x = torch.rand(3, 2, 3, 33, 40) * 3
    with torch.no_grad():
        output = ours.eval()(x)
        torch.testing.assert_close(output, theirs.eval()(x).mean(0))
    assert output.std() > 0


def test_sums_of_spikes_exceed_one_and_neurons_do_not() -> None:
    network = small()
    sums: list[float] = []
    network.layer1.register_forward_hook(lambda module, args, out: sums.append(out.max().item()))
    dataset = ToyDataset(3, n_timesteps=4, size=(24, 40))
    results = analyze(network, dataset, batch_size=2, options=QUICK)
    assert max(sums) >= 2.0
    assert len(results.firing_rates) == 1 + 4 * 4 + 3
    for name, node in results.firing_rates.items():
        assert 0 < float(node["n_sfr"].max()) <= 1, name
    synapses = results.synapses
    nonbinary = synapses["input_nonbinary"] / synapses["input_elements"]
    # Fed by a neuron alone, and by a sum.
    assert float(nonbinary.sel(synapse="layer2.0.conv2")) == 0.0
    assert float(nonbinary.sel(synapse="layer2.0.conv1")) > 0.0
    fed_by = str(synapses["fed_by"].sel(synapse="layer2.0.conv1").item()).split(", ")
    assert set(fed_by) >= {"layer1.1.sn2", "layer1.0.sn2", "sn1"}


@pytest.mark.parametrize("attention", ATTENTIONS[1:])
def test_it_is_analysed_with_attention_and_learns(attention: str) -> None:
    network = small(attention=attention, mask="straight-through")
    dataset = ToyDataset(2, n_timesteps=4, size=(24, 40))
    assert analyze(network, dataset, options=QUICK).n_spikes > 0
    output = network.train()(torch.from_numpy(dataset.frames).transpose(0, 1))
    assert output.shape == (2, 3)
    output.square().sum().backward()
    for key, parameter in network.named_parameters():
        assert parameter.grad is not None, key


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"attention": "asa"}, "attention must be one of none, asa-1"),
        ({"mask": "union"}, "mask must be one of per-sample"),
        ({"surrogate_gradient": "relu"}, "surrogate_gradient must be one of"),
        ({"tau": 0.5}, "tau greater than 1"),
        ({"n_classes": 0}, "n_classes greater than 0"),
    ],
)
def test_arguments_that_make_no_network_are_refused(
    arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=f"sew-resnet-18.*{message}"):
        build_network("sew-resnet-18", **arguments)
