"""Accuracy of the network on the samples that were analysed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from redundancy import schema
from redundancy.stats.base import state_variable

NO_PREDICTION = -1
"""What a network predicts whose output for a sample is NaN or infinite."""


@dataclass(frozen=True)
class Accuracy:
    """Share of samples whose class the network predicts.

    It rests on the samples that have a label and a prediction. A sample whose output is
    NaN or infinite predicts nothing, and one with the label -1 has none; both are left
    out, and counted. Of several classes with the same highest score the first is predicted,
    as PyTorch's argmax does; how often that decides is counted too.
    """

    def observe(self, recording: xr.Dataset) -> xr.Dataset:
        """Count correct predictions, and what they cannot be told of.

        Parameters
        ----------
        recording : Dataset
            The root of a recording: ``prediction``, ``label`` and ``tied`` (sample), each
            where it is known.

        Returns
        -------
        Dataset
            Numbers of samples, int64: ``n_not_finite``, of the others ``n_unlabelled``, of
            those left ``n_labelled`` (0 where there are no predictions) and of these
            ``n_correct``; ``n_tied`` of all, where it is known.
        """
        n_samples = recording.sizes[schema.SAMPLE]
        judged, right = judged_samples(recording)
        not_finite = np.zeros(n_samples, np.bool_)
        if schema.PREDICTION in recording:
            not_finite = recording[schema.PREDICTION].values == NO_PREDICTION
        unlabelled = np.ones(n_samples, np.bool_)
        if schema.LABEL in recording:
            unlabelled = recording[schema.LABEL].values < 0
        counts = {
            schema.N_CORRECT: (right.sum(), "samples classified correctly"),
            schema.N_LABELLED: (judged.sum(), "samples with a label and a prediction"),
            schema.N_UNLABELLED: ((unlabelled & ~not_finite).sum(), "samples without a label"),
            schema.N_NOT_FINITE: (not_finite.sum(), "samples whose output is NaN or infinite"),
        }
        if schema.TIED in recording:
            n_tied = np.count_nonzero(recording[schema.TIED].values)
            counts[schema.N_TIED] = (n_tied, "samples whose highest score is shared")
        return xr.Dataset(
            {
                name: state_variable((), np.int64(count), "sum", words, "samples")
                for name, (count, words) in counts.items()
            }
        )

    def compute(self, state: xr.Dataset) -> xr.Dataset:
        """Return ``accuracy``, a fraction; NaN where no sample has a label."""
        n_labelled = int(state[schema.N_LABELLED])
        accuracy = int(state[schema.N_CORRECT]) / n_labelled if n_labelled else np.nan
        attributes = {"long_name": "accuracy", "units": "fraction of samples"}
        return xr.Dataset({schema.ACCURACY: ((), accuracy, attributes)})


def judged_samples(recording: xr.Dataset) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which samples have a label and a prediction, and for which both are the same.

    Parameters
    ----------
    recording : Dataset
        The root of a recording.

    Returns
    -------
    judged, right : ndarray of bool, shape (sample,)
    """
    if schema.LABEL not in recording or schema.PREDICTION not in recording:
        nothing = np.zeros(recording.sizes[schema.SAMPLE], np.bool_)
        return nothing, nothing
    labels, predictions = recording[schema.LABEL].values, recording[schema.PREDICTION].values
    judged = (labels >= 0) & (predictions != NO_PREDICTION)
    return judged, judged & (labels == predictions)
