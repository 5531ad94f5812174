from __future__ import annotations

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from redundancy.datasets import build_dataset
from redundancy.datasets.dvs128_gesture import read_hdf5_recording, read_label_table
from redundancy.errors import DataError, UsageError

from .event_files import aedat3, events_or_named_fault, packet3

HEAD = b"class,startTime_usec,endTime_usec\n"
FRAMES = {"n_timesteps": 4, "dt_ms": 1.0, "downsample": None, "clips": 2, "cache": False}
fuzzed = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)


def session(folder, name, table=HEAD + b"1,1000,5000\n2,5000,9000\n", n_events=90):
    """Events every 100 us from 0 on; x is the number of the event."""
    rows = [(100 * i, i % 128, 3, i % 2) for i in range(n_events)]
    (folder / f"{name}.aedat").write_bytes(aedat3(packet3(rows[:40]), packet3(rows[40:])))
    if table is not None:
        (folder / f"{name}_labels.csv").write_bytes(table)


def hdf5(path, **changes):
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays = {
        "times": np.array([10, 20, 30], np.uint32),
        "addrs": np.array([[1, 2, 0], [3, 4, 1], [127, 0, 1]], np.uint8),
        "labels": np.int64(7),
        **changes,
    }
    with h5py.File(path, "w") as file:
        for name, values in arrays.items():
            if values is not None:
                file[name] = values


@pytest.fixture
def folder(tmp_path):
    for name in ("user24_led", "user24_lab", "user29_natural", "user23_lab", "user01_led"):
        session(tmp_path, name)
    return tmp_path


def test_users_make_the_split_and_rows_the_recordings(folder):
    test = build_dataset(f"dvs128-gesture:{folder}", **FRAMES)
    train = build_dataset(f"dvs128-gesture:{folder}", split="train", **FRAMES)
    assert [test.recording_name(i) for i in range(0, 6, 2)] == [
        "user24_lab.aedat",
        "user24_led.aedat",
        "user29_natural.aedat",
    ]
    assert [train.recording_name(i) for i in (0, 2)] == ["user01_led.aedat", "user23_lab.aedat"]
    assert (len(test), len(train)) == (12, 4)
    assert test.recordings.tolist() == [i // 2 for i in range(12)]
    assert test.batch(0, 12).labels.tolist() == [0, 0, 1, 1] * 3
    assert (test.n_classes, test.arguments["form"]) == (11, "aedat")


def test_a_recording_is_what_its_row_says(folder):
    dataset = build_dataset(f"dvs128-gesture:{folder}", **{**FRAMES, "clips": 1})
    assert dataset.events(0)["t"].tolist() == list(range(1000, 5000, 100))
    assert dataset.events(1)["t"].tolist() == list(range(5000, 9000, 100))
    frames = dataset.batch(1, 2).frames[0]
    assert frames.shape == (4, 2, 128, 128)
    assert frames.sum((1, 2, 3)).tolist() == [10, 10, 10, 10]
    assert frames[0, 0, 3, 50] == frames[0, 1, 3, 51] == 1


def test_rows_that_overlap_are_kept_and_repeated_ones_are_not(tmp_path):
    table = HEAD + b"9,1000,6000\n10,5000,8000\n10,5000,8000\n"
    session(tmp_path, "user25_led", table)
    dataset = build_dataset(f"dvs128-gesture:{tmp_path}", **{**FRAMES, "clips": 1, "dt_ms": None})
    assert dataset.batch(0, 2).labels.tolist() == [8, 9]
    assert [len(dataset.events(i)) for i in range(2)] == [50, 30]
    assert len(dataset) == 2


def test_the_folder_may_hold_the_folder_of_the_recordings(folder, tmp_path_factory):
    outer = tmp_path_factory.mktemp("outer")
    (outer / "DvsGesture").symlink_to(folder)
    assert len(build_dataset(f"dvs128-gesture:{outer}", **FRAMES)) == 12


def test_a_gesture_without_events_is_named(tmp_path):
    session(tmp_path, "user25_led", HEAD + b"1,1000,5000\n2,500000,600000\n")
    dataset = build_dataset(f"dvs128-gesture:{tmp_path}", **FRAMES)
    with pytest.raises(DataError, match=r"user25_led\.aedat has no events from 500000 to 600000"):
        dataset.batch(0, 1)


def test_a_recording_without_labels_is_named(tmp_path):
    session(tmp_path, "user25_led", table=None)
    with pytest.raises(DataError, match=r"no file .*user25_led_labels\.csv"):
        build_dataset(f"dvs128-gesture:{tmp_path}")


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (b"", "has no rows of gestures up to its end at byte offset 0"),
        (HEAD, f"byte offset {len(HEAD)}"),
        (HEAD + b"1,2\n", f"line 2 at byte offset {len(HEAD)} is '1,2'"),
        (HEAD + b"1,2,3\n1,2,x\n", f"line 3 at byte offset {len(HEAD) + 6}"),
        (HEAD + b"1,-2,3\n", "line 2"),
        (HEAD + b"12,2,3\n", "has class 12"),
        (HEAD + b"0,2,3\n", "has class 0"),
        (HEAD + b"1,3,3\n", "from 3 to 3 us"),
    ],
)
def test_damaged_label_tables_are_named_with_the_place(tmp_path, table, message):
    session(tmp_path, "user25_led", table)
    with pytest.raises(DataError, match=f"user25_led_labels.csv.*{message}"):
        build_dataset(f"dvs128-gesture:{tmp_path}")


