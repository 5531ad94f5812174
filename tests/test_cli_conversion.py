"""Recordings become frames before an analysis or a training, and a terminal shows how far."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from redundancy import terminal
from redundancy.results_file import load_results
from tests.command_line import run_analyze, save_network
from tests.published_data import write
from tests.test_terminal import Terminal

FRAMES = [
    part
    for value in ("n_timesteps=3", "dt_ms=10", "size=8x8", "downsample=none", "clips=2")
    for part in ("--data-arg", value)
]


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("REDUNDANCY_CACHE", str(tmp_path / "cache"))
    return write("dvs128-gait-day", tmp_path)


@pytest.fixture
def network(tmp_path: Path) -> Path:
    return save_network(tmp_path / "net.pt", n_timesteps=3, n_classes=20)


def analyze_features(network: Path, data: str, *others: object) -> tuple[int, str, str]:
    return run_analyze(
        *("spike-features", network, "--data", data, *FRAMES, "--device", "cpu"),
        *("--replicates", 10, "--out", network.parent / "out", "--overwrite", *others),
    )


def shown(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> str:
    """Run a command on a terminal and return all that it showed there."""
    screen = Terminal()

    class OnScreen(terminal.ProgressLine):
        def __init__(self, what: str, unit: str, *, quiet: bool = False) -> None:
            super().__init__(what, unit, quiet=quiet, stream=screen)

    with monkeypatch.context() as patch:
        patch.setattr("redundancy.commands.options.ProgressLine", OnScreen)
        patch.setattr("redundancy.commands.train.ProgressLine", OnScreen)
        patch.setattr(terminal, "_REFRESH_SECONDS", 0.0)
        code, _, err = run_analyze(*arguments)
    assert code == 0, err
    return screen.getvalue()


def test_it_says_what_how_far_and_how_long_left(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, network: Path, data: str
) -> None:
    arguments = (
        *("record", network, "--data", data, *FRAMES, "--device", "cpu", "--overwrite"),
        *("-o", tmp_path / "run.zarr"),
    )
    text = shown(monkeypatch, *arguments)
    assert "converting 0/2 files" in text
    assert re.search(r"converting 1/2 files, \d+ s left", text)
    # Once is enough.
    assert "converting" not in shown(monkeypatch, *arguments)


def test_a_training_converts_both_splits(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, data: str
) -> None:
    text = shown(
        monkeypatch,
        *("train", "--data", data, *FRAMES, "-o", tmp_path / "trained.pt", "--epochs", 1),
        *("--network-arg", "widths=2,2,2", "--network-arg", "hidden=3", "--device", "cpu"),
    )
    assert text.count("converting 0/2 files") == 2
    assert len(list((tmp_path / "cache").rglob("*.frames"))) == 4


def test_a_pipe_sees_nothing_of_it(network: Path, data: str) -> None:
    code, out, err = analyze_features(network, data)
    assert (code, err) == (0, "")
    assert "converting" not in out


def test_only_what_is_analysed_is_converted(tmp_path: Path, network: Path, data: str) -> None:
    assert analyze_features(network, data, "--samples", 2)[0] == 0
    assert len(list((tmp_path / "cache").rglob("*.frames"))) == 1
    assert load_results(tmp_path / "out/results.nc").summary()["n_samples"] == 2


def test_a_damaged_recording_is_named_before_the_analysis(
    tmp_path: Path, network: Path, data: str
) -> None:
    (tmp_path / "dvs128-gait-day/test/1/1.txt").write_text("1 2 3 1\n7 nonsense\n")
    code, _, err = analyze_features(network, data)
    assert (code, err.count("\n")) == (1, 1)
    assert "test/1/1.txt" in err
    assert not (tmp_path / "out/results.nc").exists()
    assert not list((tmp_path / "cache").rglob("*.tmp*"))


def test_a_cache_that_cannot_be_written_is_a_warning(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, network: Path, data: str
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    monkeypatch.setenv("REDUNDANCY_CACHE", str(blocked))
    code, _, err = analyze_features(network, data)
    assert code == 0, err
    assert err.startswith("warning: the cache folder")
    assert err.count("\n") == 1
