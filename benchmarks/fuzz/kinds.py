"""The kinds of files that users give to the tool: a whole one, how it is opened and damaged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from benchmarks.fuzz import edits, networks, numbers, recordings
from benchmarks.fuzz.edits import Edit


@dataclass(frozen=True)
class Kind:
    """One kind of file.

    Attributes
    ----------
    write : callable
        Writes whole files into a folder, others for another seed.
    read : callable
        Returns the digest of all numbers of them.
    targets : str
        Pattern of the files that are damaged.
    edit : callable or None
        Edits what a file says, and saves it anew.
    free_bytes : bool
        Whether bytes may be others without any reader seeing it.
    free_values : bool
        Whether values may, in a file that was saved anew.
    """

    write: Callable[[Path, int], None]
    read: Callable[[Path], str]
    targets: str
    edit: Edit | None = None
    free_bytes: bool = False
    free_values: bool = False


def _weights(
    write: Callable[[Path, int], None],
    edit: Edit = edits.edit_torch,
    *,
    free_bytes: bool = False,
    free_values: bool = True,
) -> Kind:
    return Kind(
        lambda folder, seed: write(folder / "network.pt", seed),
        lambda folder: numbers.of_checkpoint(folder / "network.pt"),
        "network.pt",
        edit,
        free_bytes,
        free_values,
    )


def _saved(state: Callable[[int], object]) -> Callable[[Path, int], None]:
    return lambda path, seed: torch.save(state(seed), path)


def _data(
    write: Callable[[Path, int], None],
    name: str,
    targets: str,
    edit: Edit | None = None,
    *,
    free_bytes: bool = True,
    **arguments: object,
) -> Kind:
    def read(folder: Path) -> str:
        return numbers.of_dataset(f"{name}:{folder}", **arguments)

    return Kind(write, read, targets, edit, free_bytes, True)


_CLIPS: dict[str, object] = {"n_timesteps": 4, "dt_ms": 20.0, "clips": 2, "cache": False}

KINDS: dict[str, Kind] = {
    "checkpoint, ours": _weights(networks.write_own, free_values=False),
    "checkpoint, ours, version 1": _weights(
        networks.write_own_1, edits.edit_torch_names, free_values=False
    ),
    "checkpoint, ASA-SNN": _weights(_saved(networks.asa_state)),
    "checkpoint, GAC": _weights(_saved(networks.gac_state)),
    "checkpoint, SpikingJelly": _weights(networks.write_spikingjelly),
    "checkpoint, SpikingJelly, legacy": _weights(
        partial(networks.write_spikingjelly, legacy=True), free_bytes=True
    ),
    "results": Kind(
        lambda folder, seed: networks.write_results(folder / "results.nc", seed),
        lambda folder: numbers.of_results(folder / "results.nc"),
        "results.nc",
        edits.edit_hdf5,
    ),
    "recording": Kind(
        lambda folder, seed: networks.write_run(folder / "run.zarr", seed),
        lambda folder: numbers.of_recording(folder / "run.zarr"),
        "run.zarr/**/*",
        edits.edit_folder,
    ),
    "kept states": Kind(
        networks.write_kept_states,
        numbers.of_kept_states,
        ".shards-*/*",
        edits.edit_hdf5,
    ),
    "frames .npz": Kind(
        lambda folder, seed: networks.frames(folder / "frames.npz", seed),
        lambda folder: numbers.of_dataset(f"frames:{folder / 'frames.npz'}"),
        "frames.npz",
        edits.edit_npz,
        free_values=True,
    ),
    "N-MNIST .bin": _data(recordings.write_nmnist, "nmnist", "Test/*/*.bin", n_timesteps=4),
    "AEDAT 2": _data(
        recordings.write_aedat2, "daily-action-dvs", "*/*4.aedat", downsample=8, **_CLIPS
    ),
    "AEDAT 3.1": _data(recordings.write_aedat3, "dvs128-gesture", "*.aedat", **_CLIPS),
    "gesture labels .csv": _data(recordings.write_aedat3, "dvs128-gesture", "*.csv", **_CLIPS),
    "gesture .hdf5": _data(
        recordings.write_gesture_hdf5, "dvs128-gesture", "test/*.hdf5", edits.edit_hdf5, **_CLIPS
    ),
    "gait .txt": _data(recordings.write_gait_text, "dvs128-gait-day", "test/*/*.txt", **_CLIPS),
    "gait .npy": _data(
        recordings.write_gait_arrays, "dvs128-gait-day", "test/*/*.npy", edits.edit_npy, **_CLIPS
    ),
    "HAR-DVS .npz": _data(
        recordings.write_har_events, "har-dvs", "*/*.npz", edits.edit_npz, free_bytes=False,
        n_timesteps=4, downsample=8, cache=False,
    ),
    "HAR-DVS .png": _data(
        recordings.write_har_images, "har-dvs", "*/*/*.png", free_bytes=False, n_timesteps=4,
        downsample=8, cache=False,
    ),
    "HAR-DVS labels": _data(
        recordings.write_har_events, "har-dvs", "*.txt", n_timesteps=4, downsample=8, cache=False
    ),
    "CIFAR pickle": _data(
        recordings.write_cifar_pickle, "cifar10", "*/test_batch", edits.edit_pickle, n_timesteps=2
    ),
    "CIFAR .bin": _data(recordings.write_cifar_records, "cifar10", "*/*.bin", n_timesteps=2),
    "ImageNet .JPEG": _data(
        recordings.write_imagenet, "imagenet", "val/*/*.JPEG", n_timesteps=2, resize=32, crop=32
    ),
}  # fmt: skip
