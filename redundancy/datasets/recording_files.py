"""The files of a dataset of event recordings: what is in each, and in what order they come."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from redundancy.datasets.events import Events


@dataclass(frozen=True)
class RecordingFile:
    """One file (or folder of images) of a dataset and the recordings in it.

    Attributes
    ----------
    path : Path
    labels : tuple of int
        Class of each recording in it.
    spans : tuple of (int, int)
        Where the recordings begin and end, for files that hold several.
    companion : Path or None
        A file that says where the recordings are, such as a table of labels.
    """

    path: Path
    labels: tuple[int, ...]
    spans: tuple[tuple[int, int], ...] = ()
    companion: Path | None = None


def interleaved(by_class: Mapping[int, list[Path]]) -> list[RecordingFile]:
    """Return files with one recording each, the first of every class, then the second ones.

    So the first samples are balanced for as long as every class has files; within a
    class the order is that of `natural_order`.
    """
    ranked = [
        (rank, label, path)
        for label, paths in by_class.items()
        for rank, path in enumerate(sorted(paths, key=natural_order))
    ]
    ranked.sort(key=lambda entry: entry[:2])
    return [RecordingFile(path, (label,)) for _, label, path in ranked]


def natural_order(path: Path) -> tuple[tuple[tuple[int, str], ...], str]:
    """Return a sort key by which file 2 comes before file 10."""
    parts = re.split(r"(\d{1,18})", path.stem)
    return tuple((int(p), "") if p.isdigit() else (-1, p) for p in parts), path.name


def cut_spans(events: Events, spans: tuple[tuple[int, int], ...]) -> list[Events]:
    """Return the events of each span [start, stop) of a sorted recording."""
    edges = np.searchsorted(events["t"], np.array(spans, np.int64).reshape(-1))
    return [events[begin:end] for begin, end in list(pairwise(edges.tolist()))[::2]]
