"""``analyze figure``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from redundancy.commands.analysing import (
    analysis_options,
    channel_option,
    output_options,
    report_many,
    rule_options,
    selection_options,
    sources_argument,
)


@click.command("figure", short_help="Draw Figure 1, 2, 5 or 6 of the paper by its number.")
@click.argument("number", type=click.Choice(["1", "2", "5", "6"]))
@sources_argument
@analysis_options
@rule_options
@selection_options
@channel_option
@output_options
def figure(
    number: str,
    sources: tuple[Path, ...],
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
    r"""Draw a figure of the paper for your networks.

    \b
    1  a neuron, event frames, noise and normal channels (vanilla, then ASA)
    2  spike features of a vanilla network
    5  spike features of a network with ASA
    6  spike patterns and membrane potentials (vanilla, then ASA)

    SOURCES are checkpoints (.pt), recordings (.zarr) or results files (.nc): one or two
    for Figures 1 and 6, side by side; any number for Figures 2 and 5, each drawn.
    """
    from redundancy.report.output import Selection
    from redundancy.report.paper_figures import drawings
    from redundancy.stats import PatternRules

    selection = Selection(layer, time, channels)
    rules = PatternRules(tolerance, background_ratio)
    report_many(
        sources,
        out=out,
        formats=formats,
        overwrite=overwrite,
        quiet=quiet,
        options=options,
        tables=lambda networks, folder: [],
        drawings=lambda networks: drawings(number, networks, selection, rules=rules, rule=rule),  # type: ignore[arg-type]
        text=lambda networks: f"figure {number} of {', '.join(networks)}",
    )
