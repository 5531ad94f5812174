"""Raw recordings on disk: Zarr, chunked by sample, appended batch by batch."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from redundancy import schema
from redundancy.analysis import Progress
from redundancy.errors import ResultsError, UsageError
from redundancy.files import atomic_path
from redundancy.nodes import check_version, nodes_of, pack, spiking_layers
from redundancy.provenance import versions
from redundancy.recording import Nodes
from redundancy.stats.layer_values import as_compared, thresholds

# A chunk never spans batches, and is about this large before compression: small
# layers share a chunk between samples, large ones have one chunk a sample.
_CHUNK_BYTES = 1 << 20


def write_recording(
    path: str | os.PathLike[str],
    recordings: Iterable[Mapping[str, xr.Dataset]],
    provenance: Mapping[str, Any],
    *,
    total: int | None = None,
    progress: Progress | None = None,
) -> int:
    """Write recordings of consecutive samples to a Zarr folder, whole or not at all.

    Memory does not grow with the number of batches.

    Parameters
    ----------
    path : path
        Of the folder, by custom ``*.zarr``.
    recordings : iterable of mappings of str to Dataset
        The nodes of each recording.
    provenance : mapping
        Root attributes.
    total : int, optional
        Number of samples to come, for `progress`.
    progress : callable, optional
        Called with (samples done, `total`).

    Returns
    -------
    int
        Number of samples written.
    """
    import zarr

    n_done = 0
    with atomic_path(path) as temporary:
        for recording in recordings:
            for name, node in recording.items():
                _append(temporary, name, node, first=n_done == 0)
            n_done += recording[schema.ROOT].sizes[schema.SAMPLE]
            del recording, node  # before the next one is made
            if progress is not None:
                progress(n_done, total or n_done)
        if not n_done:
            raise UsageError("there is no sample to record")
        attributes = {
            **provenance,
            schema.KIND: "recording",
            schema.VERSION: schema.SCHEMA_VERSION,
            schema.N_SAMPLES: n_done,
            schema.VERSIONS: versions(),
        }
        group = zarr.open_group(temporary, mode="r+")
        group.attrs.update({key: pack(value) for key, value in attributes.items()})
    return n_done


def _append(store: Path, name: str, dataset: xr.Dataset, *, first: bool) -> None:
    common = {
        "group": None if name == schema.ROOT else name,
        "consolidated": False,
        "zarr_format": 3,
    }
    if first:
        encoding = {
            str(name): {"chunks": _chunks(variable)}
            for name, variable in dataset.variables.items()
            if schema.SAMPLE in variable.dims
        }
        dataset.to_zarr(store, mode="a", encoding=encoding, **common)  # type: ignore[call-overload]
    else:
        dataset.to_zarr(store, append_dim=schema.SAMPLE, **common)  # type: ignore[call-overload]


def _chunks(variable: xr.Variable) -> tuple[int, ...]:
    n_samples = variable.shape[0]
    per_sample = max(variable.nbytes // n_samples, 1)
    most = int(np.clip(_CHUNK_BYTES // per_sample, 1, n_samples))
    # A divisor of the batch, so that appending never rewrites a chunk.
    n_chunk = next(n for n in range(most, 0, -1) if n_samples % n == 0)
    return (n_chunk, *variable.shape[1:])


def is_recording(path: str | os.PathLike[str]) -> bool:
    """Tell whether `path` is a Zarr folder."""
    return Path(path).is_dir() and (Path(path) / "zarr.json").exists()


class RecordingFile:
    """A recording on disk, read batch by batch.

    Parameters
    ----------
    path : path
        What :func:`write_recording` wrote.

    Raises
    ------
    UsageError
        If there is nothing at `path`.
    ResultsError
        If it is damaged, foreign, or of another schema version.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        if not self.path.exists():
            raise UsageError(f"there is no recording at {path}")
        try:
            tree = xr.open_datatree(self.path, engine="zarr", chunks=None, consolidated=False)
            # Nodes on disk inherit the root's samples, in memory each has its own.
            samples = tree[schema.SAMPLE].values
            self._nodes = {
                name: node.assign_coords({schema.SAMPLE: samples})
                for name, node in nodes_of(tree).items()
            }
        except Exception as error:
            raise ResultsError(
                f"{path} cannot be read as a recording ({type(error).__name__}); it is damaged or "
                "not a Zarr folder, record it again"
            ) from error
        check_version(path, tree.attrs, "recording")

    @property
    def attributes(self) -> dict[str, Any]:
        """The provenance, as root attributes of results."""
        return {str(key): value for key, value in self._nodes[schema.ROOT].attrs.items()}

    def describe(self) -> str:
        """Return what the file holds, layer by layer, for people."""
        lines = [
            f"recording of {self.attributes[schema.NETWORK]} on {self.attributes[schema.DATASET]} "
            f"({self.attributes[schema.SPLIT]}, {len(self)} samples, "
            f"T = {self.attributes[schema.N_TIMESTEPS]})"
        ]
        for name, layer in spiking_layers(self._nodes).items():
            quantities = ", ".join(f"{key} {tuple(v.shape)}" for key, v in layer.items())
            lines.append(f"{name}: {quantities}")
        return "\n".join(lines)

    def __len__(self) -> int:
        return self._nodes[schema.ROOT].sizes[schema.SAMPLE]

    def batches(self, batch_size: int, n_samples: int | None = None) -> Iterator[Nodes]:
        """Yield consecutive samples as recordings.

        Raises
        ------
        ResultsError
            If the file is damaged, or holds a potential that does not cross the
            threshold exactly where there is a spike.
        """
        if batch_size < 1:
            raise UsageError(f"batch size must be at least 1, got {batch_size}")
        total = len(self) if n_samples is None else min(n_samples, len(self))
        for start in range(0, total, batch_size):
            part = slice(start, min(start + batch_size, total))
            try:
                batch = {
                    name: node.isel({schema.SAMPLE: part}).load()
                    for name, node in self._nodes.items()
                }
            except Exception as error:
                raise ResultsError(
                    f"{self.path}: samples {part.start} to {part.stop - 1} cannot be read "
                    f"({type(error).__name__}: {error}); the file is damaged, record it again"
                ) from error
            for name, layer in spiking_layers(batch).items():
                self._check(name, layer, start)
            yield batch
            del batch, layer

    def _check(self, name: str, layer: xr.Dataset, start: int) -> None:
        if schema.MEMBRANE_POTENTIAL not in layer or schema.SPIKE not in layer:
            return
        potential = layer[schema.MEMBRANE_POTENTIAL].values
        n_channels = layer.sizes[schema.CHANNEL]
        threshold = as_compared(thresholds(layer.attrs, n_channels), potential.dtype)
        threshold = threshold.reshape(-1, *[1] * (potential.ndim - 3))
        above = potential >= threshold
        if layer.attrs[schema.FIRES_AT] == ">":
            above = potential > threshold
        if not np.array_equal(above, layer[schema.SPIKE].values != 0):
            raise ResultsError(
                f"{self.path}: layer {name!r} has potentials that do not cross the threshold "
                f"where it spikes, in the batch from sample {start}; the file is damaged, record "
                "it again"
            )
