"""The weights in a checkpoint file, and whether they fit a network."""

from __future__ import annotations

import argparse
import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from redundancy.errors import CheckpointError, UsageError

if TYPE_CHECKING:
    from torch import Tensor


def read_weights(path: Path) -> Any:
    """Return what a checkpoint file holds, without running code that it may hold.

    Beside weights it may hold what training scripts put there: numbers of NumPy, and
    the command's arguments as an ``argparse.Namespace``.

    Raises
    ------
    UsageError
        If there is no file.
    CheckpointError
        If it is damaged, or holds other objects.
    """
    import torch

    if not path.exists():
        raise UsageError(f"there is no checkpoint at {path}")
    if path.is_dir():
        raise UsageError(f"{path} is a folder; a checkpoint file was expected")
    try:
        with torch.serialization.safe_globals(_harmless()):
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if "weights_only" in str(error) or "Unsupported" in str(error):
            raise CheckpointError(
                f"{path} is not a file of weights only (it holds other Python objects, which "
                "would run code when opened, or is no checkpoint at all); save the network's "
                "state_dict() and try again"
            ) from None
        raise CheckpointError(f"{path} is damaged or not a PyTorch checkpoint") from None
    except Exception as error:
        # Its reader of the older format takes any bytes and fails in any way.
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CheckpointError(f"{path} is damaged or not a PyTorch checkpoint ({reason})") from None


def _harmless() -> list[Any]:
    """Return what holds values only and runs no code of the file's when it is opened."""
    import numpy as np
    from numpy.dtypes import BoolDType, Float32DType, Float64DType, Int32DType, Int64DType

    scalar = type(np.float64(0)).__reduce__(np.float64(0))[0]
    numbers = [BoolDType, Float32DType, Float64DType, Int32DType, Int64DType]
    # NumPy's module had another name before version 2.
    names = ["numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar"]
    return [argparse.Namespace, np.dtype, *numbers, *((scalar, name) for name in names)]


def find_misfits(expected: Mapping[str, Tensor], given: Mapping[str, Any]) -> list[str]:
    """Return what of `given` is no tensor, missing, unexpected or misshapen, a phrase each.

    Parameters
    ----------
    expected : mapping of str to Tensor
        The state_dict of the network.
    given : mapping of str to Tensor
    """
    problems = [
        f"{key} is a {type(value).__name__}, not a tensor"
        for key, value in given.items()
        if not hasattr(value, "shape")
    ]
    problems += [f"{key} is missing" for key in expected if key not in given]
    problems += [f"{key} is unexpected" for key in given if key not in expected]
    problems += [
        f"{key} has shape {tuple(given[key].shape)}, expected {tuple(tensor.shape)}"
        for key, tensor in expected.items()
        if hasattr(given.get(key), "shape") and given[key].shape != tensor.shape
    ]
    return problems


def fitting(expected: Mapping[str, Tensor], given: Mapping[str, Any]) -> dict[str, Tensor]:
    """Return the weights of `given` that `expected` has, in its shapes."""
    return {
        key: given[key]
        for key, tensor in expected.items()
        if getattr(given.get(key), "shape", None) == tensor.shape
    }


def shortened(misfits: Sequence[str]) -> str:
    """Return the first phrases, and how many more there are."""
    more = f"; and {len(misfits) - 6} more" if len(misfits) > 6 else ""
    return "; ".join(misfits[:6]) + more
