"""What each process does in tests/test_distributed_training.py, where torchrun starts it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch

from redundancy import torchrun
from redundancy.datasets.base import Batch
from redundancy.networks import build_network
from redundancy.terminal import errors_as_sentences
from redundancy.training import Recipe, train
from redundancy.training.distributed import Processes, joined_processes
from redundancy.training.learner import Learner
from tests.toy import ToyDataset, tiny_network_arguments

# The later ones do not divide evenly, or are smaller than there are processes.
BATCHES = (8, 7, 1)
CASES: tuple[tuple[str, str, str], ...] = (
    # network, attention, optimizer
    ("lif-snn-3", "none", "sgd"),
    ("lif-snn-3", "asa-1", "adam"),
)


def steps(processes: Processes, network: str, attention: str, optimizer: str) -> dict[str, Any]:
    """Take a step for each batch, with batch normalisation frozen, and return the weights."""
    torch.manual_seed(3)
    built = build_network(network, **tiny_network_arguments(attention=attention))
    for module in built.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.constant_(module.bias, 0.3)  # so that neurons fire
    recipe = Recipe(optimizer=optimizer, learning_rate=1.0 if optimizer == "sgd" else 1e-2)
    data = ToyDataset(sum(BATCHES))
    assert data.labels is not None
    learner = Learner(built, recipe, processes, data.frame_shape)
    learner.begin_epoch()
    for module in built.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.eval()
    start = 0
    for size in BATCHES:
        chosen = np.arange(start, start + size)
        own = processes.part(chosen)
        taken = own if len(own) else chosen[:1]
        learner.step(data.frames[taken], data.labels[taken], len(own) / size)
        start += size
    return {key: tensor.clone() for key, tensor in built.state_dict().items()}


class Interrupted(ToyDataset):
    """Test samples in whose second reading Ctrl-C comes, in every process."""

    def batch(self, start: int, stop: int) -> Batch:
        n_reads = getattr(self, "n_reads", 0)
        if n_reads == (2, 1)[torchrun.rank()]:
            raise KeyboardInterrupt
        self.n_reads = n_reads + 1
        return super().batch(start, stop)


class Unreadable(ToyDataset):
    """Samples that process 1 cannot read."""

    def batch(self, start: int, stop: int) -> Batch:
        if torchrun.rank() == 1:
            raise OSError(5, "the disk of process 1 is broken")
        return super().batch(start, stop)


def training(path: Path, test_set: ToyDataset | None = None, **others: Any) -> dict[str, Any]:
    """Train with everything that draws random numbers."""
    return train(
        "lif-snn-3",
        tiny_network_arguments(dropout=(0.5,) * 5),
        others.pop("train_set", ToyDataset(27, split="train")),
        test_set or ToyDataset(11, seed=1),
        path,
        recipe=Recipe(epochs=3, batch_size=5, learning_rate=1e-2, shift=1, flip=True),
        device="cpu",
        **others,
    )


def measure(folder: Path) -> dict[str, Any]:
    """Return what this process has seen."""
    told: list[int] = []
    with joined_processes("cpu") as processes:
        seen: dict[str, Any] = {"steps": [steps(processes, *case) for case in CASES]}
        seen["record"] = training(
            folder / "whole.pt", on_epoch=lambda epoch, total: told.append(epoch.epoch)
        )
        try:
            training(folder / "resumed.pt", Interrupted(11, seed=1))
        except KeyboardInterrupt:
            seen["interrupted"] = True
        seen["resumed"] = training(folder / "resumed.pt", resume=True)
    return {**seen, "told": told}


def main() -> None:
    """Measure, or fail in one process."""
    folder = Path(sys.argv[2])
    with errors_as_sentences():
        if sys.argv[1] == "fail":
            training(folder / "failed.pt", train_set=Unreadable(27, split="train"))
        torch.save(measure(folder), folder / f"process{torchrun.rank()}.pt")


if __name__ == "__main__":
    main()
