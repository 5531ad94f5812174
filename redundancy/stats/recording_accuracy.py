"""Accuracy over recordings that were cut into clips."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

from redundancy import schema
from redundancy.stats.accuracy import judged_samples
from redundancy.stats.base import state_variable


@dataclass(frozen=True)
class RecordingAccuracy:
    """Share of recordings of which more than half of the clips are classified correctly.

    So the published code of "Inherent Redundancy in Spiking Neural Networks" counts at
    test, with 10 clips a recording: 5 of 10 are not enough. A recording is judged by
    those of its clips that were analysed; where only the first samples of a dataset are
    taken, the last recording may lack some.
    """

    def observe(self, recording: xr.Dataset) -> xr.Dataset:
        """Count clips and correct ones for each recording in the batch.

        Parameters
        ----------
        recording : Dataset
            The root of a recording: ``prediction``, ``label`` and ``recording`` (sample).

        Returns
        -------
        Dataset
            ``n_clips`` and ``n_clips_correct`` (recording), int64, of the clips that have
            a label and a prediction (see :class:`redundancy.stats.Accuracy`); without
            variables where the samples are no clips. A recording that goes on in the next
            batch is in the states of both, which merge.
        """
        if schema.RECORDING not in recording:
            return xr.Dataset()
        judged, right = judged_samples(recording)
        numbers, places = np.unique(recording[schema.RECORDING].values, return_inverse=True)
        n_clips, n_correct = (
            np.bincount(places[chosen], minlength=len(numbers)).astype(np.int64)
            for chosen in (judged, right)
        )
        told = n_clips > 0
        numbers, n_clips, n_correct = numbers[told], n_clips[told], n_correct[told]
        dims = (schema.RECORDING,)
        return xr.Dataset(
            {
                schema.N_CLIPS: state_variable(
                    dims, n_clips, "sum-by-label", "clips of the recording", "samples"
                ),
                schema.N_CLIPS_CORRECT: state_variable(
                    dims, n_correct, "sum-by-label", "clips classified correctly", "samples"
                ),
            },
            coords={schema.RECORDING: (dims, numbers, {"long_name": "index of the recording"})},
        )

    def compute(self, state: xr.Dataset) -> xr.Dataset:
        """Return ``recording_accuracy``, a fraction, and ``n_recordings``.

        NaN and 0 where the state knows of no recordings.
        """
        n_recordings, accuracy = 0, np.nan
        if schema.N_CLIPS in state and state[schema.N_CLIPS].size:
            right = 2 * state[schema.N_CLIPS_CORRECT].values > state[schema.N_CLIPS].values
            n_recordings, accuracy = right.size, float(right.mean())
        return xr.Dataset(
            {
                schema.RECORDING_ACCURACY: (
                    (),
                    accuracy,
                    {"long_name": "accuracy over recordings", "units": "fraction of recordings"},
                ),
                schema.N_RECORDINGS: (
                    (),
                    n_recordings,
                    {"long_name": "recordings", "units": "recordings"},
                ),
            }
        )
