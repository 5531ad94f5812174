"""Converted frames on disk."""

from __future__ import annotations

import os

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from redundancy.datasets import build_dataset, convert_ahead
from redundancy.datasets.frames_cache import FramesCache
from redundancy.errors import DataError
from tests.toy import ToyDataset

from .event_files import text

KEY = {"files": ["a"], "states": [[1, 2]]}


def sample(scale=1, seed=0):
    random = np.random.default_rng(seed)
    return (random.integers(0, 3, (2, 2, 4, 4)) * scale).astype(np.float32)


@pytest.mark.parametrize("scale", [1, 200, 100_000])
def test_counts_come_back_exactly(tmp_path, scale):
    cache = FramesCache(tmp_path, (2, 2, 4, 4))
    frames = [sample(scale, seed) for seed in range(3)]
    cache.write(KEY, iter(frames))
    for index in range(3):
        read = cache.read(KEY, index)
        assert read.dtype == np.float32
        np.testing.assert_array_equal(read, frames[index])
    assert cache.read(KEY, 3) is None
    assert cache.read({**KEY, "files": ["b"]}, 0) is None
    assert FramesCache(tmp_path, (2, 2, 4, 2)).read(KEY, 0) is None


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100)
@given(st.integers(0, 10_000), st.integers(0, 255), st.booleans())
def test_a_damaged_file_gives_the_sample_or_nothing(tmp_path, place, value, cut):
    cache = FramesCache(tmp_path, (2, 2, 4, 4))
    cache.write(KEY, [sample()])
    path = cache.path(KEY)
    data = bytearray(path.read_bytes())
    place %= len(data)
    if cut:
        del data[place:]
    else:
        data[place] = value
    path.write_bytes(data)
    read = cache.read(KEY, 0)
    assert read is None or np.array_equal(read, sample())


def test_a_conversion_that_fails_leaves_nothing(tmp_path):
    def broken():
        yield sample()
        raise DataError("no more")

    with pytest.raises(DataError):
        FramesCache(tmp_path, (2, 2, 4, 4)).write(KEY, broken())
    assert not [p for p in tmp_path.rglob("*") if p.is_file()]


@pytest.fixture
def gait(tmp_path, monkeypatch):
    monkeypatch.setenv("REDUNDANCY_CACHE", str(tmp_path / "cache"))
    for person in range(3):
        path = tmp_path / f"data/test/{person}/1.txt"
        path.parent.mkdir(parents=True)
        path.write_bytes(text([(100 * i, person, i % 128, 1) for i in range(100)]))
    return tmp_path


def build(gait, **arguments):
    arguments = {"n_timesteps": 5, "dt_ms": 1.0, "clips": 3, **arguments}
    return build_dataset(f"dvs128-gait-day:{gait / 'data'}", **arguments)


def cached(gait):
    return sorted(p for p in (gait / "cache").rglob("*") if p.is_file())


def test_frames_from_the_cache_equal_frames_without(gait):
    plain = build(gait, cache="false").batch(0, 9).frames
    assert cached(gait) == []
    np.testing.assert_array_equal(build(gait).batch(0, 9).frames, plain)
    assert len(cached(gait)) == 3
    np.testing.assert_array_equal(build(gait).batch(0, 9).frames, plain)


def test_the_cache_is_what_is_read(gait, monkeypatch):
    dataset = build(gait)
    expected = dataset.batch(0, 9).frames
    again = build(gait)
    monkeypatch.setattr(again, "_read", lambda _: pytest.fail("the file was read again"))
    np.testing.assert_array_equal(again.batch(0, 9).frames, expected)


def test_only_what_is_asked_for_is_converted(gait):
    build(gait).batch(0, 2)
    assert len(cached(gait)) == 1


def test_other_arguments_or_a_changed_file_are_converted_anew(gait):
    build(gait).batch(0, 9)
    build(gait, binary=True).batch(0, 3)
    assert len(cached(gait)) == 4
    path = gait / "data/test/0/1.txt"
    path.write_bytes(text([(0, 77, 5, 1)]))
    os.utime(path, ns=(5, 5))
    frames = build(gait).batch(0, 1).frames
    assert frames.sum() == 1
    assert len(cached(gait)) == 5


def test_a_damaged_cache_file_is_made_again(gait):
    expected = build(gait).batch(0, 9).frames
    for path in cached(gait):
        path.write_bytes(path.read_bytes()[:-5])
    np.testing.assert_array_equal(build(gait).batch(0, 9).frames, expected)


def test_all_can_be_converted_ahead_with_progress(gait):
    dataset, calls = build(gait), []
    dataset.convert_all(lambda done, total: calls.append((done, total)))
    assert calls == [(0, 3), (1, 3), (2, 3), (3, 3)]
    assert len(cached(gait)) == 3
    before = [path.stat().st_mtime_ns for path in cached(gait)]
    build(gait).convert_all(lambda done, total: calls.append((done, total)))
    assert [path.stat().st_mtime_ns for path in cached(gait)] == before
    assert len(calls) == 4  # there was nothing left to say


def test_an_interrupted_conversion_goes_on(gait):
    def stop(done, total):
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build(gait).convert_all(stop)
    assert len(cached(gait)) == 2
    calls = []
    build(gait).convert_all(lambda done, total: calls.append((done, total)))
    assert calls == [(0, 1), (1, 1)]
    assert len(cached(gait)) == 3


def test_only_the_files_of_the_first_samples_are_converted_ahead(gait):
    calls = []
    convert_ahead(build(gait), lambda *call: calls.append(call), n_samples=4)
    assert calls == [(0, 2), (1, 2), (2, 2)]
    assert len(cached(gait)) == 2


def test_a_damaged_cache_file_is_converted_ahead_again(gait):
    build(gait).convert_all()
    whole = {path: path.read_bytes() for path in cached(gait)}
    for path, content in whole.items():
        path.write_bytes(content[:-1])
    build(gait).convert_all()
    assert {path: path.read_bytes() for path in cached(gait)} == whole


def test_without_a_cache_nothing_is_converted_ahead(gait):
    calls = []
    convert_ahead(build(gait, cache="false"), lambda *call: calls.append(call))
    convert_ahead(ToyDataset(3), lambda *call: calls.append(call))
    assert calls == []
    assert cached(gait) == []


def test_a_cache_that_cannot_be_written_costs_no_answer(gait, monkeypatch):
    plain = build(gait, cache="false").batch(0, 9).frames
    blocked = gait / "file"
    blocked.write_text("not a folder")
    monkeypatch.setenv("REDUNDANCY_CACHE", str(blocked))
    np.testing.assert_array_equal(build(gait).batch(0, 9).frames, plain)
    with pytest.raises(DataError, match="set REDUNDANCY_CACHE to another folder or cache=false"):
        build(gait).convert_all()
    with pytest.warns(UserWarning, match="Until then frames are converted anew each time"):
        convert_ahead(build(gait))


def test_a_file_that_vanished_is_named(gait):
    dataset = build(gait)
    (gait / "data/test/0/1.txt").unlink()
    with pytest.raises(DataError, match=r"test/0/1\.txt cannot be read"):
        dataset.batch(0, 1)
