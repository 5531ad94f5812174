"""What figures that set networks side by side are given of each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypedDict

import xarray as xr

from redundancy import schema
from redundancy.errors import UsageError


class LayerResults(TypedDict):
    """Results of one layer of one network.

    Attributes
    ----------
    rates, potentials, patterns : Dataset
        The layer's entries in the results' ``firing_rates``, ``potentials`` and
        ``patterns``.
    """

    rates: xr.Dataset
    potentials: xr.Dataset
    patterns: xr.Dataset


def check_networks(networks: Mapping[str, LayerResults], *, most: int) -> None:
    """Raise UsageError unless there are 1 to `most` networks with equal layers."""
    if not 1 <= len(networks) <= most:
        raise UsageError(
            f"this figure shows 1 to {most} networks side by side, got {len(networks)}"
        )
    sizes = {
        name: (layer["rates"].sizes[schema.TIME], layer["rates"].sizes[schema.CHANNEL])
        for name, layer in networks.items()
    }
    if len(set(sizes.values())) > 1:
        listing = ", ".join(f"{name}: {times} and {n}" for name, (times, n) in sizes.items())
        raise UsageError(
            "networks side by side need layers with the same timesteps and channels, but they "
            f"have ({listing}); choose layers that match"
        )
