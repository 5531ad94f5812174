"""``make bench``: what an analysis costs, as ratios, written to benchmarks/RESULTS.md.

python -m benchmarks            # everything, about ten minutes on two cores
python -m benchmarks --quick    # about a minute, printed only
python -m benchmarks speed      # one section, printed only
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import commands, memory, monitors, passes
from benchmarks.machine import describe_machine
from benchmarks.subprocesses import run_part
from benchmarks.table import Table
from redundancy.files import write_text

RESULTS = Path(__file__).with_name("RESULTS.md")
SECTIONS: dict[str, Callable[[bool], Table]] = {
    "speed": passes.speed,
    "profile": passes.profile,
    "statistics": passes.statistic_shares,
    "monitors": monitors.monitors,
    "memory": memory.memory,
    "workers": commands.workers,
    "figures": commands.rendering,
    "startup": commands.startup,
}


def main() -> None:
    """Print tables of ratios; a whole run writes them down too."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=", ".join(SECTIONS))
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    unknown = [name for name in given.sections if name not in SECTIONS]
    if unknown:
        parser.error(f"no section {unknown[0]!r}; there are {', '.join(SECTIONS)}")
    if given.json:
        _measure_here(given.sections[0], given.quick)
        return
    began, parts, failed = time.monotonic(), [_heading(given.quick)], []
    print(parts[0])
    for name in given.sections or SECTIONS:
        try:
            text = _measured(name, given.quick).markdown()
        except RuntimeError as error:
            failed.append(name)
            text = f"## {name}\n\nThis section failed: {error}\n"
        parts.append(text)
        print(text, flush=True)
    parts.append(f"Measured in {(time.monotonic() - began) / 60:.0f} minutes.\n")
    if not (given.quick or given.sections or failed):
        write_text(RESULTS, "\n".join(parts))
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


def _heading(quick: bool) -> str:
    kind = "A quick run: fewer runs of smaller cases." if quick else "Written by `make bench`."
    return (
        f"# Speed and memory\n\n{kind}\n"
        "Ratios of runs that took turns; absolute times drift with the machine.\n\n"
        f"{describe_machine()}\n"
    )


def _measured(name: str, quick: bool) -> Table:
    """Measure a section in a process of its own, in which threads and memory are set."""
    options = ["--json", *(["--quick"] if quick else [])]
    return Table(**json.loads(run_part("benchmarks", name, *options)))


def _measure_here(name: str, quick: bool) -> None:
    from redundancy.process import keep_heap, share_cores

    keep_heap()
    share_cores()
    print(json.dumps(dataclasses.asdict(SECTIONS[name](quick))))


if __name__ == "__main__":
    main()
