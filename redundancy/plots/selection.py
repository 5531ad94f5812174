"""Which layer, timestep and channels are shown, and whether what was asked exists."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping

import numpy as np
import xarray as xr

from redundancy import schema
from redundancy.errors import UsageError
from redundancy.plots.patterns import Rule, pattern_names


def has_maps(rates: xr.Dataset) -> bool:
    """Tell whether a layer has feature maps (y, x), not vectors."""
    return {schema.Y, schema.X} <= set(rates[schema.N_SFR].dims)


def default_layer(layers: Mapping[str, xr.Dataset]) -> str:
    """Return the name of the deepest convolutional layer: the last one with feature maps.

    Parameters
    ----------
    layers : mapping of str to Dataset
        The layers' firing rates in network order.

    Raises
    ------
    UsageError
        If no layer has feature maps.
    """
    with_maps = [name for name, rates in layers.items() if has_maps(rates)]
    if not with_maps:
        raise UsageError(
            "spike features need a layer with feature maps (y, x), but every spiking layer of "
            f"this network is a vector: {_listing(layers)}"
        )
    return with_maps[-1]


def default_time(rates: xr.Dataset) -> int:
    """Return the index of the middle timestep (the later of two)."""
    return rates.sizes[schema.TIME] // 2


def default_channels(rates: xr.Dataset, time: int) -> dict[str, int]:
    """Pick the channel with the highest C-SFR and a typical one.

    Parameters
    ----------
    rates : Dataset
        One layer's firing rates.
    time : int
        Timestep at which the channels are ranked.

    Returns
    -------
    dict of str to int
        "highest" and "typical" to channel indices; "typical" is the channel with the
        median C-SFR (the lower of two), or, where that one is null, with the median
        among the channels that spike. It is left out where it is the highest one too.
    """
    rate = rates[schema.C_SFR].isel({schema.TIME: check_time(rates, time)}).to_numpy()
    order = channel_order(rate)
    typical = order[len(order) // 2]
    if rate[typical] == 0:
        spiking = order[rate[order] > 0]
        typical = spiking[len(spiking) // 2] if len(spiking) else typical
    picks = {"highest": int(order[0])}
    if typical != order[0]:
        picks["typical"] = int(typical)
    return picks


def choose_pattern_channels(
    patterns: xr.Dataset,
    rates: xr.Dataset,
    time: int | None = None,
    n: int = 4,
    *,
    rule: Rule = "potential",
) -> list[tuple[str, int]]:
    """Pick noise and normal channels to show, half of `n` of each.

    Of the channels of a pattern, ordered by C-SFR, those from the highest to the median
    (the lower of two) are taken, evenly spread: the highest and the median for `n` = 4,
    the highest alone for `n` = 2.

    Parameters
    ----------
    patterns : Dataset
        The layer's patterns (time, channel).
    rates : Dataset
        The layer's firing rates.
    time : int, optional
        Timestep, counted from 0; default the middle one.
    n : int
        At most so many channels, an even number.
    rule : {"potential", "spatial"}
        Which of the two patterns.

    Returns
    -------
    list of (str, int)
        Pattern and channel, noise first. Fewer than `n` where the layer has not
        enough channels of a pattern, none where it has neither noise nor normal ones.

    Raises
    ------
    UsageError
        If there is no such timestep or rule, or `n` is odd or less than 2.
    """
    if n < 2 or n % 2:
        raise UsageError(f"noise and normal channels come in pairs: n is 2, 4, ..., got {n}")
    time = check_time(rates, time)
    names = pattern_names(patterns, check_time(patterns, time), rule)
    rate = rates[schema.C_SFR].isel({schema.TIME: time}).to_numpy()
    order = channel_order(rate)
    picks: list[tuple[str, int]] = []
    for pattern in ("noise", "normal"):
        of_pattern = order[names[order] == pattern]
        last = len(of_pattern) // 2
        places = {round(i * last / max(n // 2 - 1, 1)) for i in range(n // 2)}
        picks += [(pattern, int(of_pattern[i])) for i in sorted(places) if len(of_pattern)]
    return picks


def channel_order(rate: np.ndarray) -> np.ndarray:
    """Return channel indices from the highest to the lowest rate, ties by index."""
    return np.argsort(-rate, kind="stable")


def times_to_show(n_timesteps: int, n: int = 6) -> list[int]:
    """Return up to `n` timesteps, evenly spread from the first to the last.

    Parameters
    ----------
    n_timesteps : int
        How many timesteps there are, at least 1.
    n : int
        How many to pick, at least 1.
    """
    if n_timesteps < 1 or n < 1:
        raise UsageError(
            f"need at least 1 timestep and 1 to show, got {n_timesteps} timesteps and {n} to show"
        )
    if n == 1:
        return [n_timesteps // 2]
    last = n_timesteps - 1
    return sorted({round(i * last / (n - 1)) for i in range(n)})


def check_layer(layers: Mapping[str, xr.Dataset], layer: str | None) -> str:
    """Return `layer`, or the default one for None.

    Raises
    ------
    UsageError
        If there is no such layer; the message names the layers and the nearest one.
    """
    if layer is None:
        return default_layer(layers)
    if layer not in layers:
        near = difflib.get_close_matches(layer, layers, n=1, cutoff=0.0)
        hint = f"; the nearest name is {near[0]!r}" if near else ""
        raise UsageError(
            f"there is no spiking layer {layer!r}; the layers are {_listing(layers)}{hint}"
        )
    return layer


def check_time(rates: xr.Dataset, time: int | None) -> int:
    """Return `time`, or the default one for None; UsageError if it is out of range."""
    if time is None:
        return default_time(rates)
    return _check_index("timestep", time, rates.sizes[schema.TIME], _name(rates))


def check_times(rates: xr.Dataset, times: Iterable[int] | None) -> list[int]:
    """Return `times` as a list, or evenly spread ones for None."""
    if times is None:
        return times_to_show(rates.sizes[schema.TIME])
    return _not_empty("timestep", [check_time(rates, time) for time in times])


def check_channel(rates: xr.Dataset, channel: int) -> int:
    """Return `channel`; UsageError if it is out of range."""
    return _check_index("channel", channel, rates.sizes[schema.CHANNEL], _name(rates))


def check_channels(rates: xr.Dataset, channels: Iterable[int] | None) -> list[int]:
    """Return `channels` as a list, or all of them for None."""
    if channels is None:
        return list(range(rates.sizes[schema.CHANNEL]))
    return _not_empty("channel", [check_channel(rates, channel) for channel in channels])


def _name(rates: xr.Dataset) -> str:
    return f"layer {rates.attrs['name']!r}" if "name" in rates.attrs else "this layer"


def _check_index(kind: str, index: int, size: int, owner: str) -> int:
    if isinstance(index, bool) or not isinstance(index, int | np.integer):
        raise UsageError(f"a {kind} is a whole number counted from 0, got {index!r}")
    if not 0 <= index < size:
        near = min(max(int(index), 0), size - 1)
        raise UsageError(
            f"{kind} {index} is out of range: {owner} has {kind}s 0 to {size - 1}; "
            f"the nearest is {near}"
        )
    return int(index)


def _not_empty(kind: str, indices: list[int]) -> list[int]:
    if not indices:
        raise UsageError(f"name at least one {kind} to show, got an empty list")
    return indices


def _listing(layers: Mapping[str, xr.Dataset]) -> str:
    return ", ".join(layers) or "none"
