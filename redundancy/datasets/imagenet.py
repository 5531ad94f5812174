"""The dataset `imagenet`: static images from a folder with one folder a class."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from redundancy.datasets.arguments import argument_values
from redundancy.datasets.base import Argument, Batch
from redundancy.datasets.selection import check_range, check_sample_size, check_split
from redundancy.datasets.static_images import check_timesteps, to_frames
from redundancy.errors import DataError, LimitError, UsageError
from redundancy.file_kinds import but_is
from redundancy.limits import check_claim, check_regular_file

_FOLDERS = {"train": "train", "test": "val"}
_LAYOUT = "train/<class>/*.JPEG and val/<class>/*.JPEG"
# Of an image, of the same in RGB, which Pillow keeps in four bytes, and of both resized.
_PIXEL_BYTES = 16
_ENDINGS = {".jpeg", ".jpg", ".png", ".bmp", ".ppm", ".pgm", ".tif", ".tiff", ".webp"}
# What networks for ImageNet are trained with, GAC's among them.
_NORMALISATION = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


@dataclass(frozen=True)
class ImageNetArguments:
    """What determines the samples of `imagenet`, beside the files.

    Attributes
    ----------
    n_timesteps : int
        How often an image is repeated.
    resize : int
        Length in pixels that the shorter side of an image is brought to.
    crop : int
        Side of the square that is cut out of its middle, at most `resize`.
    normalize : bool
        Whether ImageNet's mean is subtracted and its standard deviation divided by.
    """

    n_timesteps: int = 4
    resize: int = 256
    crop: int = 224
    normalize: bool = True


class ImageNet:
    """Images of any size, resized and cropped, the same at every timestep.

    A class is the place of its folder in the order of names, over the folders of both
    splits. The order of samples is fixed by names alone: of all classes first the first
    files, then the second ones, and so on, so that the first samples are balanced for as
    long as every class has files.

    Parameters
    ----------
    location : str or path
        The folder that holds ``train`` and ``val``, or the one that is asked for.
    arguments : ImageNetArguments
    split : str
        "train", or "test", which is in ``val``.

    Raises
    ------
    UsageError
        If the folder is missing or not laid out so, or an argument is out of range.
    """

    name = "imagenet"

    def __init__(
        self,
        location: str | os.PathLike[str],
        arguments: ImageNetArguments | None = None,
        *,
        split: str = "test",
    ) -> None:
        arguments = arguments or ImageNetArguments()
        if not 1 <= arguments.crop <= arguments.resize:
            raise UsageError(
                f"imagenet needs a crop of at least 1 and at most resize = {arguments.resize}, got "
                f"{arguments.crop}"
            )
        self.arguments: Mapping[str, Argument] = argument_values(arguments)
        self.split = check_split(split)
        self.location = os.fspath(location)
        self._resize, self._crop = arguments.resize, arguments.crop
        self._normalisation = _NORMALISATION if arguments.normalize else None
        self.frame_shape = (
            check_timesteps(arguments.n_timesteps),
            3,
            arguments.crop,
            arguments.crop,
        )
        check_sample_size(self.frame_shape)
        self._samples, self.n_classes = _list_images(Path(location), self.split)

    def __len__(self) -> int:
        return len(self._samples)

    def batch(self, start: int, stop: int) -> Batch:
        """Return samples `start` to `stop` (exclusive).

        Raises
        ------
        DataError
            If an image cannot be read; the message names the file.
        """
        check_range(start, stop, len(self))
        chosen = self._samples[start:stop]
        images = np.stack([read_image(path, self._resize, self._crop) for path, _ in chosen])
        labels = np.array([label for _, label in chosen], np.int64)
        return Batch(start, to_frames(images, self.frame_shape[0], self._normalisation), labels)


def read_image(path: Path, resize: int, crop: int) -> NDArray[np.uint8]:
    """Read an image, resize it and cut a square out of its middle.

    The shorter side becomes `resize` pixels long, bilinearly with antialiasing, and the
    longer one is rounded down, as torchvision does it with images of Pillow.

    Returns
    -------
    ndarray of uint8, shape (3, crop, crop)
        Red, green and blue.

    Raises
    ------
    DataError
        If the file is no image that can be read.
    """
    from PIL import Image

    check_regular_file(path)
    try:
        with warnings.catch_warnings():
            # What Pillow warns of is refused, or within the limit.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            # Decoding passes over the checksums that a PNG has.
            with Image.open(path) as opened:
                opened.verify()
            with Image.open(path) as opened:
                width, height = opened.size
                shorter = max(min(width, height), 1)
                longer = resize * max(width, height) // shorter
                pixels = max(width * height, resize * longer)
                check_claim(_PIXEL_BYTES * pixels, f"{path} ({width}x{height} pixels)")
                image = opened.convert("RGB")
    except LimitError:
        raise
    # A damaged file fails in as many ways as there are image formats.
    except Exception as error:
        raise DataError(f"{path} cannot be read as an image: {error}{but_is(path)}") from None
    resized = image.resize(
        (resize * width // shorter, resize * height // shorter), Image.Resampling.BILINEAR
    )
    left, top = round((resized.width - crop) / 2), round((resized.height - crop) / 2)
    cut = np.asarray(resized.crop((left, top, left + crop, top + crop)), np.uint8)
    return np.ascontiguousarray(cut.transpose(2, 0, 1))


def _list_images(folder: Path, split: str) -> tuple[list[tuple[Path, int]], int]:
    """Return path and class of every image in the order of the dataset, and the classes."""
    if not folder.is_dir():
        raise UsageError(f"there is no folder {folder}; expected one that holds {_LAYOUT}")
    subfolder = folder / _FOLDERS[split]
    if not subfolder.is_dir():
        raise UsageError(
            f"{folder} has no folder {_FOLDERS[split]} for split {split}; expected {_LAYOUT}"
        )
    present = [folder / name for name in _FOLDERS.values() if (folder / name).is_dir()]
    classes = sorted(
        {entry.name for part in present for entry in os.scandir(part) if entry.is_dir()}
    )
    ranked = []
    for label, name in enumerate(classes):
        if (subfolder / name).is_dir():
            found = sorted(
                entry.name
                for entry in os.scandir(subfolder / name)
                if os.path.splitext(entry.name)[1].lower() in _ENDINGS
            )
            ranked += [(rank, label, file) for rank, file in enumerate(found)]
    if not ranked:
        raise UsageError(
            f"{subfolder} holds no images in folders of their classes; expected {_LAYOUT}"
        )
    ordered = sorted(ranked)
    return [(subfolder / classes[label] / file, label) for _, label, file in ordered], len(classes)
