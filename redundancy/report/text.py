"""Readable text tables for a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from redundancy import schema
from redundancy.names import visible
from redundancy.tables.accuracy_basis import accuracy_basis, left_out
from redundancy.tables.grouping import GAC, NOT_STATED, attention_of, has_attention

if TYPE_CHECKING:
    from redundancy.checkpoint import Checkpoint
    from redundancy.results import Results


def format_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return rows as aligned text: words and the first column to the left, numbers to the right."""
    numeric = [
        column > 0 and _is_numeric([row[column] for row in rows]) for column in range(len(header))
    ]
    table = [[visible(text) for text in row] for row in (header, *rows)]
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


def _counted(count: int, noun: str) -> str:
    return f"1 {noun}" if count == 1 else f"{count} {noun}s"


def _is_numeric(cells: Sequence[str]) -> bool:
    return all(set(cell) <= set("0123456789.,+-–×% x") for cell in cells) and any(cells)


def heading(results: Results) -> str:
    """Return in a line which network these results are of, and on which data."""
    attributes = results.attributes
    name = attributes[schema.NETWORK]
    attention = attention_of(results)
    if attention == GAC:
        name = f"{name} with GAC's encoder"
    elif has_attention(results):
        name = f"{name} with {'attention' if attention == NOT_STATED else attention}"
    samples = _counted(int(attributes[schema.N_SAMPLES]), "sample")
    return visible(
        f"{name} on {attributes[schema.DATASET]} ({attributes[schema.SPLIT]}, {samples}, "
        f"T = {attributes[schema.N_TIMESTEPS]})"
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
    basis = accuracy_basis(summary)
    if summary["accuracy"] is None:
        return f"unknown ({_why_unknown(summary)})"
    text = f"{100 * summary['accuracy']:.1f} %"
    if not 0 < summary["n_recordings"] < summary["n_samples"]:
        return (
            f"{text} {basis}" if basis.startswith("of ") else "; ".join(filter(None, (text, basis)))
        )
    recordings = (
        f"{text} of clips, {100 * summary['recording_accuracy']:.1f} % of "
        f"{_counted(summary['n_recordings'], 'recording')} (more than half of the clips right)"
    )
    return f"{recordings}; {basis}" if basis else recordings


def _why_unknown(summary: Mapping[str, Any]) -> str:
    n_left_out = (summary["n_not_finite_outputs"] or 0) + (summary["n_unlabelled"] or 0)
    if summary["n_unlabelled"] in (None, summary["n_samples"]):
        return "no labels"
    if n_left_out < summary["n_samples"]:
        return "the network's output is no score a class"
    return ", ".join(left_out(summary))


def checkpoint_text(checkpoint: Checkpoint, layers: Sequence[dict[str, Any]]) -> str:
    """Return what a checkpoint holds, layer by layer.

    Parameters
    ----------
    checkpoint : Checkpoint
    layers : sequence of dict
        What :func:`redundancy.inspection.inspect_network` returns.
    """
    lines = [
        *_wrapped(
            f"network   {checkpoint.network} ({_arguments(checkpoint.network_arguments)})", "", 10
        ),
        f"format    {checkpoint.format}, sha256 {checkpoint.sha256[:16]}…",
        *_wrapped("data      " + _data(checkpoint), "", 10),
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
    text = "\n".join(lines) + format_table(
        ["layer", "kind", "output", "parameters", "neuron"], rows
    )
    if any("@" in layer["name"] for layer in layers):
        text += (
            "\nNAME@1 is the second call of neuron NAME in one forward pass, @2 the third: every "
            "call is\na layer of its own in all results, with potentials of its own."
        )
    return text


def _arguments(arguments: dict[str, Any]) -> str:
    return ", ".join(f"{key}={_value(value)}" for key, value in arguments.items())


def _value(value: Any) -> str:
    """Return a value as ``--network-arg`` and ``--data-arg`` take it."""
    if isinstance(value, list | tuple):
        return ("x" if len(value) == 2 else ",").join(map(_value, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


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
    """Return names with what is to be said of each and its arguments, 100 columns wide.

    Parameters
    ----------
    entries : sequence of (name, lines about it, arguments with their defaults)
    """
    blocks = []
    for name, about, arguments in entries:
        blocks.append(name)
        for line in about.splitlines():
            blocks += _wrapped(line, "    ")
        blocks += _wrapped(_arguments(arguments), "      ")
    return "\n".join(blocks)


def _wrapped(text: str, indent: str, hanging: int = 2) -> list[str]:
    import textwrap

    return textwrap.wrap(
        text,
        width=98,
        initial_indent=indent,
        subsequent_indent=indent + " " * hanging,
        break_long_words=False,
        break_on_hyphens=False,
    )
