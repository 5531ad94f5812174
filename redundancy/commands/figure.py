"""``analyze figure``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from redundancy.commands.analysing import report_many
from redundancy.commands.options import (
    analysis_options,
    channel_option,
    output_options,
    rule_options,
    selection_options,
    sources_argument,
)
from redundancy.errors import UsageError

_MOST_NETWORKS = {"1": 2, "6": 4}


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
    """Draw a figure of the paper for your networks.

    \b
    1  a neuron, event frames, noise and normal channels (vanilla, then ASA)
    2  spike features of a vanilla network
    5  spike features of a network with ASA
    6  spike patterns and membrane potentials (vanilla, then ASA)

    SOURCES are checkpoints (.pt), recordings (.zarr) or results files (.nc): one or two
    for Figure 1 and up to four for Figure 6, side by side; any number for Figures 2 and
    5, each drawn.
    """  # noqa: D301 (click keeps the lines after a backspace as they are)
    from redundancy.report.output import Selection
    from redundancy.report.paper_figures import drawings
    from redundancy.stats import PatternRules

    most = _MOST_NETWORKS.get(number, len(sources))
    if len(sources) > most:
        raise UsageError(
            f"figure {number} shows up to {most} networks, got {len(sources)}; name fewer"
        )
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
        selection=selection,
        text=lambda networks: f"figure {number} of {', '.join(networks)}",
    )
