"""Checkpoints of the published ASA-SNN code, in the shapes they come in."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from redundancy.checkpoint import Checkpoint, load_checkpoint
from redundancy.checkpoint_formats import CHECKPOINT_FORMATS, read_asa_snn, recognise_format
from redundancy.errors import CheckpointError
from redundancy.networks import build_network, network_arguments
from tests.toy import oracle_file, tiny_network_arguments

# Our names, part by part, and the published ones.
PUBLISHED = (
    (r"conv(\d)\.(conv|bn)\.", "ConvAttLIFs.{n}.{part}.0."),
    (r"conv(\d)\.(attention)\.average_weight", "ConvAttLIFs.{n}.attn.alpha"),
    (r"conv(\d)\.(attention)\.maximum_weight", "ConvAttLIFs.{n}.attn.beta"),
    (r"conv(\d)\.(attention)\.importance\.", "ConvAttLIFs.{n}.attn.fc."),
    (r"conv(\d)\.(attention)\.first_attention\.", "ConvAttLIFs.{n}.attn.conv1."),
    (r"conv(\d)\.(attention)\.second_attention\.", "ConvAttLIFs.{n}.attn.conv2."),
    (r"fc(\d)\.(linear)\.", "FCs.{n}.linear.0."),
)


def published_name(key: str, names: tuple[tuple[str, str], ...] = PUBLISHED) -> str:
    for pattern, template in names:
        if match := re.match(pattern, key):
            return template.format(n=int(match[1]) - 1, part=match[2]) + key[match.end() :]
    raise KeyError(key)


# The same of the 5-layer networks.
PUBLISHED_5 = (
    (r"conv(\d)\.(conv|bn)\.", "ConvAttLIFs.{n}.0.{part}.0."),
    (r"conv(\d)\.(neuron)\.", "ConvAttLIFs.{n}.0.spike.0."),
    *(
        (pattern, template.replace("{n}.attn", "{n}.0.attn"))
        for pattern, template in PUBLISHED[1:6]
    ),
    (r"fc(\d)\.(linear)\.", "FCs.{n}.1.fc."),
    (r"fc(\d)\.(neuron)\.", "FCs.{n}.1.spike.0."),
)


def published_state_5(name: str, **arguments: Any) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return the weights of a small 5-layer network under our and the published names."""
    torch.manual_seed(0)
    sizes = {"n_classes": 3, "hidden": 6, "widths": (3, 4, 5, 4, 3), "input_size": (64, 64)}
    ours = build_network(name, **{**sizes, **arguments}).state_dict()
    return ours, {published_name(key, PUBLISHED_5): tensor for key, tensor in ours.items()}


