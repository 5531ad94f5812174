"""Trainings of a second or two, and what is compared of them, for several tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from redundancy.checkpoint import load_checkpoint
from redundancy.training import Epoch, Recipe, train
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
