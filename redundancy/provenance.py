"""Which code made a result."""

from __future__ import annotations

import contextlib
import platform
from importlib import metadata

from redundancy.version import __version__

_LIBRARIES = ("torch", "spikingjelly", "numpy", "scipy", "xarray")


def versions() -> dict[str, str]:
    """Return the versions of Python, the package and the libraries that compute."""
    found = {"redundancy": __version__, "python": platform.python_version()}
    for library in _LIBRARIES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[library] = metadata.version(library)
    return found