def published_state(seed: int = 0, **arguments: Any) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return the weights of one network under our names and under the published ones."""
    torch.manual_seed(seed)
    network = build_network("lif-snn-3", **tiny_network_arguments(**arguments))
    ours = network.state_dict()
    theirs = {published_name(key): tensor for key, tensor in ours.items()}
    return ours, theirs


def unused_weights() -> dict[str, Tensor]:
    """Return the 117 numbers of attention in the neurons that the published code never calls."""
    per_layer = {"alpha": 1, "beta": 1, "fc.weight": 1, "conv1.weight": 18, "conv2.weight": 18}
    return {
        f"ConvAttLIFs.{n}.spike.0.attn.{name}": torch.ones(size)
        for n in range(3)
        for name, size in per_layer.items()
    }


def write(path: Path, content: object) -> Path:
    torch.save(content, path)
    return path


def assert_same_network(checkpoint: Checkpoint, ours: dict[str, Tensor]) -> None:
    built = checkpoint.build_network().state_dict()
    assert list(built) == list(ours)
    for key, tensor in ours.items():
        assert torch.equal(built[key], tensor), key


@pytest.mark.parametrize("attention", ["none", "asa-1"])
@pytest.mark.parametrize(
    "style",
    ["flat", "net", "model", "state_dict", "module.", "net of module.", ".module.", ".0.module."],
)  # fmt: skip
def test_every_style_of_keys_gives_the_same_network(
    tmp_path: Path, attention: str, style: str
) -> None:
    ours, theirs = published_state(attention=attention)
    content: dict[str, Any] = dict(theirs)
    if style in (".module.", ".0.module."):
        content = {
            re.sub(r"\.(conv|bn|linear)\.0\.", rf".\1{style}", key): tensor
            for key, tensor in content.items()
        }
        assert any(f".conv{style}weight" in key for key in content)
    if style.endswith("module.") and not style.startswith("."):
        content = {f"module.{key}": tensor for key, tensor in content.items()}
    if style.split()[0] in ("net", "model", "state_dict"):
        content = {style.split()[0]: content, "epoch": 3, "max_test_acc": 0.9}
    path = write(tmp_path / "net.pth", content)
    for checkpoint_format in ("auto", "asa-snn"):
        checkpoint = load_checkpoint(path, checkpoint_format=checkpoint_format)
        assert checkpoint.format == "asa-snn"
        assert checkpoint.network == "lif-snn-3"
        assert_same_network(checkpoint, ours)


def test_weights_that_were_never_used_are_dropped(tmp_path: Path) -> None:
    ours, theirs = published_state(attention="asa-1")
    unused = unused_weights()
    assert sum(tensor.numel() for tensor in unused.values()) == 117
    checkpoint = load_checkpoint(write(tmp_path / "net.pth", {**theirs, **unused}))
    assert_same_network(checkpoint, ours)


@pytest.mark.parametrize("reduction", [1, 2, 3])
def test_arguments_follow_from_the_shapes(tmp_path: Path, reduction: int) -> None:
    _, theirs = published_state(
        n_classes=7,
        n_timesteps=6,
        size=(12, 12),
        widths=(3, 4, 5),
        hidden=9,
        input_channels=1,
        attention="asa-1",
        reduction=reduction,
    )
    checkpoint = load_checkpoint(write(tmp_path / "net.pth", theirs))
    assert checkpoint.network_arguments == {
        **network_arguments("lif-snn-3"),
        "n_classes": 7,
        "n_timesteps": 6,
        "attention": "asa-1",
        "input_size": (12, 12),
        "input_channels": 1,
        "widths": (3, 4, 5),
        "hidden": 9,
        "reduction": reduction,
        "mask": "batch-union",
    }
    assert checkpoint.frame_shape == (6, 1, 12, 12)
    assert checkpoint.dataset is None


def test_a_reduction_that_does_not_divide_t_is_found(tmp_path: Path) -> None:
    ours, theirs = published_state(n_timesteps=7, attention="asa-1", reduction=3)
    checkpoint = load_checkpoint(write(tmp_path / "net.pth", theirs))
    assert checkpoint.network_arguments["n_timesteps"] == 7
    assert_same_network(checkpoint, ours)


def test_what_the_file_leaves_open_can_be_given(tmp_path: Path) -> None:
    ours, theirs = published_state(n_timesteps=9, size=(8, 24))
    path = write(tmp_path / "net.pth", theirs)
    guessed = load_checkpoint(path)
    assert guessed.frame_shape[2:] == (12, 16)  # nearest to a square
    assert any("give --network-arg input_size" in note for note in guessed.notes)
    given = {"n_timesteps": "9", "input_size": "24x8"}
    checkpoint = load_checkpoint(path, network_arguments=given)
    assert checkpoint.frame_shape == (9, 2, 24, 8)
    assert_same_network(checkpoint, ours)
    with pytest.raises(CheckpointError, match=r"fc1\.linear\.weight has shape"):
        load_checkpoint(path, network_arguments={"input_size": "8x8"}).build_network()


@pytest.mark.parametrize("n_timesteps", [5, 60])
def test_it_is_analysed_with_the_masks_it_was_trained_with(
    tmp_path: Path, n_timesteps: int
) -> None:
    _, theirs = published_state(attention="asa-1", n_timesteps=n_timesteps)
    path = write(tmp_path / "net.pth", theirs)
    checkpoint = load_checkpoint(path)
    assert checkpoint.build_network().conv2.attention.mask == "batch-union"
    (note,) = checkpoint.notes
    assert re.search(r"joined over each batch \(mask=batch-union\).*mask=per-sample takes", note)
    other = load_checkpoint(path, network_arguments={"mask": "per-sample"})
    assert other.build_network().conv2.attention.mask == "per-sample"
    (note,) = other.notes
    assert "per sample, as the paper defines them" in note


def test_a_network_without_attention_has_no_masks_to_speak_of(tmp_path: Path) -> None:
    _, theirs = published_state()
    checkpoint = load_checkpoint(write(tmp_path / "net.pth", theirs))
    assert checkpoint.notes == ()
    assert checkpoint.network_arguments["mask"] == "per-sample"


def test_asa_2_is_read(tmp_path: Path) -> None:
    ours, theirs = published_state(attention="asa-2")
    path = write(tmp_path / "net.pth", theirs)
    checkpoint = load_checkpoint(path, network_arguments={"n_timesteps": 5})
    assert checkpoint.network_arguments["attention"] == "asa-2"
    assert_same_network(checkpoint, ours)
    assert any("do not say for how many timesteps" in note for note in checkpoint.notes)


# Networks of five layers


@pytest.mark.parametrize("name", ["plif-snn-5", "lif-snn-5"])
@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"attention": "asa-1", "n_timesteps": 7},
        {"attention": "asa-1", "n_timesteps": 8, "reduction": 4, "n_classes": 5},
    ],
)
@pytest.mark.parametrize("style", [".0.", ".module.", ".0.module."])
def test_five_layers_are_read(
    tmp_path: Path, name: str, arguments: dict[str, Any], style: str
) -> None:
    ours, theirs = published_state_5(name, **arguments)
    theirs = {
        re.sub(r"\.(conv|bn|spike)\.0\.", rf".\1{style}", key): tensor
        for key, tensor in theirs.items()
    }
    checkpoint = load_checkpoint(write(tmp_path / "net.pth", {"net": theirs, "epoch": 1}))
    assert checkpoint.network == name
    expected = {"n_classes": 3, "hidden": 6, "widths": (3, 4, 5, 4, 3), "input_size": (64, 64)}
    if arguments:
        expected["mask"] = "batch-union"
    assert checkpoint.network_arguments == {
        **network_arguments(name),
        **expected,
        **arguments,
    }
    assert_same_network(checkpoint, ours)


@pytest.mark.parametrize("size", [(130, 173), (260, 346)])
def test_frames_of_the_camera_of_daily_action_are_known(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    ours, theirs = published_state_5("plif-snn-5", input_size=size)
    checkpoint = load_checkpoint(write(tmp_path / "net.pth", theirs))
    assert checkpoint.frame_shape[2:] == size
    assert_same_network(checkpoint, ours)
    assert f"{size[0]} x {size[1]} (y, x)" in checkpoint.notes[0]


# What does not fit


def misfitting_state() -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return our weights, and the published ones with one missing, one new, one misshapen."""
    ours, theirs = published_state()
    theirs = dict(theirs)
    del theirs["FCs.1.linear.0.bias"]
    theirs["ConvAttLIFs.1.attn.sa.conv.weight"] = torch.ones(1)
    theirs["ConvAttLIFs.0.bn.0.bias"] = torch.ones(9)
    return ours, theirs


