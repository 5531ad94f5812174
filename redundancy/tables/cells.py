"""How the columns of a table read: their headers, and their numbers as text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from redundancy import schema

_HEADERS = {
    schema.NASFR: "NASFR",
    schema.C_SFR: "C-SFR",
    schema.PTD: "PTD",
    schema.QE: "QE",
    schema.QE_SCALED: "QE scaled",
    schema.QE_NORMALIZED: "QE normalized",
    schema.ACS: "ACs",
    schema.MACS: "MACs",
    schema.FLOPS: "FLOPs",
    schema.ENERGY: "energy (pJ)",
    "accuracy_percent": "accuracy (%)",
    "accuracy_change": "accuracy change (points)",
    "added_macs": "added MACs",
    "saved_acs": "saved ACs",
    "energy_change": "energy change (pJ)",
    "change_percent": "change (%)",
    "change_percent_low": "change (%) low",
    "change_percent_high": "change (%) high",
    "published_added_macs": "published added MACs",
    "attention_macs": "MACs of attention",
    "attention_total": "MACs of attention with rescale",
    "own_name": "name in the network",
    schema.N_TIMESTEPS: "T",
    "first_layer_mj": "first layer (mJ)",
    "without_encoder_mj": "without encoder (mJ)",
    "encoder_once_mj": "encoder once (mJ)",
    "encoder_mj": "encoder (mJ)",
    "with_encoder_mj": "with encoder (mJ)",
    "published_power_mj": "published power (mJ)",
}
# Endings that are spelled out after the header of what comes before them.
_ENDINGS = {
    "_change_percent": " change (%)",
    "_change": " change",
    "_sd": " s.d.",
}
_DECIMALS = {
    "accuracy_percent": 1,
    "accuracy_change": 1,
    schema.NASFR: 4,
    schema.C_SFR: 4,
    schema.QE: 4,
    schema.QE_SCALED: 4,
    schema.QE_NORMALIZED: 4,
    schema.PTD: 3,
    "published_power_mj": 2,
}
_SIGNED = ("change", "added_", "saved_")


def header(column: str) -> str:
    """Return the name of a column for people."""
    if column in _HEADERS:
        return _HEADERS[column]
    if column.startswith("published_"):
        return f"published {header(column.removeprefix('published_'))}"
    for ending, words in _ENDINGS.items():
        if column.endswith(ending):
            base = column.removesuffix(ending)
            unit = "" if base not in ("accuracy_percent", schema.ENERGY) else " ()"
            name = header(base)
            return (name.split(" (")[0] if unit else name) + words
    return column.replace("_", " ")


def cell(column: str, value: Any) -> str:
    """Return one value as text; what is not known is empty.

    Changes carry their sign. Shares of 100 have one decimal, other numbers what their
    column says, or four significant digits.
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if is_word(value):
        return {True: "yes", False: "no"}[bool(value)] if is_flag(value) else str(value)
    number = float(value)
    decimals = _decimals(column)
    if column == "published_accuracy_percent" and round(number, 1) != number:
        decimals = 2  # as it is printed there
    if math.isinf(number):
        text = str(number)
    elif decimals is not None:
        # Adding 0 takes the sign from a number that rounds to -0.
        text = f"{round(number, decimals) + 0.0:,.{decimals}f}"
    elif number.is_integer() or abs(number) >= 1000:
        text = f"{round(number):,}"
    else:
        text = f"{number:.4g}"
    signed = any(part in column for part in _SIGNED) and "published_added" not in column
    return f"+{text}" if signed and number > 0 and text.strip("0.,") else text


def is_word(value: Any) -> bool:
    """Tell whether a value is text or yes / no rather than a number."""
    return isinstance(value, str) or is_flag(value)


def is_flag(value: Any) -> bool:
    """Tell whether a value is yes or no, Python's or NumPy's."""
    return type(value).__name__ in ("bool", "bool_")


def is_numeric(values: Sequence[Any]) -> bool:
    """Tell whether a column holds numbers, as far as it holds anything."""
    return not any(is_word(value) for value in values)


def _decimals(column: str) -> int | None:
    if column in _DECIMALS:
        return _DECIMALS[column]
    base = column.removeprefix("published_")
    for ending in _ENDINGS:
        if base.endswith(ending):
            return 1 if ending == "_change_percent" else _decimals(base.removesuffix(ending))
    if base.endswith("percent") or "change_percent" in base:
        return 1
    return _DECIMALS.get(base)
