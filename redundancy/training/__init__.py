"""Train a network on a dataset, resumably, and keep the record of it."""

from __future__ import annotations

from redundancy.training.loop import train
from redundancy.training.presets import (
    TRAINING_PRESETS,
    TrainingPlan,
    TrainingPreset,
    plan_training,
    preset_entries,
)
from redundancy.training.recipe import LOSSES, OPTIMIZERS, PRECISIONS, Epoch, Recipe, TrainingFiles

__all__ = [
    "LOSSES",
    "OPTIMIZERS",
    "PRECISIONS",
    "TRAINING_PRESETS",
    "Epoch",
    "Recipe",
    "TrainingFiles",
    "TrainingPlan",
    "TrainingPreset",
    "plan_training",
    "preset_entries",
    "train",
]
