"""``analyze membrane-potential``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from redundancy.commands.analysing import report
from redundancy.commands.options import (
    analysis_options,
    channel_option,
    output_options,
    rule_options,
    selection_options,
    source_argument,
)


@click.command(
    "membrane-potential",
    short_help="Potential distributions, PTD, variance; null, noise and normal channels.",
)
@source_argument
@analysis_options
@rule_options
@selection_options
@channel_option
@output_options
def membrane_potential(
    source: Path,
    rule: str,
    tolerance: float,
    background_ratio: float,
    layer: str | None,
    time: int | None,
    channels: tuple[int, ...],
    out: Path | None,
    formats: str,
    overwrite: bool,
    quiet: bool,
    **options: Any,
) -> None:
    """Show where membrane potentials lie, and which spikes that makes redundant.

    SOURCE is a checkpoint (.pt), a recording (.zarr) or the results.nc of an earlier run.
    """
    from redundancy.report.membrane_potential import MembranePotentialReport
    from redundancy.report.output import Selection
    from redundancy.stats import PatternRules

    made = MembranePotentialReport(PatternRules(tolerance, background_ratio), rule)  # type: ignore[arg-type]
    report(
        source,
        out=out,
        formats=formats,
        overwrite=overwrite,
        quiet=quiet,
        selection=Selection(layer, time, channels),
        options=options,
        tables=made.write_tables,
        drawings=made.drawings,
        text=made.text,
    )
