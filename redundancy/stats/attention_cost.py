"""What attention modules add to the operations of a network."""

from __future__ import annotations

import xarray as xr

from redundancy import schema


def attention_macs(table: xr.Dataset) -> xr.Dataset:
    """Return what the attention modules of a network cost a sample.

    Parameters
    ----------
    table : Dataset
        Of :func:`redundancy.stats.energy.energy_table`, by any convention.

    Returns
    -------
    Dataset
        ``attention_macs`` (): dense MACs of the layers inside attention modules, each as
        often as it is really applied; ``attention_rescales`` (): products of features
        with their attention; ``attention_total`` (): both.

    Notes
    -----
    Published numbers of added MACs mix conventions. For three layers at T = 60, the ASA
    paper's 2.6M of ASA-1 are one of its two 3 x 3 convolutions at every timestep, plus
    the T x T importance layer, without the rescale; its 14.3M of spatial attention are
    the 7 x 7 convolution plus one rescale. Pooled as eq. 9 says, over time and channels,
    ASA-1's convolutions run once a sample, so what is executed here is less in the
    layers, and more in all.
    """
    inside = table[schema.ROLE] == "attention"
    macs = table[schema.DENSE_OPERATIONS].where(inside, 0).sum()
    rescales = table[schema.RESCALE_OPERATIONS].sum()
    result = xr.Dataset(
        {
            schema.ATTENTION_MACS: macs,
            schema.ATTENTION_RESCALES: rescales,
            schema.ATTENTION_TOTAL: macs + rescales,
        },
        attrs={schema.CONVENTION: "as executed: every layer inside attention, and its rescale"},
    )
    for name, long_name in (
        (schema.ATTENTION_MACS, "MACs of layers inside attention"),
        (schema.ATTENTION_RESCALES, "products of features and attention"),
        (schema.ATTENTION_TOTAL, "operations of attention"),
    ):
        result[name].attrs = {"long_name": long_name, "units": "operations per sample"}
    return result
