"""The weights in a checkpoint file, and whether they fit a network."""

from __future__ import annotations

import argparse
import io
import os
import pickle
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from redundancy.checkpoint_kinds import refuse_other_kinds
from redundancy.errors import CheckpointError, LimitError, StorageError, UsageError
from redundancy.files import atomic_path, check_archive_start, full_disk_as_sentence
from redundancy.limits import check_claim
from redundancy.weight_types import type_problem

if TYPE_CHECKING:
    from torch import Tensor

_BLOCK = 1 << 20


def read_weights(path: Path) -> Any:
    """Return what a checkpoint file holds, without running code that it may hold.

    Beside weights it may hold what training scripts put there: numbers of NumPy, and
    the command's arguments as an ``argparse.Namespace``.

    Raises
    ------
    UsageError
        If there is no file.
    CheckpointError
        If it is damaged, of another kind, or holds other objects.
    LimitError
        If it claims more memory than one file may take.
    """
    import torch

    try:
        refuse_other_kinds(path)
        _check_archive(path)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}") from None
    try:
        with torch.serialization.safe_globals(_harmless()):
            content = torch.load(path, map_location="cpu", weights_only=True)
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
    # A tensor may repeat what is stored once, and then takes more than the file.
    claims = (tensor.numel() * tensor.element_size() for tensor in _tensors(content))
    check_claim(sum(claims), f"{path}, all its tensors together,")
    return content


def _check_archive(path: Path) -> None:
    """Refuse an archive that claims too much memory, or whose bytes are not those saved.

    torch.load itself allocates what an archive claims, and passes over its checksums.
    """
    check_claim(path.stat().st_size, str(path))
    if not zipfile.is_zipfile(path):
        return
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            claimed = sum(entry.file_size for entry in entries)
            check_claim(claimed, f"{path}, unpacked,")
            check_archive_start(entries)
            for entry in entries:
                with archive.open(entry) as file:
                    while file.read(_BLOCK):
                        pass
    except LimitError:
        raise
    # A damaged archive fails in as many ways as zip and deflate have.
    except Exception as error:
        raise CheckpointError(
            f"{path} is damaged: its bytes are not those that were saved ({error}); get it again"
        ) from None


def _tensors(content: Any, depth: int = 3) -> Iterator[Tensor]:
    """Yield the tensors of a checkpoint, also those in mappings within it."""
    import torch

    if isinstance(content, torch.Tensor):
        yield content
    elif isinstance(content, Mapping) and depth:
        for value in content.values():
            yield from _tensors(value, depth - 1)


def write_torch(path: str | os.PathLike[str], content: Mapping[str, Any]) -> None:
    """Write `content` as torch.save does, whole or not at all.

    Raises
    ------
    StorageError
        If the disk is full.
    UsageError
        If nothing can be written there.
    """
    import torch

    # torch writing to a full disk forgets why it failed; a buffer does not fill up.
    buffer = io.BytesIO()
    torch.save(content, buffer)
    try:
        with (
            full_disk_as_sentence(Path(path).parent, f"free some space to write {path}"),
            atomic_path(path) as temporary,
        ):
            temporary.write_bytes(buffer.getbuffer())
    except StorageError:
        raise
    except OSError as error:
        reason = error.strerror or str(error)
        raise UsageError(f"{path} cannot be written: {reason}; name another place") from None


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
    """Return what of `given` is no tensor of weights, missing, unexpected or misshapen.

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
    problems += [
        f"{key} is {problem}"
        for key, value in given.items()
        if hasattr(value, "shape") and (problem := type_problem(key, value))
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
        and type_problem(key, given[key]) is None
    }


def shortened(misfits: Sequence[str]) -> str:
    """Return the first phrases, and how many more there are."""
    more = f"; and {len(misfits) - 6} more" if len(misfits) > 6 else ""
    return "; ".join(misfits[:6]) + more
