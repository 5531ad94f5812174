"""Settings of the process: made where they can be, and never against the user's own."""

import os
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
