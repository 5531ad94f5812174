"""What every statistic is, and how states of disjoint samples become one."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, Literal, Protocol

import numpy as np
import xarray as xr

from redundancy import schema

MergeRule = Literal["sum", "min", "max", "first", "sum-by-label"]
_MERGES: dict[str, Any] = {
    "sum": lambda a, b: a + b,
    "min": np.minimum,
    "max": np.maximum,
    "first": lambda a, b: a,
}


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
    return xr.Variable(dims, values, {schema.MERGE: rule, "long_name": long_name, "units": units})


def merge(first: xr.Dataset, second: xr.Dataset) -> xr.Dataset:
    """Return the state of the samples of both states.

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
    if set(first.variables) != set(second.variables):
        difference = set(first.variables) ^ set(second.variables)
        raise ValueError(f"states differ in the variables {sorted(map(str, difference))}")
    merged: dict[Hashable, xr.Variable] = {}
    for name, variable in first.data_vars.items():
        other = second[name]
        rule = variable.attrs[schema.MERGE]
        if rule == "sum-by-label":
            continue
        if rule != "first" and variable.sizes != other.sizes:
            raise ValueError(
                f"states differ in the shape of {name}: {dict(variable.sizes)} and "
                f"{dict(other.sizes)}"
            )
        values = _MERGES[rule](variable.values, other.values)
        merged[name] = xr.Variable(variable.dims, values, variable.attrs)
    labelled = _summed_by_label(first, second)
    merged.update({name: array.variable for name, array in labelled.data_vars.items()})
    coordinates = {**first.coords, **labelled.coords}
    return xr.Dataset(merged, coords=coordinates, attrs=first.attrs)


def _summed_by_label(first: xr.Dataset, second: xr.Dataset) -> xr.Dataset:
    """Return the variables that are summed label by label, over the labels of both."""
    names = [n for n, v in first.data_vars.items() if v.attrs[schema.MERGE] == "sum-by-label"]
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
