"""Every number of a quantity as one row: by layer, timestep, channel, pattern or synapse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import xarray as xr

from redundancy import schema
from redundancy.errors import UsageError
from redundancy.stats import PatternRules, pattern_shares
from redundancy.stats.energy import E_AC, E_MAC
from redundancy.stats.energy_conventions import CONVENTIONS
from redundancy.stats.energy_inputs import is_measured, uncounted_note, uncounted_operations
from redundancy.stats.patterns import PATTERNS, RULES

if TYPE_CHECKING:
    import pandas as pd

    from redundancy.results import Results

# The row of the pattern table that stands for all layers together.
ALL_LAYERS = "all layers"
QE_VARIANTS = (schema.QE, schema.QE_SCALED, schema.QE_NORMALIZED)
_POTENTIALS = (schema.PTD, schema.MEAN, schema.VARIANCE, schema.MINIMUM, schema.MAXIMUM)
_ENERGY_COLUMNS = (
    schema.SYNAPSE,
    schema.SYNAPSE_KIND,
    schema.ROLE,
    schema.FED_BY,
    schema.FED_BY_RULE,
    schema.SOURCE,
    schema.FLOPS,
    schema.APPLICATIONS,
    schema.INPUT_RATE,
    schema.NONZERO_FRACTION,
    schema.IS_BINARY,
    schema.DENSE_OPERATIONS,
    schema.EFFECTIVE_OPERATIONS,
    schema.COUNTED_AS,
    schema.ACS,
    schema.MACS,
    schema.ENERGY,
    schema.BATCH_NORM_OPERATIONS,
    schema.NEURON_OPERATIONS,
    schema.RESCALE_OPERATIONS,
)


def firing_rate_table(results: Results) -> pd.DataFrame:
    """Return the C-SFR of every layer, timestep and channel.

    Returns
    -------
    DataFrame
        Columns ``layer``, ``time``, ``channel``, ``c_sfr``, in network order.
    """
    return _features(results.firing_rates, (schema.C_SFR,))


def quantization_error_table(results: Results) -> pd.DataFrame:
    """Return the quantization errors of every layer, timestep and channel.

    Returns
    -------
    DataFrame
        Columns ``layer``, ``time``, ``channel`` and the three variants
        ``quantization_error``, ``..._scaled``, ``..._normalized``.
    """
    return _features(results.quantization_errors, QE_VARIANTS)


def membrane_potential_table(results: Results, rules: PatternRules | None = None) -> pd.DataFrame:
    """Return what is known of the potentials of every layer, timestep and channel.

    Parameters
    ----------
    results : Results
    rules : PatternRules, optional
        How the patterns are told.

    Returns
    -------
    DataFrame
        Columns ``layer``, ``time``, ``channel``, ``peak_to_threshold_distance``,
        ``mean``, ``variance``, ``minimum``, ``maximum``, and ``pattern_potential`` and
        ``pattern_spatial`` as words.
    """
    patterns = results.patterns(rules)
    table = _features(
        {
            name: potentials.assign({code: patterns[name][code] for code in RULES.values()})
            for name, potentials in results.potentials.items()
        },
        (*_POTENTIALS, *RULES.values()),
    )
    for column in RULES.values():
        table[column] = table[column].map(PATTERNS)
    return table


def pattern_table(results: Results, rules: PatternRules | None = None) -> pd.DataFrame:
    """Return how many features are null, noise and normal, and how many spikes they fire.

    Parameters
    ----------
    results : Results
    rules : PatternRules, optional

    Returns
    -------
    DataFrame
        One row per layer, rule and pattern: ``layer``, ``rule``, ``pattern``,
        ``n_features``, ``feature_share`` (of the layer's features),
        ``layer_spike_share`` (of the layer's spikes), ``spike_share`` (of the network's);
        then the same for ``all layers`` together.
    """
    import pandas as pd

    patterns = results.patterns(rules)
    tables = []
    for rule in RULES:
        shares = pattern_shares(patterns, rule)
        whole = shares[["n_features", "spike_share"]].sum("layer")
        n_features = int(whole["n_features"].sum())
        whole["feature_share"] = whole["n_features"] / max(n_features, 1)
        whole["layer_spike_share"] = whole["spike_share"]
        both = xr.concat([shares, whole.assign_coords(layer=ALL_LAYERS)], "layer")
        table = both.to_dataframe(dim_order=["layer", "pattern"]).reset_index()
        table.insert(1, "rule", rule)
        tables.append(table)
    columns = ["layer", "rule", "pattern", "n_features", "feature_share"]
    table = pd.concat(tables, ignore_index=True)
    return table[[*columns, "layer_spike_share", "spike_share"]]


def energy_rows(
    results: Results, convention: str = "asa", e_mac: float = E_MAC, e_ac: float = E_AC
) -> pd.DataFrame:
    """Return operations and energy of every synaptic layer, in the order of calls.

    Parameters
    ----------
    results : Results
    convention : str
        How operations are counted; see :func:`redundancy.stats.energy.energy_table`.
    e_mac, e_ac : float
        Picojoules of one multiply-accumulate and one accumulate.

    Returns
    -------
    DataFrame
        Columns ``synapse``, ``kind``, ``role``, ``fed_by``, ..., ``acs``, ``macs``,
        ``energy`` (pJ) a sample, ``convention``, and ``uncounted_operations``, how many
        operations of the network no row counts.

    Raises
    ------
    UsageError
        If the results hold no synaptic layers, or there is no such convention.
    ResultsError
        If the convention needs what an older version did not measure.
    """
    if not has_energy(results):
        raise UsageError(
            "these results hold no synaptic layers, so there is no energy to tell; analyse the "
            "checkpoint again"
        )
    energy = results.energy(convention, e_mac, e_ac)
    table = energy.to_dataframe().reset_index()
    columns = [column for column in _ENERGY_COLUMNS if column in table]
    n_uncounted = len(uncounted_operations(energy.attrs))
    return table[columns].assign(
        **{schema.CONVENTION: convention, schema.UNCOUNTED_OPERATIONS: n_uncounted}
    )


def has_energy(results: Results) -> bool:
    """Tell whether the results say what came into the network's synaptic layers."""
    return schema.SYNAPSE_NODE in results.tree.children


def tells_energy(results: Results, convention: str) -> bool:
    """Tell whether operations can be counted so: older results did not measure all of it."""
    return has_energy(results) and (
        not CONVENTIONS.get(convention).asks_for_spikes or is_measured(results.synapses)
    )


def energy_notes(networks: Mapping[str, Results], convention: str) -> list[str]:
    """Return what to mind of the energies of networks side by side.

    Parameters
    ----------
    networks : mapping of str to Results
    convention : str

    Returns
    -------
    list of str
        Whose energies are not known and why, and which operations totals leave out.
    """
    silent = [name for name, results in networks.items() if not has_energy(results)]
    older = [
        name
        for name, results in networks.items()
        if name not in silent and not tells_energy(results, convention)
    ]
    notes = []
    if silent:
        notes.append(f"No operations or energy are known of {', '.join(silent)}.")
    if older:
        notes.append(
            f"The results of {', '.join(older)} were made before it was measured whether inputs "
            "other than 0 and 1 are sums or averages of spikes, so no energy is told of it; "
            "analyse it again, or count by the convention effective."
        )
    for name, results in networks.items():
        operations = [] if name in silent else uncounted_operations(results.synapses.attrs)
        if operations:
            notes.append(f"{name}: {uncounted_note(operations)}: {', '.join(operations)}.")
    return notes


def _features(layers: Mapping[str, xr.Dataset], names: Sequence[str]) -> Any:
    """Return variables (time, channel) of all layers below one another."""
    import pandas as pd

    tables = []
    for layer, values in layers.items():
        table = values[list(names)].to_dataframe(dim_order=[schema.TIME, schema.CHANNEL])
        table = table.reset_index()
        table.insert(0, "layer", layer)
        tables.append(table[["layer", schema.TIME, schema.CHANNEL, *names]])
    return pd.concat(tables, ignore_index=True)
