"""The dataset `har-dvs`: 300 human activities, as events or as folders of images."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from redundancy.datasets.array_files import read_npz
from redundancy.datasets.clips import ClipArguments
from redundancy.datasets.event_bytes import assemble_events, read_bytes
from redundancy.datasets.event_images import read_event_image
from redundancy.datasets.event_recordings import EventRecordings
from redundancy.datasets.events import EVENT_DTYPE, Events
from redundancy.datasets.recording_files import RecordingFile, interleaved, natural_order
from redundancy.datasets.selection import check_split
from redundancy.errors import DataError, UsageError

SENSOR_SIZE = (260, 346)
N_ACTIVITIES = 300
SPLITS = ("train", "val", "test")
_LAYOUT = (
    "train_label.txt, val_label.txt and test_label.txt with lines 'action_001/NAME n label', and "
    "action_001/NAME.npz or action_001/NAME/*.png"
)


@dataclass(frozen=True)
class HARArguments(ClipArguments):
    """What determines the samples of `har-dvs`; see `ClipArguments`.

    Attributes
    ----------
    form : str or None
        "events" (npz) or "images" (PNG); None takes what the first listed recording
        has, events first, and that is what is recorded. Images have no times: they
        are shared out over the timesteps in equal numbers, and `dt_ms` must be none.
    """

    n_timesteps: int = 8
    dt_ms: float | None = None
    downsample: int | None = None
    clips: int = 1
    form: str | None = None


class HARDVS(EventRecordings):
    """Human activities before a 346x260 event camera.

    Splits, labels and recordings are those of the label files; a line that repeats
    another one counts once. The order is that of `interleaved`.

    Parameters
    ----------
    location : str or path
        The folder that holds the label files.
    arguments : HARArguments
    split : str
        "train", "val" or "test".

    Raises
    ------
    UsageError
        If the folder is missing or not laid out so, or an argument does not fit the
        form.
    DataError
        If the label file is damaged or lists what is not there.
    """

    name = "har-dvs"
    n_classes = N_ACTIVITIES

    def __init__(
        self,
        location: str | os.PathLike[str],
        arguments: HARArguments | None = None,
        *,
        split: str = "test",
    ) -> None:
        check_split(split, SPLITS)
        folder, arguments = Path(location), arguments or HARArguments()
        if arguments.form not in (None, "events", "images"):
            raise UsageError(f"form must be events, images or none, got {arguments.form!r}")
        if not folder.is_dir():
            raise UsageError(f"there is no folder {folder}; expected one that holds {_LAYOUT}")
        table = folder / f"{split}_label.txt"
        if not table.is_file():
            raise UsageError(f"{folder} has no file {table.name}; expected {_LAYOUT}")
        listed = read_label_lines(table)
        form = arguments.form or _form(folder / next(iter(listed)))
        if form == "images" and (arguments.dt_ms is not None or arguments.slices != "time"):
            raise UsageError(
                "the images of har-dvs have no times and no order of events; set dt_ms=none and "
                "slices=time"
            )
        self._n_images: dict[Path, int] = {}
        by_class: dict[int, list[Path]] = {}
        for entry, (label, n_images, line) in listed.items():
            path = folder / (f"{entry}.npz" if form == "events" else entry)
            if not (path.is_file() if form == "events" else path.is_dir()):
                raise DataError(f"{table} lists {entry} in line {line}, but there is no {path}")
            by_class.setdefault(label, []).append(path)
            self._n_images[path] = n_images
        self._form = form
        arguments = replace(arguments, form=form)
        super().__init__(arguments, location, split, SENSOR_SIZE, interleaved(by_class))

    def _read(self, file: RecordingFile) -> list[Events]:
        if self._form == "events":
            return [read_npz_events(file.path)]
        images = self._images(file.path)
        parts = []
        for number, path in enumerate(images):
            on, off = read_event_image(path, SENSOR_SIZE)
            for polarity, mask in ((False, off), (True, on)):
                part = np.empty(int(mask.sum()), EVENT_DTYPE)
                part["y"], part["x"] = np.nonzero(mask)
                part["t"], part["p"] = number, polarity
                parts.append(part)
        return [np.concatenate(parts)]

    def _clip(self, file: RecordingFile, place: int, clip: int) -> Events:
        if self._form == "events":
            return super()._clip(file, place, clip)
        events = self._recordings_of(file)[place]
        begin, end = np.searchsorted(events["t"], self._image_range(file, clip))
        return events[begin:end]

    def _clip_frames(self, file: RecordingFile, place: int, clip: int) -> NDArray[np.float32]:
        if self._form == "events":
            return super()._clip_frames(file, place, clip)
        events = self._clip(file, place, clip).copy()
        first, stop = self._image_range(file, clip)
        n_timesteps = self.frame_shape[0]
        events["t"] = (events["t"] - first) * n_timesteps // max(stop - first, 1)
        return self._clips.numbered_frames(events)

    def _images(self, folder: Path) -> list[Path]:
        images = sorted(folder.glob("*.png"), key=natural_order)
        if not images or len(images) < self._n_images[folder]:
            raise DataError(
                f"{folder} holds {len(images)} images (.png), but the label file lists "
                f"{self._n_images[folder]}"
            )
        return images

    def _image_range(self, file: RecordingFile, clip: int) -> tuple[int, int]:
        """Return first and last image (exclusive) of a clip: equal shares."""
        n_images, n_clips = len(self._images(file.path)), self._clips.n_clips
        return n_images * clip // n_clips, n_images * (clip + 1) // n_clips


def read_label_lines(path: Path) -> dict[str, tuple[int, int, int]]:
    """Read a label file, a recording a line: "action_001/NAME number-of-images label".

    Returns
    -------
    dict
        Label (0 to 299), number of images and line number of each listed recording.

    Raises
    ------
    DataError
        If a line is not that, or gives a recording a second label; the message names
        line and byte offset.
    """
    listed: dict[str, tuple[int, int, int]] = {}
    offset = 0
    for number, raw in enumerate(read_bytes(path).splitlines(keepends=True), start=1):
        where, line = f"{path}: line {number} at byte offset {offset}", raw.strip()
        offset += len(raw)
        if not line:
            continue
        match = re.fullmatch(rb"([\x21-\x7e]+)\s+(\d{1,9})\s+(\d{1,9})", line)
        if match is None:
            shown = line[:60].decode("ascii", "backslashreplace")
            raise DataError(f"{where} is {shown!r}, but a line is 'action_001/NAME n label'")
        entry, label = match[1].decode("ascii"), int(match[3])
        if PurePosixPath(entry).is_absolute() or ".." in PurePosixPath(entry).parts:
            raise DataError(f"{where} lists {entry}, which lies outside the folder")
        if label >= N_ACTIVITIES:
            raise DataError(f"{where} has label {label}, but labels are 0 to {N_ACTIVITIES - 1}")
        if listed.setdefault(entry, (label, int(match[2]), number))[0] != label:
            raise DataError(
                f"{where} gives {entry} the label {label}, but line {listed[entry][2]} gave it "
                f"{listed[entry][0]}"
            )
    if not listed:
        raise DataError(f"{path} lists no recordings up to its end at byte offset {offset}")
    return listed


def read_npz_events(path: Path) -> Events:
    """Read one recording: an .npz file with the arrays t (us), x, y and p.

    Raises
    ------
    DataError
        If the file is not that; the message names array and row.
    """
    arrays = read_npz(path, "txyp", (), "an .npz file with the arrays t, x, y and p")
    columns = [arrays[name] for name in "txyp"]
    shapes = {column.shape for column in columns}
    if len(shapes) != 1 or columns[0].ndim != 1:
        raise DataError(
            f"{path}: t, x, y and p must be columns of one length, got the shapes "
            f"{', '.join(str(column.shape) for column in columns)}"
        )
    t, x, y, p = columns
    return assemble_events(path, (t, x, y, p), SENSOR_SIZE, lambda row: f"row {row}")


def _form(entry: Path) -> str:
    """Return the form of a listed recording."""
    if entry.with_name(f"{entry.name}.npz").is_file():
        return "events"
    if entry.is_dir():
        return "images"
    raise DataError(f"there is neither {entry}.npz nor a folder {entry}; expected {_LAYOUT}")
