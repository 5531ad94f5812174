"""``analyze compare``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from redundancy.commands.analysing import report_many
from redundancy.commands.options import (
    analysis_options,
    channel_option,
    energy_options,
    output_options,
    rule_options,
    selection_options,
    sources_argument,
)
from redundancy.errors import UsageError


@click.command("compare", short_help="Two or more networks side by side; Tables 1, 3 and 4.")
@sources_argument
@analysis_options
@rule_options
@energy_options
@click.option("--force", is_flag=True, help="Compare although data or T differ.")
@selection_options
@channel_option
@output_options
def compare(
    sources: tuple[Path, ...],
    rule: str,
    tolerance: float,
    background_ratio: float,
    convention: str,
    e_mac: float,
    e_ac: float,
    force: bool,
    layer: str | None,
    time: int | None,
    channels: tuple[int, ...],
    out: Path | None,
    formats: str,
    overwrite: bool,
    quiet: bool,
    **options: Any,
) -> None:
    """Put networks side by side: rates, potentials, patterns, errors and energy.

    SOURCES are two or more checkpoints (.pt), recordings (.zarr) or results files
    (.nc); the others are held against the first.
    """
    if len(sources) < 2:
        raise UsageError(
            f"a comparison needs at least two networks, got {sources[0]} alone; name another "
            "checkpoint or results file"
        )
    from redundancy.report.comparison import ComparisonReport
    from redundancy.report.energy import EnergyReport
    from redundancy.report.output import Selection
    from redundancy.stats import PatternRules

    selection = Selection(layer, time, channels)
    settings: dict[str, Any] = {
        "selection": selection,
        "rules": PatternRules(tolerance, background_ratio),
        "rule": rule,
        "energy": EnergyReport(convention, e_mac, e_ac),
        "force": force,
    }
    made: list[ComparisonReport] = []

    def tables(networks: dict[str, Any], folder: Path) -> list[Path]:
        made.append(ComparisonReport(networks, **settings))
        return made[0].write_tables(folder)

    report_many(
        sources,
        out=out,
        formats=formats,
        overwrite=overwrite,
        quiet=quiet,
        options=options,
        selection=selection,
        tables=tables,
        drawings=lambda networks: made[0].drawings(),
        text=lambda networks: made[0].text(),
    )
