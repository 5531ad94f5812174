"""States of statistics are put together: those of one batch, and those of many."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import xarray as xr

from redundancy import schema
from redundancy.errors import RecordingError, ResultsError
from redundancy.nodes import Nodes
from redundancy.stats import merge
from redundancy.stats.energy_inputs import uncounted_operations, with_uncounted


def joined_states(parts: Iterable[xr.Dataset]) -> xr.Dataset:
    """Return the variables and attributes of states of the same samples together."""
    variables: dict[Any, Any] = {}
    coordinates: dict[Any, Any] = {}
    attributes: dict[Any, Any] = {}
    for part in parts:
        # Variables as such: arrays with coordinates would be aligned, which they are.
        variables.update({name: part.variables[name] for name in part.data_vars})
        coordinates.update({name: part.variables[name] for name in part.coords})
        attributes.update(part.attrs)
    return xr.Dataset(variables, coordinates, attributes)


def merge_states(first: Mapping[str, xr.Dataset], second: Mapping[str, xr.Dataset]) -> Nodes:
    """Return the states of the samples of both; `first` holds the earlier ones.

    Raises
    ------
    RecordingError
        If the two do not hold the same layers.
    ResultsError
        If one is of a version that measured less.
    """
    if set(first) != set(second):
        raise other_layers(sorted(set(first) ^ set(second)))
    for name in first:
        _check_same_neuron(name, first[name].attrs, second[name].attrs)
    _check_measured_alike(first, second)
    merged = {name: merge(node, second[name]) for name, node in first.items()}
    if schema.SYNAPSE_NODE in merged:
        node = merged[schema.SYNAPSE_NODE]
        both = [state[schema.SYNAPSE_NODE].attrs for state in (first, second)]
        if any(schema.UNCOUNTED_OPERATIONS in attributes for attributes in both):
            operations = [name for found in both for name in uncounted_operations(found)]
            node.attrs = with_uncounted(node.attrs, operations)
    return merged


def _check_same_neuron(name: str, first: Mapping[Any, Any], second: Mapping[Any, Any]) -> None:
    """Refuse states of a layer that was another neuron in some batches."""
    for key in (schema.NEURON_TYPE, schema.V_THRESHOLD, schema.V_RESET, schema.FIRES_AT):
        one: Any = first.get(key)
        other: Any = second.get(key)
        if one is not other and not np.array_equal(one, other):
            raise RecordingError(
                f"layer {name!r} was not the same neuron in all batches: its {key} is {one} in "
                f"some and {other} in others"
            )


def _check_measured_alike(
    first: Mapping[str, xr.Dataset], second: Mapping[str, xr.Dataset]
) -> None:
    if (
        schema.SYNAPSE_NODE in first
        and len({schema.INPUT_OFF_LEVEL in state[schema.SYNAPSE_NODE] for state in (first, second)})
        == 2
    ):
        raise ResultsError(
            "results by different versions of redundancy do not join: one part was made before "
            "it was measured what the inputs of synaptic layers are; analyse that part again"
        )


def other_layers(names: Iterable[str]) -> RecordingError:
    """Return the error of batches that ran through other layers than the first one."""
    return RecordingError(
        f"not every batch ran through the same layers: {', '.join(names)} took part in some of "
        "them only"
    )
