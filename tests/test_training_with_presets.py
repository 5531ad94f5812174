"""Short trainings by the command, each with a preset of the papers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from redundancy.checkpoint import load_checkpoint
from redundancy.datasets.presets import PRESETS
from redundancy.training import TRAINING_PRESETS, Recipe, TrainingFiles
from tests.command_line import run_analyze
from tests.published_data import WRITERS, write


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("data")
    return {name: write(name, folder) for name in WRITERS}


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
