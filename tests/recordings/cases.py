"""Recordings made of random numbers, and of a small network, for the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
import xarray as xr
from torch import nn

from redundancy import schema
from redundancy.analysis import network_recordings
from redundancy.networks import build_network
from redundancy.nodes import Nodes
from redundancy.recordings import write_recording
from tests.toy import ToyDataset

QUANTITIES = (schema.SPIKE, schema.MEMBRANE_POTENTIAL)
PROVENANCE = {"network": "n", "dataset": "toy", "split": "test", "n_timesteps": 5}
MAPS = (schema.SAMPLE, schema.TIME, schema.CHANNEL, schema.Y, schema.X)
FIRST_LAYER = "conv1.neuron"


def small_network() -> nn.Module:
    """Return a network of three convolutions and two fully connected layers."""
    torch.manual_seed(3)
    return build_network(
        "lif-snn-3", n_timesteps=5, input_size=(8, 8), widths=(4, 4, 6), hidden=5, n_classes=3
    )


def record_network(
    path: Path, *, n_samples: int = 11, batch_size: int = 4, **options: object
) -> Path:
    """Record the small network on the toy data set."""
    recordings = network_recordings(
        small_network(), ToyDataset(n_samples), quantities=QUANTITIES, batch_size=batch_size
    )
    assert write_recording(path, recordings, PROVENANCE, **options) == n_samples  # type: ignore[arg-type]
    return path


def random_layer(
    shape: tuple[int, ...], *, rate: float = 0.1, seed: int = 0, threshold: float = 1.0
) -> xr.Dataset:
    """Return random spikes of a rate and potentials that belong to them."""
    generator = np.random.default_rng(seed)
    spikes = generator.random(shape, np.float32) < rate
    below = generator.normal(0, 0.3, shape).astype(np.float32)
    potentials = np.where(spikes, threshold + np.abs(below), np.minimum(below, 0.9 * threshold))
    return xr.Dataset(
        {
            schema.SPIKE: (MAPS[: len(shape)], spikes.astype(np.uint8)),
            schema.MEMBRANE_POTENTIAL: (MAPS[: len(shape)], potentials.astype(np.float32)),
        },
        attrs={schema.V_THRESHOLD: threshold, schema.FIRES_AT: ">=", schema.POSITION: 0},
    )


def random_batches(
    n_batches: int, shape: tuple[int, ...], *, rate: float = 0.1, threshold: float = 1.0
) -> Iterator[Nodes]:
    """Yield recordings of one layer of random numbers; shape is that of a batch."""
    for batch in range(n_batches):
        samples = np.arange(batch * shape[0], (batch + 1) * shape[0])
        coordinates = {schema.SAMPLE: samples}
        layer = random_layer(shape, rate=rate, seed=batch, threshold=threshold)
        yield {
            schema.ROOT: xr.Dataset({schema.LABEL: (schema.SAMPLE, samples % 3)}, coordinates),
            FIRST_LAYER: layer.assign_coords(coordinates),
        }


def size_of(folder: Path) -> int:
    """Return the bytes of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
