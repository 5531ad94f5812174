"""Accuracy of the network on the samples that were analysed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

from redundancy import schema
from redundancy.stats.base import state_variable


@dataclass(frozen=True)
class Accuracy:
    """Share of labelled samples whose class the network predicts."""

    def observe(self, recording: xr.Dataset) -> xr.Dataset:
        """Count correct predictions; without labels or predictions both counts are 0.

        Parameters
        ----------
        recording : Dataset
            The root of a recording: ``prediction`` and ``label`` (sample).
        """
        n_labelled, n_correct = 0, 0
        if schema.LABEL in recording and schema.PREDICTION in recording:
            right = recording[schema.PREDICTION].values == recording[schema.LABEL].values
            n_labelled, n_correct = right.size, int(right.sum())
        return xr.Dataset(
            {
                schema.N_CORRECT: state_variable(
                    (), np.int64(n_correct), "sum", "samples classified correctly", "samples"
                ),
                schema.N_LABELLED: state_variable(
                    (), np.int64(n_labelled), "sum", "samples with a label", "samples"
                ),
            }
        )

    def compute(self, state: xr.Dataset) -> xr.Dataset:
        """Return ``accuracy``, a fraction; NaN where no sample has a label."""
        n_labelled = int(state[schema.N_LABELLED])
        accuracy = int(state[schema.N_CORRECT]) / n_labelled if n_labelled else np.nan
        attributes = {"long_name": "accuracy", "units": "fraction of samples"}
        return xr.Dataset({schema.ACCURACY: ((), accuracy, attributes)})
