"""Events to frames: counts per time window, polarity and (down-sampled) pixel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from redundancy.datasets.events import Events, check_events
from redundancy.datasets.selection import check_sample_size
from redundancy.errors import UsageError


@dataclass(frozen=True)
class FrameBuilder:
    """Counts events in time windows and blocks of pixels.

    Parameters
    ----------
    sensor_size : tuple of int
        (height, width) of the camera in pixels.
    n_timesteps : int
        Number of frames a recording becomes.
    dt_ms : float or None
        Length of a window in milliseconds, a whole number of microseconds; window
        k is [k*dt, (k+1)*dt) from the start, later events are dropped and a short
        recording ends in empty frames. None cuts the recording from its start to
        its last event into `n_timesteps` equal slices; the last event belongs to
        the last slice.
    downsample : int, optional
        Factor that divides the coordinates (rounded down), so that the counts of
        factor x factor pixels are summed.
    size : tuple of int, optional
        (height, width) of the frames instead of a factor: column x of W becomes
        x*w//W.
    binary : bool
        1 where there is at least one event, instead of counts.

    Raises
    ------
    UsageError
        If an argument is out of range, or both `downsample` and `size` are given.
    """

    sensor_size: tuple[int, int]
    n_timesteps: int
    dt_ms: float | None = None
    downsample: int | None = None
    size: tuple[int, int] | None = None
    binary: bool = False

    def __post_init__(self) -> None:
        if min(self.sensor_size) < 1:
            raise UsageError(f"sensor_size must be positive, got {self.sensor_size}")
        if self.n_timesteps < 1:
            raise UsageError(f"n_timesteps must be at least 1, got {self.n_timesteps}")
        if self.downsample is not None and self.size is not None:
            raise UsageError("give either downsample or size, not both (set the other one to none)")
        if self.downsample is not None and self.downsample < 1:
            raise UsageError(f"downsample must be at least 1, got {self.downsample}")
        if self.size is not None and not all(
            1 <= new <= old for new, old in zip(self.size, self.sensor_size, strict=True)
        ):
            raise UsageError(
                f"size must lie between 1x1 and the sensor's "
                f"{self.sensor_size[0]}x{self.sensor_size[1]}, got {self.size[0]}x{self.size[1]}"
            )
        if self.dt_ms is not None:
            microseconds = self.dt_ms * 1000
            whole = np.isfinite(microseconds) and abs(microseconds - round(microseconds)) < 1e-6
            if not whole or round(microseconds) < 1:
                raise UsageError(
                    f"dt_ms must be a positive whole number of microseconds, got {self.dt_ms} ms"
                )

        check_sample_size(self.frame_shape)

    @property
    def window_us(self) -> int | None:
        """Length of a window in microseconds, None for equal slices."""
        return None if self.dt_ms is None else round(self.dt_ms * 1000)

    @property
    def frame_shape(self) -> tuple[int, int, int, int]:
        """(time, channel, y, x) of the frames."""
        height, width = self.sensor_size
        if self.size is not None:
            height, width = self.size
        elif self.downsample is not None:
            height, width = -(-height // self.downsample), -(-width // self.downsample)
        return self.n_timesteps, 2, height, width

    def __call__(self, events: Events, start_us: int | None = None) -> NDArray[np.float32]:
        """Build the frames of one recording.

        Parameters
        ----------
        events : structured ndarray, shape (n_events,)
            Fields t (microseconds), x, y, p, in any order of time.
        start_us : int, optional
            Where the first window begins; default the first event. Earlier events
            are dropped.

        Returns
        -------
        ndarray of float32, shape (time, 2, y, x)
            Counts, or 0/1 if binary; channel 0 holds OFF, channel 1 ON events.

        Raises
        ------
        DataError
            If an event lies outside the sensor.
        """
        check_events(events, self.sensor_size)
        shape = self.frame_shape
        if not len(events):
            return np.zeros(shape, np.float32)
        time = events["t"].astype(np.int64)
        start = int(time.min()) if start_us is None else start_us
        step, inside = self._timesteps(time - start)
        y, x = self._pixels(events)
        polarity = events["p"] > 0
        index = np.ravel_multi_index((step, polarity.astype(np.int64), y, x), shape, mode="clip")
        if not inside.all():
            index = index[inside]
        counts = np.bincount(index, minlength=int(np.prod(shape))).reshape(shape)
        return (counts > 0 if self.binary else counts).astype(np.float32)

    def _timesteps(self, elapsed: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Return the window of each event and whether it lies in any."""
        window = self.window_us
        if window is None:
            span = max(int(elapsed.max()), 1)
            step = np.minimum(elapsed * self.n_timesteps // span, self.n_timesteps - 1)
        else:
            step = elapsed // window
        return step, (step >= 0) & (step < self.n_timesteps)

    def _pixels(self, events: Events) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return row and column of each event in the frame."""
        y, x = events["y"].astype(np.int64), events["x"].astype(np.int64)
        if self.size is not None:
            return y * self.size[0] // self.sensor_size[0], x * self.size[1] // self.sensor_size[1]
        if self.downsample is not None:
            return y // self.downsample, x // self.downsample
        return y, x
