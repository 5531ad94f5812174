"""Datasets: event streams to frames to samples, by name."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from redundancy.datasets.arguments import argument_values, parse_arguments
from redundancy.datasets.base import Argument, Batch, Dataset
from redundancy.datasets.checked_batch import iterate_batches
from redundancy.datasets.cifar import CIFAR, CIFARArguments
from redundancy.datasets.daily_action_dvs import DailyActionArguments, DailyActionDVS
from redundancy.datasets.dvs128_gait import DVS128Gait, GaitArguments
from redundancy.datasets.dvs128_gesture import DVS128Gesture, GestureArguments
from redundancy.datasets.event_recordings import CacheFolderError, EventRecordings
from redundancy.datasets.frames_file import FramesFile, FramesFileArguments
from redundancy.datasets.har_dvs import HARDVS, HARArguments
from redundancy.datasets.imagenet import ImageNet, ImageNetArguments
from redundancy.datasets.nmnist import NMNIST, NMNISTArguments
from redundancy.datasets.presets import with_preset
from redundancy.datasets.selection import check_split
from redundancy.datasets.synthetic_gait import SyntheticGait, SyntheticGaitArguments
from redundancy.errors import UsageError
from redundancy.registry import Registry

__all__ = [
    "DATASETS",
    "Batch",
    "Dataset",
    "DatasetEntry",
    "build_dataset",
    "convert_ahead",
    "dataset_entries",
    "iterate_batches",
]

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class DatasetEntry:
    """How a dataset is built from its name.

    Attributes
    ----------
    summary : str
        One line for listings.
    arguments : type
        Frozen dataclass of the dataset's arguments.
    location : str or None
        What the part after the colon is, such as "FOLDER"; None where there is none.
    splits : tuple of str
        The splits that may be asked for.
    build : callable
        Called with (location, arguments, split, progress).
    """

    summary: str
    arguments: type[Any]
    location: str | None
    splits: tuple[str, ...]
    build: Callable[[str, Any, str, Progress | None], Dataset]


DATASETS: Registry[DatasetEntry] = Registry("dataset")

DATASETS.register("synthetic-gait")(
    DatasetEntry(
        "generated recordings of persons walking past an event camera, one class a person",
        SyntheticGaitArguments,
        None,
        ("train", "test"),
        lambda _, arguments, split, progress: SyntheticGait(
            arguments, split=split, progress=progress
        ),
    )
)
DATASETS.register("nmnist")(
    DatasetEntry(
        "nmnist:FOLDER, N-MNIST recordings as Train/<digit>/*.bin and Test/<digit>/*.bin",
        NMNISTArguments,
        "FOLDER",
        ("train", "test"),
        lambda location, arguments, split, _: NMNIST(location, arguments, split=split),
    )
)
for _name, _light in (("dvs128-gait-day", "day"), ("dvs128-gait-night", "night")):
    DATASETS.register(_name)(
        DatasetEntry(
            f"{_name}:FOLDER, 20 persons walking by {_light}, train|test/<0..19>/*.txt or *.npy; "
            f"preset=asa-gait-{_light}",
            GaitArguments,
            "FOLDER",
            ("train", "test"),
            lambda location, arguments, split, _, name=_name: DVS128Gait(  # type: ignore[misc]
                location, arguments, split=split, name=name
            ),
        )
    )
DATASETS.register("dvs128-gesture")(
    DatasetEntry(
        "dvs128-gesture:FOLDER, 11 gestures, user*.aedat with user*_labels.csv, or "
        "train|test/*.hdf5; preset=asa-gesture, asa-gesture-plif",
        GestureArguments,
        "FOLDER",
        ("train", "test"),
        lambda location, arguments, split, _: DVS128Gesture(location, arguments, split=split),
    )
)
DATASETS.register("daily-action-dvs")(
    DatasetEntry(
        "daily-action-dvs:FOLDER, 12 everyday actions, <action>/*.aedat; preset=asa-daily-action",
        DailyActionArguments,
        "FOLDER",
        ("train", "test"),
        lambda location, arguments, split, _: DailyActionDVS(location, arguments, split=split),
    )
)
DATASETS.register("har-dvs")(
    DatasetEntry(
        "har-dvs:FOLDER, 300 activities, train|val|test_label.txt with action_*/*.npz or "
        "action_*/*/*.png; preset=ma-har",
        HARArguments,
        "FOLDER",
        ("train", "val", "test"),
        lambda location, arguments, split, _: HARDVS(location, arguments, split=split),
    )
)
for _name, _folders in (
    ("cifar10", "cifar-10-batches-py or cifar-10-batches-bin"),
    ("cifar100", "cifar-100-python or cifar-100-binary"),
):
    DATASETS.register(_name)(
        DatasetEntry(
            f"{_name}:FOLDER, static images from {_folders}, the same at every timestep; "
            f"preset=gac-{_name}",
            CIFARArguments,
            "FOLDER",
            ("train", "test"),
            lambda location, arguments, split, _, name=_name: CIFAR(  # type: ignore[misc]
                location, arguments, split=split, name=name
            ),
        )
    )
DATASETS.register("imagenet")(
    DatasetEntry(
        "imagenet:FOLDER, static images as train|val/<class>/*.JPEG, the same at every timestep; "
        "preset=gac-imagenet",
        ImageNetArguments,
        "FOLDER",
        ("train", "test"),
        lambda location, arguments, split, _: ImageNet(location, arguments, split=split),
    )
)
DATASETS.register("frames")(
    DatasetEntry(
        "frames:FILE.npz, your own: array frames [sample, time, channel, y, x], optional labels",
        FramesFileArguments,
        "FILE.npz",
        ("train", "test", "all"),
        lambda location, arguments, split, _: FramesFile(location, arguments, split=split),
    )
)


def build_dataset(
    spec: str, *, split: str = "test", progress: Progress | None = None, **arguments: object
) -> Dataset:
    """Build a dataset.

    Parameters
    ----------
    spec : str
        ``name`` or ``name:location``.
    split : str
        "train" or "test".
    progress : callable, optional
        Called with (done, total) where samples have to be generated first.
    **arguments
        The dataset's arguments; text is converted to the declared types. ``preset``
        names a set of them, see `redundancy.datasets.presets`.

    Raises
    ------
    UsageError
        If the name, the location, the split or an argument is not what it should be.
    DataError
        If the data is.
    """
    name, _, location = spec.partition(":")
    entry = DATASETS.get(name)
    check_split(split, entry.splits)
    if entry.location is None and location:
        raise UsageError(f"dataset {name!r} is generated and takes no location, got {spec!r}")
    if entry.location is not None and not location:
        raise UsageError(f"dataset {name!r} needs a location: {name}:{entry.location}")
    parsed = parse_arguments(entry.arguments, with_preset(name, arguments), name)
    return entry.build(location, parsed, split, progress)


def convert_ahead(
    dataset: Dataset, progress: Progress | None = None, *, n_samples: int | None = None
) -> None:
    """Convert what is to be converted of a dataset before its samples are used.

    Recordings of events become frames once and are kept in the cache folder; other
    datasets have nothing to convert. A cache folder that cannot be written is a
    warning: frames are then converted whenever they are used.

    Parameters
    ----------
    dataset : Dataset
    progress : callable, optional
        Called with (done, total) files.
    n_samples : int, optional
        Only what the first so many samples need.

    Raises
    ------
    DataError
        If a file is not what it should be.
    """
    if not isinstance(dataset, EventRecordings):
        return
    try:
        dataset.convert_all(progress, n_samples=n_samples)
    except CacheFolderError as error:
        warnings.warn(f"{error}. Until then frames are converted anew each time", stacklevel=2)


def dataset_entries() -> list[tuple[str, str, dict[str, Argument]]]:
    """Return (name, one-line summary, arguments with their defaults) of every dataset."""
    return [
        (name, DATASETS.get(name).summary, argument_values(DATASETS.get(name).arguments()))
        for name in DATASETS
    ]
