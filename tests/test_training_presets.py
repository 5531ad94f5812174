"""The papers' training recipes by name: their values, and what a user changes of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from redundancy.datasets import DATASETS, build_dataset
from redundancy.datasets.presets import PRESETS
from redundancy.errors import UsageError
from redundancy.networks import NETWORKS, build_network, network_arguments
from redundancy.training import TRAINING_PRESETS, Recipe, plan_training
from redundancy.training.presets import DEFAULT_NETWORK, preset_entries
from tests.command_line import run_analyze
from tests.published_data import WRITERS, write

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
