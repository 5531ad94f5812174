"""ASA-1 by its equations, written out in loops, and modules to compare it with."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from redundancy.networks.asa import ASA1

Array = NDArray[np.float64]


def sigmoid(z: Array) -> Array:
    return 1.0 / (1.0 + np.exp(-z))


def convolve(maps: Array, kernel: Array) -> Array:
    """Cross-correlate maps (map, y, x) with one kernel (map, y, x), zeros around them."""
    reach = kernel.shape[-1] // 2
    padded = np.pad(maps, [(0, 0), (reach, reach), (reach, reach)])
    result = np.zeros(maps.shape[1:])
    for y in range(result.shape[0]):
        for x in range(result.shape[1]):
            window = padded[:, y : y + kernel.shape[1], x : x + kernel.shape[2]]
            result[y, x] = (window * kernel).sum()
    return result


def select_top(values: Array, k: int) -> NDArray[np.bool_]:
    chosen = np.zeros(len(values), dtype=bool)
    for index in sorted(range(len(values)), key=lambda i: -values[i])[:k]:
        chosen[index] = True
    return chosen


def reference_importance(x: Array, weights: dict[str, Array]) -> Array:
    """Return M of one sample (time, channel, y, x): eqs 5 and 6 without the sigmoid."""
    n_timesteps, n_channels = x.shape[:2]
    pooled = np.zeros((n_timesteps, n_channels))
    for t in range(n_timesteps):
        for c in range(n_channels):
            average, maximum = x[t, c].mean(), x[t, c].max()
            pooled[t, c] = (
                0.5 * (average + maximum)
                + weights["average_weight"][0] * average
                + weights["maximum_weight"][0] * maximum
            )
    if not any(name.startswith("importance") for name in weights):
        return pooled
    if "importance.weight" in weights:
        return weights["importance.weight"] @ pooled
    hidden = np.maximum(weights["importance.0.weight"] @ pooled, 0.0)
    return weights["importance.2.weight"] @ hidden


def reference_sample(x: Array, weights: dict[str, Array], top_share: float) -> Array:
    """Return ASA-1 of one sample (time, channel, y, x): eqs 5 to 10."""
    n_timesteps, n_channels = x.shape[:2]
    importance = sigmoid(reference_importance(x, weights))
    by_channel = np.stack(
        [select_top(importance[t], int(n_channels * top_share)) for t in range(n_timesteps)]
    )
    by_time = np.stack(
        [select_top(importance[:, c], int(n_timesteps * top_share)) for c in range(n_channels)],
        axis=1,
    )
    first = by_channel != by_time
    output = np.zeros_like(x)
    for group, share, name in (
        (first, top_share, "first_attention"),
        (~first, 1.0 - top_share, "second_attention"),
    ):
        masked = x * group[:, :, None, None]
        pools = np.stack([masked.mean(axis=(0, 1)) / share, masked.max(axis=(0, 1))])
        output += masked * sigmoid(convolve(pools, weights[f"{name}.weight"][0]))
    return output


def make_module(n_timesteps: int, seed: int, **arguments: float | str) -> ASA1:
    """Return a module in float64 whose own weights have moved from their start."""
    torch.manual_seed(seed)
    module = ASA1(n_timesteps, **arguments).double()  # type: ignore[arg-type]
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
        if isinstance(module.importance, nn.Sequential):
            # One hidden unit stays alive: with all of them at 0 every importance is 0, and
            # the equations do not say which of equal ones top-k takes.
            first = module.importance[0].weight
            first[0] = first[0].abs()
    return module


def weights_of(module: nn.Module) -> dict[str, Array]:
    return {key: tensor.numpy() for key, tensor in module.state_dict().items()}


def apply(module: nn.Module, x: Tensor) -> Tensor:
    with torch.no_grad():
        result: Tensor = module(x)
    return result
