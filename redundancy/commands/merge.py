"""``analyze merge``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from redundancy.commands.options import LocalPath, quiet_option
from redundancy.errors import UsageError
from redundancy.files import check_target, full_disk_as_sentence, remove_partials
from redundancy.terminal import say


@click.command(short_help="Join results of parts of one dataset into those of all of it.")
@click.argument("sources", nargs=-1, required=True, type=LocalPath())
@click.option("-o", "--out", required=True, type=LocalPath(), help="Results file, *.nc.")
@click.option("--overwrite", is_flag=True, help="Replace a results file that is there already.")
@quiet_option
def merge(sources: tuple[Path, ...], out: Path, overwrite: bool, quiet: bool) -> None:
    """Join results of disjoint parts of one dataset, from machines that never met.

    SOURCES are results files (.nc) of analyses with --part I/N. The results are those of a
    single run, to the bit.
    """
    check_target(out)
    if out.suffix != ".nc" or out.is_dir():
        raise UsageError(f"--out must name a results file, *.nc, got {out}")
    if out.exists() and not overwrite:
        raise UsageError(f"{out} exists already; replace it with --overwrite")
    doubled = [str(path) for path in sources if sources.count(path) > 1]
    if doubled:
        raise UsageError(f"{doubled[0]} is named twice; each part may be there only once")
    from redundancy.results_file import load_results
    from redundancy.sharding.merging import merge_results, samples_of

    merged = merge_results({str(path): load_results(path) for path in sources})
    with full_disk_as_sentence(out.parent, "free some space and merge again"):
        remove_partials(out.parent, out.stem)
        merged.save(out)
    pieces = samples_of(merged)
    if len(pieces) > 1 or pieces[0].start > 0:
        held = ", ".join(f"{piece.start} to {piece.stop - 1}" for piece in pieces)
        say(f"note: parts are missing; the results hold samples {held} only", stream=sys.stderr)
    if not quiet:
        say(f"{sum(map(len, pieces))} samples of {len(sources)} parts written to {out}")
