"""The state of a training after an epoch: kept, and gone on from."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from redundancy.checkpoint_weights import write_torch
from redundancy.errors import CheckpointError, UsageError


def save_state(path: Path, state: dict[str, Any], identity: dict[str, Any]) -> None:
    """Write a training's state, with what tells it from other trainings."""
    write_torch(path, {**state, "training": identity})


def load_state(path: Path, identity: dict[str, Any]) -> dict[str, Any]:
    """Read a training's state.

    Raises
    ------
    CheckpointError
        If the file is damaged.
    UsageError
        If it is the state of another training.
    """
    import torch

    with damaged_as_sentence(path):
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        same = state["training"] == identity
    if not same:
        raise UsageError(
            f"{path} belongs to a training with other settings; "
            "delete it to start anew, or repeat the settings it was started with"
        )
    return state


@contextlib.contextmanager
def damaged_as_sentence(path: Path) -> Iterator[None]:
    """Turn whatever a damaged state leads to into one sentence."""
    try:
        yield
    except Exception as error:
        raise CheckpointError(
            f"{path} cannot be resumed from ({type(error).__name__}); delete it to start anew"
        ) from error
