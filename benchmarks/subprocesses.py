"""Parts of a benchmark that need a process of their own."""

from __future__ import annotations

import os
import subprocess
import sys


def threads() -> dict[str, str]:
    """Return the environment in which everything is measured: a thread for each core."""
    count = str(
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    )
    names = ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    return {name: os.environ.get(name, count) for name in names}


def run_part(module: str, *arguments: str) -> str:
    """Run a module in a fresh process and return the last line it printed."""
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, **threads()},
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise RuntimeError(f"{module} {' '.join(arguments)}: {last}")
    return done.stdout.strip().splitlines()[-1]
