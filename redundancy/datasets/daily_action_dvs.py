"""The dataset `daily-action-dvs`: twelve everyday actions, 1,440 recordings."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, replace
from pathlib import Path

from redundancy.datasets.aedat2 import DECODINGS, read_aedat2, recognise_decoding
from redundancy.datasets.clips import ClipArguments
from redundancy.datasets.event_recordings import EventRecordings
from redundancy.datasets.events import Events
from redundancy.datasets.recording_files import RecordingFile, interleaved, natural_order
from redundancy.datasets.selection import check_split
from redundancy.errors import UsageError

# The published code's numbering of the folders.
ACTIONS = (
    *("climb", "stand", "jump", "fall", "sit", "get up"),
    *("walk", "run", "lift", "lie", "bend", "pick"),
)
_LAYOUT = "<action>/*.aedat, one folder for each of the twelve actions"


@dataclass(frozen=True)
class DailyActionArguments(ClipArguments):
    """What determines the samples of `daily-action-dvs`; see `ClipArguments`.

    Attributes
    ----------
    decoding : str or None
        "dvs128", "davis346" or "asa", see `DECODINGS`; None tells the first two
        apart by the first file, and what it found is recorded.
    train_share : float
        The set has no official split: of each action, the first recordings in the
        order of `natural_order`, this share of them rounded up, are "train", the
        others "test".
    """

    n_timesteps: int = 36
    dt_ms: float | None = 120.0
    downsample: int | None = 2
    decoding: str | None = None
    train_share: float = 0.8

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.decoding is not None and self.decoding not in DECODINGS:
            raise UsageError(
                f"decoding must be {', '.join(DECODINGS)} or none, got {self.decoding!r}"
            )
        if not 0 < self.train_share < 1:
            raise UsageError(
                f"train_share must lie between 0 and 1, exclusive, got {self.train_share}"
            )


class DailyActionDVS(EventRecordings):
    """Everyday actions before an event camera, AEDAT 2.0, one recording a file.

    Classes are `ACTIONS` where all folders have these names (in any case, "_" or "-"
    for a space), else the folders in alphabetical order. The order is that of
    `interleaved`.

    Parameters
    ----------
    location : str or path
        The folder that holds one folder for each action.
    arguments : DailyActionArguments
    split : str
        "train" or "test".

    Attributes
    ----------
    class_names : tuple of str

    Raises
    ------
    UsageError
        If the folder is missing or not laid out so.
    DataError
        If the first file cannot be read.
    """

    name = "daily-action-dvs"

    def __init__(
        self,
        location: str | os.PathLike[str],
        arguments: DailyActionArguments | None = None,
        *,
        split: str = "test",
    ) -> None:
        check_split(split)
        arguments = arguments or DailyActionArguments()
        self.class_names, by_class = _list_actions(Path(location))
        self.n_classes = len(self.class_names)
        first = next(paths[0] for paths in by_class.values() if paths)
        decoding = arguments.decoding or recognise_decoding(first)
        arguments = replace(arguments, decoding=decoding)
        chosen = {}
        for label, paths in by_class.items():
            n_train = math.ceil(arguments.train_share * len(paths) - 1e-9)
            chosen[label] = paths[:n_train] if split == "train" else paths[n_train:]
        if not any(chosen.values()):
            raise UsageError(
                f"{location} has too few recordings for a split {split}: of each action the first "
                f"{arguments.train_share:g} are train"
            )
        self._decoding = decoding
        sensor_size = DECODINGS[decoding][0]
        super().__init__(arguments, location, split, sensor_size, interleaved(chosen))

    def _read(self, file: RecordingFile) -> list[Events]:
        return [read_aedat2(file.path, self._decoding)]


def _list_actions(folder: Path) -> tuple[tuple[str, ...], dict[int, list[Path]]]:
    """Return the classes' names and the files of each class, in their order."""
    if not folder.is_dir():
        raise UsageError(f"there is no folder {folder}; expected one that holds {_LAYOUT}")
    found = {
        path: sorted(path.glob("*.aedat"), key=natural_order)
        for path in sorted(folder.iterdir())
        if path.is_dir()
    }
    found = {path: files for path, files in found.items() if files}
    if not found:
        raise UsageError(f"{folder} holds no recordings; expected {_LAYOUT}")
    plain = {path: path.name.lower().replace("_", " ").replace("-", " ") for path in found}
    if set(plain.values()) <= set(ACTIONS) and len(set(plain.values())) == len(plain):
        return ACTIONS, {ACTIONS.index(plain[path]): files for path, files in found.items()}
    return tuple(path.name for path in found), dict(enumerate(found.values()))
