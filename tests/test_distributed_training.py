"""Training in two processes for real: started by torchrun, connected by gloo."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from redundancy import torchrun
from redundancy.checkpoint import load_checkpoint
from redundancy.errors import UsageError
from redundancy.training.distributed import Processes, joined_processes
from tests.command_line import save_frames
from tests.distributed_worker import CASES, steps
from tests.toy import ToyDataset

pytestmark = pytest.mark.skipif(
    not torch.distributed.is_available(), reason="this build of torch has no processes"
)
TINY = ("--network-arg", "widths=4,6,6", "--network-arg", "hidden=12", "--device", "cpu")


def start(*arguments: object) -> subprocess.Popen[str]:
    """Start a module of ours in two processes."""
    launch = ("torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m")
    return subprocess.Popen(
        [sys.executable, "-m", *launch, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


def run(*arguments: object) -> tuple[int, str, str]:
    process = start(*arguments)
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


def errors_told(text: str) -> list[str]:
    return re.findall(r"^error: .*", text, re.MULTILINE)


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict[str, Any]]]:
    """Return what both processes saw, and the folder they wrote into."""
    folder = tmp_path_factory.mktemp("measured")
    code, _, errors = run("tests.distributed_worker", "measure", folder)
    assert code == 0, errors
    return folder, [torch.load(folder / f"process{k}.pt", weights_only=False) for k in range(2)]


def same(first: Any, second: Any) -> bool:
    return list(first) == list(second) and all(torch.equal(first[k], second[k]) for k in first)


@pytest.mark.parametrize("case", range(len(CASES)), ids=["-".join(case) for case in CASES])
def test_the_steps_are_those_of_one_process(
    measured: tuple[Path, list[dict[str, Any]]], case: int
) -> None:
    # Three steps, so that a state that were not reset, or a gradient that were not
    # averaged as the parts are large, would show.
    processes = measured[1]
    assert same(processes[0]["steps"][case], processes[1]["steps"][case])
    alone = steps(Processes(0, 1, torch.device("cpu")), *CASES[case])
    moved = 0.0
    untrained = steps_of_no_training(case)
    for key, value in alone.items():
        torch.testing.assert_close(processes[0]["steps"][case][key], value, rtol=1e-4, atol=1e-6)
        moved = max(moved, float((value - untrained[key]).abs().max()))
    assert moved > 1e-3


def steps_of_no_training(case: int) -> dict[str, Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tests.distributed_worker.BATCHES", (1,))
        patch.setattr(
            "redundancy.training.learner.Learner.step", lambda self, frames, labels, share: (0.0, 0)
        )
        return steps(Processes(0, 1, torch.device("cpu")), *CASES[case])


def without_times(record: dict[str, Any]) -> dict[str, Any]:
    epochs = [{**epoch, "seconds": 0.0} for epoch in record["epochs"]]
    return {**record, "seconds": 0.0, "epochs": epochs}


def test_both_processes_return_the_same_record_and_one_speaks(
    measured: tuple[Path, list[dict[str, Any]]],
) -> None:
    first, second = (process["record"] for process in measured[1])
    assert without_times(first) == without_times(second)
    assert first["n_processes"] == 2
    assert [process["told"] for process in measured[1]] == [[1, 2, 3], []]


def test_accuracies_are_those_of_all_samples(
    measured: tuple[Path, list[dict[str, Any]]],
) -> None:
    folder, processes = measured
    record = processes[0]["record"]
    for epoch in record["epochs"]:
        for accuracy, n_samples in ((epoch["train_accuracy"], 27), (epoch["test_accuracy"], 11)):
            assert accuracy * n_samples == pytest.approx(round(accuracy * n_samples))
    data = ToyDataset(11, seed=1)
    with torch.inference_mode():
        frames = torch.from_numpy(data.frames).transpose(0, 1)
        predicted = load_checkpoint(folder / "whole.pt").build_network()(frames).argmax(1)
    assert (predicted.numpy() == data.labels).mean() == record["final_test_accuracy"]


def test_a_resumed_training_ends_in_the_same_bits(
    measured: tuple[Path, list[dict[str, Any]]],
) -> None:
    # With dropout, shifts and flips, each process drawing its own.
    folder, processes = measured
    assert all(process["interrupted"] for process in processes)
    whole, resumed = (load_checkpoint(folder / f"{name}.pt") for name in ("whole", "resumed"))
    assert same(whole.state_dict, resumed.state_dict)
    assert without_times(processes[0]["resumed"]) == without_times(processes[0]["record"])


def test_only_one_process_writes(measured: tuple[Path, list[dict[str, Any]]]) -> None:
    names = {path.name for path in measured[0].iterdir()}
    expected = {f"{name}{end}" for name in ("whole", "resumed") for end in FILES}
    assert names == {*expected, "process0.pt", "process1.pt"}


FILES = (".pt", ".best.pt", ".training.json")


def test_the_command_needs_no_change(tmp_path: Path) -> None:
    data = save_frames(tmp_path / "toy.npz", ToyDataset(12))
    out = tmp_path / "net.pt"
    options = ("--epochs", 2, "--batch-size", 4, "-o", out)
    code, told, errors = run("analysis_cli", "train", *data, *TINY, *options)
    assert code == 0, errors
    assert told.count("test accuracy") == 1
    assert [errors.count(f"epoch {k}/2 ") for k in (1, 2)] == [1, 1]
    assert "Warning" not in errors
    record = json.loads((tmp_path / "net.training.json").read_text())
    assert record["n_processes"] == 2
    # What all processes refuse, one of them tells.
    code, _, errors = run("analysis_cli", "train", *data, *TINY, *options)
    assert code != 0
    assert errors_told(errors) == [f"error: {out} exists already; replace it with --overwrite"]
    code, _, errors = run("analysis_cli", "train", *data, *options, "--precision", "half")
    assert code != 0
    assert errors.count("'half' is not one of") == 1


def test_an_error_of_one_process_ends_all_and_is_told_once(tmp_path: Path) -> None:
    code, _, errors = run("tests.distributed_worker", "fail", tmp_path)
    assert code != 0
    assert errors_told(errors) == ["error: the disk of process 1 is broken"]
    assert not list(tmp_path.iterdir())


def test_ctrl_c_is_told_once_and_leaves_what_resuming_needs(tmp_path: Path) -> None:
    data = save_frames(tmp_path / "toy.npz", ToyDataset(12))
    last = tmp_path / "net.last.pt"
    process = start(
        "analysis_cli", "train", *data, *TINY, "--epochs", 100000, "-o", tmp_path / "net.pt"
    )
    deadline = time.monotonic() + 60
    while not last.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert errors_told(errors) == ["error: interrupted; files that were not finished are removed"]
    assert last.exists()


# In one process


@pytest.mark.parametrize("n_samples", [0, 1, 2, 5, 8])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_parts_are_disjoint_even_and_complete(n_samples: int, count: int) -> None:
    chosen = np.arange(n_samples)[::-1] * 3
    cpu = torch.device("cpu")
    parts = [Processes(rank, count, cpu).part(chosen) for rank in range(count)]
    np.testing.assert_array_equal(np.concatenate(parts), chosen)
    sizes = [len(part) for part in parts]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] - sizes[-1] <= 1


@pytest.mark.parametrize("missing", ["RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"])
def test_without_all_that_torchrun_tells_there_is_one_process(
    monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    for name, value in (
        ("RANK", "1"), ("WORLD_SIZE", "2"), ("MASTER_ADDR", "localhost"), ("MASTER_PORT", "1"),
    ):  # fmt: skip
        monkeypatch.setenv(name, value)
    assert (torchrun.n_processes(), torchrun.rank()) == (2, 1)
    assert not torchrun.is_main_process()
    monkeypatch.delenv(missing)
    assert (torchrun.n_processes(), torchrun.rank()) == (1, 0)
    assert torchrun.is_main_process()
    assert torchrun.tells_error()


def test_an_error_is_told_where_the_processes_never_met(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torchrun, "n_processes", lambda: 2)
    monkeypatch.setattr(torchrun, "_PATIENCE_SECONDS", 0.5)
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    monkeypatch.setenv("MASTER_PORT", "1")
    assert torchrun.tells_error()


def test_a_gpu_for_each_process_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torchrun, "n_processes", lambda: 2)
    monkeypatch.setattr(
        "redundancy.training.distributed.resolve_device", lambda name: torch.device(name)
    )
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setenv("LOCAL_RANK", "1")
    with (
        pytest.raises(UsageError, match="1 CUDA devices here, too few for a process with local"),
        joined_processes("cuda"),
    ):
        pass
    with (
        pytest.raises(UsageError, match="cuda:0 cannot be shared by 2 processes"),
        joined_processes("cuda:0"),
    ):
        pass
