"""A measured table, and ratios of runs that take turns."""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Callable, Sequence


@dataclasses.dataclass
class Table:
    """What one section measured.

    Attributes
    ----------
    title : str
    columns : sequence of str
    rows : list of sequences of str
    notes : list of str
        A sentence each, below the table.
    """

    title: str
    columns: Sequence[str]
    rows: list[Sequence[str]] = dataclasses.field(default_factory=list)
    notes: list[str] = dataclasses.field(default_factory=list)

    def markdown(self) -> str:
        """Return the section as Markdown."""
        lines = [f"## {self.title}", ""]
        lines.append(f"| {' | '.join(self.columns)} |")
        lines.append(f"| {' | '.join(['---', *['---:'] * (len(self.columns) - 1)])} |")
        lines += [f"| {' | '.join(row)} |" for row in self.rows]
        for note in self.notes:
            lines += ["", note]
        return "\n".join(lines) + "\n"


@dataclasses.dataclass
class Pair:
    """Times of two things that took turns: seconds of each run."""

    first: list[float]
    second: list[float]

    @property
    def ratios(self) -> list[float]:
        """First over second, run by run."""
        return [a / b for a, b in zip(self.first, self.second, strict=True)]

    def median(self) -> str:
        """Return the median of the ratios."""
        return f"{statistics.median(self.ratios):.2f}"

    def spread(self) -> str:
        """Return least and greatest ratio."""
        return f"{min(self.ratios):.2f} – {max(self.ratios):.2f}"


def take_turns(
    first: Callable[[], object],
    second: Callable[[], object],
    runs: int,
    seconds: float = float("inf"),
) -> Pair:
    """Run two things in turn, after once each unmeasured.

    Machines drift, so only what ran side by side is compared; after `seconds` no further
    pair begins, but there are always two.
    """
    first(), second()
    pair = Pair([], [])
    began = time.perf_counter()
    for done in range(runs):
        if done >= 2 and time.perf_counter() - began > seconds:
            break
        pair.first.append(seconds_of(first))
        pair.second.append(seconds_of(second))
    return pair


def seconds_of(call: Callable[[], object]) -> float:
    """Return how long a call takes."""
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def in_words(seconds: float) -> str:
    """Return a time in milliseconds or seconds."""
    return f"{1000 * seconds:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
