"""The walkers, the renderer and the camera model of synthetic-gait."""

from __future__ import annotations

import hashlib
import itertools
import math
import subprocess
import sys
from dataclasses import astuple, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from redundancy.datasets.synthetic_gait import kernels
from redundancy.datasets.synthetic_gait.camera import CAMERA, record
from redundancy.datasets.synthetic_gait.exact import ExactRandom, cosine, sine
from redundancy.datasets.synthetic_gait.walker import VIEW, draw_walk, person, pose

# The events of three recordings; they change only together with GENERATOR_VERSION.
GOLDEN = {
    (0, 0, "test", 0, 600): "befca9682cfbfc5c826c460eaf8b5ab90c428d378f42cd4cfec7f0f41e58767d",
    (7, 3, "train", 0, 600): "dc6f261ceba23b28db2935d742f6ba2cb661ea364557d74b7f7ead8e34ea859b",
    (19, 1, "test", 5, 250): "f3b36ab220b225bc8b81d0180b8cdba59bf03b38cb1e0b169b82dfb001623b1e",
}


def digest(recording) -> str:
    return hashlib.sha256(record(*recording).astype("<i8").tobytes()).hexdigest()


@pytest.mark.parametrize("recording", GOLDEN)
def test_events_are_what_they_always_were(recording):
    assert digest(recording) == GOLDEN[recording]


@given(st.floats(-50, 50))
def test_sines_are_sines(turns):
    array = np.array([turns])
    assert sine(array)[0] == pytest.approx(math.sin(2 * math.pi * turns), abs=1e-10)
    assert cosine(array)[0] == pytest.approx(math.cos(2 * math.pi * turns), abs=1e-10)


def test_random_numbers_have_their_distributions():
    random = ExactRandom(1, 2, 3)
    uniform, normal = random.uniform(200_000), random.normal(200_000)
    assert 0 <= uniform.min() < 1e-4
    assert 1 - 1e-4 < uniform.max() < 1
    assert uniform.mean() == pytest.approx(0.5, abs=0.005)
    assert normal.mean() == pytest.approx(0, abs=0.02)
    assert normal.std() == pytest.approx(1, abs=0.01)
    counts = [random.count(100.0) for _ in range(400)]
    assert np.mean(counts) == pytest.approx(100, abs=3)
    assert np.var(counts) == pytest.approx(100, rel=0.3)


def test_persons_differ_clearly_and_stay_themselves():
    attributes = np.array([astuple(person(i)) for i in range(20)])
    spread = (attributes - attributes.min(0)) / np.ptp(attributes, axis=0)
    distance = np.linalg.norm(spread[:, None] - spread[None], axis=-1)
    assert distance[np.triu_indices(20, 1)].min() > 0.7
    assert person(0).height == 1.70
    assert all(0.5 < person(i).speed < 2.2 for i in range(20))


def test_the_walker_is_as_tall_as_the_person_and_stands_on_the_ground():
    walk = replace(draw_walk(4, ExactRandom(9)), person=person(4))
    ends, radii = pose(walk, np.arange(0, 2, 0.01), 1.0)
    rows = ends[:, :, 1::2]
    np.testing.assert_allclose(rows.max((1, 2)), walk.ground, atol=1e-9)
    tallest = (walk.ground - (rows.min(2) - radii).min(1)).max() / walk.scale
    assert tallest == pytest.approx(person(4).height, rel=0.06)
    assert radii.min() > 0


@given(st.integers(0, 19), st.integers(0, 50))
def test_walks_cross_the_view_at_the_persons_speed(index, key):
    walk = draw_walk(index, ExactRandom(key))
    time = np.linspace(0, 0.6, 31)
    ends, _ = pose(walk, time, 0.3)
    hips = ends[:, 5, 0]
    speed = np.diff(hips) / np.diff(time)
    np.testing.assert_allclose(speed, walk.direction * walk.person.speed * walk.scale, rtol=1e-6)
    assert hips[15] == pytest.approx(walk.middle)
    assert 0 <= hips.min() <= hips.max() < VIEW


def test_a_walk_to_the_left_is_the_mirror_image():
    walk = replace(draw_walk(3, ExactRandom(1)), middle=64.0, direction=1)
    right, _ = pose(walk, np.arange(0, 0.6, 0.1), 0.3)
    left, _ = pose(replace(walk, direction=-1), np.arange(0, 0.6, 0.1), 0.3)
    np.testing.assert_allclose(left[:, :, 0::2], 128.0 - right[:, :, 0::2])
    np.testing.assert_array_equal(left[:, :, 1::2], right[:, :, 1::2])


def plain_draw(image, ends, radii, tones):
    rows, columns = np.mgrid[: image.shape[0], : image.shape[1]]
    for (ax, ay, bx, by), radius, tone in zip(ends, radii, tones, strict=True):
        u = np.array([bx - ax, by - ay])
        along = ((columns - ax) * u[0] + (rows - ay) * u[1]) / max(u @ u, 1e-12)
        along = np.clip(along, 0, 1)
        distance = np.hypot(columns - ax - along * u[0], rows - ay - along * u[1])
        cover = np.where(
            distance <= max(radius - 0.5, 0), 1, np.clip(radius + 0.5 - distance, 0, 1)
        )
        image = image + cover * (tone - image)
    return image


places = st.floats(-30, 60)


