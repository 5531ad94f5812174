"""A recording cut into clips, and the clips into frames."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from redundancy.datasets.arguments import parse_size
from redundancy.datasets.events import Events
from redundancy.datasets.frames import FrameBuilder
from redundancy.errors import UsageError

MAX_CLIPS = 1000


@dataclass(frozen=True)
class ClipArguments:
    """What determines the samples of a dataset of event recordings, beside its files.

    Attributes
    ----------
    n_timesteps, dt_ms, downsample, size, binary
        See `FrameBuilder`; a clip's first window begins with its first event.
    slices : str
        "time": windows of `dt_ms`, or equal times where that is None; "events":
        `n_timesteps` frames with equally many events each (the last takes the rest).
    axes : str
        "yx": frames as people see them; "xy": transposed, rows along x, as the
        published networks of the paper were trained.
    clips, train_clips : int
        Clips of a recording in the split "test" (and "val") and in "train"; see
        `clip_bounds`.
    exclude_last : bool
        Leave out the events of a recording's last time before it is cut, and of the
        last but one where it is shorter than a clip, as the published loaders do:
        clips begin where theirs do, to the microsecond.
    drop_duplicates : bool
        Leave out repetitions of an event with the same time, pixel and polarity.
    cache : bool
        Keep converted frames in the cache folder (`REDUNDANCY_CACHE`). It does not
        change the samples, so it is not recorded.
    """

    n_timesteps: int = 60
    dt_ms: float | None = 15.0
    downsample: int | None = 4
    size: str | None = None
    binary: bool = False
    slices: str = "time"
    axes: str = "yx"
    clips: int = 10
    train_clips: int = 1
    exclude_last: bool = False
    drop_duplicates: bool = False
    cache: bool = True

    def __post_init__(self) -> None:
        for name in ("clips", "train_clips"):
            if not 1 <= getattr(self, name) <= MAX_CLIPS:
                raise UsageError(f"{name} must be 1 to {MAX_CLIPS}, got {getattr(self, name)}")
        for name, known in (("slices", ("time", "events")), ("axes", ("yx", "xy"))):
            if getattr(self, name) not in known:
                raise UsageError(
                    f"{name} must be {' or '.join(known)}, got {getattr(self, name)!r}"
                )
        if self.slices == "events" and self.dt_ms is not None:
            raise UsageError(
                "slices=events cuts by the number of events and has no window length; "
                "set dt_ms=none"
            )


def clip_bounds(duration_us: int, n_clips: int, window_us: int | None) -> list[tuple[int, int]]:
    """Return where the clips of a recording begin and end, in microseconds from its start.

    Parameters
    ----------
    duration_us : int
        Time from the first to the last event.
    n_clips : int
    window_us : int or None
        Length of a clip; clips then overlap, or leave gaps, as the recording demands.
        None: the recording is cut into `n_clips` equal parts.

    Returns
    -------
    list of (int, int)
        Start and stop (exclusive). With a window, clip j begins at j * duration /
        n_clips, rounded up where clips overlap and down where they do not, but never
        so late that it would pass the recording's end, and a recording shorter than
        the window gives its whole self each time: the paper's published test clips.
    """
    if window_us is None:
        edges = [duration_us * j // n_clips for j in range(n_clips)] + [duration_us + 1]
        return list(pairwise(edges))
    overlapping = n_clips * window_us > duration_us
    step = -(-duration_us // n_clips) if overlapping else duration_us // n_clips
    latest = max(duration_us - window_us, 0)
    starts = [min(j * step, latest) for j in range(n_clips)]
    return [(start, start + window_us) for start in starts]


class ClipBuilder:
    """Cuts recordings into clips and builds their frames.

    Parameters
    ----------
    arguments : ClipArguments
    sensor_size : tuple of int
        (height, width) of the camera in pixels.
    n_clips : int
        Clips of each recording.
    """

    def __init__(
        self, arguments: ClipArguments, sensor_size: tuple[int, int], n_clips: int
    ) -> None:
        self.n_clips = n_clips
        self._arguments = arguments
        self._builder = FrameBuilder(
            sensor_size=sensor_size,
            n_timesteps=arguments.n_timesteps,
            dt_ms=arguments.dt_ms,
            downsample=arguments.downsample,
            size=parse_size(arguments.size),
            binary=arguments.binary,
        )
        # Events that carry their frame's number as their time.
        self._by_number = FrameBuilder(
            sensor_size=sensor_size,
            n_timesteps=arguments.n_timesteps,
            dt_ms=0.001,
            downsample=arguments.downsample,
            size=parse_size(arguments.size),
            binary=arguments.binary,
        )

    @property
    def frame_shape(self) -> tuple[int, int, int, int]:
        """(time, channel, y, x) of a clip's frames."""
        time, channel, y, x = self._builder.frame_shape
        return (time, channel, x, y) if self._arguments.axes == "xy" else (time, channel, y, x)

    def clip(self, events: Events, index: int) -> Events:
        """Return the events of clip `index` of a recording, sorted by time."""
        exclude_last = self._arguments.exclude_last
        if exclude_last and len(events):
            events = events[: np.searchsorted(events["t"], events["t"][-1])]
        if not len(events):
            return events
        window = self._builder.window_us
        length = None if window is None else window * self._arguments.n_timesteps
        first = int(events["t"][0])
        duration = int(events["t"][-1]) - first
        start, stop = clip_bounds(duration, self.n_clips, length)[index]
        if exclude_last and length is not None:
            stop = min(stop, duration)
        begin, end = np.searchsorted(events["t"], [first + start, first + stop])
        return events[begin:end]

    def frames(self, events: Events) -> NDArray[np.float32]:
        """Return the frames of a clip's events, shape `frame_shape`."""
        if self._arguments.slices == "time":
            return self._oriented(self._builder(events))
        n_timesteps = self._arguments.n_timesteps
        numbered = events.copy()
        # With fewer events than frames all are the rest that the last frame takes.
        share = len(events) // n_timesteps
        numbered["t"] = np.minimum(np.arange(len(events)) // max(share, 1), n_timesteps - 1)
        if share == 0:
            numbered["t"] = n_timesteps - 1
        return self.numbered_frames(numbered)

    def numbered_frames(self, events: Events) -> NDArray[np.float32]:
        """Return the frames of events whose time is the number of their frame."""
        return self._oriented(self._by_number(events, start_us=0))

    def _oriented(self, frames: NDArray[np.float32]) -> NDArray[np.float32]:
        return frames.swapaxes(2, 3) if self._arguments.axes == "xy" else frames
