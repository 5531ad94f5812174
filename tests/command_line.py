"""The ``analyze`` command in this process, and small networks that have something to show."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import torch

import analysis_cli
from redundancy.checkpoint import Checkpoint, save_checkpoint
from redundancy.networks import build_network, complete_arguments
from redundancy.results import Results
from redundancy.results_file import load_results
from tests.toy import ToyDataset, tiny_network_arguments


def run_analyze(*arguments: object) -> tuple[int, str, str]:
    """Run ``analyze`` and return its exit code and what it wrote to stdout and stderr."""
    out, err = io.StringIO(), io.StringIO()
    code = 0
    with (
        mock.patch.object(sys, "argv", ["analyze", *map(str, arguments)]),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            analysis_cli.main()
        except SystemExit as exit_request:
            code = int(exit_request.code or 0)
    text = err.getvalue()
    assert "Traceback" not in text
    assert "This is a bug" not in text, text
    return code, out.getvalue(), text


def start_analyze(*arguments: object) -> subprocess.Popen[str]:
    """Start ``analyze`` as a process of its own, which Ctrl-C (SIGINT) can interrupt."""
    return subprocess.Popen(
        [sys.executable, "-m", "analysis_cli", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell's background jobs ignore SIGINT, and so would their children.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


def remember_results(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read each results file only once: most time of a test is spent on reading them."""
    known: dict[tuple[str, int], Results] = {}

    def load(path: str | Path) -> Results:
        key = (str(Path(path).absolute()), os.stat(path).st_mtime_ns)
        if key not in known:
            known[key] = load_results(path)
        return known[key]

    monkeypatch.setattr("redundancy.results_file.load_results", load)


def sketch_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Save figures in a few dots: most time of drawing is spent on dots."""
    monkeypatch.setattr("redundancy.plots.saving._DPI", {"png": 20, "pdf": 20, "svg": 20})


def save_frames(path: Path, toy: ToyDataset) -> list[str]:
    """Save a dataset as a frames file and return the options that name it."""
    labels = {} if toy.labels is None else {"labels": toy.labels}
    np.savez(path, frames=toy.frames, **labels)
    return ["--data", f"frames:{path}"]


def save_network(
    path: Path,
    edit: Callable[[torch.nn.Module], None] | None = None,
    *,
    seed: int = 0,
    **arguments: object,
) -> Path:
    """Save an untrained lif-snn-3 of channels that range from silent to always firing.

    Parameters
    ----------
    path : Path
    edit : callable, optional
        Changes the network's weights in place.
    seed : int
    **arguments
        Of :func:`tests.toy.tiny_network_arguments`.
    """
    given = complete_arguments("lif-snn-3", tiny_network_arguments(**arguments))  # type: ignore[arg-type]
    torch.manual_seed(seed)
    network = build_network("lif-snn-3", **given)
    with torch.no_grad():
        for block in (network.conv1, network.conv2, network.conv3):
            block.bn.bias.copy_(torch.linspace(-0.5, 0.5, len(block.bn.bias)))
        if edit is not None:
            edit(network)
    save_checkpoint(path, Checkpoint("lif-snn-3", given, network.state_dict()))
    return path


def write_foreign(path: Path) -> None:
    """Save a state_dict as the published code would."""
    state = {}
    for i, (before, after) in enumerate([(2, 4), (4, 4), (4, 6)]):
        state[f"ConvAttLIFs.{i}.conv.0.weight"] = torch.zeros(after, before, 3, 3)
        state[f"ConvAttLIFs.{i}.conv.0.bias"] = torch.zeros(after)
        for name, value in (
            ("weight", 1.0),
            ("bias", 0.0),
            ("running_mean", 0.0),
            ("running_var", 1.0),
        ):
            state[f"ConvAttLIFs.{i}.bn.0.{name}"] = torch.full((after,), value)
        state[f"ConvAttLIFs.{i}.bn.0.num_batches_tracked"] = torch.tensor(1)
    for i, (before, after) in enumerate([(24, 5), (5, 3)]):
        state[f"FCs.{i}.linear.0.weight"] = torch.zeros(after, before)
        state[f"FCs.{i}.linear.0.bias"] = torch.zeros(after)
    torch.save(state, path)
