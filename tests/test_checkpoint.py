from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from redundancy.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from redundancy.errors import CheckpointError, StorageError, UsageError
from redundancy.networks import build_network, complete_arguments
from tests.honesty.small_disk import files_of_at_most
from tests.toy import tiny_network_arguments

RECORD = {"command": "analyze train", "epochs": [{"epoch": 1, "loss": 0.25}], "seconds": 1.5}


def make_checkpoint(**arguments: Any) -> Checkpoint:
    torch.manual_seed(4)
    complete = complete_arguments("lif-snn-3", tiny_network_arguments(**arguments))
    return Checkpoint(
        network="lif-snn-3",
        network_arguments=complete,
        state_dict=build_network("lif-snn-3", **complete).state_dict(),
        dataset="toy",
        dataset_arguments={"seed": 3, "dt": 15.0, "binary": False, "size": None},
        training_record=RECORD,
    )


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "net.pt"
    save_checkpoint(path, make_checkpoint())
    return path


def change(path: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    """Rewrite a checkpoint with its content edited in place."""
    content = torch.load(path, weights_only=True)
    edit(content)
    torch.save(content, path)


def open_and_build(path: Path) -> None:
    load_checkpoint(path).build_network()


# What comes back


@pytest.mark.parametrize("attention", ["none", "asa-1"])
def test_what_is_saved_comes_back_to_the_bit(tmp_path: Path, attention: str) -> None:
    checkpoint = make_checkpoint(attention=attention)
    path = tmp_path / "new folder" / "net.pt"
    save_checkpoint(path, checkpoint)
    loaded = load_checkpoint(path)
    for field in dataclasses.fields(Checkpoint):
        if field.name not in ("state_dict", "sha256"):
            assert getattr(loaded, field.name) == getattr(checkpoint, field.name), field.name
    assert list(loaded.state_dict) == list(checkpoint.state_dict)
    for key, tensor in checkpoint.state_dict.items():
        assert loaded.state_dict[key].dtype == tensor.dtype
        assert torch.equal(loaded.state_dict[key], tensor), key
    assert loaded.format == "redundancy"
    assert loaded.frame_shape == (5, 2, 8, 8)


def test_the_network_comes_back_for_evaluation(saved: Path) -> None:
    network = load_checkpoint(saved).build_network()
    assert not any(module.training for module in network.modules())
    for key, tensor in make_checkpoint().state_dict.items():
        assert torch.equal(network.state_dict()[key], tensor), key


def test_a_checkpoint_without_a_dataset_comes_back(tmp_path: Path) -> None:
    checkpoint = dataclasses.replace(make_checkpoint(), dataset=None, dataset_arguments={})
    save_checkpoint(tmp_path / "net.pt", checkpoint)
    loaded = load_checkpoint(tmp_path / "net.pt")
    assert loaded.dataset is None
    assert loaded.dataset_arguments == {}


def test_anyone_can_open_it_safely_and_read_it(saved: Path) -> None:
    content = torch.load(saved, weights_only=True)
    assert content["format"] == "redundancy-checkpoint"
    assert content["format_version"] == 2
    assert content["network"]["name"] == "lif-snn-3"
    assert content["network"]["arguments"]["widths"] == (4, 6, 6)
    assert content["dataset"]["name"] == "toy"
    assert content["training_record"] == RECORD


def test_sha256_is_that_of_the_file(saved: Path) -> None:
    assert load_checkpoint(saved).sha256 == hashlib.sha256(saved.read_bytes()).hexdigest()
    assert make_checkpoint().sha256 == ""


def test_arguments_can_be_overridden(saved: Path) -> None:
    loaded = load_checkpoint(saved, network_arguments={"v_threshold": "0.5"})
    assert loaded.network_arguments["v_threshold"] == 0.5
    assert loaded.build_network().conv1.neuron.v_threshold == 0.5


def test_the_format_can_be_named(saved: Path) -> None:
    assert load_checkpoint(saved, checkpoint_format="redundancy").network == "lif-snn-3"
    with pytest.raises(CheckpointError, match="not of format asa-snn"):
        load_checkpoint(saved, checkpoint_format="asa-snn")
    with pytest.raises(UsageError, match="no checkpoint format named 'asasnn'"):
        load_checkpoint(saved, checkpoint_format="asasnn")


def test_foreign_weights_are_not_ours(tmp_path: Path) -> None:
    torch.save({"weight": torch.zeros(3)}, tmp_path / "net.pt")
    with pytest.raises(CheckpointError, match="not a checkpoint written by this project"):
        load_checkpoint(tmp_path / "net.pt", checkpoint_format="redundancy")


# What opens but does not make sense


@pytest.mark.parametrize("version", [3, 0, None, "1.0", True])
def test_another_version_is_refused(saved: Path, version: object) -> None:
    change(saved, lambda content: content.update(format_version=version))
    with pytest.raises(
        CheckpointError, match=rf"format version {version!r}; .* reads versions 1 to 2"
    ):
        load_checkpoint(saved)


@pytest.mark.parametrize("key", ["network", "dataset", "state_dict", "training_record"])
def test_a_missing_part_is_named(saved: Path, key: str) -> None:
    change(saved, lambda content: content.pop(key))
    with pytest.raises(CheckpointError, match=rf"damaged: '{key}' is missing"):
        load_checkpoint(saved)


@pytest.mark.parametrize("key", ["name", "arguments"])
@pytest.mark.parametrize("part", ["network", "dataset"])
def test_a_missing_name_is_named(saved: Path, part: str, key: str) -> None:
    change(saved, lambda content: content[part].pop(key))
    with pytest.raises(CheckpointError, match=f"'{key}' is missing"):
        load_checkpoint(saved)


@pytest.mark.parametrize("value", [3, "text", ["text"]], ids=repr)
@pytest.mark.parametrize(
    "part",
    ["network", "network/name", "network/arguments", "dataset", "dataset/arguments", "state_dict",
     "state_dict/fc1.linear.bias", "training_record"],
)  # fmt: skip
def test_a_part_of_another_type_is_refused(saved: Path, part: str, value: object) -> None:
    outer, _, inner = part.partition("/")

    def edit(content: dict[str, Any]) -> None:
        if inner:
            content[outer][inner] = value
        else:
            content[outer] = value

    change(saved, edit)
    with pytest.raises((CheckpointError, UsageError)):
        open_and_build(saved)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"hiden": 3}, "no argument 'hiden'.*Did you mean 'hidden'"),
        ({"hidden": "many"}, "argument 'hidden' takes a value like 256"),
        ({"attention": "asa-9"}, "attention must be one of"),
    ],
)
def test_wrong_network_arguments_are_refused(
    saved: Path, arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        load_checkpoint(saved, network_arguments=arguments).build_network()
    change(saved, lambda content: content["network"]["arguments"].update(arguments))
    with pytest.raises((UsageError, CheckpointError), match=f"{message}|is not what was saved"):
        open_and_build(saved)


def test_an_unknown_network_is_refused(saved: Path) -> None:
    change(saved, lambda content: content["network"].update(name="lif-snn-33"))
    with pytest.raises(
        UsageError, match=r"no network named 'lif-snn-33'.*Did you mean 'lif-snn-3'"
    ):
        load_checkpoint(saved)


def test_weights_that_do_not_fit_are_listed() -> None:
    checkpoint = make_checkpoint()
    state = dict(checkpoint.state_dict)
    state["fc3.linear.bias"] = state.pop("fc2.linear.bias")
    state["fc1.linear.bias"] = torch.zeros(13)
    with pytest.raises(CheckpointError) as caught:
        dataclasses.replace(checkpoint, state_dict=state).build_network()
    message = str(caught.value)
    assert "fc2.linear.bias is missing" in message
    assert "fc3.linear.bias is unexpected" in message
    assert "fc1.linear.bias has shape (13,), expected (12,)" in message
    assert "--network-arg" in message


def test_a_long_list_of_misfits_is_shortened() -> None:
    checkpoint = dataclasses.replace(make_checkpoint(), state_dict={})
    n_weights = len(make_checkpoint().state_dict)
    with pytest.raises(CheckpointError, match=f"and {n_weights - 6} more"):
        checkpoint.build_network()


# Saving


def test_a_failed_save_leaves_the_old_checkpoint_and_nothing_else(saved: Path) -> None:
    before = saved.read_bytes()
    with files_of_at_most(1000), pytest.raises(StorageError, match="takes no more data"):
        save_checkpoint(saved, make_checkpoint(n_classes=4))
    with files_of_at_most(1000), pytest.raises(StorageError, match="takes no more data"):
        save_checkpoint(saved.with_name("other.pt"), make_checkpoint())
    assert saved.read_bytes() == before
    assert [path.name for path in saved.parent.iterdir()] == [saved.name]


def test_saving_replaces_an_older_checkpoint(saved: Path) -> None:
    save_checkpoint(saved, make_checkpoint(n_classes=4))
    assert load_checkpoint(saved).network_arguments["n_classes"] == 4
