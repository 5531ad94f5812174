"""Similarity of a layer's spike features: which channels are ghosts of one another."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import xarray as xr

from redundancy import schema
from redundancy.errors import UsageError
from redundancy.stats.map_similarity import MAP_MEASURES, Array
from redundancy.stats.spike_gram import jaccard


def feature_similarity(source: xr.Dataset, time: int, measure: str) -> xr.DataArray:
    """Compare the spike features of every pair of channels at one timestep.

    Parameters
    ----------
    source : Dataset
        For "cosine", "pearson" and "ssim" the firing rates of a layer with feature maps:
        ``n_sfr`` (time, channel, y, x). For "jaccard" the state of
        :class:`~redundancy.stats.spike_gram.SpikeGram`: ``spike_gram`` (time, channel,
        other_channel).
    time : int
        Timestep, from 0.
    measure : str
        - "cosine": cosine of the N-SFR maps as vectors, in [0, 1];
        - "pearson": correlation of the maps over positions, in [-1, 1]. A map that is the
          same everywhere has no correlation: two such maps count as alike (1), one of
          them beside any other map as unrelated (0);
        - "ssim": mean structural similarity (Wang et al., IEEE TIP 2004) over windows
          wholly inside the map, uniform, of side 7 or the largest odd number that fits,
          sample covariance, range of values 1: what scikit-image's
          ``structural_similarity(a, b, data_range=1)`` gives. Its constants are
          made for values that fill the range: maps whose rates stay at 0.01 or below score
          above 0.85 wherever they fire;
        - "jaccard": where both channels spike as a share of where one does, spikes pooled
          over samples and positions, in [0, 1]; works without feature maps too.

    Returns
    -------
    DataArray, shape (channel, other_channel)
        Symmetric, 1 on the diagonal. A channel without a spike at this timestep (null)
        has NaN in its row and column. Attributes measure, time, name, long_name, units.

    Raises
    ------
    UsageError
        If the measure is unknown, the timestep does not exist, or the measure needs
        feature maps that the layer does not have or that are too small.
    """
    if measure == "jaccard":
        gram = _variable(source, schema.SPIKE_GRAM, measure)
        matrix = jaccard(gram.values[_checked_time(time, gram)])
    else:
        compare = map_measure(measure)
        maps = feature_maps(source, measure)
        matrix = compare(maps[_checked_time(time, source[schema.N_SFR])])
    return xr.DataArray(
        matrix,
        dims=(schema.CHANNEL, schema.OTHER_CHANNEL),
        name=schema.SIMILARITY,
        attrs={
            "measure": measure,
            "time": time,
            "name": source.attrs.get("name", ""),
            "long_name": MEASURES[measure],
            "units": "1",
        },
    )


def feature_maps(rates: xr.Dataset, measure: str) -> Array:
    """Return the N-SFR maps (time, channel, y, x) of a layer that has them.

    Raises
    ------
    UsageError
        If the layer's channels are single numbers.
    """
    n_sfr = _variable(rates, schema.N_SFR, measure)
    dims = (schema.TIME, schema.CHANNEL, schema.Y, schema.X)
    if schema.Y not in n_sfr.dims or n_sfr.sizes[schema.Y] * n_sfr.sizes[schema.X] < 2:
        name = rates.attrs.get("name")
        layer = f"layer {name!r}" if name else "this layer"
        raise UsageError(
            f"{measure} compares feature maps, but a channel of {layer} is one number at each "
            "timestep; use jaccard, which compares spikes over samples"
        )
    maps: Array = n_sfr.transpose(*dims).values.astype(np.float64, copy=False)
    return maps


def map_measure(measure: str) -> Callable[[Array], Array]:
    """Return the function that compares maps (feature, y, x) by a named measure.

    Raises
    ------
    UsageError
        If the measure is unknown, or does not compare maps.
    """
    if measure not in MEASURES:
        raise UsageError(
            f"there is no similarity measure {measure!r}; choose one of {', '.join(MEASURES)}"
        )
    if measure not in MAP_MEASURES:
        raise UsageError(
            f"{measure} does not compare feature maps; choose one of {', '.join(MAP_MEASURES)}"
        )
    return MAP_MEASURES[measure]


def _variable(source: xr.Dataset, name: str, measure: str) -> xr.DataArray:
    if name not in source:
        wanted = "spike gram state" if name == schema.SPIKE_GRAM else "firing rates"
        raise UsageError(
            f"{measure} is computed from the {wanted} of a layer ({name}), got "
            f"{', '.join(map(str, source.data_vars)) or 'nothing'}"
        )
    return source[name]


def _checked_time(time: int, variable: xr.DataArray) -> int:
    n_timesteps = variable.sizes[schema.TIME]
    if not 0 <= time < n_timesteps:
        raise UsageError(
            f"there is no timestep {time}: the layer has {n_timesteps}, from 0 to {n_timesteps - 1}"
        )
    return time


# What can be asked for, and the long name of the result.
MEASURES = {
    "cosine": "cosine similarity of spike features",
    "pearson": "Pearson correlation of spike features",
    "ssim": "structural similarity (SSIM) of spike features",
    "jaccard": "Jaccard similarity of the channels' spikes",
}
