"""What one batch leaves behind becomes the nodes of a recording."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from redundancy import schema
from redundancy.errors import RecordingError
from redundancy.probe import LAYER_DIMENSIONS
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
    """
    root = xr.Dataset(coords={schema.SAMPLE: samples})
    if scores is not None:
        root[schema.PREDICTION] = (schema.SAMPLE, scores.argmax(1).cpu().numpy())
    for name, values in known.items():
        if values is not None:
            root[name] = (schema.SAMPLE, values)
    return root


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
