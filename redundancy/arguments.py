"""Arguments that arrive as text (``key=value``) or from a checkpoint."""

from __future__ import annotations

import difflib
import inspect
import math
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from redundancy.errors import UsageError

_TEXT_BOOLS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def signature_defaults(builder: Callable[..., Any]) -> dict[str, Any]:
    """Return the keyword arguments of `builder` with their defaults, in order."""
    return {
        name: parameter.default
        for name, parameter in inspect.signature(builder).parameters.items()
        if parameter.default is not inspect.Parameter.empty
    }


def convert_arguments(
    owner: str, defaults: Mapping[str, Any], given: Mapping[str, Any]
) -> dict[str, Any]:
    """Return `defaults` overridden by `given`, each value of its default's type.

    Parameters
    ----------
    owner : str
        Whose arguments these are, for messages, such as ``"network lif-snn-3"``.
    defaults : mapping
        Every known argument; the type of its default is the type of the argument.
    given : mapping
        Text is converted; tuples are written ``32,32`` or ``32x32``.

    Raises
    ------
    UsageError
        For an unknown argument or a value that does not convert.
    """
    values = dict(defaults)
    for name, value in given.items():
        if name not in defaults:
            near = difflib.get_close_matches(str(name)[:100], defaults, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise UsageError(
                f"{owner} has no argument {brief(name)}; known: {', '.join(defaults)}.{hint}"
            )
        default = defaults[name]
        try:
            values[name] = convert_value(value, _type_of(default))
        except (TypeError, ValueError, OverflowError, RuntimeError):
            # A tensor of several numbers raises RuntimeError.
            raise UsageError(
                f"{owner}: argument {name!r} takes a value like {_show(default)} "
                f"({type(default).__name__}), got {brief(value)}"
            ) from None
    return values


def brief(value: Any) -> str:
    """Return what to show of a value in a sentence, however long the value is."""
    try:
        text = repr(value)
    except ValueError:  # Python writes no integers of thousands of digits
        return "a number of thousands of digits"
    return text if len(text) <= 80 else f"{text[:60]}… ({len(text)} characters)"


def convert_value(value: Any, kind: Any) -> Any:
    """Return `value`, or what its text says, as a `kind`.

    Parameters
    ----------
    value : object
        A value or its text; NumPy scalars count as numbers.
    kind : type
        bool, int, float, str, a tuple of these such as ``tuple[int, int]``, or one of
        these or None, such as ``int | None`` (whose text is "none").

    Raises
    ------
    TypeError, ValueError, OverflowError
        If it is not one.
    """
    kinds = typing.get_args(kind) if isinstance(kind, types.UnionType) else (kind,)
    is_none = value is None or (isinstance(value, str) and value.strip().lower() == "none")
    if is_none and types.NoneType in kinds:
        return None
    kind = next(k for k in kinds if k is not types.NoneType)
    if typing.get_origin(kind) is tuple:
        return _to_tuple(value, typing.get_args(kind))
    if hasattr(value, "item") and not isinstance(value, str):
        value = value.item()
    return {bool: _to_bool, int: _to_int, float: _to_float, str: _to_text}[kind](value)


def _to_bool(value: Any) -> bool:
    if isinstance(value, str) and value.strip().lower() in _TEXT_BOOLS:
        return _TEXT_BOOLS[value.strip().lower()]
    if isinstance(value, bool):
        return value
    raise TypeError


def _to_int(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise TypeError
    if isinstance(value, float) and not value.is_integer():
        raise ValueError
    return int(value)


def _to_float(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise TypeError
    number = float(value)
    if not math.isfinite(number):
        raise ValueError
    return number


def _to_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, tuple | list):  # a size given as a pair
        return "x".join(str(_to_int(part)) for part in value)
    return str(_to_int(value))


def _to_tuple(value: Any, kinds: tuple[Any, ...]) -> tuple[Any, ...]:
    parts = value.replace("x", ",").split(",") if isinstance(value, str) else list(value)
    if len(parts) != len(kinds):
        raise ValueError
    return tuple(convert_value(part, kind) for kind, part in zip(kinds, parts, strict=True))


def _type_of(default: Any) -> Any:
    if isinstance(default, tuple):
        return types.GenericAlias(tuple, tuple(type(part) for part in default))
    return type(default)


def _show(default: Any) -> str:
    return ",".join(map(str, default)) if isinstance(default, tuple) else str(default)


def parse_key_values(pairs: Iterable[str], option: str) -> dict[str, str]:
    """Split texts of the form ``key=value``; hyphens in keys become underscores.

    Raises
    ------
    UsageError
        If one has no ``=``; the message names `option`.
    """
    values = {}
    for pair in pairs:
        key, separator, value = pair.partition("=")
        if not separator or not key:
            raise UsageError(f"{option} takes key=value, got {pair!r}")
        values[key.strip().replace("-", "_")] = value.strip()
    return values
