"""How large a recording will be, and disks that are too small for it."""

from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import pytest

from redundancy.errors import StorageError, UsageError
from redundancy.recordings import write_recording
from redundancy.recordings.space import Space, readable
from tests.recordings.cases import PROVENANCE, random_batches, size_of

SHAPE = (4, 10, 8, 16, 16)
Usage = namedtuple("Usage", "total used free")


def disk_of(monkeypatch: pytest.MonkeyPatch, free: int) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda path: Usage(10 * free, 9 * free, free))


def test_the_estimate_is_close(tmp_path: Path) -> None:
    seen: list[Space] = []
    write_recording(
        tmp_path / "run.zarr",
        random_batches(10, SHAPE),
        PROVENANCE,
        total=40,
        on_estimate=seen.append,
    )
    (space,) = seen
    assert space.n_bytes == pytest.approx(size_of(tmp_path / "run.zarr"), rel=0.05)
    assert space.n_samples == 40
    assert space.folder == tmp_path
    assert "free in" in str(space)


def test_what_does_not_fit_is_refused_after_the_first_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk_of(monkeypatch, 1_000_000)
    batches = random_batches(10, SHAPE)
    with pytest.raises(
        UsageError, match=r"does not fit: about [\d.]+ MB for 40 .* --no-space-check"
    ):
        write_recording(tmp_path / "run.zarr", batches, PROVENANCE, total=40)
    assert len(list(batches)) == 9
    assert list(tmp_path.iterdir()) == []


def test_the_check_can_be_left_out_and_needs_the_number_of_samples(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk_of(monkeypatch, 1000)
    for name, options in {"a": {"total": 8, "check_space": False}, "b": {}}.items():
        write_recording(tmp_path / name, random_batches(2, SHAPE), PROVENANCE, **options)  # type: ignore[arg-type]


FULL = """
import sys
from redundancy.terminal import errors_as_sentences
from redundancy.recordings import write_recording
from tests.recordings.cases import PROVENANCE, random_batches
with errors_as_sentences():
    write_recording(sys.argv[1], random_batches(4, (4, 10, 8, 16, 16)), PROVENANCE)
"""


def test_a_file_that_may_not_grow(tmp_path: Path) -> None:
    """A limit that the operating system really sets."""

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    done = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path / "run.zarr")],
        preexec_fn=limit,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert "takes no more data (File too large); nothing of the recording is kept" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("at", [0, 3, 12])
def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int) -> None:
    from redundancy.recordings.shards import ShardWriter

    write, calls = ShardWriter._write, []

    def full(self, path, content):  # type: ignore[no-untyped-def]
        calls.append(path)
        if len(calls) > at:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        write(self, path, content)

    monkeypatch.setattr(ShardWriter, "_write", full)
    with pytest.raises(StorageError, match=r"run.zarr takes no more data \(No space left on dev"):
        write_recording(tmp_path / "run.zarr", random_batches(3, SHAPE), PROVENANCE)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("n_bytes", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1 kB"), (123_456_789, "123 MB"), (7 * 10**13, "70 TB")],
)
def test_sizes_as_people_say_them(n_bytes: int, text: str) -> None:
    assert readable(n_bytes) == text
