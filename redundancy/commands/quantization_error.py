"""``analyze quantization-error``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from redundancy.commands.analysing import report_many
from redundancy.commands.options import (
    analysis_options,
    output_options,
    sources_argument,
)


@click.command("quantization-error", short_help="Export the quantization error (QE) table.")
@sources_argument
@analysis_options
@output_options
def quantization_error(
    sources: tuple[Path, ...],
    out: Path | None,
    formats: str,
    overwrite: bool,
    quiet: bool,
    **options: Any,
) -> None:
    """Export how far spikes are from the potentials they stand for, layer by layer.

    SOURCES are checkpoints (.pt), recordings (.zarr) or results files (.nc), in any
    number; Table 4 of the paper is written with them.
    """
    from redundancy.report import quantization_error as made

    report_many(
        sources,
        out=out,
        formats=formats,
        overwrite=overwrite,
        quiet=quiet,
        options=options,
        tables=made.write_tables,
        drawings=made.drawings,
        text=made.text,
    )
