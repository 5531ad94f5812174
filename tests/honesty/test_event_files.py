"""Event files are read whole, or refused; other files are named for what they are."""

from __future__ import annotations

import gzip
import io
import pickle
import struct
import tarfile
import zipfile

import h5py
import numpy as np
import pytest
from PIL import Image

from redundancy.datasets.aedat2 import read_aedat2, recognise_decoding
from redundancy.datasets.aedat3 import read_aedat3
from redundancy.datasets.array_files import read_npy
from redundancy.datasets.cifar_files import CIFAR10_FORMAT, read_batch
from redundancy.datasets.dvs128_gesture import read_hdf5_recording
from redundancy.datasets.event_images import read_event_image
from redundancy.datasets.event_tables import read_text_events
from redundancy.datasets.frames_file import FramesFile
from redundancy.datasets.har_dvs import read_npz_events
from redundancy.datasets.imagenet import read_image
from redundancy.datasets.nmnist import read_recording
from redundancy.errors import DataError, LimitError
from redundancy.file_kinds import kind_of
from redundancy.limits import VARIABLE
from tests.datasets.event_files import AEDAT3_HEADER, aedat2, aedat3, davis_address, packet3

ROWS = [(10, 1, 2, 1), (20, 3, 4, 0)]


def with_source(packet: bytes, source: int) -> bytes:
    return packet[:2] + struct.pack("<h", source) + packet[4:]


def compressed(packet: bytes) -> bytes:
    (kind,) = struct.unpack_from("<H", packet)
    return struct.pack("<H", kind | 1 << 15) + packet[2:]


def named(camera: str, *packets: bytes, source: int = 1) -> bytes:
    line = f"\r\n#Source {source}: {camera}\r\n#!END".encode()
    return AEDAT3_HEADER.replace(b"\r\n#!END", line) + b"".join(packets)


START = len(AEDAT3_HEADER)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            aedat3(packet3(ROWS), compressed(packet3(ROWS * 4))),
            rf"packet 2, at byte offset {START + 44}, is compressed.* \(2 events stand before",
        ),
        (aedat3(compressed(packet3(ROWS, kind=2)), packet3(ROWS)), "packet 1, .* is compressed"),
        (
            aedat3(packet3(ROWS), with_source(packet3(ROWS[:1]), 2)),
            r"events of 2 sources \(2 of source 1, 1 of source 2\)",
        ),
        (named("DAVIS240C", packet3(ROWS)), "names a davis240, expected one of 128x128 pixels"),
        (named("DAVIS346B", packet3(ROWS)), "davis346"),
        (named("DVS640", packet3(ROWS)), "dvs640"),
        (named("DVXplorer", packet3(ROWS)), "dvxplorer"),
        (named("SBRET10", packet3(ROWS)), "davis240"),
    ],
)
def test_aedat_3_that_would_be_read_in_part_is_refused(tmp_path, data, message):
    (tmp_path / "a.aedat").write_bytes(data)
    with pytest.raises(DataError, match=f"a.aedat.*{message}"):
        read_aedat3(tmp_path / "a.aedat", (128, 128))


@pytest.mark.parametrize(
    "data",
    [
        named("DVS128", packet3(ROWS)),
        named("DVS128 ID-0 (42)", packet3(ROWS)),
        named("Unknown", packet3(ROWS)),
        # The other source has no events.
        named("DVS128", packet3(ROWS), with_source(packet3([]), 2)),
        named("DAVIS240", with_source(packet3(ROWS), 2), source=1),
    ],
)
def test_aedat_3_of_the_camera_is_read(tmp_path, data):
    (tmp_path / "a.aedat").write_bytes(data)
    assert len(read_aedat3(tmp_path / "a.aedat", (128, 128))) == 2


@pytest.mark.parametrize("camera", ["DAVIS240C", "DVS640", "DAVIS640", "SBRet10", "DVXplorer"])
@pytest.mark.parametrize("decoding", ["dvs128", "davis346", "asa"])
def test_aedat_2_of_a_camera_that_is_not_read(tmp_path, camera, decoding):
    path = tmp_path / "a.aedat"
    path.write_bytes(aedat2([(davis_address(3, 4, 1), 5)], f"eu.seebetter.ini.chips.{camera}"))
    with pytest.raises(DataError, match="is of another camera"):
        read_aedat2(path, decoding)
    with pytest.raises(DataError, match="of a camera that is not read"):
        recognise_decoding(path)


def image(kind: str) -> bytes:
    stream = io.BytesIO()
    Image.new("L", (4, 4)).save(stream, kind)
    return stream.getvalue()


def array(save, *values, **named_values) -> bytes:
    stream = io.BytesIO()
    save(stream, *values, **named_values)
    return stream.getvalue()


def zipped(*names: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name in names:
            archive.writestr(name, b"x")
    return stream.getvalue()


def tar() -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("a"))
    return stream.getvalue()


