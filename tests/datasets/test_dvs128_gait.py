from __future__ import annotations

import numpy as np
import pytest

from redundancy.datasets import build_dataset, iterate_batches
from redundancy.errors import DataError, UsageError

from .event_files import text


def recording(marked_x: int, n_events: int = 50) -> list[tuple[int, int, int, int]]:
    return [(1000 + 100 * i, marked_x, i % 128, i % 2) for i in range(n_events)]


def place(folder, name, data):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


@pytest.fixture
def folder(tmp_path):
    """Test: person 0 in files 2 and 10, person 3 in file 1 as an array; train: person 19."""
    place(tmp_path, "test/0/10.txt", text(recording(10)))
    place(tmp_path, "test/0/2.txt", text(recording(2)))
    (tmp_path / "test/3").mkdir()
    np.save(tmp_path / "test/3/1.npy", np.array(recording(31)))
    place(tmp_path, "train/19/1.txt", text(recording(19)))
    return tmp_path


FRAMES = {"n_timesteps": 4, "dt_ms": 0.5, "downsample": None, "cache": False}


@pytest.mark.parametrize("name", ["dvs128-gait-day", "dvs128-gait-night"])
def test_order_labels_and_recordings(folder, name):
    dataset = build_dataset(f"{name}:{folder}", clips=3, **FRAMES)
    assert (dataset.name, dataset.split, dataset.n_classes) == (name, "test", 20)
    assert len(dataset) == 9
    assert dataset.recordings.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    batch = dataset.batch(0, 9)
    assert batch.labels.tolist() == [0, 0, 0, 3, 3, 3, 0, 0, 0]
    shown = [np.flatnonzero(frames.sum((0, 1, 2))).tolist() for frames in batch.frames]
    assert shown == [[2]] * 3 + [[31]] * 3 + [[10]] * 3
    assert [dataset.recording_name(i) for i in range(3)] == [
        "test/0/2.txt",
        "test/3/1.npy",
        "test/0/10.txt",
    ]
    whole = np.concatenate([b.frames for b in iterate_batches(dataset, 4)])
    np.testing.assert_array_equal(whole, batch.frames)


def test_clips_begin_where_they_should(folder):
    dataset = build_dataset(f"dvs128-gait-day:{folder}", clips=3, **FRAMES)
    # 4.9 ms cut into three clips of 2 ms: each begins a third later, the last one fits.
    assert [int(dataset.events(i)["t"][0]) for i in range(3)] == [1000, 2700, 3900]
    assert [int(dataset.events(i)["t"][-1]) for i in range(3)] == [2900, 4600, 5800]
    frames = dataset.batch(0, 1).frames[0]
    assert frames.sum((1, 2, 3)).tolist() == [5, 5, 5, 5]


def test_training_has_its_own_number_of_clips(folder):
    dataset = build_dataset(f"dvs128-gait-day:{folder}", split="train", **FRAMES)
    assert (len(dataset), dataset.batch(0, 1).labels.tolist()) == (1, [19])
    more = build_dataset(f"dvs128-gait-day:{folder}", split="train", train_clips="4", **FRAMES)
    assert more.recordings.tolist() == [0, 0, 0, 0]


def test_the_arguments_say_all_and_build_the_same(folder):
    dataset = build_dataset(f"dvs128-gait-night:{folder}", preset="asa-gait-night", binary="true")
    assert dataset.arguments == {
        "n_timesteps": 60,
        "dt_ms": 15.0,
        "downsample": 4,
        "size": None,
        "binary": True,
        "slices": "time",
        "axes": "xy",
        "clips": 10,
        "train_clips": 1,
        "exclude_last": True,
        "drop_duplicates": False,
    }
    assert dataset.frame_shape == (60, 2, 32, 32)
    again = build_dataset(f"dvs128-gait-night:{folder}", **dataset.arguments)
    np.testing.assert_array_equal(again.batch(3, 5).frames, dataset.batch(3, 5).frames)


def test_text_is_read_where_an_array_repeats_it(folder):
    np.save(folder / "test/0/2.npy", np.array(recording(99)))
    dataset = build_dataset(f"dvs128-gait-day:{folder}", clips=1, **FRAMES)
    assert dataset.recording_name(0) == "test/0/2.txt"
    assert len(dataset) == 3


def test_duplicates_are_kept_unless_asked(folder):
    place(folder, "test/0/2.txt", text([(5, 1, 1, 1), (5, 1, 1, 1), (6, 1, 1, 1)]))
    kept = build_dataset(f"dvs128-gait-day:{folder}", clips=1, **FRAMES)
    assert kept.batch(0, 1).frames.sum() == 3
    dropped = build_dataset(f"dvs128-gait-day:{folder}", clips=1, drop_duplicates="true", **FRAMES)
    assert dropped.batch(0, 1).frames.sum() == 2


def test_a_damaged_recording_is_named_when_it_is_asked_for(folder):
    place(folder, "test/0/10.txt", b"1 2 3 1\n2 3")
    dataset = build_dataset(f"dvs128-gait-day:{folder}", clips=2, n_timesteps=4)
    dataset.batch(0, 4)
    with pytest.raises(DataError, match=r"10\.txt: line 2 at byte offset 8"):
        dataset.batch(4, 5)


def test_a_missing_or_foreign_folder_says_what_is_expected(tmp_path):
    with pytest.raises(UsageError, match=r"there is no folder .*train/<0..19>"):
        build_dataset(f"dvs128-gait-day:{tmp_path / 'nowhere'}")
    with pytest.raises(UsageError, match=r"test holds no recordings; expected train/<0..19>"):
        build_dataset(f"dvs128-gait-day:{tmp_path}")
    place(tmp_path, "test/test_data.npy", b"")
    with pytest.raises(UsageError, match=r"test_data\.npy holds pickled Python objects"):
        build_dataset(f"dvs128-gait-day:{tmp_path}")


@pytest.mark.parametrize(("start", "stop"), [(-1, 1), (0, 10), (2, 2)])
def test_samples_that_are_not_there_are_refused(folder, start, stop):
    with pytest.raises(UsageError, match="not within the dataset's 9"):
        build_dataset(f"dvs128-gait-day:{folder}", clips=3).batch(start, stop)
