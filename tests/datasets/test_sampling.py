from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from redundancy.datasets import sampling
from redundancy.datasets.base import Batch
from redundancy.datasets.sampling import RandomAccess, shifted, slices
from redundancy.errors import UsageError
from tests.toy import ToyDataset


class CountingDataset(ToyDataset):
    """A toy dataset that notes which samples are read."""

    def __init__(self, n_samples: int) -> None:
        super().__init__(n_samples)
        self.reads: list[tuple[int, int]] = []

    def batch(self, start: int, stop: int) -> Batch:
        self.reads.append((start, stop))
        return super().batch(start, stop)


@given(indices=st.lists(st.integers(0, 9), min_size=1, max_size=12))
def test_samples_come_in_the_order_asked_for(indices: list[int]) -> None:
    dataset = ToyDataset(10)
    frames, labels = RandomAccess(dataset).take(np.array(indices))
    assert dataset.labels is not None
    np.testing.assert_array_equal(frames, dataset.frames[indices])
    np.testing.assert_array_equal(labels, dataset.labels[indices])
    assert frames.dtype == np.float32
    assert labels.dtype == np.int64


def test_a_sample_is_read_once() -> None:
    dataset = CountingDataset(4)
    samples = RandomAccess(dataset)
    for _ in range(3):
        samples.take(np.array([2, 0, 2]))
    assert dataset.reads == [(2, 3), (0, 1)]


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = CountingDataset(4)
    bytes_per_sample = dataset.frames[0].nbytes
    monkeypatch.setattr(sampling, "_CACHED_FRAME_BYTES", 2 * bytes_per_sample + 1)
    samples = RandomAccess(dataset)
    for _ in range(2):
        frames, _ = samples.take(np.arange(4))
        np.testing.assert_array_equal(frames, dataset.frames)
    assert dataset.reads == [(0, 1), (1, 2), (2, 3), (3, 4), (2, 3), (3, 4)]


def test_what_is_returned_may_be_changed() -> None:
    dataset = ToyDataset(3)
    samples = RandomAccess(dataset)
    expected = dataset.frames.copy()
    samples.take(np.arange(3))[0][:] = -1.0
    np.testing.assert_array_equal(samples.take(np.arange(3))[0], expected)


def test_labels_are_needed() -> None:
    with pytest.raises(UsageError, match="needs labels, and dataset toy has none"):
        RandomAccess(ToyDataset(3, labelled=False)).take(np.array([0]))


@given(length=st.integers(0, 20), size=st.integers(1, 7))
def test_slices_cover_everything_once(length: int, size: int) -> None:
    order = np.random.default_rng(length).permutation(length)
    parts = list(slices(order, size))
    assert [*np.concatenate([np.array([], dtype=np.int64), *parts])] == [*order]
    assert all(len(part) == size for part in parts[:-1])
    assert all(1 <= len(part) <= size for part in parts)


def moved(sample: NDArray[np.float32], dy: int, dx: int) -> NDArray[np.float32]:
    """Move a sample's maps (..., y, x) down by dy and right by dx, cell by cell."""
    height, width = sample.shape[-2:]
    result = np.zeros_like(sample)
    for y in range(height):
        for x in range(width):
            if 0 <= y - dy < height and 0 <= x - dx < width:
                result[..., y, x] = sample[..., y - dy, x - dx]
    return result


@settings(deadline=None)
@given(
    limit=st.integers(0, 4),
    size=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    seed=st.integers(0, 1000),
)
def test_every_sample_is_moved_as_a_whole_within_the_limit(
    limit: int, size: tuple[int, int], seed: int
) -> None:
    frames = np.random.default_rng(seed).random((3, 2, 2, *size), dtype=np.float32) + 1
    result = shifted(frames, limit, np.random.default_rng(seed))
    assert result.shape == frames.shape
    assert result.dtype == np.float32
    reach = range(-limit, limit + 1)
    for before, after in zip(frames, result, strict=True):
        assert any(np.array_equal(after, moved(before, dy, dx)) for dy in reach for dx in reach)


def test_every_offset_is_drawn_and_samples_move_apart() -> None:
    frames = np.zeros((400, 1, 1, 5, 5), dtype=np.float32)
    frames[..., 2, 2] = 1.0
    result = shifted(frames, 2, np.random.default_rng(0))
    # The dot never leaves, and reaches all 25 cells.
    assert (result.sum(axis=(1, 2, 3, 4)) == 1).all()
    assert (result.sum(axis=0) > 0).all()


def test_shifts_repeat_with_the_seed_and_leave_the_frames_alone() -> None:
    frames = ToyDataset(6).frames
    before = frames.copy()
    first, second = (shifted(frames, 3, np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(frames, before)
    assert not np.array_equal(first, frames)


def test_no_limit_means_no_shift_and_no_draw() -> None:
    frames, random = ToyDataset(2).frames, np.random.default_rng(0)
    state = random.bit_generator.state
    assert shifted(frames, 0, random) is frames
    assert random.bit_generator.state == state
