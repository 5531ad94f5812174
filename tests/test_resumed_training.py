"""An interrupted training goes on as if it never was, or says why it cannot."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from redundancy.errors import CheckpointError, UsageError
from redundancy.training import Recipe, TrainingFiles
from tests.toy import ToyDataset
from tests.toy_training import QUICK, assert_same_weights, stop_after, train_toy, without_times


@pytest.fixture
def interrupted(tmp_path: Path) -> Path:
    """Return the path of a training that was interrupted after its first epoch."""
    path = tmp_path / "interrupted.pt"
    with pytest.raises(KeyboardInterrupt):
        train_toy(path, on_epoch=stop_after(1))
    return path


def test_an_interrupted_training_leaves_what_it_needs_to_go_on(interrupted: Path) -> None:
    files = TrainingFiles(interrupted)
    assert not files.final.exists()
    assert files.last.exists()
    assert len(json.loads(files.record.read_text())["epochs"]) == 1


@pytest.mark.parametrize("where", ["after an epoch", "within an epoch"])
def test_a_resumed_training_gives_the_bits_of_an_uninterrupted_one(
    tmp_path: Path, where: str
) -> None:
    whole = train_toy(tmp_path / "whole.pt")
    path = tmp_path / "interrupted.pt"
    calls = 0

    def stop_in_the_second_epoch(done: int, total: int) -> None:
        nonlocal calls
        calls += 1
        if calls == 5:
            raise KeyboardInterrupt

    stop = (
        {"on_epoch": stop_after(1)}
        if where == "after an epoch"
        else {"on_batch": stop_in_the_second_epoch}
    )
    with pytest.raises(KeyboardInterrupt):
        train_toy(path, **stop)
    resumed = train_toy(path, resume=True)
    assert_same_weights(path, tmp_path / "whole.pt")
    assert_same_weights(TrainingFiles(path).best, TrainingFiles(tmp_path / "whole.pt").best)
    assert without_times(resumed) == without_times(whole)
    assert not TrainingFiles(path).last.exists()


def test_resuming_runs_only_the_epochs_that_are_missing(interrupted: Path) -> None:
    epochs: list[int] = []
    train_toy(interrupted, resume=True, on_epoch=lambda epoch, _: epochs.append(epoch.epoch))
    assert epochs == [2, 3]


def test_resume_starts_anew_where_nothing_was_interrupted(tmp_path: Path) -> None:
    train_toy(tmp_path / "plain.pt")
    train_toy(tmp_path / "resumed.pt", resume=True)
    assert_same_weights(tmp_path / "plain.pt", tmp_path / "resumed.pt")


def test_without_resume_an_interrupted_training_starts_anew(interrupted: Path) -> None:
    record = train_toy(interrupted, Recipe(epochs=1, batch_size=8))
    assert len(record["epochs"]) == 1
    assert not TrainingFiles(interrupted).last.exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"recipe": Recipe(**{**vars(QUICK), "seed": 1})},
        {"recipe": Recipe(**{**vars(QUICK), "epochs": 4})},
        {"network_arguments": {"attention": "asa-1"}},
        {"train_set": ToyDataset(24, seed=5, split="train")},
    ],
    ids=["seed", "epochs", "network", "dataset"],
)
def test_a_training_with_other_settings_cannot_be_resumed(
    interrupted: Path, changes: dict[str, Any]
) -> None:
    with pytest.raises(UsageError, match=r"last\.pt belongs to a training with other settings"):
        train_toy(interrupted, resume=True, **changes)
    assert TrainingFiles(interrupted).last.exists()


def spoil_end(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-200])


def spoil_all(path: Path) -> None:
    path.write_text("no checkpoint")


def spoil_key(path: Path) -> None:
    state = torch.load(path, weights_only=True)
    del state["optimizer"]
    torch.save(state, path)


def spoil_weights(path: Path) -> None:
    state = torch.load(path, weights_only=True)
    state["network"].popitem()
    torch.save(state, path)


@pytest.mark.parametrize("spoil", [spoil_end, spoil_all, spoil_key, spoil_weights])
def test_a_damaged_state_is_refused_with_a_sentence(
    interrupted: Path, spoil: Callable[[Path], None]
) -> None:
    last = TrainingFiles(interrupted).last
    spoil(last)
    with pytest.raises(CheckpointError, match=r"cannot be resumed from .*delete it to start anew"):
        train_toy(interrupted, resume=True)
