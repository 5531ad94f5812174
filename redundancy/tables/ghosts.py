"""Ghost features as a table: in space, in time, and as dimensions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from redundancy import schema
from redundancy.errors import UsageError
from redundancy.stats import TemporalKernel
from redundancy.stats.dimensionality import dimensionality
from redundancy.stats.ghosts import ghost_groups
from redundancy.stats.temporal import temporal_ghost_curve

if TYPE_CHECKING:
    import pandas as pd

    from redundancy.results import Results

MEASURES = ("cosine", "pearson", "ssim", "jaccard")


def ghost_table(results: Results, threshold: float = 0.9) -> pd.DataFrame:
    """Return how redundant the channels of every layer are.

    Parameters
    ----------
    results : Results
    threshold : float
        From which similarity on features count as ghosts of one another.

    Returns
    -------
    DataFrame
        One row a layer: ``layer``, ``n_channels``, ``n_null`` (channels without a spike),
        ``ghost_ratio_cosine``, ``..._pearson``, ``..._ssim``, ``..._jaccard`` (means over
        timesteps; NaN for measures of maps where there are none),
        ``temporal_ghost_ratio`` over all timesteps, ``effective_rank``,
        ``participation_ratio`` (means over timesteps) and ``cka_next``, the mean linear
        CKA of neighbouring timesteps.
    """
    import pandas as pd

    rows = [_row(results, name, threshold) for name in results.layers]
    return pd.DataFrame(rows).assign(threshold=threshold)


def _row(results: Results, name: str, threshold: float) -> dict[str, Any]:
    state, rates = results.layers[name], results.firing_rates[name]
    n_timesteps = state.sizes[schema.TIME]
    null = (rates[schema.C_SFR] == 0).sum(schema.CHANNEL)
    dimensions = dimensionality(state)
    cka = TemporalKernel().compute(state)[schema.CKA].values
    row: dict[str, Any] = {
        "layer": name,
        "n_channels": state.sizes[schema.CHANNEL],
        "n_null": float(null.mean()),
    }
    for measure in MEASURES:
        row[f"ghost_ratio_{measure}"] = _mean(
            [_ghost_ratio(results, name, time, measure, threshold) for time in range(n_timesteps)]
        )
    try:
        curve = temporal_ghost_curve(rates, threshold)
        row["temporal_ghost_ratio"] = float(curve[schema.TEMPORAL_GHOST_RATIO][-1])
    except UsageError:  # a layer without maps
        row["temporal_ghost_ratio"] = float("nan")
    row["effective_rank"] = _mean(dimensions[schema.EFFECTIVE_RANK].values)
    row["participation_ratio"] = _mean(dimensions[schema.PARTICIPATION_RATIO].values)
    row["cka_next"] = _mean(np.diagonal(cka, offset=1))
    return row


def _ghost_ratio(results: Results, layer: str, time: int, measure: str, threshold: float) -> float:
    try:
        similarity = results.similarity(layer, time, measure)
    except UsageError:  # a measure of maps, and none, or too small ones
        return float("nan")
    return float(ghost_groups(similarity, threshold).attrs[schema.GHOST_RATIO])


def _mean(values: Any) -> float:
    known = np.asarray(values, np.float64)
    known = known[np.isfinite(known)]
    return float(known.mean()) if known.size else float("nan")
