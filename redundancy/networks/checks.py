"""Checks of arguments that the networks share."""

from __future__ import annotations

import math
from collections.abc import Iterable

from redundancy.errors import UsageError


def check_choice(network: str, name: str, value: str, known: Iterable[str]) -> None:
    """Refuse a `value` that is not one of the `known`."""
    known = list(known)
    if value not in known:
        raise UsageError(f"{network}: {name} must be one of {', '.join(known)}, got {value!r}")


def check_positive(network: str, **arguments: float) -> None:
    """Refuse arguments that are not greater than 0 and finite."""
    for name, value in arguments.items():
        if not 0 < value < math.inf:
            raise UsageError(f"{network} needs {name} greater than 0 and finite, got {value}")


def check_tau(network: str, tau: float) -> None:
    """Refuse time constants with which a potential would change its sign by itself."""
    if not 1 < tau < math.inf:
        raise UsageError(f"{network} needs tau greater than 1 and finite, got {tau}")


def check_share(network: str, **arguments: float) -> None:
    """Refuse probabilities that are not at least 0 and less than 1."""
    for name, value in arguments.items():
        if not 0 <= value < 1:
            raise UsageError(f"{network} needs {name} of at least 0 and less than 1, got {value}")


def halved(network: str, input_size: tuple[int, int], n_halvings: int) -> tuple[int, int]:
    """Return the size of maps that are halved so often, each time rounded down."""
    height, width = (size >> n_halvings for size in input_size)
    if min(height, width) < 1:
        least = 2**n_halvings
        raise UsageError(
            f"{network} halves its maps {n_halvings} times and needs an input of at least "
            f"{least} x {least}, got {input_size[0]} x {input_size[1]}"
        )
    return height, width
