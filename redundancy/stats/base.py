"""What every statistic is, and how states of disjoint samples become one."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, Literal, Protocol

import numpy as np
import xarray as xr

from redundancy import schema
from redundancy.stats.exact import ExactSum

MergeRule = Literal["sum", "min", "max", "first", "sum-by-label"]
_MERGES: dict[str, Any] = {
    "sum": lambda a, b: a + b,
    # Of the two zeros of floats either could come out; adding 0 leaves one.
    "min": lambda a, b: np.minimum(a, b) + a.dtype.type(0),
    "max": lambda a, b: np.maximum(a, b) + a.dtype.type(0),
    "first": lambda a, b: a,
}
# What a variable is called that holds the words of another's exact sum, and how it says
# so and where they begin; see `redundancy.stats.exact`.
_WORDS_PREFIX = "exact_"
_WORDS = "words"
_LOWEST = "lowest_word"


class Statistic(Protocol):
    """A frozen dataclass of parameters with two pure functions.

    ``compute(observe(ds))`` works in memory; states of disjoint samples merge with
    :func:`merge` into the state of all samples.
    """

    def observe(self, recording: xr.Dataset) -> xr.Dataset:
        """Return the state of one recorded node: sums, minima, maxima."""
        ...

    def compute(self, state: xr.Dataset) -> xr.Dataset:
        """Return the result that a state stands for."""
        ...


def state_variable(
    dims: tuple[str, ...], values: Any, rule: MergeRule, long_name: str, units: str
) -> xr.Variable:
    """Return a state variable that says how it merges."""
    # Laid out as it will be read from a file: NumPy adds floats in the order of memory.
    values = np.asarray(values, order="C")
    return xr.Variable(dims, values, {schema.MERGE: rule, "long_name": long_name, "units": units})


def merge(first: xr.Dataset, second: xr.Dataset) -> xr.Dataset:
    """Return the state of the samples of both states.

    Any order and grouping of merging gives the same bits: sums of floats are exact
    (:mod:`redundancy.stats.exact`). Where a float is not the sum itself, the digits of
    the sum are kept in a variable beside it, ``exact_`` before its name.

    Parameters
    ----------
    first, second : xarray.Dataset
        States of the same statistic on disjoint samples; `first` holds the earlier
        ones. Variables that are summed by label may have other labels in each; a label
        that one of them lacks counts 0 there.

    Raises
    ------
    ValueError
        If the states have other variables or shapes than one another.
    """
    difference = (set(first.variables) ^ set(second.variables)) - _words(first) - _words(second)
    if difference:
        raise ValueError(f"states differ in the variables {sorted(map(str, difference))}")
    merged: dict[Hashable, xr.Variable] = {}
    # Plain variables: making a DataArray of each would cost more than merging them.
    variables, others = first.variables, second.variables
    for name in first.data_vars:
        variable = variables[name]
        rule = variable.attrs[schema.MERGE]
        if rule in ("sum-by-label", _WORDS):
            continue
        other = others[name]
        if rule != "first" and variable.sizes != other.sizes:
            raise ValueError(
                f"states differ in the shape of {name}: {dict(variable.sizes)} and "
                f"{dict(other.sizes)}"
            )
        if rule == "sum" and variable.dtype.kind == "f":
            merged.update(_summed_exactly(str(name), first, second))
            continue
        values = _MERGES[rule](variable.values, other.values)
        merged[name] = xr.Variable(variable.dims, values, variable.attrs)
    labelled = _summed_by_label(first, second)
    merged.update({name: array.variable for name, array in labelled.data_vars.items()})
    coordinates = {**first.coords, **labelled.coords}
    return xr.Dataset(merged, coords=coordinates, attrs=first.attrs)


def _words(state: xr.Dataset) -> set[Hashable]:
    variables = state.variables
    return {n for n in state.data_vars if variables[n].attrs[schema.MERGE] == _WORDS}


def _summed_exactly(
    name: str, first: xr.Dataset, second: xr.Dataset
) -> dict[Hashable, xr.Variable]:
    """Return the sum of a variable of both, and its words if it has any."""
    variable, words_name = first.variables[name], _WORDS_PREFIX + name
    total = _exact(name, first) + _exact(name, second)
    summed: dict[Hashable, xr.Variable] = {
        name: xr.Variable(variable.dims, total.values, variable.attrs)
    }
    if total.words is not None:
        attributes = {
            schema.MERGE: _WORDS,
            _LOWEST: total.lowest,
            "long_name": f"digits of the exact {name}, base 2^32, two's complement",
            "units": f"2^(32*{_LOWEST}) of {name}'s",
        }
        dims = (f"{name}_word", *variable.dims)
        summed[words_name] = xr.Variable(dims, total.words, attributes)
    return summed


def _exact(name: str, state: xr.Dataset) -> ExactSum:
    values, words = state.variables[name].values, state.variables.get(_WORDS_PREFIX + name)
    if words is None:
        return ExactSum(values)
    return ExactSum(values, words.values, int(words.attrs[_LOWEST]))


def _summed_by_label(first: xr.Dataset, second: xr.Dataset) -> xr.Dataset:
    """Return the variables that are summed label by label, over the labels of both."""
    names = [n for n in first.data_vars if first.variables[n].attrs[schema.MERGE] == "sum-by-label"]
    if not names:
        return xr.Dataset()
    parts = xr.align(first[names], second[names], join="outer", fill_value=0, copy=False)
    return xr.Dataset(
        {
            name: (array.dims, array.values + parts[1][name].values, array.attrs)
            for name, array in parts[0].data_vars.items()
        },
        coords=parts[0].coords,
    )
