from __future__ import annotations

import struct

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from redundancy.datasets.aedat3 import read_aedat3
from redundancy.errors import DataError

from .event_files import AEDAT3_HEADER, aedat3, events_or_named_fault, packet3

START = len(AEDAT3_HEADER)
SIZE = (128, 128)


def read(tmp_path, data):
    path = tmp_path / "a.aedat"
    path.write_bytes(data)
    return read_aedat3(path, SIZE)


def plain_read(data: bytes) -> list[tuple[int, int, int, bool]]:
    """Event by event, from the description of the format."""
    at, rows = data.index(b"#!END-HEADER\r\n") + 14, []
    while at < len(data):
        kind, _, size, toffset, over, capacity, number, _ = struct.unpack_from(
            "<hhiiiiii", data, at
        )
        at += 28
        for i in range(number if kind == 1 else 0):
            word, _ = struct.unpack_from("<Ii", data, at + i * size)
            (t,) = struct.unpack_from("<I", data, at + i * size + toffset)
            if word & 1:
                rows.append((t + (over << 31), word >> 17, word >> 2 & 0x7FFF, bool(word >> 1 & 1)))
        at += capacity * size
    return sorted(rows, key=lambda row: row[0])


def test_reads_the_bits_of_an_event(tmp_path):
    data = aedat3(packet3([(1000, 127, 5, 1), (1001, 0, 126, 0)]))
    assert read(tmp_path, data).tolist() == [(1000, 127, 5, True), (1001, 0, 126, False)]


def test_the_overflow_count_continues_the_clock(tmp_path):
    data = aedat3(packet3([(2**31 - 1, 1, 1, 1)]), packet3([(4, 2, 1, 1)], overflows=1))
    assert read(tmp_path, data)["t"].tolist() == [2**31 - 1, 2**31 + 4]


def test_packets_out_of_order_are_sorted(tmp_path):
    data = aedat3(packet3([(50, 1, 1, 1), (40, 2, 1, 1)]), packet3([(45, 3, 1, 1)]))
    assert read(tmp_path, data)["x"].tolist() == [2, 3, 1]


def test_other_packets_invalid_and_empty_ones_are_left_out(tmp_path):
    data = aedat3(
        packet3([(1, 500, 500, 1)], kind=2),
        packet3([]),
        packet3([(2, 500, 500, 1)], valid=0),
        packet3([(3, 7, 8, 1)]),
    )
    assert read(tmp_path, data).tolist() == [(3, 7, 8, True)]


def test_room_for_more_events_than_there_are_is_skipped(tmp_path):
    head = struct.pack("<hhiiiiii", 1, 1, 12, 8, 0, 3, 1, 1)
    body = struct.pack("<IIi", 5 << 17 | 6 << 2 | 3, 99, 77) + b"\xff" * 24
    assert read(tmp_path, aedat3(head + body, packet3([(78, 1, 1, 0)]))).tolist() == [
        (77, 5, 6, True),
        (78, 1, 1, False),
    ]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "0 bytes and does not begin with #!AER-DAT3.1 at byte offset 0"),
        (b"#!AER-DAT2.0\r\n", "is no AEDAT 3 file"),
        (AEDAT3_HEADER[:-3], r"no line #!END-HEADER up to its end at byte offset \d+"),
        (AEDAT3_HEADER, "holds no events"),
        (aedat3(packet3([(1, 2, 3, 1)])[:20]), f"header at byte offset {START} has 20 of 28 bytes"),
        (
            aedat3(packet3([(1, 2, 3, 1)] * 3))[:-1],
            f"cut off: the packet at byte offset {START} should end at byte offset {START + 52}, "
            f"but the file ends at {START + 51}",
        ),
        (
            aedat3(packet3([(1, 2, 3, 1)]), packet3([(1, 2, 3, 1), (2, 128, 3, 1)])),
            f"the event at byte offset {START + 36 + 28 + 8} has x=128, but x must be 0 to 127",
        ),
        (
            aedat3(packet3([(1, 9, 9, 1)], valid=0), packet3([(2, 3, 300, 1)])),
            f"the event at byte offset {START + 36 + 28} has y=300",
        ),
        (
            aedat3(struct.pack("<hhiiiiii", 1, 1, 8, 5, 0, 0, 0, 0)),
            f"packet header at byte offset {START} cannot be right",
        ),
        (aedat3(struct.pack("<hhiiiiii", 1, 1, 8, 4, 0, 1, 2, 1) + b"12345678"), "2 of 1 events"),
        (aedat3(struct.pack("<hhiiiiii", 3, 1, 0, 0, 0, 1, 1, 1)), "events of 0 bytes"),
        (aedat3(struct.pack("<hhiiiiii", 3, 1, 8, 4, 0, -1, -1, 1)), "-1 of -1 events"),
    ],
)
def test_damaged_files_are_named_with_the_place(tmp_path, data, message):
    with pytest.raises(DataError, match=f"a.aedat.*{message}"):
        read(tmp_path, data)


rows = st.lists(
    st.tuples(
        st.integers(0, 2**31 - 1), st.integers(0, 128), st.integers(0, 127), st.integers(0, 1)
    ),
    max_size=4,
)
packets = st.builds(
    packet3,
    rows,
    overflows=st.integers(0, 3),
    kind=st.sampled_from([1, 1, 1, 0, 2]),
    valid=st.sampled_from([1, 1, 0]),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(st.lists(packets, max_size=4), st.binary(max_size=12), st.integers(0, 200), st.booleans())
def test_any_bytes_are_events_or_one_data_error(tmp_path, parts, junk, place, damage):
    data = aedat3(*parts)
    if damage:
        data = data[:place] + junk + data[place + len(junk) :]
    path = tmp_path / "any.aedat"
    path.write_bytes(data)
    events = events_or_named_fault(lambda file: read_aedat3(file, SIZE), path)
    if events is None:
        return
    assert len(events) > 0
    if not damage:
        assert events.tolist() == plain_read(data)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100)
@given(st.binary(max_size=80))
def test_any_bytes_behind_a_header_are_events_or_one_data_error(tmp_path, data):
    path = tmp_path / "any.aedat"
    path.write_bytes(AEDAT3_HEADER + data)
    events_or_named_fault(lambda file: read_aedat3(file, SIZE), path)
