"""Words on figures: titles, units and names that fit their place."""

from __future__ import annotations

import textwrap
from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from redundancy import schema
from redundancy.names import visible
from redundancy.plots.style import TITLE_SIZE

# Mean advance of DejaVu Sans in units of the font size, on the safe side.
_ADVANCE = 0.56


def characters_in(width: float, size: float) -> int:
    """Return about how many characters of `size` points fit into `width` inches."""
    return max(8, int(width * 72 / (size * _ADVANCE)))


def shorten(name: str, length: int) -> str:
    """Cut the middle out of a name that is longer than `length` characters."""
    name = visible(name)
    if len(name) <= length:
        return name
    tail = (length - 1) * 2 // 3
    return f"{name[: length - 1 - tail].rstrip('.')}…{name[len(name) - tail :].lstrip('.')}"


def legend_name(name: str, length: int) -> str:
    """Return a name that fits a legend, which leaves out what begins with an underscore."""
    short = shorten(name, length)
    return f" {short}" if short.startswith("_") else short


def wrap_facts(facts: list[str], width: float, size: float) -> str:
    """Join facts with dots and break between them into lines that fit into `width` inches."""
    unbroken = "\u00a0· ".join(fact.replace(" ", "\u00a0") for fact in facts if fact)
    lines = textwrap.wrap(unbroken, characters_in(width, size))
    return "\n".join(line.replace("\u00a0", " ").removesuffix(" ·") for line in lines)


def wrap_words(text: str, width: float, size: float) -> list[str]:
    """Break a sentence into lines of `size` points that fit into `width` inches."""
    return textwrap.wrap(text, characters_in(width, size))


def with_units(label: str, variable: xr.DataArray, *, newline: bool = False) -> str:
    """Return an axis label with the units of `variable`, where it has any."""
    units = variable.attrs.get("units")
    separator = "\n" if newline else " "
    return f"{label}{separator}({units})" if units else label


def counted(n: int, singular: str) -> str:
    """Return a count with its noun: "1 channel", "1,024 neurons"."""
    return f"{n:,} {singular}{'' if n == 1 else 's'}"


def samples_note(attributes: Mapping[Hashable, Any]) -> str:
    """Return "288 samples" from a layer's attributes, or nothing."""
    n_samples = attributes.get(schema.N_SAMPLES)
    return "" if n_samples is None else counted(int(n_samples), "sample")


def layer_title(rates: xr.Dataset, facts: list[str], width: float) -> str:
    """Return a layer's name and, below it, facts separated by dots, fitted to `width` inches."""
    size = TITLE_SIZE
    name = shorten(str(rates.attrs.get("name", "")), characters_in(width, size))
    notes = wrap_facts([*facts, samples_note(rates.attrs)], width, size)
    return "\n".join(line for line in [name, notes] if line)


def channel_facts(c_sfr: NDArray[np.float64], shown: list[int]) -> list[str]:
    """Return how many channels are shown and how many of them are null (C-SFR exactly 0)."""
    n_null = int((c_sfr[shown] == 0).sum())
    channels = counted(len(c_sfr), "channel")
    if len(shown) != len(c_sfr):
        channels = f"{len(shown):,} of {channels}"
    return [channels, f"{n_null} null (grey)"] if n_null else [channels]
