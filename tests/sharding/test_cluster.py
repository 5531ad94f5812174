"""Workers give the results of a single process, to the bit, whatever happens to them."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from redundancy.errors import ClusterError, DataError
from redundancy.observation import AnalysisOptions
from redundancy.sharding import clients, jobs, local
from redundancy.sharding.local import LocalRunner, worker_environment
from redundancy.sharding.plan import Plan
from tests.command_line import run_analyze, save_frames, save_network, start_analyze
from tests.toy import ToyDataset

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="processes are killed by signals")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with data, a network and the results of a single process."""
    folder = tmp_path_factory.mktemp("cluster")
    data = save_frames(folder / "toy.npz", ToyDataset(112))
    save_network(folder / "net.pt")
    assert run_analyze(*command(folder), "--out", folder / "single")[0] == 0
    assert data == command(folder)[2:4]
    return folder


def command(folder: Path) -> list[str]:
    data = f"frames:{folder / 'toy.npz'}"
    return ["energy", str(folder / "net.pt"), "--data", data, "--batch-size", "4", "--quiet"]


def same_as_single(folder: Path, out: Path) -> bool:
    return (out / "results.nc").read_bytes() == (folder / "single" / "results.nc").read_bytes()


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_three_workers_change_nothing(folder, tmp_path):
    code, _, err = run_analyze(*command(folder), "--out", tmp_path / "o", "--workers", 3)
    assert (code, err) == (0, "")
    assert same_as_single(folder, tmp_path / "o")
    assert names_in(tmp_path / "o") == {"results.nc", "energy.csv", "energy.png"}


