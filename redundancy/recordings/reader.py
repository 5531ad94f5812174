"""Recordings on disk, read batch by batch as the network gave them."""

from __future__ import annotations

import functools
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from redundancy import schema
from redundancy.errors import ResultsError, UsageError
from redundancy.nodes import CONTENTS, Nodes, spiking_layers
from redundancy.recordings.opening import open_nodes
from redundancy.recordings.values import fires

# Attributes that describe the file, not where its numbers come from.
_OF_THE_FILE = (
    CONTENTS,
    schema.RECORDING_FORMAT,
    schema.METADATA_CHECKSUM,
    schema.FILE_CHECKSUMS,
)


class RecordingFile:
    """A recording on disk, read batch by batch.

    Parameters
    ----------
    path : path
        What :func:`redundancy.recordings.write_recording` wrote.

    Raises
    ------
    UsageError
        If there is nothing at `path`.
    ResultsError
        If it is damaged, foreign, unfinished, or of another version.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._nodes = open_nodes(self.path)

    @property
    def attributes(self) -> dict[str, Any]:
        """The provenance, as root attributes of results."""
        attributes = self._nodes[schema.ROOT].attrs
        return {str(key): v for key, v in attributes.items() if key not in _OF_THE_FILE}

    @property
    def rounded_to(self) -> str | None:
        """The data type that potentials were rounded to, if they were."""
        return self.attributes.get(schema.POTENTIALS_ROUNDED_TO)

    def describe(self) -> str:
        """Return what the file holds, layer by layer, for people."""
        lines = [
            f"recording of {self.attributes[schema.NETWORK]} on {self.attributes[schema.DATASET]} "
            f"({self.attributes[schema.SPLIT]}, {len(self)} samples, "
            f"T = {self.attributes[schema.N_TIMESTEPS]})"
        ]
        if self.rounded_to:
            lines.append(f"potentials were rounded to {self.rounded_to}")
        for name, layer in spiking_layers(self._nodes).items():
            quantities = ", ".join(f"{key} {tuple(v.shape)}" for key, v in layer.items())
            lines.append(f"{name}: {quantities}")
        return "\n".join(lines)

    def __len__(self) -> int:
        return self._nodes[schema.ROOT].sizes[schema.SAMPLE]

    def batches(self, batch_size: int, n_samples: int | None = None) -> Iterator[Nodes]:
        """Yield consecutive samples as recordings, read by dask one batch at a time.

        Raises
        ------
        ResultsError
            If the file is damaged, or holds a potential that does not cross the
            threshold exactly where there is a spike.

        Warns
        -----
        UserWarning
            If potentials were rounded.
        """
        if batch_size < 1:
            raise UsageError(f"batch size must be at least 1, got {batch_size}")
        if self.rounded_to:
            warnings.warn(
                f"{self.path} holds potentials rounded to {self.rounded_to}: spikes, and which "
                "potentials reach the threshold, are exact; distributions, variances and "
                "quantization errors are of rounded potentials",
                UserWarning,
                stacklevel=2,
            )
        total = len(self) if n_samples is None else min(n_samples, len(self))
        for start in range(0, total, batch_size):
            batch = self._batch(slice(start, min(start + batch_size, total)))
            for name, layer in spiking_layers(batch).items():
                self._check(name, layer, start)
            yield batch
            del batch, layer

    def _batch(self, part: slice) -> Nodes:
        from dask.threaded import get

        parts = {name: node.isel({schema.SAMPLE: part}) for name, node in self._nodes.items()}
        # Keys that stay the same from batch to batch, for dask remembers 100,000 of them.
        graph = {
            f"{name} {variable}": (functools.partial(_load, array.variable),)
            for name, node in parts.items()
            for variable, array in node.data_vars.items()
        }
        loaded = dict(zip(graph, get(graph, list(graph)), strict=True))
        return {
            name: node.assign({key: loaded[f"{name} {key}"] for key in node.data_vars})
            for name, node in parts.items()
        }

    def _check(self, name: str, layer: xr.Dataset, start: int) -> None:
        if schema.MEMBRANE_POTENTIAL not in layer or schema.SPIKE not in layer:
            return
        above = fires(layer.attrs, layer[schema.MEMBRANE_POTENTIAL].values)
        if not np.array_equal(above, layer[schema.SPIKE].values):
            raise ResultsError(
                f"{self.path}: layer {name!r} has potentials that do not cross the threshold "
                f"where it spikes, in the batch from sample {start}; the file is damaged, record "
                "it again"
            )


def _load(variable: xr.Variable) -> xr.Variable:
    """Return values in memory, half precision as the float32 that statistics work in."""
    loaded = variable.load()
    return loaded.astype(np.float32) if loaded.dtype == np.float16 else loaded
