"""A network's arguments, completed from the data it is trained on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from redundancy.datasets.base import Dataset
from redundancy.errors import UsageError
from redundancy.networks import complete_arguments


def fit_to_data(
    network: str, arguments: Mapping[str, Any], train_set: Dataset, test_set: Dataset
) -> dict[str, Any]:
    """Return all arguments of a network: what the data decides is taken from the data.

    Raises
    ------
    UsageError
        If the data has no labels or no samples, the two sets differ in kind, or an
        argument does not fit them.
    """
    for dataset in (train_set, test_set):
        if dataset.n_classes is None:
            raise UsageError(f"training needs labels, and dataset {dataset.name} has none")
        if len(dataset) == 0:
            raise UsageError(f"the {dataset.split} split of dataset {dataset.name} has no samples")
    shapes = [(dataset.n_classes, dataset.frame_shape) for dataset in (train_set, test_set)]
    if shapes[0] != shapes[1]:
        raise UsageError(
            "training and test set must have the same classes and (time, channel, y, x), "
            f"got {shapes[0]} and {shapes[1]}"
        )
    n_timesteps, n_channels, height, width = train_set.frame_shape
    derived = {
        "n_classes": train_set.n_classes,
        "n_timesteps": n_timesteps,
        "input_channels": n_channels,
        "input_size": (height, width),
    }
    complete = complete_arguments(network, {**derived, **arguments})
    for name, value in derived.items():
        if complete[name] != value:
            raise UsageError(
                f"network argument {name}={complete[name]} does not fit dataset "
                f"{train_set.name}, which has {name}={value}"
            )
    return complete
