"""What is kept of an interrupted analysis is read whole, or refused; never half."""

from __future__ import annotations

from collections.abc import Mapping
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
    # What was found out about the network, under a name that files use as well.
    root = xr.Dataset(attrs={"calling_convention": "sequence", "random_seed": 3, "device": "x"})
    return {"/": root, "conv": xr.Dataset({"spike_count": counts})}


def keep(folder: Path, identity: Mapping[str, object] = IDENTITY, start: int = 0) -> Path:
    """Keep some samples, and return the file they are in."""
    kept = KeptStates(folder)
    gathered = kept.open(identity, 0)
    gathered.add(Piece(Shard(start, start + 6), nodes()))
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
    for name, node in nodes().items():
        xr.testing.assert_identical(gathered.pieces[0].nodes[name], node)


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


def test_what_was_kept_of_another_run_is_refused(tmp_path: Path) -> None:
    own, other = keep(tmp_path / "own"), keep(tmp_path / "other", {**IDENTITY, "weights": "other"})
    own.write_bytes(other.read_bytes())
    with pytest.raises(ResultsError, match=r"merged.nc was kept of another run; remove it"):
        resumed(tmp_path / "own")


def test_what_was_kept_counts_once(tmp_path: Path) -> None:
    path = keep(tmp_path, start=6)
    path.with_name("000000000009.nc").write_bytes(path.read_bytes())
    with pytest.raises(ResultsError, match=r"09.nc holds what was kept as 000000000006.nc; remove"):
        resumed(tmp_path)


@pytest.mark.parametrize("content", [b"[]", b"5", b"{", b"\xff"])
def test_a_damaged_description_of_another_run_is_no_run(tmp_path: Path, content: bytes) -> None:
    path = keep(tmp_path)
    (path.parent / "run.json").write_bytes(content)
    assert KeptStates(tmp_path, resume=True).open({"weights": "b"}, 0).n_samples == 0
