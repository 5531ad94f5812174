"""Whole small files of trained networks and of what was found of them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import torch
from spikingjelly.activation_based import layer, neuron
from torch import Tensor, nn

import redundancy
from benchmarks.fuzz.numbers import IDENTITY
from redundancy.analysis import network_recordings
from redundancy.checkpoint import Checkpoint, save_checkpoint
from redundancy.datasets import build_dataset
from redundancy.networks import build_network, complete_arguments
from redundancy.nodes import nodes_of
from redundancy.recordings import write_recording
from redundancy.sharding.gathering import Gathered, Piece
from redundancy.sharding.kept_states import KeptStates
from redundancy.sharding.plan import Shard

_ARGUMENTS: dict[str, Any] = {
    "input_size": (8, 8), "widths": (2, 3, 3), "hidden": 4, "n_classes": 3, "n_timesteps": 4,
    "attention": "asa-1",
}  # fmt: skip
_ASA = (
    (r"conv(\d)\.(conv|bn)\.", "ConvAttLIFs.{n}.{part}.0."),
    (r"conv(\d)\.attention\.(average)_weight", "ConvAttLIFs.{n}.attn.alpha"),
    (r"conv(\d)\.attention\.(maximum)_weight", "ConvAttLIFs.{n}.attn.beta"),
    (r"conv(\d)\.attention\.(importance)\.", "ConvAttLIFs.{n}.attn.fc."),
    (r"conv(\d)\.attention\.(first)_attention\.", "ConvAttLIFs.{n}.attn.conv1."),
    (r"conv(\d)\.attention\.(second)_attention\.", "ConvAttLIFs.{n}.attn.conv2."),
    (r"fc(\d)\.(linear)\.", "FCs.{n}.linear.0."),
)
_GAC = (
    (r"^encoder\.gate\.temporal\.", "encoding.TA.sharedMLP."),
    (r"^encoder\.gate\.spatial_channel\.", "encoding.SCA.sharedMLP."),
    (r"^fc\.", "fc1."),
    (r"shortcut\.0\.", "downsample.layer.module."),
    (r"shortcut\.1\.", "downsample.bn.bn."),
    (r"(bn\d)\.(?!bn)", r"\1.bn."),
)


def _state(name: str, seed: int, **arguments: Any) -> dict[str, Tensor]:
    torch.manual_seed(seed)
    return dict(build_network(name, **arguments).state_dict())


def write_own(path: Path, seed: int) -> None:
    """Write a checkpoint of ours, of values that are no defaults."""
    arguments = complete_arguments("lif-snn-3", {**_ARGUMENTS, "v_threshold": 0.8, "decay": 0.6})
    data = {"seed": 3, "dt": 15.0}
    record = {
        "network": {"name": "lif-snn-3", "arguments": dict(arguments)},
        "dataset": {"name": "toy", "arguments": dict(data)},
        "epochs": 3,
    }
    state = _state("lif-snn-3", seed, **arguments)
    save_checkpoint(path, Checkpoint("lif-snn-3", arguments, state, "toy", data, record))


def write_own_1(path: Path, seed: int) -> None:
    """Write the same as version 1 of the format had it."""
    write_own(path, seed)
    content = torch.load(path, weights_only=True)
    del content["checksum"]
    torch.save({**content, "format_version": 1}, path)


def asa_state(seed: int) -> dict[str, Tensor]:
    """Return weights under the names of the published ASA-SNN code."""
    found = {}
    for key, tensor in _state("lif-snn-3", seed, **_ARGUMENTS).items():
        pattern, template = next(pair for pair in _ASA if re.match(pair[0], key))
        match = re.match(pattern, key)
        assert match
        name = template.format(n=int(match[1]) - 1, part=match[2])
        found[name + key[match.end() :]] = tensor
    return found


def gac_state(seed: int) -> dict[str, Tensor]:
    """Return weights under the names of the published GAC code, some of them twice."""
    sizes = {"widths": (2, 2, 3, 3), "n_timesteps": 4, "n_classes": 3}
    found: dict[str, Tensor] = {}
    for key, tensor in _state("gac-ms-resnet-18-cifar", seed, **sizes).items():
        name = key
        for pattern, template in _GAC:
            name = re.sub(pattern, template, name)
        found[name] = tensor[..., None, None, None] if "TA." in name else tensor
        twice = re.sub(r"((?:^|\.)(?:conv\d|fc1))\.", r"\1_s.layer.module.", name)
        found[twice] = found[name]
    return found


def write_spikingjelly(path: Path, seed: int, *, legacy: bool = False) -> None:
    """Write what an example of SpikingJelly saves after an epoch."""
    state = _state("sew-resnet-18", seed, widths=(2, 2, 3, 3), n_classes=3, n_timesteps=2)
    content = {"net": state, "epoch": 3, "max_test_acc": 0.5}
    torch.save(content, path, _use_new_zipfile_serialization=not legacy)


def frames(path: Path, seed: int) -> None:
    """Write the frames file that networks here are analysed on."""
    random = np.random.default_rng(seed)
    np.savez(
        path,
        frames=random.poisson(0.5, (5, 4, 2, 8, 8)).astype(np.uint8),
        labels=random.permutation(np.arange(5) % 3),
    )


def _one_layer() -> nn.Module:
    """Return a network of one spiking layer: opening netCDF costs by the variable."""
    torch.manual_seed(0)
    return nn.Sequential(
        layer.Conv2d(2, 2, 3, step_mode="m"),
        neuron.LIFNode(v_threshold=0.3, step_mode="m"),
        layer.Flatten(step_mode="m"),
        layer.Linear(72, 3, step_mode="m"),
    ).eval()


def write_results(path: Path, seed: int) -> None:
    """Analyse a small network and save what was found."""
    frames(path.with_suffix(".npz"), seed)
    data = build_dataset(f"frames:{path.with_suffix('.npz')}")
    redundancy.analyze(_one_layer(), data, batch_size=3).save(path)


def write_run(path: Path, seed: int) -> None:
    """Record a small network."""
    frames(path.with_suffix(".npz"), seed)
    data = build_dataset(f"frames:{path.with_suffix('.npz')}")
    recordings = network_recordings(
        _one_layer(), data, quantities=("spike", "membrane_potential"), batch_size=3
    )
    said = {"network": "n", "dataset": "frames", "split": "test", "n_timesteps": 4}
    write_recording(path, recordings, said)


def write_kept_states(folder: Path, seed: int) -> None:
    """Keep the states of samples that were analysed, and of some that wait."""
    folder.mkdir(exist_ok=True)
    write_results(folder / "results.nc", seed)
    nodes = nodes_of(redundancy.load_results(folder / "results.nc").tree)
    (folder / "results.nc").unlink()
    nodes = {name: node[list(node.data_vars)[:4]] for name, node in nodes.items()}
    kept = KeptStates(folder)
    gathered: Gathered = kept.open(IDENTITY, 0)
    gathered.device = "cpu"
    gathered.add(Piece(Shard(0, 5), nodes))
    gathered.add(Piece(Shard(7, 12), nodes))
    kept.keep(gathered, now=True)
