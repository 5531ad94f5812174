"""A small, learnable dataset and tiny networks that tests of several modules share."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from numpy.typing import NDArray

from redundancy.datasets.base import Argument, Batch

if TYPE_CHECKING:
    from torch import nn

# lif-snn-3 at a size that a test can train in a second or two.
TINY_NETWORK: Mapping[str, object] = {"widths": (4, 6, 6), "hidden": 12}


def tiny_network_arguments(
    n_timesteps: int = 5, n_classes: int = 3, size: tuple[int, int] = (8, 8), **others: object
) -> dict[str, object]:
    """Return arguments of lif-snn-3 that fit a :class:`ToyDataset` of that shape."""
    return {
        **TINY_NETWORK,
        "n_classes": n_classes,
        "n_timesteps": n_timesteps,
        "input_size": size,
        **others,
    }


def small_network(n_timesteps: int = 4, *, seed: int = 0, **arguments: object) -> nn.Module:
    """Return an untrained lif-snn-3 of few channels for 8 x 8 pixels and three classes."""
    import torch

    from redundancy.networks import build_network

    torch.manual_seed(seed)
    return build_network(
        "lif-snn-3",
        n_timesteps=n_timesteps,
        input_size=(8, 8),
        widths=(4, 4, 6),
        hidden=5,
        n_classes=3,
        **arguments,
    )


class ToyDataset:
    """Event counts in memory; the class is the horizontal band that most events fall into.

    Parameters
    ----------
    n_samples : int
    n_timesteps : int
    size : tuple of int
        Height and width.
    n_classes : int
        Samples are labelled 0, 1, ..., n_classes - 1, 0, ...
    seed : int
        Of the events.
    split : str
    labelled : bool
        Whether the batches carry labels.
    """

    name = "toy"
    location: str | None = None

    def __init__(
        self,
        n_samples: int,
        n_timesteps: int = 5,
        size: tuple[int, int] = (8, 8),
        n_classes: int = 3,
        seed: int = 0,
        *,
        split: str = "test",
        labelled: bool = True,
    ) -> None:
        height, width = size
        self.split = split
        self.n_classes = n_classes if labelled else None
        self.frame_shape = (n_timesteps, 2, height, width)
        self.arguments: Mapping[str, Argument] = {
            "n_samples": n_samples,
            "n_timesteps": n_timesteps,
            "height": height,
            "width": width,
            "n_classes": n_classes,
            "seed": seed,
        }
        labels = np.arange(n_samples, dtype=np.int64) % n_classes
        bands = np.arange(height) * n_classes // height
        inside = bands[None, :] == labels[:, None]
        rates = np.where(inside, 1.5, 0.15)[:, None, None, :, None]
        shape = (n_samples, *self.frame_shape)
        random = np.random.default_rng(seed)
        self.frames: NDArray[np.float32] = random.poisson(np.broadcast_to(rates, shape)).astype(
            np.float32
        )
        self.labels: NDArray[np.int64] | None = labels if labelled else None

    def __len__(self) -> int:
        return len(self.frames)

    def batch(self, start: int, stop: int) -> Batch:
        labels = None if self.labels is None else self.labels[start:stop]
        return Batch(start, self.frames[start:stop], labels)


def oracle_file(name: str) -> Path:
    """Return a file of numbers made by the published ASA-SNN code, or skip the test."""
    path = Path(__file__).resolve().parents[2] / "shared" / "oracle" / name
    if not path.exists():
        pytest.skip(f"the published implementation's numbers are not here ({name})")
    return path
