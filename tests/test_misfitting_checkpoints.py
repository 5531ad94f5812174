"""Foreign checkpoints that fit in part, or not at all."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch

from redundancy.checkpoint import load_checkpoint
from redundancy.checkpoint_formats import read_asa_snn, recognise_format
from redundancy.errors import CheckpointError
from tests.published_asa import assert_same_network, misfitting_state, published_state, write


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
    assert not any("in part" in note for note in checkpoint.notes)
    assert checkpoint.format == "asa-snn"
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
