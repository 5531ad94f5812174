"""Peak memory at N and 4N samples, and a simulated million of them."""

from __future__ import annotations

import argparse
import time

from benchmarks.cases import RandomFrames, network_case
from benchmarks.subprocesses import peak_memory, run_part
from benchmarks.table import Table
from redundancy.analysis import analyze
from redundancy.process import keep_heap

_TINY = {"widths": (2, 2, 2), "hidden": 4, "input_size": (8, 8)}
_SIMULATED = 1_000_000


def memory(quick: bool) -> Table:
    """Measure the peak memory of analysing N samples and four times as many."""
    few = 32 if quick else 128
    table = Table(
        "Peak memory as the dataset grows",
        ("samples", "peak", "of the smaller", "seconds"),
        notes=[
            "A fresh process each, with the libraries' own memory. lif-snn-3 at batch 16, T = 20; "
            "the simulated samples go through the same network, tiny (2, 2 and 2 channels of "
            "8 x 8, T = 2), at batch 2000: samples that are generated, counted and merged one "
            "batch after another.",
        ],
    )
    for tiny, counts in ((False, (few, 4 * few)), (True, _simulated(quick))):
        first = 0.0
        for count in counts:
            peak, seconds = map(float, _run(count, tiny).split())
            first = first or peak
            row = [f"{count:,}{' tiny' if tiny else ''}", f"{peak:.0f} MB", f"{peak / first:.3f}"]
            table.rows.append([*row, f"{seconds:.0f}"])
    return table


def _simulated(quick: bool) -> tuple[int, int]:
    return (4_000, 16_000) if quick else (_SIMULATED // 20, _SIMULATED)


def _run(n_samples: int, tiny: bool) -> str:
    return run_part("benchmarks.memory", str(n_samples), *(["--tiny"] if tiny else []))


def main() -> None:
    """Analyse, and print the peak memory in MB and the seconds."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=main.__doc__)
    parser.add_argument("n_samples", type=int)
    parser.add_argument("--tiny", action="store_true")
    given = parser.parse_args()
    keep_heap()
    n_timesteps, batch_size = (2, 2000) if given.tiny else (20, 16)
    size = (8, 8) if given.tiny else (32, 32)
    network = network_case("lif-snn-3", "none", n_timesteps, **(_TINY if given.tiny else {}))
    dataset = RandomFrames(given.n_samples, n_timesteps, batch_size, size)
    began = time.monotonic()
    results = analyze(network, dataset, batch_size=batch_size)
    assert results.summary()["n_samples"] == given.n_samples
    seconds = time.monotonic() - began
    print(peak_memory(), seconds)


if __name__ == "__main__":
    main()
