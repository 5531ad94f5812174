"""A person in front of an event camera: one recording."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from redundancy.datasets.synthetic_gait.exact import ExactRandom
from redundancy.datasets.synthetic_gait.walker import VIEW, draw_walk, pose

GENERATOR_VERSION = 1
"""Goes up whenever the same arguments give other events."""

_CAMERA_STREAM, _SAMPLE_STREAM = 0, 1
SPLITS = ("train", "test")


@dataclass(frozen=True)
class Camera:
    """The event camera's constants.

    Attributes
    ----------
    threshold : float
        Change of log intensity that makes an event.
    mismatch : float
        Standard deviation of the threshold between pixels, as part of it.
    refractory_us : int
        Least time in microseconds between two events of a pixel.
    noise_hz : float
        Background events a second and pixel.
    step_us : int
        Time between two renders in microseconds; log intensity is linear between.
    """

    threshold: float = 0.25
    mismatch: float = 0.03
    refractory_us: int = 1000
    noise_hz: float = 0.3
    step_us: int = 2000


CAMERA = Camera()


def record(
    person_index: int, take: int, split: str, seed: int, duration_ms: int
) -> NDArray[np.int64]:
    """Return the events of one recording, in the order of time, as packed integers.

    Parameters
    ----------
    person_index : int
        Who walks, 0 to 19.
    take : int
        Which of the person's recordings.
    split : str
        "train" or "test": their streams of random numbers never meet.
    seed : int
        Seed of the dataset.
    duration_ms : int
        Length in milliseconds.

    Returns
    -------
    ndarray of int64, shape (n_events,)
        ((t * 128 + y) * 128 + x) * 2 + p, t in microseconds, 0 <= t < duration.
    """
    from redundancy.datasets.synthetic_gait import kernels

    key = (GENERATOR_VERSION, seed, _SAMPLE_STREAM, SPLITS.index(split), person_index, take)
    random = ExactRandom(*key)
    walk = draw_walk(person_index, random)
    duration_us = 1000 * duration_ms
    n_steps = -(-duration_us // CAMERA.step_us)
    time_s = np.arange(n_steps + 1, dtype=np.float64) * (CAMERA.step_us / 1e6)
    ends, radii = pose(walk, time_s, duration_us / 2e6)
    tones, background = _clothes(random), _wall(random)
    moving = _film(ends, radii, tones, background, _thresholds(seed))
    moving = moving[moving < duration_us * VIEW * VIEW * 2]
    events = np.sort(np.concatenate([moving, _noise(random, duration_us)]))
    kept = kernels.hold(events, VIEW * VIEW, CAMERA.refractory_us)
    return events[:kept]


def _film(
    ends: NDArray[np.float64],
    radii: NDArray[np.float64],
    tones: NDArray[np.float64],
    background: NDArray[np.float64],
    threshold: NDArray[np.float64],
) -> NDArray[np.int64]:
    from redundancy.datasets.synthetic_gait import kernels

    capacity = 1 << 17
    while True:
        events = np.empty(capacity, np.int64)
        n_events = kernels.film(
            ends, radii, tones, background, threshold, CAMERA.step_us, CAMERA.refractory_us, events
        )
        if n_events >= 0:
            return events[:n_events]
        capacity *= 2


@lru_cache(maxsize=4)
def _thresholds(seed: int) -> NDArray[np.float64]:
    """Return the contrast threshold of every pixel: one camera records the whole dataset."""
    random = ExactRandom(GENERATOR_VERSION, seed, _CAMERA_STREAM)
    deviation = CAMERA.mismatch * random.normal(VIEW * VIEW).reshape(VIEW, VIEW)
    return CAMERA.threshold * (1.0 + deviation)


def _clothes(random: ExactRandom) -> NDArray[np.float64]:
    """Return the log intensity of the twelve limbs, in the order of `walker.pose`."""
    shirt, trousers, skin, shoes = (float(u) for u in random.uniform(4))
    shirt, trousers = -1.0 + 0.35 * shirt, -1.05 + 0.35 * trousers
    skin, shoes = -0.55 + 0.2 * skin, -1.2 + 0.2 * shoes
    leg = [trousers, trousers - 0.03, shoes]
    far_leg = [tone + 0.12 for tone in leg]
    return np.array(
        [shirt + 0.12, skin + 0.05, *far_leg, shirt, skin, *leg, shirt - 0.14, skin - 0.05]
    )


def _wall(random: ExactRandom) -> NDArray[np.float64]:
    """Return a smooth random texture around 0 as background, shape (y, x)."""
    wall = np.zeros((VIEW, VIEW))
    for n_cells, amplitude in ((4, 0.30), (16, 0.16)):
        knots = (random.uniform((n_cells + 1) ** 2) - 0.5).reshape(n_cells + 1, n_cells + 1)
        place = np.arange(VIEW) * (n_cells / VIEW)
        cell = place.astype(np.int64)
        part = place - cell
        part = part * part * (3.0 - 2.0 * part)
        rows = knots[cell] + part[:, None] * (knots[cell + 1] - knots[cell])
        left, right = rows[:, cell], rows[:, cell + 1]
        wall = wall + amplitude * (left + part[None, :] * (right - left))
    return wall


def _noise(random: ExactRandom, duration_us: int) -> NDArray[np.int64]:
    """Return background events, uniform over time, pixels and polarity, not sorted."""
    n_events = random.count(CAMERA.noise_hz * VIEW * VIEW * duration_us / 1e6)
    time = (random.uniform(n_events) * duration_us).astype(np.int64)
    address = (random.words(n_events) >> np.uint64(49)).astype(np.int64)
    return time * (2 * VIEW * VIEW) + address
