"""Mixed precision: half in the convolutions, float32 in neurons, weights and tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from redundancy.errors import UsageError
from redundancy.networks import build_network
from redundancy.neurons import find_spiking_layers
from redundancy.training import Recipe
from redundancy.training.distributed import Processes
from redundancy.training.learner import Learner
from tests.toy import ToyDataset, tiny_network_arguments
from tests.toy_training import assert_same_weights, train_toy, without_times

CPU = torch.device("cpu")


def recipe(precision: str, **others: Any) -> Recipe:
    return Recipe(epochs=2, batch_size=8, learning_rate=1e-2, precision=precision, **others)


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_convolutions_are_in_half_and_potentials_are_not(precision: str) -> None:
    network = build_network("lif-snn-3", **tiny_network_arguments())
    data = ToyDataset(8)
    assert data.labels is not None
    learner = Learner(network, recipe(precision), Processes(0, 1, CPU), data.frame_shape)
    seen: dict[str, set[torch.dtype]] = {"convolution": set(), "neuron": set(), "spikes": set()}

    def watch(kind: str) -> Any:
        def hook(module: Any, inputs: Any, output: torch.Tensor) -> None:
            seen[kind].add(inputs[0].dtype if kind == "neuron" else output.dtype)
            if kind == "neuron":
                seen["spikes"].add(output.dtype)

        return hook

    modules = dict(network.named_modules())
    for name in find_spiking_layers(network):
        modules[name].register_forward_hook(watch("neuron"))
    for module in modules.values():
        if isinstance(module, torch.nn.Conv2d):
            module.register_forward_hook(watch("convolution"))
    learner.begin_epoch()
    learner.step(data.frames, data.labels, 1.0)
    assert seen["convolution"] == {getattr(torch, precision)}
    assert seen["neuron"] == seen["spikes"] == {torch.float32}
    assert {p.dtype for p in network.parameters()} == {torch.float32}
    for kind in seen:
        seen[kind].clear()
    learner.test_accuracy(data)
    assert seen["convolution"] == {torch.float32}


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_it_learns_and_goes_on_after_an_interruption(tmp_path: Path, precision: str) -> None:
    large = ToyDataset(96, split="train"), ToyDataset(48, seed=1)
    whole = train_toy(
        tmp_path / "whole.pt",
        recipe(precision, loss="cross-entropy", seed=1),
        *large,
        # The attention's ranking leaves parameters without a gradient.
        network_arguments={"attention": "asa-1"},
    )
    assert whole["recipe"]["precision"] == precision
    assert whole["epochs"][-1]["loss"] < whole["epochs"][0]["loss"]
    assert whole["final_test_accuracy"] > 0.5

    def stop(epoch: Any, total: int) -> None:
        raise KeyboardInterrupt

    path, settings = tmp_path / "half.pt", {"network_arguments": {"attention": "asa-1"}}
    given = (recipe(precision, loss="cross-entropy", seed=1), *large)
    with pytest.raises(KeyboardInterrupt):
        train_toy(path, *given, on_epoch=stop, **settings)
    resumed = train_toy(path, *given, resume=True, **settings)
    assert_same_weights(path, tmp_path / "whole.pt")
    assert without_times(resumed) == without_times(whole)


@pytest.mark.parametrize(("precision", "scaled"), [("bfloat16", False), ("float16", True)])
def test_gradients_that_float16_would_lose_are_scaled(precision: str, scaled: bool) -> None:
    network = build_network("lif-snn-3", **tiny_network_arguments())
    shape = ToyDataset(1).frame_shape
    learner = Learner(network, recipe(precision), Processes(0, 1, CPU), shape)
    assert (learner.state_dict()["precision"].get("scale", 1) > 1) == scaled


def test_another_precision_is_another_training(tmp_path: Path) -> None:
    def stop(epoch: Any, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_toy(tmp_path / "net.pt", recipe("bfloat16"), on_epoch=stop)
    with pytest.raises(UsageError, match="other settings"):
        train_toy(tmp_path / "net.pt", recipe("float32"), resume=True)


def test_an_unknown_precision_is_refused() -> None:
    with pytest.raises(UsageError, match="precision must be one of float32, bfloat16, float16"):
        Recipe(precision="float8")
