"""What analysing commands share: from what the user names to results and a folder."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from redundancy.commands.places import (
    check_answers,
    folder_for,
    folder_for_many,
    names_of,
    refuse_answered,
    writing_to,
)
from redundancy.commands.running import Place, analyze_checkpoint, check_same, save, statistics_of
from redundancy.errors import UsageError
from redundancy.terminal import ProgressLine, say

if TYPE_CHECKING:
    from redundancy.report.output import Drawing, Selection
    from redundancy.results import Results


def open_results(
    source: Path,
    options: dict[str, Any],
    quiet: bool,
    *,
    selection: Selection | None = None,
    name: str = "",
    place: Place | None = None,
) -> Results:
    """Return the results of a source: read, or analysed now and saved.

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
    place : Place, optional
        Where results that are computed now are saved; default nowhere.
    """
    from redundancy.results_file import load_results
    from redundancy.sources import source_kind

    kind = source_kind(source)
    if kind == "results":
        results = load_results(source)
        check_answers(source, results, options)
        return results
    what = f"analysing {name}".rstrip()
    if kind == "checkpoint":
        return analyze_checkpoint(source, selection, options, quiet, what, place)
    return _analyze_recording(source, options, quiet, what, place)


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
    from redundancy.report.output import RESULTS_FILE, draw_all, write_summary
    from redundancy.sources import source_kind

    file_formats = parse_formats(formats)
    kind = source_kind(source)
    refuse_answered([kind], options)
    resume = bool(options.get("resume"))
    folder = folder_for(source, out, overwrite=overwrite, resume=resume)
    place = Place(folder, folder / RESULTS_FILE, overwrite)
    with writing_to(folder, [kind], overwrite=overwrite, resume=resume):
        results = open_results(source, options, quiet, selection=selection, place=place)
        written = []
        if kind != "results":
            written = [place.file, write_summary(results, folder)]
        with _kept(written[:1]), ProgressLine("drawing", "figures", quiet=quiet) as progress:
            selection.resolve(results)
            written += tables(results, folder)
            written += draw_all(
                drawings(results, selection), folder, formats=file_formats, progress=progress
            )
    if not quiet:
        say(text(results))
        say_written(folder, written)


def open_many(
    sources: Sequence[Path],
    folder: Path,
    options: dict[str, Any],
    quiet: bool,
    selection: Selection | None = None,
    *,
    overwrite: bool = False,
) -> tuple[dict[str, Results], list[Path]]:
    """Return the results of several sources by name; what is analysed now is also saved.

    Parameters
    ----------
    sources : sequence of Path
    folder : Path
    options : dict
        Of `analysis_options`; they are for the sources that are analysed now.
    quiet : bool
    selection : Selection, optional
        What will be shown of the first source, checked before others are analysed.
    overwrite : bool
        Whether an unfinished run in the folder may be removed.

    Returns
    -------
    dict of str to Results
    list of Path
        The results files written to `folder`, one a source that was no results file.
    """
    from redundancy.sources import source_kind

    kinds = dict(zip(names_of(sources), map(source_kind, sources), strict=True))
    refuse_answered(list(kinds.values()), options)
    named = dict(zip(kinds, sources, strict=True))
    # Read before anything is computed, or written where they lie.
    found = {
        name: open_results(source, options, quiet)
        for name, source in named.items()
        if kinds[name] == "results"
    }
    written: list[Path] = []
    for place, (name, source) in enumerate(named.items()):
        shown = selection if place == 0 else None
        if name not in found:
            written.append(folder / ("results.nc" if len(sources) == 1 else f"{name}.nc"))
            there = Place(folder, written[-1], overwrite)
            found[name] = open_results(
                source, options, quiet, selection=shown, name=name, place=there
            )
        if shown is not None:
            with _kept(written):
                shown.resolve(found[name])
    return {name: found[name] for name in named}, written


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
    selection: Selection | None = None,
) -> None:
    """Analyse or read sources, write tables and figures about all of them, show a text."""
    from redundancy.plots.saving import parse_formats
    from redundancy.report.output import draw_all
    from redundancy.sources import source_kind

    file_formats = parse_formats(formats)
    resume = bool(options.get("resume"))
    folder = folder_for_many(sources, out, overwrite=overwrite, resume=resume)
    kinds = [source_kind(source) for source in sources]
    with writing_to(folder, kinds, overwrite=overwrite, resume=resume):
        networks, written = open_many(
            sources, folder, options, quiet, selection, overwrite=overwrite
        )
        with _kept(written.copy()), ProgressLine("drawing", "figures", quiet=quiet) as progress:
            written += tables(networks, folder)
            written += draw_all(drawings(networks), folder, formats=file_formats, progress=progress)
    if not quiet:
        say(text(networks))
        say_written(folder, written)


def say_written(folder: Path, written: Iterable[Path]) -> None:
    """Say which files were written where."""
    say(f"\nwritten to {folder}: {', '.join(str(path.relative_to(folder)) for path in written)}")


@contextlib.contextmanager
def _kept(files: Sequence[Path]) -> Iterator[None]:
    """Say in an error which results files what was computed until then can be drawn from."""
    try:
        yield
    except UsageError as error:
        if not files:
            raise
        raise UsageError(
            f"{error}. What was computed is kept; go on by naming "
            f"{' and '.join(map(str, files))} instead"
        ) from error


def _analyze_recording(
    source: Path, options: dict[str, Any], quiet: bool, what: str, place: Place | None
) -> Results:
    from redundancy.analysis import analyze_recordings
    from redundancy.recordings import RecordingFile

    file = RecordingFile(source)
    total = min(options["samples"] or len(file), len(file))
    with ProgressLine(what, "samples", quiet=quiet) as progress:
        results = analyze_recordings(
            file.batches(options["batch_size"], total),
            file.attributes,
            options=statistics_of(options),
            total=total,
            progress=progress,
        )
    if place is not None:
        if options.get("resume") and place.file.exists():
            check_same(place.file, results.attributes)
        save(results, place)
    return results
