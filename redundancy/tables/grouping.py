"""Results of one network on one dataset, trained once or several times, as one row."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from redundancy import schema
from redundancy.results import Results

VANILLA = "none"
GAC = "gac"
NOT_STATED = "not stated"
# Arguments that only a network with attention knows; without them, what is left of a
# network with attention is its vanilla network.
_OF_ATTENTION = ("attention", "reduction", "mask", "encoder", "gate_kernel")
_DATA = (
    schema.DATASET,
    schema.DATASET_ARGUMENTS,
    schema.SPLIT,
    schema.N_SAMPLES,
    schema.N_TIMESTEPS,
)
Measure = Callable[[Results], Mapping[str, float]]


@dataclass(frozen=True)
class Group:
    """Results of networks that differ in nothing but their training.

    Attributes
    ----------
    names : list of str
        What the caller calls them.
    runs : list of Results
        Those of different checkpoints.
    """

    names: list[str]
    runs: list[Results]

    @property
    def attributes(self) -> dict[str, Any]:
        """Attributes of the first."""
        return self.runs[0].attributes

    @property
    def attention(self) -> str:
        """Name of the attention, ``none`` of the vanilla network."""
        return attention_of(self.runs[0])

    def measured(self, measure: Measure) -> tuple[dict[str, float], dict[str, float]]:
        """Return the means over the runs, and their standard deviations (n - 1)."""
        values = [measure(run) for run in self.runs]
        columns = {name: [float(value[name]) for value in values] for name in values[0]}
        several = len(values) > 1
        return (
            {name: float(np.mean(column)) for name, column in columns.items()},
            {
                name: float(np.std(column, ddof=1)) if several else float("nan")
                for name, column in columns.items()
            },
        )


def attention_of(results: Results) -> str:
    """Return the attention that the network's arguments name, or ``not stated``.

    GAC's encoder is the attention of its networks, ``gac``.
    """
    arguments = results.attributes.get(schema.NETWORK_ARGUMENTS, {})
    if "encoder" in arguments:
        return GAC if arguments["encoder"] else VANILLA
    return str(arguments.get("attention", NOT_STATED))


def attention_label(results: Results) -> str:
    """Return what a figure calls the attention of a network, such as ``ASA``."""
    stated = attention_of(results)
    if stated in (VANILLA, NOT_STATED):
        return "attention"
    return stated.partition("-")[0].upper()


def has_attention(results: Results) -> bool:
    """Tell whether the network has attention: by its arguments, else by its modules."""
    stated = attention_of(results)
    if stated != NOT_STATED:
        return stated != VANILLA
    if schema.SYNAPSE_NODE not in results.tree.children:
        return False
    return bool((results.synapses[schema.ROLE] == "attention").any())


def grouped(networks: Mapping[str, Results]) -> list[tuple[Group, Group | None]]:
    """Return what makes one row each, with the vanilla network it is to be held against.

    Vanilla networks come before those with attention, otherwise the order is kept. A
    network that does not state its attention is a row of its own, without a vanilla one.
    """
    groups: dict[tuple[str, str], dict[str, Group]] = {}
    for name, results in networks.items():
        attributes = results.attributes
        stated = attention_of(results) != NOT_STATED
        base = (_data_key(attributes), _network_key(attributes, "" if stated else name))
        arguments = json.dumps(attributes.get(schema.NETWORK_ARGUMENTS, {}), sort_keys=True)
        group = groups.setdefault(base, {}).setdefault(arguments, Group([], []))
        group.names.append(name)
        if not _holds(group.runs, results):
            group.runs.append(results)
    return list(_with_vanilla([list(rows.values()) for rows in groups.values()]))


def _with_vanilla(families: Sequence[list[Group]]) -> Iterator[tuple[Group, Group | None]]:
    for family in families:
        vanilla = [group for group in family if group.attention == VANILLA]
        for group in vanilla:
            yield group, None
        for group in family:
            if group.attention != VANILLA:
                yield group, vanilla[0] if vanilla else None


def _holds(runs: Sequence[Results], results: Results) -> bool:
    """Tell whether one checkpoint is among the runs already, under another name."""
    checksum = results.attributes.get(schema.CHECKPOINT_SHA256)
    return any(
        run is results or (checksum and run.attributes.get(schema.CHECKPOINT_SHA256) == checksum)
        for run in runs
    )


def _data_key(attributes: Mapping[str, Any]) -> str:
    return json.dumps([attributes.get(name) for name in _DATA], sort_keys=True, default=str)


def _network_key(attributes: Mapping[str, Any], name: str) -> str:
    arguments = {
        key: value
        for key, value in attributes.get(schema.NETWORK_ARGUMENTS, {}).items()
        if key not in _OF_ATTENTION
    }
    return json.dumps([attributes[schema.NETWORK], arguments, name], sort_keys=True, default=str)
