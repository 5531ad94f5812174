"""``analyze record``, as it is typed."""

from __future__ import annotations

import contextlib
import io
import sys
from pathlib import Path
from unittest import mock

import pytest
import xarray as xr

from redundancy import schema
from redundancy.recordings import RecordingFile
from redundancy.results_file import load_results
from tests.command_line import run_analyze, save_frames, save_network
from tests.recordings.test_space import disk_of
from tests.toy import ToyDataset


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> list[object]:
    folder = tmp_path_factory.mktemp("record")
    data = save_frames(folder / "toy.npz", ToyDataset(8))
    return [save_network(folder / "net.pt"), *data]


def test_half_precision_is_said_wherever_numbers_are_shown(
    source: list[object], tmp_path: Path
) -> None:
    run = tmp_path / "run.zarr"
    code, said, _ = run_analyze("record", *source, "-o", run, "--potential-dtype", "float16")
    assert (code, said.startswith("8 samples written")) == (0, True)
    assert "rounded to float16" in run_analyze("info", run)[1]
    code, _, err = run_analyze("spike-features", run, "--out", tmp_path / "out")
    assert code == 0
    assert err.startswith("warning: ")
    assert err.count("rounded to float16") == 1
    results = load_results(tmp_path / "out" / "results.nc")
    assert results.attributes[schema.POTENTIALS_ROUNDED_TO] == "float16"


def test_other_precisions_are_misuse(source: list[object], tmp_path: Path) -> None:
    code, _, err = run_analyze(
        *("record", *source, "-o", tmp_path / "run.zarr", "--potential-dtype", "int8")
    )
    assert (code, "float16" in err) == (2, True)


def test_a_disk_that_is_too_small(
    source: list[object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk_of(monkeypatch, 1000)
    run = tmp_path / "run.zarr"
    command = ["record", *source, "-o", run, "--batch-size", 2]
    code, said, err = run_analyze(*command)
    assert (code, said) == (2, "")
    assert err.startswith("error: the recording does not fit: about ")
    assert "--no-space-check" in err
    assert list(tmp_path.iterdir()) == []
    assert run_analyze(*command, "--no-space-check")[0] == 0
    assert len(RecordingFile(run)) == 8


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("options", "shown"), [([], True), (["--quiet"], False)])
def test_the_size_is_told_on_a_terminal(
    source: list[object], tmp_path: Path, options: list[str], shown: bool
) -> None:
    import analysis_cli

    terminal = Terminal()
    command = ["analyze", "record", *map(str, source), "-o", str(tmp_path / "run.zarr"), *options]
    with (
        mock.patch.object(sys, "argv", command),
        contextlib.redirect_stderr(terminal),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.suppress(SystemExit),
    ):
        analysis_cli.main()
    assert ("the recording takes about" in terminal.getvalue()) is shown
    assert ("8 samples; " in terminal.getvalue()) is shown


def test_the_size_is_not_told_in_a_pipe(source: list[object], tmp_path: Path) -> None:
    assert run_analyze("record", *source, "-o", tmp_path / "run.zarr")[2] == ""


def test_only_recordings_of_ours_are_replaced(source: list[object], tmp_path: Path) -> None:
    foreign = tmp_path / "foreign.zarr"
    xr.Dataset({"a": ("b", [1])}).to_zarr(foreign, zarr_format=3, consolidated=False)
    code, _, err = run_analyze("record", *source, "-o", foreign, "--overwrite")
    assert (code, "exists and is not a recording; name another folder" in err) == (2, True)
    assert "a" in xr.open_zarr(foreign, consolidated=False)
    run = tmp_path / "run.zarr"
    assert run_analyze("record", *source, "-o", run)[0] == 0
    assert run_analyze("record", *source, "-o", run)[0] == 2
    # A damaged one can be replaced too.
    (run / "conv1.neuron" / "zarr.json").write_text("")
    assert run_analyze("spike-features", run)[0] == 1
    assert run_analyze("record", *source, "-o", run, "--overwrite")[0] == 0
    assert len(RecordingFile(run)) == 8
