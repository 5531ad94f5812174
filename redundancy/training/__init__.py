"""Train a network on a dataset, resumably, and keep the record of it."""

from __future__ import annotations

from redundancy.training.loop import train
from redundancy.training.recipe import LOSSES, Epoch, Recipe, TrainingFiles

__all__ = ["LOSSES", "Epoch", "Recipe", "TrainingFiles", "train"]
