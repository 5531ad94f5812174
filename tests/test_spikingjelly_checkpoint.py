"""Checkpoints of SpikingJelly's examples and models, and of our networks saved alike."""

from __future__ import annotations

import argparse
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from spikingjelly.activation_based import functional, neuron, surrogate
from spikingjelly.activation_based.model import parametric_lif_net
from torch import Tensor, nn

from redundancy.checkpoint import load_checkpoint
from redundancy.checkpoint_formats import CHECKPOINT_FORMATS, read_spikingjelly
from redundancy.errors import CheckpointError
from redundancy.networks import build_network
from tests.toy import tiny_network_arguments


def dvs_gesture_net(kind: type[nn.Module]) -> nn.Module:
    """Return the network of the example classify_dvsg, with lively weights."""
    torch.manual_seed(3)
    network = parametric_lif_net.DVSGestureNet(
        channels=4, spiking_neuron=kind, surrogate_function=surrogate.ATan(), detach_reset=True
    )
    functional.set_step_mode(network, "m")
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 1.0, 3.0)
            nn.init.uniform_(module.bias, 0.0, 1.5)
        if isinstance(module, nn.Linear):
            nn.init.uniform_(module.weight, -0.3, 0.3)
            nn.init.uniform_(module.bias, 0.0, 3.0)
        if isinstance(module, neuron.ParametricLIFNode):
            nn.init.uniform_(module.w, -0.5, 1.0)
    return network.eval()


def as_example(network: nn.Module) -> dict[str, Any]:
    """Return what the examples save after an epoch."""
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 64)
    return {
        "net": network.state_dict(),
        "optimizer": optimizer.state_dict(),
        "lr_scheduler": schedule.state_dict(),
        "epoch": 3,
        "max_test_acc": 0.93,
    }


def as_trainer(network: nn.Module) -> dict[str, Any]:
    """Return what the trainer for ImageNet saves: with the command's arguments."""
    content = as_example(network)
    content["model"] = content.pop("net")
    content["args"] = argparse.Namespace(
        T=4, lr=0.1, model="sew_resnet18", data_path="/data", x=[1]
    )
    content["max_test_acc1"] = np.float64(70.5)
    return content


def saved(path: Path, content: object) -> Path:
    torch.save(content, path)
    return path


@pytest.mark.parametrize(
    ("kind", "name", "pooling"),
    [
        (neuron.ParametricLIFNode, "plif-snn-5", {}),
        (neuron.LIFNode, "lif-snn-5", {"pooling": "maximum"}),
    ],
)
@pytest.mark.parametrize("save", [as_example, as_trainer, nn.Module.state_dict])
def test_dvs_gesture_net_gives_the_same_scores(
    tmp_path: Path, kind: type[nn.Module], name: str, pooling: dict[str, str], save: Any
) -> None:
    theirs = dvs_gesture_net(kind)
    checkpoint = load_checkpoint(saved(tmp_path / "checkpoint_max.pth", save(theirs)))
    assert (checkpoint.format, checkpoint.network) == ("spikingjelly", name)
    expected = {"n_classes": 11, "widths": (4,) * 5, "input_size": (128, 128), **pooling}
    assert {key: checkpoint.network_arguments[key] for key in expected} == expected
    frames = torch.poisson(torch.full((3, 2, 2, 128, 128), 0.4))
    with torch.inference_mode():
        scores = theirs(frames).mean(0)
        assert torch.equal(checkpoint.build_network()(frames), scores)
    assert scores.std() > 0.01
    assert any("taken to be LIF neurons" in note for note in checkpoint.notes) == bool(pooling)


def sew_state(**arguments: Any) -> dict[str, Tensor]:
    torch.manual_seed(0)
    sizes = {"widths": (2, 3, 4, 5), "n_classes": 7, "n_timesteps": 2}
    return build_network("sew-resnet-18", **{**sizes, **arguments}).state_dict()


