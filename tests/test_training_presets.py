"""The papers' training recipes by name, from their values to a training with each."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from redundancy.checkpoint import load_checkpoint
from redundancy.datasets import DATASETS, build_dataset
from redundancy.datasets.presets import PRESETS
from redundancy.datasets.sampling import mirrored
from redundancy.errors import UsageError
from redundancy.networks import NETWORKS, build_network, network_arguments
from redundancy.training import TRAINING_PRESETS, Recipe, TrainingFiles, plan_training, train
from redundancy.training.presets import DEFAULT_NETWORK, preset_entries
from tests.command_line import run_analyze
from tests.published_data import WRITERS, write
from tests.toy import TINY_NETWORK, ToyDataset

# What the scripts state: learning rate, weight decay, batch, epochs, T.
STATED = {
    "asa-gesture": ("lif-snn-3", 1e-4, 1e-4, 32, 200, 60),
    "asa-gait-day": ("lif-snn-3", 1e-4, 1e-4, 32, 200, 60),
    "asa-gait-night": ("lif-snn-3", 1e-4, 1e-4, 32, 100, 60),
    "asa-gesture-plif": ("plif-snn-5", 1e-3, 0.0, 8, 200, 20),
    "asa-daily-action": ("plif-snn-5", 1e-3, 0.0, 4, 100, 36),
    "gac-cifar10": ("gac-ms-resnet-18-cifar", 0.1, 5e-5, 64, 250, 6),
    "gac-cifar100": ("gac-ms-resnet-18-cifar", 0.1, 5e-5, 64, 250, 6),
}
# Parameters of the networks that the presets build, as published (with the number of
# classes of the datasets).
PARAMETERS = {
    "asa-gesture": 2_323_531,
    "asa-gait-day": 2_325_844,
    "asa-gait-night": 548_980,
    "asa-gesture-plif": 1_698_933,
    "ma-har": 11_327_276,
    "gac-cifar10": 12_633_198,
    "gac-cifar100": 12_679_368,
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("data")
    return {name: write(name, folder) for name in WRITERS}


def settings_of(preset: str) -> Mapping[str, Any]:
    return vars(plan_training(preset, TRAINING_PRESETS.get(preset).dataset).recipe)


@pytest.mark.parametrize("preset", list(STATED))
def test_values_are_the_published_ones(preset: str, data: dict[str, str]) -> None:
    network, rate, decay, batch_size, epochs, n_timesteps = STATED[preset]
    recipe, entry = settings_of(preset), TRAINING_PRESETS.get(preset)
    assert entry.network == network
    assert (recipe["learning_rate"], recipe["weight_decay"]) == (rate, decay)
    assert (recipe["batch_size"], recipe["epochs"]) == (batch_size, epochs)
    dataset = build_dataset(data[entry.dataset], split="train", **entry.data_arguments)
    assert dataset.frame_shape[0] == n_timesteps


@pytest.mark.parametrize("preset", [name for name in TRAINING_PRESETS if "gac" not in name])
def test_all_of_asa_have_one_optimizer_loss_and_schedule(preset: str) -> None:
    recipe = settings_of(preset)
    assert (recipe["optimizer"], recipe["loss"]) == ("adam", "mse")
    assert recipe["final_learning_rate"] == 1e-6
    assert (recipe["shift"], recipe["flip"]) == (0, False)


def test_gac_trains_with_sgd_on_moved_and_mirrored_images() -> None:
    recipe = settings_of("gac-cifar10")
    assert (recipe["optimizer"], recipe["momentum"]) == ("sgd", 0.9)
    assert (recipe["loss"], recipe["final_learning_rate"]) == ("cross-entropy", 0.0)
    assert (recipe["shift"], recipe["flip"], recipe["seed"]) == (4, True, 1000)


@pytest.mark.parametrize(
    ("preset", "expected"),
    [
        ("asa-gesture", {"dropout": (0.0, 0.0, 0.1, 0.1, 0.1), "reduction": 4}),
        ("asa-gait-day", {"dropout": (0.0, 0.0, 0.1, 0.1, 0.1), "reduction": 4}),
        (
            "asa-gait-night",
            {"dropout": (0.0, 0.0, 0.5, 0.5, 0.5), "reduction": 8, "widths": (32, 32, 32)},
        ),
        ("asa-gesture-plif", {"reduction": 4}),
        ("asa-daily-action", {"reduction": 4}),
        ("ma-har", {}),
        ("gac-cifar10", {"encoder": True}),
        ("gac-cifar100", {"encoder": True}),
    ],
)
def test_networks_are_the_published_ones(preset: str, expected: dict[str, Any]) -> None:
    assert dict(TRAINING_PRESETS.get(preset).network_arguments) == expected


@pytest.mark.parametrize("preset", list(TRAINING_PRESETS))
def test_every_preset_builds_its_network_for_its_data(preset: str, data: dict[str, str]) -> None:
    entry = TRAINING_PRESETS.get(preset)
    assert entry.network in NETWORKS
    dataset = build_dataset(data[entry.dataset], split="train", **entry.data_arguments)
    n_timesteps, channels, height, width = dataset.frame_shape
    with torch.device("meta"):
        network = build_network(
            entry.network,
            n_timesteps=n_timesteps,
            n_classes=dataset.n_classes,
            input_channels=channels,
            input_size=(height, width),
            **entry.network_arguments,
        )
        frames = torch.zeros((n_timesteps, 2, *dataset.frame_shape[1:]))
        if not entry.network.startswith("gac"):
            assert network(frames).shape == (2, dataset.n_classes)
    if preset in PARAMETERS:
        assert sum(p.numel() for p in network.parameters()) == PARAMETERS[preset]


def test_frames_of_a_preset_are_those_of_the_dataset_preset_of_its_name() -> None:
    for name in TRAINING_PRESETS:
        entry = TRAINING_PRESETS.get(name)
        assert dict(entry.data_arguments) == {"preset": name}
        assert PRESETS[name][0] == entry.dataset


# What a user gives wins


def test_what_is_given_wins() -> None:
    plan = plan_training(
        "asa-gesture",
        "dvs128-gesture:X",
        network_arguments={"attention": "asa-1", "reduction": "1"},
        data_arguments={"clips": "2"},
        recipe={"epochs": 3, "learning_rate": 0.5},
    )
    assert plan.network == "lif-snn-3"
    assert plan.network_arguments == {
        "dropout": (0.0, 0.0, 0.1, 0.1, 0.1),
        "attention": "asa-1",
        "reduction": "1",
    }
    assert plan.data_arguments == {"preset": "asa-gesture", "clips": "2"}
    assert (plan.recipe.epochs, plan.recipe.learning_rate) == (3, 0.5)
    assert (plan.recipe.batch_size, plan.recipe.weight_decay) == (32, 1e-4)


def test_adam_in_the_place_of_sgd_drops_the_momentum() -> None:
    plan = plan_training("gac-cifar10", "cifar10:X", recipe={"optimizer": "adam"})
    assert (plan.recipe.optimizer, plan.recipe.momentum) == ("adam", 0.0)
    with pytest.raises(UsageError, match="momentum"):
        plan_training("gac-cifar10", "cifar10:X", recipe={"optimizer": "adam", "momentum": 0.9})


def test_without_a_preset_the_defaults_hold() -> None:
    plan = plan_training(None, "nmnist:X", recipe={"epochs": 2})
    assert (plan.network, plan.recipe) == (DEFAULT_NETWORK, Recipe(epochs=2))
    assert (plan.network_arguments, plan.data_arguments, plan.notes) == ({}, {}, ())


def test_another_network_or_dataset_takes_the_recipe_only() -> None:
    plan = plan_training("asa-gait-night", "nmnist:X", network="plif-snn-5")
    assert (plan.network, plan.network_arguments) == ("plif-snn-5", {})
    assert (plan.data_arguments, plan.recipe.epochs) == ({}, 100)
    notes = " ".join(plan.notes)
    assert "for network lif-snn-3: only its recipe is used" in notes
    assert "for dataset dvs128-gait-night: its frames are not used" in notes
    # What is said of its network and data is no longer true of this training.
    assert "reduction" not in notes
    assert "another random clip" not in notes


def test_the_same_network_by_name_is_the_preset_s() -> None:
    plan = plan_training("asa-gait-night", "dvs128-gait-night:X", network="lif-snn-3")
    assert plan.network_arguments["widths"] == (32, 32, 32)


@pytest.mark.parametrize(
    ("preset", "data", "message"),
    [
        (
            "asa-gestures",
            "dvs128-gesture:X",
            "no training preset named 'asa-gestures'.*asa-gesture",
        ),
        ("asa-gesture", "dvs128:X", "no dataset named 'dvs128'"),
    ],
)
def test_unknown_names_are_one_sentence(preset: str, data: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        plan_training(preset, data)
    assert "\n" not in str(caught.value)


def test_the_command_says_it_in_one_sentence(tmp_path: Path) -> None:
    out = tmp_path / "a.pt"
    code, _, err = run_analyze("train", "--preset", "gac", "--data", "cifar10:X", "-o", out)
    assert (code, err.count("\n")) == (2, 1)
    assert err.startswith("error: there is no training preset named 'gac'")


# Training with one


def test_gac_is_trained_on_cifar_with_its_preset(tmp_path: Path, data: dict[str, str]) -> None:
    out = tmp_path / "gac.pt"
    code, text, err = run_analyze(
        *("train", "--preset", "gac-cifar10", "--data", data["cifar10"], "-o", out),
        *("--epochs", 1, "--batch-size", 5, "--network-arg", "widths=2,3,4,5"),
        *("--data-arg", "n_timesteps=2", "--device", "cpu"),
    )
    assert code == 0, err
    assert "note: preset gac-cifar10: the published training also pastes patches" in err
    assert "test accuracy" in text
    record = json.loads(TrainingFiles(out).record.read_text())
    expected = {**vars(Recipe()), **TRAINING_PRESETS.get("gac-cifar10").recipe}
    assert record["recipe"] == {**expected, "epochs": 1, "batch_size": 5}
    assert record["dataset"] == {
        "name": "cifar10",
        "arguments": {"n_timesteps": 2, "normalize": True},
        "n_train": 10,
        "n_test": 2,
    }
    checkpoint = load_checkpoint(out)
    assert checkpoint.network == "gac-ms-resnet-18-cifar"
    assert checkpoint.network_arguments["widths"] == (2, 3, 4, 5)
    assert checkpoint.network_arguments["encoder"] is True
    assert checkpoint.dataset_arguments["n_timesteps"] == 2


# Small enough to train in a second, and what the preset says of it otherwise.
NARROW = {
    "asa-gesture": ("widths=2,3,4", "hidden=5"),
    "asa-gait-day": ("widths=2,3,4", "hidden=5"),
    "asa-gait-night": ("widths=2,3,4", "hidden=5"),
    "asa-gesture-plif": ("widths=2,2,2,2,2", "hidden=5"),
    "asa-daily-action": ("widths=2,2,2,2,2", "hidden=5"),
    "ma-har": ("widths=2,2,2,2",),
}


@pytest.mark.parametrize("preset", list(NARROW))
def test_event_networks_are_trained_with_their_presets(
    tmp_path: Path, data: dict[str, str], preset: str
) -> None:
    entry, out = TRAINING_PRESETS.get(preset), tmp_path / "net.pt"
    narrow = [part for value in NARROW[preset] for part in ("--network-arg", value)]
    code, _, err = run_analyze(
        *("train", "--preset", preset, "--data", data[entry.dataset], "-o", out, *narrow),
        *("--network-arg", "attention=asa-1", "--epochs", 1, "--device", "cpu"),
        # Two recordings in eight clips a dozen frames long.
        *("--data-arg", "n_timesteps=8", "--data-arg", "clips=2", "--data-arg", "size=32x32"),
    )
    assert code == 0, err
    checkpoint = load_checkpoint(out)
    frames = PRESETS[preset][1]
    assert checkpoint.dataset == entry.dataset
    assert checkpoint.dataset_arguments["dt_ms"] == frames["dt_ms"]
    assert checkpoint.dataset_arguments["axes"] == frames.get("axes", "yx")
    assert checkpoint.network == entry.network
    reduction = entry.network_arguments.get("reduction", 1)
    assert checkpoint.network_arguments["reduction"] == reduction
    recipe = checkpoint.training_record["recipe"]
    assert {**recipe, **entry.recipe, "epochs": 1} == recipe
    assert checkpoint.training_record["command"].startswith(f"analyze train --preset {preset}")
    checkpoint.build_network()


def test_an_interrupted_training_with_a_preset_goes_on(
    tmp_path: Path, data: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "gac.pt"
    arguments = (
        *("train", "--preset", "gac-cifar10", "--data", data["cifar10"], "-o", out, "--epochs", 2),
        *("--network-arg", "widths=2,2,2,2", "--data-arg", "n_timesteps=2", "--device", "cpu"),
    )
    run_analyze(*arguments[:6], tmp_path / "whole.pt", *arguments[7:])
    with monkeypatch.context() as patch:
        patch.setattr("redundancy.commands.train._epoch_reporter", lambda _: interrupt)
        code, _, err = run_analyze(*arguments)
    assert code == 130
    code, _, err = run_analyze(*arguments)
    assert (code, "go on with --resume" in err) == (2, True)
    # Another recipe is another training.
    code, _, err = run_analyze(*arguments, "--resume", "--no-flip")
    assert (code, "a training with other settings" in err) == (2, True)
    code, _, err = run_analyze(*arguments, "--resume")
    assert code == 0, err
    whole, resumed = (load_checkpoint(tmp_path / f"{name}.pt") for name in ("whole", "gac"))
    for key, tensor in whole.state_dict.items():
        assert torch.equal(tensor, resumed.state_dict[key]), key


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


# Optimizer and mirror images


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


# The listing


def test_the_listing_says_all_and_fits_a_terminal() -> None:
    code, text, _ = run_analyze("list", "presets")
    assert code == 0
    assert max(map(len, text.splitlines())) <= 100
    words = " ".join(text.split())
    for name, *_ in preset_entries():
        entry = TRAINING_PRESETS.get(name)
        assert f"\n{name}\n" in f"\n{text}"
        assert entry.departures in words
        assert f"analyze train --preset {name} --data {entry.dataset}:" in words
    for what in ("networks", "datasets"):
        _, text, _ = run_analyze("list", what)
        assert max(map(len, text.splitlines())) <= 100


def test_every_field_of_a_preset_is_one_of_the_recipe_and_the_network() -> None:
    fields = {field.name for field in dataclasses.fields(Recipe)}
    for name in TRAINING_PRESETS:
        entry = TRAINING_PRESETS.get(name)
        assert set(entry.recipe) <= fields
        assert set(entry.network_arguments) <= set(network_arguments(entry.network))
        assert entry.dataset in DATASETS
