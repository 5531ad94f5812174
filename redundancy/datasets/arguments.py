"""Arguments of a dataset: declared once as a frozen dataclass, given as values or text."""

from __future__ import annotations

import dataclasses
import re
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

from redundancy.arguments import convert_value
from redundancy.datasets.base import Argument
from redundancy.errors import UsageError

A = TypeVar("A")


def described_arguments(declaration: type[Any]) -> str:
    """Return "name (type, default value), ..." of a dataclass of arguments."""
    hints = typing.get_type_hints(declaration)
    return ", ".join(
        f"{field.name} ({_type_name(hints[field.name])}, default {_shown(field.default)})"
        for field in dataclasses.fields(declaration)
    )


def argument_values(arguments: Any) -> dict[str, Argument]:
    """Return name and value of every field of a dataclass of arguments."""
    return {field.name: getattr(arguments, field.name) for field in dataclasses.fields(arguments)}


def parse_arguments(declaration: type[A], given: Mapping[str, object], dataset: str) -> A:
    """Build a dataclass of arguments from values or text.

    Parameters
    ----------
    declaration : type
        A frozen dataclass whose fields are bool, int, float or str, possibly None,
        each with a default.
    given : mapping
        Values by name. Text is converted to the declared type ("none" to None); a
        pair of integers is taken for text like "16x16". A given `size` without
        `downsample` switches a default `downsample` off.
    dataset : str
        Name of the dataset, for messages.

    Returns
    -------
    object
        An instance of `declaration`.

    Raises
    ------
    UsageError
        If a name is unknown or a value has the wrong type.
    """
    hints = typing.get_type_hints(declaration)
    unknown = [name for name in given if name not in hints]
    if unknown:
        raise UsageError(
            f"dataset {dataset!r} has no argument {unknown[0]!r}; "
            f"it takes {described_arguments(declaration) or 'no arguments'}"
        )
    values = {}
    for name, value in given.items():
        try:
            values[name] = convert_value(value, hints[name])
        except (TypeError, ValueError, OverflowError):
            raise UsageError(
                f"argument {name!r} of dataset {dataset!r} must be "
                f"{_type_name(hints[name])}, got {value!r}; "
                f"it takes {described_arguments(declaration)}"
            ) from None
    if values.get("size") is not None and "downsample" not in values and "downsample" in hints:
        values["downsample"] = None
    return declaration(**values)


def parse_size(text: str | None) -> tuple[int, int] | None:
    """Return (height, width) of a size written "16x16", "16,16" or "16".

    Raises
    ------
    UsageError
        If the text is none of these.
    """
    if text is None:
        return None
    match = re.fullmatch(r"\s*\(?\s*(\d{1,6})\s*(?:[x×,]\s*(\d{1,6})\s*)?\)?\s*", text)
    if match is None:
        raise UsageError(f"size must be written HEIGHTxWIDTH like 16x16, got {text!r}")
    return int(match[1]), int(match[2] or match[1])


def _kinds(hint: Any) -> tuple[Any, ...]:
    return typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)


def _type_name(hint: Any) -> str:
    return " or ".join("None" if kind is types.NoneType else kind.__name__ for kind in _kinds(hint))


def _shown(default: object) -> str:
    return f"{default:g}" if isinstance(default, float) else str(default)
