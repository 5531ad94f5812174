"""The dataset synthetic-gait: order, splits, cache."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from redundancy.datasets import build_dataset
from redundancy.datasets.synthetic_gait import SyntheticGait, SyntheticGaitArguments, dataset
from redundancy.datasets.synthetic_gait.cache import pack, unpack
from redundancy.datasets.synthetic_gait.camera import record
from redundancy.errors import UsageError

SMALL = {
    "n_classes": 3,
    "train_per_class": 2,
    "test_per_class": 2,
    "duration_ms": 100,
    "dt_ms": 5.0,
}


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("REDUNDANCY_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def small(split="test", progress=None, **other) -> SyntheticGait:
    return SyntheticGait(
        SyntheticGaitArguments(**{**SMALL, **other}), split=split, progress=progress
    )


def all_events(gait: SyntheticGait) -> list[bytes]:
    return [gait.events(i).tobytes() for i in range(len(gait))]


def test_the_default_is_what_the_documentation_says():
    arguments = SyntheticGaitArguments()
    assert arguments.n_timesteps * arguments.dt_ms == arguments.duration_ms == 600
    gait = build_dataset("synthetic-gait", test_per_class="1")
    assert (gait.name, gait.split, gait.location, gait.n_classes) == (
        "synthetic-gait",
        "test",
        None,
        10,
    )
    assert gait.frame_shape == (20, 2, 32, 32)
    assert gait.arguments == {
        "n_classes": 10,
        "train_per_class": 200,
        "test_per_class": 1,
        "seed": 0,
        "duration_ms": 600,
        "n_timesteps": 20,
        "dt_ms": 30.0,
        "downsample": 4,
        "size": None,
        "binary": False,
        "generator_version": 1,
    }
    batch = gait.batch(2, 5)
    assert batch.labels.tolist() == [2, 3, 4]
    assert [f.sum() for f in batch.frames] == [len(gait.events(i)) for i in (2, 3, 4)]
    again = build_dataset("synthetic-gait", **gait.arguments)
    np.testing.assert_array_equal(again.batch(2, 5).frames, batch.frames)


def test_classes_take_turns(cache):
    gait = small()
    assert gait.batch(0, 6).labels.tolist() == [0, 1, 2, 0, 1, 2]
    for index in range(6):
        expected = unpack(pack(record(index % 3, index // 3, "test", 0, 100)))
        np.testing.assert_array_equal(gait.events(index), expected)


def test_packing_loses_nothing():
    events = record(1, 0, "train", 0, 100)
    opened = unpack(pack(events))
    again = ((opened["t"] * 128 + opened["y"]) * 128 + opened["x"]) * 2 + opened["p"]
    np.testing.assert_array_equal(again, events)
    with pytest.raises(ValueError, match="do not fit"):
        pack(np.array([0, 1 << 35]))


def test_train_and_test_are_disjoint(cache):
    train, test = (
        all_events(small(split, train_per_class=4, test_per_class=4)) for split in ("train", "test")
    )
    assert len(set(train) | set(test)) == 24


def test_a_sample_does_not_depend_on_how_many_there_are(cache):
    few, more = small(), small(n_classes=5, test_per_class=3)
    for take in range(2):
        for who in range(3):
            assert few.events(3 * take + who).tobytes() == more.events(5 * take + who).tobytes()


@pytest.mark.parametrize("n_threads", [1, 2, 5])
def test_the_number_of_threads_changes_nothing(cache, monkeypatch, n_threads):
    monkeypatch.setattr(dataset, "available_cores", lambda: n_threads)
    calls: list[tuple[int, int]] = []
    gait = small(progress=lambda *call: calls.append(call))
    assert calls == [(i, 6) for i in range(1, 7)]
    alone = [unpack(pack(record(i % 3, i // 3, "test", 0, 100))).tobytes() for i in range(6)]
    assert all_events(gait) == alone


def test_a_fresh_process_makes_the_same_file(cache, tmp_path):
    small()
    (ours,) = cache.iterdir()
    code = (
        "from redundancy.datasets import build_dataset;"
        f"build_dataset('synthetic-gait', **{SMALL!r})"
    )
    subprocess.run(
        [sys.executable, "-c", code],
        env={"REDUNDANCY_CACHE": str(tmp_path / "other"), "PYTHONPATH": ":".join(sys.path)},
        check=True,
    )
    (theirs,) = (tmp_path / "other").iterdir()
    assert theirs.name == ours.name
    assert theirs.read_bytes() == ours.read_bytes()


def test_the_cache_is_used(cache):
    first = all_events(small())
    calls: list[tuple[int, int]] = []
    assert all_events(small(progress=lambda *call: calls.append(call))) == first
    assert calls == []
    assert len(list(cache.iterdir())) == 1


def _truncate(content: bytes) -> bytes:
    return content[: len(content) // 2]


def _flip(place: int):
    def damage(content: bytes) -> bytes:
        changed = bytearray(content)
        changed[place] ^= 0x10
        return bytes(changed)

    return damage


@pytest.mark.parametrize(
    "damage",
    [_truncate, lambda _: b"", lambda _: b"RDNGAIT1", _flip(0), _flip(-1), _flip(-12), _flip(-60)],
)
def test_a_damaged_cache_file_is_made_again(cache, damage):
    expected = all_events(small())
    (path,) = cache.iterdir()
    content = path.read_bytes()
    path.write_bytes(damage(content))
    assert all_events(small()) == expected
    assert path.read_bytes() == content


def test_a_damaged_recording_is_made_again(cache):
    expected = all_events(small())
    (path,) = cache.iterdir()
    path.write_bytes(_flip(4000)(path.read_bytes()))
    assert all_events(small()) == expected


def test_a_file_of_other_arguments_is_not_taken(cache):
    expected = all_events(small(seed=1))
    names = {path.name for path in cache.iterdir()}
    small(seed=2)
    (second,) = (path for path in cache.iterdir() if path.name not in names)
    (first,) = (path for path in cache.iterdir() if path.name in names)
    first.write_bytes(second.read_bytes())
    assert all_events(small(seed=1)) == expected


def test_a_folder_that_cannot_be_written_is_no_obstacle(cache, monkeypatch):
    expected = all_events(small())
    blocked = cache.parent / "file"
    blocked.write_text("in the way")
    monkeypatch.setenv("REDUNDANCY_CACHE", str(blocked))
    assert all_events(small()) == expected


def test_an_interruption_leaves_no_file(cache):
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        small(progress=stop)
    assert list(cache.iterdir()) == []


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"n_classes": 21}, "n_classes of synthetic-gait must be from 1 to 20, got 21"),
        ({"test_per_class": 0}, "test_per_class"),
        ({"seed": -1}, "seed"),
        ({"duration_ms": 0}, "duration_ms"),
        ({"generator_version": 2}, "generator_version of synthetic-gait must be 1, got 2"),
        ({"n_timesteps": 21}, "21 timesteps of 30 ms are longer than the recordings of 600 ms"),
        ({"n_timesteps": 0}, "n_timesteps"),
        ({"dt_ms": -1}, "dt_ms"),
        ({"downsample": 0}, "downsample"),
        ({"size": "200x200"}, "size"),
    ],
)
def test_arguments_out_of_range_are_refused(wrong, message):
    with pytest.raises(UsageError, match=message):
        build_dataset("synthetic-gait", **wrong)


def test_other_sizes_and_slices(cache):
    gait = small(downsample=None, size="16x24", dt_ms=None, n_timesteps=3, binary=True)
    batch = gait.batch(0, 1)
    assert batch.frames.shape == (1, 3, 2, 16, 24)
    assert set(np.unique(batch.frames)) == {0.0, 1.0}
