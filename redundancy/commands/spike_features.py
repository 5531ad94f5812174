"""``analyze spike-features``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from redundancy.commands.analysing import report
from redundancy.commands.options import (
    analysis_options,
    channel_option,
    output_options,
    selection_options,
    source_argument,
)


@click.command(
    "spike-features", short_help="Firing rates, spike features, Figures 2 and 5 of a network."
)
@source_argument
@analysis_options
@selection_options
@channel_option
@output_options
def spike_features(
    source: Path,
    layer: str | None,
    time: int | None,
    channels: tuple[int, ...],
    out: Path | None,
    formats: str,
    overwrite: bool,
    quiet: bool,
    **options: Any,
) -> None:
    """Show where a trained network spikes: firing rates, spike features, Figures 2 and 5.

    SOURCE is a checkpoint (.pt), a recording (.zarr, from analyze record), or the
    results.nc of an earlier run, which is drawn again without computing.
    """
    from redundancy.report.output import Selection
    from redundancy.report.spike_features import drawings, write_tables
    from redundancy.report.text import results_text

    report(
        source,
        out=out,
        formats=formats,
        overwrite=overwrite,
        quiet=quiet,
        selection=Selection(layer, time, channels),
        options=options,
        tables=write_tables,
        drawings=drawings,
        text=results_text,
    )
