"""What a user points an analysis at: a checkpoint, a recording, or results."""

from __future__ import annotations

import difflib
import os
import warnings
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from redundancy.checkpoint import Checkpoint
from redundancy.datasets import build_dataset
from redundancy.datasets.base import Dataset
from redundancy.datasets.presets import with_preset
from redundancy.errors import UsageError

if TYPE_CHECKING:
    from torch import nn

SourceKind = Literal["checkpoint", "recording", "results"]


def source_kind(path: str | os.PathLike[str]) -> SourceKind:
    """Return what lies at `path`.

    Raises
    ------
    UsageError
        If there is nothing, or a folder that is no recording.
    """
    from redundancy.recordings import is_recording
    from redundancy.results_file import is_results_file

    path = Path(path)
    if not path.exists():
        parent = path.parent if path.parent.is_dir() else Path()
        near = difflib.get_close_matches(path.name, [p.name for p in parent.iterdir()], n=1)
        hint = f" Did you mean {parent / near[0]}?" if near else ""
        raise UsageError(f"there is no file {path}.{hint}")
    if is_recording(path):
        return "recording"
    if path.is_dir():
        raise UsageError(
            f"{path} is a folder; expected a checkpoint (.pt), a results file (results.nc) or a "
            "recording (.zarr)"
        )
    return "results" if is_results_file(path) else "checkpoint"


def dataset_for(
    checkpoint: Checkpoint,
    *,
    data: str | None = None,
    arguments: Mapping[str, Any] | None = None,
    split: str = "test",
    progress: Callable[[int, int], None] | None = None,
) -> Dataset:
    """Build the dataset to run a checkpoint on.

    Parameters
    ----------
    checkpoint : Checkpoint
    data : str, optional
        ``name`` or ``name:location``; by default the dataset it was trained on, whose
        arguments are also the defaults where the names agree.
    arguments : mapping, optional
        Override the dataset's arguments.
    split : str
    progress : callable, optional
        Called with (done, total) where samples have to be generated.

    Raises
    ------
    UsageError
        If the dataset is not known, or its frames do not fit the network.
    """
    if data is None and checkpoint.dataset is None:
        raise UsageError(
            "the checkpoint does not say which data it was trained on; name the data with --data, "
            "such as --data nmnist:FOLDER or --data frames:FILE.npz (see analyze list datasets)"
        )
    spec = data or checkpoint.dataset or ""
    name = spec.partition(":")[0]
    known = checkpoint.dataset_arguments if name == checkpoint.dataset else {}
    # A preset replaces what the checkpoint was trained with, so it must be spelt out first.
    given = with_preset(name, arguments or {})
    dataset = build_dataset(spec, split=split, progress=progress, **{**known, **given})
    _check_fit(checkpoint, dataset)
    return dataset


def _check_fit(checkpoint: Checkpoint, dataset: Dataset) -> None:
    """Refuse frames that the network cannot take, with what would make them fit."""
    n_timesteps, n_channels, height, width = dataset.frame_shape
    expected = checkpoint.network_arguments
    size = tuple(expected.get("input_size", (height, width)))
    channels = expected.get("input_channels", n_channels)
    if (channels, *size) != (n_channels, height, width):
        raise UsageError(
            f"{checkpoint.network} takes frames of {channels} x {size[0]} x {size[1]} (channel, y, "
            f"x), but {dataset.name} gives {n_channels} x {height} x {width}; change the data with "
            "--data-arg, such as downsample or size"
        )
    attention = expected.get("attention", "none")
    if expected.get("encoder"):
        attention = "gac"
    if attention != "none" and expected.get("n_timesteps") != n_timesteps:
        raise UsageError(
            f"{checkpoint.network} with attention {attention} was built for "
            f"{expected.get('n_timesteps')} timesteps, but {dataset.name} gives {n_timesteps}; "
            f"change the data with --data-arg n_timesteps={expected.get('n_timesteps')}"
        )
    known = expected.get("n_classes")
    if known is not None and dataset.n_classes is not None and dataset.n_classes > known:
        warnings.warn(
            f"{dataset.name} has {dataset.n_classes} classes, but {checkpoint.network} tells "
            f"{known} apart: samples of the other classes count as wrong",
            stacklevel=3,
        )


def check_selection(
    network: nn.Module,
    dataset: Dataset,
    layer: str | None,
    time: int | None,
    ignore: Collection[str] = (),
) -> None:
    """Refuse a layer or timestep that cannot come out of an analysis before running it."""
    from redundancy.neurons import find_spiking_layers

    names = list(find_spiking_layers(network, ignore))
    if layer is not None and layer.partition("@")[0] not in names:
        near = difflib.get_close_matches(layer, names, n=1, cutoff=0.0)
        raise UsageError(
            f"there is no spiking layer {layer!r}; the layers are {', '.join(names)}. "
            f"Did you mean {near[0]!r}?"
        )
    n_timesteps = dataset.frame_shape[0]
    if time is not None and not 0 <= time < n_timesteps:
        raise UsageError(
            f"timestep {time} is out of range: {dataset.name} has timesteps 0 to {n_timesteps - 1}"
        )
