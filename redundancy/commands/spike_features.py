"""``analyze spike-features``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from redundancy.commands.options import data_options, open_for_analysis, open_options, quiet_option
from redundancy.errors import UsageError
from redundancy.terminal import ProgressLine, say

if TYPE_CHECKING:
    from redundancy.report.spike_features import Selection
    from redundancy.results import Results


@click.command(
    "spike-features", short_help="Firing rates, spike features, Figures 2 and 5 of a network."
)
@click.argument("source", type=click.Path(path_type=Path))
@data_options
@open_options
@click.option("--layer", help="Spiking layer to show; default the deepest with feature maps.")
@click.option("--time", type=int, help="Timestep to show, from 0; default the middle one.")
@click.option(
    "--channel", type=int, multiple=True, help="Channel to show over time; may be repeated."
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Folder for everything written; default figures/CHECKPOINT.",
)
@click.option(
    "--format",
    "formats",
    default="png",
    show_default=True,
    help="png, pdf, svg, or several: png,pdf.",
)
@click.option("--overwrite", is_flag=True, help="Replace results that are in the folder already.")
@quiet_option
def spike_features(
    source: Path,
    layer: str | None,
    time: int | None,
    channel: tuple[int, ...],
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
    from redundancy.plots.saving import parse_formats
    from redundancy.report.spike_features import (
        Selection,
        check_folder,
        write_figures,
        write_numbers,
    )
    from redundancy.report.text import results_text
    from redundancy.results import load_results
    from redundancy.sources import source_kind

    kind = source_kind(source)
    _refuse_options(kind, options)
    file_formats = parse_formats(formats)
    selection = Selection(layer, time, channel)
    if kind == "results":
        results, folder, written = load_results(source), out or source.parent, []
    else:
        folder = out or Path("figures") / source.name.removesuffix(source.suffix)
        check_folder(folder, overwrite=overwrite)
        results = (
            _analyze_recording(source, options, quiet)
            if kind == "recording"
            else _analyze_checkpoint(source, selection, options, quiet)
        )
        written = write_numbers(results, folder)
    with ProgressLine("drawing", "figures", quiet=quiet) as progress:
        written += write_figures(
            results, folder, selection=selection, formats=file_formats, progress=progress
        )
    if not quiet:
        say(results_text(results))
        say(f"\nwritten to {folder}: {', '.join(path.name for path in written)}")


def _refuse_options(kind: str, options: dict[str, Any]) -> None:
    """Refuse options that a recording or a results file has answered already."""
    answered = {
        "recording": ["data", "data_arg", "network_arg"],
        "results": ["data", "data_arg", "network_arg", "samples"],
    }
    given = [name for name in answered.get(kind, []) if options[name]]
    if given:
        names = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        raise UsageError(f"a {kind} file holds its own data and network; leave out {names}")


def _analyze_checkpoint(
    source: Path, selection: Selection, options: dict[str, Any], quiet: bool
) -> Results:
    from redundancy.analysis import analyze
    from redundancy.sources import check_selection

    checkpoint, network, dataset = open_for_analysis(source, options, quiet)
    check_selection(network, dataset, selection.layer, selection.time)
    with ProgressLine("analysing", "samples", quiet=quiet) as progress:
        return analyze(
            network,
            dataset,
            checkpoint=checkpoint,
            batch_size=options["batch_size"],
            n_samples=options["samples"],
            progress=progress,
        )


def _analyze_recording(source: Path, options: dict[str, Any], quiet: bool) -> Results:
    from redundancy.analysis import analyze_recordings
    from redundancy.recording_file import RecordingFile

    file = RecordingFile(source)
    total = min(options["samples"] or len(file), len(file))
    with ProgressLine("analysing", "samples", quiet=quiet) as progress:
        return analyze_recordings(
            file.batches(options["batch_size"], total),
            file.attributes,
            total=total,
            progress=progress,
        )
