"""A cache of kernels that cannot be written or read costs time, never a failure."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

KERNELS = """
from redundancy.compiling import compiled


@compiled("int64(int64)")
def triangle(n):
    total = 0
    for i in range(n + 1):
        total += i
    return total


print(triangle(100), sum(triangle.stats.cache_hits.values()))
"""


def run(module: Path, cache: Path) -> tuple[int, int]:
    """Use the kernel in a fresh process; return its result and how often the cache had it."""
    done = subprocess.run(
        [sys.executable, str(module)],
        capture_output=True,
        text=True,
        env={**os.environ, "NUMBA_CACHE_DIR": str(cache)},
    )
    assert done.returncode == 0, done.stderr
    result, hits = done.stdout.split()
    return int(result), int(hits)


@pytest.fixture(scope="module")
def module(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("kernels") / "kernels.py"
    path.write_text(KERNELS, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def whole_cache(module: Path) -> Path:
    folder = module.with_name("cache")
    assert run(module, folder) == (5050, 0)
    return folder


@pytest.fixture
def cache(tmp_path: Path, whole_cache: Path) -> Path:
    """Return a cache that holds the kernel."""
    return Path(shutil.copytree(whole_cache, tmp_path / "cache"))


def test_a_kernel_is_compiled_once(module: Path, cache: Path) -> None:
    assert run(module, cache) == (5050, 1)


def files(cache: Path, suffix: str) -> list[Path]:
    found = list(cache.rglob(f"*{suffix}"))
    assert found
    return found


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def scribble(path: Path) -> None:
    path.write_bytes(b"\x80\x05no cache at all")


def flip(path: Path) -> None:
    """Change a few bytes of machine code, which no reader of the file would notice."""
    content = bytearray(path.read_bytes())
    start = content.find(b"\x7fELF")
    assert start > 0
    content[start : start + 16] = bytes(16)
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("suffix", "damage"),
    [(".nbi", cut), (".nbi", scribble), (".nbc", cut), (".nbc", empty), (".nbc", flip)],
    ids=["index-cut", "index-scribbled", "code-cut", "code-empty", "code-flipped"],
)
def test_a_damaged_cache_is_compiled_and_written_anew(
    module: Path, cache: Path, suffix: str, damage: Callable[[Path], None]
) -> None:
    for path in files(cache, suffix):
        damage(path)
    assert run(module, cache) == (5050, 0)
    assert run(module, cache) == (5050, 1)


def test_a_change_of_a_function_that_is_compiled_in_is_noticed(tmp_path: Path) -> None:
    shared = tmp_path / "shared.py"
    shared.write_text("import numba\n\nstep = numba.njit(lambda n: n + 1)\n", encoding="utf-8")
    kernel = tmp_path / "kernels.py"
    kernel.write_text(
        "from redundancy.compiling import compiled\n"
        "from shared import step\n\n"
        "twice = compiled('int64(int64)')(lambda n: 2 * step(n))\n"
        "print(twice(1), sum(twice.stats.cache_hits.values()))\n",
        encoding="utf-8",
    )
    assert run(kernel, tmp_path / "cache") == (4, 0)
    assert run(kernel, tmp_path / "cache") == (4, 1)
    shared.write_text("import numba\n\nstep = numba.njit(lambda n: n + 2)\n", encoding="utf-8")
    assert run(kernel, tmp_path / "cache") == (6, 0)


def test_a_cache_that_is_a_file_is_done_without(module: Path, tmp_path: Path) -> None:
    blocked = tmp_path / "blocked"
    blocked.write_text("in the way", encoding="utf-8")
    blocked.chmod(0o400)
    assert run(module, blocked) == (5050, 0)
    assert blocked.read_text(encoding="utf-8") == "in the way"


def test_a_cache_whose_files_cannot_be_written_is_done_without(module: Path, cache: Path) -> None:
    # Folders in the place of its files: not even root can write or read them.
    for path in [*files(cache, ".nbi"), *files(cache, ".nbc")]:
        path.unlink()
        path.mkdir()
    assert run(module, cache)[0] == 5050


def test_no_process_compiles_again_what_another_has_compiled():
    """A kernel that is a closure over others has another key in the cache in every process."""
    script = (
        "from redundancy.synapses import kernels; "
        "from redundancy.stats import bit_kernels, pool_kernels; "
        "from redundancy.stats.sweep_kernels import neuron_kernel, sweep_kernel; "
        "found = [*kernels._COUNTS.values(), neuron_kernel(), sweep_kernel('float32')]; "
        "print(sum(sum(kernel.stats.cache_misses.values()) for kernel in found))"
    )
    misses = [
        subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
        for _ in range(2)
    ]
    assert misses[1].stdout.split()[-1] == "0", misses[1].stdout
