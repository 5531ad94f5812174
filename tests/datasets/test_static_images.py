"""Static images from files in the form in which they are distributed, byte by byte."""

import io
import pickle
import struct

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from redundancy.datasets import build_dataset
from redundancy.datasets.cifar_files import CIFAR10_FORMAT, CIFAR100_FORMAT, read_batch
from redundancy.datasets.imagenet import read_image
from redundancy.errors import DataError, UsageError

f32 = np.float32
FORMATS = {"cifar10": CIFAR10_FORMAT, "cifar100": CIFAR100_FORMAT}


def some_images(n, seed):
    return np.random.default_rng(seed).integers(0, 256, (n, 3072), np.uint8)


class Python2Pickler(pickle._Pickler):
    """Writes text as the byte strings of Python 2, as the distributed files have it."""

    dispatch = dict(pickle._Pickler.dispatch)  # noqa: RUF012

    def save_text(self, text):
        data = text if isinstance(text, bytes) else text.encode("latin-1")
        short = len(data) < 256
        length = bytes([len(data)]) if short else struct.pack("<i", len(data))
        self.write((pickle.SHORT_BINSTRING if short else pickle.BINSTRING) + length + data)

    dispatch[bytes] = dispatch[str] = save_text


def pickled(images, labels, form):
    """Return a batch as it is distributed: protocol 2 of Python 2 and NumPy 1."""
    content = {
        b"data": images,
        form.label_key.encode(): labels,
        b"batch_label": b"a batch",
        b"filenames": [b"x.png"] * len(images),
    }
    stream = io.BytesIO()
    Python2Pickler(stream, protocol=2).dump(content)
    return stream.getvalue().replace(b"numpy._core", b"numpy.core")


def records(images, labels, form):
    coarse = [[7] * (form.label_bytes - 1)] * len(images)
    rows = [bytes([*c, y]) + x.tobytes() for c, y, x in zip(coarse, labels, images, strict=True)]
    return b"".join(rows)


def write_cifar(folder, name, version, per_file=2):
    """Write both splits and return images and labels of each, in order."""
    form, truth = FORMATS[name], {}
    python = version == "python"
    place = folder / (form.python_folder if python else form.binary_folder)
    place.mkdir()
    for split, files in form.files.items():
        parts = []
        for number, file in enumerate(files):
            images = some_images(per_file, 10 * len(split) + number)
            labels = [(number + i) % form.n_classes for i in range(per_file)]
            labels[0] = form.n_classes - 1
            path = place / (file if python else f"{file}.bin")
            path.write_bytes((pickled if python else records)(images, labels, form))
            parts.append((images, labels))
        truth[split] = (
            np.concatenate([images for images, _ in parts]).reshape(-1, 3, 32, 32),
            [label for _, labels in parts for label in labels],
        )
    return truth


