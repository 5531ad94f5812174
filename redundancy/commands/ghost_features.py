"""``analyze ghost-features``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from redundancy.commands.analysing import report
from redundancy.commands.options import (
    FiniteRange,
    analysis_options,
    output_options,
    selection_options,
    source_argument,
)


@click.command("ghost-features", short_help="Which channels, and timesteps, resemble one another.")
@source_argument
@analysis_options
@click.option(
    "--similarity",
    type=click.Choice(["cosine", "pearson", "ssim", "jaccard"]),
    help="Of spike features, the table holds all; default cosine, or jaccard without maps.",
)
@click.option(
    "--threshold",
    type=FiniteRange(-1, 1),
    default=0.9,
    show_default=True,
    help="From which similarity on features are ghosts of one another.",
)
@selection_options
@output_options
def ghost_features(
    source: Path,
    similarity: str | None,
    threshold: float,
    layer: str | None,
    time: int | None,
    out: Path | None,
    formats: str,
    overwrite: bool,
    quiet: bool,
    **options: Any,
) -> None:
    """Show which channels repeat one another, and how much timesteps repeat.

    SOURCE is a checkpoint (.pt), a recording (.zarr) or the results.nc of an earlier run.
    """
    from redundancy.report.ghost_features import GhostReport
    from redundancy.report.output import Selection

    made = GhostReport(similarity, threshold)
    report(
        source,
        out=out,
        formats=formats,
        overwrite=overwrite,
        quiet=quiet,
        selection=Selection(layer, time),
        options=options,
        tables=made.write_tables,
        drawings=made.drawings,
        text=made.text,
    )
