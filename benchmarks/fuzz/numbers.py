"""What a file yields when it is opened as a user would, as one digest of all its numbers."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from redundancy.checkpoint import load_checkpoint
from redundancy.datasets import build_dataset
from redundancy.nodes import CONTENTS, nodes_of
from redundancy.recordings import RecordingFile, open_recording
from redundancy.results_file import load_results
from redundancy.sharding.kept_states import KeptStates

IDENTITY = {"weights": "abc", "batch_size": 3}
"""Of the analysis whose kept states are damaged."""


def of_checkpoint(path: Path) -> str:
    """Digest a network's name, arguments and weights, and the dataset it says."""
    checkpoint = load_checkpoint(path)
    state = checkpoint.build_network().state_dict()
    said = (checkpoint.network, sorted(checkpoint.network_arguments.items()))
    data = (checkpoint.dataset, sorted(checkpoint.dataset_arguments.items()))
    return _digest([said, data, *((key, value.numpy()) for key, value in state.items())])


def of_results(path: Path) -> str:
    """Digest all states, and what is computed of them first."""
    results = load_results(path)
    rates = results.network_firing_rate
    return _digest([*_tree(nodes_of(results.tree)), results.accuracy, *_node(rates)])


def of_recording(path: Path) -> str:
    """Digest every value, read in one go and batch by batch."""
    nodes = nodes_of(open_recording(path, chunks=None))
    batches = [part for nodes in RecordingFile(path).batches(2) for part in _tree(nodes)]
    return _digest([*_tree(nodes), *batches])


def of_kept_states(path: Path) -> str:
    """Digest what an analysis would go on from; `path` is the folder of its results."""
    gathered = KeptStates(path, resume=True).open(IDENTITY, 0)
    return _digest(
        part for piece in gathered.pieces for part in (piece.samples, *_tree(piece.nodes))
    )


def of_dataset(spec: str, **arguments: object) -> str:
    """Digest frames and labels of all samples."""
    dataset = build_dataset(spec, **arguments)  # type: ignore[arg-type]
    said: list[Any] = [dataset.frame_shape, dataset.n_classes, len(dataset)]
    for start in range(0, len(dataset), 2):
        batch = dataset.batch(start, min(start + 2, len(dataset)))
        said += [batch.start, batch.frames, batch.labels]
    return _digest(said)


def _tree(nodes: Mapping[str, xr.Dataset]) -> Iterable[Any]:
    for name in sorted(nodes):
        yield name
        yield from _node(nodes[name])


def _node(node: xr.Dataset) -> Iterable[Any]:
    # The list of checksums is no number, and is gone where it was checked.
    yield sorted((key, str(value)) for key, value in node.attrs.items() if key != CONTENTS)
    for name in sorted(map(str, node.variables)):
        variable = node[name].variable
        yield name, variable.dims, sorted((k, str(v)) for k, v in variable.attrs.items())
        yield variable.values


def _digest(parts: Iterable[Any]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        for each in part if isinstance(part, tuple) else (part,):
            if isinstance(each, np.ndarray) and each.dtype.kind != "O":
                digest.update(f"{each.dtype} {each.shape}".encode())
                digest.update(np.ascontiguousarray(each).tobytes())
            else:
                text = each.tolist() if isinstance(each, np.ndarray) else each
                digest.update(repr(text).encode())
    return digest.hexdigest()
