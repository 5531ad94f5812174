"""Recordings of consecutive batches become one Zarr folder, whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import xarray as xr

from redundancy.errors import UsageError
from redundancy.files import full_disk_as_sentence
from redundancy.process import available_cores
from redundancy.recordings.space import Space, space_for
from redundancy.recordings.unfinished import folder_under_construction
from redundancy.recordings.values import PotentialDtype, check_potential_dtype
from redundancy.recordings.writer import RecordingWriter

_MOST_THREADS = 4
_ADVICE = (
    "nothing of the recording is kept: make room, record fewer --samples or with --potential-dtype "
    "float16, or name another disk with --out"
)


def write_recording(
    path: str | os.PathLike[str],
    recordings: Iterable[Mapping[str, xr.Dataset]],
    provenance: Mapping[str, Any],
    *,
    total: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    potential_dtype: PotentialDtype | None = None,
    check_space: bool = True,
    on_estimate: Callable[[Space], None] | None = None,
) -> int:
    """Write recordings of consecutive samples to a Zarr folder, whole or not at all.

    Memory does not grow with the number of batches. What is written depends on the
    samples only, not on how they came in batches.

    Parameters
    ----------
    path : path
        Of the folder, by custom ``*.zarr``. It is made under another name beside `path`
        and renamed when it is complete; what a killed process left there is removed.
    recordings : iterable of mappings of str to Dataset
        The nodes of each recording.
    provenance : mapping
        Root attributes.
    total : int, optional
        Number of samples to come, for `progress` and the size.
    progress : callable, optional
        Called with (samples done, `total`).
    potential_dtype : {"float16", "float32"}, optional
        What potentials and currents are rounded to; by default nothing is. Membrane
        potentials stay on their side of the threshold, so that they still fire exactly
        where the network did.
    check_space : bool, default True
        Refuse, after the first batch, what will not fit on the disk. Needs `total`.
    on_estimate : callable, optional
        Called with the :class:`redundancy.recordings.space.Space` before that.

    Returns
    -------
    int
        Number of samples written.

    Raises
    ------
    UsageError
        If there is no sample, or they would not fit on the disk.
    RecordingError
        If spikes are other than 0 and 1, potentials are too large for their precision,
        or batches are of different layers.
    StorageError
        If the disk is full.
    """
    check_potential_dtype(potential_dtype)
    with (
        full_disk_as_sentence(path, _ADVICE),
        folder_under_construction(path) as folder,
        ThreadPoolExecutor(min(available_cores(), _MOST_THREADS)) as pool,
    ):
        writer = RecordingWriter(folder, pool, potential_dtype)
        for recording in recordings:
            estimate = total if not writer.n_samples else None
            writer.append(recording)
            del recording  # before the next one is made
            if estimate is not None:
                space = space_for(folder.parent, writer.n_bytes, writer.n_samples, estimate)
                if on_estimate is not None:
                    on_estimate(space)
                if check_space:
                    space.check()
            if progress is not None:
                progress(writer.n_samples, total or writer.n_samples)
        if not writer.n_samples:
            raise UsageError("there is no sample to record")
        writer.close(provenance)
    return writer.n_samples
