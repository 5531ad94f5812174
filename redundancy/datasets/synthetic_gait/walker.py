"""Articulated walkers: who walks, and where every limb is at every time.

A person walks in the image plane. Angles are in degrees from hanging straight
down, positive towards the walking direction; lengths are in metres until the
last step, where the walker is placed in the image.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from redundancy.datasets.synthetic_gait.exact import ExactRandom, cosine, sine

MAX_PERSONS = 20
VIEW = 128
PIXELS_PER_METRE = 55.0
GROUND_ROW = 118.0

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Person:
    """What tells one walker from another.

    Attributes
    ----------
    height : float
        Body height in metres.
    girth : float
        Thickness of torso and limbs relative to an average body.
    stride_angle : float
        Amplitude of the thighs' swing in degrees; sets the length of a step.
    step_frequency : float
        Strides (two steps) a second.
    arm_swing : float
        Amplitude of the upper arms' swing in degrees.
    elbow : float
        Mean bend of the elbows in degrees.
    lean : float
        Forward lean of the torso in degrees.
    knee_lift : float
        Bend of the knee in mid-swing in degrees.
    """

    height: float
    girth: float
    stride_angle: float
    step_frequency: float
    arm_swing: float
    elbow: float
    lean: float
    knee_lift: float

    @property
    def speed(self) -> float:
        """Walking speed in metres a second: two steps a stride."""
        half_step = 0.49 * self.height * float(sine(np.array(self.stride_angle / 360.0)))
        return 4.0 * half_step * self.step_frequency


# Range of each attribute over the persons, the step of its sequence in
# thousandths. The steps were searched for: the nearest two of the first 10 and of
# all 20 persons are about as far apart as they can be.
_SPREAD: dict[str, tuple[float, float, int]] = {
    "height": (1.48, 1.92, 297),
    "girth": (0.80, 1.35, 822),
    "stride_angle": (17.0, 31.0, 568),
    "step_frequency": (0.75, 1.20, 782),
    "arm_swing": (6.0, 42.0, 748),
    "elbow": (8.0, 75.0, 355),
    "lean": (-4.0, 16.0, 853),
    "knee_lift": (38.0, 72.0, 393),
}
# Standard deviation of a person's attributes between recordings, as part of the range.
_JITTER = 0.07


def person(index: int) -> Person:
    """Return person `index` (0 to 19): always the same one, whatever the number of classes."""
    return Person(
        **{
            name: low + (high - low) * (((500 + index * step) % 1000) / 1000.0)
            for name, (low, high, step) in _SPREAD.items()
        }
    )


@dataclass(frozen=True)
class Walk:
    """One recording: a person as on that day, where and how the walk goes.

    Attributes
    ----------
    person : Person
        The attributes, slightly varied.
    phase : float
        Phase of the stride at the start, in turns.
    direction : int
        1 to the right, -1 to the left.
    middle : float
        Column of the hips in the middle of the recording.
    ground : float
        Row of the ground.
    scale : float
        Pixels a metre: how far from the camera the walk is.
    """

    person: Person
    phase: float
    direction: int
    middle: float
    ground: float
    scale: float


def draw_walk(index: int, random: ExactRandom) -> Walk:
    """Return a walk of person `index` with random phase, direction, place and small variations."""
    usual = person(index)
    deviations = random.normal(len(_SPREAD))
    varied = {
        field.name: float(
            getattr(usual, field.name)
            + deviation * _JITTER * (_SPREAD[field.name][1] - _SPREAD[field.name][0])
        )
        for field, deviation in zip(fields(Person), deviations, strict=True)
    }
    phase, side, middle, ground, scale = (float(u) for u in random.uniform(5))
    return Walk(
        person=Person(**varied),
        phase=phase,
        direction=1 if side < 0.5 else -1,
        middle=VIEW / 2 + 24.0 * (middle - 0.5),
        ground=GROUND_ROW + 6.0 * (ground - 0.5),
        scale=PIXELS_PER_METRE * (1.0 + 0.08 * (scale - 0.5)),
    )


def pose(walk: Walk, time_s: Array, middle_s: float) -> tuple[Array, Array]:
    """Return the limbs of a walk as capsules in the image.

    Parameters
    ----------
    walk : Walk
    time_s : ndarray of float64, shape (time,)
        Times in seconds.
    middle_s : float
        Time in seconds at which the hips pass the walk's middle column.

    Returns
    -------
    ends : ndarray of float64, shape (time, limb, 4)
        x and y of both ends of each limb's axis, in pixels, farthest limb first:
        far arm (2), far leg (3), torso, head, near leg (3), near arm (2).
    radii : ndarray of float64, shape (limb,)
        Radius of each limb in pixels.
    """
    who = walk.person
    phase = walk.phase + who.step_frequency * time_s
    legs = [_leg(who, phase + offset) for offset in (0.5, 0.0)]
    # The lower foot stands on the ground; that alone makes the hips bob.
    lowest = np.maximum(*(np.maximum(leg[2][1], leg[3][1]) for leg in legs))
    hip = (np.zeros_like(time_s), -lowest)
    lean = np.full_like(time_s, who.lean)
    shoulder = _along(hip, lean, -0.285 * who.height)
    neck = _along(shoulder, 0.6 * lean, -0.085 * who.height)
    crown = _along(neck, 0.6 * lean, -0.045 * who.height)
    far_arm, near_arm = (_arm(who, phase + offset, shoulder) for offset in (0.5, 0.0))
    far_leg, near_leg = ([(x + hip[0], y + hip[1]) for x, y in leg] for leg in legs)
    chains = [far_arm, far_leg, [hip, shoulder], [neck, crown], near_leg, near_arm]
    limbs = [
        np.stack([*start, *end], axis=1)
        for chain in chains
        for start, end in itertools.pairwise(chain)
    ]
    ends = np.stack(limbs, axis=1) * walk.scale
    hip_column = walk.middle + walk.direction * who.speed * walk.scale * (time_s - middle_s)
    ends[:, :, 0::2] = hip_column[:, None, None] + walk.direction * ends[:, :, 0::2]
    ends[:, :, 1::2] = walk.ground + ends[:, :, 1::2]
    return np.ascontiguousarray(ends), _radii(who) * walk.scale


Point = tuple[Array, Array]


def _along(start: Point, degrees: Array, length: float) -> Point:
    """Return the point `length` metres from `start` at an angle from straight down."""
    turns = degrees / 360.0
    return start[0] + length * sine(turns), start[1] + length * cosine(turns)


def _leg(who: Person, phase: Array) -> list[Point]:
    """Return hip, knee, ankle and toe relative to the hip."""
    thigh = 3.0 + who.stride_angle * sine(phase)
    # The knee bends while the thigh swings forward, most just before the middle.
    swing = 0.5 + 0.5 * cosine(phase + 0.08)
    shank = thigh - (6.0 + (who.knee_lift - 6.0) * (swing * swing))
    foot = 92.0 + 0.55 * shank
    hip = (np.zeros_like(phase), np.zeros_like(phase))
    knee = _along(hip, thigh, 0.245 * who.height)
    ankle = _along(knee, shank, 0.25 * who.height)
    return [hip, knee, ankle, _along(ankle, foot, 0.10 * who.height)]


def _arm(who: Person, phase: Array, shoulder: Point) -> list[Point]:
    """Return shoulder, elbow and hand; an arm swings against the leg of its side."""
    swing = sine(phase)
    upper = 0.3 * who.lean - 4.0 - who.arm_swing * swing
    lower = upper + who.elbow - 0.35 * who.arm_swing * swing
    elbow = _along(shoulder, upper, 0.17 * who.height)
    return [shoulder, elbow, _along(elbow, lower, 0.19 * who.height)]


def _radii(who: Person) -> Array:
    """Return the radii of the twelve limbs in metres, in the order of `pose`."""
    arm, leg = [0.027, 0.022], [0.046, 0.032, 0.018]
    body = np.array([*arm, *leg, 0.075, 0.0, *leg, *arm]) * who.girth
    body[6] = 0.056
    return body * who.height
