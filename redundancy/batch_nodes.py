"""What one batch leaves behind becomes the nodes of a recording."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from redundancy import schema
from redundancy.errors import DataError, RecordingError
from redundancy.probe import LAYER_DIMENSIONS
from redundancy.stats.accuracy import NO_PREDICTION
from redundancy.stats.layer_sweep import LayerSweep

if TYPE_CHECKING:
    from torch import Tensor


def root_node(
    samples: NDArray[np.int64],
    scores: Tensor | None,
    known: Mapping[str, NDArray[np.int64] | None],
) -> xr.Dataset:
    """Return the root: what the network predicts, and what is known of the samples.

    Parameters
    ----------
    samples : ndarray of int, shape (sample,)
        Their indices in the dataset.
    scores : Tensor, shape (sample, class), optional
        Of the network; without them it predicts nothing.
    known : mapping of str to ndarray of int, shape (sample,), or None
        Such as labels.

    Returns
    -------
    Dataset
        ``prediction`` (sample), -1 where an output is NaN or infinite, and ``tied``
        (sample), 1 where another class has the same score; then what is known.

    Raises
    ------
    DataError
        If a label is no class of the network's.
    """
    root = xr.Dataset(coords={schema.SAMPLE: samples})
    if scores is not None:
        predicted, tied = _predictions(scores)
        root[schema.PREDICTION] = (schema.SAMPLE, predicted)
        root[schema.TIED] = (schema.SAMPLE, tied)
        _check_labels(samples, known.get(schema.LABEL), scores.shape[1])
    for name, values in known.items():
        if values is not None:
            root[name] = (schema.SAMPLE, values)
    return root


def _predictions(scores: Tensor) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Return the class of the highest score of every sample, and whether another has it too."""
    finite = scores.isfinite().all(1)
    highest = scores.amax(1, keepdim=True)
    tied = ((scores == highest).sum(1) > 1) & finite
    predicted = scores.argmax(1).masked_fill(~finite, NO_PREDICTION)
    return predicted.cpu().numpy(), tied.cpu().numpy().astype(np.uint8)


def _check_labels(
    samples: NDArray[np.int64], labels: NDArray[np.int64] | None, n_outputs: int
) -> None:
    if labels is None or not (wrong := labels >= n_outputs).any():
        return
    raise DataError(
        f"{int(wrong.sum())} of the samples {samples[0]} to {samples[-1]} have labels that the "
        f"network cannot predict: sample {samples[wrong][0]} has label {labels[wrong][0]}, but "
        f"the network has {n_outputs} outputs (classes 0 to {n_outputs - 1}); the data and the "
        "network do not belong together"
    )


def input_node(samples: NDArray[np.int64], frames: NDArray[np.float32]) -> xr.Dataset:
    """Return the node of the input frames (sample, time, channel, y, x)."""
    attributes = {"long_name": "input event frames", "units": "events"}
    return xr.Dataset(
        {schema.FRAMES: (LAYER_DIMENSIONS[5], frames, attributes)},
        coords={schema.SAMPLE: samples},
    )


def layer_nodes(
    samples: NDArray[np.int64],
    found: Iterable[tuple[int, str, xr.Dataset | LayerSweep]],
    taken: Collection[str],
) -> dict[str, xr.Dataset | LayerSweep]:
    """Return the layers by name in the order of their calls, each with its position.

    Parameters
    ----------
    samples : ndarray of int, shape (sample,)
    found : iterable of (int, str, Dataset or LayerSweep)
        Number of the call, name and layer; see :func:`redundancy.probe.layers_of`.
    taken : collection of str
        Names of the recording's other nodes.

    Raises
    ------
    RecordingError
        If two nodes would have one name.
    """
    layers: dict[str, xr.Dataset | LayerSweep] = {}
    for position, (_, name, layer) in enumerate(sorted(found, key=lambda layer: layer[0])):
        if name in taken or name in layers:
            raise RecordingError(
                f"two nodes of the recording would be called {name!r}; rename that module"
            )
        if isinstance(layer, xr.Dataset):
            layer.attrs[schema.POSITION] = position
            layer = layer.assign_coords({schema.SAMPLE: samples})
        else:
            layer.attributes[schema.POSITION] = position
        layers[name] = layer
    return layers
