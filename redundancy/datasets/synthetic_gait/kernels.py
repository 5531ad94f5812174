"""Compiled loops of the renderer and of the event camera.

Only +, -, *, /, sqrt and comparisons on float64, compiled without fast-math, so
that the events are the same to the bit on every processor. Import this module
only where it is used: it brings numba.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from redundancy.compiling import compiled


@compiled("void(float64[:,::1], float64[:,::1], float64[::1], float64[::1], int64[::1])")
def draw(
    image: NDArray[np.float64],
    ends: NDArray[np.float64],
    radii: NDArray[np.float64],
    tones: NDArray[np.float64],
    box: NDArray[np.int64],
) -> None:
    """Blend capsules into an image, one after the other, with antialiased edges.

    Parameters
    ----------
    image : ndarray, shape (y, x)
        Log intensity; changed in place.
    ends : ndarray, shape (limb, 4)
        x, y of both ends of each capsule's axis in pixels.
    radii, tones : ndarray, shape (limb,)
        Radius in pixels and log intensity of each capsule.
    box : ndarray, shape (4,)
        Receives first row, end row, first column, end column of what was drawn.
    """
    height, width = image.shape
    box[0], box[1], box[2], box[3] = height, 0, width, 0
    for limb in range(ends.shape[0]):
        ax, ay, bx, by = ends[limb, 0], ends[limb, 1], ends[limb, 2], ends[limb, 3]
        reach = radii[limb] + 0.5
        inner = max(radii[limb] - 0.5, 0.0)
        # Clipped before the conversion to int: a limb may be far outside the view.
        row0 = int(max(min(ay, by) - reach, 0.0))
        row1 = int(max(min(max(ay, by) + reach + 1.0, height * 1.0), 0.0))
        col0 = int(max(min(min(ax, bx) - reach, width * 1.0), 0.0))
        col1 = int(max(min(max(ax, bx) + reach + 1.0, width * 1.0), 0.0))
        if row0 >= row1 or col0 >= col1:
            continue
        box[0], box[1] = min(box[0], row0), max(box[1], row1)
        box[2], box[3] = min(box[2], col0), max(box[3], col1)
        ux, uy = bx - ax, by - ay
        length2 = max(ux * ux + uy * uy, 1e-12)
        for row in range(row0, row1):
            py = row - ay
            for col in range(col0, col1):
                px = col - ax
                along = min(max((px * ux + py * uy) / length2, 0.0), 1.0)
                dx, dy = px - along * ux, py - along * uy
                distance2 = dx * dx + dy * dy
                if distance2 >= reach * reach:
                    continue
                cover = 1.0
                if distance2 > inner * inner:
                    cover = min(reach - np.sqrt(distance2), 1.0)
                image[row, col] += cover * (tones[limb] - image[row, col])


@compiled(
    "int64(float64[:,::1], float64[:,::1], float64[:,::1], float64[:,::1], float64[:,::1],"
    "int64[::1], int64, int64, int64, int64[::1], int64)"
)
def observe(
    before: NDArray[np.float64],
    after: NDArray[np.float64],
    threshold: NDArray[np.float64],
    reference: NDArray[np.float64],
    release: NDArray[np.float64],
    box: NDArray[np.int64],
    start_us: int,
    step_us: int,
    refractory_us: int,
    events: NDArray[np.int64],
    n_events: int,
) -> int:
    """Add the events of one step, in which log intensity moves linearly from `before` to `after`.

    A pixel fires when its log intensity has moved by the threshold from the
    reference; it is then held for the refractory time, after which the reference is
    the log intensity of that moment (`release` is that time, negative where passed).

    Returns
    -------
    int
        Number of events so far, or -1 if `events` is too short. An event is
        ((t * height + y) * width + x) * 2 + p.
    """
    height, width = before.shape
    end_us = start_us + step_us * 1.0
    for y in range(box[0], box[1]):
        for x in range(box[2], box[3]):
            value = before[y, x]
            change = after[y, x] - value
            # A still pixel cannot fire, and its reference can be taken later.
            if change == 0.0:
                continue
            while True:
                if release[y, x] >= 0.0:
                    if release[y, x] >= end_us:
                        break
                    part = max((release[y, x] - start_us) / step_us, 0.0)
                    reference[y, x] = value + part * change
                    release[y, x] = -1.0
                rise = threshold[y, x] if change > 0.0 else -threshold[y, x]
                part = (reference[y, x] + rise - value) / change
                if part >= 1.0:
                    break
                time = start_us + max(part, 0.0) * step_us
                if n_events >= events.shape[0]:
                    return -1
                events[n_events] = ((int(time) * height + y) * width + x) * 2 + (change > 0.0)
                n_events += 1
                release[y, x] = time + refractory_us
    return n_events


@compiled(
    "int64(float64[:,:,::1], float64[::1], float64[::1], float64[:,::1], float64[:,::1],"
    "int64, int64, int64[::1])"
)
def film(
    ends: NDArray[np.float64],
    radii: NDArray[np.float64],
    tones: NDArray[np.float64],
    background: NDArray[np.float64],
    threshold: NDArray[np.float64],
    step_us: int,
    refractory_us: int,
    events: NDArray[np.int64],
) -> int:
    """Render the capsules at every time and return the number of events written, or -1.

    Parameters
    ----------
    ends : ndarray, shape (time, limb, 4)
    radii, tones : ndarray, shape (limb,)
    background, threshold : ndarray, shape (y, x)
    step_us, refractory_us : int
        Microseconds between two renders, and between two events of a pixel.
    events : ndarray of int64
        Receives the events; see `observe`. -1 is returned if it is too short.
    """
    before, after = background.copy(), background.copy()
    box_before, box_after = np.zeros(4, np.int64), np.zeros(4, np.int64)
    both = np.zeros(4, np.int64)
    draw(before, ends[0], radii, tones, box_before)
    reference = before.copy()
    release = np.full(background.shape, -1.0)
    n_events = 0
    for step in range(1, ends.shape[0]):
        draw(after, ends[step], radii, tones, box_after)
        both[0], both[2] = min(box_before[0], box_after[0]), min(box_before[2], box_after[2])
        both[1], both[3] = max(box_before[1], box_after[1]), max(box_before[3], box_after[3])
        n_events = observe(
            before, after, threshold, reference, release, both,
            (step - 1) * step_us, step_us, refractory_us, events, n_events,
        )  # fmt: skip
        if n_events < 0:
            return -1
        for y in range(box_before[0], box_before[1]):
            for x in range(box_before[2], box_before[3]):
                before[y, x] = background[y, x]
        before, after = after, before
        box_before, box_after = box_after, box_before
    return n_events


@compiled("int64(int64[::1], int64, int64)")
def hold(events: NDArray[np.int64], n_pixels: int, refractory_us: int) -> int:
    """Drop, in place, events of a pixel within the refractory time of its last one.

    Parameters
    ----------
    events : ndarray of int64
        Events in the order of time; see `observe`.
    n_pixels, refractory_us : int

    Returns
    -------
    int
        Number of events kept, at the front of `events`.
    """
    last = np.full(n_pixels, -refractory_us)
    kept = 0
    for i in range(events.shape[0]):
        time, pixel = events[i] // (2 * n_pixels), (events[i] // 2) % n_pixels
        if time - last[pixel] >= refractory_us:
            last[pixel] = time
            events[kept] = events[i]
            kept += 1
    return kept
