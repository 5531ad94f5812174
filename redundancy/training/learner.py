"""A network that learns: one step of the optimizer at a time, in one or several processes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from redundancy.datasets.base import Batch, Dataset
from redundancy.datasets.checked_batch import UNLABELLED, read_batch
from redundancy.forward import reset_state
from redundancy.training.distributed import Processes
from redundancy.training.precision import MixedPrecision
from redundancy.training.recipe import Recipe

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.optim import Optimizer


class Learner:
    """A network, its optimizer and its schedule.

    Parameters
    ----------
    network : nn.Module
        On the device of `processes`; trained in place.
    recipe : Recipe
    processes : Processes
    frame_shape : tuple of int
        (time, channel, y, x) of every sample.
    """

    def __init__(
        self,
        network: nn.Module,
        recipe: Recipe,
        processes: Processes,
        frame_shape: tuple[int, int, int, int],
    ) -> None:
        import torch

        self.network = network
        self._recipe, self._processes = recipe, processes
        self._optimizer = _make_optimizer(network, recipe)
        self._schedule = torch.optim.lr_scheduler.CosineAnnealingLR(
            self._optimizer, T_max=recipe.epochs, eta_min=recipe.final_learning_rate
        )
        self._precision = MixedPrecision(recipe.precision, network, processes.device)
        # What is run in training: where there are several processes it averages gradients.
        self._trained = processes.wrap(network, frame_shape)
        if processes.rank:
            # Other units drop out in other processes.
            torch.manual_seed(recipe.seed + processes.rank)

    def begin_epoch(self) -> None:
        """Set the network to training."""
        self._trained.train()

    def step(
        self, frames: NDArray[np.float32], labels: NDArray[np.int64], share: float
    ) -> tuple[float, int]:
        """Learn from a batch, or from this process's part of one.

        Parameters
        ----------
        frames : ndarray, shape (sample, time, channel, y, x)
        labels : ndarray of int, shape (sample,)
        share : float
            Of the whole batch, in samples, 0 to 1: what its loss weighs among those of
            all processes.

        Returns
        -------
        float
            Mean loss of the samples.
        int
            Number of samples whose class was found.
        """
        import torch

        target = torch.from_numpy(labels).to(self._processes.device)
        with self._precision.forward():
            rates = self._trained(self._to_input(frames))
        rates = rates.float()
        if self._recipe.loss == "mse":
            one_hot = torch.nn.functional.one_hot(target, rates.shape[1]).to(rates.dtype)
            loss = torch.nn.functional.mse_loss(rates, one_hot)
        else:
            loss = torch.nn.functional.cross_entropy(rates, target)
        # The gradients of all processes are averaged, each as if its part were as large.
        weight = share * self._processes.count
        self._precision.update(loss if weight == 1 else loss * weight, self._optimizer)
        reset_state(self.network)
        return float(loss.detach()), int((rates.argmax(1) == target).sum())

    def end_epoch(self) -> None:
        """Take the schedule's step."""
        self._schedule.step()

    def is_finite(self) -> bool:
        """Tell whether every weight and running statistic is a finite number."""
        return all(bool(tensor.isfinite().all()) for tensor in self.network.state_dict().values())

    def test_accuracy(self, test_set: Dataset) -> float:
        """Return the share of labelled samples whose class is found, in float32."""
        import torch

        self._processes.share_buffers(self.network)
        self.network.eval()
        n_correct, n_labelled = 0, 0
        with torch.inference_mode():
            for batch in self._own_batches(test_set):
                predicted = self.network(self._to_input(batch.frames)).argmax(1).cpu().numpy()
                if batch.labels is not None:
                    n_correct += int((predicted == batch.labels).sum())
                    n_labelled += int((batch.labels != UNLABELLED).sum())
                reset_state(self.network)
        correct, labelled = self._processes.total([n_correct, n_labelled])
        return int(correct) / max(int(labelled), 1)

    def state_dict(self) -> dict[str, Any]:
        """Return all that the next epoch depends on; every process must call it."""
        return {
            "network": self.network.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "schedule": self._schedule.state_dict(),
            "precision": self._precision.state_dict(),
            "random": self._processes.gather(_random_states()),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state that :meth:`state_dict` returned."""
        self.network.load_state_dict(state["network"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._schedule.load_state_dict(state["schedule"])
        self._precision.load_state_dict(state["precision"])
        _restore_random_states(state["random"][self._processes.rank])

    def _own_batches(self, dataset: Dataset) -> Iterator[Batch]:
        """Yield the batches that this process tests: one of every `count`."""
        size, processes = self._recipe.batch_size, self._processes
        for start in range(size * processes.rank, len(dataset), size * processes.count):
            yield read_batch(dataset, start, min(start + size, len(dataset)))

    def _to_input(self, frames: NDArray[np.float32]) -> Tensor:
        import torch

        return torch.from_numpy(frames).to(self._processes.device).transpose(0, 1)


def _make_optimizer(network: nn.Module, recipe: Recipe) -> Optimizer:
    import torch

    parameters = network.parameters()
    rate, decay = recipe.learning_rate, recipe.weight_decay
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(parameters, lr=rate, momentum=recipe.momentum, weight_decay=decay)
    return torch.optim.Adam(parameters, lr=rate, weight_decay=decay)


def _random_states() -> list[Tensor]:
    """Return the states that this process draws dropout from: the CPU's, then the GPU's."""
    import torch

    on_gpu = [torch.cuda.get_rng_state()] if torch.cuda.is_initialized() else []  # type: ignore[no-untyped-call]
    return [torch.get_rng_state(), *on_gpu]


def _restore_random_states(states: list[Tensor]) -> None:
    import torch

    torch.set_rng_state(states[0])
    if len(states) > 1 and torch.cuda.is_available():
        torch.cuda.set_rng_state(states[1])
