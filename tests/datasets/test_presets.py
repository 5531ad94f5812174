from __future__ import annotations

import warnings

import pytest

from redundancy.checkpoint import Checkpoint
from redundancy.datasets import DATASETS
from redundancy.datasets.arguments import parse_arguments
from redundancy.datasets.presets import PRESETS, with_preset
from redundancy.errors import UsageError
from redundancy.sources import dataset_for

from .event_files import text
from .test_static_images import write_cifar


def parsed(preset, **given):
    dataset = PRESETS[preset][0]
    return parse_arguments(
        DATASETS.get(dataset).arguments, with_preset(dataset, {"preset": preset, **given}), dataset
    )


@pytest.mark.parametrize("preset", list(PRESETS))
def test_every_preset_fits_its_dataset(preset):
    arguments = parsed(preset)
    for name, value in PRESETS[preset][1].items():
        assert getattr(arguments, name) == value
    assert preset in DATASETS.get(PRESETS[preset][0]).summary


@pytest.mark.parametrize(
    ("preset", "n_timesteps", "dt_ms", "downsample", "clips"),
    [
        ("asa-gesture", 60, 15, 4, 10),
        ("asa-gait-day", 60, 15, 4, 10),
        ("asa-gait-night", 60, 15, 4, 10),
        ("asa-gesture-plif", 20, None, None, 1),
        ("asa-daily-action", 36, 120, 2, 10),
        ("ma-har", 8, None, None, 1),
    ],
)
def test_presets_are_the_papers(preset, n_timesteps, dt_ms, downsample, clips):
    got = parsed(preset)
    assert (got.n_timesteps, got.dt_ms, got.downsample, got.clips) == (
        n_timesteps,
        dt_ms,
        downsample,
        clips,
    )


def test_what_is_given_beside_a_preset_overrides_it():
    assert parsed("asa-gesture", clips="3", n_timesteps=20).clips == 3
    assert parsed("asa-gesture", size="16x16").downsample is None
    assert parsed("asa-gesture", size="none").downsample == 4
    assert with_preset("nmnist", {"preset": "none", "size": "8"}) == {"size": "8"}
    assert with_preset("nmnist", {"size": "8"}) == {"size": "8"}


def test_a_preset_overrides_what_the_checkpoint_was_trained_with(tmp_path):
    path = tmp_path / "test/0/1.txt"
    path.parent.mkdir(parents=True)
    path.write_bytes(text([(1, 2, 3, 1)]))
    checkpoint = Checkpoint(
        "lif-snn-3", {}, {}, "dvs128-gait-day", {"n_timesteps": 7, "dt_ms": 2.0, "binary": True}
    )
    data = f"dvs128-gait-day:{tmp_path}"
    plain = dataset_for(checkpoint, data=data)
    assert (plain.arguments["n_timesteps"], plain.arguments["binary"]) == (7, True)
    preset = dataset_for(checkpoint, data=data, arguments={"preset": "asa-gait-day", "clips": "2"})
    assert (preset.arguments["n_timesteps"], preset.arguments["dt_ms"]) == (60, 15.0)
    assert (preset.arguments["clips"], preset.arguments["binary"]) == (2, True)


@pytest.mark.parametrize(
    ("dataset", "preset", "message"),
    [
        (
            "dvs128-gesture",
            "asa-gestures",
            "it has asa-gesture, asa-gesture-plif; did you mean asa",
        ),
        ("dvs128-gait-day", "asa-gesture", "has no preset 'asa-gesture'; it has asa-gait-day"),
        ("nmnist", "asa-gesture", "dataset 'nmnist' has no presets"),
        ("har-dvs", 7, "has no preset '7'"),
    ],
)
def test_a_wrong_preset_says_which_there_are(dataset, preset, message):
    with pytest.raises(UsageError, match=message):
        with_preset(dataset, {"preset": preset})


@pytest.mark.parametrize(("known", "warned"), [(10, True), (20, False), (30, False)])
def test_classes_that_the_network_does_not_know_are_a_warning(tmp_path, known, warned):
    path = tmp_path / "test/0/1.txt"
    path.parent.mkdir(parents=True)
    path.write_bytes(text([(1, 2, 3, 1)]))
    checkpoint = Checkpoint("lif-snn-3", {"n_classes": known}, {})
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        dataset_for(checkpoint, data=f"dvs128-gait-day:{tmp_path}")
    message = "dvs128-gait-day has 20 classes, but lif-snn-3 tells 10 apart"
    assert [message in str(one.message) for one in caught] == [True] * warned


def test_the_encoder_of_gac_needs_its_timesteps(tmp_path):
    write_cifar(tmp_path, "cifar10", "binary")
    checkpoint = Checkpoint(
        "gac-ms-resnet-18-cifar", {"n_timesteps": 6, "encoder": True, "n_classes": 10}, {}
    )
    data = f"cifar10:{tmp_path}"
    assert dataset_for(checkpoint, data=data, arguments={"preset": "gac-cifar10"})
    with pytest.raises(UsageError, match=r"with attention gac was built for 6.*n_timesteps=6"):
        dataset_for(checkpoint, data=data, arguments={"n_timesteps": 4})
