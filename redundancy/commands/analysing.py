"""What analysing commands share: from what the user names to results and a folder."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from redundancy.commands.options import (
    data_options,
    open_for_analysis,
    open_options,
    quiet_option,
    together,
)
from redundancy.errors import UsageError
from redundancy.terminal import ProgressLine, say

if TYPE_CHECKING:
    from redundancy.observation import AnalysisOptions
    from redundancy.report.output import Drawing, Selection
    from redundancy.results import Results

source_argument = click.argument("source", type=click.Path(path_type=Path))
sources_argument = click.argument(
    "sources", nargs=-1, required=True, type=click.Path(path_type=Path)
)
selection_options = together(
    click.option("--layer", help="Spiking layer to show; default the deepest with feature maps."),
    click.option("--time", type=int, help="Timestep to show, from 0; default the middle one."),
)
channel_option = click.option(
    "--channel", "channels", type=int, multiple=True, help="Channel to show; may be repeated."
)
output_options = together(
    click.option(
        "--out",
        type=click.Path(path_type=Path),
        help="Folder for everything written; default figures/NAME.",
    ),
    click.option(
        "--format",
        "formats",
        default="png",
        show_default=True,
        help="Of figures: png, pdf, svg, or several: png,pdf.",
    ),
    click.option(
        "--overwrite", is_flag=True, help="Replace results that are in the folder already."
    ),
    quiet_option,
)
potential_options = together(
    click.option(
        "--quantity",
        type=click.Choice(["pre-fire", "input", "post-reset"]),
        help="What is binned: U before firing (default), the input current, or U after reset.",
    ),
    click.option(
        "--bin-width", type=float, help="Of the distributions; default about a tenth of V_th."
    ),
    click.option(
        "--range",
        "bounds",
        type=float,
        nargs=2,
        metavar="LOW HIGH",
        help="Potentials to bin; default from the first batch, per layer.",
    ),
)
bootstrap_options = together(
    click.option(
        "--replicates", type=click.IntRange(min=10), help="Of the bootstrap; default 1000."
    ),
    click.option("--seed", type=click.IntRange(min=0), help="Of the bootstrap; default 0."),
)
analysis_options = together(data_options, open_options, potential_options, bootstrap_options)
rule_options = together(
    click.option(
        "--rule",
        type=click.Choice(["potential", "spatial"]),
        default="potential",
        show_default=True,
        help="Noise is told by the potentials (PTD), or by spikes where the input has none.",
    ),
    click.option(
        "--tolerance",
        type=click.FloatRange(min=0),
        default=0.5,
        show_default=True,
        help="Noise by potentials has a PTD of at least minus so many thresholds.",
    ),
    click.option(
        "--background-ratio",
        type=click.FloatRange(min=0),
        default=1.0,
        show_default=True,
        help="Noise by place fires at least so many times as often off the input's events.",
    ),
)
energy_options = together(
    click.option(
        "--convention",
        type=click.Choice(["asa", "spikformer", "spike-driven-transformer", "effective"]),
        default="asa",
        show_default=True,
        help="How operations are counted.",
    ),
    click.option(
        "--e-mac", type=click.FloatRange(min=0), default=4.6, show_default=True, help="pJ a MAC."
    ),
    click.option(
        "--e-ac", type=click.FloatRange(min=0), default=0.9, show_default=True, help="pJ an AC."
    ),
)

# What a recording, and a results file, have answered already.
_ANSWERED = {
    "recording": ("data", "data_arg", "network_arg", "partial"),
    "results": (
        *("data", "data_arg", "network_arg", "partial", "samples"),
        *("quantity", "bin_width", "bounds", "replicates", "seed"),
    ),
}
_FLAGS = {"bounds": "range"}


def name_of(source: Path) -> str:
    """Return what to call a source: its stem, or its folder's name for results.nc."""
    if source.name == "results.nc" and source.absolute().parent.name:
        return source.absolute().parent.name
    return source.name.removesuffix(source.suffix)


def names_of(sources: Sequence[Path]) -> list[str]:
    """Return a name for each source, none twice."""
    names: list[str] = []
    for source in sources:
        name, number = name_of(source), 2
        while name in names:
            name, number = f"{name_of(source)}-{number}", number + 1
        names.append(name)
    return names


def folder_for(source: Path, out: Path | None, *, overwrite: bool) -> Path:
    """Return where the files about a source go, checked before anything is computed."""
    from redundancy.report.output import check_folder
    from redundancy.sources import source_kind

    if source_kind(source) == "results":
        return out or source.parent
    folder = out or Path("figures") / name_of(source)
    check_folder(folder, overwrite=overwrite)
    return folder


def open_results(
    source: Path,
    options: dict[str, Any],
    quiet: bool,
    *,
    selection: Selection | None = None,
    name: str = "",
) -> Results:
    """Return the results of a source: read, or analysed now.

    Parameters
    ----------
    source : Path
        A checkpoint, a recording or a results file.
    options : dict
        Of `analysis_options`, or some of them.
    quiet : bool
    selection : Selection, optional
        What will be shown, checked before the analysis.
    name : str, optional
        Shown with the progress.
    """
    from redundancy.results import load_results
    from redundancy.sources import source_kind

    kind = source_kind(source)
    _refuse_options(kind, options)
    if kind == "results":
        return load_results(source)
    what = f"analysing {name}".rstrip()
    if kind == "recording":
        return _analyze_recording(source, options, quiet, what)
    return _analyze_checkpoint(source, selection, options, quiet, what)