OTHER = {
    "empty": (b"", "an empty file"),
    "lfs": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "git lfs pull"),
    "html": (b"\n<!DOCTYPE html>\n<html><body>404</body></html>", "a web page"),
    "gzip": (gzip.compress(b"0 1 2 1\n"), "gzip; unpack"),
    "tar": (tar(), "a tar archive"),
    "aedat 2": (aedat2([(0, 1)]), "an AEDAT 2 recording"),
    "aedat 3": (aedat3(packet3(ROWS)), "an AEDAT 3 recording"),
    "aedat 4": (b"#!AER-DAT4.0\r\n\x1c\0\0\0", "an AEDAT 4 recording; export"),
    "evt3": (b"% evt 3.0\n% format EVT3;height=720;width=1280\n% end\n\x01\x02", "EVT 3"),
    "dat": (b"% Data file containing CD events\n% Version 2\n% Date 2020\n\0\x08", "Prophesee"),
    "hdf5": (b"\x89HDF\r\n\x1a\n" + b"\0" * 40, "an HDF5 file"),
    "png": (image("PNG"), "a PNG image"),
    "jpeg": (image("JPEG"), "a JPEG image"),
    "npy": (array(np.save, np.zeros(3)), "a NumPy array"),
    "npz": (array(np.savez, frames=np.zeros(3)), "a NumPy archive"),
    "torch": (zipped("archive/data.pkl", "archive/data/0"), "a PyTorch checkpoint"),
    "script": (zipped("net/data.pkl", "net/constants.pkl"), "a TorchScript archive"),
    "zip": (zipped("a.txt"), "a zip archive"),
    "safetensors": (struct.pack("<Q", 20) + b'{"a":{"dtype":"F32"}}', "a safetensors file"),
    "pickle": (pickle.dumps({"a": 1}), "a Python pickle"),
    "zeros": (b"\0" * 100, "nothing but zero bytes"),
}
# What reads a file, and the kinds that are right for it, or that it has other words for.
READERS = {
    "aedat2": (lambda path: read_aedat2(path, "dvs128"), {"aedat 2"}),
    "aedat3": (lambda path: read_aedat3(path, (128, 128)), {"aedat 3"}),
    "nmnist": (read_recording, set()),
    "text": (lambda path: read_text_events(path, (128, 128)), {"empty"}),
    "npy": (lambda path: read_npy(path, "an array"), {"npy"}),
    "npz": (read_npz_events, {"npz", "torch", "script", "zip"}),
    "frames": (FramesFile, {"npz", "torch", "script", "zip"}),
    "hdf5": (read_hdf5_recording, {"hdf5"}),
    "cifar pickle": (lambda path: read_batch(path, CIFAR10_FORMAT), {"pickle"}),
    "cifar binary": (
        lambda path: read_batch(path.rename(path.with_suffix(".bin")), CIFAR10_FORMAT), set()
    ),
    "event image": (lambda path: read_event_image(path, (260, 346)), {"png"}),
    "image": (lambda path: read_image(path, 8, 8), {"png", "jpeg"}),
}  # fmt: skip


@pytest.mark.parametrize("reader", READERS)
def test_other_files_are_named_for_what_they_are(tmp_path, reader):
    read, right = READERS[reader]
    for name, (data, kind) in OTHER.items():
        if name in right:
            continue
        path = tmp_path / f"{name}.file"
        path.write_bytes(data)
        assert kind in str(kind_of(path)), name
        # Bytes that could be events cannot be told from events.
        if reader == "nmnist" and len(data) % 5 == 0 and data:
            continue
        with pytest.raises(DataError) as caught:
            read(path)
        assert name in str(caught.value)
        assert kind in str(caught.value), (name, str(caught.value))


def write_hdf5(path, **links):
    with h5py.File(path, "w") as file:
        file["times"] = np.array([1, 2])
        file["addrs"] = np.array([[1, 2, 0], [3, 4, 1]])
        file["labels"] = 3
        for name, value in links.items():
            del file[name]
            file[name] = value


def test_hdf5_claims_and_links(tmp_path, monkeypatch):
    write_hdf5(tmp_path / "good.h5")
    assert read_hdf5_recording(tmp_path / "good.h5")[1] == 3
    write_hdf5(tmp_path / "link.h5", times=h5py.ExternalLink("good.h5", "times"))
    with pytest.raises(DataError, match=r"link\.h5: times lies in another file"):
        read_hdf5_recording(tmp_path / "link.h5")
    with h5py.File(tmp_path / "large.h5", "w") as file:
        file.create_dataset("times", (10**11,), "i8", chunks=(10**6,))
        file["addrs"] = np.zeros((2, 3))
    with pytest.raises(LimitError, match=r"large.h5 \(times\) claims .* GiB"):
        read_hdf5_recording(tmp_path / "large.h5")


def test_events_are_limited_by_the_size_of_their_file(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, "0.0001")
    for name, read in (
        ("a.txt", lambda path: read_text_events(path, (128, 128))),
        ("a.aedat", lambda path: read_aedat2(path, "dvs128")),
        ("a.bin", read_recording),
    ):
        with open(tmp_path / name, "wb") as file:
            file.truncate(1 << 30)
        with pytest.raises(LimitError, match=f"{name} claims"):
            read(tmp_path / name)


@pytest.mark.parametrize("reader", [read_recording, lambda path: read_batch(path, CIFAR10_FORMAT)])
@pytest.mark.parametrize("n_bytes", [5, 3073, 5 * 3073])
def test_zeros_are_no_events_and_no_images(tmp_path, reader, n_bytes):
    path = tmp_path / "1.bin"
    path.write_bytes(bytes(n_bytes))
    with pytest.raises(DataError, match=rf"1.bin holds nothing but zero bytes, {n_bytes}"):
        reader(path)


@pytest.mark.parametrize(
    "reader", [lambda path: read_event_image(path, (260, 346)), lambda path: read_image(path, 8, 8)]
)
def test_the_checksums_of_images_are_checked(tmp_path, reader):
    path, random = tmp_path / "1.png", np.random.default_rng(0)
    Image.fromarray(random.integers(0, 256, (260, 346, 3)).astype(np.uint8)).save(path)
    reader(path)
    content = path.read_bytes()
    # The checksum of the pixels, and pixels whose own checksum was zeroed with them.
    for place in (content.index(b"IEND") - 8, content.index(b"IEND") - 12):
        path.write_bytes(content[:place] + bytes(4) + content[place + 4 :])
        with pytest.raises(DataError, match=r"1.png cannot be read as"):
            reader(path)
