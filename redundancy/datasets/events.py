"""Events of an event camera: what one is, and what an array of them must satisfy."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from redundancy.errors import DataError

EVENT_DTYPE = np.dtype([("t", "<i8"), ("x", "<i2"), ("y", "<i2"), ("p", "?")])
"""One event: time in microseconds, column, row, polarity (True = ON)."""

Events = NDArray[Any]
"""A one-dimensional structured array with the fields of `EVENT_DTYPE`."""


def check_events(events: Events, sensor_size: tuple[int, int]) -> None:
    """Check that `events` has the fields t, x, y, p and lies on the sensor.

    Parameters
    ----------
    events : structured ndarray, shape (n_events,)
        Fields t (microseconds), x, y and p; any integer types.
    sensor_size : tuple of int
        (height, width) in pixels.

    Raises
    ------
    DataError
        If a field is missing, the array has another shape, or a coordinate lies
        outside the sensor; the message names the first such event.
    """
    names = events.dtype.names or ()
    missing = [field for field in ("t", "x", "y", "p") if field not in names]
    if missing or events.ndim != 1:
        raise DataError(
            "events must be a one-dimensional structured array with the fields t, x, y and p, "
            f"got shape {events.shape} with the fields {', '.join(names) or 'none'}"
        )
    if not len(events):
        return
    for field, limit in (("x", sensor_size[1]), ("y", sensor_size[0])):
        values = events[field]
        if values.min() < 0 or values.max() >= limit:
            first = int(np.flatnonzero((values < 0) | (values >= limit))[0])
            raise DataError(
                f"event {first} has {field}={values[first]}, but a sensor of "
                f"{sensor_size[0]}x{sensor_size[1]} (height x width) needs 0 <= {field} < {limit}"
            )
