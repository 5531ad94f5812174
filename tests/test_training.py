from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from redundancy.checkpoint import load_checkpoint
from redundancy.datasets import sampling
from redundancy.datasets.base import Batch
from redundancy.errors import CheckpointError, RedundancyError, UsageError
from redundancy.training import Epoch, Recipe, TrainingFiles, train
from tests.toy import TINY_NETWORK, ToyDataset

QUICK = Recipe(epochs=3, batch_size=8, learning_rate=1e-2, shift=1)


def train_toy(
    path: Path,
    recipe: Recipe = QUICK,
    train_set: ToyDataset | None = None,
    test_set: ToyDataset | None = None,
    network_arguments: dict[str, Any] | None = None,
    **others: Any,
) -> dict[str, Any]:
    return train(
        "lif-snn-3",
        {**TINY_NETWORK, **(network_arguments or {})},
        ToyDataset(24, split="train") if train_set is None else train_set,
        ToyDataset(12, seed=1) if test_set is None else test_set,
        path,
        recipe=recipe,
        device="cpu",
        **others,
    )


def assert_same_weights(first: Path, second: Path) -> None:
    a, b = load_checkpoint(first).state_dict, load_checkpoint(second).state_dict
    assert list(a) == list(b)
    for key in a:
        assert torch.equal(a[key], b[key]), key


def without_times(record: dict[str, Any]) -> dict[str, Any]:
    epochs = [{**epoch, "seconds": 0.0} for epoch in record["epochs"]]
    return {**record, "seconds": 0.0, "epochs": epochs}


def stop_after(n_epochs: int) -> Callable[[Epoch, int], None]:
    def on_epoch(epoch: Epoch, total: int) -> None:
        if epoch.epoch == n_epochs:
            raise KeyboardInterrupt

    return on_epoch


@pytest.fixture
def interrupted(tmp_path: Path) -> Path:
    """Return the path of a training that was interrupted after its first epoch."""
    path = tmp_path / "interrupted.pt"
    with pytest.raises(KeyboardInterrupt):
        train_toy(path, on_epoch=stop_after(1))
    return path


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


# Interruption


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
