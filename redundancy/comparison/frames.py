"""The tables of a comparison."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from typing import TYPE_CHECKING, Any

import numpy as np

from redundancy import schema
from redundancy.comparison.matching import MISSING, Match
from redundancy.comparison.quantities import (
    CHANNEL_QUANTITIES,
    LAYER_QUANTITIES,
    Compared,
    changes,
)
from redundancy.stats.bootstrap import interval
from redundancy.tables.grouping import attention_of

if TYPE_CHECKING:
    import pandas as pd

_UNITS = {
    schema.ACCURACY: "fraction",
    schema.NASFR: "spikes per neuron and timestep",
    schema.QE: "square of V_th's",
    schema.ENERGY: "pJ per sample",
}
_ENERGY_FACTS = (schema.SYNAPSE_KIND, schema.ROLE, schema.FED_BY, schema.COUNTED_AS)
_ENERGY_QUANTITIES = (
    schema.INPUT_RATE,
    schema.NONZERO_FRACTION,
    schema.ACS,
    schema.MACS,
    schema.ENERGY,
)
_SUMMED = (schema.ACS, schema.MACS, schema.ENERGY)
TOTAL = "total"
_NO_INTERVAL = (float("nan"), float("nan"))


def headline_frame(
    compared: Mapping[str, Compared], paired: Set[str], level: float
) -> pd.DataFrame:
    """Return the headline numbers; see :class:`redundancy.comparison.Comparison`.

    Parameters
    ----------
    compared : mapping of str to Compared
    paired : set of str
        Networks whose replicates draw the same samples as the first one's.
    level : float
        Of the intervals.
    """
    import pandas as pd

    (first, reference), *_ = compared.items()
    rows = []
    for name, network in compared.items():
        for quantity, (value, replicates) in network.headline.items():
            row: dict[str, Any] = {
                "network": name,
                "attention": attention_of(network.results),
                "quantity": quantity,
                "units": _UNITS[quantity],
                "value": value,
            }
            row["low"], row["high"] = interval(replicates, level)
            base, base_replicates = reference.headline[quantity]
            shift, share = (
                (np.nan, np.nan) if name == first else (value - base, _percent(value, base))
            )
            intervals = (_NO_INTERVAL, _NO_INTERVAL)
            if name in paired:
                intervals = (
                    interval(replicates - base_replicates, level),
                    interval(_percent(replicates, base_replicates), level),
                )
            for column, number, (low, high) in zip(
                ("change", "change_percent"), (shift, share), intervals, strict=True
            ):
                row |= {column: float(number), f"{column}_low": low, f"{column}_high": high}
            rows.append(row)
    return pd.DataFrame(rows)


def layer_frame(compared: Mapping[str, Compared], matches: Sequence[Match]) -> pd.DataFrame:
    """Return the numbers of every layer; see :class:`redundancy.comparison.Comparison`."""
    import pandas as pd

    first, rows = next(iter(compared)), []
    for match in matches:
        reference = _layer_values(compared[first], match.names.get(first))
        for name, network in compared.items():
            own = match.names.get(name)
            values = _layer_values(network, own)
            rows.append(
                {
                    "layer": match.layer,
                    "network": name,
                    "own_name": own or "",
                    "matched": match.matched.get(name, MISSING),
                    "n_neurons": _n_neurons(network, own),
                    "n_channels": _n_channels(network, own),
                    **{quantity: values.get(quantity, np.nan) for quantity in LAYER_QUANTITIES},
                    **changes(values, None if name == first else reference, LAYER_QUANTITIES),
                }
            )
    return pd.DataFrame(rows)


def channel_frame(compared: Mapping[str, Compared], matches: Sequence[Match]) -> pd.DataFrame:
    """Return the numbers of every channel; see :class:`redundancy.comparison.Comparison`.

    Layers that the first network does not have, or that no other network has with
    equally many channels, are left out.
    """
    import pandas as pd

    (first, reference), *_ = compared.items()
    parts: list[Any] = []
    for match in matches:
        if first not in match.names:
            continue
        n_channels = _n_channels(reference, match.names[first])
        alike = [
            name
            for name, own in match.names.items()
            if _n_channels(compared[name], own) == n_channels
        ]
        if len(alike) < 2:
            continue
        base = reference.channels(match.names[first])
        for order, name in enumerate(alike):
            values = compared[name].channels(match.names[name])
            part = {
                "layer": match.layer,
                "channel": np.arange(int(n_channels)),
                "network": name,
                "_order": order,
                **{quantity: values[quantity] for quantity in CHANNEL_QUANTITIES},
                **{
                    f"{quantity}_change": values[quantity] - base[quantity]
                    if name != first
                    else np.nan
                    for quantity in CHANNEL_QUANTITIES
                },
            }
            parts.append(pd.DataFrame(part).assign(_layer=len(parts) - order))
    if not parts:
        quantities = [f"{name}{end}" for end in ("", "_change") for name in CHANNEL_QUANTITIES]
        return pd.DataFrame(columns=["layer", "channel", "network", *quantities])
    whole = pd.concat(parts, ignore_index=True)
    whole = whole.sort_values(["_layer", "channel", "_order"], ignore_index=True)
    return whole.drop(columns=["_layer", "_order"])


def energy_frame(compared: Mapping[str, Compared]) -> pd.DataFrame:
    """Return the numbers of every synaptic layer, matched by name, and their totals."""
    import pandas as pd

    first, rows = next(iter(compared)), []
    tables = {name: _energy_values(network) for name, network in compared.items()}
    known = [table for table in tables.values() if table]
    synapses = _merged([list(table) for table in known])
    for synapse in [*(name for name in synapses if name != TOTAL), *([TOTAL] if known else [])]:
        for name, table in tables.items():
            values = table.get(synapse, {})
            reference = None if name == first else tables[first].get(synapse, {})
            rows.append(
                {
                    "synapse": synapse,
                    "network": name,
                    **{fact: values.get(fact, "") for fact in _ENERGY_FACTS},
                    **{quantity: values.get(quantity, np.nan) for quantity in _ENERGY_QUANTITIES},
                    **changes(values, reference, _ENERGY_QUANTITIES),
                }
            )
    columns = ["synapse", "network", *_ENERGY_FACTS, *_ENERGY_QUANTITIES]
    return pd.DataFrame(
        rows, columns=[*columns, *(f"{quantity}_change" for quantity in _ENERGY_QUANTITIES)]
    )


def _energy_values(network: Compared) -> dict[str, dict[str, Any]]:
    """Return facts and numbers of a network's synaptic layers, and the totals, by name."""
    table = network.energies
    if table is None:
        return {}
    values: dict[str, dict[str, Any]] = {
        str(synapse): {
            **{fact: str(table[fact].values[row]) for fact in _ENERGY_FACTS},
            **{quantity: float(table[quantity].values[row]) for quantity in _ENERGY_QUANTITIES},
        }
        for row, synapse in enumerate(table[schema.SYNAPSE].values)
    }
    values[TOTAL] = {quantity: float(table[quantity].sum()) for quantity in _SUMMED}
    return values


def _merged(orders: Sequence[Sequence[str]]) -> list[str]:
    """Return every name once, each that the first order lacks after the one it follows."""
    merged: list[str] = []
    for order in orders:
        place = 0
        for name in order:
            if name in merged:
                place = merged.index(name) + 1
            else:
                merged.insert(place, name)
                place += 1
    return merged


def _layer_values(network: Compared, layer: str | None) -> dict[str, float]:
    return {} if layer is None else network.layers[layer]


def _n_channels(network: Compared, layer: str | None) -> float:
    return np.nan if layer is None else network.results.layers[layer].sizes[schema.CHANNEL]


def _n_neurons(network: Compared, layer: str | None) -> float:
    return np.nan if layer is None else network.results.firing_rates[layer].attrs["n_neurons"]


def _percent(values: Any, reference: Any) -> Any:
    """Return the change in percent of the reference, NaN where that is 0."""
    base = np.where(np.asarray(reference) == 0, np.nan, reference)
    return 100 * (values - base) / base
