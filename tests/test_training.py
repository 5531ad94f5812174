from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from redundancy.checkpoint import load_checkpoint
from redundancy.datasets import sampling
from redundancy.datasets.base import Batch
from redundancy.errors import RedundancyError, UsageError
from redundancy.training import Recipe, TrainingFiles
from tests.toy import ToyDataset
from tests.toy_training import QUICK, assert_same_weights, train_toy, without_times

# Learning


@pytest.mark.parametrize(
    ("attention", "loss"), [("none", "mse"), ("asa-1", "mse"), ("none", "cross-entropy")]
)
def test_a_toy_problem_is_learned(tmp_path: Path, attention: str, loss: str) -> None:
    record = train_toy(
        tmp_path / "net.pt",
        Recipe(epochs=4, batch_size=16, learning_rate=2e-2, loss=loss, seed=1),
        ToyDataset(96, split="train"),
        ToyDataset(48, seed=1),
        {"attention": attention},
    )
    losses = [epoch["loss"] for epoch in record["epochs"]]
    assert losses[-1] < losses[0]
    # Chance is one in three.
    assert record["epochs"][-1]["train_accuracy"] > 0.6
    assert record["final_test_accuracy"] > 0.6


def test_the_accuracy_written_is_that_of_the_weights_written(tmp_path: Path) -> None:
    path, test_set = tmp_path / "net.pt", ToyDataset(12, seed=1)
    record = train_toy(path, test_set=test_set)
    frames = torch.from_numpy(test_set.frames).transpose(0, 1)
    assert test_set.labels is not None
    for file, accuracy in (
        (path, record["final_test_accuracy"]),
        (TrainingFiles(path).best, record["best_test_accuracy"]),
    ):
        with torch.inference_mode():
            predicted = load_checkpoint(file).build_network()(frames).argmax(1)
        assert (predicted.numpy() == test_set.labels).mean() == accuracy


def test_the_same_seed_gives_the_same_bits_and_another_seed_does_not(tmp_path: Path) -> None:
    records = [train_toy(tmp_path / f"{name}.pt") for name in ("first", "second")]
    train_toy(tmp_path / "other.pt", Recipe(**{**vars(QUICK), "seed": 1}))
    assert_same_weights(tmp_path / "first.pt", tmp_path / "second.pt")
    assert without_times(records[0]) == without_times(records[1])
    with pytest.raises(AssertionError):
        assert_same_weights(tmp_path / "first.pt", tmp_path / "other.pt")


def test_the_global_state_of_random_numbers_does_not_matter(tmp_path: Path) -> None:
    train_toy(tmp_path / "first.pt")
    torch.manual_seed(99)
    train_toy(tmp_path / "second.pt")
    assert_same_weights(tmp_path / "first.pt", tmp_path / "second.pt")


def test_every_epoch_takes_every_sample_once_in_an_order_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[int] = []

    class Watched(ToyDataset):
        def batch(self, start: int, stop: int) -> Batch:
            reads.extend(range(start, stop))
            return super().batch(start, stop)

    monkeypatch.setattr(sampling, "_CACHED_FRAME_BYTES", 0)
    train_toy(tmp_path / "net.pt", train_set=Watched(24, split="train"))
    epochs = [tuple(reads[start : start + 24]) for start in range(0, len(reads), 24)]
    assert len(epochs) == 3
    assert all(sorted(epoch) == list(range(24)) for epoch in epochs)
    assert len(set(epochs)) == 3


def test_progress_is_told(tmp_path: Path) -> None:
    epochs: list[tuple[int, int]] = []
    batches: list[tuple[int, int]] = []
    train_toy(
        tmp_path / "net.pt",
        Recipe(epochs=2, batch_size=16),
        on_epoch=lambda epoch, total: epochs.append((epoch.epoch, total)),
        on_batch=lambda done, total: batches.append((done, total)),
    )
    assert epochs == [(1, 2), (2, 2)]
    assert batches == [(16, 24), (24, 24)] * 2


# What is written


