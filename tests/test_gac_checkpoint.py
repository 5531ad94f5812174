"""Checkpoints of the published GAC code, in the shapes they come in."""

import pytest
import torch
from torch import nn

from redundancy.checkpoint import load_checkpoint
from redundancy.checkpoint_formats import read_gac, recognise_format
from redundancy.errors import CheckpointError
from tests.published_gac import CIFARNetwork, ImageNetNetwork

pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")

CASES = {
    "cifar": (
        "gac-ms-resnet-18-cifar",
        lambda: CIFARNetwork((4, 5, 6, 8), 7, n_timesteps=4),
        {"widths": (4, 5, 6, 8), "n_timesteps": 4, "n_classes": 7, "gate_kernel": 4},
    ),
    "imagenet-18": (
        "gac-ms-resnet-18",
        lambda: ImageNetNetwork((4, 5, 6, 7, 8), (2, 2, 2, 2), 5, n_timesteps=6),
        {"widths": (4, 5, 6, 7, 8), "n_timesteps": 6, "n_classes": 5, "gate_kernel": 4},
    ),
    "imagenet-34": (
        "gac-ms-resnet-34",
        lambda: ImageNetNetwork((4, 4, 4, 4, 4), (3, 4, 6, 3), 3, n_timesteps=2, kernel=3),
        {"widths": (4, 4, 4, 4, 4), "n_timesteps": 2, "n_classes": 3, "gate_kernel": 3},
    ),
}


def published(case, seed=0):
    """Return the published network with lively weights, in evaluation mode."""
    torch.manual_seed(seed)
    network = CASES[case][1]()
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            nn.init.uniform_(module.weight, 0.8, 1.6)
            nn.init.uniform_(module.bias, 0.0, 0.6)
            nn.init.normal_(module.running_mean, 0, 0.1)
            nn.init.uniform_(module.running_var, 0.05, 0.2)
    return network.eval()


def saved(path, content):
    torch.save(content, path)
    return path


def wrapped(state, wrapping):
    if wrapping == "module":
        return {f"module.{key}": value for key, value in state.items()}
    if wrapping == "net":
        return {"net": dict(state), "optimizer": {}, "epoch": 3, "max_test_acc": 0.5}
    return state


@pytest.mark.parametrize("case", sorted(CASES))
@pytest.mark.parametrize("wrapping", ["plain", "module", "net"])
def test_it_becomes_the_same_network(case, wrapping, tmp_path):
    name, _, arguments = CASES[case]
    theirs = published(case)
    path = saved(tmp_path / "best.pth", wrapped(theirs.state_dict(), wrapping))
    checkpoint = load_checkpoint(path)
    assert (checkpoint.format, checkpoint.network) == ("gac", name)
    assert {key: checkpoint.network_arguments[key] for key in arguments} == arguments
    ours = checkpoint.build_network()
    image = torch.randn(3, 3, 32, 32)
    with torch.no_grad():
        expected = theirs(image)
        scores = ours(image.repeat(arguments["n_timesteps"], 1, 1, 1, 1))
    assert expected.std() > 0.01
    torch.testing.assert_close(scores, expected, rtol=1e-4, atol=1e-5)


def test_weights_stand_under_several_keys_as_published():
    state = published("cifar").state_dict()
    for alias in ("conv1_s.layer.module.weight", "layer1.0.downsample.layer.module.weight"):
        assert alias in state
    assert state["conv1.weight"] is not None
    assert torch.equal(state["conv1.weight"], state["conv1_s.layer.module.weight"])
    norms = [key for key in state if key.startswith(("bn1.", "conv1_s.bn.")) and "mean" in key]
    assert len(norms) == 4


@pytest.mark.parametrize("dropped", [r"_s.", "seqbn", ".bn.bn."])
def test_one_name_of_every_weight_is_enough(dropped):
    state = published("cifar").state_dict()
    marks = {"conv1_s.layer.module.weight", "layer1.0.downsample.bn.bn.weight"}
    kept = {key: value for key, value in state.items() if dropped not in key or key in marks}
    assert len(kept) < len(state)
    assert set(read_gac(kept).state_dict) == set(read_gac(state).state_dict)


def test_two_values_of_one_weight_are_refused():
    state = dict(published("cifar").state_dict())
    state["conv1_s.layer.module.weight"] = state["conv1.weight"] + 1
    with pytest.raises(CheckpointError, match=r"two different values.*conv1\.weight and conv1_s"):
        read_gac(state)


def test_without_an_encoder_the_number_of_timesteps_is_open(tmp_path):
    state = CIFARNetwork((4, 4, 4, 4), 3, 2, encoder=False).state_dict()
    checkpoint = load_checkpoint(
        saved(tmp_path / "a.pth", state), network_arguments={"n_timesteps": 2}
    )
    assert checkpoint.network_arguments["encoder"] is False
    assert checkpoint.network_arguments["n_timesteps"] == 2
    assert "--network-arg n_timesteps=T" in checkpoint.notes[0]
    checkpoint.build_network()


class TestRefusals:
    def test_missing_and_unexpected_weights_are_listed(self, tmp_path):
        state = dict(published("imagenet-18").state_dict())
        state["conv3_x.1.conv2.bias"] = torch.zeros(6)
        del state["conv4_x.0.bn2.bn.running_var"]
        checkpoint = load_checkpoint(saved(tmp_path / "a.pth", state))
        missing = r"layer3\.0\.bn2\.running_var is missing; conv3_x\.1\.conv2\.bias is unexpected"
        with pytest.raises(CheckpointError, match=missing):
            checkpoint.build_network()

    @pytest.mark.parametrize(
        ("key", "value", "message"),
        [
            ("fc1.weight", torch.zeros(3), "becomes fc.weight, of 2 dimensions"),
            ("conv1.0.weight", "text", "is a str, not a tensor"),
            ("encoding.TA.sharedMLP.2.weight", torch.zeros(3), "encoder.gate.temporal.2.weight"),
        ],
    )
    def test_misshapen_weights(self, key, value, message):
        state = {**published("imagenet-18").state_dict(), key: value}
        state = {
            name: v for name, v in state.items() if name == key or not name.startswith("fc1_s")
        }
        with pytest.raises(CheckpointError, match=message):
            read_gac(state)

    def test_other_numbers_of_blocks(self):
        state = ImageNetNetwork((4, 4, 4, 4, 4), (1, 2, 2, 2), 3, 2).state_dict()
        with pytest.raises(CheckpointError, match=r"stages of 1, 2, 2, 2 blocks"):
            read_gac(state)

    @pytest.mark.parametrize("content", [{}, {"conv1.weight": torch.zeros(1)}, [1, 2]])
    def test_other_checkpoints(self, content):
        with pytest.raises(CheckpointError, match="not of format gac"):
            read_gac(content)
        with pytest.raises(CheckpointError, match="no format that is known"):
            recognise_format(content)
