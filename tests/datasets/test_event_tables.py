from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from redundancy.datasets.event_tables import read_array_events, read_text_events
from redundancy.errors import DataError

from .event_files import events_or_named_fault, text

SIZE = (128, 128)
rows_of_events = st.lists(
    st.tuples(st.integers(0, 10**9), st.integers(0, 129), st.integers(0, 129), st.integers(-1, 2)),
    max_size=10,
)
any_file = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)


def write(path, data):
    path.write_bytes(data)
    return path


def saved(array, **options):
    stream = io.BytesIO()
    np.save(stream, array, **options)
    return stream.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        b"10 1 2 1\n11 127 0 0\n",
        b"10\t1\t2\t1\r\n\r\n11 127 0 -1",
        b"  1e1 1.0 2 1 \n 11.000 127 0 -1\n\n",
    ],
)
def test_reads_text(tmp_path, data):
    events = read_text_events(write(tmp_path / "a.txt", data), SIZE)
    assert events.tolist() == [(10, 1, 2, True), (11, 127, 0, False)]


@pytest.mark.parametrize("dtype", ["<i8", ">i4", "<f8", "<u4"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_reads_arrays(tmp_path, dtype, order):
    data = saved(np.asarray([[10, 1, 2, 1], [11, 127, 0, 0]], dtype, order=order))
    events = read_array_events(write(tmp_path / "a.npy", data), SIZE)
    assert events.tolist() == [(10, 1, 2, True), (11, 127, 0, False)]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "holds no events"),
        (b" \n\n", "holds no events"),
        (b"1 2 3 0\n4 5 6", "line 2 at byte offset 8 is '4 5 6', but an event is four numbers"),
        (b"1 2 3 0\n4 5 6 0 1\n", "line 2 at byte offset 8"),
        (b"1 2 3\n4 5 6\n", "line 1 at byte offset 0"),
        (b"1 2 3 0\n\n4 five 6 0\n", "line 3 at byte offset 9 is '4 five 6 0'"),
        (b"1 2 3 0\n4 5 128 0\n", "line 2 at byte offset 8 has y=128"),
        (b"1 2 3 0\r\n\r\n4 -5 6 0\r\n", "line 3 at byte offset 11 has x=-5"),
        (b"1 2 3 0\n4 5 6 -1\n", "line 1 at byte offset 0 has p=0"),
        (b"1 2 3 0\nnan 5 6 1\n", "line 2 at byte offset 8 has t=nan"),
        (b"\xff\xfe1\x002\x00", "line 1 at byte offset 0"),
    ],
)
def test_damaged_text_is_named_with_the_place(tmp_path, data, message):
    with pytest.raises(DataError, match=f"bad.txt.*{message}"):
        read_text_events(write(tmp_path / "bad.txt", data), SIZE)


def test_damaged_arrays_are_named_with_the_place(tmp_path):
    good = saved(np.zeros((3, 4), np.int64))
    wrong = np.zeros((3, 4), np.int64)
    wrong[2, 1] = 128
    for data, message in [
        (b"", "from byte offset 0 on"),
        (good[:-8], "from byte offset"),
        (saved(np.zeros((4, 3))), r"must hold an array \(N, 4\).*\(4, 3\)"),
        (saved(np.zeros(4)), r"got shape \(4,\)"),
        (saved(np.zeros((0, 4))), "holds no events"),
        (saved(np.array([None])), "holds Python objects"),
        (saved(np.zeros((2, 4), complex)), "t must be numbers"),
        (saved(wrong), f"row 2 at byte offset {128 + 64} has x=128"),
    ]:
        with pytest.raises(DataError, match=f"bad.npy.*{message}"):
            read_array_events(write(tmp_path / "bad.npy", data), SIZE)


@any_file
@given(st.binary(max_size=40) | rows_of_events.map(text))
def test_any_text_is_events_or_one_data_error(tmp_path, data):
    path = write(tmp_path / "any.txt", data)
    events = events_or_named_fault(lambda file: read_text_events(file, SIZE), path)
    if events is None:
        return
    expected = [tuple(map(float, line.split())) for line in data.splitlines() if line.strip()]
    expected = sorted(((t, x, y, p > 0) for t, x, y, p in expected), key=lambda row: row[0])
    assert events.tolist() == expected


@any_file
@given(st.binary(max_size=40), st.integers(0, 160), st.integers(0, 160))
def test_any_array_file_is_events_or_one_data_error(tmp_path, junk, start, length):
    data = saved(np.array([[10, 1, 2, 1], [11, 127, 0, 0]], np.int64))
    path = write(tmp_path / "any.npy", data[:start] + junk + data[start + length :])
    events = events_or_named_fault(lambda file: read_array_events(file, SIZE), path)
    if events is None:
        return
    assert len(events) > 0
    assert np.all(np.diff(events["t"]) >= 0)
    assert events["x"].max() < 128
