"""``make bench``: what an analysis costs beside the bare forward pass."""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable

import numpy as np

from redundancy.analysis import analyze
from redundancy.datasets.base import Batch, iterate_batches
from redundancy.networks import build_network
from redundancy.observation import AnalysisOptions, Observer, merge_states
from redundancy.process import keep_heap
from redundancy.report.text import format_table


class RandomFrames:
    """A generated dataset of any length: its samples take no memory and no reading."""

    name, location, split, n_classes = "random-frames", None, "test", 10

    def __init__(self, n_samples: int, n_timesteps: int, batch_size: int) -> None:
        self.n_samples = n_samples
        self.frame_shape = (n_timesteps, 2, 32, 32)
        self.arguments = {"n_samples": n_samples}
        random = np.random.default_rng(0)
        self._frames = random.poisson(0.2, (batch_size, *self.frame_shape)).astype(np.float32)

    def __len__(self) -> int:
        return self.n_samples

    def batch(self, start: int, stop: int) -> Batch:
        """Return samples, the same frames in every batch."""
        labels = np.arange(start, stop) % 10
        return Batch(start, self._frames[: stop - start], labels)


def paired(first: Callable[[], object], second: Callable[[], object], runs: int) -> list[float]:
    """Return the ratios first / second of `runs` paired, alternating runs."""
    first(), second()
    ratios = []
    for _ in range(runs):
        began = time.perf_counter()
        first()
        middle = time.perf_counter()
        second()
        ratios.append((middle - began) / (time.perf_counter() - middle))
    return ratios


def speed(attention: str, batch_size: int, n_timesteps: int, runs: int) -> list[str]:
    """Measure one row: the whole analysis over the forward pass alone."""
    import torch
    from spikingjelly.activation_based import functional

    torch.manual_seed(0)
    network = build_network(
        "lif-snn-3", n_classes=10, n_timesteps=n_timesteps, attention=attention
    ).eval()
    dataset = RandomFrames(4 * batch_size, n_timesteps, batch_size)

    def bare() -> None:
        with torch.inference_mode():
            for batch in iterate_batches(dataset, batch_size):
                network(torch.from_numpy(batch.frames).transpose(0, 1))
                functional.reset_net(network)

    # The first batch is run twice, to see that reading changes nothing; it is left out
    # here, since it is paid once however long the dataset is.
    recordings = _after_the_first(network, dataset, batch_size)
    ratios = paired(lambda: _consume(next(recordings)), bare, runs)
    began = time.perf_counter()
    bare()
    per_sample = (time.perf_counter() - began) / len(dataset)
    return [
        f"lif-snn-3, {attention}, T = {n_timesteps}, batch {batch_size}",
        f"{statistics.median(ratios):.2f}",
        f"{min(ratios):.2f} – {max(ratios):.2f}",
        f"{1000 * per_sample:.0f} ms",
    ]


def _after_the_first(network, dataset, batch_size):  # type: ignore[no-untyped-def]
    """Yield, again and again, the recordings of one pass over the dataset."""
    from redundancy.recording import Recorder

    with Recorder(network, quantities=AnalysisOptions().recorded) as recorder:
        recorder.record(dataset.batch(0, batch_size).frames)
        while True:
            yield (
                recorder.record_nodes(batch.frames, labels=batch.labels, start=batch.start)
                for batch in iterate_batches(dataset, batch_size)
            )


def _consume(recordings: Iterable) -> None:  # type: ignore[type-arg]
    state = observer = None
    for recording in recordings:
        observer = observer or Observer.from_pilot(recording, AnalysisOptions())
        observed = observer.observe(recording)
        state = observed if state is None else merge_states(state, observed)


def peak_memory(n_samples: int, batch_size: int = 16, n_timesteps: int = 20) -> float:
    """Return the peak memory in MB of a fresh process that analyses `n_samples`."""
    command = [sys.executable, "-m", "benchmarks", "--peak-of", str(n_samples)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(done.stdout.splitlines()[-1])


def _print_peak(n_samples: int) -> None:
    network = build_network("lif-snn-3", n_classes=10, n_timesteps=20)
    analyze(network, RandomFrames(n_samples, 20, 16), batch_size=16)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def main() -> None:
    """Print one table of ratios."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=main.__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--peak-of", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    keep_heap()
    if options.peak_of:
        _print_peak(options.peak_of)
        return
    rows = [
        speed(attention, batch_size, 20, options.runs)
        for attention in ("none", "asa-1")
        for batch_size in (1, 16)
    ]
    print("analysis over the bare forward pass under inference_mode (paired runs)")
    print(format_table(["case", "median", "range", "forward a sample"], rows))
    few, many = peak_memory(64), peak_memory(256)
    print("\npeak memory of the analysing process (batch 16, T = 20)")
    rows = [["64 samples", f"{few:.0f} MB"], ["256 samples", f"{many:.0f} MB"]]
    print(format_table(["", "peak"], [*rows, ["ratio", f"{many / few:.2f}"]]))


if __name__ == "__main__":
    main()
