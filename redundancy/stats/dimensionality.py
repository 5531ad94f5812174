"""How many dimensions a layer's channels span: effective rank and participation ratio."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from redundancy import schema

Array = NDArray[np.float64]


def dimensionality(state: xr.Dataset) -> xr.Dataset:
    """Measure, per timestep, how many independent features the channels make up.

    Both measures are taken from the eigenvalues l of the covariance of the channels' 0/1
    spikes, with (sample, position) as observations. The effective rank (Roy and Vetterli,
    EUSIPCO 2007) is exp of the entropy of the normalised singular values of the centred
    spike matrix, sqrt(l) / sum sqrt(l); the participation ratio is (sum l)^2 / sum l^2. Both
    lie between 1 (all channels are one) and the number of channels (all uncorrelated, of
    the same variance). A channel that never or always spikes adds nothing.

    Parameters
    ----------
    state : Dataset
        State of :class:`~redundancy.stats.spike_gram.SpikeGram`.

    Returns
    -------
    Dataset
        ``effective_rank`` and ``participation_ratio`` (time), float64; NaN where no channel
        varies. Attributes n_channels, n_positions and name.

    Raises
    ------
    ValueError
        If the state holds no sample.
    """
    n_positions = int(state[schema.N_POSITIONS])
    if n_positions < 1:
        raise ValueError("dimensionality needs at least one sample, the state holds none")
    grams = state[schema.SPIKE_GRAM].values
    spectra = [spectrum(gram / n_positions) for gram in grams]
    values = {
        schema.EFFECTIVE_RANK: ([_effective_rank(s) for s in spectra], "effective rank"),
        schema.PARTICIPATION_RATIO: (
            [_participation_ratio(s) for s in spectra],
            "participation ratio",
        ),
    }
    return xr.Dataset(
        {
            name: (schema.TIME, np.array(value), {"long_name": long_name, "units": "dimensions"})
            for name, (value, long_name) in values.items()
        },
        attrs={
            "name": state.attrs.get("name", ""),
            "n_channels": grams.shape[1],
            schema.N_POSITIONS: n_positions,
        },
    )


def spectrum(moment: Array) -> Array:
    """Return the eigenvalues of the covariance that second moments of 0/1 channels have.

    Parameters
    ----------
    moment : ndarray, shape (channel, channel)
        Mean product of two channels; the diagonal is also the mean of a channel.

    Returns
    -------
    ndarray, shape (channel)
        Ascending; what is zero but for rounding is 0.
    """
    mean = np.diagonal(moment)
    values = np.linalg.eigvalsh(moment - np.outer(mean, mean))
    # Below this NumPy's rank takes a singular value for a rounding error; its square root
    # would count in the entropy.
    noise = values.max(initial=0.0) * len(values) * np.finfo(np.float64).eps
    cleaned: Array = np.where(values > noise, values, 0.0)
    return cleaned


def _effective_rank(values: Array) -> float:
    share = np.sqrt(values[values > 0])
    if share.size == 0:
        return float("nan")
    share /= share.sum()
    return float(np.exp(-(share * np.log(share)).sum()))


def _participation_ratio(values: Array) -> float:
    square = float((values**2).sum())
    return float(values.sum()) ** 2 / square if square > 0 else float("nan")
