"""A dataset that is not what it says is named; files claim no more than they may."""

from __future__ import annotations

import os
import pickle
import time
import zipfile

import numpy as np
import pytest
from PIL import Image

from redundancy.datasets import build_dataset
from redundancy.datasets.array_files import read_npy, read_npz
from redundancy.datasets.base import Batch
from redundancy.datasets.checked_batch import iterate_batches, read_first_batch
from redundancy.datasets.cifar_files import CIFAR10_FORMAT, read_batch
from redundancy.datasets.event_tables import read_text_events
from redundancy.datasets.frames_file import FramesFile
from redundancy.datasets.imagenet import read_image
from redundancy.errors import DataError, LimitError, RedundancyError, UsageError
from redundancy.limits import VARIABLE
from redundancy.sharding.plan import Plan, observe_shard
from tests.toy import ToyDataset


def changed(edit, n_samples=8, **others):
    """Return a dataset whose batches from sample 3 on are what `edit` makes of them."""

    class Changed(ToyDataset):
        def batch(self, start, stop):
            batch = super().batch(start, stop)
            return edit(batch) if start >= 3 else batch

    return Changed(n_samples, **others)


def with_frames(change):
    return lambda batch: Batch(batch.start, change(batch.frames), batch.labels)


def spoilt(value):
    def change(frames):
        frames = frames.copy()
        frames[1, 2, 0, 3, 4] = value
        return frames

    return with_frames(change)


WRONG = {
    "short": (with_frames(lambda f: f[:-1]), "gave 2 samples for the 3 asked for"),
    "long": (with_frames(lambda f: np.concatenate([f, f])), "gave 6 samples for the 3"),
    "none": (with_frames(lambda f: f[:0]), "gave 0 samples for the 3"),
    "T": (with_frames(lambda f: f[:, :4]), "frames of T = 4, but the dataset's frame_shape says 5"),
    "channels": (with_frames(lambda f: f[:, :, :1]), "channels = 1, .* says 2"),
    "y": (with_frames(lambda f: f[..., :7, :]), "y = 7, .* says 8"),
    "axes": (with_frames(lambda f: f.swapaxes(0, 1)), "gave 5 samples"),
    "flat": (with_frames(lambda f: f.reshape(3, -1)), r"shape \(3, 640\), expected \(sample, time"),
    "complex": (with_frames(lambda f: f.astype(complex)), "frames of complex128"),
    "object": (with_frames(lambda f: f.astype(object)), "frames of object"),
    "text": (with_frames(lambda f: f.astype(str)), "expected real numbers"),
    "list": (with_frames(lambda f: f.tolist()), "frames of type list"),
    "masked": (with_frames(lambda f: np.ma.masked_equal(f, 0)), "frames of type MaskedArray"),
    "NaN": (spoilt(np.nan), r"frames\[1, 2, 0, 3, 4\] is nan"),
    "infinite": (spoilt(-np.inf), r"frames\[1, 2, 0, 3, 4\] is -inf"),
    "large": (with_frames(lambda f: f + np.float64(1e300)), "no finite float32"),
    "whole": (with_frames(lambda f: f.astype(np.int64) + 2**24 + 1), "int64 that float32 cannot"),
    "start": (lambda b: Batch(b.start + 1, b.frames, b.labels), "samples from 4 on, not from 3"),
    "zero": (lambda b: Batch(0, b.frames, b.labels), "the samples from 0 on, not from 3"),
    "tuple": (lambda b: (b.frames, b.labels), "gave a tuple and no Batch"),
    "nothing": (lambda b: None, "gave a NoneType and no Batch"),
    "labels": (lambda b: Batch(b.start, b.frames, None), "gave no labels"),
    "few labels": (lambda b: Batch(b.start, b.frames, b.labels[:2]), r"labels of shape \(2,\)"),
    "recordings": (
        lambda b: Batch(b.start, b.frames, b.labels, np.zeros(2, int)), r"recordings of shape \(2,"
    ),
}  # fmt: skip


class Counter:
    """Observes nothing, and counts samples."""

    def __init__(self):
        self.n_samples = 0

    def observe(self, batch):
        self.n_samples += len(batch.frames)
        return {}


