from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from redundancy.datasets.event_bytes import (
    assemble_events,
    continued_clock,
    read_bytes,
    without_duplicates,
)
from redundancy.errors import DataError

from .conftest import make_events

FILE = Path("some.dat")


def assemble(rows, dtype=np.int64):
    columns = tuple(np.array(column, dtype) for column in zip(*rows, strict=True))
    return assemble_events(FILE, columns, (4, 8), lambda i: f"event {i}")


@pytest.mark.parametrize("off", [0, -1])
@pytest.mark.parametrize("dtype", [np.int64, np.float64, np.int16])
def test_both_conventions_of_polarity(off, dtype):
    events = assemble([(5, 7, 3, off), (6, 0, 0, 1)], dtype)
    assert events.tolist() == [(5, 7, 3, False), (6, 0, 0, True)]


def test_all_off_or_all_on_is_either_convention():
    assert not assemble([(5, 0, 0, -1)])["p"].any()
    assert not assemble([(5, 0, 0, 0)])["p"].any()
    assert assemble([(5, 0, 0, 1)])["p"].all()


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ((1, 8, 0, 1), "event 1 has x=8, but x must be 0 to 7"),
        ((1, -1, 0, 1), "event 1 has x=-1"),
        ((1, 0, 4, 1), "event 1 has y=4, but y must be 0 to 3"),
        ((1, 0, 0, 2), "event 1 has p=2, but p must be 0 or 1"),
        ((1, 0, 0, -1), "event 0 has p=0, but p must be -1 or 1"),
        ((2**60, 0, 0, 1), "event 1 has t="),
    ],
)
def test_what_is_no_event_is_named(row, message):
    with pytest.raises(DataError, match=rf"some.dat: {message}"):
        assemble([(0, 0, 0, 0), row])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 0.5])
def test_numbers_that_are_not_whole_are_named(value):
    with pytest.raises(DataError, match=r"event 1 has t=.*whole number"):
        assemble([(0, 0, 0, 0), (value, 0, 0, 0)], np.float64)


def test_text_for_numbers_and_no_events_are_refused():
    with pytest.raises(DataError, match="t must be numbers"):
        assemble([("a", "b", "c", "d")], np.str_)
    empty = (np.empty(0),) * 4
    with pytest.raises(DataError, match=r"some\.dat holds no events"):
        assemble_events(FILE, empty, (4, 8), str)


def test_disorder_is_sorted_and_equal_times_keep_their_order():
    events = assemble([(5, 1, 0, 1), (9, 2, 0, 1), (5, 3, 0, 1), (4, 4, 0, 1)])
    assert events["x"].tolist() == [4, 1, 3, 2]


@given(
    st.lists(st.integers(0, 10**9), min_size=1, max_size=20),
    st.integers(0, 2**33),
    st.sampled_from([False, True]),
)
def test_a_clock_of_32_bits_is_continued(steps, start, signed):
    true = start + np.cumsum(np.array(steps, np.int64))
    shown = true % 2**32
    if signed:
        shown = (shown + 2**31) % 2**32 - 2**31
    np.testing.assert_array_equal(np.diff(continued_clock(shown)), np.diff(true))


def test_an_event_that_comes_late_over_the_wrap_is_put_back():
    shown = np.array([2**32 - 10, 3, 2**32 - 5, 4])
    assert continued_clock(shown).tolist() == [2**32 - 10, 2**32 + 3, 2**32 - 5, 2**32 + 4]


def test_disorder_and_longer_clocks_are_no_wrap():
    for times in ([5, 3, 9], [2**40, 5], [2**31 - 1, 0], [0, 2**31 + 1], [0, 2**32 - 1, 2**31]):
        assert continued_clock(np.array(times)).tolist() == times


@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.integers(0, 2), st.integers(0, 2), st.booleans()),
        min_size=1,
        max_size=30,
    )
)
def test_duplicates_are_dropped_and_the_order_kept(rows):
    rows = sorted(rows, key=lambda row: row[0])
    assert without_duplicates(make_events(*rows)).tolist() == list(dict.fromkeys(rows))


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(DataError, match=r"gone\.dat cannot be read"):
        read_bytes(tmp_path / "gone.dat")