def test_the_record_is_complete_and_beside_the_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "nets" / "toy.pt"
    record = train_toy(path, command="analyze train --data toy")
    assert sorted(file.name for file in path.parent.iterdir()) == [
        "toy.best.pt",
        "toy.pt",
        "toy.training.json",
    ]
    assert record["command"] == "analyze train --data toy"
    assert record["network"]["name"] == "lif-snn-3"
    assert record["network"]["arguments"]["widths"] == (4, 6, 6)
    assert record["dataset"] == {
        "name": "toy",
        "arguments": ToyDataset(24).arguments,
        "n_train": 24,
        "n_test": 12,
    }
    assert record["recipe"] == vars(QUICK)
    assert record["recipe"]["seed"] == 0
    assert record["device"] == "cpu"
    assert record["versions"]["torch"].split("+")[0] == torch.__version__.split("+")[0]
    assert {"python", "redundancy", "spikingjelly", "numpy"} <= record["versions"].keys()
    assert [epoch["epoch"] for epoch in record["epochs"]] == [1, 2, 3]
    for epoch in record["epochs"]:
        assert 0 <= epoch["train_accuracy"] <= 1
        assert 0 <= epoch["test_accuracy"] <= 1
        assert epoch["seconds"] > 0
    assert record["seconds"] == pytest.approx(sum(e["seconds"] for e in record["epochs"]))
    accuracies = [epoch["test_accuracy"] for epoch in record["epochs"]]
    assert record["final_test_accuracy"] == accuracies[-1]
    assert record["best_test_accuracy"] == max(accuracies)
    assert record["best_epoch"] == 1 + accuracies.index(max(accuracies))
    text = TrainingFiles(path).record.read_text(encoding="utf-8")
    assert json.loads(text) == json.loads(json.dumps(record))


def test_the_checkpoint_says_what_it_was_trained_on(tmp_path: Path) -> None:
    path = tmp_path / "net.pt"
    record = train_toy(path)
    checkpoint = load_checkpoint(path)
    assert checkpoint.dataset == "toy"
    assert checkpoint.dataset_arguments == ToyDataset(24).arguments
    assert checkpoint.training_record == record
    assert checkpoint.frame_shape == (5, 2, 8, 8)
    assert checkpoint.network_arguments["n_classes"] == 3
    assert (
        len(load_checkpoint(TrainingFiles(path).best).training_record["epochs"])
        == (record["best_epoch"])
    )


# What is refused


@pytest.mark.parametrize("unlabelled", ["train_set", "test_set"])
def test_data_without_labels_is_refused(tmp_path: Path, unlabelled: str) -> None:
    with pytest.raises(UsageError, match="needs labels, and dataset toy has none"):
        train_toy(tmp_path / "net.pt", **{unlabelled: ToyDataset(12, labelled=False)})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("empty", ["train_set", "test_set"])
def test_data_without_samples_is_refused(tmp_path: Path, empty: str) -> None:
    with pytest.raises(UsageError, match="no samples"):
        train_toy(tmp_path / "net.pt", **{empty: ToyDataset(0)})


@pytest.mark.parametrize(
    "test_set",
    [
        ToyDataset(6, size=(16, 16)),
        ToyDataset(6, n_timesteps=4),
        ToyDataset(8, n_classes=4),
    ],
    ids=["size", "timesteps", "classes"],
)
def test_a_test_set_unlike_the_training_set_is_refused(
    tmp_path: Path, test_set: ToyDataset
) -> None:
    with pytest.raises(UsageError):
        train_toy(tmp_path / "net.pt", test_set=test_set)


@pytest.mark.parametrize(
    ("name", "value"),
    [("n_classes", 4), ("n_timesteps", 6), ("input_channels", 1), ("input_size", (16, 16))],
)
def test_network_arguments_that_do_not_fit_the_data_are_refused(
    tmp_path: Path, name: str, value: object
) -> None:
    with pytest.raises(UsageError) as caught:
        train_toy(tmp_path / "net.pt", network_arguments={name: value})
    assert f"{name}={value}" in str(caught.value)
    assert "does not fit dataset toy, which has" in str(caught.value)


@pytest.mark.parametrize("loss", ["mse", "cross-entropy"])
@pytest.mark.parametrize("learning_rate", [float("inf"), 1e30])
def test_a_training_that_diverges_is_refused(
    tmp_path: Path, learning_rate: float, loss: str
) -> None:
    # Spikes are 0 or 1 whatever the weights, so the loss alone stays finite.
    path = tmp_path / "net.pt"
    with pytest.raises(RedundancyError, match=r"learning.rate"):
        train_toy(path, Recipe(epochs=3, batch_size=8, learning_rate=learning_rate, loss=loss))
    assert not path.exists()


@pytest.mark.parametrize(
    "settings",
    [
        {"epochs": 0},
        {"batch_size": 0},
        {"shift": -1},
        {"seed": -1},
        {"learning_rate": 0.0},
        {"learning_rate": float("nan")},
        {"final_learning_rate": -1.0},
        {"weight_decay": -1.0},
        {"weight_decay": float("nan")},
    ],
    ids=str,
)
def test_a_recipe_out_of_range_is_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        Recipe(**settings)


def test_an_unknown_loss_is_refused() -> None:
    with pytest.raises(UsageError, match="loss must be one of mse, cross-entropy, got 'hinge'"):
        Recipe(loss="hinge")
