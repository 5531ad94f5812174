"""What is damaged, foreign, old or unfinished is refused, in one sentence."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from redundancy import schema
from redundancy.analysis import network_recordings
from redundancy.errors import ResultsError, UsageError
from redundancy.recordings import RecordingFile, is_recording, open_recording, write_recording
from redundancy.recordings.seal import seal
from redundancy.recordings.unfinished import remove_orphans
from redundancy.sources import source_kind
from tests.recordings.cases import (
    FIRST_LAYER,
    PROVENANCE,
    QUANTITIES,
    random_batches,
    record_network,
    small_network,
)
from tests.toy import ToyDataset


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return record_network(tmp_path_factory.mktemp("damage") / "run.zarr")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording of one layer, quickly read."""
    path = tmp_path_factory.mktemp("damage") / "small.zarr"
    write_recording(path, random_batches(2, (3, 3, 5, 4, 4)), PROVENANCE)
    return path


@pytest.fixture
def path(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "run.zarr"))


def read_all(path: Path) -> list[object]:
    return list(RecordingFile(path).batches(4))


def chunk_file(path: Path, name: str = schema.SPIKE_BITS) -> Path:
    (found,) = (p for p in (path / FIRST_LAYER / name / "c").rglob("*") if p.is_file())
    return found


@settings(max_examples=40)
@given(st.data())
def test_no_flipped_bit_of_a_chunk_goes_unnoticed(small: Path, data: st.DataObject) -> None:
    files = sorted(p for p in small.rglob("*") if p.is_file() and p.name != "zarr.json")
    assert len(files) == 4
    file = data.draw(st.sampled_from(files))
    content = file.read_bytes()
    place = data.draw(st.integers(0, len(content) - 1))
    changed = bytearray(content)
    changed[place] ^= 1 << data.draw(st.integers(0, 7))
    try:
        file.write_bytes(changed)
        with pytest.raises(ResultsError, match=r"damaged.*, record it again"):
            read_all(small)
    finally:
        file.write_bytes(content)


def test_a_damaged_chunk_is_named_with_its_samples(path: Path) -> None:
    file = chunk_file(path, schema.MEMBRANE_POTENTIAL)
    content = bytearray(file.read_bytes())
    content[10] ^= 255
    file.write_bytes(content)
    told = r"conv1.neuron/membrane_potential in .*run.zarr: samples 0 to \d+ cannot be read \(its "
    with pytest.raises(ResultsError, match=told + "checksum is wrong"):
        read_all(path)
    with pytest.raises(ResultsError, match=told):
        open_recording(path)[FIRST_LAYER][schema.MEMBRANE_POTENTIAL].load()
    # What is not damaged is still there for those who want it.
    assert open_recording(path)[FIRST_LAYER][schema.SPIKE].values.any()


@pytest.mark.parametrize("keep", [0, 3, -1])
def test_a_file_cut_short(path: Path, keep: int) -> None:
    file = chunk_file(path)
    file.write_bytes(file.read_bytes()[:keep])
    with pytest.raises(ResultsError, match=r"spike_bits/c/0/0/0 of .* is not what was recorded"):
        read_all(path)


def test_a_missing_file(path: Path) -> None:
    chunk_file(path).unlink()
    with pytest.raises(
        ResultsError, match=r"run.zarr lacks conv1.neuron/spike_bits/c/0/0/0; it is"
    ):
        RecordingFile(path)


def test_a_missing_chunk(path: Path) -> None:
    """Zarr takes it for zeros."""
    array = zarr.open_array(path / FIRST_LAYER / schema.SPIKE_BITS, mode="r+")
    array[:] = 0
    assert not zarr.open_array(path / FIRST_LAYER / schema.SPIKE_BITS, mode="r")[:].any()
    with pytest.raises(ResultsError, match=r"(is not what was recorded|lacks .*/c/0/0/0); it is"):
        read_all(path)


@pytest.mark.parametrize(
    "name", [FIRST_LAYER, f"{FIRST_LAYER}/spike_bits", "input_frames", "label"]
)
def test_a_missing_array_or_group(path: Path, name: str) -> None:
    shutil.rmtree(path / name)
    with pytest.raises(ResultsError, match=r"lacks .*; it is damaged, record it again"):
        RecordingFile(path)


def test_arrays_of_other_samples(path: Path) -> None:
    zarr.open_array(path / FIRST_LAYER / schema.SPIKE_BITS, mode="r+").resize((9, 4, 40))
    with pytest.raises(ResultsError, match=r"the metadata of .* is not what was recorded"):
        RecordingFile(path)


def test_another_number_of_samples(path: Path) -> None:
    zarr.open_group(path, mode="r+").attrs[schema.N_SAMPLES] = 9
    with pytest.raises(
        ResultsError, match=r"metadata of .* is not what was recorded; it is damaged"
    ):
        RecordingFile(path)