@given(
    st.lists(
        st.tuples(places, places, places, places, st.floats(0.6, 9), st.floats(-2, 2)),
        min_size=1,
        max_size=3,
    )
)
def test_drawing_equals_the_plain_picture(limbs):
    table = np.array(limbs)
    ends, radii, tones = (
        np.ascontiguousarray(part) for part in (table[:, :4], table[:, 4], table[:, 5])
    )
    background = np.linspace(-1, 1, 24 * 31).reshape(24, 31)
    image, box = background.copy(), np.zeros(4, np.int64)
    kernels.draw(image, ends, radii, tones, box)
    np.testing.assert_allclose(image, plain_draw(background, ends, radii, tones), atol=1e-9)
    outside = np.ones_like(image, bool)
    outside[box[0] : max(box[1], box[0]), box[2] : max(box[3], box[2])] = False
    np.testing.assert_array_equal(image[outside], background[outside])


def watch(levels, step_us=1000, refractory_us=0, threshold=0.25):
    """Events (t, p) of one pixel whose log intensity passes through `levels`."""
    reference, release = np.array([[levels[0]]]), np.array([[-1.0]])
    events, n_events = np.empty(1000, np.int64), 0
    for step, (before, after) in enumerate(itertools.pairwise(levels)):
        n_events = kernels.observe(
            np.array([[before]]), np.array([[after]]), np.array([[threshold]]), reference, release,
            np.array([0, 1, 0, 1]), step * step_us, step_us, refractory_us, events, n_events,
        )  # fmt: skip
    return [(int(e) // 2, int(e) % 2) for e in events[:n_events]]


def test_a_pixel_fires_once_for_every_threshold_crossed():
    assert watch([0.0, 1.0]) == [(250, 1), (500, 1), (750, 1)]
    assert watch([0.0, -0.6]) == [(416, 0), (833, 0)]
    assert watch([0.0, 0.2, 0.1, -0.2, -0.3]) == [(3500, 0)]
    assert watch([0.0, 0.0, 0.0]) == []


def test_after_the_refractory_time_a_pixel_starts_from_where_it_is():
    # Fires at 250, is held until 1250 at level 1, and needs 1.25 from there.
    assert watch([0.0, 1.0, 1.0, 2.0], refractory_us=1000) == [(250, 1), (2250, 1)]
    # Held across the whole next step, then released within a change.
    assert watch([0.0, 0.5, 1.0, 2.0], refractory_us=2000) == [(500, 1), (2750, 1)]


@given(st.lists(st.floats(-3, 3), min_size=2, max_size=12), st.integers(1, 3000))
def test_no_pixel_fires_within_its_refractory_time(levels, refractory_us):
    times = [t for t, _ in watch(levels, refractory_us=refractory_us)]
    assert all(np.diff(times) >= refractory_us)


def test_a_full_buffer_is_reported():
    buffer = np.empty(2, np.int64)
    one = np.ones((1, 1))
    n_events = kernels.observe(
        0 * one, one, 0.25 * one, 0 * one, -one, np.array([0, 1, 0, 1]), 0, 1000, 0, buffer, 0
    )
    assert n_events == -1


@pytest.mark.parametrize("recording", [(2, 0, "test", 0, 600), (11, 4, "train", 3, 333)])
def test_recordings_are_plausible(recording):
    events = record(*recording)
    duration_us = 1000 * recording[-1]
    time, address = events // (2 * VIEW * VIEW), events % (2 * VIEW * VIEW)
    assert np.all(np.diff(events) > 0)
    assert 0 <= time.min() < 5000
    assert duration_us - 5000 < time.max() < duration_us
    assert 0.4 < (address % 2).mean() < 0.6
    order = np.lexsort((time, address // 2))
    same = np.diff(address[order] // 2) == 0
    assert np.diff(time[order])[same].min() >= CAMERA.refractory_us
    # Far from the walker there is noise only, at its rate.
    rows, columns = address // 256, address // 2 % 128
    quiet = (rows < 4) & ((columns < 8) | (columns >= 120))
    assert quiet.sum() == pytest.approx(4 * 16 * 0.3 * duration_us / 1e6, abs=15)
    assert 10_000 < len(events) / (duration_us / 600_000) < 50_000


def test_noise_alone_is_poisson_over_the_whole_view():
    from redundancy.datasets.synthetic_gait.camera import _noise

    events = _noise(ExactRandom(4), 2_000_000)
    expected = CAMERA.noise_hz * VIEW * VIEW * 2
    assert len(events) == pytest.approx(expected, abs=5 * expected**0.5)
    for values, n_bins in ((events // 2**15, 10), (events // 2 % 128, 8), (events // 256 % 128, 8)):
        counts = np.histogram(values, n_bins, (0, 2_000_000 if n_bins == 10 else 128))[0]
        assert np.all(np.abs(counts - expected / n_bins) < 6 * (expected / n_bins) ** 0.5)


def test_other_seeds_splits_takes_and_persons_give_other_events():
    keys = [
        (p, k, s, seed, 100)
        for p in (0, 1)
        for k in (0, 1)
        for s in ("train", "test")
        for seed in (0, 1)
    ]
    assert len({digest(key) for key in keys}) == len(keys)


@pytest.mark.parametrize(
    "trouble",
    [
        "caching.CacheImpl._locator_classes = []; ",
        "caching._Cache.save_overload = caching.FunctionCache.save_overload = fail; ",
    ],
)
def test_without_a_place_for_compiled_code_the_events_are_the_same(trouble, tmp_path):
    code = (
        "import os; from numba.core import caching\n"
        "def fail(*_): raise OSError(28, 'No space left on device')\n"
        f"{trouble}\n"
        "from redundancy.datasets.synthetic_gait.camera import record\n"
        "import hashlib\n"
        "print(hashlib.sha256(record(0, 0, 'test', 0, 600).astype('<i8').tobytes()).hexdigest())"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={
            "NUMBA_CACHE_DIR": str(tmp_path),
            "PATH": "/usr/bin:/bin",
            "PYTHONPATH": ":".join(sys.path),
        },
        check=False,
    )
    assert run.stderr == ""
    assert run.stdout.strip() == GOLDEN[0, 0, "test", 0, 600]
