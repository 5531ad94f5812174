"""Rules that the numbers of results keep to, whatever they were computed from."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from redundancy import schema
from redundancy.errors import RecordingError
from redundancy.nodes import spiking_layers
from redundancy.stats.membrane_potential import check_spikes_above_threshold

_COUNTED = ("sum", "sum-by-label")
_FLOATS = ("sum", "min", "max")
# Of two variables of one node, the first is nowhere greater than the second.
_ORDERED = (
    (schema.N_CORRECT, schema.N_LABELLED),
    (schema.N_CLIPS_CORRECT, schema.N_CLIPS),
    ("bootstrap_correct", "bootstrap_labelled"),
    ("bootstrap_labelled", "bootstrap_drawn"),
    (schema.INPUT_NONZERO, schema.INPUT_ELEMENTS),
    (schema.INPUT_NONBINARY, schema.INPUT_NONZERO),
    (schema.MINIMUM, schema.MAXIMUM),
)
# Counters of values that a histogram leaves out.
_LEFT_OUT = (schema.UNDERFLOW, schema.OVERFLOW, schema.NAN_COUNT)


def broken_rules(nodes: Mapping[str, xr.Dataset], attributes: Mapping[str, Any]) -> Iterator[str]:
    """Yield what cannot be in results, each as a phrase that names the variable and the node.

    What a variable is, is told by how it merges, its units and its dimensions, so that
    variables that no rule names are held to most of them as well.

    Parameters
    ----------
    nodes : mapping of str to Dataset
        See :func:`redundancy.nodes.nodes_of`.
    attributes : mapping
        Of the root, unpacked.
    """
    n_samples = attributes[schema.N_SAMPLES]
    for name in (schema.N_SAMPLES, schema.N_TIMESTEPS):
        if not isinstance(attributes[name], int) or attributes[name] < 1:
            yield f"{name} is {attributes[name]}"
            return
    yield from _broken_samples(attributes)
    for node_name, node in nodes.items():
        owner = "" if node_name == schema.ROOT else f" of {node_name}"
        for phrase in itertools.chain(
            _broken_sizes(node, attributes), _broken_values(node, n_samples), _broken_order(node)
        ):
            yield phrase.replace("@", owner, 1)
    layers = spiking_layers(nodes)
    positions = [int(layer.attrs[schema.POSITION]) for layer in layers.values()]
    if len(set(positions)) < len(positions):
        yield f"{schema.POSITION} is {positions[0]} for two layers"
    for name, layer in layers.items():
        yield from (f"{phrase} of {name}" for phrase in _broken_layer(name, layer, n_samples))


def _broken_samples(attributes: Mapping[str, Any]) -> Iterator[str]:
    text = str(attributes.get(schema.SAMPLES, ""))
    if text:
        bounds = [piece.split(":") for piece in text.split(",")]
        total = sum(int(stop) - int(start) for start, stop in bounds)
        if total != attributes[schema.N_SAMPLES]:
            yield f"{schema.SAMPLES} is {text} for {attributes[schema.N_SAMPLES]} samples"


def _broken_sizes(node: xr.Dataset, attributes: Mapping[str, Any]) -> Iterator[str]:
    """Yield axes of other lengths than the root or the node says; "@" stands for the node."""
    n_timesteps = attributes[schema.N_TIMESTEPS]
    expected = {schema.TIME: n_timesteps, schema.OTHER_TIME: n_timesteps}
    statistics = attributes.get(schema.STATISTICS, {})
    if "n_replicates" in statistics:
        expected[schema.REPLICATE] = statistics["n_replicates"]
    if schema.CHANNEL in node.sizes:
        expected[schema.OTHER_CHANNEL] = node.sizes[schema.CHANNEL]
    if schema.BINS_BELOW in node.attrs:
        expected[schema.BIN] = int(node.attrs[schema.BINS_BELOW] + node.attrs[schema.BINS_ABOVE])
    for dim, size in expected.items():
        if node.sizes.get(dim, size) != size:
            yield f"the axis {dim}@ is {node.sizes[dim]} long, expected {size}"
    if node.attrs.get(schema.N_TIMESTEPS, n_timesteps) != n_timesteps:
        yield f"{schema.N_TIMESTEPS}@ is {node.attrs[schema.N_TIMESTEPS]}, expected {n_timesteps}"


def _broken_values(node: xr.Dataset, n_samples: int) -> Iterator[str]:
    """Yield variables with values that no state can have; "@" stands for the node."""
    # Values that are no numbers are counted, and then sums need not be either.
    odd = sum(int(node.variables[n].values.sum()) for n in _LEFT_OUT if n in node.variables)
    for name in map(str, node.data_vars):
        variable = node.variables[name]
        values, rule = variable.values, variable.attrs.get(schema.MERGE)
        most = n_samples if variable.attrs.get("units") == "samples" else math.inf
        if rule is None:
            yield f"{name}@ does not say how it merges"
        elif rule in _COUNTED and values.size and (values.dtype.kind in "iu" or most < math.inf):
            low, high = values.min(), values.max()
            if not (low >= 0 and high <= most):
                yield f"a count of {name}@ is {high if low >= 0 else low}, of {n_samples} samples"
        elif rule in _FLOATS and not odd and not _finite(values):
            yield f"{name}@ is not finite"
    found = node.variables.get(schema.N_SAMPLES)
    if found is not None and (found.values != n_samples).any():
        yield f"{schema.N_SAMPLES}@ is {found.values}, expected {n_samples}"
    if schema.NONZERO_COUNT in node.variables and schema.EVENT_SUM in node.variables:
        most = n_samples * node.variables[schema.EVENT_SUM].size
        if int(node.variables[schema.NONZERO_COUNT].values) > most:
            yield f"{schema.NONZERO_COUNT}@ is above its {most} inputs"


def _finite(values: NDArray[Any]) -> bool:
    return values.dtype.kind != "f" or bool(np.isfinite(values).all())


def _broken_order(node: xr.Dataset) -> Iterator[str]:
    for smaller, greater in _ORDERED:
        if smaller not in node.variables or greater not in node.variables:
            continue
        low, high = node.variables[smaller].values, node.variables[greater].values
        # The least of no number at all is infinite, and above the greatest.
        known = np.isfinite(low) & np.isfinite(high)
        if (low[known] > high[known]).any():
            yield f"{smaller}@ is greater than {greater}"


def _broken_layer(name: str, layer: xr.Dataset, n_samples: int) -> Iterator[str]:
    """Yield counts of a spiking layer that do not add up, of what and to what."""
    spikes = layer[schema.SPIKE_COUNT]
    apart = [dim for dim in spikes.dims if dim not in (schema.TIME, schema.CHANNEL)]
    population = n_samples * math.prod(spikes.sizes[dim] for dim in apart)
    by_channel = spikes.sum(apart).transpose(schema.TIME, schema.CHANNEL).values
    found: dict[str, NDArray[Any]] = {
        key: layer[key].values
        for key in (schema.N_VALUES, schema.N_ERRORS, schema.N_POSITIONS)
        if key in layer
    }
    if schema.HISTOGRAM in layer:
        left_out = [layer[key].values for key in _LEFT_OUT]
        found[schema.HISTOGRAM] = layer[schema.HISTOGRAM].sum(schema.BIN).values + sum(left_out)
        try:
            check_spikes_above_threshold(name, layer)
        except RecordingError:
            yield f"the counts of {schema.HISTOGRAM} right of the threshold are not the spikes"
    if schema.FOREGROUND_CELLS in layer and layer[schema.BACKGROUND_CELLS].sum() > 0:
        cells = layer[schema.FOREGROUND_CELLS] + layer[schema.BACKGROUND_CELLS]
        found[schema.FOREGROUND_CELLS] = cells.values
    for key, values in found.items():
        if (values != population).any():
            yield f"{key} does not add up to its {population} neurons and samples, in a channel"
    parts = {}
    if schema.SPIKE_GRAM in layer:
        parts[schema.SPIKE_GRAM] = np.diagonal(layer[schema.SPIKE_GRAM].values, axis1=1, axis2=2)
    if schema.FOREGROUND_CELLS in found:
        both = layer[schema.FOREGROUND_SPIKES] + layer[schema.BACKGROUND_SPIKES]
        parts[schema.FOREGROUND_SPIKES] = both.values
    for key, values in parts.items():
        if not np.array_equal(values, by_channel):
            yield f"{key} does not add up to the spikes"
