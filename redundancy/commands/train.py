"""``analyze train``."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from redundancy.arguments import parse_key_values
from redundancy.commands.options import (
    data_arg_option,
    device_option,
    network_arg_option,
    quiet_option,
    together,
)
from redundancy.errors import UsageError
from redundancy.terminal import ProgressLine, duration, say
from redundancy.torchrun import is_main_process

if TYPE_CHECKING:
    from redundancy.training import Epoch


# Without a value the preset's holds, else the default of redundancy.training.Recipe.
recipe_options = together(
    click.option("--epochs", type=click.IntRange(min=1), show_default="30"),
    click.option("--batch-size", type=click.IntRange(min=1), show_default="32"),
    click.option("--optimizer", type=click.Choice(["adam", "sgd"]), show_default="adam"),
    click.option("--momentum", type=float, show_default="0", help="Of SGD."),
    click.option("--learning-rate", type=float, show_default="0.0001"),
    click.option(
        "--final-learning-rate",
        type=float,
        show_default="1e-06",
        help="Where the cosine schedule ends.",
    ),
    click.option("--weight-decay", type=float, show_default="0.0001"),
    click.option("--loss", type=click.Choice(["mse", "cross-entropy"]), show_default="mse"),
    click.option(
        "--shift",
        type=click.IntRange(min=0),
        show_default="0",
        help="Move training samples by up to so many pixels.",
    ),
    click.option(
        "--flip/--no-flip", default=None, help="Mirror half of the training samples; default not."
    ),
    click.option("--seed", type=click.IntRange(min=0), show_default="0"),
    click.option(
        "--precision",
        type=click.Choice(["float32", "bfloat16", "float16"]),
        show_default="float32",
        help="Of convolutions and products; potentials stay in float32.",
    ),
)


@click.command(short_help="Train a network and write its checkpoint and record.")
@click.option(
    "--preset",
    metavar="NAME",
    help="A paper's recipe, see analyze list presets; other options win.",
)
@click.option("--network", show_default="lif-snn-3", help="See analyze list networks.")
@network_arg_option
@click.option("--data", required=True, metavar="NAME[:PATH]", help="See analyze list datasets.")
@data_arg_option
@click.option(
    "--test-data",
    metavar="NAME[:PATH]",
    help="Where test accuracy is taken; default the test split of --data.",
)
@click.option(
    "-o", "--out", required=True, type=click.Path(path_type=Path), help="Checkpoint, *.pt."
)
@recipe_options
@device_option
@click.option("--resume", is_flag=True, help="Go on where an interrupted training stopped.")
@click.option("--overwrite", is_flag=True, help="Replace a checkpoint that is there already.")
@quiet_option
def train(
    preset: str | None,
    network: str | None,
    network_arg: tuple[str, ...],
    data: str,
    data_arg: tuple[str, ...],
    test_data: str | None,
    out: Path,
    device: str,
    resume: bool,
    overwrite: bool,
    quiet: bool,
    **recipe: Any,
) -> None:
    """Train a network on a dataset and write its checkpoint and training record.

    Beside OUT (the weights after the last epoch) come OUT.best.pt (the epoch with the
    highest test accuracy) and OUT.training.json (command, versions, accuracies).
    """
    from redundancy.datasets import build_dataset, convert_ahead
    from redundancy.training import TrainingFiles, plan_training
    from redundancy.training import train as run_training

    quiet = quiet or not is_main_process()
    files = TrainingFiles(out)
    goes_on = resume and files.last.exists()
    if out.exists() and not (overwrite or goes_on):
        raise UsageError(f"{out} exists already; replace it with --overwrite")
    if files.last.exists() and not (resume or overwrite):
        raise UsageError(
            f"an interrupted training left {files.last}; go on with --resume, or start anew with "
            "--overwrite"
        )
    plan = plan_training(
        preset,
        data,
        network=network,
        network_arguments=parse_key_values(network_arg, "--network-arg"),
        data_arguments=parse_key_values(data_arg, "--data-arg"),
        recipe={name: value for name, value in recipe.items() if value is not None},
    )
    for note in () if quiet else plan.notes:
        say(f"note: {note}", stream=sys.stderr)
    arguments = plan.data_arguments
    with ProgressLine("generating", "samples", quiet=quiet) as progress:
        train_set = build_dataset(data, split="train", progress=progress, **arguments)
        test_set = build_dataset(test_data or data, split="test", progress=progress, **arguments)
    with ProgressLine("converting", "files", quiet=quiet) as progress:
        for dataset in (train_set, test_set):
            convert_ahead(dataset, progress)
    if train_set.split == test_set.split and train_set.location == test_set.location and not quiet:
        say(
            f"note: {data} has no test split, so test accuracy is taken on the training samples; "
            "name others with --test-data",
            stream=sys.stderr,
        )
    with ProgressLine("epoch", "samples", quiet=quiet) as progress:
        record = run_training(
            plan.network,
            plan.network_arguments,
            train_set,
            test_set,
            out,
            recipe=plan.recipe,
            device=device,
            resume=resume,
            command=shlex.join(["analyze", *sys.argv[1:]]),
            on_epoch=None if quiet else _epoch_reporter(progress),
            on_batch=progress,
        )
    if not quiet:
        say(
            f"test accuracy {100 * record['final_test_accuracy']:.1f} % after the last epoch, "
            f"{100 * record['best_test_accuracy']:.1f} % at best (epoch {record['best_epoch']})\n"
            f"written: {files.final}, {files.best}, {files.record}"
        )
        if record["final_test_accuracy"] < 2 / record["network"]["arguments"]["n_classes"]:
            say(
                "note: this is near chance. Neurons that are driven out of the rectangular "
                "surrogate gradient no longer learn: try --network-arg surrogate_gradient=arctan, "
                "another --learning-rate, or more --epochs",
                stream=sys.stderr,
            )


def _epoch_reporter(progress: ProgressLine) -> Callable[[Epoch, int], None]:
    def report(epoch: Epoch, n_epochs: int) -> None:
        left = duration(epoch.seconds * (n_epochs - epoch.epoch))
        progress.note(
            f"epoch {epoch.epoch}/{n_epochs}  loss {epoch.loss:.4f}  "
            f"train {100 * epoch.train_accuracy:.1f} %  test {100 * epoch.test_accuracy:.1f} %  "
            f"{epoch.seconds:.1f} s, {left} left"
        )

    return report
