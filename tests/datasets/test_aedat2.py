from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from redundancy.datasets.aedat2 import DECODINGS, read_aedat2, recognise_decoding
from redundancy.errors import DataError

from .event_files import (
    AEDAT2_HEADER,
    aedat2,
    davis_address,
    dvs128_address,
    events_or_named_fault,
)

START = len(AEDAT2_HEADER)
fuzzed = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.aedat"


def read(path, data, decoding):
    path.write_bytes(data)
    return read_aedat2(path, decoding).tolist()


def test_reads_the_bits_of_a_dvs128(path):
    data = aedat2([(dvs128_address(127, 5, 1), 10), (dvs128_address(0, 126, 0), 11)])
    assert read(path, data, "dvs128") == [(10, 127, 5, True), (11, 0, 126, False)]
    assert data[START:] == bytes([0, 0, 0x05, 0xFF, 0, 0, 0, 10, 0, 0, 0x7E, 0, 0, 0, 0, 11])


def test_reads_the_bits_of_a_davis346(path):
    data = aedat2([(davis_address(345, 5, 1), 10), (davis_address(0, 259, 0), 11)])
    assert read(path, data, "davis346") == [(10, 345, 5, True), (11, 0, 259, False)]


def test_reads_as_the_published_code_does(path):
    data = aedat2([(davis_address(7, 5, 1), 10), (davis_address(128, 5, 0), 11)])
    assert read(path, data, "asa") == [(10, 120, 5, False)]


def test_what_is_no_polarity_event_is_left_out(path):
    event = davis_address(9, 9, 1)
    data = aedat2([(event | 1 << 31, 1), (event | 1 << 10, 2), (event, 3)])
    assert read(path, data, "davis346") == [(3, 9, 9, True)]
    event = dvs128_address(9, 9, 1)
    assert read(path, aedat2([(event | 1 << 15, 1), (event, 2)]), "dvs128") == [(2, 9, 9, True)]


def test_a_clock_that_wraps_is_continued_and_disorder_sorted(path):
    data = aedat2([(0, 2**32 - 5), (2, 2**32 - 9), (4, 3), (6, 1)])
    times = [row[0] for row in read(path, data, "dvs128")]
    assert times == [2**32 - 9, 2**32 - 5, 2**32 + 1, 2**32 + 3]


@pytest.mark.parametrize(
    ("data", "camera"),
    [
        (aedat2([(dvs128_address(127, 127, 1), 1)]), "dvs128"),
        (aedat2([(dvs128_address(127, 127, 1) | 1 << 15, 1)]), "dvs128"),
        (aedat2([(davis_address(0, 1, 0), 1)]), "davis346"),
        (aedat2([(davis_address(16, 0, 0), 1)]), "davis346"),
        (aedat2([(4, 1)], "eu.seebetter.ini.chips.davis.DAVIS346blue"), "davis346"),
        (aedat2([(1 << 20, 1)], "ch.unizh.ini.jaer.chip.retina.DVS128"), "dvs128"),
        (aedat2([(1 << 20, 1)], "DVS128 or DAVIS"), "davis346"),
    ],
)
def test_the_camera_is_told_by_the_header_or_the_largest_address(path, data, camera):
    path.write_bytes(data)
    assert recognise_decoding(path) == camera


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("address", [0x230A0000, 0x230D0A00, 0x23413233])
def test_a_first_event_that_looks_like_text_is_an_event(path, line_end, address):
    events = aedat2([(address, 0x0D0A0A0A), (0, 0x0D0A0A0B)]).replace(b"\r\n", line_end, 2)
    assert len(read(path, events, "davis346")) == 2


