"""The datasets `cifar10` and `cifar100`: static images from their batch files."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from redundancy.datasets.arguments import argument_values
from redundancy.datasets.base import Argument, Batch
from redundancy.datasets.cifar_files import (
    CIFAR10_FORMAT,
    CIFAR100_FORMAT,
    IMAGE_SHAPE,
    CIFARFormat,
    read_batch,
)
from redundancy.datasets.selection import check_range, check_sample_size, check_split
from redundancy.datasets.static_images import check_timesteps, to_frames
from redundancy.errors import UsageError

# Files, and the mean and standard deviation that GAC's networks were trained with.
_KINDS: dict[str, tuple[CIFARFormat, tuple[tuple[float, ...], tuple[float, ...]]]] = {
    "cifar10": (CIFAR10_FORMAT, ((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010))),
    "cifar100": (CIFAR100_FORMAT, ((0.5071, 0.4867, 0.4408), (0.2675, 0.2565, 0.2761))),
}


@dataclass(frozen=True)
class CIFARArguments:
    """What determines the samples of `cifar10` and `cifar100`, beside the files.

    Attributes
    ----------
    n_timesteps : int
        How often an image is repeated.
    normalize : bool
        Whether the dataset's mean is subtracted and its standard deviation divided by,
        channel by channel, as GAC's networks expect.
    """

    n_timesteps: int = 6
    normalize: bool = True


class CIFAR:
    """Images of 32x32 pixels, in the order of the files, the same at every timestep.

    Parameters
    ----------
    location : str or path
        The folder with the files, or the one above it; python or binary version.
    arguments : CIFARArguments
    name : {"cifar10", "cifar100"}
    split : str
        "train" or "test".

    Raises
    ------
    UsageError
        If the folder or a file is missing.
    DataError
        If a file is damaged.
    """

    def __init__(
        self,
        location: str | os.PathLike[str],
        arguments: CIFARArguments | None = None,
        *,
        name: str = "cifar10",
        split: str = "test",
    ) -> None:
        arguments = arguments or CIFARArguments()
        form, normalisation = _KINDS[name]
        self.name = name
        self.arguments: Mapping[str, Argument] = argument_values(arguments)
        self.split = check_split(split)
        self.location = os.fspath(location)
        self.n_classes = form.n_classes
        self.frame_shape = (check_timesteps(arguments.n_timesteps), *IMAGE_SHAPE)
        check_sample_size(self.frame_shape)
        self._normalisation = normalisation if arguments.normalize else None
        parts = [read_batch(path, form) for path in _find_files(Path(location), form, split)]
        self._images = np.concatenate([images for images, _ in parts])
        self._labels = np.concatenate([labels for _, labels in parts])

    def __len__(self) -> int:
        return len(self._images)

    def batch(self, start: int, stop: int) -> Batch:
        """Return samples `start` to `stop` (exclusive)."""
        check_range(start, stop, len(self))
        frames = to_frames(self._images[start:stop], self.frame_shape[0], self._normalisation)
        return Batch(start, frames, self._labels[start:stop].copy())


def _find_files(folder: Path, form: CIFARFormat, split: str) -> list[Path]:
    """Return the files of a split, of the first version of which there is one."""
    expected = (
        f"expected {form.python_folder} with {', '.join(form.files[split])}, or "
        f"{form.binary_folder} with the same names and .bin"
    )
    if not folder.is_dir():
        raise UsageError(f"there is no folder {folder}; {expected}")
    for version, ending in ((form.python_folder, ""), (form.binary_folder, ".bin")):
        for place in (folder / version, folder):
            paths = [place / f"{name}{ending}" for name in form.files[split]]
            missing = [path.name for path in paths if not path.is_file()]
            if missing and len(missing) < len(paths):
                raise UsageError(f"{place} lacks {', '.join(missing)} of split {split}; {expected}")
            if not missing:
                return paths
    raise UsageError(f"{folder} holds no files of split {split}; {expected}")
