"""Results files are read whole, or refused in one sentence."""

from __future__ import annotations

import json
import os
from pathlib import Path

import xarray as xr

from redundancy import schema
from redundancy.errors import ResultsError, UsageError
from redundancy.nodes import CONTENTS, check_version, contents
from redundancy.results import Results

_REQUIRED_ATTRIBUTES = (
    schema.NETWORK,
    schema.DATASET,
    schema.SPLIT,
    schema.N_SAMPLES,
    schema.N_TIMESTEPS,
)


def is_results_file(path: str | os.PathLike[str]) -> bool:
    """Tell whether `path` looks like a results file, by its name or first bytes."""
    path = Path(path)
    if not path.is_file():
        return False
    with open(path, "rb") as file:
        return path.suffix == ".nc" or file.read(8) == b"\x89HDF\r\n\x1a\n"


def load_results(path: str | os.PathLike[str]) -> Results:
    """Read what :meth:`Results.save` wrote.

    Raises
    ------
    UsageError
        If there is no such file.
    ResultsError
        If it is damaged, foreign, or of another schema version.
    """
    if not Path(path).is_file():
        raise UsageError(f"there is no results file at {path}")
    try:
        with xr.open_datatree(path, engine="h5netcdf") as opened:
            tree = opened.load()
    except Exception as error:
        # h5py and xarray raise many classes for a damaged file.
        raise ResultsError(
            f"{path} cannot be read as a results file ({type(error).__name__}); it is damaged or "
            "not netCDF-4, analyse the checkpoint again"
        ) from error
    check_version(path, tree.attrs, "results")
    try:
        missing = _missing(tree)
        results = Results(tree)
        if missing or not results.firing_rates or not results.input_events.data_vars:
            raise ValueError(f"missing: {', '.join(missing[:3]) or 'layers'}")
        _ = results.accuracy, results.network_firing_rate, results.attributes
    except (KeyError, TypeError, ValueError) as error:
        raise ResultsError(
            f"{path} is not a complete results file ({error}); analyse the checkpoint again"
        ) from error
    return results


def _missing(tree: xr.DataTree) -> list[str]:
    """Return what a tree should hold and does not; it no longer says what it should."""
    found = contents(tree)
    missing = [name for name in (*_REQUIRED_ATTRIBUTES, CONTENTS) if name not in tree.attrs]
    for node, names in json.loads(tree.attrs.pop(CONTENTS, "{}")).items():
        if node not in found:
            missing.append(node.strip("/"))
        else:
            owner = f" of {node.strip('/')}" if node.strip("/") else ""
            missing += [f"{name}{owner}" for name in names if name not in found[node]]
    return missing
