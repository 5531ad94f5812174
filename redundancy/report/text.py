"""Readable text tables for a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from redundancy import schema

if TYPE_CHECKING:
    from redundancy.checkpoint import Checkpoint
    from redundancy.results import Results


def format_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return rows as aligned text: words and the first column to the left, numbers to the right."""
    numeric = [
        column > 0 and _is_numeric([row[column] for row in rows]) for column in range(len(header))
    ]
    table = [list(header), *[list(row) for row in rows]]
    widths = [max(len(row[column]) for row in table) for column in range(len(header))]
    lines = []
    for row in table:
        cells = [
            text.rjust(width) if is_number else text.ljust(width)
            for text, width, is_number in zip(row, widths, numeric, strict=True)
        ]
        lines.append("  ".join(cells).rstrip())
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(lines)


def _samples(n_samples: int) -> str:
    return "1 sample" if n_samples == 1 else f"{n_samples} samples"


def _is_numeric(cells: Sequence[str]) -> bool:
    return all(set(cell) <= set("0123456789.,+-–×% x") for cell in cells) and any(cells)


def heading(results: Results) -> str:
    """Return in a line which network these results are of, and on which data."""
    attributes = results.attributes
    name = attributes[schema.NETWORK]
    attention = attributes.get(schema.NETWORK_ARGUMENTS, {}).get("attention", "none")
    if attention != "none":
        name = f"{name} with {attention}"
    return (
        f"{name} on {attributes[schema.DATASET]} ({attributes[schema.SPLIT]}, "
        f"{_samples(int(attributes[schema.N_SAMPLES]))}, T = {attributes[schema.N_TIMESTEPS]})"
    )


def results_text(results: Results) -> str:
    """Return the headline numbers and the rate of every layer."""
    summary = results.summary()
    conv = summary["nasfr_conv"]
    lines = [
        heading(results),
        "accuracy  " + _accuracies(summary),
        f"NASFR     {summary['nasfr']:.4f}"
        + ("" if conv is None else f"   (convolutional layers alone {conv:.4f})"),
        "",
    ]
    rows = []
    for layer in summary["layers"]:
        rates = results.firing_rates[layer["name"]]
        c_sfr = rates[schema.C_SFR]
        n_null = int((c_sfr == 0).all(schema.TIME).sum())
        rows.append(
            [
                layer["name"],
                " x ".join(map(str, layer["shape"])),
                str(layer["n_neurons"]),
                f"{layer['nasfr']:.4f}",
                f"{float(c_sfr.min()):.3f} – {float(c_sfr.max()):.3f}",
                str(n_null),
            ]
        )
    header = ["layer", "shape", "neurons", "rate", "C-SFR range", "silent channels"]
    return "\n".join(lines) + format_table(header, rows)


def _accuracies(summary: Mapping[str, Any]) -> str:
    """Return the accuracy over samples, and over recordings where several are of one."""
    if summary["accuracy"] is None:
        return "unknown (no labels)"
    text = f"{100 * summary['accuracy']:.1f} %"
    if not 0 < summary["n_recordings"] < summary["n_samples"]:
        return text
    return (
        f"{text} of clips, {100 * summary['recording_accuracy']:.1f} % of "
        f"{summary['n_recordings']} recordings (more than half of the clips right)"
    )


def checkpoint_text(checkpoint: Checkpoint, layers: Sequence[dict[str, Any]]) -> str:
    """Return what a checkpoint holds, layer by layer.

    Parameters
    ----------
    checkpoint : Checkpoint
    layers : sequence of dict
        What :func:`redundancy.inspection.inspect_network` returns.
    """
    lines = [
        f"network   {checkpoint.network} ({_arguments(checkpoint.network_arguments)})",
        f"format    {checkpoint.format}, sha256 {checkpoint.sha256[:16]}…",
        "data      " + _data(checkpoint),
        "training  " + _training(checkpoint.training_record),
        "",
    ]
    rows = [
        [layer["name"], layer["kind"], layer["output"], f"{layer['parameters']:,}", layer["detail"]]
        for layer in layers
    ]
    total = sum(layer["parameters"] for layer in layers)
    n_neurons = sum(layer["n_neurons"] for layer in layers)
    rows.append(["total", "", f"{n_neurons:,} neurons", f"{total:,}", ""])
    return "\n".join(lines) + format_table(
        ["layer", "kind", "output", "parameters", "neuron"], rows
    )


def _arguments(arguments: dict[str, Any]) -> str:
    return ", ".join(
        f"{key}={'x'.join(map(str, value)) if isinstance(value, list | tuple) else value}"
        for key, value in arguments.items()
    )


def _data(checkpoint: Checkpoint) -> str:
    if checkpoint.dataset is None:
        return "unknown"
    return f"{checkpoint.dataset} ({_arguments(checkpoint.dataset_arguments)})"


def _training(record: dict[str, Any]) -> str:
    if not record:
        return "no record"
    return (
        f"{len(record['epochs'])} epochs in {record['seconds']:.0f} s on {record['device']}, "
        f"test accuracy {100 * record['final_test_accuracy']:.1f} % after the last epoch"
    )


def catalogue_text(entries: Sequence[tuple[str, str, dict[str, Any]]]) -> str:
    """Return names with a line on each and its arguments.

    Parameters
    ----------
    entries : sequence of (name, one line about it, arguments with their defaults)
    """
    blocks = []
    for name, about, arguments in entries:
        blocks.append(f"{name}\n    {about}")
        blocks += [f"      {line}" for line in _wrapped(_arguments(arguments))]
    return "\n".join(blocks)


def _wrapped(text: str) -> list[str]:
    import textwrap

    return textwrap.wrap(text, width=90, break_long_words=False)
