from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from redundancy.datasets import build_dataset
from redundancy.datasets.event_images import read_event_image
from redundancy.datasets.har_dvs import read_label_lines, read_npz_events
from redundancy.errors import DataError, UsageError

from .event_files import events_or_named_fault

fuzzed = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
NAME = "dvSave-2021_10_15_19_18_02"


def npz(path, column=1, **changes):
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays = {
        "t": np.arange(0, 8000, 1000),
        "x": np.full(8, column),
        "y": np.arange(8),
        "p": np.arange(8) % 2,
        **changes,
    }
    np.savez(path, **{name: values for name, values in arrays.items() if values is not None})


def image(path, red=(), blue=(), size=(346, 260), mode="RGB"):
    """A grey image with coloured pixels (x, y)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.new("RGB", size, (128, 128, 128))
    for pixels, colour in ((red, (255, 0, 0)), (blue, (0, 0, 255))):
        for pixel in pixels:
            picture.putpixel(pixel, colour)
    (picture.quantize(8) if mode == "P" else picture.convert(mode)).save(path)


def images(folder, count):
    for number in range(1, count + 1):
        image(folder / f"{number}.png", red=[(number, 3)], blue=[(number, 4), (number, 5)])


@pytest.fixture
def folder(tmp_path):
    for name, x in (("action_001/a2", 2), ("action_001/a10", 10), ("action_300/b", 345)):
        npz(tmp_path / f"{name}.npz", x)
    lines = "action_001/a10 40 0\naction_001/a2 41 0\naction_300/b 8 299\naction_300/b 8 299\n"
    (tmp_path / "test_label.txt").write_text(lines)
    (tmp_path / "val_label.txt").write_text("action_001/a2 41 0\n")
    return tmp_path


def test_events(folder):
    dataset = build_dataset(f"har-dvs:{folder}", preset="ma-har", cache=False)
    assert (len(dataset), dataset.n_classes, dataset.split) == (3, 300, "test")
    assert dataset.frame_shape == (8, 2, 260, 346)
    assert dataset.arguments["form"] == "events"
    batch = dataset.batch(0, 3)
    assert batch.labels.tolist() == [0, 299, 0]
    assert [int(np.flatnonzero(f.sum((0, 1, 2)))[0]) for f in batch.frames] == [2, 345, 10]
    # Equal slices of 7 ms: the last event shares the last slice with the one before.
    assert batch.frames[0].sum((1, 2, 3)).tolist() == [1, 1, 1, 1, 1, 1, 1, 1]
    assert [dataset.recording_name(i) for i in (0, 1)] == ["action_001/a2.npz", "action_300/b.npz"]
    assert len(build_dataset(f"har-dvs:{folder}", split="val")) == 1


@pytest.fixture
def image_folder(tmp_path):
    images(tmp_path / "action_007" / NAME, 10)
    (tmp_path / "train_label.txt").write_text(f"action_007/{NAME} 10 6\n")
    return tmp_path


def test_images_are_shared_out_over_the_timesteps(image_folder):
    dataset = build_dataset(f"har-dvs:{image_folder}", split="train", n_timesteps=4, cache=False)
    assert dataset.arguments["form"] == "images"
    batch = dataset.batch(0, 1)
    assert batch.labels.tolist() == [6]
    frames = batch.frames[0]
    by_step = [np.flatnonzero(step.sum((0, 1))).tolist() for step in frames]
    assert by_step == [[1, 2, 3], [4, 5], [6, 7, 8], [9, 10]]
    assert frames[0, 1, 3, 1] == frames[0, 0, 4, 1] == frames[0, 0, 5, 1] == 1
    assert frames.sum() == 30
    assert dataset.events(0)["t"].tolist() == [i for i in range(10) for _ in range(3)]


def test_clips_of_images_and_fewer_images_than_timesteps(image_folder):
    dataset = build_dataset(
        f"har-dvs:{image_folder}", split="train", n_timesteps=4, train_clips=4, downsample=2
    )
    frames = dataset.batch(0, 4).frames
    assert frames.shape == (4, 4, 2, 130, 173)
    # Images 0-1, 2-4, 5-6 and 7-9 of ten, numbered from 1 by their x.
    assert frames.sum((2, 3, 4)).tolist() == [
        [3, 0, 3, 0],
        [3, 3, 3, 0],
        [3, 0, 3, 0],
        [3, 3, 3, 0],
    ]
    assert [set(dataset.events(i)["x"].tolist()) for i in range(4)] == [
        {1, 2},
        {3, 4, 5},
        {6, 7},
        {8, 9, 10},
    ]


def test_a_changed_image_is_converted_anew(image_folder):
    def total():
        return build_dataset(f"har-dvs:{image_folder}", split="train").batch(0, 1).frames.sum()

    assert total() == 30
    image(image_folder / "action_007" / NAME / "3.png", red=[(1, 1)] + [(i, 9) for i in range(50)])
    assert total() == 27 + 51


def test_images_have_no_times(image_folder):
    for arguments in ({"dt_ms": 10.0}, {"slices": "events"}):
        with pytest.raises(UsageError, match="have no times"):
            build_dataset(f"har-dvs:{image_folder}", split="train", **arguments)


def test_missing_images_are_named(image_folder):
    (image_folder / "action_007" / NAME / "3.png").unlink()
    dataset = build_dataset(f"har-dvs:{image_folder}", split="train", cache=False)
    with pytest.raises(DataError, match=r"holds 9 images \(.png\), but the label file lists 10"):
        dataset.batch(0, 1)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
def test_colours_tell_the_polarity(tmp_path, mode):
    image(tmp_path / "a.png", red=[(5, 6)], blue=[(345, 259)], mode=mode)
    on, off = read_event_image(tmp_path / "a.png", (260, 346))
    assert np.argwhere(on).tolist() == [[6, 5]]
    assert np.argwhere(off).tolist() == [[259, 345]]


def test_brightness_tells_the_polarity_of_grey_images(tmp_path):
    values = np.full((260, 346), 100, np.uint8)
    values[3, 4], values[5, 6] = 255, 0
    Image.fromarray(values).save(tmp_path / "a.png")
    on, off = read_event_image(tmp_path / "a.png", (260, 346))
    assert (np.argwhere(on).tolist(), np.argwhere(off).tolist()) == ([[3, 4]], [[5, 6]])


def test_damaged_images_are_named(tmp_path):
    path = tmp_path / "bad.png"
    image(path)
    whole = path.read_bytes()
    for data in (b"", b"not an image", whole[:-30], whole[:40]):
        path.write_bytes(data)
        with pytest.raises(DataError, match=r"bad\.png cannot be read as a PNG image"):
            read_event_image(path, (260, 346))
    image(path, size=(260, 346))
    with pytest.raises(DataError, match=r"bad\.png has 346x260 pixels"):
        read_event_image(path, (260, 346))


@fuzzed
@given(st.integers(0, 2000), st.binary(min_size=1, max_size=8))
def test_any_bytes_for_an_image_are_an_image_or_one_data_error(tmp_path, place, junk):
    path = tmp_path / "any.png"
    image(path, red=[(1, 1)])
    data = path.read_bytes()
    path.write_bytes(data[: place % len(data)] + junk + data[place % len(data) + len(junk) :])
    found = events_or_named_fault(lambda file: read_event_image(file, (260, 346)), path)
    assert found is None or found[0].shape == (260, 346)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (b"", "lists no recordings up to its end at byte offset 0"),
        (b"action_001/a2 41\n", "line 1 at byte offset 0 is 'action_001/a2 41'"),
        (b"action_001/a2 41 0\n\nother\n", "line 3 at byte offset 20 is 'other'"),
        (b"action_001/a2 41 300\n", "has label 300, but labels are 0 to 299"),
        (b"action_001/a2 1 0\naction_001/a2 1 7\n", "gives action_001/a2 the label 7, but line 1"),
        (b"../a 1 0\n", "outside the folder"),
        (b"/etc/a 1 0\n", "outside the folder"),
        (b"action_001/a2 1 0\naction_001/gone 1 0\n", "lists action_001/gone in line 2, but there"),
    ],
)
def test_damaged_label_files_are_named_with_the_place(folder, lines, message):
    (folder / "test_label.txt").write_bytes(lines)
    with pytest.raises(DataError, match=rf"test_label\.txt.*{message}"):
        build_dataset(f"har-dvs:{folder}")


@fuzzed
@given(
    st.binary(max_size=40)
    | st.lists(
        st.tuples(st.sampled_from("abc"), st.integers(0, 9), st.integers(0, 301)), max_size=5
    ).map(lambda rows: "".join(f"{n} {k} {label}\n" for n, k, label in rows).encode())
)
def test_any_label_file_is_a_list_or_one_data_error(tmp_path, data):
    path = tmp_path / "any.txt"
    path.write_bytes(data)
    listed = events_or_named_fault(read_label_lines, path)
    assert listed is None or all(label < 300 for label, _, _ in listed.values())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"p": None}, "has no array 'p'.*an .npz file with the arrays t, x, y and p"),
        ({"x": np.arange(7)}, "columns of one length"),
        ({"x": np.zeros((8, 1))}, "columns of one length"),
        ({"y": np.arange(8) + 253}, "row 7 has y=260, but y must be 0 to 259"),
        ({"x": np.full(8, -1)}, "row 0 has x=-1"),
        ({name: np.empty(0) for name in "txyp"}, "holds no events"),
        ({"t": np.array([None] * 8)}, "'t' holds Python objects"),
    ],
)
def test_damaged_events_are_named(tmp_path, changes, message):
    npz(tmp_path / "bad.npz", **changes)
    with pytest.raises(DataError, match=rf"bad\.npz.*{message}"):
        read_npz_events(tmp_path / "bad.npz")


def test_polarity_of_both_conventions_and_disorder(tmp_path):
    npz(tmp_path / "a.npz", p=np.array([-1, 1] * 4), t=np.arange(8)[::-1])
    events = read_npz_events(tmp_path / "a.npz")
    assert events["p"].tolist() == [True, False] * 4
    assert events["y"].tolist() == list(range(8))[::-1]


@fuzzed
@given(st.integers(0, 3000), st.binary(min_size=1, max_size=16), st.booleans())
def test_any_bytes_for_events_are_events_or_one_data_error(tmp_path, place, junk, cut):
    path = tmp_path / "any.npz"
    npz(path)
    data = path.read_bytes()
    place %= len(data)
    path.write_bytes(data[:place] + junk + (b"" if cut else data[place + len(junk) :]))
    events = events_or_named_fault(read_npz_events, path)
    assert events is None or 0 < len(events) <= 8


def test_a_missing_or_foreign_folder_says_what_is_expected(tmp_path):
    with pytest.raises(UsageError, match=r"there is no folder .*train_label\.txt"):
        build_dataset(f"har-dvs:{tmp_path / 'nowhere'}")
    with pytest.raises(UsageError, match=r"has no file test_label\.txt; expected"):
        build_dataset(f"har-dvs:{tmp_path}")
    (tmp_path / "test_label.txt").write_text("action_001/a 3 0\n")
    with pytest.raises(DataError, match=r"neither .*action_001/a\.npz nor a folder"):
        build_dataset(f"har-dvs:{tmp_path}")
    with pytest.raises(UsageError, match="form must be events, images or none, got 'film'"):
        build_dataset(f"har-dvs:{tmp_path}", form="film")
