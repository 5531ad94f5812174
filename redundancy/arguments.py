"""Arguments that arrive as text (``key=value``) or from a checkpoint."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from redundancy.errors import UsageError


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
            near = difflib.get_close_matches(name, defaults, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise UsageError(
                f"{owner} has no argument {name!r}; known: {', '.join(defaults)}.{hint}"
            )
        values[name] = _convert(owner, name, defaults[name], value)
    return values


def _convert(owner: str, name: str, default: Any, value: Any) -> Any:
    kind = type(default)
    try:
        if kind is bool:
            return _to_bool(value)
        if kind is tuple:
            return _to_tuple(default, value)
        if kind is int and not isinstance(value, bool):
            if isinstance(value, float) and not value.is_integer():
                raise ValueError
            return int(value)
        if kind is float and not isinstance(value, bool):
            return float(value)
        if kind is str and isinstance(value, str):
            return value
    except (TypeError, ValueError):
        pass
    raise UsageError(
        f"{owner}: argument {name!r} takes a value like {_show(default)} "
        f"({kind.__name__}), got {value!r}"
    )


def _to_bool(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    try:
        return {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}[
            str(value).lower()
        ]
    except KeyError:
        raise ValueError from None


def _to_tuple(default: tuple[Any, ...], value: Any) -> tuple[Any, ...]:
    parts = value.replace("x", ",").split(",") if isinstance(value, str) else list(value)
    if len(parts) != len(default):
        raise ValueError
    return tuple(type(kind)(part) for kind, part in zip(default, parts, strict=True))


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
