"""Settings of the process: made where they can be, and never against the user's own."""

import os
import subprocess
import sys

import pytest

from redundancy import process


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's allocator is Linux's")
def test_the_allocator_takes_the_settings():
    assert process.keep_heap()


def test_elsewhere_nothing_changes(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not process.keep_heap()


def test_an_allocator_that_cannot_be_told_is_left_alone(monkeypatch):
    def refuse(name):
        raise OSError(name)

    monkeypatch.setattr(process.ctypes, "CDLL", refuse)
    monkeypatch.setattr(sys, "platform", "linux")
    assert not process.keep_heap()


GAPS = """
import numpy as np
from pathlib import Path
from redundancy.process import keep_heap, settle_heap

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1])

assert keep_heap()
assert not settle_heap()
before = resident()
kept = []
for _ in range(40):
    gap = np.ones(500_000)
    kept.append(np.ones(1000))
    del gap
    kept.append(np.ones(600_000))
del kept[1::2]
grown = resident()
assert grown > 1.5 * before
assert {calls}
print(resident() < 0.5 * grown)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's allocator is Linux's")
@pytest.mark.parametrize(
    ("calls", "given_back"),
    # Without the call the memory stays, or the other case would tell nothing.
    [("settle_heap() and not settle_heap()", "True"), ("True", "False")],
)
def test_gaps_between_what_stays_are_given_back(calls, given_back):
    """Once: afterwards the process is as large as it has to be."""
    code = GAPS.format(calls=calls)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.stderr) == (given_back, "")


def test_a_heap_that_is_not_kept_is_left_alone(monkeypatch):
    monkeypatch.setattr(process, "_kept", process._KeptHeap())
    assert not process.settle_heap()


def test_cores_are_those_that_the_process_may_use(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0, 3, 5}, raising=False)
    assert process.available_cores() == 3
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert process.available_cores() == 1


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, "1000"),
        ({"GOMP_SPINCOUNT": "7"}, "7"),
        ({"OMP_WAIT_POLICY": "active"}, None),
    ],
)
def test_waiting_threads_sleep_unless_the_user_said_otherwise(monkeypatch, given, expected):
    for name in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY"):
        monkeypatch.setenv(name, "")  # so that it is restored whatever happens
        monkeypatch.delenv(name)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    process.share_cores()
    assert os.environ.get("GOMP_SPINCOUNT") == expected
