"""The training itself: epochs, checkpoints, record, resuming."""

from __future__ import annotations

import dataclasses
import json
import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from redundancy.checkpoint import Checkpoint, save_checkpoint
from redundancy.datasets.base import Dataset
from redundancy.datasets.sampling import RandomAccess, mirrored, shifted, slices
from redundancy.errors import UsageError
from redundancy.files import write_text
from redundancy.networks import build_network
from redundancy.provenance import versions
from redundancy.training.distributed import Processes, joined_processes
from redundancy.training.fitting import fit_to_data
from redundancy.training.learner import Learner
from redundancy.training.recipe import Epoch, Recipe, TrainingFiles
from redundancy.training.state import damaged_as_sentence, load_state, save_state

if TYPE_CHECKING:
    OnEpoch = Callable[[Epoch, int], None]
    OnBatch = Callable[[int, int], None]


def train(
    network: str,
    network_arguments: Mapping[str, Any],
    train_set: Dataset,
    test_set: Dataset,
    path: Path,
    *,
    recipe: Recipe = Recipe(),  # noqa: B008 (frozen)
    device: str = "auto",
    resume: bool = False,
    command: str = "",
    on_epoch: OnEpoch | None = None,
    on_batch: OnBatch | None = None,
) -> dict[str, Any]:
    """Train a network and write its checkpoints and record.

    In processes started by ``torchrun``, each takes a part of every batch; together they
    take the steps that one process would, but for batch normalisation and the random
    numbers of shifts, flips and dropout. See :mod:`redundancy.training.distributed`.

    Parameters
    ----------
    network : str
        Registered name.
    network_arguments : mapping
        Arguments; classes, timesteps and input shape are taken from `train_set`
        where they are not given.
    train_set, test_set : Dataset
    path : Path
        Of the final checkpoint (weights after the last epoch). Beside it come the best
        epoch's weights (``*.best.pt``), the state to resume from (``*.last.pt``, until
        the end) and the record (``*.training.json``).
    recipe : Recipe
    device : str
    resume : bool
        Go on from ``*.last.pt`` if it is there. The result is the same as without
        the interruption.
    command : str
        Written into the record.
    on_epoch, on_batch : callable, optional
        Called with (epoch, number of epochs) and (samples done, samples in all), in the
        first process alone.

    Returns
    -------
    dict
        The training record.

    Raises
    ------
    UsageError
        If the network does not fit the data, or the data has no labels.
    RedundancyError
        If another process of the training ends before it does.
    """
    complete = fit_to_data(network, network_arguments, train_set, test_set)
    with joined_processes(device) as processes:
        training = _Training(
            network, complete, train_set, test_set,
            TrainingFiles(Path(path)), recipe, processes, command,
        )  # fmt: skip
        if not processes.is_main:
            on_epoch = on_batch = None
        return training.run(resume, on_epoch, on_batch)