@pytest.mark.parametrize("case", WRONG)
def test_a_batch_that_is_not_what_was_asked_for_is_named(case):
    edit, message = WRONG[case]
    dataset = changed(edit)
    plan = Plan.of(dataset, 3)
    with pytest.raises(DataError, match=rf"dataset 'toy': batch\(3, 6\) .*{message}"):
        observe_shard(Counter(), dataset, plan, plan.samples)
    with pytest.raises(DataError, match=message):
        list(iterate_batches(dataset, 3))


def test_what_is_right_is_what_it_was():
    dataset = ToyDataset(8)
    batches = list(iterate_batches(dataset, 3))
    np.testing.assert_array_equal(np.concatenate([b.frames for b in batches]), dataset.frames)
    np.testing.assert_array_equal(np.concatenate([b.labels for b in batches]), dataset.labels)


@pytest.mark.parametrize("kind", [bool, np.uint8, np.int64, np.float16, np.float64, ">f4"])
def test_frames_of_other_types_are_converted_where_nothing_is_lost(kind):
    dataset = ToyDataset(4)
    dataset.frames = np.minimum(dataset.frames, 1).astype(kind)
    (batch,) = iterate_batches(dataset, 4)
    assert batch.frames.dtype == np.float32
    np.testing.assert_array_equal(batch.frames, dataset.frames)


def test_rounding_is_told():
    dataset = ToyDataset(4)
    dataset.frames = dataset.frames + 0.1 * np.ones(1)
    with pytest.warns(UserWarning, match="dataset 'toy': frames of float64 are rounded"):
        list(iterate_batches(dataset, 4))


def test_batches_are_no_aliases_of_the_dataset():
    dataset = ToyDataset(8)
    kept, before = list(iterate_batches(dataset, 4)), dataset.frames.copy()
    kept[0].frames[:] += 1
    kept[0].labels[:] += 1
    np.testing.assert_array_equal(dataset.frames, before)
    dataset.frames[:] = 7
    np.testing.assert_array_equal(kept[1].frames, before[4:])


@pytest.mark.parametrize("what", ["frames", "labels"])
def test_samples_that_change_when_read_again(what):
    random = np.random.default_rng(0)

    class Random(ToyDataset):
        def batch(self, start, stop):
            # One buffer, filled anew.
            values = getattr(self, what)
            values[:] = random.permutation(values.ravel()).reshape(values.shape)
            return super().batch(start, stop)

    with pytest.raises(DataError, match=f"gave other {what} when it was read again"):
        read_first_batch(Random(8), 0, 8)
    with pytest.raises(DataError, match="read again"):
        list(iterate_batches(Random(8), 8))


class Long(ToyDataset):
    """Says that it has more samples than it has."""

    length: object = 9

    def __len__(self):
        return self.length

    def batch(self, start, stop):
        return Batch(start, np.stack([self.frames[i] for i in range(start, stop)]), self.labels)


def test_a_length_that_is_not_true():
    class Slicing(Long):
        def batch(self, start, stop):
            return Batch(start, self.frames[start:stop], self.labels[start:stop])

    with pytest.raises(DataError, match=r"batch\(8, 9\) gave 0 samples"):
        list(iterate_batches(Slicing(8), 4))
    with pytest.raises(DataError, match=r"batch\(0, 9\) fails \(IndexError.* its length is 9"):
        list(iterate_batches(Long(8), 9))
    for length in (-1, 2.5, None):
        broken = Long(8)
        broken.length = length
        with pytest.raises(DataError, match="dataset 'toy' has no number of samples"):
            Plan.of(broken, 4)


@pytest.mark.parametrize("shape", [(5, 2, 8), (0, 2, 8, 8), (5, 2, 8, 8.5), (5, 2, 8, -8), 5])
def test_a_shape_that_cannot_be(shape):
    dataset = ToyDataset(4)
    dataset.frame_shape = shape
    with pytest.raises(DataError, match="frame_shape must be four positive whole numbers"):
        Plan.of(dataset, 2)


@pytest.mark.parametrize("size", [10**30, 2**31, 0, -1, float("nan"), 2.5, True, "4", None])
def test_batch_sizes_that_cannot_be(size):
    with pytest.raises(UsageError, match=r"batch size must be at (least 1|most)"):
        Plan.of(ToyDataset(4), size)


