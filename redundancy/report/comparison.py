"""The tables and figures of ``analyze compare``."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from redundancy import schema
from redundancy.comparison import Comparison, compare
from redundancy.errors import UsageError
from redundancy.report.energy import EnergyReport
from redundancy.report.membrane_potential import layer_results, noise_share
from redundancy.report.output import Selection, figure_of
from redundancy.report.text import format_table, heading
from redundancy.stats import PatternRules, pattern_shares
from redundancy.tables import (
    gac_power_table,
    is_gac_network,
    table_1,
    table_3,
    table_4,
    write_csv,
    write_table,
)

if TYPE_CHECKING:
    from redundancy.plots.patterns import Rule
    from redundancy.report.output import Drawing
    from redundancy.results import Results


# How a quantity is called, and in what units it is shown.
_LABELS = {
    schema.ACCURACY: ("accuracy (%)", 100.0),
    schema.NASFR: ("NASFR", 1.0),
    schema.QE: ("quantization error", 1.0),
    schema.ENERGY: ("energy (µJ a sample)", 1e-6),
}


@dataclass(frozen=True)
class ComparisonReport:
    """Networks side by side.

    Parameters
    ----------
    networks : mapping of str to Results
        The first is what the others are held against.
    selection : Selection
        Of Figure 6 and the scatter plots.
    rules : PatternRules
    rule : {"potential", "spatial"}
        The one that figures go by.
    energy : EnergyReport
    force : bool
        Compare although data or T differ.

    Raises
    ------
    UsageError
        On first use, if the networks cannot be compared.
    """

    networks: Mapping[str, Results]
    selection: Selection = field(default_factory=Selection)
    rules: PatternRules = field(default_factory=PatternRules)
    rule: Rule = "potential"
    energy: EnergyReport = field(default_factory=EnergyReport)
    force: bool = False

    @cached_property
    def comparison(self) -> Comparison:
        """The tables of the comparison."""
        return compare(
            self.networks,
            force=self.force,
            convention=self.energy.convention,
            e_mac=self.energy.e_mac,
            e_ac=self.energy.e_ac,
            rules=self.rules,
        )

    def write_tables(self, folder: Path) -> list[Path]:
        """Write the comparison as CSV, and Tables 1, 3 and 4 as CSV, Markdown and LaTeX."""
        paths = []
        for name, table in self.comparison.tables.items():
            paths.append(folder / f"compare_{name}.csv")
            write_csv(table, paths[-1])
        energy = self.energy
        tables = {
            "table_1_firing_rate": table_1(self.networks),
            "table_3_energy": table_3(self.networks, energy.convention, energy.e_mac, energy.e_ac),
            "table_4_quantization_error": table_4(self.networks),
        }
        if any(is_gac_network(results) for results in self.networks.values()):
            tables["gac_power"] = gac_power_table(
                self.networks, e_mac=energy.e_mac, e_ac=energy.e_ac
            )
        for name, table in tables.items():
            paths += write_table(table, folder / name)
        return paths

    def drawings(self) -> Iterator[Drawing]:
        """Yield the names of the figures and how to draw them."""
        from redundancy import plots

        first = next(iter(self.networks.values()))
        layer, time, channels = self.selection.resolve(first)
        alike = {
            name: layer_results(results, layer, self.rules)
            for name, results in self.networks.items()
            if _alike(results, first, layer)
        }
        if 1 < len(alike) <= 4:
            yield (
                "ptd_scatter",
                lambda: plots.pattern_scatter_figure(alike, time=time, rule=self.rule),
            )
            try:
                figure = plots.figure_6(alike, time=time, channels=channels or None, rule=self.rule)
            except UsageError:
                if channels:
                    raise
                # Neither a noise nor a normal channel to choose: there is no such figure.
            else:
                yield "figure_6_spike_patterns", lambda: figure
        errors = {name: results.quantization_errors for name, results in self.networks.items()}
        yield (
            "quantization_error",
            lambda: figure_of(plots.plot_quantization_error(errors)),
        )
        yield from self.energy.drawings(self.networks)

    def text(self) -> str:
        """Return the headline numbers with their intervals, and what to mind."""
        headline = self.comparison.headline
        rows = [
            self._headline_row(row)
            for quantity in headline["quantity"].unique()
            for row in headline[headline["quantity"] == quantity].itertuples()
        ]
        first = next(iter(self.networks))
        header = [
            *("quantity", "network", "value", "95 % interval"),
            *(f"change against {first}", "its interval", "in %"),
        ]
        notes = [
            textwrap.fill(f"- {note}", width=100, subsequent_indent="  ")
            for note in self.comparison.notes
        ]
        names = [f"{name}: {heading(results)}" for name, results in self.networks.items()]
        parts = [*names, "", format_table(header, rows), "", self._redundant_spikes(), "", *notes]
        return "\n".join(parts)

    @staticmethod
    def _headline_row(row: Any) -> list[str]:
        label, scale = _LABELS.get(str(row.quantity), (str(row.quantity), 1.0))
        return [
            label,
            str(row.network),
            "unknown" if pd.isna(row.value) else f"{scale * row.value:.4g}",
            _interval(scale * row.low, scale * row.high),
            "" if pd.isna(row.change) else f"{scale * row.change:+.4g}",
            _interval(scale * row.change_low, scale * row.change_high),
            "" if pd.isna(row.change_percent) else f"{row.change_percent:+.1f} %",
        ]

    def _redundant_spikes(self) -> str:
        """Return which share of each network's spikes noise features fire, by both rules."""
        rows = []
        for name, results in self.networks.items():
            patterns = results.patterns(self.rules)
            shares = [pattern_shares(patterns, rule) for rule in ("potential", "spatial")]
            rows.append([name, *map(noise_share, shares)])
        return format_table(["spikes fired by noise features", "by potential", "by place"], rows)


def _alike(results: Results, first: Results, layer: str) -> bool:
    """Tell whether both have this layer, with the same features."""
    if layer not in results.layers:
        return False
    variable = schema.SPIKE_COUNT
    return results.layers[layer][variable].shape == first.layers[layer][variable].shape


def _interval(low: float, high: float) -> str:
    return "" if pd.isna(low) else f"{low:.4g} to {high:.4g}"
