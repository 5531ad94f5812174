"""Workers of this machine: out of reach for others, and gone with the process in front."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from tests.command_line import run_analyze, save_frames, save_network, start_analyze
from tests.toy import ToyDataset

pytestmark = pytest.mark.skipif(
    not Path("/proc/net/tcp").exists(), reason="sockets and processes are found in /proc"
)
_LISTENING, _SIGINT_BIT = "0A", 1 << (signal.SIGINT - 1)


def family_of(pid: int) -> list[int]:
    """Return a process and all that it started."""
    found = [pid]
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(path.read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError):
            continue
        if parent == pid:
            found += family_of(int(path.parent.name))
    return found


def listening_ports(pids: list[int]) -> set[str]:
    """Return the TCP addresses at which processes wait for others."""
    sockets = set()
    for pid in pids:
        for path in Path(f"/proc/{pid}/fd").glob("*"):
            try:
                sockets.add(os.readlink(path))
            except OSError:
                continue
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            columns = line.split()
            if columns[3] == _LISTENING and f"socket:[{columns[9]}]" in sockets:
                found.add(columns[1])
    return found


def hears_interrupts(pid: int) -> bool:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("SigBlk:"):
            return not int(line.split()[1], 16) & _SIGINT_BIT
    raise AssertionError


def test_workers_open_no_port_do_not_hear_ctrl_c_and_end_with_a_killed_process(
    tmp_path: Path,
) -> None:
    data = save_frames(tmp_path / "toy.npz", ToyDataset(256))
    network = save_network(tmp_path / "net.pt")
    out = tmp_path / "o"
    command = ["energy", network, *data, "--batch-size", 4, "--quiet", "--out", out]
    process = start_analyze(*command, "--workers", 2)
    ports: set[str] = set()
    end = time.monotonic() + 300
    while not list(out.glob(".shards-*/*.nc")):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        ports |= listening_ports(family_of(process.pid))
        time.sleep(0.05)
    family = family_of(process.pid)
    workers = [p for p in family if b"spawn_main" in Path(f"/proc/{p}/cmdline").read_bytes()]
    assert len(workers) == 2
    assert not any(map(hears_interrupts, workers))
    assert hears_interrupts(process.pid)
    assert ports | listening_ports(family) == set()
    process.kill()
    process.communicate()
    while any(Path(f"/proc/{pid}").exists() for pid in workers):
        assert time.monotonic() < end
        time.sleep(0.05)
    assert run_analyze(*command, "--resume")[::2] == (0, "")
