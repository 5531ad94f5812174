"""The papers' training recipes by name: network, frames, optimizer, schedule, loss.

From the scripts and settings that are published with Yao et al., "Inherent Redundancy in
Spiking Neural Networks", ICCV 2023 (BICLab/ASA-SNN) and Qiu et al., "Gated Attention
Coding", AAAI 2024 (bollossom/GAC).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from redundancy.datasets import DATASETS
from redundancy.registry import Registry
from redundancy.training.recipe import Recipe

DEFAULT_NETWORK = "lif-snn-3"


@dataclass(frozen=True)
class TrainingPreset:
    """How a paper trains one of its networks.

    Attributes
    ----------
    about : str
        One line for listings.
    network : str
    dataset : str
    recipe : mapping
        Fields of :class:`Recipe`.
    network_arguments, data_arguments : mapping
    departures : str
        What the source does not state, or does and this recipe does not.
    """

    about: str
    network: str
    dataset: str
    recipe: Mapping[str, Any]
    network_arguments: Mapping[str, Any] = field(default_factory=dict)
    data_arguments: Mapping[str, Any] = field(default_factory=dict)
    departures: str = ""


@dataclass(frozen=True)
class TrainingPlan:
    """What a training is given: a preset's settings under those of the user.

    Attributes
    ----------
    network : str
    network_arguments, data_arguments : dict
    recipe : Recipe
    notes : tuple of str
        What the user should know about the preset, a sentence each.
    """

    network: str
    network_arguments: dict[str, Any]
    data_arguments: dict[str, Any]
    recipe: Recipe
    notes: tuple[str, ...] = ()


TRAINING_PRESETS: Registry[TrainingPreset] = Registry("training preset")

# All of Yao et al.: Adam, mean squared error, cosine to 1e-6.
_ASA = {"optimizer": "adam", "loss": "mse", "final_learning_rate": 1e-6}
_ASA_3 = {**_ASA, "learning_rate": 1e-4, "weight_decay": 1e-4, "batch_size": 32}
_ASA_5 = {**_ASA, "learning_rate": 1e-3, "weight_decay": 0.0}
_RANDOM_CLIPS = (
    "the published training takes another random clip of a recording in every epoch, this one the "
    "same ones (--data-arg train_clips); "
)
_WITH_ATTENTION = "with attention: --network-arg attention=asa-1 (or asa-2, sa, tcsa)\n"
_REDUCTION = (
    "attention, if asked for, has the published scripts' reduction {}, where the paper's Table 3 "
    "counts parameters with 1"
)


def _register_lif_3(name: str, dataset: str, epochs: int, *, narrow: bool = False) -> None:
    share, reduction = (0.5, 8) if narrow else (0.1, 4)
    arguments: dict[str, Any] = {"dropout": (0.0, 0.0, share, share, share)}
    form = "narrow 3-layer LIF-SNN (arch D)" if narrow else "3-layer LIF-SNN (arch A)"
    if narrow:
        arguments["widths"] = (32, 32, 32)
    TRAINING_PRESETS.register(name)(
        TrainingPreset(
            f"{form} of Yao et al. on {dataset}, {epochs} epochs",
            "lif-snn-3",
            dataset,
            {**_ASA_3, "epochs": epochs},
            {**arguments, "reduction": reduction},
            {"preset": name},
            _RANDOM_CLIPS + _REDUCTION.format(reduction),
        )
    )


_register_lif_3("asa-gesture", "dvs128-gesture", 200)
_register_lif_3("asa-gait-day", "dvs128-gait-day", 200)
_register_lif_3("asa-gait-night", "dvs128-gait-night", 100, narrow=True)
TRAINING_PRESETS.register("asa-gesture-plif")(
    TrainingPreset(
        "5-layer PLIF-SNN (arch B) of Yao et al. on dvs128-gesture, 20 frames, 200 epochs",
        "plif-snn-5",
        "dvs128-gesture",
        {**_ASA_5, "batch_size": 8, "epochs": 200},
        {"reduction": 4},
        {"preset": "asa-gesture-plif"},
        _REDUCTION.format(4),
    )
)
TRAINING_PRESETS.register("asa-daily-action")(
    TrainingPreset(
        "5-layer PLIF-SNN (arch B) of Yao et al. on daily-action-dvs, 100 epochs",
        "plif-snn-5",
        "daily-action-dvs",
        {**_ASA_5, "batch_size": 4, "epochs": 100},
        {"reduction": 4},
        {"preset": "asa-daily-action"},
        _RANDOM_CLIPS
        + "the split is not published; the published script has 10 classes where the data has 12; "
        + _REDUCTION.format(4),
    )
)
TRAINING_PRESETS.register("ma-har")(
    TrainingPreset(
        "Res-SNN-18 of Yao et al. on har-dvs, T = 8",
        "sew-resnet-18",
        "har-dvs",
        dict(_ASA),
        {},
        {"preset": "ma-har"},
        "no script for this network is published: epochs, batch size, learning rate and weight "
        "decay are this project's defaults",
    )
)
for _name in ("cifar10", "cifar100"):
    TRAINING_PRESETS.register(f"gac-{_name}")(
        TrainingPreset(
            f"MS-ResNet-18 with GAC's encoder of Qiu et al. on {_name}, T = 6, 250 epochs",
            "gac-ms-resnet-18-cifar",
            _name,
            {
                "optimizer": "sgd",
                "momentum": 0.9,
                "loss": "cross-entropy",
                "learning_rate": 0.1,
                "final_learning_rate": 0.0,
                "weight_decay": 5e-5,
                "batch_size": 64,
                "epochs": 250,
                "shift": 4,
                "flip": True,
                "seed": 1000,
            },
            {"encoder": True},
            {"preset": f"gac-{_name}"},
            "the published training also pastes patches of one image into another (CutMix) in half "
            "of its epochs, this one does not; pixels moved in are the mean colour here, black "
            "there",
        )
    )


def plan_training(
    preset: str | None,
    data: str,
    *,
    network: str | None = None,
    network_arguments: Mapping[str, Any] | None = None,
    data_arguments: Mapping[str, Any] | None = None,
    recipe: Mapping[str, Any] | None = None,
) -> TrainingPlan:
    """Return what to train and how: what is given, else the preset's, else the defaults.

    Parameters
    ----------
    preset : str or None
        One of ``list(TRAINING_PRESETS)``.
    data : str
        ``name`` or ``name:location``. The preset's data arguments hold for its own
        dataset only.
    network : str, optional
        The preset's network arguments hold for its own network only.
    network_arguments, data_arguments : mapping, optional
    recipe : mapping, optional
        Fields of :class:`Recipe`.

    Raises
    ------
    UsageError
        If there is no such preset or dataset, or a value is out of range.
    """
    given = dict(network_arguments or {}), dict(data_arguments or {}), dict(recipe or {})
    if preset is None:
        return TrainingPlan(network or DEFAULT_NETWORK, given[0], given[1], Recipe(**given[2]))
    found = TRAINING_PRESETS.get(preset)
    dataset = data.partition(":")[0]
    DATASETS.get(dataset)
    notes = []
    same_network, same_data = network in (None, found.network), dataset == found.dataset
    if same_network and same_data:
        notes.append(f"preset {preset}: {found.departures}")
    if not same_network:
        notes.append(f"preset {preset} is for network {found.network}: only its recipe is used")
    if not same_data:
        notes.append(f"preset {preset} is for dataset {found.dataset}: its frames are not used")
    return TrainingPlan(
        network or found.network,
        {**(found.network_arguments if same_network else {}), **given[0]},
        {**(found.data_arguments if same_data else {}), **given[1]},
        _recipe(found.recipe, given[2]),
        tuple(notes),
    )


def _recipe(of_preset: Mapping[str, Any], given: Mapping[str, Any]) -> Recipe:
    values = {**of_preset, **given}
    if values.get("optimizer") != "sgd" and "momentum" not in given:
        values.pop("momentum", None)
    return Recipe(**values)


def preset_entries() -> list[tuple[str, str, dict[str, Any]]]:
    """Return (name, lines about it, what it sets) of every preset."""
    entries = []
    for name in TRAINING_PRESETS:
        preset = TRAINING_PRESETS.get(name)
        command = f"analyze train --preset {name} --data {preset.dataset}:FOLDER -o mine.pt"
        attention = "" if "encoder" in preset.network_arguments else _WITH_ATTENTION
        about = f"{preset.about}\n{command}\n{attention}Note: {preset.departures}."
        sets = {"network": preset.network, **preset.network_arguments, **preset.recipe}
        entries.append((name, about, sets))
    return entries