def report(
    source: Path,
    *,
    out: Path | None,
    formats: str,
    overwrite: bool,
    quiet: bool,
    selection: Selection,
    options: dict[str, Any],
    tables: Callable[[Results, Path], Iterable[Path]],
    drawings: Callable[[Results, Selection], Iterable[Drawing]],
    text: Callable[[Results], str],
) -> None:
    """Analyse or read one source, write its tables and figures, and show a text."""
    from redundancy.plots.saving import parse_formats
    from redundancy.report.output import draw_all, write_results
    from redundancy.sources import source_kind

    file_formats = parse_formats(formats)
    folder = folder_for(source, out, overwrite=overwrite)
    results = open_results(source, options, quiet, selection=selection)
    selection.resolve(results)
    written = [] if source_kind(source) == "results" else write_results(results, folder)
    written += tables(results, folder)
    with ProgressLine("drawing", "figures", quiet=quiet) as progress:
        written += draw_all(
            drawings(results, selection), folder, formats=file_formats, progress=progress
        )
    if not quiet:
        say(text(results))
        say_written(folder, written)


def open_many(
    sources: Sequence[Path], folder: Path, options: dict[str, Any], quiet: bool
) -> tuple[dict[str, Results], list[Path]]:
    """Return the results of several sources by name; what is analysed now is also saved.

    Returns
    -------
    dict of str to Results
    list of Path
        The results files written to `folder`, one a source that was no results file.
    """
    from redundancy.sources import source_kind

    kinds = [source_kind(source) for source in sources]
    for kind in kinds:
        # Before the first of them is analysed.
        _refuse_options(kind, options)
    results: dict[str, Results] = {}
    written: list[Path] = []
    for name, source, kind in zip(names_of(sources), sources, kinds, strict=True):
        results[name] = open_results(source, options, quiet, name=name)
        if kind != "results":
            written.append(folder / ("results.nc" if len(sources) == 1 else f"{name}.nc"))
            results[name].save(written[-1])
    return results, written


def folder_for_many(sources: Sequence[Path], out: Path | None, *, overwrite: bool) -> Path:
    """Return where the files about several sources go, checked before anything is computed."""
    from redundancy.report.output import check_folder

    if len(sources) == 1:
        return folder_for(sources[0], out, overwrite=overwrite)
    folder = out or Path("figures") / "-and-".join(names_of(sources))
    check_folder(folder, overwrite=overwrite)
    if not overwrite:
        taken = [name for name in names_of(sources) if (folder / f"{name}.nc").exists()]
        if taken:
            raise UsageError(
                f"{folder} holds results of {', '.join(taken)} already; name those files instead, "
                "replace them with --overwrite, or name another folder with --out"
            )
    return folder


def report_many(
    sources: Sequence[Path],
    *,
    out: Path | None,
    formats: str,
    overwrite: bool,
    quiet: bool,
    options: dict[str, Any],
    tables: Callable[[dict[str, Results], Path], Iterable[Path]],
    drawings: Callable[[dict[str, Results]], Iterable[Drawing]],
    text: Callable[[dict[str, Results]], str],
) -> None:
    """Analyse or read sources, write tables and figures about all of them, show a text."""
    from redundancy.plots.saving import parse_formats
    from redundancy.report.output import draw_all

    file_formats = parse_formats(formats)
    folder = folder_for_many(sources, out, overwrite=overwrite)
    networks, written = open_many(sources, folder, options, quiet)
    written += tables(networks, folder)
    with ProgressLine("drawing", "figures", quiet=quiet) as progress:
        written += draw_all(drawings(networks), folder, formats=file_formats, progress=progress)
    if not quiet:
        say(text(networks))
        say_written(folder, written)


def say_written(folder: Path, written: Iterable[Path]) -> None:
    """Say which files were written where."""
    say(f"\nwritten to {folder}: {', '.join(str(path.relative_to(folder)) for path in written)}")


def _refuse_options(kind: str, options: dict[str, Any]) -> None:
    """Refuse options that a recording or a results file has answered already."""
    values = {name: options.get(name) for name in _ANSWERED.get(kind, ())}
    given = [name for name, v in values.items() if v not in (None, ()) and v is not False]
    if given:
        flags = ", ".join(f"--{_FLAGS.get(name, name).replace('_', '-')}" for name in given)
        raise UsageError(
            f"a {kind} file has settled this already; leave out {flags}, or start from the "
            "checkpoint"
        )


def _statistics(options: dict[str, Any]) -> AnalysisOptions:
    from redundancy.observation import AnalysisOptions

    given = {
        "quantity": options.get("quantity"),
        "bin_width": options.get("bin_width"),
        "bounds": options.get("bounds"),
        "n_replicates": options.get("replicates"),
        "seed": options.get("seed"),
    }
    return AnalysisOptions(**{name: value for name, value in given.items() if value is not None})


def _analyze_checkpoint(
    source: Path, selection: Selection | None, options: dict[str, Any], quiet: bool, what: str
) -> Results:
    from redundancy.analysis import analyze
    from redundancy.sources import check_selection

    statistics = _statistics(options)
    checkpoint, network, dataset = open_for_analysis(source, options, quiet)
    if selection is not None:
        check_selection(network, dataset, selection.layer, selection.time)
    with ProgressLine(what, "samples", quiet=quiet) as progress:
        return analyze(
            network,
            dataset,
            checkpoint=checkpoint,
            batch_size=options["batch_size"],
            n_samples=options["samples"],
            options=statistics,
            progress=progress,
        )


def _analyze_recording(source: Path, options: dict[str, Any], quiet: bool, what: str) -> Results:
    from redundancy.analysis import analyze_recordings
    from redundancy.recording_file import RecordingFile

    file = RecordingFile(source)
    total = min(options["samples"] or len(file), len(file))
    with ProgressLine(what, "samples", quiet=quiet) as progress:
        return analyze_recordings(
            file.batches(options["batch_size"], total),
            file.attributes,
            options=_statistics(options),
            total=total,
            progress=progress,
        )
