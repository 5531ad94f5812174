"""Ghost features: channels whose spike features repeat those of another channel."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from redundancy import schema
from redundancy.errors import UsageError

LINKAGE = "average"
# Heights of a tree are means of many similarities: their last digits are rounding errors,
# which must not part what lies exactly at the threshold.
_TOLERANCE = 1e-12
_THRESHOLDS = tuple(round(0.01 * step, 2) for step in range(101))

Array = NDArray[np.float64]


def ghost_groups(similarity: xr.DataArray, threshold: float) -> xr.Dataset:
    """Group channels whose spike features resemble one another.

    Average-linkage clustering on 1 - similarity, cut at 1 - `threshold`: two groups are
    one where the mean similarity of their members is at least the threshold.

    Parameters
    ----------
    similarity : DataArray, shape (channel, other_channel)
        From :func:`redundancy.stats.similarity.feature_similarity`; NaN for null channels.
    threshold : float
        From -1 to 1. The paper gives none (Definition 3 of Yao et al., ICCV 2023).

    Returns
    -------
    Dataset
        ``group`` (channel) int64: groups numbered from 0 by size, largest first, then by
        their first channel; -1 for null channels. Attributes threshold, linkage, n_groups,
        n_active, n_null and ghost_ratio = 1 - n_groups / n_active, the share of active
        channels that repeat another one (NaN without active channels); measure, time and
        name of the similarity.

    Raises
    ------
    UsageError
        If the threshold lies outside [-1, 1].
    """
    cut = cut_height(threshold)
    active = active_channels(similarity)
    labels = _labels(linkage_of(similarity), len(active), cut)
    group = np.full(similarity.sizes[schema.CHANNEL], -1, np.int64)
    group[active] = labels
    n_groups = int(labels.max(initial=-1)) + 1
    return xr.Dataset(
        {
            schema.GROUP: (
                schema.CHANNEL,
                group,
                {"long_name": "ghost group, -1 for null channels", "units": "1"},
            )
        },
        attrs={
            **_attributes(similarity, len(active)),
            schema.THRESHOLD: threshold,
            schema.N_GROUPS: n_groups,
            schema.GHOST_RATIO: ghost_ratio(n_groups, len(active)),
        },
    )


def ghost_ratio_curve(
    similarity: xr.DataArray, thresholds: Sequence[float] = _THRESHOLDS
) -> xr.Dataset:
    """Return the ghost ratio at several thresholds, from one and the same tree.

    Parameters
    ----------
    similarity : DataArray, shape (channel, other_channel)
    thresholds : sequence of float
        From -1 to 1; 0, 0.01, ..., 1 by default.

    Returns
    -------
    Dataset
        ``ghost_ratio`` and ``n_groups`` (threshold): see :func:`ghost_groups`. Attributes
        linkage, n_active, n_null, and measure, time and name of the similarity.

    Raises
    ------
    UsageError
        If there is no threshold or one lies outside [-1, 1].
    """
    if len(thresholds) == 0:
        raise UsageError("the ghost ratio needs at least one threshold, got none")
    n_active = len(active_channels(similarity))
    linkage = linkage_of(similarity)
    counts = [count_groups(linkage, n_active, threshold) for threshold in thresholds]
    ratios = [ghost_ratio(count, n_active) for count in counts]
    label = {"long_name": "similarity threshold", "units": "1"}
    return xr.Dataset(
        {
            schema.GHOST_RATIO: (
                schema.THRESHOLD,
                np.array(ratios),
                {"long_name": "ghost ratio", "units": "fraction of active channels"},
            ),
            schema.N_GROUPS: (
                schema.THRESHOLD,
                np.array(counts, np.int64),
                {"long_name": "ghost groups", "units": "groups"},
            ),
        },
        coords={schema.THRESHOLD: (schema.THRESHOLD, np.asarray(thresholds, np.float64), label)},
        attrs=_attributes(similarity, n_active),
    )


def linkage_of(similarity: xr.DataArray) -> Array:
    """Return the tree that the groups are cut from.

    Parameters
    ----------
    similarity : DataArray, shape (channel, other_channel)

    Returns
    -------
    ndarray of float64, shape (n_active - 1, 4)
        As :func:`scipy.cluster.hierarchy.linkage` gives it, over the active channels in
        their order (:func:`active_channels`); heights are 1 - similarity. No rows below
        two active channels.
    """
    active = active_channels(similarity)
    return average_linkage(similarity.values[np.ix_(active, active)])


def active_channels(similarity: xr.DataArray) -> NDArray[np.int64]:
    """Return the indices of the channels that spike: those whose similarity is a number."""
    return np.flatnonzero(~np.isnan(np.diagonal(similarity.values))).astype(np.int64)


def average_linkage(similarity: Array) -> Array:
    """Return the average-linkage tree of a similarity matrix without NaN."""
    if len(similarity) < 2:
        return np.empty((0, 4))
    from scipy.cluster.hierarchy import linkage

    distance = np.maximum(1.0 - similarity[np.triu_indices(len(similarity), k=1)], 0.0)
    tree: Array = linkage(distance, method=LINKAGE)
    return tree


def count_groups(linkage: Array, n_active: int, threshold: float) -> int:
    """Return into how many groups a tree over `n_active` features falls at a threshold."""
    # Every merge at or below the cut joins two groups; the heights of an average-linkage
    # tree rise from row to row.
    return n_active - int(np.count_nonzero(linkage[:, 2] <= cut_height(threshold)))


def ghost_ratio(n_groups: int, n_active: int) -> float:
    """Return the share of active features that repeat another, NaN if none is active."""
    return 1.0 - n_groups / n_active if n_active else float("nan")


def cut_height(threshold: float) -> float:
    """Return the height at which a tree is cut for a similarity threshold.

    Raises
    ------
    UsageError
        If the threshold lies outside [-1, 1].
    """
    if not -1.0 <= threshold <= 1.0:
        raise UsageError(
            f"the similarity threshold must be between -1 and 1, got {threshold}; 1 groups only "
            "features that are alike in every position"
        )
    return 1.0 - threshold + _TOLERANCE


def _labels(linkage: Array, n_active: int, cut: float) -> NDArray[np.int64]:
    """Return the group of every active channel, numbered by size, then by first channel."""
    if n_active < 2:
        return np.zeros(n_active, np.int64)
    from scipy.cluster.hierarchy import fcluster

    raw = fcluster(linkage, cut, criterion="distance")
    _, first, inverse, sizes = np.unique(
        raw, return_index=True, return_inverse=True, return_counts=True
    )
    order = np.lexsort((first, -sizes))
    number = np.empty(len(order), np.int64)
    number[order] = np.arange(len(order))
    labels: NDArray[np.int64] = number[inverse]
    return labels


def _attributes(similarity: xr.DataArray, n_active: int) -> dict[str, object]:
    kept = {
        key: similarity.attrs[key] for key in ("measure", "time", "name") if key in similarity.attrs
    }
    return {
        **kept,
        "linkage": LINKAGE,
        schema.N_ACTIVE: n_active,
        schema.N_NULL: similarity.sizes[schema.CHANNEL] - n_active,
    }
