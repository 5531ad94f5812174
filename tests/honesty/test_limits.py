"""What a file may claim of memory, and what is no file at all."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from redundancy.errors import LimitError, UsageError
from redundancy.limits import VARIABLE, check_claim, check_regular_file, memory_limit

GIB = 1 << 30


def test_the_default_is_half_of_the_memory_and_16_gib_at_most(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert memory_limit() == min(machine // 2, 16 * GIB)


def test_a_claim_above_the_limit_is_refused_and_a_variable_raises_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(VARIABLE, "2.5")
    check_claim(int(2.5 * GIB), "x.nc")
    with pytest.raises(LimitError) as error:
        check_claim(3 * GIB, "x.nc (histogram)")
    assert str(error.value) == (
        "x.nc (histogram) claims 3 GiB of memory, more than the 2.5 GiB that one file may take; "
        "if that is right, set REDUNDANCY_MAX_FILE_MEMORY to more GiB, else the file is damaged"
    )
    monkeypatch.setenv(VARIABLE, "3")
    check_claim(3 * GIB, "x.nc (histogram)")


@pytest.mark.parametrize("text", ["much", "-1", "0", "nan", "inf", "1e-30"])
def test_a_limit_that_is_no_number_is_refused(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv(VARIABLE, text)
    with pytest.raises(UsageError, match=f"a number of GiB above 0, got '{text}'"):
        check_claim(1, "x.nc")


def test_what_is_no_file_is_named_for_what_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "link").symlink_to("file")
    for good in ("file", "link", "nothing"):
        check_regular_file(tmp_path / good)
    (tmp_path / "zeros").symlink_to("/dev/zero")
    os.mkfifo(tmp_path / "pipe")
    # A path of a socket may be 107 characters long only.
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
    bad = {"zeros": "a device", "pipe": "a pipe", "socket": "a socket", ".": "a folder"}
    for name, kind in bad.items():
        with pytest.raises(UsageError, match=f"is {kind}, expected a file"):
            check_regular_file(tmp_path / name)
