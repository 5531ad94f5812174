"""What came into a synaptic layer, told from all its inputs: spikes, or other values."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import xarray as xr

from redundancy import schema
from redundancy.errors import ResultsError

SPIKES = "spikes"
SUMS = "sums of spikes"
AVERAGES = "averages of spikes"
SUMS_OR_AVERAGES = "sums or averages of spikes"
SCALED = "scaled spikes"
SIGNED = "signed values"
OTHER = "other values"
CURRENTS = "currents"
NETWORK_INPUT = "the network's input"
ATTENTION = "attention"
NOT_MEASURED = "values other than 0 and 1"
# Their mean is how many spikes an input stands for.
OF_SPIKES = (SPIKES, SUMS, AVERAGES, SUMS_OR_AVERAGES)
_BY_PATH = {
    schema.SUMS: SUMS,
    schema.AVERAGES: AVERAGES,
    schema.OTHER: SUMS,
    schema.UNTRACED: SUMS_OR_AVERAGES,
}


def kinds_of_inputs(state: xr.Dataset) -> xr.DataArray:
    """Return in words what came into every synaptic layer over all samples.

    Parameters
    ----------
    state : Dataset
        Of :class:`redundancy.stats.SynapticOperations`.

    Returns
    -------
    DataArray of str, dims (synapse,)
        ``spikes`` (0 and 1), ``sums of spikes``, ``averages of spikes`` or ``sums or
        averages of spikes``; or, where spikes became something else, ``scaled spikes``,
        ``signed values``, ``other values``; ``currents``, ``the network's input`` and
        ``attention`` by the layer's place. ``values other than 0 and 1`` where the state
        was made before it was measured which of these they are.
    """
    measured = schema.INPUT_OFF_LEVEL in state and schema.SPIKE_PATH in state.coords
    kinds = [
        _kind(state.isel({schema.SYNAPSE: row}), measured)
        for row in range(state.sizes[schema.SYNAPSE])
    ]
    return xr.DataArray(np.array(kinds, dtype=object), dims=schema.SYNAPSE)


def _kind(layer: xr.Dataset, measured: bool) -> str:
    if str(layer[schema.ROLE].values) == "attention":
        return ATTENTION
    source = str(layer[schema.SOURCE].values)
    if source != "spikes":
        return NETWORK_INPUT if source == "input" else CURRENTS
    nonbinary, total = int(layer[schema.INPUT_NONBINARY]), float(layer[schema.INPUT_SUM])
    if nonbinary == 0:
        return SPIKES
    if not 0 <= total < np.inf or (measured and int(layer[schema.INPUT_UNFIT]) > 0):
        return SIGNED
    if not measured:
        return NOT_MEASURED
    path = str(layer[schema.SPIKE_PATH].values)
    if path == schema.SCALED:
        return SCALED
    # Where the way of the spikes is unknown, single spikes must have come through: a
    # train times 5 would be whole numbers, too.
    proven = path in (schema.SUMS, schema.AVERAGES) or int(layer[schema.INPUT_NONZERO]) > nonbinary
    return _BY_PATH[path] if proven and int(layer[schema.INPUT_OFF_LEVEL]) == 0 else OTHER


def signed_inputs(state: xr.Dataset) -> xr.DataArray:
    """Tell of every synaptic layer whether inputs were negative or no numbers, as far as known."""
    total = state[schema.INPUT_SUM]
    signed = ~(total >= 0)
    if schema.INPUT_UNFIT in state:
        signed = signed | (state[schema.INPUT_UNFIT] > 0)
    return signed


def is_measured(state: xr.Dataset) -> bool:
    """Tell whether of all layers that were called it is known what their inputs were."""
    called = state[schema.APPLICATIONS].values > 0
    return NOT_MEASURED not in kinds_of_inputs(state).values[called]


def check_measured(kinds: xr.DataArray, names: Iterable[str]) -> None:
    """Raise a ResultsError where it was not measured what the inputs were.

    Raises
    ------
    ResultsError
        If a convention asks whether inputs are sums or averages of spikes, of results
        that are older than that question.
    """
    unknown = [
        str(name) for name, kind in zip(names, kinds.values, strict=True) if kind == NOT_MEASURED
    ]
    if unknown:
        raise ResultsError(
            f"the inputs of {', '.join(unknown[:3])}{' and others' if len(unknown) > 3 else ''} "
            "are not all 0 or 1, and these results were made before it was measured whether such "
            "inputs are sums or averages of spikes; analyse the network again, or count by the "
            "convention effective"
        )


def uncounted_operations(attributes: Mapping[Any, Any]) -> list[str]:
    """Return the operations that no synaptic layer's module does, as far as they are known.

    Parameters
    ----------
    attributes : mapping
        Of the node of synaptic layers in a recording or results, or of an energy table.
        The list may be a list, an array of strings or a single one, as files give it
        back, or JSON text, as states hold it; it may be absent.
    """
    found = attributes.get(schema.UNCOUNTED_OPERATIONS)
    if isinstance(found, str) and found.startswith("["):
        found = json.loads(found)
    if found is None:
        return []
    return [found] if isinstance(found, str) else [str(operation) for operation in found]


def with_uncounted(attributes: Mapping[Any, Any], operations: Iterable[str]) -> dict[Any, Any]:
    """Return attributes with these operations as JSON text, which files keep as it is."""
    unique = list(dict.fromkeys(operations))
    return {**attributes, schema.UNCOUNTED_OPERATIONS: json.dumps(unique, ensure_ascii=False)}


def uncounted_note(operations: Iterable[str]) -> str:
    """Return what to say beside a total: nothing where all operations are counted."""
    found = list(operations)
    if not found:
        return ""
    calls = "1 functional call" if len(found) == 1 else f"{len(found)} functional calls"
    return f"operations of {calls} not counted"