def test_what_does_not_fit_is_listed_and_refused(tmp_path: Path) -> None:
    _, theirs = misfitting_state()
    checkpoint = load_checkpoint(write(tmp_path / "net.pth", theirs))
    with pytest.raises(CheckpointError) as caught:
        checkpoint.build_network()
    for phrase in (
        "fc2.linear.bias is missing",
        "ConvAttLIFs.1.attn.sa.conv.weight is unexpected",
        "conv1.bn.bias has shape (9,), expected (4,)",
        "take what fits with --partial",
    ):
        assert phrase in str(caught.value)


def test_what_fits_is_taken_on_request(tmp_path: Path) -> None:
    ours, theirs = misfitting_state()
    path = write(tmp_path / "net.pth", theirs)
    checkpoint = load_checkpoint(path, partial=True)
    (note,) = [note for note in checkpoint.notes if note.startswith("loaded in part: 3 weights")]
    for name in ("fc2.linear.bias", "ConvAttLIFs.1.attn.sa.conv.weight", "conv1.bn.bias"):
        assert name in note
    assert checkpoint.format == "asa-snn, in part"
    built = checkpoint.build_network().state_dict()
    assert list(built) == list(ours)
    for key, tensor in ours.items():
        if key not in ("fc2.linear.bias", "conv1.bn.bias"):
            assert torch.equal(built[key], tensor), key
    assert built["conv1.bn.bias"].shape == (4,)