def test_a_batch_that_does_not_fit_into_memory(monkeypatch):
    monkeypatch.setenv(VARIABLE, "0.00001")
    with pytest.raises(UsageError, match=r"a batch of 8 samples of dataset 'toy' takes .* GiB"):
        Plan.of(ToyDataset(8), 100)
    assert Plan.of(ToyDataset(8), 2).total == 8


@pytest.mark.parametrize(
    ("spec", "arguments", "message"),
    [
        ("synthetic-gait", {"test_per_class": 10**9}, "must be from 1 to 1000000"),
        ("synthetic-gait", {"n_classes": 10**9}, "n_classes .* must be from"),
        ("synthetic-gait", {"n_timesteps": 10**9}, "longer than the recordings"),
        ("synthetic-gait", {"n_timesteps": 10**9, "dt_ms": "none"}, "TiB|GiB a sample"),
        ("synthetic-gait", {"size": "999999x999999"}, "size must lie between"),
        ("synthetic-gait", {"n_timesteps": -1}, "at least 1"),
        ("synthetic-gait", {"n_timesteps": "nan"}, "must be int"),
        ("synthetic-gait", {"dt_ms": "nan"}, "must be float"),
        ("nmnist", {"n_timesteps": 10**9}, "GiB a sample"),
        ("nmnist", {"n_timesteps": 10**30}, "GiB a sample"),
        ("imagenet", {"crop": 10**9, "resize": 10**9}, "GiB a sample"),
        ("imagenet", {"n_timesteps": 10**9}, "GiB a sample"),
    ],
)
def test_arguments_of_absurd_size(tmp_path, spec, arguments, message):
    began = time.monotonic()
    spec = spec if spec == "synthetic-gait" else f"{spec}:{tmp_path}"
    with pytest.raises(UsageError, match=message):
        build_dataset(spec, **arguments)
    assert time.monotonic() - began < 5


def claiming(path, shape, kind="<f4", *, header=None):
    """Write an .npz file whose array claims a shape and holds nothing."""
    text = header or f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    data = b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("frames.npy", data)
    path.with_suffix(".npy").write_bytes(data)
    return path


def test_what_arrays_claim_is_limited_before_they_are_made(tmp_path):
    path = claiming(tmp_path / "a.npz", (10**6, 10, 2, 128, 128))
    with pytest.raises(LimitError, match=r"a.npz .*claims .* GiB"):
        build_dataset(f"frames:{path}")
    with pytest.raises(LimitError, match=r"a.npy claims"):
        read_npy(path.with_suffix(".npy"), "an array")


def test_compressed_zeros_are_limited_by_what_they_become(tmp_path, monkeypatch):
    np.savez_compressed(tmp_path / "a.npz", frames=np.zeros((64, 4, 2, 64, 64), np.uint8))
    monkeypatch.setenv(VARIABLE, "0.001")
    with pytest.raises(LimitError, match=VARIABLE):
        build_dataset(f"frames:{tmp_path / 'a.npz'}")
    monkeypatch.setenv(VARIABLE, "1")
    assert len(build_dataset(f"frames:{tmp_path / 'a.npz'}")) == 64


