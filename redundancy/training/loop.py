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
from numpy.typing import NDArray

from redundancy.checkpoint import Checkpoint, save_checkpoint
from redundancy.datasets.base import Dataset, iterate_batches
from redundancy.datasets.sampling import RandomAccess, mirrored, shifted, slices
from redundancy.devices import resolve_device
from redundancy.errors import CheckpointError, UsageError
from redundancy.files import atomic_path, write_text
from redundancy.networks import build_network, complete_arguments
from redundancy.provenance import versions
from redundancy.training.recipe import Epoch, Recipe, TrainingFiles

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.optim import Optimizer


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
    on_epoch: Callable[[Epoch, int], None] | None = None,
    on_batch: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Train a network and write its checkpoints and record.

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
        Called with (epoch, number of epochs) and (samples done, samples in all).

    Returns
    -------
    dict
        The training record.

    Raises
    ------
    UsageError
        If the network does not fit the data, or the data has no labels.
    """
    return _Training(
        network, _fit_to_data(network, network_arguments, train_set, test_set), train_set, test_set,
        TrainingFiles(Path(path)), recipe, device, command,
    ).run(resume, on_epoch, on_batch)  # fmt: skip


def _fit_to_data(
    network: str, arguments: Mapping[str, Any], train_set: Dataset, test_set: Dataset
) -> dict[str, Any]:
    for dataset in (train_set, test_set):
        if dataset.n_classes is None:
            raise UsageError(f"training needs labels, and dataset {dataset.name} has none")
        if len(dataset) == 0:
            raise UsageError(f"the {dataset.split} split of dataset {dataset.name} has no samples")
    shapes = [(dataset.n_classes, dataset.frame_shape) for dataset in (train_set, test_set)]
    if shapes[0] != shapes[1]:
        raise UsageError(
            "training and test set must have the same classes and (time, channel, y, x), "
            f"got {shapes[0]} and {shapes[1]}"
        )
    n_timesteps, n_channels, height, width = train_set.frame_shape
    derived = {
        "n_classes": train_set.n_classes,
        "n_timesteps": n_timesteps,
        "input_channels": n_channels,
        "input_size": (height, width),
    }
    complete = complete_arguments(network, {**derived, **arguments})
    for name, value in derived.items():
        if complete[name] != value:
            raise UsageError(
                f"network argument {name}={complete[name]} does not fit dataset "
                f"{train_set.name}, which has {name}={value}"
            )
    return complete


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
        device: str,
        command: str,
    ) -> None:
        import torch

        torch.manual_seed(recipe.seed)
        self.device = resolve_device(device)
        self.network_name, self.network_arguments = network, network_arguments
        self.train_set, self.test_set = train_set, test_set
        self.files, self.recipe, self.command = files, recipe, command
        self.network: nn.Module = build_network(network, **network_arguments).to(self.device)
        self.optimizer = self._make_optimizer()
        self.schedule = torch.optim.lr_scheduler.CosineAnnealingLR(
            self.optimizer, T_max=recipe.epochs, eta_min=recipe.final_learning_rate
        )
        self.samples = RandomAccess(train_set)
        self.epochs: list[Epoch] = []

    def _make_optimizer(self) -> Optimizer:
        import torch

        parameters, recipe = self.network.parameters(), self.recipe
        rate, decay = recipe.learning_rate, recipe.weight_decay
        if recipe.optimizer == "sgd":
            return torch.optim.SGD(
                parameters, lr=rate, momentum=recipe.momentum, weight_decay=decay
            )
        return torch.optim.Adam(parameters, lr=rate, weight_decay=decay)

    def run(
        self,
        resume: bool,
        on_epoch: Callable[[Epoch, int], None] | None,
        on_batch: Callable[[int, int], None] | None,
    ) -> dict[str, Any]:
        if resume and self.files.last.exists():
            self._resume()
        while len(self.epochs) < self.recipe.epochs:
            epoch = self._one_epoch(len(self.epochs), on_batch)
            self.epochs.append(epoch)
            self.schedule.step()
            if epoch.test_accuracy > max((e.test_accuracy for e in self.epochs[:-1]), default=-1.0):
                save_checkpoint(self.files.best, self._checkpoint())
            self._save_state()
            write_text(self.files.record, json.dumps(self._record(), indent=1) + "\n")
            if on_epoch is not None:
                on_epoch(epoch, self.recipe.epochs)
        save_checkpoint(self.files.final, self._checkpoint())
        self.files.last.unlink(missing_ok=True)
        return self._record()

    def _one_epoch(self, index: int, on_batch: Callable[[int, int], None] | None) -> Epoch:
        began = time.monotonic()
        self.network.train()
        random = np.random.default_rng([self.recipe.seed, index])
        total_loss, n_correct, n_done = 0.0, 0, 0
        order = random.permutation(len(self.train_set))
        for chosen in slices(order, self.recipe.batch_size):
            frames, labels = self.samples.take(chosen)
            frames = shifted(frames, self.recipe.shift, random)
            frames = mirrored(frames, random) if self.recipe.flip else frames
            loss, correct = self._step(frames, labels)
            total_loss += loss * len(chosen)
            n_correct += correct
            n_done += len(chosen)
            if on_batch is not None:
                on_batch(n_done, len(order))
        mean_loss = total_loss / n_done
        # A spike is 0 or 1 whatever the weights, so the loss alone can stay finite.
        if not (math.isfinite(mean_loss) and self._is_finite()):
            raise UsageError(
                f"training diverged in epoch {index + 1} (loss {mean_loss}); "
                "try a smaller --learning-rate"
            )
        return Epoch(
            epoch=index + 1,
            loss=mean_loss,
            train_accuracy=n_correct / n_done,
            test_accuracy=self._test_accuracy(),
            seconds=time.monotonic() - began,
        )

    def _is_finite(self) -> bool:
        return all(bool(tensor.isfinite().all()) for tensor in self.network.state_dict().values())

    def _step(self, frames: NDArray[np.float32], labels: NDArray[np.int64]) -> tuple[float, int]:
        import torch
        from spikingjelly.activation_based import functional

        target = torch.from_numpy(labels).to(self.device)
        rates = self.network(self._to_input(frames))
        if self.recipe.loss == "mse":
            one_hot = torch.nn.functional.one_hot(target, rates.shape[1]).to(rates.dtype)
            loss = torch.nn.functional.mse_loss(rates, one_hot)
        else:
            loss = torch.nn.functional.cross_entropy(rates, target)
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        functional.reset_net(self.network)
        return float(loss.detach()), int((rates.argmax(1) == target).sum())

    def _to_input(self, frames: NDArray[np.float32]) -> Tensor:
        import torch

        return torch.from_numpy(frames).to(self.device).transpose(0, 1)

    def _test_accuracy(self) -> float:
        import torch
        from spikingjelly.activation_based import functional

        self.network.eval()
        n_correct = 0
        with torch.inference_mode():
            for batch in iterate_batches(self.test_set, self.recipe.batch_size):
                predicted = self.network(self._to_input(batch.frames)).argmax(1).cpu().numpy()
                n_correct += int((predicted == batch.labels).sum())
                functional.reset_net(self.network)
        return n_correct / len(self.test_set)

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
            "device": self._device_name(),
            "versions": versions(),
            "final_test_accuracy": self.epochs[-1].test_accuracy,
            "best_test_accuracy": best.test_accuracy,
            "best_epoch": best.epoch,
            "seconds": sum(epoch.seconds for epoch in self.epochs),
            "epochs": [dataclasses.asdict(epoch) for epoch in self.epochs],
        }

    def _device_name(self) -> str:
        import torch

        return torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else "cpu"

    def _checkpoint(self) -> Checkpoint:
        return Checkpoint(
            network=self.network_name,
            network_arguments=self.network_arguments,
            state_dict=self.network.state_dict(),
            dataset=self.train_set.name,
            dataset_arguments=dict(self.train_set.arguments),
            training_record=self._record(),
        )

    def _save_state(self) -> None:
        import torch

        state = {
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "epochs": [dataclasses.asdict(epoch) for epoch in self.epochs],
            "training": self._identity(),
        }
        with atomic_path(self.files.last) as temporary:
            torch.save(state, temporary)

    def _resume(self) -> None:
        import torch

        try:
            state = torch.load(self.files.last, map_location=self.device, weights_only=True)
            same = state["training"] == self._identity()
            if same:
                self.network.load_state_dict(state["network"])
                self.optimizer.load_state_dict(state["optimizer"])
                self.schedule.load_state_dict(state["schedule"])
                self.epochs = [Epoch(**epoch) for epoch in state["epochs"]]
        except Exception as error:
            raise CheckpointError(
                f"{self.files.last} cannot be resumed from ({type(error).__name__}); "
                "delete it to start anew"
            ) from error
        if not same:
            raise UsageError(
                f"{self.files.last} belongs to a training with other settings; "
                "delete it to start anew, or repeat the settings it was started with"
            )

    def _identity(self) -> dict[str, Any]:
        """Return what must be equal for a training to be the same one."""
        return {
            "network": self.network_name,
            "network_arguments": self.network_arguments,
            "dataset": self.train_set.name,
            "dataset_arguments": dict(self.train_set.arguments),
            "recipe": dataclasses.asdict(self.recipe),
        }