@pytest.mark.parametrize("channels", [2, 3])
def test_sew_resnet_18_is_read(tmp_path: Path, channels: int) -> None:
    # Its names are SpikingJelly's: tests/networks/test_sew_resnet.py loads them into its model.
    state = sew_state(input_channels=channels)
    checkpoint = load_checkpoint(saved(tmp_path / "a.pth", {"model": state, "epoch": 3}))
    assert (checkpoint.format, checkpoint.network) == ("spikingjelly", "sew-resnet-18")
    arguments = checkpoint.network_arguments
    assert (arguments["input_channels"], arguments["n_classes"]) == (channels, 7)
    assert (arguments["widths"], arguments["neuron"]) == ((2, 3, 4, 5), "lif")
    built = checkpoint.build_network().state_dict()
    assert all(torch.equal(built[key], value) for key, value in state.items())
    assert "taken for a SEW-ResNet-18" in checkpoint.notes[0]
    assert "v_threshold=1.0, tau=2.0, neuron=lif" in checkpoint.notes[-1]


def test_neurons_of_sew_resnet_18(tmp_path: Path) -> None:
    path = saved(tmp_path / "plif.pth", {"net": sew_state(neuron="plif")})
    checkpoint = load_checkpoint(path)
    assert checkpoint.network_arguments["neuron"] == "plif"
    assert isinstance(checkpoint.build_network().sn1, neuron.ParametricLIFNode)
    path = saved(tmp_path / "if.pth", {"net": sew_state(neuron="if")})
    network = load_checkpoint(path, network_arguments={"neuron": "if"}).build_network()
    assert type(network.layer2[0].downsample_sn) is type(network.sn1) is neuron.IFNode
    assert network.sn1.v_threshold == 1.0
    assert network.sn1.v_reset == 0.0


OURS = {
    "lif-snn-3": tiny_network_arguments(),
    "plif-snn-5": {"widths": (3, 4, 5, 4, 3), "hidden": 6, "n_classes": 3, "input_size": (64, 32)},
    "lif-snn-5": {"widths": (3, 4, 5, 4, 3), "hidden": 6, "n_classes": 3, "input_size": (64, 64)},
    "sew-resnet-18": {"widths": (2, 3, 4, 5), "n_classes": 7},
    "gac-ms-resnet-18-cifar": {"widths": (2, 3, 4, 5), "n_classes": 7},
    "gac-ms-resnet-18": {"widths": (2, 3, 4, 5, 6), "n_classes": 7},
    "gac-ms-resnet-34": {"widths": (2, 3, 4, 5, 6), "n_classes": 7},
}
CASES = [
    *((name, {**OURS[name], "n_timesteps": 6}) for name in OURS),
    *((name, {**OURS[name], "encoder": False}) for name in OURS if name.startswith("gac")),
    *(
        (name, {**OURS[name], "n_timesteps": 6, "attention": attention})
        for name in OURS
        if not name.startswith("gac")
        for attention in ("asa-1", "asa-2", "sa", "tcsa")
    ),
]


@pytest.mark.parametrize(("name", "arguments"), CASES)
@pytest.mark.parametrize("wrapping", ["net", "module."])
def test_our_networks_saved_the_same_way_are_read(
    tmp_path: Path, name: str, arguments: dict[str, Any], wrapping: str
) -> None:
    torch.manual_seed(1)
    state = build_network(name, **arguments).state_dict()
    content = {wrapping: state} if wrapping == "net" else {f"module.{k}": state[k] for k in state}
    open_arguments = {"n_timesteps": 6, "input_size": arguments.get("input_size", (96, 96))}
    checkpoint = load_checkpoint(
        saved(tmp_path / "a.pth", content), network_arguments=open_arguments
    )
    assert (checkpoint.format, checkpoint.network) == ("spikingjelly", name)
    for key in ("attention", "encoder", "widths"):
        if key in arguments:
            assert checkpoint.network_arguments[key] == arguments[key]
    assert checkpoint.network_arguments.get("mask", "per-sample") == "per-sample"
    built = checkpoint.build_network().state_dict()
    assert list(built) == list(state)
    assert all(torch.equal(built[key], value) for key, value in state.items())


