from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from redundancy.datasets.events import EVENT_DTYPE, check_events
from redundancy.datasets.frames import FrameBuilder
from redundancy.errors import DataError, UsageError

from .conftest import make_events, random_events


def plain_frames(events, builder, start_us=None):
    """One event after the other, with Python integers."""
    frames = np.zeros(builder.frame_shape)
    T, _, h, w = builder.frame_shape
    if not len(events):
        return frames
    start = min(int(t) for t in events["t"]) if start_us is None else start_us
    last = max(int(t) for t in events["t"])
    for event in events:
        elapsed, x, y = int(event["t"]) - start, int(event["x"]), int(event["y"])
        if builder.dt_ms is None:
            k = min(elapsed * T // max(last - start, 1), T - 1)
        else:
            k = elapsed // int(builder.dt_ms * 1000)
        if builder.size is not None:
            y, x = y * h // builder.sensor_size[0], x * w // builder.sensor_size[1]
        elif builder.downsample is not None:
            y, x = y // builder.downsample, x // builder.downsample
        if 0 <= k < T:
            frames[k, int(event["p"]), y, x] += 1
    return (frames > 0) * 1.0 if builder.binary else frames


recordings = st.lists(
    st.tuples(st.integers(0, 5000), st.integers(0, 8), st.integers(0, 6), st.booleans()),
    max_size=60,
).map(lambda rows: make_events(*rows))
builders = st.builds(
    lambda spatial, **rest: FrameBuilder(sensor_size=(7, 9), **spatial, **rest),
    spatial=st.sampled_from([{}, {"downsample": 4}, {"downsample": 1}, {"size": (3, 4)}]),
    n_timesteps=st.integers(1, 6),
    dt_ms=st.sampled_from([None, 0.25, 1.0]),
    binary=st.booleans(),
)


@given(recordings, builders, st.sampled_from([None, 0, 700]))
def test_frames_equal_the_plain_count(events, builder, start_us):
    frames = builder(events, start_us)
    assert frames.dtype == np.float32
    assert frames.shape == builder.frame_shape
    np.testing.assert_array_equal(frames, plain_frames(events, builder, start_us))


def test_off_is_channel_0_and_on_channel_1():
    frames = FrameBuilder((2, 2), 1)(make_events((0, 1, 0, False), (1, 0, 1, True)))
    assert frames[0, 0].tolist() == [[0, 1], [0, 0]]
    assert frames[0, 1].tolist() == [[0, 0], [1, 0]]


def test_windows_are_half_open_and_later_events_are_dropped():
    events = make_events(*((t, 0, 0, True) for t in (50, 149, 150, 250, 349, 350)))
    frames = FrameBuilder((1, 1), 3, dt_ms=0.1)(events)
    assert frames[:, 1, 0, 0].tolist() == [2, 1, 2]


def test_short_recordings_end_in_empty_frames():
    frames = FrameBuilder((1, 1), 4, dt_ms=1.0)(make_events((7, 0, 0, True)))
    assert frames[:, 1, 0, 0].tolist() == [1, 0, 0, 0]


def test_equal_slices_hold_every_event():
    events = random_events(5000, 34, 301_337)
    frames = FrameBuilder((34, 34), 7, size=(5, 5))(events)
    assert frames.sum() == len(events)


def test_down_sampling_sums_blocks():
    events = random_events(4000, 32, 1000)
    full = FrameBuilder((32, 32), 2)(events)
    blocks = full.reshape(2, 2, 8, 4, 8, 4).sum(axis=(3, 5))
    np.testing.assert_array_equal(FrameBuilder((32, 32), 2, downsample=4)(events), blocks)
    np.testing.assert_array_equal(FrameBuilder((32, 32), 2, size=(8, 8))(events), blocks)


def test_agrees_with_tonic_where_the_definitions_coincide():
    from tonic.transforms import ToFrame

    # ToFrame's slices leave the very last moment out, and agree where they divide the span.
    events = random_events(3000, 34, 300_000)
    inner = events[events["t"] < events["t"][-1]]
    tonic = ToFrame((34, 34, 2), n_time_bins=20)(events)
    last = FrameBuilder((34, 34), 1)(events[len(inner) :])
    ours = FrameBuilder((34, 34), 20)(events)
    ours[-1] -= last[0]
    np.testing.assert_array_equal(ours, tonic)

    windows = ToFrame((34, 34, 2), time_window=15_000, include_incomplete=True)(inner)
    np.testing.assert_array_equal(FrameBuilder((34, 34), 20, dt_ms=15.0)(inner), windows)


@pytest.mark.parametrize(
    "wrong",
    [
        {"n_timesteps": 0},
        {"n_timesteps": 2, "downsample": 0},
        {"n_timesteps": 2, "downsample": 2, "size": (2, 2)},
        {"n_timesteps": 2, "size": (0, 2)},
        {"n_timesteps": 2, "size": (5, 4)},
        {"n_timesteps": 2, "dt_ms": 0.0},
        {"n_timesteps": 2, "dt_ms": -1.0},
        {"n_timesteps": 2, "dt_ms": 0.0005},
        {"n_timesteps": 2, "dt_ms": float("nan")},
    ],
)
def test_refuses_arguments_out_of_range(wrong):
    with pytest.raises(UsageError):
        FrameBuilder((4, 4), **wrong)


@pytest.mark.parametrize(("x", "y", "field"), [(4, 0, "x=4"), (-1, 0, "x=-1"), (0, 9, "y=9")])
def test_refuses_events_outside_the_sensor(x, y, field):
    events = make_events((0, 0, 0, True), (1, x, y, True))
    with pytest.raises(DataError, match=f"event 1 has {field}"):
        FrameBuilder((4, 4), 2)(events)


@given(npst.arrays(np.int64, npst.array_shapes(min_dims=1, max_dims=2, max_side=4)))
def test_refuses_what_is_no_event_array(values):
    with pytest.raises(DataError, match="t, x, y and p"):
        check_events(values, (4, 4))


def test_unsorted_events_count_the_same():
    events = random_events(500, 10, 9999)
    mixed = np.random.default_rng(1).permutation(events)
    for dt_ms in (None, 1.0):
        builder = FrameBuilder((10, 10), 5, dt_ms=dt_ms)
        np.testing.assert_array_equal(builder(mixed), builder(events))


def test_event_dtype_is_little_endian_everywhere():
    assert EVENT_DTYPE.itemsize == 13
    assert [EVENT_DTYPE[name].str for name in EVENT_DTYPE.names] == ["<i8", "<i2", "<i2", "|b1"]
