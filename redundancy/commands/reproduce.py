"""``analyze reproduce``."""

from __future__ import annotations

from pathlib import Path

import click

from redundancy.commands.options import LocalPath, quiet_option
from redundancy.files import check_target
from redundancy.terminal import ProgressLine, say


@click.command("reproduce", short_help="Restate the paper's observations and tables.")
@click.option(
    "--nmnist",
    type=LocalPath(),
    help="Folder of N-MNIST recordings; without it only synthetic-gait is done.",
)
@click.option(
    "--checkpoints",
    type=LocalPath(),
    default=Path("checkpoints/seeds"),
    show_default=True,
    help="Folder of the networks; what is missing is trained (minutes each).",
)
@click.option("--seeds", type=click.IntRange(min=1), default=3, show_default=True)
@click.option(
    "--out",
    type=LocalPath(),
    default=Path("figures"),
    show_default=True,
    help="Gets REPRODUCTION.md and its pictures.",
)
@quiet_option
def reproduce(nmnist: Path | None, checkpoints: Path, seeds: int, out: Path, quiet: bool) -> None:
    """Restate the paper's Observations 1 to 5 and Tables 1, 3 and 4 for data at hand.

    Vanilla and ASA networks are loaded, or trained where they are missing, and analysed;
    OUT/REPRODUCTION.md says of each claim whether it was seen.
    """
    from redundancy.reproduction.document import write_document
    from redundancy.reproduction.networks import Workshop, tasks

    for folder, option in ((out / "reproduction", "--out"), (checkpoints, "--checkpoints")):
        check_target(folder, option)
    lines: dict[str, ProgressLine] = {}

    def progress(what: str, units: str, done: int, total: int) -> None:
        if what not in lines:
            lines[what] = ProgressLine(what, units, quiet=quiet)
        lines[what](done, total)
        if done >= total:
            lines[what].clear()

    chosen = tasks(nmnist)
    if nmnist is not None:
        # Before hours of training, not after.
        chosen[-1].dataset("test")
    workshop = Workshop(checkpoints, out / "reproduction", progress)
    runs = {
        task.key: {
            (variant, seed): results for variant, seed, results in workshop.analysed(task, seeds)
        }
        for task in chosen
    }
    written = write_document(chosen, runs, out)
    if not quiet:
        say(f"written: {written[0]} and {len(written) - 1} pictures in {out / 'reproduction'}")