@fuzzed
@given(
    st.binary(max_size=40)
    | st.lists(
        st.tuples(st.integers(0, 12), st.integers(0, 99), st.integers(0, 99)), max_size=5
    ).map(lambda rows: HEAD + b"".join(b"%d, %d,%d\r\n" % row for row in rows))
)
def test_any_label_table_is_rows_or_one_data_error(tmp_path, data):
    path = tmp_path / "any.csv"
    path.write_bytes(data)
    rows = events_or_named_fault(read_label_table, path)
    if rows is not None:
        assert all(0 <= label < 11 and start < stop for label, start, stop in rows)
        assert len(set(rows)) == len(rows) > 0


def test_hdf5(tmp_path):
    hdf5(tmp_path / "test/2.hdf5", labels=np.array([3]))
    hdf5(tmp_path / "test/10.hdf5")
    hdf5(tmp_path / "train/1.h5")
    dataset = build_dataset(f"dvs128-gesture:{tmp_path}", **FRAMES)
    assert dataset.arguments["form"] == "hdf5"
    assert dataset.batch(0, 4).labels.tolist() == [3, 3, 7, 7]
    assert dataset.events(0).tolist() == [(10, 1, 2, False), (20, 3, 4, True), (30, 127, 0, True)]
    assert dataset.batch(0, 1).frames[0, 0, 1, 4, 3] == 1


def test_a_form_can_be_asked_for(folder):
    hdf5(folder / "test/2.hdf5")
    assert len(build_dataset(f"dvs128-gesture:{folder}", **FRAMES)) == 12
    assert len(build_dataset(f"dvs128-gesture:{folder}", form="hdf5", **FRAMES)) == 2
    with pytest.raises(UsageError, match="form must be aedat, hdf5 or none, got 'raw'"):
        build_dataset(f"dvs128-gesture:{folder}", form="raw")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels": np.int64(11)}, "labels must be one class from 0 to 10, got 11"),
        ({"labels": np.array([1, 2])}, r"got \[1, 2\]"),
        ({"labels": np.float64(1)}, r"got 1\.0"),
        ({"labels": None}, "cannot be read as HDF5 with times, addrs and labels"),
    ],
)
def test_hdf5_with_a_wrong_label_is_named(tmp_path, changes, message):
    hdf5(tmp_path / "test/bad.hdf5", **changes)
    with pytest.raises(DataError, match=rf"bad\.hdf5.*{message}"):
        build_dataset(f"dvs128-gesture:{tmp_path}")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"times": None}, "cannot be read as HDF5"),
        ({"times": np.arange(4)}, r"shapes \(4,\) and \(3, 3\)"),
        ({"addrs": np.zeros((3, 2), int)}, r"\(3, 2\)"),
        ({"addrs": np.array([[1, 2, 0], [3, 128, 1], [1, 1, 1]])}, "row 1 of addrs has y=128"),
        ({"times": np.empty(0), "addrs": np.empty((0, 3))}, "holds no events"),
    ],
)
def test_damaged_hdf5_is_named(tmp_path, changes, message):
    hdf5(tmp_path / "bad.hdf5", **changes)
    with pytest.raises(DataError, match=rf"bad\.hdf5.*{message}"):
        read_hdf5_recording(tmp_path / "bad.hdf5")


@fuzzed
@given(st.binary(max_size=64), st.integers(0, 4000))
def test_any_bytes_for_hdf5_are_one_data_error(tmp_path, data, length):
    hdf5(tmp_path / "whole.hdf5")
    whole = (tmp_path / "whole.hdf5").read_bytes()
    for name, content in (("any.hdf5", data), ("cut.hdf5", whole[:length])):
        (tmp_path / name).write_bytes(content)
        found = events_or_named_fault(read_hdf5_recording, tmp_path / name)
        assert found is None or content == whole


def test_a_missing_or_foreign_folder_says_what_is_expected(tmp_path):
    with pytest.raises(UsageError, match=r"there is no folder .*user<01\.\.29>"):
        build_dataset(f"dvs128-gesture:{tmp_path / 'nowhere'}")
    session(tmp_path, "user23_led")
    with pytest.raises(UsageError, match=r"holds no test recordings; expected user<01\.\.29>"):
        build_dataset(f"dvs128-gesture:{tmp_path}")
