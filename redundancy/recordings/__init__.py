"""Raw recordings on disk: Zarr v3, spikes eight a byte, appended batch by batch."""

from __future__ import annotations

from redundancy.recordings.opening import is_own_recording, is_recording, open_recording
from redundancy.recordings.reader import RecordingFile
from redundancy.recordings.values import POTENTIAL_DTYPES
from redundancy.recordings.writing import write_recording

__all__ = [
    "POTENTIAL_DTYPES",
    "RecordingFile",
    "is_own_recording",
    "is_recording",
    "open_recording",
    "write_recording",
]
