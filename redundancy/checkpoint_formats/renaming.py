"""Weights of others under our names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from redundancy.errors import CheckpointError

if TYPE_CHECKING:
    from torch import Tensor

    # Registered name, arguments, weights by our names, notes.
    Translation = tuple[str, dict[str, Any], dict[str, Tensor], tuple[str, ...]]


def renamed_once(
    pairs: Sequence[tuple[str, str, Any]], form: str, *, same_value_twice: bool = False
) -> dict[str, Tensor]:
    """Return weights by new names, each of which may come up once.

    Parameters
    ----------
    pairs : sequence of (str, str, Tensor)
        Old name, new name, weight.
    form : str
        The checkpoint format, for messages.
    same_value_twice : bool, default False
        Whether one weight may stand under several names, with the same value.

    Raises
    ------
    CheckpointError
        If something is no tensor, or comes up again.
    """
    import torch

    state: dict[str, Tensor] = {}
    origin: dict[str, str] = {}
    for key, name, tensor in pairs:
        if not isinstance(tensor, torch.Tensor):
            raise CheckpointError(
                f"{key} of the {form} checkpoint is a {type(tensor).__name__}, not a tensor"
            )
        if name in state and not (same_value_twice and torch.equal(state[name], tensor)):
            what = "two different values of one weight" if same_value_twice else "one weight twice"
            raise CheckpointError(
                f"the {form} checkpoint holds {what}, under {origin[name]} and {key}; save the "
                "network's state_dict() again"
            )
        state[name], origin[name] = tensor, key
    return state