def test_an_event_that_begins_like_a_header_line_is_an_event(path):
    address = 0x23 << 24 | 5 << 12
    data = aedat2([(address, 0x0A0A0A0A), (address, 0x0A0A0A0B)])
    assert [row[1:3] for row in read(path, data, "davis346")] == [(5, 140)] * 2
    text = struct.unpack(">I", b"#abc")[0]
    marked = AEDAT2_HEADER + b"#End Of ASCII Header\r\n" + struct.pack(">II", text, 0x0D0A)
    path.write_bytes(marked)
    assert recognise_decoding(path) == "davis346"
    assert (text & 0x3FF000) >> 12 == 0x216
    with pytest.raises(DataError, match=rf"byte offset {START + 22} has x=534"):
        read_aedat2(path, "davis346")


@pytest.mark.parametrize(
    ("data", "decoding", "message"),
    [
        (b"", "dvs128", "0 bytes and does not begin with #!AER-DAT2.0 at byte offset 0"),
        (b"#!AER-DAT3.1\r\n", "dvs128", "is no AEDAT 2 file"),
        (AEDAT2_HEADER, "dvs128", "holds no events"),
        (aedat2([(0, 1), (0, 2)])[:-3], "dvs128", f"the 5 bytes from byte offset {START + 8} on"),
        (
            aedat2([(0, 1), (davis_address(346, 1, 1), 2)]),
            "davis346",
            f"the event at byte offset {START + 8} has x=346, but x must be 0 to 345",
        ),
        (
            aedat2([(1 << 31, 1), (davis_address(3, 260, 1), 2)]),
            "davis346",
            f"the event at byte offset {START + 8} has y=260",
        ),
        (
            aedat2([(0, 1), (1 << 16, 2)]),
            "dvs128",
            f"byte offset {START + 8} has address 0x10000",
        ),
        (aedat2([(0, 1)], "DVS128"), "davis346", "names a dvs128, but the data set is read as dav"),
    ],
)
def test_damaged_files_are_named_with_the_place(path, data, decoding, message):
    path.write_bytes(data)
    with pytest.raises(DataError, match=f"a.aedat.*{message}"):
        read_aedat2(path, decoding)


def test_no_events_have_no_camera(path):
    path.write_bytes(AEDAT2_HEADER)
    with pytest.raises(DataError, match=f"holds no events from byte offset {START} on"):
        recognise_decoding(path)


@fuzzed
@given(
    st.binary(max_size=60)
    | st.binary(max_size=40).map(lambda data: AEDAT2_HEADER + data)
    | st.lists(
        st.tuples(st.integers(0, 2**15) | st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1)),
        max_size=4,
    ).map(aedat2),
    st.sampled_from(list(DECODINGS)),
)
def test_any_bytes_are_events_or_one_data_error(tmp_path, data, decoding):
    path = tmp_path / "any.aedat"
    path.write_bytes(data)
    events_or_named_fault(recognise_decoding, path)
    events = events_or_named_fault(lambda file: read_aedat2(file, decoding), path)
    if events is not None:
        height, width = DECODINGS[decoding][0]
        assert 0 < len(events) <= len(data) // 8
        assert events["x"].max() < width
        assert events["y"].max() < height
        assert np.all(np.diff(events["t"]) >= 0)


@fuzzed
@given(
    st.lists(
        st.tuples(st.integers(0, 345), st.integers(0, 259), st.integers(0, 1)),
        min_size=1,
        max_size=8,
    )
)
def test_a_davis346_equals_the_mirror_image_that_tonic_reads(tmp_path, pixels):
    from tonic.io import read_davis_346

    # Tonic takes a first event that begins with the byte of "#" for a line of its header.
    pixels = [(0, 0, 0), *pixels]
    path = tmp_path / "same.aedat"
    path.write_bytes(aedat2([(davis_address(*pixel), 5 * i) for i, pixel in enumerate(pixels)]))
    ours, (_, _, theirs) = read_aedat2(path, "davis346"), read_davis_346(str(path))
    np.testing.assert_array_equal(ours["x"], 345 - theirs["x"].astype(int))
    np.testing.assert_array_equal(ours["y"], 259 - theirs["y"].astype(int))
    np.testing.assert_array_equal(ours["p"], theirs["p"])
    np.testing.assert_array_equal(ours["t"], theirs["t"])
