"""Results files are read whole, or refused in one sentence."""

from __future__ import annotations

import json
import os
import warnings
from pathlib import Path

import xarray as xr

from redundancy import schema
from redundancy.errors import RedundancyError, ResultsError, UsageError
from redundancy.limits import check_regular_file
from redundancy.netcdf_structure import check_structure
from redundancy.nodes import CONTENTS, check_version, contents, nodes_of
from redundancy.results import Results
from redundancy.results_rules import broken_rules

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
    check_regular_file(path)
    if not Path(path).is_file():
        raise UsageError(f"there is no results file at {path}")
    tree = _read(path)
    check_version(path, tree.attrs, "results")
    try:
        has_checksums = _check_contents(path, tree)
        results = Results(tree)
        if not results.firing_rates or not results.input_events.data_vars:
            raise ValueError("missing: layers")
        broken = next(broken_rules(nodes_of(tree), results.attributes), None)
        _ = results.accuracy, results.network_firing_rate
    except RedundancyError:
        raise
    except Exception as error:
        # What is missing or of another type is found in as many ways as there are errors.
        raise ResultsError(
            f"{path} is not a complete results file ({_sentence(error)}); analyse the checkpoint "
            "again"
        ) from error
    if broken is not None:
        raise ResultsError(f"{path} is damaged: {broken}; analyse the checkpoint again")
    if not has_checksums:
        warnings.warn(
            f"{path} was saved by a version of redundancy that wrote no checksums, so that not all "
            "damage to it would be seen; analyse the checkpoint again to have them",
            UserWarning,
            stacklevel=2,
        )
    return results


def _read(path: str | os.PathLike[str]) -> xr.DataTree:
    try:
        check_structure(path)
        with xr.open_datatree(path, engine="h5netcdf") as opened:
            return opened.load()
    except RedundancyError:
        raise
    except Exception as error:
        # h5py and xarray raise many classes for a damaged file.
        raise ResultsError(
            f"{path} cannot be read as a results file ({type(error).__name__}); it is damaged or "
            "not netCDF-4, analyse the checkpoint again"
        ) from error


def _check_contents(path: str | os.PathLike[str], tree: xr.DataTree) -> bool:
    """Refuse a tree that is not what was saved; it no longer says what that was.

    Returns
    -------
    bool
        Whether there are checksums: older versions listed names only.
    """
    found = contents(tree)
    missing = [name for name in (*_REQUIRED_ATTRIBUTES, CONTENTS) if name not in tree.attrs]
    saved = json.loads(tree.attrs.pop(CONTENTS, "{}"))
    has_checksums = all(isinstance(names, dict) for names in saved.values())
    changed = []
    for node in {**saved, **found}:
        if node not in found:
            missing.append(node.strip("/"))
            continue
        before, now = saved.get(node, {}), found[node]
        missing += [_of(name, node) for name in before if name not in now]
        if has_checksums:
            names = [name for name in now if before.get(name) != now[name]]
            changed += [_of(name, node) for name in names] if node in saved else [node.strip("/")]
    if missing:
        raise ValueError(f"missing: {', '.join(missing[:3])}")
    if changed:
        raise ResultsError(
            f"{path} is damaged: {changed[0]} is not what was saved; analyse the checkpoint again"
        )
    return has_checksums


def _of(name: str, node: str) -> str:
    return f"{name} of {node.strip('/')}" if node.strip("/") else name


def _sentence(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__
