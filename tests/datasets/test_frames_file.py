from __future__ import annotations

import hashlib
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from redundancy.datasets import build_dataset, iterate_batches
from redundancy.errors import DataError, UsageError

FRAMES = np.arange(3 * 2 * 2 * 4 * 5).reshape(3, 2, 2, 4, 5)


def save(path, **arrays):
    np.savez_compressed(path, **arrays)
    return f"frames:{path}"


@pytest.mark.parametrize("kind", ["uint8", "int16", "float16", "float32", "float64", ">f4", "bool"])
def test_frames_and_labels_come_back(tmp_path, kind):
    spec = save(tmp_path / "a.npz", frames=FRAMES.astype(kind), labels=np.array([2, 0, 1], "u1"))
    dataset = build_dataset(spec)
    (batch,) = iterate_batches(dataset, 8)
    np.testing.assert_array_equal(batch.frames, FRAMES.astype(kind).astype(np.float32))
    assert batch.frames.dtype == np.float32
    assert batch.labels.dtype == np.int64
    assert batch.labels.tolist() == [2, 0, 1]
    assert (dataset.n_classes, dataset.frame_shape, len(dataset)) == (3, (2, 2, 4, 5), 3)


def test_without_labels_there_are_no_classes(tmp_path):
    dataset = build_dataset(save(tmp_path / "a.npz", frames=FRAMES))
    assert dataset.n_classes is None
    assert dataset.batch(1, 3).labels is None
    np.testing.assert_array_equal(dataset.batch(1, 3).frames, FRAMES[1:])


@pytest.mark.parametrize("split", ["train", "test", "all"])
def test_every_split_is_all_and_the_file_is_recorded(tmp_path, split):
    path = tmp_path / "a:b.npz"
    dataset = build_dataset(save(path, frames=FRAMES), split=split, sha256="of another file")
    assert dataset.split == "all"
    assert dataset.location == str(path)
    assert dataset.arguments == {"sha256": hashlib.sha256(path.read_bytes()).hexdigest()}


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"images": FRAMES}, r"no array 'frames' \(it holds images\)"),
        ({"frames": FRAMES[0]}, r"five dimensions .* got shape \(2, 2, 4, 5\)"),
        ({"frames": FRAMES[:0]}, "none of them empty"),
        ({"frames": FRAMES.astype(complex)}, "real numbers, got complex128"),
        ({"frames": FRAMES.astype(str)}, "real numbers"),
        ({"frames": FRAMES, "labels": np.zeros(2, int)}, "one label for each of the 3 samples"),
        ({"frames": FRAMES, "labels": np.zeros((3, 1), int)}, "one label for each"),
        ({"frames": FRAMES, "labels": np.zeros(3)}, "class indices"),
        ({"frames": FRAMES, "labels": np.array([0, -2, 2])}, "got 1 of 3 that are not, .* -2"),
        ({"frames": np.array([{}], dtype=object)}, "'frames' holds Python objects"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path, arrays, message):
    with pytest.raises(DataError, match=message):
        build_dataset(save(tmp_path / "bad.npz", **arrays))


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e300])
def test_numbers_that_are_not_finite_are_named_with_their_place(tmp_path, value):
    frames = FRAMES.astype(np.float64)
    frames[1, 0, 1, 2, 3] = value
    with pytest.raises(DataError, match=r"frames\[1, 0, 1, 2, 3\] is"):
        build_dataset(save(tmp_path / "bad.npz", frames=frames))


def test_other_files_say_what_is_expected(tmp_path):
    np.save(tmp_path / "a.npy", FRAMES)
    (tmp_path / "text.npz").write_text("no archive")
    with zipfile.ZipFile(tmp_path / "zip.npz", "w") as archive:
        archive.writestr("frames", b"no array")
    for name in ("a.npy", "text.npz", "zip.npz"):
        with pytest.raises(DataError, match="an array 'frames'"):
            build_dataset(f"frames:{tmp_path / name}")
    for name, message in (("missing.npz", "there is no file"), ("", "is a folder")):
        with pytest.raises(UsageError, match=message):
            build_dataset(f"frames:{tmp_path}/{name}")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.data())
def test_a_damaged_file_is_one_data_error_or_the_same_shape(tmp_path, data):
    path = tmp_path / "a.npz"
    save(path, frames=FRAMES.astype(np.uint8))
    content = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        content = content[:place]
    else:
        content[place] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    try:
        dataset = build_dataset(f"frames:{path}")
    except DataError:
        return
    assert np.isfinite(dataset.batch(0, len(dataset)).frames).all()
