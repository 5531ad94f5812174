"""Small folders of every published dataset, written in the form in which it is distributed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from tests.datasets.event_files import (
    Rows,
    aedat2,
    aedat3,
    davis_address,
    packet3,
    text,
)
from tests.datasets.test_static_images import write_cifar

ACTIONS = ("climb", "stand")


def events(n: int, span_us: int, size: tuple[int, int], seed: int, start: int = 0) -> Rows:
    """Return events (t, x, y, p) in time order, in a band of rows that the seed decides."""
    random = np.random.default_rng(seed)
    height, width = size
    times = np.sort(random.integers(0, span_us, n)) + start
    rows = (random.integers(0, height // 4, n) + height // 4 * (seed % 4)) % height
    return [
        (int(t), int(x), int(y), int(p))
        for t, x, y, p in zip(
            times, random.integers(0, width, n), rows, random.integers(0, 2, n), strict=True
        )
    ]


def write_gait(folder: Path, span_us: int = 1_000_000, n_events: int = 3000) -> None:
    """Two persons, one recording for training and one for the test each."""
    for split in ("train", "test"):
        for person in range(2):
            path = folder / split / str(person) / "1.txt"
            path.parent.mkdir(parents=True)
            path.write_bytes(text(events(n_events, span_us, (128, 128), person)))


def write_gesture(folder: Path, span_us: int = 1_000_000, n_events: int = 3000) -> None:
    """One session for training and one for the test, of two gestures each."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("user01_fluorescent", "user24_led"):
        rows = [
            *events(n_events, span_us, (128, 128), 0, start=1000),
            *events(n_events, span_us, (128, 128), 1, start=1000 + span_us),
        ]
        packets = (packet3(rows[n : n + 500]) for n in range(0, len(rows), 500))
        (folder / f"{name}.aedat").write_bytes(aedat3(*packets))
        table = [
            "class,startTime_usec,endTime_usec",
            *(f"{n + 1},{1000 + n * span_us},{1000 + (n + 1) * span_us}" for n in range(2)),
        ]
        (folder / f"{name}_labels.csv").write_text("\n".join(table) + "\n")


def write_daily_action(folder: Path, span_us: int = 4_500_000, n_events: int = 1000) -> None:
    """Two actions with five recordings each, four of which train."""
    for label, action in enumerate(ACTIONS):
        for number in range(5):
            path = folder / action / f"{action}{number}.aedat"
            path.parent.mkdir(parents=True, exist_ok=True)
            rows = events(n_events, span_us, (260, 346), label)
            pairs = [(davis_address(x, y, p), t) for t, x, y, p in rows]
            path.write_bytes(aedat2(pairs, "eu.seebetter.ini.chips.davis.DAVIS346"))


def write_har(folder: Path, n_events: int = 2000) -> None:
    """Two activities with one recording a split each."""
    for split in ("train", "val", "test"):
        lines = []
        for label in range(2):
            name = f"action_{label + 1:03d}/dvSave-{split}"
            path = folder / f"{name}.npz"
            path.parent.mkdir(parents=True, exist_ok=True)
            columns = np.array(events(n_events, 900_000, (260, 346), label)).T
            np.savez(path, **dict(zip("txyp", columns, strict=True)))
            lines.append(f"{name} 8 {label}\n")
        (folder / f"{split}_label.txt").write_text("".join(lines))


def write_imagenet(folder: Path) -> None:
    """Two classes with one image a split each."""
    random = np.random.default_rng(0)
    for split in ("train", "val"):
        for name in ("n01440764", "n01443537"):
            path = folder / split / name / "1.JPEG"
            path.parent.mkdir(parents=True)
            Image.fromarray(random.integers(0, 256, (60, 80, 3), np.uint8)).save(path)


def _cifar(name: str) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        write_cifar(folder, name, "python")

    return write


WRITERS: dict[str, Callable[[Path], None]] = {
    "dvs128-gesture": write_gesture,
    "dvs128-gait-day": write_gait,
    "dvs128-gait-night": write_gait,
    "daily-action-dvs": write_daily_action,
    "har-dvs": write_har,
    "cifar10": _cifar("cifar10"),
    "cifar100": _cifar("cifar100"),
    "imagenet": write_imagenet,
}


def write(name: str, folder: Path) -> str:
    """Write a dataset and return what the command line calls it."""
    WRITERS[name](folder / name)
    return f"{name}:{folder / name}"
