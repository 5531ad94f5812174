"""``analyze train``."""

from __future__ import annotations

import dataclasses
import json
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from redundancy.arguments import parse_key_values
from redundancy.commands.options import (
    LARGEST,
    FiniteRange,
    LocalPath,
    data_arg_option,
    device_option,
    network_arg_option,
    quiet_option,
    together,
)
from redundancy.errors import UsageError
from redundancy.files import check_target, full_disk_as_sentence, refuse_url, remove_partials
from redundancy.terminal import ProgressLine, duration, say
from redundancy.torchrun import is_main_process

if TYPE_CHECKING:
    from redundancy.datasets.base import Dataset
    from redundancy.training import Epoch, TrainingPlan


# Without a value the preset's holds, else the default of redundancy.training.Recipe.
recipe_options = together(
    click.option("--epochs", type=click.IntRange(1, LARGEST), show_default="30"),
    click.option("--batch-size", type=click.IntRange(1, LARGEST), show_default="32"),
    click.option("--optimizer", type=click.Choice(["adam", "sgd"]), show_default="adam"),
    click.option("--momentum", type=FiniteRange(min=0), show_default="0", help="Of SGD."),
    click.option("--learning-rate", type=FiniteRange(min=0, min_open=True), show_default="0.0001"),
    click.option(
        "--final-learning-rate",
        type=FiniteRange(min=0),
        show_default="1e-06",
        help="Where the cosine schedule ends.",
    ),
    click.option("--weight-decay", type=FiniteRange(min=0), show_default="0.0001"),
    click.option("--loss", type=click.Choice(["mse", "cross-entropy"]), show_default="mse"),
    click.option(
        "--shift",
        type=click.IntRange(0, LARGEST),
        show_default="0",
        help="Move training samples by up to so many pixels.",
    ),
    click.option(
        "--flip/--no-flip", default=None, help="Mirror half of the training samples; default not."
    ),
    click.option("--seed", type=click.IntRange(0, 2**32 - 1), show_default="0"),
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
@click.option("-o", "--out", required=True, type=LocalPath(), help="Checkpoint, *.pt.")
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
    check_target(out)
    refuse_url(data.partition(":")[2], "--data")
    refuse_url((test_data or "").partition(":")[2], "--test-data")
    if out.is_dir():
        raise UsageError(f"{out} is a folder; name a checkpoint, *.pt, with --out")
    if out.exists() and not (overwrite or resume):
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
    if resume and out.exists() and not files.last.exists():
        record = _finished(out, plan, train_set, test_set)
    else:
        if resume and is_main_process():
            for stem in (out.stem, files.best.stem, files.last.stem, files.record.stem):
                remove_partials(out.parent, stem)
        with (
            full_disk_as_sentence(out.parent, "free some space and go on with --resume"),
            ProgressLine("epoch", "samples", quiet=quiet) as progress,
        ):
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


def _finished(
    out: Path, plan: TrainingPlan, train_set: Dataset, test_set: Dataset
) -> dict[str, Any]:
    """Return the record of a training that was done already, if it is this one."""
    from redundancy.checkpoint import load_checkpoint
    from redundancy.sharding.identity import differences
    from redundancy.training.fitting import fit_to_data

    record = load_checkpoint(out).training_record
    wanted = {
        "network": {
            "network": plan.network,
            **fit_to_data(plan.network, plan.network_arguments, train_set, test_set),
        },
        "data": {"data": train_set.name, **train_set.arguments},
        "recipe": dataclasses.asdict(plan.recipe),
    }
    found = {}
    if record:
        network, data = record["network"], record["dataset"]
        found = {
            "network": {"network": network["name"], **network["arguments"]},
            "data": {"data": data["name"], **data["arguments"]},
            "recipe": record["recipe"],
        }
    # Through JSON, in which tuples are lists.
    different = differences(*(json.loads(json.dumps(facts)) for facts in (found, wanted)))
    if different:
        words = [f"{before} and now {now}" for before, now in different.values()]
        raise UsageError(
            f"{out} is of another training ({'; '.join(words[:3])}); repeat its options, replace "
            "it with --overwrite and without --resume, or name another file with --out"
        )
    return record


def _epoch_reporter(progress: ProgressLine) -> Callable[[Epoch, int], None]:
    def report(epoch: Epoch, n_epochs: int) -> None:
        left = duration(epoch.seconds * (n_epochs - epoch.epoch))
        progress.note(
            f"epoch {epoch.epoch}/{n_epochs}  loss {epoch.loss:.4f}  "
            f"train {100 * epoch.train_accuracy:.1f} %  test {100 * epoch.test_accuracy:.1f} %  "
            f"{epoch.seconds:.1f} s, {left} left"
        )

    return report
