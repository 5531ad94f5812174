"""Presets: the papers' frames of each dataset, by name."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from redundancy.errors import UsageError

# The published networks saw frames with rows along x, cut by the published loaders.
_PUBLISHED = {"axes": "xy", "exclude_last": True}
_ASA = {"n_timesteps": 60, "dt_ms": 15.0, "downsample": 4, "clips": 10, **_PUBLISHED}

PRESETS: dict[str, tuple[str, dict[str, Any]]] = {
    "asa-gesture": ("dvs128-gesture", _ASA),
    "asa-gesture-plif": (
        "dvs128-gesture",
        {"n_timesteps": 20, "dt_ms": None, "downsample": None, "clips": 1, "slices": "events"},
    ),
    "asa-gait-day": ("dvs128-gait-day", _ASA),
    "asa-gait-night": ("dvs128-gait-night", _ASA),
    "asa-daily-action": (
        "daily-action-dvs",
        {
            **_ASA,
            "n_timesteps": 36,
            "dt_ms": 120.0,
            "downsample": 2,
            "decoding": "asa",
        },
    ),
    "ma-har": ("har-dvs", {"n_timesteps": 8, "dt_ms": None, "downsample": None, "clips": 1}),
    "gac-cifar10": ("cifar10", {"n_timesteps": 6, "normalize": True}),
    "gac-cifar100": ("cifar100", {"n_timesteps": 6, "normalize": True}),
    "gac-imagenet": (
        "imagenet",
        {"n_timesteps": 4, "resize": 256, "crop": 224, "normalize": True},
    ),
}
"""Name of a preset: the dataset it is for, and the arguments it sets."""


def with_preset(dataset: str, given: Mapping[str, object]) -> dict[str, object]:
    """Return `given` with its ``preset`` replaced by the arguments it stands for.

    Parameters
    ----------
    dataset : str
        Registered name.
    given : mapping
        Arguments; those beside the preset override it. A given `size` takes the
        place of the preset's `downsample`.

    Raises
    ------
    UsageError
        If there is no such preset, or it is for another dataset.
    """
    rest = {name: value for name, value in given.items() if name != "preset"}
    name = given.get("preset")
    if name is None or (isinstance(name, str) and name.strip().lower() == "none"):
        return rest
    known = [preset for preset, (owner, _) in PRESETS.items() if owner == dataset]
    if not known:
        raise UsageError(
            f"dataset {dataset!r} has no presets, got preset={name}; presets are for "
            f"{', '.join(sorted({owner for owner, _ in PRESETS.values()}))}"
        )
    if name not in known:
        near = difflib.get_close_matches(str(name), known, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise UsageError(
            f"dataset {dataset!r} has no preset {str(name)!r}; it has {', '.join(known)}{hint}"
        )
    values = dict(PRESETS[str(name)][1])
    if rest.get("size") not in (None, "none"):
        values.pop("downsample", None)
    return {**values, **rest}
