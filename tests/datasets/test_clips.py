from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from redundancy.datasets.clips import ClipArguments, ClipBuilder, clip_bounds
from redundancy.errors import UsageError

from .conftest import make_events, random_events


def plain_starts(duration: int, n_clips: int, window: int) -> list[int]:
    """The published code's starts: windows moved together or apart by a whole number."""
    spare = abs(n_clips * window - duration) // n_clips
    apart = window - spare if n_clips * window > duration else window + spare
    return [j * apart + min(0, duration - (j * apart + window)) for j in range(n_clips)]


@given(st.integers(0, 10**7), st.integers(1, 20), st.integers(1, 10**6))
def test_clips_begin_where_the_published_ones_do(duration, n_clips, window):
    bounds = clip_bounds(duration, n_clips, window)
    # The published start of a recording shorter than the window is before its first event.
    assert [begin for begin, _ in bounds] == [
        max(start, 0) for start in plain_starts(duration, n_clips, window)
    ]
    assert all(end - begin == window for begin, end in bounds)


def test_clips_by_hand():
    assert clip_bounds(100, 4, 10) == [(0, 10), (25, 35), (50, 60), (75, 85)]
    assert clip_bounds(100, 4, 50) == [(0, 50), (25, 75), (50, 100), (50, 100)]
    assert clip_bounds(100, 2, 200) == [(0, 200), (0, 200)]
    assert clip_bounds(9, 1, 10) == [(0, 10)]


@given(st.integers(0, 10**6), st.integers(1, 20))
def test_without_a_window_the_recording_is_cut_into_equal_parts(duration, n_clips):
    bounds = clip_bounds(duration, n_clips, None)
    assert len(bounds) == n_clips
    assert bounds[0][0] == 0
    assert bounds[-1][1] == duration + 1
    assert all(a[1] == b[0] for a, b in pairwise(bounds))
    lengths = [end - begin for begin, end in bounds]
    assert max(lengths) - min(lengths) <= 2


def builder(**changes):
    arguments = {"n_timesteps": 4, "dt_ms": 1.0, "downsample": None, "clips": 1, **changes}
    arguments = ClipArguments(**arguments)
    return ClipBuilder(arguments, (8, 8), arguments.clips)


def published_frames(rows, n_clips: int, n_timesteps: int, dt: int) -> np.ndarray:
    """Event by event what the published loaders make of a recording of 8x8 pixels."""
    rows = [row for row in rows if row[0] < rows[-1][0]]
    rows = [(t - rows[0][0], x, y, p) for t, x, y, p in rows]
    frames = np.zeros((n_clips, n_timesteps, 2, 8, 8))
    starts = plain_starts(rows[-1][0], n_clips, n_timesteps * dt)
    for frame, start in zip(frames, starts, strict=True):
        inside = [row for row in rows if start <= row[0] < start + n_timesteps * dt]
        for t, x, y, p in inside:
            frame[(t - inside[0][0]) // dt, int(p), x, y] += 1
    return frames


@given(
    st.lists(
        st.tuples(st.integers(0, 400), *[st.integers(0, 7)] * 2, st.booleans()),
        min_size=3,
        max_size=40,
    ),
    st.integers(1, 5),
    st.integers(1, 40),
)
def test_clips_equal_the_published_ones(steps, n_clips, dt):
    rows = [(1000 + 401 * i + step, *rest) for i, (step, *rest) in enumerate(steps)]
    cut = builder(dt_ms=dt / 1000, clips=n_clips, axes="xy", exclude_last=True)
    events = make_events(*rows)
    ours = [cut.frames(cut.clip(events, index)) for index in range(n_clips)]
    np.testing.assert_array_equal(ours, published_frames(rows, n_clips, 4, dt))


def test_the_clips_of_a_recording_partition_it_where_they_have_no_window():
    events = random_events(500, 8, 40_000)
    cut = builder(dt_ms=None, clips=7)
    parts = [cut.clip(events, i) for i in range(7)]
    assert np.concatenate(parts).tolist() == events.tolist()


def test_frames_of_windows_equal_a_plain_count():
    events = random_events(400, 8, 20_000)
    cut = builder(clips=3)
    for index, (begin, end) in enumerate(clip_bounds(20_000, 3, 4000)):
        expected = np.zeros((4, 2, 8, 8))
        inside = [e for e in events.tolist() if begin <= e[0] - 1000 < end]
        for t, x, y, p in inside:
            expected[(t - inside[0][0]) // 1000, int(p), y, x] += 1
        np.testing.assert_array_equal(cut.frames(cut.clip(events, index)), expected)


def test_a_short_recording_ends_in_empty_frames():
    frames = builder().frames(make_events((7, 1, 2, True), (1507, 1, 2, False)))
    assert frames.sum((1, 2, 3)).tolist() == [1, 1, 0, 0]


def test_an_empty_bin_and_no_events_are_empty_frames():
    frames = builder().frames(make_events((7, 1, 2, True), (3507, 1, 2, False)))
    assert frames.sum((1, 2, 3)).tolist() == [1, 0, 0, 1]
    empty = make_events((7, 1, 2, True))[:0]
    assert not builder().frames(builder().clip(empty, 0)).any()
    assert not builder(slices="events", dt_ms=None).frames(empty).any()


@given(st.integers(0, 40))
def test_slices_by_events_hold_equal_numbers(n_events):
    events = make_events(*[(i * i, 1, 2, True) for i in range(n_events)]) if n_events else None
    if events is None:
        return
    frames = builder(slices="events", dt_ms=None).frames(events)
    share = n_events // 4
    assert frames.sum((1, 2, 3)).tolist() == [share] * 3 + [n_events - 3 * share]


def test_transposed_frames():
    events = random_events(50, 8, 3000)
    plain = builder(size="4x8").frames(events)
    turned = builder(size="4x8", axes="xy")
    assert turned.frame_shape == (4, 2, 8, 4)
    np.testing.assert_array_equal(turned.frames(events), plain.transpose(0, 1, 3, 2))


def test_binary_frames():
    events = make_events(*[(5, 1, 2, True)] * 3)
    assert builder().frames(events).max() == 3
    assert builder(binary=True).frames(events).max() == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"clips": 0}, "clips must be 1 to 1000, got 0"),
        ({"train_clips": 1001}, "train_clips must be 1 to 1000"),
        ({"slices": "space"}, "slices must be time or events, got 'space'"),
        ({"axes": "zx"}, "axes must be yx or xy, got 'zx'"),
        ({"slices": "events"}, "set dt_ms=none"),
    ],
)
def test_arguments_out_of_range_are_refused(changes, message):
    with pytest.raises(UsageError, match=message):
        builder(**changes)
