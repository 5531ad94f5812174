"""What the datasets of event recordings share: clips, labels, converted frames."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from redundancy.datasets.arguments import argument_values
from redundancy.datasets.base import Argument, Batch
from redundancy.datasets.clips import ClipArguments, ClipBuilder
from redundancy.datasets.event_bytes import without_duplicates
from redundancy.datasets.events import Events
from redundancy.datasets.frames_cache import FramesCache
from redundancy.datasets.recording_files import RecordingFile
from redundancy.datasets.selection import check_range
from redundancy.datasets.synthetic_gait.cache import cache_folder
from redundancy.errors import DataError

Progress = Callable[[int, int], None]

_CACHE_VERSION = 1


class CacheFolderError(DataError):
    """Converted frames cannot be kept."""


class EventRecordings(ABC):
    """Clips of recordings in a fixed order: file by file, recording by recording.

    Parameters
    ----------
    arguments : ClipArguments
    location : str or path
        The folder that holds the recordings.
    split : str
    sensor_size : tuple of int
        (height, width) of the camera in pixels.
    files : iterable of RecordingFile
        In the order of the dataset.

    Attributes
    ----------
    recordings : ndarray of int64, shape (sample,)
        Index of the recording that each sample is a clip of: a recording counts as
        right where more than half of its clips are.
    """

    name: str
    n_classes: int | None

    def __init__(
        self,
        arguments: ClipArguments,
        location: str | os.PathLike[str],
        split: str,
        sensor_size: tuple[int, int],
        files: Iterable[RecordingFile],
    ) -> None:
        self.split = split
        self.location: str | None = os.fspath(location)
        self.arguments: Mapping[str, Argument] = {
            name: value for name, value in argument_values(arguments).items() if name != "cache"
        }
        self.sensor_size = sensor_size
        n_clips = arguments.train_clips if split == "train" else arguments.clips
        self._clips = ClipBuilder(arguments, sensor_size, n_clips)
        self.frame_shape = self._clips.frame_shape
        self._files = list(files)
        self._labels = np.array([label for file in self._files for label in file.labels], np.int64)
        # The file of each recording, and the recording's place in it.
        self._places = [(file, i) for file in self._files for i in range(len(file.labels))]
        self.recordings: NDArray[np.int64] = np.repeat(np.arange(len(self._places)), n_clips)
        self._cache = (
            FramesCache(cache_folder() / self.name, self.frame_shape) if arguments.cache else None
        )
        self._last: tuple[Path, list[Events]] | None = None

    def __len__(self) -> int:
        return len(self.recordings)

    @abstractmethod
    def _read(self, file: RecordingFile) -> list[Events]:
        """Return the events of each recording in `file`, sorted by time."""

    def recording_name(self, recording: int) -> str:
        """Return the file of a recording, relative to the dataset's folder."""
        check_range(recording, recording + 1, len(self._places))
        return self._relative(self._places[recording][0].path)

    def events(self, index: int) -> Events:
        """Return the events of sample `index`, in the order of time."""
        check_range(index, index + 1, len(self))
        recording, clip = divmod(index, self._clips.n_clips)
        file, place = self._places[recording]
        return self._clip(file, place, clip)

    def batch(self, start: int, stop: int) -> Batch:
        """Return samples `start` to `stop` (exclusive)."""
        check_range(start, stop, len(self))
        frames = np.empty((stop - start, *self.frame_shape), np.float32)
        for place, index in enumerate(range(start, stop)):
            frames[place] = self._frames(index)
        recordings = self.recordings[start:stop]
        return Batch(start, frames, self._labels[recordings], recordings)

    def convert_all(
        self, progress: Progress | None = None, *, n_samples: int | None = None
    ) -> None:
        """Convert every recording into the cache folder ahead of its use.

        Without it a recording is converted when one of its samples is first asked
        for. What is there already is kept, so an interrupted conversion goes on.

        Parameters
        ----------
        progress : callable, optional
            Called with (done, total) of the files that are not converted yet.
        n_samples : int, optional
            Only the files of the first so many samples.

        Raises
        ------
        CacheFolderError
            If the cache cannot be written.
        DataError
            If a file is not what it should be.
        """
        cache = self._cache
        if cache is None:
            return
        used = {self._places[recording][0].path for recording in self.recordings[:n_samples]}
        files = [file for file in self._files if file.path in used]
        files = [file for file in files if not cache.holds(self._key(file))]
        for done, file in enumerate(files):
            if progress is not None:
                progress(done, len(files))
            try:
                cache.write(self._key(file), self._converted(file))
            except OSError as error:
                raise CacheFolderError(
                    f"the cache folder {cache_folder()} cannot be written: {error}; "
                    "set REDUNDANCY_CACHE to another folder or cache=false"
                ) from error
        if progress is not None and files:
            progress(len(files), len(files))

    def _frames(self, index: int) -> NDArray[np.float32]:
        recording, clip = divmod(index, self._clips.n_clips)
        file, place = self._places[recording]
        if self._cache is None:
            return self._clip_frames(file, place, clip)
        key, number = self._key(file), place * self._clips.n_clips + clip
        if (found := self._cache.read(key, number)) is not None:
            return found
        try:
            self._cache.write(key, self._converted(file))
        except OSError:
            # A cache that cannot be written costs time, not the answer.
            return self._clip_frames(file, place, clip)
        found = self._cache.read(key, number)
        return self._clip_frames(file, place, clip) if found is None else found

    def _clip(self, file: RecordingFile, place: int, clip: int) -> Events:
        return self._clips.clip(self._recordings_of(file)[place], clip)

    def _clip_frames(self, file: RecordingFile, place: int, clip: int) -> NDArray[np.float32]:
        return self._clips.frames(self._clip(file, place, clip))

    def _converted(self, file: RecordingFile) -> Iterator[NDArray[np.float32]]:
        """Yield the frames of every clip of every recording in `file`."""
        for place in range(len(file.labels)):
            for clip in range(self._clips.n_clips):
                yield self._clip_frames(file, place, clip)

    def _recordings_of(self, file: RecordingFile) -> list[Events]:
        """Return the recordings in `file`; the last file read stays in memory."""
        if self._last is None or self._last[0] != file.path:
            recordings = self._read(file)
            if self.arguments["drop_duplicates"]:
                recordings = [without_duplicates(events) for events in recordings]
            self._last = (file.path, recordings)
        return self._last[1]

    def _relative(self, path: Path) -> str:
        return Path(os.path.relpath(path, self.location)).as_posix()

    def _key(self, file: RecordingFile) -> dict[str, object]:
        """Return all that the frames of `file` follow from."""
        try:
            used = sorted(file.path.iterdir()) if file.path.is_dir() else [file.path]
            used += [] if file.companion is None else [file.companion]
            states = [path.stat() for path in used]
        except OSError as error:
            raise DataError(f"{error.filename} cannot be read: {error.strerror}") from error
        return {
            "version": _CACHE_VERSION,
            "dataset": self.name,
            "files": [os.fspath(path.absolute()) for path in used],
            "states": [[state.st_size, state.st_mtime_ns] for state in states],
            "spans": [list(span) for span in file.spans],
            "n_clips": self._clips.n_clips,
            "arguments": dict(self.arguments),
        }
