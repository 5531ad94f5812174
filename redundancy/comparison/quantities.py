"""What is compared: the numbers of a network, of its layers, and of their channels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from redundancy import schema
from redundancy.results import Results
from redundancy.stats import PatternRules, pattern_shares
from redundancy.stats.energy import E_AC, E_MAC
from redundancy.stats.patterns import PATTERNS, RULES
from redundancy.tables.quantities import QE_VARIANTS, tells_energy

RATE = "firing_rate"
LAYER_QUANTITIES = (
    RATE,
    schema.PTD,
    schema.VARIANCE,
    *QE_VARIANTS,
    *(
        f"{pattern}_{share}_{rule}"
        for rule in RULES
        for share in ("feature_share", "spike_share")
        for pattern in PATTERNS.values()
    ),
    schema.ENERGY,
)
CHANNEL_QUANTITIES = (
    schema.C_SFR,
    schema.PTD,
    schema.VARIANCE,
    schema.QE,
    *(f"{pattern}_time_share_{rule}" for rule in RULES for pattern in PATTERNS.values()),
)
Replicates = NDArray[np.float64]


@dataclass(frozen=True)
class Settings:
    """How to tell patterns and count energies.

    Parameters
    ----------
    rules : PatternRules
    convention : str
        See :func:`redundancy.stats.energy.energy_table`.
    e_mac, e_ac : float
        Picojoules of one multiply-accumulate and one accumulate.
    """

    rules: PatternRules = field(default_factory=PatternRules)
    convention: str = "asa"
    e_mac: float = E_MAC
    e_ac: float = E_AC


@dataclass(frozen=True)
class Compared:
    """One network's numbers.

    Parameters
    ----------
    results : Results
    settings : Settings
    """

    results: Results
    settings: Settings

    @cached_property
    def patterns(self) -> dict[str, xr.Dataset]:
        """Null, noise and normal features of every layer."""
        return self.results.patterns(self.settings.rules)

    @cached_property
    def energies(self) -> xr.Dataset | None:
        """Energy of every synaptic layer, None where results do not tell it."""
        chosen = self.settings
        if not tells_energy(self.results, chosen.convention):
            return None
        return self.results.energy(chosen.convention, chosen.e_mac, chosen.e_ac)

    @cached_property
    def headline(self) -> dict[str, tuple[float, Replicates]]:
        """Accuracy, NASFR, QE and energy, each with its bootstrap replicates."""
        results, replicates = self.results, self.results.replicates
        chosen = self.settings
        values: dict[str, tuple[float, Replicates]] = {
            schema.ACCURACY: (results.accuracy, replicates[schema.ACCURACY]),
            schema.NASFR: (
                float(results.network_firing_rate[schema.NASFR]),
                replicates[schema.NASFR],
            ),
            schema.QE: (
                float(results.network_quantization_error[schema.QE]),
                replicates[schema.QE],
            ),
            schema.ENERGY: (np.nan, np.full_like(replicates[schema.QE], np.nan)),
        }
        if self.energies is not None:
            values[schema.ENERGY] = (
                float(self.energies.attrs[schema.TOTAL_ENERGY]),
                results.energy_replicates(chosen.convention, chosen.e_mac, chosen.e_ac),
            )
        return values

    @cached_property
    def layers(self) -> dict[str, dict[str, float]]:
        """:data:`LAYER_QUANTITIES` of every layer.

        Distances and variances are plain means over features (a channel at a timestep)
        for which they are known. Energy is that of the synaptic layers which the
        layer's spikes enter; one that several layers feed counts in full for each.
        """
        results = self.results
        values: dict[str, dict[str, float]] = {}
        for name, rates in results.firing_rates.items():
            potentials, errors = results.potentials[name], results.quantization_errors[name]
            values[name] = {
                RATE: float(rates[schema.NASFR]),
                schema.PTD: float(potentials[schema.PTD].mean(skipna=True)),
                schema.VARIANCE: float(potentials[schema.VARIANCE].mean(skipna=True)),
                **{variant: float(errors[variant].mean()) for variant in QE_VARIANTS},
                schema.ENERGY: self._energy_driven_by(name),
            }
        for rule in RULES:
            shares = pattern_shares(self.patterns, rule)
            for ours, theirs in (
                ("feature_share", "feature_share"),
                ("spike_share", "layer_spike_share"),
            ):
                for row, name in enumerate(values):
                    for pattern, share in zip(
                        PATTERNS.values(), shares[theirs].values[row], strict=True
                    ):
                        values[name][f"{pattern}_{ours}_{rule}"] = float(share)
        return values

    def channels(self, layer: str) -> dict[str, NDArray[np.float64]]:
        """Return :data:`CHANNEL_QUANTITIES` of a layer, means over time, shape (channel,)."""
        results, patterns = self.results, self.patterns[layer]
        potentials = results.potentials[layer]
        sources = {
            schema.C_SFR: results.firing_rates[layer][schema.C_SFR],
            schema.PTD: potentials[schema.PTD],
            schema.VARIANCE: potentials[schema.VARIANCE],
            schema.QE: results.quantization_errors[layer][schema.QE],
            **{
                f"{pattern}_time_share_{rule}": patterns[codes] == code
                for rule, codes in RULES.items()
                for code, pattern in PATTERNS.items()
            },
        }
        return {
            name: source.astype(np.float64).mean(schema.TIME, skipna=True).values
            for name, source in sources.items()
        }

    def _energy_driven_by(self, layer: str) -> float:
        if self.energies is None:
            return float("nan")
        fed_by = self.energies[schema.FED_BY].values
        driven = [layer in _names(sources) for sources in fed_by]
        # Of the last layer's spikes no synaptic layer makes anything: they cost nothing.
        return float(self.energies[schema.ENERGY].values[driven].sum())


def _names(sources: str) -> list[str]:
    return [name.strip() for name in str(sources).split(",")]


def changes(
    values: Mapping[str, float], reference: Mapping[str, float] | None, names: Sequence[str]
) -> dict[str, float]:
    """Return ``..._change`` of each quantity, NaN without a reference."""
    return {
        f"{name}_change": float("nan")
        if reference is None
        else values.get(name, np.nan) - reference.get(name, np.nan)
        for name in names
    }
