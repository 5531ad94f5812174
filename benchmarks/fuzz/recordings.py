"""Whole small folders of camera recordings and images, as they are distributed."""

from __future__ import annotations

import pickle
import struct
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray
from PIL import Image

_SPAN_US = 400_000


def _columns(seed: int, size: tuple[int, int], n: int = 300) -> list[NDArray[np.int64]]:
    """Return times, x, y and p of events in the order of time."""
    random = np.random.default_rng(seed)
    times = np.sort(random.integers(0, _SPAN_US, n))
    return [times, *(random.integers(0, high, n) for high in (size[1], size[0], 2))]


def _made(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def write_nmnist(folder: Path, seed: int) -> None:
    """Two recordings of 5 bytes an event."""
    for digit in range(2):
        t, x, y, p = _columns(seed + digit, (34, 34))
        rows = [
            bytes([a, b, c << 7 | d >> 16, d >> 8 & 255, d & 255])
            for d, a, b, c in zip(t.tolist(), x.tolist(), y.tolist(), p.tolist(), strict=True)
        ]
        _made(folder / "Test" / str(digit) / "1.bin").write_bytes(b"".join(rows))


def write_gait_text(folder: Path, seed: int) -> None:
    """Two recordings as text."""
    for person in range(2):
        table = np.stack(_columns(seed + person, (128, 128)), 1)
        np.savetxt(_made(folder / "test" / str(person) / "1.txt"), table, "%d")


def write_gait_arrays(folder: Path, seed: int) -> None:
    """Two recordings as arrays."""
    for person in range(2):
        table = np.stack(_columns(seed + person, (128, 128)), 1)
        np.save(_made(folder / "test" / str(person) / "1.npy"), table)


def write_aedat2(folder: Path, seed: int) -> None:
    """Two actions of five recordings by a DAVIS346."""
    head = b"#!AER-DAT2.0\r\n# AEChip: eu.seebetter.ini.chips.davis.DAVIS346\r\n"
    for label, action in enumerate(("climb", "stand")):
        for number in range(5):
            t, x, y, p = _columns(seed + label + 2 * number, (260, 346))
            words = np.stack([y << 22 | x << 12 | p << 11, t], 1).astype(">u4")
            path = _made(folder / action / f"{action}{number}.aedat")
            path.write_bytes(head + words.tobytes())


def write_aedat3(folder: Path, seed: int) -> None:
    """One session of two gestures."""
    t, x, y, p = _columns(seed, (128, 128))
    body = b""
    for begin in range(0, len(t), 100):
        part = slice(begin, begin + 100)
        size = len(t[part])
        body += struct.pack("<hhiiiiii", 1, 1, 8, 4, 0, size, size, size)
        words = np.stack([x[part] << 17 | y[part] << 2 | p[part] << 1 | 1, t[part]], 1)
        body += words.astype("<u4").tobytes()
    head = b"#!AER-DAT3.1\r\n#Format: RAW\r\n#!END-HEADER\r\n"
    _made(folder / "user24_led.aedat").write_bytes(head + body)
    half = _SPAN_US // 2
    (folder / "user24_led_labels.csv").write_text(
        f"class,startTime_usec,endTime_usec\n1,0,{half}\n2,{half},{_SPAN_US}\n"
    )


def write_gesture_hdf5(folder: Path, seed: int) -> None:
    """Two recordings as HDF5."""
    for number in range(2):
        t, x, y, p = _columns(seed + number, (128, 128))
        with h5py.File(_made(folder / "test" / f"{number}.hdf5"), "w") as file:
            file["times"], file["addrs"] = t, np.stack([x, y, p], 1)
            file["labels"] = np.array([number])


def write_har_events(folder: Path, seed: int) -> None:
    """Two activities as arrays."""
    _write_har(folder, seed, images=False)


def write_har_images(folder: Path, seed: int) -> None:
    """Two activities as images."""
    _write_har(folder, seed, images=True)


def _write_har(folder: Path, seed: int, images: bool) -> None:
    lines = []
    for label in range(2):
        name = f"action_{label + 1:03d}/dvSave-1"
        t, x, y, p = _columns(seed + label, (260, 346))
        if images:
            for number, part in enumerate(np.array_split(np.arange(len(t)), 4)):
                picture = np.full((260, 346, 3), 128, np.uint8)
                picture[y[part], x[part]] = np.where(p[part, None], (255, 0, 0), (0, 0, 255))
                Image.fromarray(picture).save(_made(folder / name / f"{number}.png"))
        else:
            np.savez(_made(folder / f"{name}.npz"), t=t, x=x, y=y, p=p)
        lines.append(f"{name} 4 {label}\n")
    (folder / "test_label.txt").write_text("".join(lines))


def _images(seed: int) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (2, 3072)).astype(np.uint8)


def write_cifar_pickle(folder: Path, seed: int) -> None:
    """Write the test images of CIFAR-10 as a pickle."""
    content = {b"data": _images(seed), b"labels": [9, 1], b"filenames": [b"x.png"] * 2}
    path = _made(folder / "cifar-10-batches-py" / "test_batch")
    path.write_bytes(pickle.dumps(content, protocol=2))


def write_cifar_records(folder: Path, seed: int) -> None:
    """Write the same in the binary form."""
    path = _made(folder / "cifar-10-batches-bin" / "test_batch.bin")
    path.write_bytes(b"".join(bytes([9 - n]) + x.tobytes() for n, x in enumerate(_images(seed))))


def write_imagenet(folder: Path, seed: int) -> None:
    """Two classes of one JPEG."""
    for number, name in enumerate(("n01440764", "n01443537")):
        values = np.random.default_rng(seed + number).integers(0, 256, (40, 40, 3))
        Image.fromarray(values.astype(np.uint8)).save(_made(folder / "val" / name / "1.JPEG"))
