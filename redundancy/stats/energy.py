"""Synaptic operations and their energy: FLOPs, MACs, ACs and picojoules a layer."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from redundancy import schema
from redundancy.errors import UsageError
from redundancy.stats.base import state_variable
from redundancy.stats.energy_conventions import CONVENTIONS
from redundancy.stats.energy_inputs import (
    check_measured,
    kinds_of_inputs,
    signed_inputs,
    uncounted_operations,
    with_uncounted,
)

E_MAC = 4.6
E_AC = 0.9
_SUMMED = (
    schema.INPUT_ELEMENTS,
    schema.INPUT_SUM,
    schema.INPUT_NONZERO,
    schema.INPUT_NONBINARY,
    schema.EFFECTIVE_OPERATIONS,
    schema.DENSE_OPERATIONS,
    schema.APPLICATIONS,
)
# What recordings of older versions do not hold.
_MEASURED = (schema.INPUT_UNFIT, schema.INPUT_OFF_LEVEL)


@dataclass(frozen=True)
class SynapticOperations:
    """What comes into the synaptic layers, and how many operations it asks for."""

    def observe(self, recording: xr.Dataset) -> xr.Dataset:
        """Sum over samples what synaptic layers were given.

        Parameters
        ----------
        recording : Dataset
            The node ``synaptic_layers``, dimensions (sample, synapse). Its attribute
            ``uncounted_operations``, a list of str, names operations of the network that
            no layer's module does; it may be absent.

        Returns
        -------
        Dataset
            The same variables over (synapse), and ``n_samples``.
        """
        variables = {
            name: state_variable(
                (schema.SYNAPSE,),
                recording.variables[name]
                .transpose(schema.SAMPLE, schema.SYNAPSE)
                .values.sum(axis=0),
                "sum",
                recording.variables[name].attrs["long_name"],
                recording.variables[name].attrs["units"],
            )
            for name in (*_SUMMED, *(name for name in _MEASURED if name in recording))
        }
        variables[schema.N_SAMPLES] = state_variable(
            (), np.int64(recording.sizes[schema.SAMPLE]), "sum", "samples", "samples"
        )
        coordinates = {
            name: coordinate
            for name, coordinate in recording.coords.items()
            if coordinate.dims == (schema.SYNAPSE,)
        }
        attributes: dict[Any, Any] = dict(recording.attrs)
        if schema.UNCOUNTED_OPERATIONS in attributes:
            attributes = with_uncounted(attributes, uncounted_operations(attributes))
        return xr.Dataset(variables, coordinates, attributes)

    def compute(self, state: xr.Dataset) -> xr.Dataset:
        """Return :func:`energy_table` by its default convention."""
        return energy_table(state)


def energy_table(
    state: xr.Dataset, *, convention: str = "asa", e_mac: float = E_MAC, e_ac: float = E_AC
) -> xr.Dataset:
    """Return operations and energy of every synaptic layer that was called.

    Parameters
    ----------
    state : Dataset
        What :meth:`SynapticOperations.observe` returns, or several of it merged.
    convention : str, default "asa"
        A name in ``CONVENTIONS``: ``asa`` (MA-SNN, ASA-SNN), ``spikformer``,
        ``spike-driven-transformer``, or ``effective``, which counts what is really
        executed. By the first three, spikes make ACs even if pooling made them fractions;
        ``effective`` makes MACs of these. What is no sum or average of spikes (signed,
        normalised, scaled values) makes a MAC of each input that is not zero.
    e_mac, e_ac : float, default 4.6 and 0.9
        Picojoules of one multiply-accumulate and one accumulate (45 nm).

    Returns
    -------
    Dataset
        Along ``synapse``, in the order of calls: ``flops`` (dense, of one application),
        ``applications``, ``dense_operations`` and ``effective_operations`` (a sample),
        ``input_rate`` (mean value, NaN of signed inputs), ``nonzero_fraction``,
        ``is_binary``, ``counted_as`` (in words: ACs or MACs, of what), ``macs``, ``acs``,
        ``energy`` (pJ) a sample. No number is negative. Not part of any total:
        ``batch_norm_operations`` (one MAC a value), ``neuron_operations`` (one a neuron
        and timestep), ``rescale_operations`` (products of features and attention).
        Attributes hold the parameters, ``n_samples``, the totals, and
        ``uncounted_operations``: what the totals leave out.

    Raises
    ------
    UsageError
        If there is no such convention, or an energy is negative or not finite.
    ResultsError
        If the convention needs what an older version did not measure.
    ValueError
        If the state holds no sample.
    """
    chosen = CONVENTIONS.get(convention)
    for name, value in (("e_mac", e_mac), ("e_ac", e_ac)):
        if not 0 <= value < math.inf:
            raise UsageError(f"{name} must be picojoules of at least 0 and finite, got {value}")
    n_samples = int(state[schema.N_SAMPLES])
    if n_samples < 1:
        raise ValueError("energies need at least one sample, the state holds none")
    called = _called(state)
    table = _densities(called, n_samples)
    _check(table, convention)
    macs, acs = chosen.count(table)
    table[schema.COUNTED_AS] = _in_words(table, chosen.accumulates(table))
    table[schema.MACS], table[schema.ACS] = macs, acs
    table[schema.ENERGY] = e_mac * macs + e_ac * acs
    for column, coordinate in (
        (schema.BATCH_NORM_OPERATIONS, schema.BATCH_NORM_ELEMENTS),
        (schema.NEURON_OPERATIONS, schema.NEURON_UPDATES),
        (schema.RESCALE_OPERATIONS, schema.RESCALE_ELEMENTS),
    ):
        table[column] = table[coordinate].variable
        table = table.drop_vars(coordinate)
    for name, (long_name, units) in _COLUMNS.items():
        table[name].attrs = {"long_name": long_name, "units": units}
    return table.assign_attrs(
        {
            schema.CONVENTION: convention,
            "convention_description": chosen.description,
            schema.E_MAC: e_mac,
            schema.E_AC: e_ac,
            schema.N_SAMPLES: n_samples,
            schema.UNCOUNTED_OPERATIONS: uncounted_operations(state.attrs),
            schema.TOTAL_MACS: float(table[schema.MACS].sum()),
            schema.TOTAL_ACS: float(table[schema.ACS].sum()),
            schema.TOTAL_ENERGY: float(table[schema.ENERGY].sum()),
        }
    )


_COLUMNS = {
    schema.FLOPS: ("dense operations of one application", "operations"),
    schema.APPLICATIONS: ("applications", "frames per sample"),
    schema.DENSE_OPERATIONS: ("dense operations", "operations per sample"),
    schema.EFFECTIVE_OPERATIONS: ("effective operations", "operations per sample"),
    schema.INPUT_RATE: ("mean input value, none of signed inputs", "same as the inputs"),
    schema.NONZERO_FRACTION: ("share of inputs that are not zero", "fraction"),
    schema.IS_BINARY: ("all inputs are 0 or 1", "boolean"),
    schema.COUNTED_AS: ("what operations are taken to be, and of what", "text"),
    schema.MACS: ("multiply-accumulates", "operations per sample"),
    schema.ACS: ("accumulates", "operations per sample"),
    schema.ENERGY: ("energy", "pJ per sample"),
    schema.BATCH_NORM_OPERATIONS: ("normalised values", "operations per sample"),
    schema.NEURON_OPERATIONS: ("neuron updates", "operations per sample"),
    schema.RESCALE_OPERATIONS: ("features weighed by attention", "operations per sample"),
}


def _called(state: xr.Dataset) -> xr.Dataset:
    """Return the layers that were called, in the order of calls."""
    position = state[schema.CALL_POSITION].values
    order = np.argsort(np.where(position < 0, len(position), position), kind="stable")
    return state.isel(
        {schema.SYNAPSE: [row for row in order if state[schema.APPLICATIONS].values[row] > 0]}
    )


def _densities(state: xr.Dataset, n_samples: int) -> xr.Dataset:
    """Return what all conventions build on."""
    elements = state[schema.INPUT_ELEMENTS]
    return xr.Dataset(
        {
            schema.FLOPS: state[schema.DENSE_OPERATIONS] / state[schema.APPLICATIONS],
            schema.APPLICATIONS: state[schema.APPLICATIONS] / n_samples,
            schema.DENSE_OPERATIONS: state[schema.DENSE_OPERATIONS] / n_samples,
            schema.EFFECTIVE_OPERATIONS: state[schema.EFFECTIVE_OPERATIONS] / n_samples,
            schema.INPUT_RATE: (state[schema.INPUT_SUM] / elements).where(~signed_inputs(state)),
            schema.NONZERO_FRACTION: state[schema.INPUT_NONZERO] / elements,
            schema.IS_BINARY: state[schema.INPUT_NONBINARY] == 0,
            schema.COUNTED_AS: kinds_of_inputs(state),
        },
        attrs=state.attrs,
    ).drop_vars(schema.CALL_POSITION)


def _check(table: xr.Dataset, convention: str) -> None:
    if CONVENTIONS.get(convention).asks_for_spikes:
        check_measured(table[schema.COUNTED_AS], table[schema.SYNAPSE].values)


def _in_words(table: xr.Dataset, accumulates: xr.DataArray) -> xr.DataArray:
    """Return what is counted, in words, of what the kinds of inputs are and how they count."""
    words = [
        f"{'ACs' if accumulated else 'MACs'} of {kind}"
        for kind, accumulated in zip(
            table[schema.COUNTED_AS].values, accumulates.values, strict=True
        )
    ]
    return xr.DataArray(np.array(words, dtype=object), dims=schema.SYNAPSE)


def energy_replicates(
    state: xr.Dataset,
    replicates: xr.Dataset,
    *,
    convention: str = "asa",
    e_mac: float = E_MAC,
    e_ac: float = E_AC,
) -> xr.DataArray:
    """Return the total energy (pJ a sample) of every bootstrap replicate.

    Parameters
    ----------
    state : Dataset
        As of :func:`energy_table`.
    replicates : Dataset
        Of :func:`redundancy.stats.bootstrap.synaptic_replicates`.
    convention, e_mac, e_ac
        As of :func:`energy_table`.

    Returns
    -------
    DataArray, dims (replicate,)
    """
    n_samples = int(state[schema.N_SAMPLES])
    # What the inputs are, all samples tell together.
    table = _densities(_called(state), n_samples)
    _check(table, convention)
    called = _called(state.assign(replicates.data_vars))
    elements = called[schema.INPUT_ELEMENTS] / n_samples
    # Per sample drawn; everything else of the table is the same for every sample.
    table[schema.INPUT_RATE] = called[schema.INPUT_SUM] / elements
    table[schema.NONZERO_FRACTION] = called[schema.INPUT_NONZERO] / elements
    table[schema.EFFECTIVE_OPERATIONS] = called[schema.EFFECTIVE_OPERATIONS]
    macs, acs = CONVENTIONS.get(convention).count(table)
    energy = (e_mac * macs + e_ac * acs).sum(schema.SYNAPSE, skipna=False)
    if schema.REPLICATE not in energy.dims:
        energy = energy.expand_dims({schema.REPLICATE: replicates.sizes[schema.REPLICATE]})
    return energy


def energy_change(before: xr.Dataset, after: xr.Dataset) -> xr.Dataset:
    """Return eq. 11: dE = E_MAC dMAC - E_AC dAC, positive where `after` costs more.

    Parameters
    ----------
    before, after : Dataset
        Energy tables of two networks, such as one without and one with attention.

    Returns
    -------
    Dataset
        Scalars a sample: ``delta_macs``, the MACs that `after` ADDS; ``delta_acs``, the
        ACs that `after` SAVES; ``delta_energy`` (pJ), which is the total energy of
        `after` minus that of `before`.

    Raises
    ------
    UsageError
        If the tables count by different conventions or energies.
    """
    for name in (schema.CONVENTION, schema.E_MAC, schema.E_AC):
        if before.attrs[name] != after.attrs[name]:
            raise UsageError(
                f"energies compare only under one {name}, got {before.attrs[name]} and "
                f"{after.attrs[name]}; compute both tables with the same"
            )
    added = after.attrs[schema.TOTAL_MACS] - before.attrs[schema.TOTAL_MACS]
    saved = before.attrs[schema.TOTAL_ACS] - after.attrs[schema.TOTAL_ACS]
    change = before.attrs[schema.E_MAC] * added - before.attrs[schema.E_AC] * saved
    kept = (schema.CONVENTION, schema.E_MAC, schema.E_AC)
    return xr.Dataset(
        {
            name: ((), value, {"long_name": long_name, "units": f"{units} per sample"})
            for name, value, long_name, units in (
                (schema.DELTA_MACS, added, "MACs added", "operations"),
                (schema.DELTA_ACS, saved, "ACs saved", "operations"),
                (schema.DELTA_ENERGY, change, "energy added", "pJ"),
            )
        },
        attrs={name: before.attrs[name] for name in kept},
    )
