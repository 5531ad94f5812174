"""Checkpoints of the published ASA-SNN code, in the shapes they come in."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from redundancy.checkpoint import load_checkpoint
from redundancy.checkpoint_formats import CHECKPOINT_FORMATS, read_asa_snn
from redundancy.errors import CheckpointError
from redundancy.networks import network_arguments
from tests.published_asa import (
    assert_same_network,
    published_state,
    published_state_5,
    unused_weights,
    write,
)
from tests.toy import oracle_file


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
    note = checkpoint.notes[0]
    assert re.search(r"joined over each batch \(mask=batch-union\).*mask=per-sample takes", note)
    other = load_checkpoint(path, network_arguments={"mask": "per-sample"})
    assert other.build_network().conv2.attention.mask == "per-sample"
    note = other.notes[0]
    assert "per sample, as the paper defines them" in note


def test_a_network_without_attention_has_no_masks_to_speak_of(tmp_path: Path) -> None:
    _, theirs = published_state()
    checkpoint = load_checkpoint(write(tmp_path / "net.pth", theirs))
    assert not any("masks" in note for note in checkpoint.notes)
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