@pytest.mark.parametrize("attention", ["asa-2", "sa"])
def test_attention_that_does_not_tell_its_timesteps_says_so(tmp_path: Path, attention: str) -> None:
    state = build_network("lif-snn-3", **tiny_network_arguments(attention=attention)).state_dict()
    notes = load_checkpoint(saved(tmp_path / "a.pth", {"net": state})).notes
    assert any("do not say for how many timesteps" in note for note in notes)


# What is refused, in a sentence


def sequence(channels: int, n_convolutions: int) -> dict[str, Tensor]:
    """Return weights as those of SpikingJelly's other networks with `conv_fc`."""
    state: dict[str, Tensor] = {}
    for n in range(n_convolutions):
        state[f"conv_fc.{4 * n}.weight"] = torch.ones(channels, channels, 3, 3)
        state[f"conv_fc.{4 * n + 1}.weight"] = torch.ones(channels)
    return {**state, "conv_fc.10.weight": torch.ones(8, 4)}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (parametric_lif_net.MNISTNet(2, neuron.LIFNode).state_dict(), "places 0, 1, 4, 5, 10, 13"),
        (sequence(2, 2), "DVSGestureNet is known, with five convolutions.*redundancy.analyze"),
        (
            {k: v for k, v in sew_state().items() if not k.startswith("layer4.1")},
            "stages of 2, 2, 2, 1 residual blocks; of these networks sew-resnet-18 is known",
        ),
        ({**sew_state(), "layer1.0.conv3.weight": torch.ones(1)}, "of two convolutions"),
        ({**sew_state(), "fc.weight": torch.ones(1)}, "becomes fc.weight, of 2 dimensions"),
        ({**sew_state(), "fc.bias": "text"}, "fc.bias of the spikingjelly checkpoint is a str"),
        ({"layer.1.weight": torch.ones(10, 784)}, "has no key that starts with conv_fc"),
        ([1], "has no key that starts with conv_fc"),
    ],
)
def test_other_networks_are_refused_in_a_sentence(content: Any, message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        read_spikingjelly(content)


def test_missing_and_unexpected_weights_are_listed(tmp_path: Path) -> None:
    state = dict(dvs_gesture_net(neuron.LIFNode).state_dict())
    del state["conv_fc.22.bias"]
    state["head.bias"] = torch.ones(3)
    path = saved(tmp_path / "a.pth", {"net": state})
    with pytest.raises(CheckpointError, match=r"fc1\.linear\.bias is missing; head\.bias is unexp"):
        load_checkpoint(path).build_network()
    load_checkpoint(path, partial=True).build_network()


def test_the_example_with_one_layer_is_told_what_to_do(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.pth", {"net": {"layer.1.weight": torch.ones(10, 784)}})
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(path)
    assert "it holds layer.1.weight" in str(caught.value)
    assert "redundancy.analyze(network, dataset)" in str(caught.value)


class Spy:
    """Does something when it is unpickled."""

    def __reduce__(self) -> Any:
        return print, ("opened",)


@pytest.mark.parametrize("harmful", [Spy(), argparse.Namespace(inner=Spy()), Path("folder")])
def test_other_objects_are_still_refused(
    tmp_path: Path, harmful: object, capsys: pytest.CaptureFixture[str]
) -> None:
    path = saved(tmp_path / "a.pth", {"net": {}, "args": harmful})
    with pytest.raises(CheckpointError, match="not a file of weights only"):
        load_checkpoint(path)
    assert capsys.readouterr().out == ""


def test_numbers_of_numpy_before_version_2_are_read(tmp_path: Path) -> None:
    state = {"net": sew_state(), "max_test_acc": np.float64(0.5), "best": np.int64(3)}
    path = saved(tmp_path / "a.pth", state)
    torch.save(state, path, _use_new_zipfile_serialization=False)
    content = path.read_bytes()
    assert b"numpy._core.multiarray" in content
    path.write_bytes(content.replace(b"numpy._core.multiarray", b"numpy.core.multiarray"))
    assert pickle.PROTO in path.read_bytes()
    assert load_checkpoint(path).network == "sew-resnet-18"


def test_the_format_is_registered() -> None:
    assert CHECKPOINT_FORMATS.get("spikingjelly") is read_spikingjelly
