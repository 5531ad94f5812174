"""The tables and figures of ``analyze ghost-features``."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from redundancy import schema
from redundancy.errors import UsageError
from redundancy.report.output import Selection, figure_of
from redundancy.report.text import format_table, heading
from redundancy.results import Results
from redundancy.stats import TemporalKernel
from redundancy.stats.ghosts import cut_height, ghost_groups, ghost_ratio_curve, linkage_of
from redundancy.stats.temporal import temporal_ghost_curve
from redundancy.tables import ghost_table, write_csv

if TYPE_CHECKING:
    import xarray as xr

    from redundancy.report.output import Drawing

_MEASURES = ("cosine", "pearson", "ssim", "jaccard")


@dataclass(frozen=True)
class GhostReport:
    """Ghost features of one network: in space, and from timestep to timestep.

    Parameters
    ----------
    measure : {"cosine", "pearson", "ssim", "jaccard"}, optional
        The one that figures go by; the table holds all. Default cosine, or jaccard for a
        layer whose channels are single numbers.
    threshold : float
        From which similarity on features count as ghosts of one another.

    Raises
    ------
    UsageError
        If the threshold lies outside [-1, 1].
    """

    measure: str | None = None
    threshold: float = 0.9

    def __post_init__(self) -> None:
        cut_height(self.threshold)

    def write_tables(self, results: Results, folder: Path) -> list[Path]:
        """Write the ghost ratios of every layer and measure, and every channel's group."""
        path = folder / "ghost_features.csv"
        write_csv(ghost_table(results, self.threshold), path)
        return [path]

    def _similarities(self, results: Results, layer: str, time: int) -> dict[str, xr.DataArray]:
        """Return the similarities of a layer's channels by every measure that has one."""
        similarities = {}
        for measure in _MEASURES:
            try:
                similarities[measure] = results.similarity(layer, time, measure)
            except UsageError:
                if measure == self.measure:
                    raise
        return similarities

    def drawings(self, results: Results, selection: Selection) -> Iterator[Drawing]:
        """Yield the names of the figures and how to draw them."""
        from redundancy import plots

        layer, time, _ = selection.resolve(results)
        rates = results.firing_rates[layer]
        similarities = self._similarities(results, layer, time)
        similarity = similarities[self.measure or next(iter(similarities))]
        groups = ghost_groups(similarity, self.threshold)
        if groups.attrs[schema.N_ACTIVE] > 1:
            yield (
                "ghost_similarity",
                lambda: plots.plot_ghost_heatmap(similarity, linkage_of(similarity), groups),
            )
        if plots.has_maps(rates) and groups.attrs[schema.N_ACTIVE]:
            yield (
                "ghost_groups",
                lambda: figure_of(plots.plot_ghost_groups(rates, groups, time=time)),
            )
        yield (
            "ghost_ratio",
            lambda: figure_of(
                plots.plot_ghost_ratio_curve(
                    {name: ghost_ratio_curve(values) for name, values in similarities.items()},
                    threshold=self.threshold,
                )
            ),
        )
        yield (
            "temporal_similarity",
            lambda: figure_of(
                plots.plot_temporal_similarity(
                    TemporalKernel().compute(results.layers[layer]).assign_attrs(name=layer)
                )
            ),
        )
        curves = self._temporal_curves(results)
        if curves:
            yield (
                "temporal_redundancy",
                lambda: figure_of(plots.plot_temporal_ghost_curve(curves)),
            )

    def _temporal_curves(self, results: Results) -> dict[str, xr.Dataset]:
        """Return redundancy against the number of timesteps, of layers that have maps."""
        curves = {}
        for name, rates in results.firing_rates.items():
            # A layer may have no maps, or too small ones for the measure.
            with contextlib.suppress(UsageError):
                curves[name] = temporal_ghost_curve(rates, self.threshold, self._map_measure)
        return curves

    @property
    def _map_measure(self) -> str:
        # Over time, maps are compared; the Jaccard index compares spikes of one timestep.
        return self.measure if self.measure not in (None, "jaccard") else "cosine"

    def text(self, results: Results) -> str:
        """Return the ghost ratios of every layer at the middle timestep."""
        table = ghost_table(results, self.threshold)
        rows = [
            [
                str(row.layer),
                str(row.n_channels),
                f"{row.n_null:.1f}",
                *(_number(getattr(row, f"ghost_ratio_{measure}")) for measure in _MEASURES),
                _number(row.temporal_ghost_ratio),
                _number(row.effective_rank, 1),
                _number(row.participation_ratio, 1),
                _number(row.cka_next),
            ]
            for row in table.itertuples()
        ]
        header = [
            *("layer", "channels", "null", *_MEASURES),
            *("repeats in time", "effective rank", "particip. ratio", "CKA to t + 1"),
        ]
        return (
            f"{heading(results)}\nghost ratio: 1 - groups / channels that spike, groups by average "
            f"linkage at similarity >= {self.threshold:g};\nmeans over timesteps\n\n"
            f"{format_table(header, rows)}"
        )


def _number(value: float, decimals: int = 3) -> str:
    return "–" if value != value else f"{value:.{decimals}f}"
