"""Parts of a benchmark that need a process of their own."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

from redundancy.process import available_cores


def threads() -> dict[str, str]:
    """Return the environment in which everything is measured: a thread for each core."""
    count = str(available_cores())
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


def peak_memory() -> float:
    """Return the peak memory of this process in MB."""
    status = Path("/proc/self/status")
    if status.exists():
        # Unlike ru_maxrss this starts anew with the program, whoever started it.
        lines = status.read_text(encoding="utf-8").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024
    unit = 2**20 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