def test_what_is_missing_starts_alike_each_time_and_draws_from_no_one(tmp_path: Path) -> None:
    _, theirs = misfitting_state()
    checkpoint = load_checkpoint(write(tmp_path / "net.pth", theirs), partial=True)
    random = torch.random.get_rng_state()
    first = checkpoint.build_network().state_dict()
    assert torch.equal(torch.random.get_rng_state(), random)
    torch.manual_seed(9)
    second = checkpoint.build_network().state_dict()
    assert all(torch.equal(first[key], tensor) for key, tensor in second.items())


def test_a_whole_checkpoint_in_part_is_whole(tmp_path: Path) -> None:
    ours, theirs = published_state()
    checkpoint = load_checkpoint(write(tmp_path / "net.pth", theirs), partial=True)
    assert (checkpoint.notes, checkpoint.format) == ((), "asa-snn")
    assert_same_network(checkpoint, ours)


def test_nothing_that_fits_is_refused_in_part_too(tmp_path: Path) -> None:
    ours, _ = published_state()
    checkpoint = load_checkpoint(write(tmp_path / "net.pth", published_state()[1]))
    stranger = dataclasses.replace(
        checkpoint, state_dict={"a": ours["fc2.linear.bias"]}, partial=True
    )
    with pytest.raises(CheckpointError, match="no weight of the checkpoint fits lif-snn-3"):
        stranger.build_network()


def test_one_weight_under_two_names_is_refused(tmp_path: Path) -> None:
    _, theirs = published_state()
    twice = {**theirs, "ConvAttLIFs.0.conv.module.weight": theirs["ConvAttLIFs.0.conv.0.weight"]}
    with pytest.raises(CheckpointError, match="holds one weight twice"):
        load_checkpoint(write(tmp_path / "net.pth", twice))


@pytest.mark.parametrize(
    "change",
    [
        lambda state: {**state, "ConvAttLIFs.3.conv.0.weight": torch.ones(6, 6, 3, 3)},
        lambda state: {k: v for k, v in state.items() if not k.startswith("ConvAttLIFs.2.")},
        lambda state: {k: v for k, v in state.items() if not k.startswith("FCs.1.")},
        lambda state: {k: v for k, v in state.items() if not k.startswith("FCs.")},
    ],
    ids=["four convolutions", "two convolutions", "one linear layer", "no linear layer"],
)
def test_another_architecture_is_refused(tmp_path: Path, change: Any) -> None:
    _, theirs = published_state()
    with pytest.raises(CheckpointError, match="has another architecture"):
        load_checkpoint(write(tmp_path / "net.pth", change(theirs)))


