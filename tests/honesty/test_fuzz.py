"""Damaged files of every kind give the same numbers or a sentence; hostile ones run no code."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.fuzz.foreign import hostile_content
from benchmarks.fuzz.kinds import KINDS
from benchmarks.fuzz.running import Bench

ROOT = Path(__file__).resolve().parents[2]


def test_a_short_run_finds_no_fault() -> None:
    # In a process of its own: HDF5 is a library in C, and the address space is limited.
    command = [sys.executable, "-m", "benchmarks.fuzz", "--inputs", "46", "--seed", "1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    total = done.stdout.strip().splitlines()[-1].strip("| ").split(" | ")
    assert total[:2] == ["all", "46"]
    assert sum(map(int, total[2:5])) == 46
    assert total[5:] == ["0"] * 4
    assert int(total[2]) > 20


def test_an_input_is_made_of_its_number_alone(tmp_path: Path) -> None:
    bench = Bench(tmp_path, ["frames .npz", "gait .npy", "CIFAR pickle"])
    forward = [bench.attempt(5, number) for number in range(12)]
    backward = [bench.attempt(5, number) for number in reversed(range(12))]
    assert forward == backward[::-1]
    assert len({outcome.how for outcome in forward}) > 6


def test_what_is_wrong_is_counted_as_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(tmp_path, ["frames .npz"])
    bench.digests["frames .npz"] = "other numbers"
    monkeypatch.setattr(Bench, "_damage", lambda *_: ("nothing", False))
    assert bench.attempt(0, 0).outcome == "WRONG"
    monkeypatch.setattr(Bench, "_damage", lambda *_: ("nothing", True))
    assert bench.attempt(0, 0).outcome == "undetectable"
    bench.marker.touch()
    assert bench.attempt(0, 0).said == "the file ran code"


def test_ours_are_never_beyond_a_reader() -> None:
    ours = ("checkpoint, ours", "checkpoint, ours, version 1", "results", "recording")
    for name in (*ours, "kept states"):
        assert not KINDS[name].free_bytes
        assert not KINDS[name].free_values


def test_hostile_files_would_run_code(tmp_path: Path) -> None:
    import pickle
    from random import Random

    marker = tmp_path / "ran"
    content = hostile_content("test_batch", b"", marker, Random(0))
    pickle.loads(content)
    assert marker.exists()
