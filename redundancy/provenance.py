"""Which code made a result."""

from __future__ import annotations

import platform
from importlib import metadata

_LIBRARIES = ("redundancy", "torch", "spikingjelly", "numpy", "scipy", "xarray")


def versions() -> dict[str, str]:
    """Return the versions of Python, the package and the libraries that compute."""
    found = {"python": platform.python_version()}
    for library in _LIBRARIES:
        try:
            found[library] = metadata.version(library)
        except metadata.PackageNotFoundError:
            found[library] = "not installed"
    return found
