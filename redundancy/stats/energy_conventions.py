"""How the field counts the operations of a spiking network, each way under a name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import xarray as xr

from redundancy import schema
from redundancy.registry import Registry
from redundancy.stats.energy_inputs import OF_SPIKES

MacsAndAcs = tuple[xr.DataArray, xr.DataArray]


@dataclass(frozen=True)
class Convention:
    """How operations are counted.

    Attributes
    ----------
    description : str
        One line for people.
    count : callable
        Returns the MACs and the ACs a sample of every row of an energy table, whose column
        ``counted_as`` still holds what came in (see
        :func:`redundancy.stats.energy_inputs.kinds_of_inputs`).
    accumulates : callable
        Tells which rows make ACs.
    asks_for_spikes : bool
        Whether it counts sums and averages of spikes otherwise than other values.
    """

    description: str
    count: Callable[[xr.Dataset], MacsAndAcs]
    accumulates: Callable[[xr.Dataset], xr.DataArray]
    asks_for_spikes: bool = True


CONVENTIONS: Registry[Convention] = Registry("energy convention")


def _by_formula(table: xr.Dataset, at_input: xr.DataArray, rate: str) -> MacsAndAcs:
    """Count FLOPs times `rate` as ACs where spikes come in, and MACs elsewhere.

    MACs are `at_input` for layers that see the network's input and dense for attention.
    The papers' formulas have no case for a layer that currents come into, or spikes that
    were scaled or normalised; these are numbers, so each that is not zero makes a MAC.
    """
    dense = table[schema.DENSE_OPERATIONS]
    of_numbers = dense * table[schema.NONZERO_FRACTION]
    macs = of_numbers.where(table[schema.SOURCE] != "input", at_input)
    macs = macs.where(table[schema.ROLE] != "attention", dense)
    of_spikes = _of_spikes(table)
    return macs.where(~of_spikes, 0.0), (dense * table[rate]).where(of_spikes, 0.0)


def _of_spikes(table: xr.Dataset) -> xr.DataArray:
    return table[schema.COUNTED_AS].isin(OF_SPIKES)


def _of_binary_inputs(table: xr.Dataset) -> xr.DataArray:
    return table[schema.IS_BINARY] & (table[schema.ROLE] == "main")


def _asa(table: xr.Dataset) -> MacsAndAcs:
    at_input = table[schema.DENSE_OPERATIONS] * table[schema.NONZERO_FRACTION]
    return _by_formula(table, at_input, schema.INPUT_RATE)


def _spikformer(table: xr.Dataset) -> MacsAndAcs:
    n_timesteps = int(table.attrs[schema.N_TIMESTEPS])
    dense = table[schema.DENSE_OPERATIONS]
    # A layer that the network applies once, outside of time, counts as it is.
    in_time = table[schema.APPLICATIONS] % n_timesteps == 0
    at_input = (dense / n_timesteps).where(in_time, dense)
    return _by_formula(table, at_input, schema.INPUT_RATE)


def _spike_driven_transformer(table: xr.Dataset) -> MacsAndAcs:
    at_input = table[schema.DENSE_OPERATIONS] * table[schema.NONZERO_FRACTION]
    return _by_formula(table, at_input, schema.NONZERO_FRACTION)


def _effective(table: xr.Dataset) -> MacsAndAcs:
    operations = table[schema.EFFECTIVE_OPERATIONS]
    accumulates = _of_binary_inputs(table)
    return operations.where(~accumulates, 0.0), operations.where(accumulates, 0.0)


CONVENTIONS.register("asa")(
    Convention(
        "MA-SNN and ASA-SNN. MACs: T FL x non-zero share, at the network's input; ACs: T FL x "
        "mean input value",
        _asa,
        _of_spikes,
    )
)
CONVENTIONS.register("spikformer")(
    Convention(
        "Spikformer. MACs: FL once, without T, at the network's input; ACs: T FL x mean input "
        "value",
        _spikformer,
        _of_spikes,
    )
)
CONVENTIONS.register("spike-driven-transformer")(
    Convention(
        "Spike-driven Transformer. MACs: T FL x non-zero share, at the network's input; ACs: "
        "T FL x non-zero share",
        _spike_driven_transformer,
        _of_spikes,
    )
)
CONVENTIONS.register("effective")(
    Convention(
        "What is executed, as NeuroBench counts: every product with an input that is not zero, "
        "padding left out; ACs where all inputs are 0 or 1, else MACs",
        _effective,
        _of_binary_inputs,
        asks_for_spikes=False,
    )
)
