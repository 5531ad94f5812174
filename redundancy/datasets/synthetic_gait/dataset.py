"""The dataset `synthetic-gait`: persons walk past an event camera, and all of it is computed."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from redundancy.datasets.arguments import argument_values, parse_size
from redundancy.datasets.base import Argument, Batch
from redundancy.datasets.events import Events
from redundancy.datasets.frames import FrameBuilder
from redundancy.datasets.selection import check_range, check_split
from redundancy.datasets.synthetic_gait.cache import (
    Recordings,
    Words,
    cache_folder,
    in_memory,
    pack,
    read_recordings,
    unpack,
    write_recordings,
)
from redundancy.datasets.synthetic_gait.camera import GENERATOR_VERSION, record
from redundancy.datasets.synthetic_gait.walker import MAX_PERSONS, VIEW
from redundancy.errors import UsageError
from redundancy.process import available_cores

Progress = Callable[[int, int], None]

_MAX_DURATION_MS = 60_000


@dataclass(frozen=True)
class SyntheticGaitArguments:
    """What determines the samples of `synthetic-gait`.

    Attributes
    ----------
    n_classes : int
        Number of persons, 1 to 20; person i is the same whatever their number.
    train_per_class, test_per_class : int
        Recordings of each person in the two splits.
    seed : int
        Seed of all that varies between recordings.
    duration_ms : int
        Length of a recording.
    n_timesteps, dt_ms, downsample, size, binary
        See `FrameBuilder`; windows begin with the recording, at time 0.
    generator_version : int
        Which generator made the events; this package makes those of version 1.
    """

    n_classes: int = 10
    train_per_class: int = 200
    test_per_class: int = 10
    seed: int = 0
    duration_ms: int = 600
    n_timesteps: int = 20
    dt_ms: float | None = 30.0
    downsample: int | None = 4
    size: str | None = None
    binary: bool = False
    generator_version: int = GENERATOR_VERSION

    def __post_init__(self) -> None:
        limits = {
            "n_classes": (1, MAX_PERSONS),
            "train_per_class": (1, 1_000_000),
            "test_per_class": (1, 1_000_000),
            "seed": (0, 2**63 - 1),
            "duration_ms": (1, _MAX_DURATION_MS),
            "generator_version": (GENERATOR_VERSION, GENERATOR_VERSION),
        }
        for name, (low, high) in limits.items():
            value = getattr(self, name)
            if not low <= value <= high:
                expected = f"from {low} to {high}" if low < high else f"{low}"
                raise UsageError(f"{name} of synthetic-gait must be {expected}, got {value}")
        if self.dt_ms is not None and self.n_timesteps * self.dt_ms > self.duration_ms + 1e-9:
            raise UsageError(
                f"{self.n_timesteps} timesteps of {self.dt_ms:g} ms are longer than the "
                f"recordings of {self.duration_ms} ms; lower n_timesteps or dt_ms, or raise "
                "duration_ms"
            )


class SyntheticGait:
    """Ten persons (or up to twenty) walk past a 128x128 event camera.

    Sample i shows person i modulo n_classes, so that the first samples are balanced.
    The events depend on the arguments alone, to the byte; they are generated once
    into the cache folder (`REDUNDANCY_CACHE`), or in memory where that cannot be
    written. Train and test recordings come from separate random streams.

    Parameters
    ----------
    arguments : SyntheticGaitArguments
    split : str
        "train" or "test".
    progress : callable, optional
        Called with (done, total) while recordings are generated.
    """

    name = "synthetic-gait"
    location = None

    def __init__(
        self,
        arguments: SyntheticGaitArguments,
        *,
        split: str = "test",
        progress: Progress | None = None,
    ) -> None:
        self._arguments = arguments
        self.arguments: Mapping[str, Argument] = argument_values(arguments)
        self.n_classes = arguments.n_classes
        self.split = check_split(split)
        self._frame_builder = FrameBuilder(
            sensor_size=(VIEW, VIEW),
            n_timesteps=arguments.n_timesteps,
            dt_ms=arguments.dt_ms,
            downsample=arguments.downsample,
            size=parse_size(arguments.size),
            binary=arguments.binary,
        )
        self.frame_shape = self._frame_builder.frame_shape
        self._recordings = self._open(progress)

    def __len__(self) -> int:
        return self.n_classes * self._per_class

    @property
    def _per_class(self) -> int:
        if self.split == "train":
            return self._arguments.train_per_class
        return self._arguments.test_per_class

    def events(self, index: int) -> Events:
        """Return the events of sample `index`, in the order of time."""
        check_range(index, index + 1, len(self))
        words = self._recordings[index]
        # A damaged recording of the cache is simply made again.
        return unpack(self._generate(index) if words is None else words)

    def batch(self, start: int, stop: int) -> Batch:
        """Return samples `start` to `stop` (exclusive)."""
        check_range(start, stop, len(self))
        frames = np.empty((stop - start, *self.frame_shape), np.float32)
        for place, index in enumerate(range(start, stop)):
            frames[place] = self._frame_builder(self.events(index), start_us=0)
        labels = np.arange(start, stop, dtype=np.int64) % self.n_classes
        return Batch(start, frames, labels)

    def _generate(self, index: int) -> Words:
        take, person = divmod(index, self.n_classes)
        seed, duration_ms = self._arguments.seed, self._arguments.duration_ms
        return pack(record(person, take, self.split, seed, duration_ms))

    def _generate_all(self, progress: Progress | None) -> Iterator[Words]:
        """Yield all recordings in order, a few ahead on as many threads as there are cores."""
        total, n_threads = len(self), available_cores()
        with ThreadPoolExecutor(n_threads) as pool:
            ahead: deque[Future[Words]] = deque()
            for index in range(total + 2 * n_threads):
                if index < total:
                    ahead.append(pool.submit(self._generate, index))
                if index >= 2 * n_threads:
                    yield ahead.popleft().result()
                    if progress is not None:
                        progress(index - 2 * n_threads + 1, total)

    def _open(self, progress: Progress | None) -> Recordings:
        """Open the cache file, make it first where it is missing or damaged."""
        key = {
            "generator_version": GENERATOR_VERSION,
            "n_classes": self.n_classes,
            "per_class": self._per_class,
            "seed": self._arguments.seed,
            "duration_ms": self._arguments.duration_ms,
            "split": self.split,
        }
        name = "synthetic-gait-v{}-{}x{}-seed{}-{}ms-{}.events".format(*key.values())
        path = cache_folder() / name
        if (found := read_recordings(path, key)) is not None:
            return found
        try:
            write_recordings(path, key, self._generate_all(progress))
        except OSError:
            return in_memory(self._generate_all(progress))
        return read_recordings(path, key) or in_memory(self._generate_all(progress))
