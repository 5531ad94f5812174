"""The datasets `dvs128-gait-day` and `dvs128-gait-night`: twenty persons walking."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from redundancy.datasets.clips import ClipArguments
from redundancy.datasets.event_recordings import EventRecordings
from redundancy.datasets.event_tables import read_array_events, read_text_events
from redundancy.datasets.events import Events
from redundancy.datasets.recording_files import RecordingFile, interleaved
from redundancy.datasets.selection import check_split
from redundancy.errors import UsageError

SENSOR_SIZE = (128, 128)
N_PERSONS = 20
_LAYOUT = "train/<0..19>/*.txt (or *.npy) and test/<0..19>/*.txt (or *.npy)"


@dataclass(frozen=True)
class GaitArguments(ClipArguments):
    """What determines the samples of the gait datasets; see `ClipArguments`."""


class DVS128Gait(EventRecordings):
    """Recordings of twenty walking persons, 128x128 pixels, one class a person.

    A file is text (t x y p, one event a line) or a .npy array (N, 4) of the same
    columns. Where a recording is there as both, the text is read: arrays are copies.
    The order is that of `interleaved`.

    Parameters
    ----------
    location : str or path
        The folder that holds ``train`` and ``test``.
    arguments : GaitArguments
    split : str
        "train" or "test".
    name : str
        "dvs128-gait-day" or "dvs128-gait-night": the same format.

    Raises
    ------
    UsageError
        If the folder is missing or not laid out so.
    """

    n_classes = N_PERSONS

    def __init__(
        self,
        location: str | os.PathLike[str],
        arguments: GaitArguments | None = None,
        *,
        split: str = "test",
        name: str = "dvs128-gait-day",
    ) -> None:
        self.name = name
        check_split(split)
        files = _list_files(Path(location), split)
        super().__init__(arguments or GaitArguments(), location, split, SENSOR_SIZE, files)

    def _read(self, file: RecordingFile) -> list[Events]:
        reader = read_text_events if file.path.suffix == ".txt" else read_array_events
        return [reader(file.path, self.sensor_size)]


def _list_files(folder: Path, split: str) -> list[RecordingFile]:
    if not folder.is_dir():
        raise UsageError(f"there is no folder {folder}; expected one that holds {_LAYOUT}")
    by_person = {}
    for person in range(N_PERSONS):
        texts = list((folder / split / str(person)).glob("*.txt"))
        arrays = list((folder / split / str(person)).glob("*.npy"))
        stems = {path.stem for path in texts}
        by_person[person] = texts + [path for path in arrays if path.stem not in stems]
    if not any(by_person.values()):
        bundle = folder / split / f"{split}_data.npy"
        if bundle.is_file():
            raise UsageError(
                f"{bundle} holds pickled Python objects, which are not read since they can run "
                f"code; point at the recordings it was made from: {_LAYOUT}"
            )
        raise UsageError(f"{folder / split} holds no recordings; expected {_LAYOUT}")
    return interleaved(by_person)
