"""``analyze energy``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from redundancy.commands.analysing import report_many
from redundancy.commands.options import (
    analysis_options,
    energy_options,
    output_options,
    sources_argument,
)


@click.command("energy", short_help="Operations and energy of every synaptic layer.")
@sources_argument
@analysis_options
@energy_options
@output_options
def energy(
    sources: tuple[Path, ...],
    convention: str,
    e_mac: float,
    e_ac: float,
    out: Path | None,
    formats: str,
    overwrite: bool,
    quiet: bool,
    **options: Any,
) -> None:
    """Show what the spikes cost: FLOPs, MACs, ACs and picojoules, layer by layer.

    SOURCES are checkpoints (.pt), recordings (.zarr) or results files (.nc), in any
    number; each is set against the first by eq. 11 of the paper.
    """
    from redundancy.report.energy import EnergyReport

    made = EnergyReport(convention, e_mac, e_ac)
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
