"""Interrupted analyses go on, end in the same bits, and are never mixed."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
import xarray as xr

from redundancy.analysis import analyze
from redundancy.errors import StorageError, UsageError
from redundancy.files import full_disk_as_sentence
from redundancy.locks import locked
from redundancy.networks import build_network
from redundancy.observation import AnalysisOptions
from redundancy.sharding.kept_states import KeptStates
from tests.command_line import run_analyze, save_frames, save_network, start_analyze
from tests.toy import ToyDataset, tiny_network_arguments


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(3)
    return build_network("lif-snn-3", **tiny_network_arguments())


@pytest.fixture(scope="module")
def dataset():
    return ToyDataset(50)


@pytest.fixture(scope="module")
def whole(network, dataset):
    return analyze(network, dataset, batch_size=3)


class Interrupting(ToyDataset):
    """A dataset that is interrupted before a batch, and counts what it gave."""

    def __init__(self, n_samples: int, at: int | None) -> None:
        super().__init__(n_samples)
        self.at, self.given = at, []

    def batch(self, start, stop):
        if start == self.at:
            raise KeyboardInterrupt
        self.given.append(start)
        return super().batch(start, stop)


@pytest.mark.parametrize("at", [6, 9, 30])
def test_a_resumed_analysis_does_what_is_missing_and_ends_in_the_same_bits(
    network, whole, tmp_path, at
):
    first = Interrupting(50, at)
    with pytest.raises(KeyboardInterrupt):
        analyze(network, first, batch_size=3, kept=KeptStates(tmp_path))
    kept = KeptStates(tmp_path, resume=at > 6)
    rest = Interrupting(50, None)
    results = analyze(network, rest, batch_size=3, kept=kept)
    xr.testing.assert_identical(results.tree, whole.tree)
    # Shards end at multiples of 12 samples; the first three batches are the pilot's.
    done = 9 if at < 12 else at // 12 * 12
    if at > 6:
        assert rest.given == list(range(done, 50, 3))
    kept.remove()
    assert list(tmp_path.iterdir()) == []


def interrupt(network, folder, **options):
    with pytest.raises(KeyboardInterrupt):
        analyze(network, Interrupting(50, 39), batch_size=3, kept=KeptStates(folder), **options)


def test_runs_are_never_mixed(network, dataset, tmp_path):
    interrupt(network, tmp_path)

    def again(batch_size=3, options=None, **kept):
        return analyze(
            network,
            dataset,
            batch_size=batch_size,
            options=options,
            kept=KeptStates(tmp_path, **kept),
        )

    with pytest.raises(UsageError, match="go on from it with --resume, or start again with --over"):
        again()
    with pytest.raises(UsageError, match=r"is another one \(seed 0 and now 1\)"):
        again(options=AnalysisOptions(seed=1), resume=True)
    with pytest.raises(UsageError, match="batch size 3 and now 4"):
        again(batch_size=4, resume=True)
    # Another run may share the folder; what is kept of the first stays.
    again(options=AnalysisOptions(seed=1))
    assert len(list(tmp_path.glob(".shards-*/merged.nc"))) >= 1
    assert again(overwrite=True).summary()["n_samples"] == 50


def test_resuming_where_nothing_was_kept_starts_anew(network, dataset, whole, tmp_path):
    results = analyze(network, dataset, batch_size=3, kept=KeptStates(tmp_path, resume=True))
    xr.testing.assert_identical(results.tree, whole.tree)


def test_a_folder_is_written_by_one_at_a_time(tmp_path):
    folder = tmp_path / "a" / "b"
    with locked(folder):
        with pytest.raises(UsageError, match="another analyze is writing to"):
            with locked(folder):
                pass
        (folder / "kept").touch()
    assert [path.name for path in folder.iterdir()] == ["kept"]
    with locked(tmp_path / "c" / "d"):
        pass
    assert not (tmp_path / "c").exists()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("resume")
    save_frames(folder / "toy.npz", ToyDataset(96))
    save_network(folder / "net.pt")
    assert run_analyze(*command(folder), "--out", folder / "whole")[0] == 0
    return folder


def command(folder: Path) -> list[str]:
    data = f"frames:{folder / 'toy.npz'}"
    return ["energy", str(folder / "net.pt"), "--data", data, "--batch-size", "4", "--quiet"]


def wait_for_kept(out: Path, process: subprocess.Popen[str]) -> None:
    end = time.monotonic() + 300
    while not list(out.glob(".shards-*/merged.nc")):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.parametrize("name", ["SIGKILL", "SIGINT"])
def test_a_killed_run_goes_on(folder, tmp_path, name):
    out = tmp_path / "o"
    process = start_analyze(*command(folder), "--out", out)
    wait_for_kept(out, process)
    process.send_signal(getattr(signal, name))
    _, err = process.communicate(timeout=30)
    assert ("go on from them with --resume" in err) == (name == "SIGINT")
    code, _, err = run_analyze(*command(folder), "--out", out)
    assert code == 2
    assert "go on from it with --resume" in err
    code, _, err = run_analyze(*command(folder), "--out", out, "--resume")
    assert (code, err) == (0, "")
    expected = (folder / "whole" / "results.nc").read_bytes()
    assert (out / "results.nc").read_bytes() == expected
    assert {path.name for path in out.iterdir()} == {"results.nc", "energy.csv", "energy.png"}


def test_a_full_disk_is_a_sentence(folder, tmp_path):
    """Files that may not grow stand for it: the system refuses both in the same way."""
    code = (
        "import resource, sys, analysis_cli; "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)); "
        "analysis_cli.main()"
    )
    out = tmp_path / "o"
    done = subprocess.run(
        [sys.executable, "-c", code, *command(folder), "--samples", "40", "--out", out],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert f"error: {out} takes no more data (File too large)" in done.stderr
    assert not list(out.rglob("*.partial-*"))
    code, _, err = run_analyze(*command(folder), "--samples", "40", "--out", out, "--resume")
    assert (code, err) == (0, "")


def test_other_errors_are_not_called_a_full_disk(tmp_path):
    with pytest.raises(PermissionError), full_disk_as_sentence(tmp_path, "wait"):
        raise PermissionError(13, "no")
    with pytest.raises(StorageError, match="takes no more data"):
        with full_disk_as_sentence(tmp_path, "wait"):
            raise RuntimeError("Can't write (file write failed: errno = 28, buf = 0x1)")


_MEMORY = """
import resource, sys
import numpy as np
import torch
from redundancy.analysis import analyze
from redundancy.datasets.base import Batch
from redundancy.networks import build_network
from redundancy.observation import AnalysisOptions
from tests.toy import tiny_network_arguments

class Generated:
    name, location, split, n_classes, frame_shape = "generated", None, "test", 3, (2, 2, 8, 8)
    arguments = {}
    def __init__(self, n): self.n = n
    def __len__(self): return self.n
    def batch(self, start, stop):
        frames = np.random.default_rng(start).poisson(1.0, (stop - start, *self.frame_shape))
        return Batch(start, frames.astype(np.float32), np.arange(start, stop) % 3)

torch.manual_seed(3)
network = build_network("lif-snn-3", **tiny_network_arguments(n_timesteps=2))
results = analyze(
    network, Generated(int(sys.argv[1])), batch_size=100, options=AnalysisOptions(n_replicates=10)
)
assert results.summary()["n_samples"] == int(sys.argv[1])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_memory_does_not_grow_with_the_number_of_samples():
    peaks = [
        int(
            subprocess.run(
                [sys.executable, "-c", _MEMORY, str(n_samples)],
                capture_output=True,
                text=True,
                check=True,
                cwd=Path(__file__).resolve().parents[2],
            ).stdout
        )
        for n_samples in (1_000, 4_000)
    ]
    assert peaks[1] < 1.1 * peaks[0]
