"""Options that commands share, and opening what they name."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from redundancy.arguments import parse_key_values
from redundancy.files import refuse_url
from redundancy.terminal import ProgressLine, say

if TYPE_CHECKING:
    from torch import nn

    from redundancy.checkpoint import Checkpoint
    from redundancy.datasets.base import Dataset

Command = TypeVar("Command", bound=Callable[..., Any])


# Larger numbers of samples or epochs fit no counter of the libraries.
LARGEST = 2**31 - 1


class LocalPath(click.Path):
    """A path of this machine; URLs are refused before anything is done."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path."""
        name = param.opts[-1] if isinstance(param, click.Option) else "a source"
        refuse_url(value, name)
        return super().convert(value, param, ctx)


class Finite(click.types.FloatParamType):
    """A number that is neither infinite nor NaN."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the number."""
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number.", param, ctx)
        return number


class FiniteRange(click.FloatRange):
    """A number in a range, neither infinite nor NaN."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the number."""
        Finite().convert(value, param, ctx)
        return super().convert(value, param, ctx)


def together(*options: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """Return a decorator that adds several options, in their order."""

    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


quiet_option = click.option("--quiet", is_flag=True, help="Print errors only.")
network_arg_option = click.option(
    "--network-arg", multiple=True, metavar="KEY=VALUE", help="An argument of the network."
)
data_arg_option = click.option(
    "--data-arg", multiple=True, metavar="KEY=VALUE", help="An argument of the dataset."
)
batch_size_option = click.option(
    "--batch-size", type=click.IntRange(1, LARGEST), default=16, show_default=True
)
device_option = click.option(
    "--device", default="auto", show_default=True, metavar="auto|cpu|cuda", help="Where to run."
)
open_options = together(
    click.option(
        "--checkpoint-format",
        default="auto",
        show_default=True,
        metavar="auto|redundancy|asa-snn|gac|spikingjelly",
        help="Whose checkpoint it is.",
    ),
    network_arg_option,
    click.option(
        "--partial", is_flag=True, help="Leave out weights that do not fit; a note lists them."
    ),
    click.option(
        "--ignore-layer",
        multiple=True,
        metavar="NAME",
        help="A module whose 0 and 1 are masks and no spikes; may be repeated.",
    ),
)
data_options = together(
    click.option(
        "--data",
        metavar="NAME[:PATH]",
        help="Dataset; default the one the network was trained on.",
    ),
    data_arg_option,
    click.option(
        "--split", type=click.Choice(["test", "train"]), help="Of the dataset; default test."
    ),
    click.option(
        "--samples", type=click.IntRange(1, LARGEST), help="Only the first so many samples."
    ),
    batch_size_option,
    device_option,
)


source_argument = click.argument("source", type=LocalPath())
sources_argument = click.argument("sources", nargs=-1, required=True, type=LocalPath())
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
        type=LocalPath(),
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
        "--bin-width", type=Finite(), help="Of the distributions; default about a tenth of V_th."
    ),
    click.option(
        "--range",
        "bounds",
        type=Finite(),
        nargs=2,
        metavar="LOW HIGH",
        help="Potentials to bin; default from the first batch, per layer.",
    ),
)
bootstrap_options = together(
    click.option(
        "--replicates", type=click.IntRange(10, 100_000), help="Of the bootstrap; default 1000."
    ),
    click.option("--seed", type=click.IntRange(0, 2**32 - 1), help="Of the bootstrap; default 0."),
)
run_options = together(
    click.option(
        "--workers",
        type=click.IntRange(min=1),
        metavar="N",
        help="Share the work among so many processes of this machine.",
    ),
    click.option(
        "--scheduler", metavar="ADDRESS", help="Share it among the workers of a dask cluster."
    ),
    click.option(
        "--tls-ca-file", type=LocalPath(), help="Of a scheduler at tls://: authority's certificate."
    ),
    click.option("--tls-cert", type=LocalPath(), help="Certificate of this process, for it."),
    click.option("--tls-key", type=LocalPath(), help="Key of that certificate."),
    click.option(
        "--resume", is_flag=True, help="Go on from an interrupted run into the same folder."
    ),
    click.option(
        "--part",
        metavar="I/N",
        help="Only part I of N of the samples; analyze merge joins the results.",
    ),
    click.option(
        "--no-fused", is_flag=True, help="Run the network's own neurons, not fused kernels."
    ),
)
analysis_options = together(
    data_options, open_options, potential_options, bootstrap_options, run_options
)
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
        type=FiniteRange(min=0),
        default=0.5,
        show_default=True,
        help="Noise by potentials has a PTD of at least minus so many thresholds.",
    ),
    click.option(
        "--background-ratio",
        type=FiniteRange(min=0),
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
        "--e-mac", type=FiniteRange(min=0), default=4.6, show_default=True, help="pJ a MAC."
    ),
    click.option(
        "--e-ac", type=FiniteRange(min=0), default=0.9, show_default=True, help="pJ an AC."
    ),
)


def load_named(source: Path, options: dict[str, Any], quiet: bool = False) -> Checkpoint:
    """Open a checkpoint with the options of `open_options`, and say what is to know of it."""
    from redundancy.checkpoint import load_checkpoint

    checkpoint = load_checkpoint(
        source,
        checkpoint_format=options["checkpoint_format"],
        network_arguments=parse_key_values(options["network_arg"], "--network-arg"),
        partial=options["partial"],
    )
    for note in checkpoint.notes if not quiet else ():
        say(f"note: {note}", stream=sys.stderr)
    return checkpoint


def open_for_analysis(
    source: Path, options: dict[str, Any], quiet: bool
) -> tuple[Checkpoint, nn.Module, Dataset]:
    """Open a checkpoint, its network and the data to run it on.

    Where workers run the network it stays on the CPU here.
    """
    from redundancy.datasets import convert_ahead
    from redundancy.devices import resolve_device
    from redundancy.sources import dataset_for

    refuse_url((options["data"] or "").partition(":")[2], "--data")
    checkpoint = load_named(source, options, quiet)
    elsewhere = options.get("workers") or options.get("scheduler")
    device = resolve_device("cpu" if elsewhere else options["device"])
    network = checkpoint.build_network().to(device)
    with ProgressLine("generating", "samples", quiet=quiet) as progress:
        dataset = dataset_for(
            checkpoint,
            data=options["data"],
            arguments=parse_key_values(options["data_arg"], "--data-arg"),
            split=options["split"] or "test",
            progress=progress,
        )
    with ProgressLine("converting", "files", quiet=quiet) as progress:
        convert_ahead(dataset, progress, n_samples=options["samples"])
    return checkpoint, network, dataset