def test_a_third_linear_layer_is_refused_when_built(tmp_path: Path) -> None:
    _, theirs = published_state()
    extra = {"FCs.2.linear.0.weight": torch.ones(3, 3)}
    with pytest.raises(CheckpointError, match=r"fc3\.linear\.weight is unexpected"):
        load_checkpoint(write(tmp_path / "net.pth", {**theirs, **extra})).build_network()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("ConvAttLIFs.0.conv.0.weight", 3),
        ("ConvAttLIFs.0.conv.0.weight", torch.ones(4)),
        ("FCs.0.linear.0.weight", torch.tensor(1.0)),
        ("FCs.1.linear.0.weight", "text"),
        ("FCs.0.linear.0.weight", torch.ones(0, 24)),
        ("FCs.0.linear.0.weight", torch.ones(12, 3)),
        ("ConvAttLIFs.2.conv.0.weight", torch.ones(0, 6, 3, 3)),
        ("ConvAttLIFs.0.attn.fc.weight", torch.ones(3)),
        ("ConvAttLIFs.0.attn.fc.0.weight", torch.ones(0, 5)),
    ],
)
def test_weights_of_impossible_shapes_are_refused(tmp_path: Path, key: str, value: object) -> None:
    _, theirs = published_state()
    with pytest.raises(CheckpointError):
        load_checkpoint(write(tmp_path / "net.pth", {**theirs, key: value})).build_network()


@pytest.mark.parametrize(
    "content",
    [
        {"conv1.weight": torch.ones(3), "fc.bias": torch.ones(2)},
        {},
        {"net": {"features.0.weight": torch.ones(3)}},
        [torch.ones(3)],
        torch.ones(3),
        3,
        None,
    ],
    ids=["other keys", "empty", "wrapped other keys", "list", "tensor", "number", "none"],
)
def test_other_objects_are_of_no_known_format(tmp_path: Path, content: object) -> None:
    with pytest.raises(
        CheckpointError, match=r"no format that is known here \(redundancy, asa-snn"
    ):
        recognise_format(content)
    with pytest.raises(CheckpointError, match="no format that is known here"):
        load_checkpoint(write(tmp_path / "net.pth", content))
    with pytest.raises(CheckpointError, match="not of format asa-snn"):
        read_asa_snn(content)


def test_the_keys_that_were_seen_are_shown() -> None:
    with pytest.raises(CheckpointError, match=r"it holds conv1\.weight, fc\.bias"):
        recognise_format({"conv1.weight": 1, "fc.bias": 2})


def test_formats_are_registered_by_name() -> None:
    assert CHECKPOINT_FORMATS.get("asa-snn") is read_asa_snn


# The published network itself


@pytest.mark.parametrize(
    ("weights", "numbers", "given"),
    [
        ("A_vanilla_T6.pth", "A_vanilla_T6.npz", {"n_timesteps": 6}),
        ("A_asa_T6.pth", "A_asa_T6.npz", {}),
        ("A_asa_T6.pth", "A_asa_T6_persample.npz", {"mask": "per-sample"}),
    ],
)
def test_the_published_network_gives_the_same_logits(
    weights: str, numbers: str, given: dict[str, Any]
) -> None:
    checkpoint = load_checkpoint(oracle_file(weights), network_arguments=given)
    assert checkpoint.network_arguments["n_classes"] == 20
    assert checkpoint.network_arguments["widths"] == (64, 128, 128)
    assert checkpoint.frame_shape == (6, 2, 32, 32)
    expected: NDArray[np.float32] = np.load(oracle_file(numbers))["logits"]
    # Both networks were run on the same inputs.
    fields = np.load(oracle_file("A_vanilla_T6.npz"))
    shape = fields["inputs_shape"]
    frames = np.unpackbits(fields["inputs_packed"])[: shape.prod()].reshape(shape)
    with torch.inference_mode():
        rates = checkpoint.build_network()(torch.from_numpy(frames).float().transpose(0, 1))
    np.testing.assert_array_equal(rates.numpy(), expected)
    assert np.ptp(expected) > 0