class TestCIFAR:
    @pytest.mark.parametrize("name", ["cifar10", "cifar100"])
    @pytest.mark.parametrize("version", ["python", "binary"])
    @pytest.mark.parametrize("split", ["train", "test"])
    def test_images_are_repeated_in_the_order_of_the_files(self, tmp_path, name, version, split):
        truth = write_cifar(tmp_path, name, version)
        dataset = build_dataset(
            f"{name}:{tmp_path}", split=split, n_timesteps="3", normalize="false"
        )
        images, labels = truth[split]
        assert len(dataset) == len(images) == (10 if (name, split) == ("cifar10", "train") else 2)
        assert dataset.n_classes == FORMATS[name].n_classes
        assert dataset.frame_shape == (3, 3, 32, 32)
        assert dataset.arguments == {"n_timesteps": 3, "normalize": False}
        batch = dataset.batch(1, len(images))
        assert (batch.start, batch.frames.dtype) == (1, f32)
        for time in range(3):
            np.testing.assert_array_equal(batch.frames[:, time], images[1:].astype(f32) / f32(255))
        assert batch.labels.tolist() == labels[1:]

    def test_channels_are_normalised_as_published(self, tmp_path):
        images, _ = write_cifar(tmp_path, "cifar10", "python")["test"]
        frames = build_dataset(f"cifar10:{tmp_path}").batch(0, 2).frames
        assert frames.shape == (2, 6, 3, 32, 32)
        for channel, (mean, deviation) in enumerate(
            ((0.4914, 0.2023), (0.4822, 0.1994), (0.4465, 0.2010))
        ):
            expected = (images[:, channel] / 255 - mean) / deviation
            np.testing.assert_allclose(frames[:, 5, channel], expected, rtol=0, atol=1e-6)

    def test_the_folder_of_the_files_will_do(self, tmp_path):
        write_cifar(tmp_path, "cifar100", "python")
        inside = build_dataset(f"cifar100:{tmp_path / 'cifar-100-python'}")
        outside = build_dataset(f"cifar100:{tmp_path}")
        np.testing.assert_array_equal(inside.batch(0, 2).frames, outside.batch(0, 2).frames)

    def test_batches_pickled_anew_are_read_too(self, tmp_path):
        images, path = some_images(2, 0), tmp_path / "test_batch"
        path.write_bytes(pickle.dumps({"data": images, "labels": [4, 5]}))
        read, labels = read_batch(path, CIFAR10_FORMAT)
        np.testing.assert_array_equal(read.reshape(2, -1), images)
        assert labels.tolist() == [4, 5]

    def test_missing_files_are_named(self, tmp_path):
        with pytest.raises(UsageError, match="there is no folder"):
            build_dataset(f"cifar10:{tmp_path / 'none'}")
        with pytest.raises(UsageError, match=r"no files of split test; expected cifar-10-batches"):
            build_dataset(f"cifar10:{tmp_path}")
        write_cifar(tmp_path, "cifar10", "python")
        (tmp_path / "cifar-10-batches-py" / "data_batch_3").unlink()
        with pytest.raises(UsageError, match="lacks data_batch_3 of split train"):
            build_dataset(f"cifar10:{tmp_path}", split="train")
        build_dataset(f"cifar10:{tmp_path}", split="test")

    def test_a_record_that_is_cut_off_is_placed(self, tmp_path):
        path = tmp_path / "test_batch.bin"
        whole = records(some_images(2, 0), [1, 2], CIFAR10_FORMAT)
        path.write_bytes(whole[:-5])
        with pytest.raises(DataError, match=r"test_batch\.bin .*byte offset 3073 is cut off"):
            read_batch(path, CIFAR10_FORMAT)
        path.write_bytes(b"")
        with pytest.raises(DataError, match="has 0 bytes"):
            read_batch(path, CIFAR10_FORMAT)
        path.write_bytes(records(some_images(2, 0), [1, 10], CIFAR10_FORMAT))
        with pytest.raises(DataError, match="offset 3073 has label 10, but there are 10 classes"):
            read_batch(path, CIFAR10_FORMAT)

    @pytest.mark.parametrize(
        ("images", "labels", "message"),
        [
            (some_images(2, 0)[:, :5], [0, 1], "'data' must be an array of uint8"),
            (some_images(2, 0).astype(f32), [0, 1], "holds an array of f4"),
            (some_images(2, 0), [0], "got a list of 1"),
            (some_images(2, 0), [0, 10], "integers from 0 to 9"),
            (some_images(2, 0), None, "got nothing"),
        ],
    )
    def test_pickles_of_something_else_are_refused(self, tmp_path, images, labels, message):
        path = tmp_path / "test_batch"
        path.write_bytes(pickled(images, labels, CIFAR10_FORMAT))
        with pytest.raises(DataError, match=message):
            read_batch(path, CIFAR10_FORMAT)

    def test_a_pickle_that_would_run_code_is_refused(self, tmp_path):
        path = tmp_path / "test_batch"
        path.write_bytes(b'cbuiltins\neval\n(S\'open("made", "w")\'\ntR.')
        with pytest.raises(DataError, match=r"it would call builtins\.eval"):
            read_batch(path, CIFAR10_FORMAT)

    @pytest.mark.parametrize("version", ["python", "binary"])
    @settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(data=st.data())
    def test_any_bytes_end_in_images_or_one_error(self, tmp_path, version, data):
        good = (pickled if version == "python" else records)(some_images(1, 0), [3], CIFAR10_FORMAT)
        at = data.draw(st.integers(0, len(good) - 1))
        how = data.draw(st.sampled_from(["cut", "change", "other"]))
        if how == "cut":
            content = good[:at]
        elif how == "change":
            content = good[:at] + data.draw(st.binary(min_size=1, max_size=4)) + good[at + 1 :]
        else:
            content = data.draw(st.binary(max_size=64))
        path = tmp_path / ("test_batch" if version == "python" else "test_batch.bin")
        path.write_bytes(content)
        message = ""
        try:
            images, labels = read_batch(path, CIFAR10_FORMAT)
        except DataError as error:
            message = str(error)
        else:
            assert images.shape == (len(labels), 3, 32, 32)
            assert images.dtype == np.uint8
            assert set(labels.tolist()) <= set(range(10))
        assert not message or message.startswith(str(path))


