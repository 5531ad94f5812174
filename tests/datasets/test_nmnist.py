from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from redundancy.datasets import build_dataset
from redundancy.datasets.nmnist import NMNIST, NMNISTArguments, read_recording
from redundancy.errors import DataError, UsageError

from .conftest import REPOSITORY

REAL = REPOSITORY.parent / "shared" / "data" / "nmnist"
needs_recordings = pytest.mark.skipif(
    not REAL.is_dir(), reason="the real N-MNIST recordings are not beside the checkout"
)


def encode(*events: tuple[int, int, int, int]) -> bytes:
    """Bytes of events (t, x, y, p), as the N-MNIST description has them."""
    return b"".join(
        bytes([x, y, p << 7 | t >> 16 & 0x7F, t >> 8 & 0xFF, t & 0xFF]) for t, x, y, p in events
    )


def plain_read(data: bytes) -> list[tuple[int, int, int, bool]]:
    rows, base = [], 0
    for i in range(0, len(data), 5):
        x, y, high, middle, low = data[i : i + 5]
        if y == 240:
            base += 1 << 13
        else:
            rows.append((((high & 127) << 16 | middle << 8 | low) + base, x, y, high > 127))
    return sorted(rows, key=lambda row: row[0])


@pytest.fixture
def folder(tmp_path):
    """Two recordings of digit 3, one of 7 (Test); one of 0 (Train)."""
    for name in ("Test/3/00010.bin", "Test/3/00002.bin", "Test/7/00005.bin", "Train/0/1.bin"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode((100, int(path.stem) % 34, 5, 1), (70_000, 2, 3, 0)))
    return tmp_path


def test_reads_the_bytes_of_an_event(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(encode((0x123456, 33, 0, 1), (0x7FFFFF, 0, 33, 0)))
    assert read_recording(path).tolist() == [(0x123456, 33, 0, True), (0x7FFFFF, 0, 33, False)]


def test_events_out_of_order_are_sorted_and_equal_times_keep_their_order(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(encode((5, 1, 0, 1), (9, 2, 0, 1), (5, 3, 0, 1), (5, 4, 0, 1)))
    assert read_recording(path)["x"].tolist() == [1, 3, 4, 2]


def test_a_mark_of_the_clock_moves_later_events(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(encode((5, 1, 0, 1)) + bytes([0, 240, 0, 0, 0]) + encode((6, 2, 0, 1)))
    assert read_recording(path)["t"].tolist() == [5, 6 + 2**13]


def test_the_order_is_by_number_then_digit(folder):
    dataset = build_dataset(f"nmnist:{folder}")
    assert len(dataset) == 3
    batch = dataset.batch(0, 3)
    assert batch.labels.tolist() == [3, 7, 3]
    assert [np.flatnonzero(f.sum((0, 1, 2))).tolist() for f in batch.frames] == [
        [2],
        [2, 5],
        [2, 10],
    ]
    assert build_dataset(f"nmnist:{folder}", split="train").batch(0, 1).labels.tolist() == [0]


def test_what_it_says_of_itself(folder):
    dataset = build_dataset(f"nmnist:{folder}", size="8", n_timesteps="4", split="train")
    assert (dataset.name, dataset.split, dataset.n_classes) == ("nmnist", "train", 10)
    assert dataset.location == str(folder)
    assert dataset.frame_shape == (4, 2, 8, 8)
    assert dataset.arguments == {
        "n_timesteps": 4,
        "dt_ms": None,
        "downsample": None,
        "size": "8",
        "binary": False,
    }
    assert build_dataset(f"nmnist:{folder}", **dataset.arguments).arguments == dataset.arguments


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(
    st.binary(max_size=60)
    | st.lists(
        st.tuples(
            st.integers(0, 2**23 - 1),
            st.integers(0, 34),
            st.integers(0, 34) | st.just(240),
            st.integers(0, 1),
        ),
        max_size=12,
    ).map(lambda rows: encode(*rows))
)
def test_any_bytes_are_events_or_one_data_error(tmp_path, data):
    path = tmp_path / "any.bin"
    path.write_bytes(data)
    try:
        events = read_recording(path)
    except DataError:
        return
    assert events.tolist() == plain_read(data)
    assert len(events) > 0


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "0 bytes"),
        (encode((1, 1, 1, 1)) + b"ab", "offset 5 on"),
        (encode((1, 1, 1, 1), (2, 34, 3, 0)), r"byte offset 5 lies at x=34, y=3"),
        (bytes([0, 240, 0, 0, 0]) * 3, "3 of 3 events"),
        (encode((1, 1, 1, 1)) + bytes([0, 240, 0, 0, 0]) * 10_001, "10001 of 10002"),
    ],
)
def test_damaged_files_are_named_with_the_place(tmp_path, data, message):
    path = tmp_path / "bad.bin"
    path.write_bytes(data)
    with pytest.raises(DataError, match=f"bad.bin.*{message}"):
        read_recording(path)


def test_a_missing_or_foreign_folder_says_what_is_expected(tmp_path):
    with pytest.raises(UsageError, match=r"no folder .*Train/<digit>/\*\.bin"):
        NMNIST(tmp_path / "nowhere")
    with pytest.raises(UsageError, match=r"has no folder Test; .*Train/<digit>/\*\.bin"):
        NMNIST(tmp_path)
    (tmp_path / "Test" / "0").mkdir(parents=True)
    with pytest.raises(UsageError, match=r"holds no recordings; expected Test/<digit>/\*\.bin"):
        NMNIST(tmp_path)


@pytest.mark.parametrize(("start", "stop"), [(-1, 1), (0, 4), (2, 2), (2, 1)])
def test_samples_that_are_not_there_are_refused(folder, start, stop):
    with pytest.raises(UsageError, match="not within the dataset's 3"):
        NMNIST(folder).batch(start, stop)


@needs_recordings
def test_real_recordings():
    dataset = NMNIST(REAL, NMNISTArguments(n_timesteps=10))
    assert len(dataset) == 100
    assert len(NMNIST(REAL, split="train")) == 1000
    batch = dataset.batch(0, 100)
    assert batch.labels[:20].tolist() == [*range(10)] * 2
    counts = np.bincount(batch.labels, minlength=10)
    assert counts.tolist() == [8, 14, 8, 11, 14, 7, 10, 15, 2, 11]
    events = dataset.events(0)
    assert batch.frames[0].sum() == len(events)
    assert np.all(np.diff(events["t"]) >= 0)


@needs_recordings
def test_real_recordings_equal_the_plain_reader():
    path = REAL / "Test" / "0" / "00004.bin"
    assert read_recording(path).tolist() == plain_read(path.read_bytes())
