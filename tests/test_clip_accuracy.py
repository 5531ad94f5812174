"""Accuracy by clips, from recordings on disk to the numbers that people read."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from spikingjelly.activation_based import neuron
from torch import Tensor, nn

from redundancy.analysis import analyze, analyze_recordings, network_recordings
from redundancy.datasets import build_dataset, iterate_batches
from redundancy.datasets.base import Dataset
from redundancy.observation import AnalysisOptions
from redundancy.recordings import RecordingFile, write_recording
from redundancy.reduction import describe
from redundancy.report.text import results_text
from redundancy.results import Results
from redundancy.results_file import load_results
from tests.datasets.event_files import text
from tests.toy import ToyDataset

N_CLIPS = 4
OPTIONS = AnalysisOptions(n_replicates=10)
# Clips that show the label of their recording, recording by recording: 9 of 20 clips,
# but more than half of the clips in one recording of five only.
RIGHT = ((1, 1, 0, 0), (0, 1, 1, 1), (0, 0, 0, 0), (1, 0, 0, 1), (0, 0, 1, 1))


class RowNetwork(nn.Module):
    """Names the row of the frames in which most pixels fire."""

    def __init__(self) -> None:
        super().__init__()
        self.fire = neuron.IFNode(v_threshold=1.0, v_reset=0.0, step_mode="m")

    def forward(self, x: Tensor) -> Tensor:
        spikes: Tensor = self.fire(x)
        return spikes.mean((0, 2, 4))


@pytest.fixture(scope="module")
def gait(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Recordings of 40 ms whose events lie in the row of the label, or in the next one."""
    folder = tmp_path_factory.mktemp("gait")
    random = np.random.default_rng(5)
    for label, clips in enumerate(RIGHT):
        rows = []
        for clip, right in enumerate(clips):
            row = label if right else label + 1
            times = 10_000 * clip + np.linspace(0, 9_999, 40).astype(int)
            columns = random.integers(0, 128, 40)
            rows += [(int(t), int(x), 16 * row + 3, 1) for t, x in zip(times, columns, strict=True)]
        path = folder / "test" / str(label) / "1.txt"
        path.parent.mkdir(parents=True)
        path.write_bytes(text(rows))
    return build_dataset(
        f"dvs128-gait-day:{folder}",
        n_timesteps=4, dt_ms=2.5, downsample=None, size="8x8", clips=N_CLIPS, cache=False,
    )  # fmt: skip


def analyzed(dataset: Dataset, batch_size: int, n_samples: int | None = None) -> Results:
    return analyze(
        RowNetwork(), dataset, batch_size=batch_size, n_samples=n_samples, options=OPTIONS
    )


def test_batches_say_which_recording_a_clip_is_of(gait: Dataset) -> None:
    parts = [batch.recordings for batch in iterate_batches(gait, 3)]
    assert [part for part in parts if part is None] == []
    assert np.concatenate(parts).tolist() == np.repeat(range(5), N_CLIPS).tolist()


@pytest.mark.parametrize("batch_size", [3, 7, 20])
def test_a_recording_is_right_where_more_than_half_of_its_clips_are(
    gait: Dataset, batch_size: int
) -> None:
    results = analyzed(gait, batch_size)
    assert results.accuracy == 9 / 20
    assert (results.recording_accuracy, results.n_recordings) == (1 / 5, 5)
    summary = results.summary()
    assert (summary["recording_accuracy"], summary["n_recordings"]) == (0.2, 5)
    assert (
        "accuracy  45.0 % of clips, 20.0 % of 5 recordings (more than half of the clips right)\n"
        in results_text(results)
    )


def test_only_the_clips_that_were_seen_count(gait: Dataset) -> None:
    # Of the third recording one clip, of the second all.
    results = analyzed(gait, 4, n_samples=9)
    assert (results.recording_accuracy, results.n_recordings) == (1 / 3, 3)


def test_it_survives_the_results_file(gait: Dataset, tmp_path: Path) -> None:
    analyzed(gait, 6).save(tmp_path / "results.nc")
    loaded = load_results(tmp_path / "results.nc")
    assert (loaded.recording_accuracy, loaded.n_recordings) == (1 / 5, 5)


def test_a_recording_on_disk_says_the_same(gait: Dataset, tmp_path: Path) -> None:
    network = RowNetwork()
    recordings = network_recordings(network, gait, quantities=OPTIONS.recorded, batch_size=6)
    provenance = describe(network, gait, None, batch_size=6)
    write_recording(tmp_path / "run.zarr", recordings, provenance)
    file = RecordingFile(tmp_path / "run.zarr")
    results = analyze_recordings(file.batches(7), file.attributes, options=OPTIONS)
    assert (results.recording_accuracy, results.n_recordings) == (1 / 5, 5)


@pytest.mark.parametrize("labelled", [True, False])
def test_samples_that_are_no_clips_have_none(labelled: bool) -> None:
    results = analyzed(ToyDataset(6, labelled=labelled), 4)
    assert math.isnan(results.recording_accuracy)
    assert results.summary()["recording_accuracy"] is None
    assert results.n_recordings == 0
    assert "recordings" not in results_text(results)


def test_one_clip_a_recording_is_not_said_twice(gait: Dataset) -> None:
    whole = build_dataset(
        f"dvs128-gait-day:{gait.location}",
        n_timesteps=4, dt_ms=2.5, downsample=None, size="8x8", clips=1, cache=False,
    )  # fmt: skip
    results = analyzed(whole, 2)
    assert results.recording_accuracy == results.accuracy
    assert "of clips" not in results_text(results)