def test_spikes_that_do_not_fit_the_potential(path: Path) -> None:
    array = zarr.open_array(path / "conv2.neuron" / schema.SPIKE_BITS, mode="r+")
    array[5] = 255 - array[5]
    seal(path)
    with pytest.raises(ResultsError, match=r"layer 'conv2.neuron' .* batch from sample 4"):
        read_all(path)


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"zarr_format": 3}'])
@pytest.mark.parametrize("place", ["", FIRST_LAYER, f"{FIRST_LAYER}/spike_bits"])
def test_damaged_metadata(path: Path, content: str, place: str) -> None:
    (path / place / "zarr.json").write_text(content)
    with pytest.raises(ResultsError, match=r"record it again|not a recording"):
        RecordingFile(path)


@settings(max_examples=40)
@given(st.data())
def test_no_changed_metadata_goes_unnoticed(small: Path, data: st.DataObject) -> None:
    file = data.draw(st.sampled_from(sorted(small.rglob("zarr.json"))))
    content = file.read_bytes()
    place = data.draw(st.integers(0, len(content) - 1))
    changed = bytearray(content)
    changed[place] = data.draw(st.integers(33, 126).filter(lambda byte: byte != content[place]))
    try:
        file.write_bytes(changed)
        if file.parent == small and _parsed(bytes(changed)) == _parsed(content):
            return  # white space of the root, or the copies that are not read
        with pytest.raises(ResultsError) as told:
            read_all(small)
        assert "\n" not in str(told.value)
    finally:
        file.write_bytes(content)


def _parsed(content: bytes) -> object:
    try:
        root = json.loads(content)
        return {key: value for key, value in root.items() if key != "consolidated_metadata"}
    except ValueError:
        return None


def test_nothing_and_foreign_folders(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no recording"):
        RecordingFile(tmp_path / "nothing.zarr")
    (tmp_path / "empty.zarr").mkdir()
    with pytest.raises(ResultsError, match="cannot be read as a recording"):
        RecordingFile(tmp_path / "empty.zarr")
    xr.Dataset({"a": ("b", np.arange(3))}).to_zarr(tmp_path / "other.zarr", zarr_format=3)
    with pytest.raises(ResultsError, match="not a recording file of this project"):
        RecordingFile(tmp_path / "other.zarr")


def test_older_recordings_are_to_be_made_again(path: Path) -> None:
    root = json.loads((path / "zarr.json").read_text())
    del root["attributes"][schema.RECORDING_FORMAT]
    (path / "zarr.json").write_text(json.dumps(root))
    with pytest.raises(
        ResultsError, match=r"format 1, this one reads 3\); record it again with an"
    ):
        RecordingFile(path)


def test_nothing_is_left_after_a_failure(tmp_path: Path) -> None:
    def failing():  # type: ignore[no-untyped-def]
        yield next(
            network_recordings(small_network(), ToyDataset(8), quantities=QUANTITIES, batch_size=4)
        )
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_recording(tmp_path / "run.zarr", failing(), PROVENANCE)
    with pytest.raises(UsageError, match="no sample to record"):
        write_recording(tmp_path / "run.zarr", [], PROVENANCE)
    assert list(tmp_path.iterdir()) == []


KILLED = """
import os, signal, sys
from redundancy.recordings import write_recording
from tests.recordings.cases import PROVENANCE, random_batches
def killed():
    yield from random_batches(2, (2, 3, 4, 8, 8))
    print("written", flush=True)
    signal.pause() if sys.argv[2] == "wait" else os.kill(os.getpid(), signal.SIGKILL)
write_recording(sys.argv[1], killed(), PROVENANCE)
"""


def start(path: Path, how: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", KILLED, str(path), how], stdout=subprocess.PIPE, text=True
    )


def test_what_a_killed_process_left_is_no_recording_and_goes(tmp_path: Path) -> None:
    path = tmp_path / "run.zarr"
    with start(path, "kill") as process:
        assert process.wait() == -signal.SIGKILL
    (left,) = tmp_path.iterdir()
    assert left.name.startswith("run.partial-")
    assert source_kind(left) == "recording"
    with pytest.raises(ResultsError, match=r"not finished; .* record it again"):
        RecordingFile(left)
    # Not even Zarr takes it for a whole one.
    with pytest.raises(FileNotFoundError):
        zarr.open_group(left, mode="r")
    other = tmp_path / "runs.partial-1.zarr"
    other.mkdir()
    write_recording(path, random_batches(1, (2, 3, 4, 8, 8)), PROVENANCE)
    assert set(tmp_path.iterdir()) == {path, other}
    assert is_recording(path)


def test_what_a_living_process_writes_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "run.zarr"
    with start(path, "wait") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "written\n"
        (growing,) = tmp_path.iterdir()
        assert remove_orphans(path) == []
        write_recording(path, random_batches(1, (2, 3, 4, 8, 8)), PROVENANCE)
        assert set(tmp_path.iterdir()) == {path, growing}
        os.kill(process.pid, signal.SIGKILL)
    assert remove_orphans(path) == [growing]
