"""``analyze record``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from redundancy.commands.options import (
    LocalPath,
    data_options,
    open_for_analysis,
    open_options,
    quiet_option,
)
from redundancy.errors import UsageError
from redundancy.files import check_target
from redundancy.terminal import ProgressLine, say

if TYPE_CHECKING:
    from redundancy.recordings.space import Space


@click.command(short_help="Save every spike and membrane potential to a Zarr folder.")
@click.argument("source", type=LocalPath())
@click.option("-o", "--out", required=True, type=LocalPath(), help="Folder, *.zarr.")
@data_options
@open_options
@click.option(
    "--quantities",
    default="spike,membrane_potential",
    show_default=True,
    help="Of spike, membrane_potential, input_current, post_reset_potential.",
)
@click.option(
    "--potential-dtype",
    type=click.Choice(["float16", "float32"]),
    default="float32",
    show_default=True,
    help="Precision of potentials; float16 rounds them, the spikes stay exact.",
)
@click.option(
    "--no-space-check", is_flag=True, help="Go on although the disk seems too small for it."
)
@click.option("--overwrite", is_flag=True, help="Replace a recording that is there already.")
@quiet_option
def record(
    source: Path,
    out: Path,
    quantities: str,
    potential_dtype: Any,
    no_space_check: bool,
    overwrite: bool,
    quiet: bool,
    **options: Any,
) -> None:
    """Save the spikes and membrane potentials of every neuron to a Zarr folder.

    SOURCE is a checkpoint (.pt). Every analysis accepts the recording in its place. A
    recording that is interrupted is not kept; what a killed one leaves beside --out goes
    when the same is recorded again.
    """
    from redundancy.analysis import network_recordings
    from redundancy.recordings import write_recording
    from redundancy.recordings.space import readable
    from redundancy.reduction import describe

    _check_target(out, overwrite)
    checkpoint, network, dataset = open_for_analysis(source, options, quiet)
    recordings = network_recordings(
        network,
        dataset,
        quantities=[name.strip() for name in quantities.split(",")],
        batch_size=options["batch_size"],
        n_samples=options["samples"],
        ignore=options["ignore_layer"],
    )
    provenance = describe(network, dataset, checkpoint, batch_size=options["batch_size"])
    total = min(options["samples"] or len(dataset), len(dataset))
    with ProgressLine("recording", "samples", quiet=quiet) as progress:

        def announce(space: Space) -> None:
            if sys.stderr.isatty() and not quiet:
                progress.note(f"the recording takes {space}")

        n_samples = write_recording(
            out,
            recordings,
            provenance,
            total=total,
            progress=progress,
            potential_dtype=potential_dtype,
            check_space=not no_space_check,
            on_estimate=announce,
        )
    if not quiet:
        size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
        say(f"{n_samples} samples written to {out} ({readable(size)})")


def _check_target(out: Path, overwrite: bool) -> None:
    from redundancy.recordings import is_own_recording

    check_target(out)
    if out.exists() and not is_own_recording(out):
        raise UsageError(f"{out} exists and is not a recording; name another folder with --out")
    if out.exists() and not overwrite:
        raise UsageError(f"{out} exists already; replace it with --overwrite")
