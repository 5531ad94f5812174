"""What a person waits for: the command's start, its figures, the demo; and workers."""

from __future__ import annotations

import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.subprocesses import threads
from benchmarks.table import Table, in_words, seconds_of, take_turns

ROOT = Path(__file__).resolve().parents[1]
_CHECKPOINTS = ("gait-vanilla", "gait-asa")


def _analyze(*arguments: object, **environment: str) -> None:
    subprocess.run(
        [sys.executable, "-m", "analysis_cli", *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, **threads(), **environment},
        check=True,
        capture_output=True,
    )


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def startup(quick: bool) -> Table:
    """Measure the start of the command, and the demo on a cold and a warm cache of kernels."""
    table = Table(
        "What a person waits for",
        ("command", "median", "spread"),
        notes=[
            "Fresh processes. The demo analyses a shipped vanilla and a shipped ASA network and "
            "compares them, figures included; cold: with no kernel compiled yet."
        ],
    )
    runs = 5 if quick else 15
    for arguments in (["--help"], ["train", "--help"], ["list", "networks"]):
        times = [seconds_of(lambda: _analyze(*arguments)) for _ in range(runs)]  # noqa: B023
        table.rows.append([f"analyze {' '.join(arguments)}", *_spread(times)])
    if quick:
        table.notes.append("The demo is left out of a quick run.")
        return table
    with _folder() as folder:
        cache = {"NUMBA_CACHE_DIR": str(folder / "kernels")}
        for state in ("cold", "warm"):
            steps = list(_demo(folder / state, cache))
            for title, seconds in steps:
                table.rows.append([f"{title} ({state})", in_words(seconds), ""])
            total = sum(seconds for _, seconds in steps)
            table.rows.append([f"the whole demo ({state})", in_words(total), ""])
    return table


def _demo(folder: Path, environment: dict[str, str]) -> Iterator[tuple[str, float]]:
    """Yield the steps of ``make demo`` and their seconds."""
    results = []
    for name in _CHECKPOINTS:
        out = folder / name
        began = time.perf_counter()
        _analyze("spike-features", f"checkpoints/{name}.pt", "--out", out, **environment)
        yield f"analyze spike-features {name}.pt", time.perf_counter() - began
        results.append(out / "results.nc")
    began = time.perf_counter()
    _analyze("compare", *results, "--out", folder / "compare", **environment)
    yield "analyze compare", time.perf_counter() - began


def _spread(times: list[float]) -> list[str]:
    return [in_words(statistics.median(times)), f"{in_words(min(times))} – {in_words(max(times))}"]


def rendering(quick: bool) -> Table:
    """Measure drawing and saving the mosaics of layers of 64 and 128 channels."""
    from benchmarks.cases import RandomFrames, network_case
    from redundancy.analysis import analyze
    from redundancy.plots import plot_feature_mosaic, plot_potential_mosaic, save_figure

    table = Table("Figures", ("figure", "median", "spread"), notes=["Drawn and saved as PNG."])
    network = network_case("lif-snn-3", "none", 4)
    results = analyze(network, RandomFrames(4, 4, 4), batch_size=4)
    with _folder() as folder:
        for name, rates in results.firing_rates.items():
            if "y" not in rates.sizes:
                continue
            potentials = results.potentials[name]
            sizes = rates.sizes

            def spikes(rates: Any = rates) -> None:
                save_figure(plot_feature_mosaic(rates).figure, folder / "figure")

            def distributions(potentials: Any = potentials) -> None:
                save_figure(plot_potential_mosaic(potentials).figure, folder / "figure")

            for title, draw in (("spike features", spikes), ("MPDs", distributions)):
                draw()
                times = [seconds_of(draw) for _ in range(3 if quick else 7)]
                shape = f"{sizes['channel']} channels of {sizes['y']} x {sizes['x']}"
                table.rows.append([f"{title}, {shape}", *_spread(times)])
    return table


def workers(quick: bool) -> Table:
    """Measure one process against two workers of a local cluster."""
    samples, runs = 96, 2
    table = Table(
        "Two workers over one process",
        ("case", "median", "spread"),
        notes=[
            f"`analyze spike-features checkpoints/gait-vanilla.pt --samples {samples}`, start-up "
            "and figures included, with as many threads as cores in all."
        ],
    )
    if quick:
        table.notes = ["Left out of a quick run."]
        return table
    with _folder() as folder:

        def run(*options: str) -> None:
            _analyze(
                "spike-features", "checkpoints/gait-vanilla.pt", "--samples", samples,
                "--batch-size", 8, "--out", folder / "out", "--overwrite", *options,
            )  # fmt: skip

        pair = take_turns(lambda: run("--workers", "2"), run, runs)
    table.rows.append(["wall time", pair.median(), pair.spread()])
    return table
