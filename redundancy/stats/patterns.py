"""Spike patterns: which features carry the input, which are noise, which are silent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from redundancy import schema
from redundancy.errors import UsageError
from redundancy.stats.layer_values import thresholds

NULL, NOISE, NORMAL, UNDECIDED = 0, 1, 2, -1
PATTERNS = {NULL: "null", NOISE: "noise", NORMAL: "normal", UNDECIDED: "undecided"}
Rule = Literal["potential", "spatial"]
RULES = {"potential": schema.PATTERN_POTENTIAL, "spatial": schema.PATTERN_SPATIAL}


@dataclass(frozen=True)
class PatternRules:
    """How the pattern of a feature, one channel at one timestep, is told.

    A feature without a spike is null. Of the others (Definition 4 and section 5.5 of
    Yao et al., ICCV 2023, which give no thresholds):

    - by their potentials, those are noise whose peak-to-threshold distance is near or
      above 0: at least -`tolerance` times the magnitude of the threshold;
    - by their place, those are noise that fire at least `background_ratio` times as
      often per cell where the input has no events as where it has some.

    Parameters
    ----------
    tolerance : float
        In thresholds.
    background_ratio : float
    """

    tolerance: float = 0.5
    background_ratio: float = 1.0

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if not (np.isfinite(value) and value >= 0):
                raise UsageError(f"{name} must be finite and at least 0, got {value}")

    def by_potential(
        self, distance: xr.DataArray, n_spikes: xr.DataArray, threshold: NDArray[np.float64]
    ) -> xr.DataArray:
        """Return the pattern of features by their potentials.

        Parameters
        ----------
        distance : DataArray, dims (time, channel)
            Peak-to-threshold distance; where it is NaN, the pattern is undecided.
        n_spikes : DataArray, dims (time, channel)
        threshold : ndarray, shape (channel,)

        Returns
        -------
        DataArray of int8, dims (time, channel)
            Keys of :data:`PATTERNS`.
        """
        least = xr.DataArray(-self.tolerance * np.abs(threshold), dims=schema.CHANNEL)
        return _codes(distance >= least, distance.notnull(), n_spikes)

    def by_place(
        self, foreground: xr.DataArray, background: xr.DataArray, n_spikes: xr.DataArray
    ) -> xr.DataArray:
        """Return the pattern of features by where they fire.

        Parameters
        ----------
        foreground, background : DataArray, dims (time, channel)
            Rates of :class:`redundancy.stats.SpatialRates`; where one is NaN, because
            the input has no background or the layer no maps, the pattern is undecided.
        n_spikes : DataArray, dims (time, channel)

        Returns
        -------
        DataArray of int8, dims (time, channel)
        """
        known = foreground.notnull() & background.notnull()
        return _codes(background >= self.background_ratio * foreground, known, n_spikes)


def _codes(is_noise: xr.DataArray, known: xr.DataArray, n_spikes: xr.DataArray) -> xr.DataArray:
    codes = xr.full_like(n_spikes, NORMAL).where(~is_noise, NOISE).where(known, UNDECIDED)
    return codes.where(n_spikes > 0, NULL).astype(np.int8)


def layer_patterns(
    state: xr.Dataset, distance: xr.DataArray, spatial: xr.Dataset, rules: PatternRules
) -> xr.Dataset:
    """Return the patterns of a layer by both rules.

    Parameters
    ----------
    state : Dataset
        Of :class:`redundancy.stats.FiringRate`, for the spikes.
    distance : DataArray, dims (time, channel)
        Peak-to-threshold distance of the potential before firing.
    spatial : Dataset
        Of :meth:`redundancy.stats.SpatialRates.compute`.
    rules : PatternRules

    Returns
    -------
    Dataset
        ``pattern_potential`` and ``pattern_spatial`` int8, ``foreground_rate``,
        ``background_rate``, ``spike_count`` int64, all (time, channel).
    """
    counts = state[schema.SPIKE_COUNT]
    n_spikes = counts.sum([dim for dim in counts.dims if dim in (schema.Y, schema.X)])
    result = spatial.copy()
    result[schema.PATTERN_POTENTIAL] = rules.by_potential(
        distance, n_spikes, thresholds(state.attrs, state.sizes[schema.CHANNEL])
    )
    result[schema.PATTERN_SPATIAL] = rules.by_place(
        spatial[schema.FOREGROUND_RATE], spatial[schema.BACKGROUND_RATE], n_spikes
    )
    result[schema.SPIKE_COUNT] = n_spikes
    meaning = ", ".join(f"{code} {name}" for code, name in PATTERNS.items())
    result[schema.PATTERN_POTENTIAL].attrs = {
        "long_name": f"pattern by potential ({meaning})",
        "units": "1",
    }
    result[schema.PATTERN_SPATIAL].attrs = {
        "long_name": f"pattern by place ({meaning})",
        "units": "1",
    }
    result[schema.SPIKE_COUNT].attrs = {"long_name": "spikes of all samples", "units": "spikes"}
    return result.assign_attrs({**state.attrs, **asdict(rules)})


def pattern_shares(layers: Mapping[str, xr.Dataset], rule: str = "potential") -> xr.Dataset:
    """Return how many features are of each pattern, and which share of spikes they fire.

    Parameters
    ----------
    layers : mapping of str to Dataset
        What :func:`layer_patterns` returns, one a layer.
    rule : {"potential", "spatial"}

    Returns
    -------
    Dataset
        Dimensions ``layer`` and ``pattern``: ``n_features``; ``feature_share`` of the
        layer's features; ``layer_spike_share`` of the layer's spikes and
        ``spike_share`` of all the network's (0 where there are none).
    """
    if rule not in RULES:
        raise UsageError(f"the rule must be one of {', '.join(RULES)}, got {rule!r}")
    features = np.zeros((len(layers), len(PATTERNS)), np.int64)
    spikes = np.zeros_like(features)
    for row, layer in enumerate(layers.values()):
        codes, counts = layer[RULES[rule]].values, layer[schema.SPIKE_COUNT].values
        for column, code in enumerate(PATTERNS):
            features[row, column] = (codes == code).sum()
            spikes[row, column] = counts[codes == code].sum()
    dims = ("layer", "pattern")
    per_layer = np.maximum(spikes.sum(1, keepdims=True), 1)
    n_features = np.maximum(features.sum(1, keepdims=True), 1)
    result = xr.Dataset(
        {
            "n_features": (dims, features),
            "feature_share": (dims, features / n_features),
            "spike_share": (dims, spikes / max(spikes.sum(), 1)),
            "layer_spike_share": (dims, spikes / per_layer),
        },
        coords={"layer": list(layers), "pattern": list(PATTERNS.values())},
        attrs={"rule": rule},
    )
    long_names = {
        "n_features": "features (a channel at a timestep)",
        "feature_share": "share of the layer's features",
        "spike_share": "share of all spikes of the network",
        "layer_spike_share": "share of the layer's spikes",
    }
    for name, long_name in long_names.items():
        result[name].attrs = {"long_name": long_name, "units": "1"}
    return result