def write_image(path, size, colour=None, mode="RGB", seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    width, height = size
    shape = (height, width) if mode == "L" else (height, width, 3)
    pixels = np.random.default_rng(seed).integers(0, 256, shape, np.uint8)
    if colour is not None:
        pixels[:] = colour
    # A PNG under the endings of ImageNet: formats are told by content.
    Image.fromarray(pixels).save(path, format="PNG")
    return pixels


class TestImageNet:
    def make(self, folder):
        for split in ("train", "val"):
            for label, wnid in enumerate(("n01", "n02", "n03")):
                if (split, wnid) != ("val", "n02"):
                    for n in range(2 + label):
                        colour = (40 * label, 10 * n, 200)
                        write_image(folder / split / wnid / f"{wnid}_{n}.JPEG", (20, 16), colour)
        (folder / "val" / "n01" / "notes.txt").write_text("no image")
        return folder

    def test_classes_are_those_of_both_splits_and_samples_take_turns(self, tmp_path):
        dataset = build_dataset(
            f"imagenet:{self.make(tmp_path)}", resize=16, crop=8, normalize=False, n_timesteps=2
        )
        assert dataset.n_classes == 3
        assert dataset.frame_shape == (2, 3, 8, 8)
        batch = dataset.batch(0, len(dataset))
        assert batch.labels.tolist() == [0, 2, 0, 2, 2, 2]
        red, green = (np.round(batch.frames[:, 1, c, 0, 0] * 255) for c in (0, 1))
        assert red.tolist() == [0, 80, 0, 80, 80, 80]
        assert green.tolist() == [0, 0, 10, 10, 20, 30]
        train = build_dataset(f"imagenet:{tmp_path}", split="train", resize=16, crop=8)
        assert train.batch(0, 9).labels.tolist() == [0, 1, 2, 0, 1, 2, 1, 2, 2]

    def test_channels_are_normalised_as_published(self, tmp_path):
        dataset = build_dataset(f"imagenet:{self.make(tmp_path)}", resize=16, crop=8)
        frames = dataset.batch(0, 2).frames
        expected = (np.array([80, 0, 200]) / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
        assert frames.shape == (2, 4, 3, 8, 8)
        np.testing.assert_allclose(frames[1, 3, :, 4, 4], expected, atol=1e-5)

    @pytest.mark.parametrize("size", [(40, 16), (16, 40), (16, 16)])
    def test_the_middle_is_cut_out(self, tmp_path, size):
        pixels = write_image(tmp_path / "a.png", size)
        got = read_image(tmp_path / "a.png", 16, 8)
        top, left = (size[1] - 8) // 2, (size[0] - 8) // 2
        middle = pixels[top : top + 8, left : left + 8]
        np.testing.assert_array_equal(got, middle.transpose(2, 0, 1))

    def test_the_shorter_side_decides(self, tmp_path):
        write_image(tmp_path / "a.png", (37, 20), colour=(9, 8, 7))
        assert read_image(tmp_path / "a.png", 10, 10)[:, 3, 3].tolist() == [9, 8, 7]

    def test_grey_images_have_three_channels(self, tmp_path):
        write_image(tmp_path / "a.png", (16, 16), mode="L")
        got = read_image(tmp_path / "a.png", 16, 16)
        assert got.shape == (3, 16, 16)
        np.testing.assert_array_equal(got[0], got[2])

    def test_damaged_images_are_named(self, tmp_path):
        folder = self.make(tmp_path)
        path = folder / "val" / "n01" / "n01_0.JPEG"
        path.write_bytes(path.read_bytes()[:-30])
        dataset = build_dataset(f"imagenet:{folder}", resize=16, crop=8)
        with pytest.raises(DataError, match=r"n01_0\.JPEG cannot be read as an image"):
            dataset.batch(0, 1)
        path.write_bytes(b"nothing")
        with pytest.raises(DataError, match=r"n01_0\.JPEG cannot be read as an image"):
            dataset.batch(0, 1)

    def test_other_layouts_are_refused(self, tmp_path):
        with pytest.raises(UsageError, match="there is no folder"):
            build_dataset(f"imagenet:{tmp_path / 'none'}")
        with pytest.raises(UsageError, match="has no folder val for split test"):
            build_dataset(f"imagenet:{tmp_path}")
        write_image(tmp_path / "val" / "ILSVRC2012_val_00000001.JPEG", (8, 8))
        with pytest.raises(UsageError, match="no images in folders of their classes"):
            build_dataset(f"imagenet:{tmp_path}")

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"crop": 300}, "at most resize = 256"),
            ({"crop": 0}, "a crop of at least 1"),
            ({"n_timesteps": 0}, "n_timesteps must be at least 1"),
        ],
    )
    def test_arguments_out_of_range_are_refused(self, tmp_path, arguments, message):
        with pytest.raises(UsageError, match=message):
            build_dataset(f"imagenet:{self.make(tmp_path)}", **arguments)
