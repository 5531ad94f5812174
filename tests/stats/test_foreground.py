"""Which cells of a map the input touches: hand-worked and against the plain reference."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from redundancy.stats.foreground import Foreground, pool_events
from tests import potential_reference as plain

FEW = settings(max_examples=40, deadline=None)
frame_arrays = hnp.arrays(
    np.float32,
    hnp.array_shapes(min_dims=5, max_dims=5, max_side=5),
    elements=st.sampled_from([0.0, 0.0, 0.0, 3.0, -0.5]),
)
sizes = st.tuples(st.integers(1, 5), st.integers(1, 5))


@pytest.mark.parametrize(
    ("n_pixels", "n_cells", "event", "marked"),
    [
        (4, 2, 1, [True, False]),
        (3, 2, 1, [True, True]),  # the middle pixel lies in both halves
        (5, 2, 2, [True, True]),
        (2, 4, 1, [False, False, True, True]),  # a grid finer than the input
        (2, 3, 0, [True, True, False]),
        (1, 3, 0, [True, True, True]),
        (3, 1, 2, [True]),
    ],
)
def test_cells_that_an_event_touches(n_pixels, n_cells, event, marked):
    frames = np.zeros((1, 1, 1, 1, n_pixels))
    frames[..., event] = -1
    assert pool_events(frames, (1, n_cells)).ravel().tolist() == marked
    turned = frames.swapaxes(3, 4)
    assert pool_events(turned, (n_cells, 1)).ravel().tolist() == marked


@FEW
@given(frame_arrays, sizes)
def test_pooling_equals_the_plain_reference(frames, size):
    np.testing.assert_array_equal(pool_events(frames, size), plain.pooled_events(frames, *size))


@FEW
@given(frame_arrays, st.lists(sizes, min_size=1, max_size=3))
def test_bits_and_cells_are_of_the_pooled_events(frames, several):
    foreground = Foreground(frames)
    n_samples, n_times = frames.shape[:2]
    for size in [*several, several[0]]:
        bits, cells = foreground.of((n_samples, n_times, 7, *size))
        expected = plain.pooled_events(frames, *size).reshape(n_samples * n_times, -1)
        unpacked = np.unpackbits(bits.astype("<u8").view(np.uint8), axis=-1, bitorder="little")
        np.testing.assert_array_equal(unpacked[:, : expected.shape[1]], expected)
        assert not unpacked[:, expected.shape[1] :].any()
        by_time = expected.reshape(n_samples, n_times, -1).sum((0, 2))
        np.testing.assert_array_equal(cells, by_time)


@pytest.mark.parametrize("shape", [(3, 3, 2, 4, 4), (2, 4, 2, 4, 4), (2, 3, 4, 4)])
def test_frames_of_other_samples_or_timesteps_are_refused(shape):
    with pytest.raises(ValueError, match=r"must be \(2, 3, channel, y, x\), got \(\d, \d, "):
        Foreground(np.zeros(shape)).of((2, 3, 5, 4, 4))
