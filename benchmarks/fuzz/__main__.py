"""``make fuzz``: open damaged and foreign files of every kind, and count what comes of it.

python -m benchmarks.fuzz --seconds 120 --seed 3
python -m benchmarks.fuzz --inputs 40 --kinds results recording
python -m benchmarks.fuzz --seed 3 --case 417        # one input again, and all that it says

Exits with 1 if anything was WRONG, raised, hung or took too much memory.
"""

from __future__ import annotations

import argparse
import collections
import faulthandler
import os
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.fuzz.kinds import KINDS
from benchmarks.fuzz.running import FAULTS, OUTCOMES, Bench, Outcome
from benchmarks.table import Table
from redundancy.limits import VARIABLE


def main() -> None:
    """Try inputs until there are enough or the time is up, and print the table."""
    given = _arguments()
    faulthandler.enable()
    # What a file may claim, so that more memory than that is none that it was allowed.
    os.environ[VARIABLE] = "1"
    names = [name for name in KINDS if not given.kinds or any(k in name for k in given.kinds)]
    if not names:
        sys.exit(f"no kind of file has {given.kinds} in its name; there are {', '.join(KINDS)}")
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), names)
        if given.case is not None:
            print(bench.attempt(given.seed, given.case))
            return
        outcomes, seconds = _tried(bench, given)
    print(_table(outcomes, f"seed {given.seed}, {len(outcomes) / seconds:.0f} a second").markdown())
    sys.exit(any(outcome.outcome in FAULTS for outcome in outcomes))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.fuzz",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--inputs", type=int, default=sys.maxsize, help="stop after so many")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", nargs="+", default=[], help="parts of their names")
    parser.add_argument("--case", type=int, help="only this input, of the same --kinds")
    return parser.parse_args()


def _tried(bench: Bench, given: argparse.Namespace) -> tuple[list[Outcome], float]:
    outcomes: list[Outcome] = []
    again = "".join(f" {kind!r}" for kind in given.kinds)
    began = time.monotonic()
    while len(outcomes) < given.inputs and time.monotonic() - began < given.seconds:
        number = len(outcomes)
        outcome = bench.attempt(given.seed, number)
        outcomes.append(outcome)
        if outcome.outcome in FAULTS:
            repeat = f"--seed {given.seed} --case {number}{' --kinds' + again if again else ''}"
            print(f"{outcome.outcome}: {outcome.kind}, {outcome.how} ({repeat})\n{outcome.said}")
    return outcomes, time.monotonic() - began


def _table(outcomes: list[Outcome], measured: str) -> Table:
    columns = ("kind of file", "tried", *OUTCOMES)
    table = Table(f"{len(outcomes)} damaged and foreign files, {measured}", columns)
    counts = collections.Counter((outcome.kind, outcome.outcome) for outcome in outcomes)
    for kind in KINDS:
        row = [counts[kind, outcome] for outcome in OUTCOMES]
        if any(row):
            table.rows.append([kind, str(sum(row)), *map(str, row)])
    total = [sum(counts[kind, outcome] for kind in KINDS) for outcome in OUTCOMES]
    table.rows.append(["all", str(sum(total)), *map(str, total)])
    return table


if __name__ == "__main__":
    main()
