"""The network's input: where its events are, how dense it is, and an example."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

from redundancy import schema
from redundancy.stats.base import state_variable


@dataclass(frozen=True)
class InputEvents:
    """Mean event frames, the share of non-zero inputs, and the first sample's frames."""

    def observe(self, recording: xr.Dataset) -> xr.Dataset:
        """Sum the input over samples.

        Parameters
        ----------
        recording : Dataset
            With ``frames`` (sample, time, channel, y, x).

        Returns
        -------
        Dataset
            ``event_sum`` (time, channel, y, x) float64; ``nonzero_count`` and
            ``n_samples`` int64; ``example_frames``, those of the first sample.
        """
        frames = recording[schema.FRAMES]
        dims = tuple(str(dim) for dim in frames.dims[1:])
        values = frames.values
        total = values.sum(axis=0, dtype=np.float64)
        return xr.Dataset(
            {
                schema.EVENT_SUM: state_variable(
                    dims, total, "sum", "events of all samples", "events"
                ),
                schema.NONZERO_COUNT: state_variable(
                    (), np.int64(np.count_nonzero(values)), "sum", "non-zero inputs", "inputs"
                ),
                schema.N_SAMPLES: state_variable(
                    (), np.int64(len(values)), "sum", "samples", "samples"
                ),
                schema.EXAMPLE_FRAMES: state_variable(
                    dims, values[0].copy(), "first", "event frames of the first sample", "events"
                ),
            },
            attrs=recording.attrs,
        )

    def compute(self, state: xr.Dataset) -> xr.Dataset:
        """Return ``mean_frames`` (time, channel, y, x), ``density`` () and the example."""
        n_samples = int(state[schema.N_SAMPLES])
        mean = state[schema.EVENT_SUM] / n_samples
        density = int(state[schema.NONZERO_COUNT]) / (n_samples * mean.size)
        result = xr.Dataset(
            {
                schema.MEAN_FRAMES: mean,
                schema.INPUT_DENSITY: ((), density),
                schema.EXAMPLE_FRAMES: state[schema.EXAMPLE_FRAMES],
            },
            attrs=state.attrs,
        )
        result[schema.MEAN_FRAMES].attrs = {"long_name": "mean events", "units": "events"}
        result[schema.INPUT_DENSITY].attrs = {
            "long_name": "share of inputs that are not zero",
            "units": "fraction",
        }
        return result