class _Training:
    """One training's moving parts."""

    def __init__(
        self,
        network: str,
        network_arguments: dict[str, Any],
        train_set: Dataset,
        test_set: Dataset,
        files: TrainingFiles,
        recipe: Recipe,
        processes: Processes,
        command: str,
    ) -> None:
        import torch

        torch.manual_seed(recipe.seed)
        self.processes = processes
        self.network_name, self.network_arguments = network, network_arguments
        self.train_set, self.test_set = train_set, test_set
        self.files, self.recipe, self.command = files, recipe, command
        built = build_network(network, **network_arguments).to(processes.device)
        self.learner = Learner(built, recipe, processes, train_set.frame_shape)
        self.samples = RandomAccess(train_set)
        self.epochs: list[Epoch] = []

    def run(
        self, resume: bool, on_epoch: OnEpoch | None, on_batch: OnBatch | None
    ) -> dict[str, Any]:
        if resume:
            self._resume()
        while len(self.epochs) < self.recipe.epochs:
            epoch = self._one_epoch(len(self.epochs), on_batch)
            self.epochs.append(epoch)
            self.learner.end_epoch()
            self._write_epoch(epoch)
            if on_epoch is not None:
                on_epoch(epoch, self.recipe.epochs)
        if self.processes.is_main:
            save_checkpoint(self.files.final, self._checkpoint())
            # Again, if the training was ended after its last epoch and before this.
            self._write_record()
            self.files.last.unlink(missing_ok=True)
        return self._record()

    def _one_epoch(self, index: int, on_batch: OnBatch | None) -> Epoch:
        began = time.monotonic()
        rank = self.processes.rank
        random = np.random.default_rng([self.recipe.seed, index])
        order = random.permutation(len(self.train_set))
        if rank:
            random = np.random.default_rng([self.recipe.seed, index, rank])
        total_loss, n_correct, n_done = 0.0, 0, 0
        self.learner.begin_epoch()
        for chosen in slices(order, self.recipe.batch_size):
            own = self.processes.part(chosen)
            # Every process must take part in every step, if only with a share of 0.
            frames, labels = self.samples.take(own if len(own) else chosen[:1])
            frames = shifted(frames, self.recipe.shift, random)
            frames = mirrored(frames, random) if self.recipe.flip else frames
            loss, correct = self.learner.step(frames, labels, len(own) / len(chosen))
            total_loss += loss * len(own)
            n_correct += correct if len(own) else 0
            n_done += len(chosen)
            if on_batch is not None:
                on_batch(n_done, len(order))
        total_loss, correct_of_all = self.processes.total([total_loss, n_correct])
        mean_loss = total_loss / n_done
        # A spike is 0 or 1 whatever the weights, so the loss alone can stay finite.
        if not (math.isfinite(mean_loss) and self.learner.is_finite()):
            raise UsageError(
                f"training diverged in epoch {index + 1} (loss {mean_loss}); "
                "try a smaller --learning-rate"
            )
        return Epoch(
            epoch=index + 1,
            loss=mean_loss,
            train_accuracy=int(correct_of_all) / n_done,
            test_accuracy=self.learner.test_accuracy(self.test_set),
            seconds=time.monotonic() - began,
        )

    def _write_epoch(self, epoch: Epoch) -> None:
        state = {
            **self.learner.state_dict(),
            "epochs": [dataclasses.asdict(e) for e in self.epochs],
        }
        if not self.processes.is_main:
            return
        if epoch.test_accuracy > max((e.test_accuracy for e in self.epochs[:-1]), default=-1.0):
            save_checkpoint(self.files.best, self._checkpoint())
        save_state(self.files.last, state, self._identity())
        self._write_record()

    def _write_record(self) -> None:
        write_text(self.files.record, json.dumps(self._record(), indent=1) + "\n")

    def _resume(self) -> None:
        last = self.files.last
        state = self.processes.from_main(
            lambda: load_state(last, self._identity()) if last.exists() else None
        )
        if state is not None:
            with damaged_as_sentence(last):
                self.learner.load_state_dict(state)
                self.epochs = [Epoch(**epoch) for epoch in state["epochs"]]

    def _record(self) -> dict[str, Any]:
        best = max(self.epochs, key=lambda epoch: epoch.test_accuracy)
        return {
            "command": self.command,
            "network": {"name": self.network_name, "arguments": self.network_arguments},
            "dataset": {
                "name": self.train_set.name,
                "arguments": dict(self.train_set.arguments),
                "n_train": len(self.train_set),
                "n_test": len(self.test_set),
            },
            "recipe": dataclasses.asdict(self.recipe),
            "device": self.processes.device_name(),
            "n_processes": self.processes.count,
            "versions": versions(),
            "final_test_accuracy": self.epochs[-1].test_accuracy,
            "best_test_accuracy": best.test_accuracy,
            "best_epoch": best.epoch,
            "seconds": sum(epoch.seconds for epoch in self.epochs),
            "epochs": [dataclasses.asdict(epoch) for epoch in self.epochs],
        }

    def _checkpoint(self) -> Checkpoint:
        return Checkpoint(
            network=self.network_name,
            network_arguments=self.network_arguments,
            state_dict=self.learner.network.state_dict(),
            dataset=self.train_set.name,
            dataset_arguments=dict(self.train_set.arguments),
            training_record=self._record(),
        )

    def _identity(self) -> dict[str, Any]:
        """Return what must be equal for a training to be the same one."""
        return {
            "network": self.network_name,
            "network_arguments": self.network_arguments,
            "dataset": self.train_set.name,
            "dataset_arguments": dict(self.train_set.arguments),
            "recipe": dataclasses.asdict(self.recipe),
            "n_processes": self.processes.count,
        }
