"""What is kept of an interrupted analysis is read whole, or refused; never half."""

from __future__ import annotations

from pathlib import Path

import pytest
import xarray as xr

from redundancy.errors import ResultsError
from redundancy.nodes import Nodes
from redundancy.sharding.gathering import Gathered, Piece
from redundancy.sharding.kept_states import KeptStates
from redundancy.sharding.plan import Shard

IDENTITY = {"weights": "abc", "batch_size": 3}


def nodes() -> Nodes:
    counts = xr.DataArray(range(1000), dims="channel", attrs={"merge": "sum"})
    return {"/": xr.Dataset(), "conv": xr.Dataset({"spike_count": counts})}


def keep(folder: Path) -> Path:
    """Keep some samples, and return the file they are in."""
    kept = KeptStates(folder)
    gathered = kept.open(IDENTITY, 0)
    gathered.add(Piece(Shard(0, 6), nodes()))
    gathered.device = "cpu"
    kept.keep(gathered, now=True)
    (path,) = folder.glob(".shards-*/*.nc")
    return path


def resumed(folder: Path) -> Gathered:
    return KeptStates(folder, resume=True).open(IDENTITY, 0)


def test_what_is_kept_is_read_again(tmp_path: Path) -> None:
    keep(tmp_path)
    gathered = resumed(tmp_path)
    assert gathered.n_samples == 6
    assert gathered.device == "cpu"
    xr.testing.assert_identical(gathered.pieces[0].nodes["conv"], nodes()["conv"])


@pytest.mark.parametrize("place", [0.02, 0.5, 0.98, 1.0])
def test_a_flipped_byte_is_refused(tmp_path: Path, place: float) -> None:
    path = keep(tmp_path)
    content = bytearray(path.read_bytes())
    content[int(place * (len(content) - 1))] ^= 1
    path.write_bytes(content)
    with pytest.raises(ResultsError, match="it is damaged, remove it"):
        resumed(tmp_path)


@pytest.mark.parametrize("size", [0, 10, 2000])
def test_a_file_that_is_cut_short_is_refused(tmp_path: Path, size: int) -> None:
    path = keep(tmp_path)
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(ResultsError, match="it is damaged, remove it"):
        resumed(tmp_path)


def test_a_disk_that_was_full_from_the_first_file_on_is_gone_on_from(tmp_path: Path) -> None:
    path = keep(tmp_path)
    path.unlink()
    (path.parent / "run.json").unlink()
    assert resumed(tmp_path).n_samples == 0
