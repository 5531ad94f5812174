"""A comparison that was interrupted between two networks goes on from the first one's results."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.command_line import run_analyze, save_frames, save_network
from tests.toy import ToyDataset

NAMES = ("vanilla", "asa")
SIZE = (16, 16)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with two checkpoints, and what comparing them wrote."""
    folder = tmp_path_factory.mktemp("resumed")
    save_frames(folder / "toy.npz", ToyDataset(12, size=SIZE))
    save_network(folder / "vanilla.pt", size=SIZE)
    save_network(folder / "asa.pt", seed=1, attention="asa-1", size=SIZE)
    assert run_analyze(*command(folder, folder / "compared"))[::2] == (0, "")
    return folder


def command(folder: Path, out: Path) -> list[object]:
    sources = [folder / f"{name}.pt" for name in NAMES]
    data = f"frames:{folder / 'toy.npz'}"
    return ["compare", *sources, "--data", data, "--out", out, "--quiet"]


def test_networks_that_are_finished_are_not_run_again(folder: Path, tmp_path: Path) -> None:
    finished = tmp_path / "vanilla.nc"
    finished.write_bytes((folder / "compared" / "vanilla.nc").read_bytes())
    written = finished.stat().st_mtime_ns
    code, _, err = run_analyze(*command(folder, tmp_path))
    assert code == 2
    assert "holds results of vanilla already" in err
    code, _, err = run_analyze(*command(folder, tmp_path), "--resume", "--bin-width", "0.5")
    assert code == 2
    assert "is of another analysis (bin width null and now 0.5)" in err
    assert run_analyze(*command(folder, tmp_path), "--resume")[::2] == (0, "")
    assert finished.stat().st_mtime_ns == written
    expected = (folder / "compared" / "asa.nc").read_bytes()
    assert (tmp_path / "asa.nc").read_bytes() == expected
