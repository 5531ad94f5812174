"""The ``analyze`` command."""

from __future__ import annotations

import difflib
import logging

import click

from redundancy.commands.compare import compare
from redundancy.commands.energy import energy
from redundancy.commands.figure import figure
from redundancy.commands.ghost_features import ghost_features
from redundancy.commands.info import info, list_names
from redundancy.commands.membrane_potential import membrane_potential
from redundancy.commands.merge import merge
from redundancy.commands.quantization_error import quantization_error
from redundancy.commands.record import record
from redundancy.commands.reproduce import reproduce
from redundancy.commands.spike_features import spike_features
from redundancy.commands.train import train
from redundancy.process import keep_heap, share_cores
from redundancy.terminal import (
    endings_as_interrupts,
    errors_as_sentences,
    prepare_streams,
    warnings_as_sentences,
)


class _Group(click.Group):
    """A group that guesses what a mistyped command was meant to be."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and self.get_command(ctx, args[0]) is None and not args[0].startswith("-"):
            near = difflib.get_close_matches(args[0], self.list_commands(ctx), n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            ctx.fail(f"there is no command {args[0]!r}.{hint}")
        return super().resolve_command(ctx, args)


@click.group(
    cls=_Group,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="redundancy", prog_name="analyze")
def cli() -> None:
    """Where the spikes of a trained spiking neural network go, and which are wasted."""


for _command in (
    spike_features,
    membrane_potential,
    ghost_features,
    quantization_error,
    energy,
    compare,
    figure,
    reproduce,
    record,
    merge,
    train,
    info,
    list_names,
):
    cli.add_command(_command)


def main() -> None:
    """Run ``analyze``; the entry point."""
    prepare_streams()
    # PyTorch logs that an optional GPU compiler is absent; no user can act on it.
    logging.getLogger("torch._library").setLevel(logging.ERROR)
    keep_heap()
    share_cores()
    with errors_as_sentences(), warnings_as_sentences(), endings_as_interrupts():
        cli(prog_name="analyze", standalone_mode=False)


if __name__ == "__main__":
    main()
