"""Weights of small networks as files of the published ASA-SNN code, for several tests."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from redundancy.checkpoint import Checkpoint
from redundancy.networks import build_network
from tests.toy import tiny_network_arguments

# Our names, part by part, and the published ones.
PUBLISHED = (
    (r"conv(\d)\.(conv|bn)\.", "ConvAttLIFs.{n}.{part}.0."),
    (r"conv(\d)\.(attention)\.average_weight", "ConvAttLIFs.{n}.attn.alpha"),
    (r"conv(\d)\.(attention)\.maximum_weight", "ConvAttLIFs.{n}.attn.beta"),
    (r"conv(\d)\.(attention)\.importance\.", "ConvAttLIFs.{n}.attn.fc."),
    (r"conv(\d)\.(attention)\.first_attention\.", "ConvAttLIFs.{n}.attn.conv1."),
    (r"conv(\d)\.(attention)\.second_attention\.", "ConvAttLIFs.{n}.attn.conv2."),
    (r"fc(\d)\.(linear)\.", "FCs.{n}.linear.0."),
)
# The same of the 5-layer networks.
PUBLISHED_5 = (
    (r"conv(\d)\.(conv|bn)\.", "ConvAttLIFs.{n}.0.{part}.0."),
    (r"conv(\d)\.(neuron)\.", "ConvAttLIFs.{n}.0.spike.0."),
    *(
        (pattern, template.replace("{n}.attn", "{n}.0.attn"))
        for pattern, template in PUBLISHED[1:6]
    ),
    (r"fc(\d)\.(linear)\.", "FCs.{n}.1.fc."),
    (r"fc(\d)\.(neuron)\.", "FCs.{n}.1.spike.0."),
)


def published_name(key: str, names: tuple[tuple[str, str], ...] = PUBLISHED) -> str:
    for pattern, template in names:
        if match := re.match(pattern, key):
            return template.format(n=int(match[1]) - 1, part=match[2]) + key[match.end() :]
    raise KeyError(key)


def published_state_5(name: str, **arguments: Any) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return the weights of a small 5-layer network under our and the published names."""
    torch.manual_seed(0)
    sizes = {"n_classes": 3, "hidden": 6, "widths": (3, 4, 5, 4, 3), "input_size": (64, 64)}
    ours = build_network(name, **{**sizes, **arguments}).state_dict()
    return ours, {published_name(key, PUBLISHED_5): tensor for key, tensor in ours.items()}


def published_state(seed: int = 0, **arguments: Any) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return the weights of one network under our names and under the published ones."""
    torch.manual_seed(seed)
    network = build_network("lif-snn-3", **tiny_network_arguments(**arguments))
    ours = network.state_dict()
    theirs = {published_name(key): tensor for key, tensor in ours.items()}
    return ours, theirs


def misfitting_state() -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return our weights, and the published ones with one missing, one new, one misshapen."""
    ours, theirs = published_state()
    theirs = dict(theirs)
    del theirs["FCs.1.linear.0.bias"]
    theirs["ConvAttLIFs.1.attn.sa.conv.weight"] = torch.ones(1)
    theirs["ConvAttLIFs.0.bn.0.bias"] = torch.ones(9)
    return ours, theirs


def unused_weights() -> dict[str, Tensor]:
    """Return the 117 numbers of attention in the neurons that the published code never calls."""
    per_layer = {"alpha": 1, "beta": 1, "fc.weight": 1, "conv1.weight": 18, "conv2.weight": 18}
    return {
        f"ConvAttLIFs.{n}.spike.0.attn.{name}": torch.ones(size)
        for n in range(3)
        for name, size in per_layer.items()
    }


def write(path: Path, content: object) -> Path:
    torch.save(content, path)
    return path


def assert_same_network(checkpoint: Checkpoint, ours: dict[str, Tensor]) -> None:
    built = checkpoint.build_network().state_dict()
    assert list(built) == list(ours)
    for key, tensor in ours.items():
        assert torch.equal(built[key], tensor), key
