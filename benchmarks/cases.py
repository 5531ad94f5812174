"""Networks that fire as trained ones do, and frames without end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from redundancy.datasets.base import Batch
from redundancy.forward import reset_state
from redundancy.networks import build_network

if TYPE_CHECKING:
    from torch import nn

FRAME_SIZES = {"lif-snn-3": (32, 32), "plif-snn-5": (128, 128)}


class RandomFrames:
    """A generated dataset of any length: its samples take no memory and no reading."""

    name, location, split, n_classes = "random-frames", None, "test", 10

    def __init__(
        self, n_samples: int, n_timesteps: int, batch_size: int, size: tuple[int, int] = (32, 32)
    ) -> None:
        self.n_samples = n_samples
        self.frame_shape = (n_timesteps, 2, *size)
        self.arguments: Mapping[str, Any] = {"n_samples": n_samples}
        random = np.random.default_rng(0)
        self._frames = random.poisson(0.2, (batch_size, *self.frame_shape)).astype(np.float32)

    def __len__(self) -> int:
        return self.n_samples

    def batch(self, start: int, stop: int) -> Batch:
        """Return samples, the same frames in every batch."""
        labels = np.arange(start, stop, dtype=np.int64) % 10
        return Batch(start, self._frames[: stop - start], labels)


def network_case(
    name: str, attention: str, n_timesteps: int, device: str = "cpu", **arguments: object
) -> nn.Module:
    """Build a network whose batch normalisation is fitted to the frames, so that it fires.

    Channels range from hardly ever firing to firing often.
    """
    import torch

    torch.manual_seed(0)
    size = arguments.pop("input_size", FRAME_SIZES[name])
    network = build_network(
        name, n_classes=10, n_timesteps=n_timesteps, attention=attention, input_size=size,
        **arguments,
    ).to(device)  # fmt: skip
    norms = [m for m in network.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = 1.0
        torch.nn.init.uniform_(norm.bias, -1.5, 0.0)
    frames = RandomFrames(2, n_timesteps, 2, size).batch(0, 2).frames  # type: ignore[arg-type]
    with torch.no_grad():
        network.train()(torch.from_numpy(frames).to(device).transpose(0, 1))
    reset_state(network)
    return network.eval()
