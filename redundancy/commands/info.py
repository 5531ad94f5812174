"""``analyze info`` and ``analyze list``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from redundancy.commands.options import LocalPath, load_named, open_options
from redundancy.terminal import say


@click.command(short_help="Show what is in a checkpoint, layer by layer.")
@click.argument("source", type=LocalPath())
@open_options
def info(source: Path, **options: Any) -> None:
    """Show what is in a checkpoint: arguments, layers, parameters, neurons.

    SOURCE may also be a results file or a recording.
    """
    from redundancy.inspection import inspect_network, spike_sources_of
    from redundancy.recordings import RecordingFile
    from redundancy.report.text import checkpoint_text, results_text, source_lines
    from redundancy.results_file import load_results
    from redundancy.sources import source_kind

    kind = source_kind(source)
    if kind == "results":
        say(results_text(load_results(source)))
        return
    if kind == "recording":
        say(RecordingFile(source).describe())
        return
    checkpoint = load_named(source, options)
    network = checkpoint.build_network()
    ignore = options["ignore_layer"]
    say(checkpoint_text(checkpoint, inspect_network(network, checkpoint.frame_shape, ignore)))
    for line in source_lines(spike_sources_of(network, checkpoint.frame_shape, ignore)):
        say(line)


@click.command("list", short_help="List the known networks, datasets or training presets.")
@click.argument("what", type=click.Choice(["networks", "datasets", "presets"]))
def list_names(what: str) -> None:
    """List the networks, datasets or training presets that are known, with their arguments."""
    from redundancy.report.text import catalogue_text

    if what == "networks":
        from redundancy.networks import NETWORKS, network_summary

        entries = [(name, network_summary(name), _network_arguments(name)) for name in NETWORKS]
    elif what == "presets":
        from redundancy.training import preset_entries

        entries = preset_entries()
    else:
        from redundancy.datasets import dataset_entries

        entries = dataset_entries()
    say(catalogue_text(entries))


def _network_arguments(name: str) -> dict[str, Any]:
    """Return a network's arguments with their defaults, and behind these what else there is."""
    from redundancy.networks import argument_choices, network_arguments

    arguments = network_arguments(name)
    for key, choices in argument_choices(name).items():
        others = [choice for choice in choices if choice != arguments[key]]
        arguments[key] = "|".join([arguments[key], *others])
    return arguments