def test_a_header_that_claims_to_be_long(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("frames.npy", b"\x93NUMPY\x02\x00\xff\xff\xff\xff" + b" " * 100)
    with pytest.raises(DataError, match="header claims 4294967295 bytes"):
        read_npz(tmp_path / "a.npz", ["frames"], [], "frames")


class Trap:
    """Makes a file when it is unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return open, (self.path, "w")


def test_objects_are_never_unpickled(tmp_path):
    made = tmp_path / "made"
    objects = np.array([Trap(made)], dtype=object)
    np.savez(tmp_path / "a.npz", frames=objects)
    np.savez(tmp_path / "b.npz", frames=np.ones((1, 2, 2, 4, 4)), labels=objects)
    np.save(tmp_path / "c.npy", objects)
    for name, array in (("a", "frames"), ("b", "labels")):
        with pytest.raises(DataError, match=f"'{array}' holds Python objects, which are not read"):
            build_dataset(f"frames:{tmp_path / name}.npz")
    with pytest.raises(DataError, match="Python objects"):
        read_npy(tmp_path / "c.npy", "an array")
    for content in ({"data": Trap(made), "labels": [0]}, Trap(made), [Trap(made)]):
        (tmp_path / "test_batch").write_bytes(pickle.dumps(content, 2))
        with pytest.raises(DataError, match="it would call"):
            read_batch(tmp_path / "test_batch", CIFAR10_FORMAT)
    assert not made.exists()


@pytest.mark.parametrize(
    "content",
    [
        # Would keep 2^31 objects; make an array of 10^12; of objects; call a class.
        b"\x80\x02]r\xff\xff\xff\x7f.",
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n\x8a\x05\0\0\0\0\x10\x85U\x01b\x87R.",
        b"\x80\x02cnumpy\nndarray\n\x8a\x05\0\0\0\0\x10\x85\x85R.",
        b"\x80\x02cposix\nsystem\nU\x04true\x85R.",
        b"\x80\x05\x96\xff\xff\xff\xff\xff\xff\xff\x7f.",
        pickle.dumps({b"data": np.zeros((1, 3072), object), b"labels": [0]}, 2),
    ],
)
def test_pickles_take_no_memory_and_call_nothing(tmp_path, content):
    (tmp_path / "test_batch").write_bytes(content)
    with pytest.raises(DataError, match="test_batch"):
        read_batch(tmp_path / "test_batch", CIFAR10_FORMAT)


def test_images_are_limited_by_their_size(tmp_path, monkeypatch):
    Image.new("1", (60_000, 2_000)).save(tmp_path / "large.png")
    Image.new("L", (100_000, 1)).save(tmp_path / "long.png")
    with pytest.raises(LimitError, match=r"long.png"):
        read_image(tmp_path / "long.png", 2560, 224)
    monkeypatch.setenv(VARIABLE, "0.1")
    with pytest.raises(LimitError, match=r"large.png \(60000x2000 pixels\) claims"):
        read_image(tmp_path / "large.png", 256, 224)


def test_what_is_no_file_is_never_read(tmp_path):
    os.symlink("/dev/zero", tmp_path / "a.txt")
    os.symlink("/dev/zero", tmp_path / "a.npz")
    os.symlink("/dev/zero", tmp_path / "test_batch")
    os.mkfifo(tmp_path / "pipe.png")
    for read in (
        lambda: read_text_events(tmp_path / "a.txt", (128, 128)),
        lambda: build_dataset(f"frames:{tmp_path / 'a.npz'}"),
        lambda: read_batch(tmp_path / "test_batch", CIFAR10_FORMAT),
        lambda: read_image(tmp_path / "pipe.png", 8, 8),
    ):
        with pytest.raises(RedundancyError, match=r"is a (device|pipe), expected a file"):
            read()


def stored(path, **arrays):
    np.savez(path, **arrays)
    return path.read_bytes()


def test_of_two_files_in_one_the_second_is_not_read_alone(tmp_path):
    path, frames = tmp_path / "a.npz", np.zeros((2, 3, 2, 4, 4), np.uint8)
    first, second = stored(path, frames=frames), stored(path, frames=frames + 1)
    for before in (first, b"x"):
        path.write_bytes(before + second)
        with pytest.raises(DataError, match=r"its archive begins at byte offset \d+ only"):
            FramesFile(path)


def test_an_array_whose_name_was_damaged_is_not_missing(tmp_path):
    path, frames = tmp_path / "a.npz", np.zeros((2, 3, 2, 4, 4), np.uint8)
    content = stored(path, frames=frames, labels=np.arange(2))
    listed = content.rindex(b"labels.npy")
    path.write_bytes(content[:listed] + b"m" + content[listed + 1 :])
    with pytest.raises(DataError, match=r"a.npz cannot be read as an .npz file"):
        FramesFile(path)


def test_a_header_that_claims_less_than_there_is(tmp_path):
    path, table = tmp_path / "a.npy", np.zeros((9, 4), np.int64)
    np.save(path, table)
    path.write_bytes(path.read_bytes().replace(b"(9, 4)", b"(8, 4)"))
    with pytest.raises(DataError, match="there is more behind its array of shape"):
        read_npy(path, "an .npy file")
    content = stored(tmp_path / "a.npz", frames=np.zeros((9, 3, 2, 4, 4), np.uint8))
    (tmp_path / "a.npz").write_bytes(content.replace(b"(9, 3, 2, 4, 4)", b"(8, 3, 2, 4, 4)"))
    with pytest.raises(DataError, match=r"a.npz cannot be read as"):
        FramesFile(tmp_path / "a.npz")
