"""The machine a measurement was made on, in words that name no host."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path

from benchmarks.subprocesses import threads

_LIBRARIES = ("torch", "spikingjelly", "numba", "numpy", "xarray", "dask", "matplotlib")


def describe_machine() -> str:
    """Return processor, cores, memory, versions and threads as lines of Markdown."""
    versions = ", ".join(f"{name} {version(name)}" for name in _LIBRARIES)
    return "\n".join(
        [
            f"- processor: {_field('/proc/cpuinfo', 'model name') or platform.machine()}, "
            f"{os.cpu_count()} cores, {_memory()} of memory",
            f"- {platform.system()}, Python {platform.python_version()}, {versions}",
            "- threads: " + ", ".join(f"{name}={value}" for name, value in threads().items()),
            *_gpu(),
        ]
    )


def _field(file: str, name: str) -> str:
    path = Path(file)
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "")


def _memory() -> str:
    kilobytes = _field("/proc/meminfo", "MemTotal").split()
    return f"{int(kilobytes[0]) / 2**20:.0f} GB" if kilobytes else "an unknown amount"


def _gpu() -> list[str]:
    import torch

    return [f"- GPU: {torch.cuda.get_device_name()}"] if torch.cuda.is_available() else []
