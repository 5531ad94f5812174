"""The tables and figures of ``analyze membrane-potential``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from redundancy import schema
from redundancy.report.output import Selection, figure_of
from redundancy.report.text import format_table, heading
from redundancy.results import Results
from redundancy.stats import PatternRules, pattern_shares
from redundancy.tables import membrane_potential_table, pattern_table, write_csv

if TYPE_CHECKING:
    import xarray as xr

    from redundancy.plots.layer_results import LayerResults
    from redundancy.plots.patterns import Rule
    from redundancy.report.output import Drawing

# Potentials outside the bins are told from this share of a layer's on.
_TELLING_SHARE = 0.01


def layer_results(results: Results, layer: str, rules: PatternRules) -> LayerResults:
    """Return what figures of several networks need of one layer."""
    return {
        "rates": results.firing_rates[layer],
        "potentials": results.potentials[layer],
        "patterns": results.patterns(rules)[layer],
    }


@dataclass(frozen=True)
class MembranePotentialReport:
    """Membrane potentials and spike patterns of one network.

    Parameters
    ----------
    rules : PatternRules
    rule : {"potential", "spatial"}
        The one that figures go by; tables hold both.
    """

    rules: PatternRules = field(default_factory=PatternRules)
    rule: Rule = "potential"

    def write_tables(self, results: Results, folder: Path) -> list[Path]:
        """Write the potentials and the patterns of every layer, timestep and channel."""
        tables = {
            "membrane_potential.csv": membrane_potential_table(results, self.rules),
            "spike_patterns.csv": pattern_table(results, self.rules),
        }
        for name, table in tables.items():
            write_csv(table, folder / name)
        return [folder / name for name in tables]

    def drawings(self, results: Results, selection: Selection) -> Iterator[Drawing]:
        """Yield the names of the figures and how to draw them."""
        from redundancy import plots

        layer, time, channels = selection.resolve(results)
        shown = layer_results(results, layer, self.rules)
        potentials, patterns = shown["potentials"], shown["patterns"]
        if channels or plots.choose_pattern_channels(
            patterns, shown["rates"], time, rule=self.rule
        ):
            yield (
                "figure_6_spike_patterns",
                lambda: plots.figure_6(
                    {"": shown}, time=time, channels=channels or None, rule=self.rule
                ),
            )
        yield (
            "membrane_potentials",
            lambda: figure_of(
                plots.plot_potential_mosaic(
                    potentials, time=time, patterns=patterns, rule=self.rule
                )
            ),
        )
        yield (
            "membrane_potential_over_time",
            lambda: figure_of(
                plots.plot_potential_over_time(
                    potentials.assign(
                        {schema.HISTOGRAM: potentials[schema.HISTOGRAM].sum(schema.CHANNEL)}
                    )
                    if not channels
                    else potentials,
                    channel=channels[0] if channels else None,
                )
            ),
        )
        yield (
            "ptd_scatter",
            lambda: plots.pattern_scatter_figure({"": shown}, time=time, rule=self.rule),
        )
        yield (
            "pattern_shares",
            lambda: plots.plot_pattern_shares(
                pattern_shares(results.patterns(self.rules), self.rule)
            ),
        )

    def text(self, results: Results) -> str:
        """Return PTD, variance and the patterns' shares of spikes, layer by layer."""
        patterns = results.patterns(self.rules)
        shares = [pattern_shares(patterns, name) for name in ("potential", "spatial")]
        rows = []
        for place, (name, potentials) in enumerate(results.potentials.items()):
            ptd = potentials[schema.PTD].values
            rows.append(
                [
                    name,
                    _threshold(potentials.attrs[schema.V_THRESHOLD]),
                    f"{potentials.attrs[schema.BIN_WIDTH]:g}",
                    f"{np.nanmedian(ptd):.3f}" if np.isfinite(ptd).any() else "none",
                    f"{float(potentials[schema.VARIANCE].mean()):.3f}",
                    *(noise_share(share.isel(layer=[place])) for share in shares),
                ]
            )
        rows.append(["all layers", "", "", "", "", *map(noise_share, shares)])
        header = [
            *("layer", "V_th", "bin width", "median PTD", "mean variance"),
            *("spikes of noise by potential", "by place"),
        ]
        quantity = next(iter(results.potentials.values())).attrs[schema.QUANTITY]
        notes = "".join(f"\n{note}" for note in _notes(results))
        return (
            f"{heading(results)}\nmembrane potentials: {quantity}; noise by potential: PTD >= "
            f"-{self.rules.tolerance:g} V_th; by place: rate off the input's events >= "
            f"{self.rules.background_ratio:g} x that on them;\nshares are of all spikes of the "
            f"network, – where a rule decides nothing\n\n{format_table(header, rows)}{notes}"
        )


def noise_share(shares: xr.Dataset) -> str:
    """Return the share of the network's spikes that noise features fire, for people.

    Parameters
    ----------
    shares : Dataset
        What :func:`redundancy.stats.pattern_shares` returns, of some layers. Where its
        rule decides none of the features that spike, the share is not known.
    """
    n_features = shares["n_features"].sum("layer")
    decided = n_features.sel(pattern=["noise", "normal"]).sum()
    if not decided and n_features.sel(pattern="undecided") > 0:
        return "–"
    return f"{100 * float(shares['spike_share'].sel(pattern='noise').sum()):.1f} %"


def _threshold(threshold: Any) -> str:
    values = np.ravel(threshold)
    low, high = float(values.min()), float(values.max())
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"


def _notes(results: Results) -> Iterator[str]:
    """Yield where the bins are such that the PTD, and so a pattern, would suffer."""
    for name, potentials in results.potentials.items():
        width = potentials.attrs[schema.BIN_WIDTH]
        least = float(np.abs(potentials.attrs[schema.V_THRESHOLD]).min())
        if width > least > 0:
            yield (
                f"{name}: bins of {width:g} are wider than the least threshold, {least:g}, too "
                "wide for PTD; see --bin-width and --range"
            )
        missed = [int(potentials[side].sum()) for side in (schema.UNDERFLOW, schema.OVERFLOW)]
        share = sum(missed) / max(sum(missed) + int(potentials[schema.HISTOGRAM].sum()), 1)
        if share > _TELLING_SHARE:
            yield (
                f"{name}: {100 * share:.1f} % of the potentials lie outside the bins ({missed[0]} "
                f"below, {missed[1]} above), which PTD knows nothing of; see --range"
            )
