"""What a step of training does: mirrored samples, and the optimizers by their definitions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from redundancy.checkpoint import load_checkpoint
from redundancy.datasets.sampling import mirrored
from redundancy.errors import UsageError
from redundancy.networks import build_network
from redundancy.training import Recipe, train
from tests.toy import TINY_NETWORK, ToyDataset


def test_mirrored_samples_are_mirror_images_of_about_half() -> None:
    frames = np.arange(400 * 2 * 3 * 4 * 5, dtype=np.float32).reshape(400, 2, 3, 4, 5)
    shown = mirrored(frames, np.random.default_rng(0))
    turned = np.array([not np.array_equal(a, b) for a, b in zip(shown, frames, strict=True)])
    assert 150 < turned.sum() < 250
    np.testing.assert_array_equal(shown[turned], frames[turned][..., ::-1])
    again = mirrored(frames, np.random.default_rng(0))
    np.testing.assert_array_equal(shown, again)


def weights_after(path: Path, **recipe: Any) -> dict[str, torch.Tensor]:
    """Return the weights after two steps on everything at once."""
    given = Recipe(**{"epochs": 2, "batch_size": 24, "seed": 3, **recipe})
    sets = ToyDataset(24, split="train"), ToyDataset(3, seed=1)
    train("lif-snn-3", TINY_NETWORK, *sets, path, recipe=given, device="cpu")
    return dict(load_checkpoint(path).state_dict)


def test_sgd_takes_the_steps_of_its_definition(tmp_path: Path) -> None:
    """v = 0.9 v + (gradient + decay w); w = w - rate v, with a cosine schedule, by hand."""
    recipe = {"optimizer": "sgd", "momentum": 0.9, "learning_rate": 0.05, "weight_decay": 0.01}
    after = weights_after(tmp_path / "a.pt", final_learning_rate=0.0, **recipe)
    torch.manual_seed(3)
    toy = ToyDataset(24, split="train")
    arguments = {**TINY_NETWORK, "n_classes": 3, "n_timesteps": 5, "input_size": (8, 8)}
    network = build_network("lif-snn-3", **arguments)
    velocity = {name: torch.zeros_like(p) for name, p in network.named_parameters()}
    for step, rate in enumerate((0.05, 0.025)):
        order = np.random.default_rng([3, step]).permutation(24)
        assert toy.labels is not None
        frames = torch.from_numpy(toy.frames[order]).transpose(0, 1)
        target = torch.nn.functional.one_hot(torch.from_numpy(toy.labels[order]), 3).float()
        network.zero_grad()
        torch.nn.functional.mse_loss(network(frames), target).backward()
        with torch.no_grad():
            for name, p in network.named_parameters():
                assert p.grad is not None
                velocity[name] = 0.9 * velocity[name] + p.grad + 0.01 * p
                p -= rate * velocity[name]
        for module in network.modules():
            if hasattr(module, "reset"):
                module.reset()
    for name, p in network.named_parameters():
        torch.testing.assert_close(after[name], p.detach(), rtol=1e-5, atol=1e-6)


def test_flips_change_a_training_and_momentum_does(tmp_path: Path) -> None:
    recipe = {"optimizer": "sgd", "learning_rate": 0.05}
    plain = weights_after(tmp_path / "a.pt", **recipe)["fc2.linear.weight"]
    for change in ({"momentum": 0.9}, {"flip": True}, {"optimizer": "adam"}):
        other = weights_after(tmp_path / "b.pt", **{**recipe, **change})["fc2.linear.weight"]
        assert not torch.equal(plain, other), change


@pytest.mark.parametrize(
    "settings",
    [
        {"optimizer": "rmsprop"},
        {"optimizer": "sgd", "momentum": 1.0},
        {"optimizer": "sgd", "momentum": -0.1},
        {"momentum": 0.9},
    ],
)
def test_an_optimizer_out_of_range_is_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        Recipe(**settings)