def children_of(pid: int) -> list[int]:
    """Return the processes that a process started, with spawn."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(path.read_text().rpartition(")")[2].split()[1])
            line = (path.parent / "cmdline").read_bytes()
        except (OSError, ValueError):
            continue
        if parent == pid and b"spawn_main" in line:
            found.append(int(path.parent.name))
    return found


def wait_for(condition, seconds: float = 300.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.02)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are found in /proc")
def test_a_killed_worker_changes_nothing(folder, tmp_path):
    out = tmp_path / "o"
    process = start_analyze(*command(folder), "--out", out, "--workers", 2)
    wait_for(lambda: process.poll() is not None or list(out.glob(".shards-*/*.nc")))
    workers = children_of(process.pid)
    assert len(workers) == 2
    os.kill(workers[0], signal.SIGKILL)
    _, err = process.communicate(timeout=300)
    assert (process.returncode, err) == (0, "")
    assert same_as_single(folder, out)


def test_ctrl_c_ends_the_workers_and_another_number_of_them_goes_on(folder, tmp_path):
    out = tmp_path / "o"
    process = start_analyze(*command(folder), "--out", out, "--workers", 2)
    wait_for(lambda: process.poll() is not None or list(out.glob(".shards-*/*.nc")))
    workers = children_of(process.pid)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=300)
    assert process.returncode == 130
    assert "samples are kept in" in err
    assert "Traceback" not in err
    wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers), 60)
    code, _, err = run_analyze(*command(folder), "--out", out, "--resume")
    assert (code, err) == (0, "")
    assert same_as_single(folder, out)


@pytest.fixture
def processes():
    """Give a list of processes that are ended afterwards."""
    started: list[subprocess.Popen[bytes]] = []
    yield started
    for process in started:
        process.terminate()
        process.wait(10)


def start_cluster(folder: Path, processes: list[subprocess.Popen[bytes]], *options: object) -> str:
    """Start a scheduler and a worker as others would; return the address."""
    address = folder / "address"
    environment = {**os.environ, "DASK_LOGGING__DISTRIBUTED": "critical"}
    for arguments in (
        ["distributed.cli.dask_scheduler", "--port", "0", "--host", "127.0.0.1"],
        ["distributed.cli.dask_worker", "--nthreads", "2"],
    ):
        shared = ["--no-dashboard", "--scheduler-file", address, *map(str, options)]
        processes.append(
            subprocess.Popen(
                [sys.executable, "-m", *arguments, *shared],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd=Path(__file__).resolve().parents[2],
                env=environment,
            )
        )
        wait_for(address.exists)
    return str(json.loads(address.read_text())["address"])


def test_one_worker_of_a_cluster_that_others_started(folder, tmp_path, processes):
    scheduler = start_cluster(tmp_path, processes)
    out = tmp_path / "o"
    code, _, err = run_analyze(*command(folder), "--out", out, "--scheduler", scheduler)
    assert (code, err) == (0, "")
    assert same_as_single(folder, out)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="nothing here makes certificates")
def test_a_cluster_over_tls_takes_those_with_credentials_only(
    folder, tmp_path, processes, monkeypatch
):
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(
        [
            *[
                "openssl",
                "req",
                "-x509",
                "-newkey",
                "rsa:2048",
                "-nodes",
                "-days",
                "2",
                "-subj",
                "/CN=test",
            ],
            "-out",
            cert,
            "-keyout",
            key,
        ],
        check=True,
        capture_output=True,
    )
    tls = ["--tls-ca-file", cert, "--tls-cert", cert, "--tls-key", key]
    scheduler = start_cluster(tmp_path, processes, *tls, "--protocol", "tls")
    assert scheduler.startswith("tls://")
    out = tmp_path / "o"
    code, _, err = run_analyze(*command(folder), "--out", out, "--scheduler", scheduler, *tls)
    assert (code, err) == (0, "")
    assert same_as_single(folder, out)
    monkeypatch.setattr(clients, "_CONNECT_SECONDS", 2)
    for address in (scheduler, scheduler.replace("tls:", "tcp:")):
        code, _, err = run_analyze(
            *command(folder), "--out", tmp_path / "p", "--scheduler", address
        )
        assert code == 2
        assert f"there is no dask scheduler at {address} that this process can talk to" in err
    swapped = ["--tls-ca-file", cert, "--tls-cert", key, "--tls-key", cert]
    code, _, err = run_analyze(
        *command(folder), "--out", tmp_path / "p", "--scheduler", scheduler, *swapped
    )
    assert code == 2
    assert "are not a certificate of an authority" in err


def test_misuse_is_told(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(clients, "_CONNECT_SECONDS", 0.5)
    for options, expected in (
        (["--scheduler", "tcp://127.0.0.1:1"], "there is no dask scheduler at tcp://127.0.0.1:1"),
        (["--scheduler", "here:or:there"], "there is no dask scheduler at here:or:there"),
        (["--scheduler", ""], "there is no dask scheduler at an empty address"),
        (["--scheduler", "a:1", "--workers", "2"], "give one of the two"),
        (["--workers", "0"], "0 is not in the range x>=1"),
        (["--workers", "1000000"], "ask for at most"),
        (["--workers", "2", "--tls-key", "a"], "TLS needs all of --tls-ca-file"),
    ):
        code, said, err = run_analyze(*command(folder), "--out", tmp_path / "o", *options)
        assert (code, said) == (2, "")
        assert expected in err
        assert list(tmp_path.iterdir()) == []
    code, _, err = run_analyze("energy", folder / "single" / "results.nc", "--workers", "2")
    assert code == 2
    assert "leave out --workers" in err


def open_nothing():
    raise DataError("the disk with the data is not there")


def end():
    os._exit(9)


def old_versions():
    raise AssertionError


def open_other_data():
    import torch

    return torch.nn.Identity(), ToyDataset(9)


def test_errors_of_workers_come_back_as_they_are(monkeypatch):
    dataset = ToyDataset(8)
    plan = Plan.of(dataset, 4)
    for opening, error, expected in (
        (open_nothing, DataError, "^the disk with the data is not there$"),
        (open_other_data, DataError, "finds other data"),
        (end, ClusterError, "the same samples ended 4 workers"),
        (old_versions, ClusterError, r"has torch .* and not 0.1"),
    ):
        if opening is old_versions:
            monkeypatch.setattr(jobs, "versions", lambda: {"torch": "0.1"})
        with contextlib.closing(
            LocalRunner(1, opening, dataset, plan, AnalysisOptions())
        ) as runner:
            with pytest.raises(error, match=expected):
                runner.pilot()


def test_workers_share_cores_and_take_a_gpu_each(monkeypatch):
    monkeypatch.setattr(local, "_n_cores", lambda: 8)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert "CUDA_VISIBLE_DEVICES" not in worker_environment(0, 3)
    assert worker_environment(0, 3)["OMP_NUM_THREADS"] == "2"
    assert worker_environment(0, 30)["NUMBA_NUM_THREADS"] == "1"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2, 5")
    given = [worker_environment(index, 3)["CUDA_VISIBLE_DEVICES"] for index in range(3)]
    assert given == ["2", "5", "2"]
