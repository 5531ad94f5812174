"""Writing figures to files: whole or not at all, and the same bytes every time."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from redundancy.errors import UsageError
from redundancy.files import atomic_path
from redundancy.plots.style import paper_style

# Images inside vector files are resampled; more dots keep the cells' edges straight.
_DPI = {"png": 200, "pdf": 400, "svg": 400}
# Files without time stamps or versions are equal whenever their content is.
_METADATA: dict[str, dict[str, Any]] = {
    "png": {"Software": None},
    "pdf": {"Creator": None, "Producer": None, "CreationDate": None},
    "svg": {"Date": None, "Creator": None},
}
FORMATS = tuple(_DPI)


def parse_formats(text: str) -> list[str]:
    """Return the formats of a text such as "png,pdf".

    Raises
    ------
    UsageError
        If a format is unknown or none is given.
    """
    return _checked([name.strip().lower() for name in text.split(",") if name.strip()])


def save_figure(
    figure: Figure, path_without_suffix: str | os.PathLike[str], formats: Iterable[str] = ("png",)
) -> list[Path]:
    """Save a figure in one or more formats.

    Each file is written under a temporary name in the same folder and then
    renamed, so that a half-written figure never appears.

    Parameters
    ----------
    figure : Figure
    path_without_suffix : path
        Where to, without the suffix; dots in the name are kept. Missing folders
        are created.
    formats : iterable of str
        Any of "png" (200 dots per inch), "pdf" and "svg".

    Returns
    -------
    list of Path
        The files written, in the order of `formats`.

    Raises
    ------
    UsageError
        If a format is unknown or none is given.
    """
    names = _checked([formats] if isinstance(formats, str) else list(formats))
    stem = Path(path_without_suffix)
    return [_save(figure, stem.parent / f"{stem.name}.{name}", name) for name in names]


def _checked(names: list[str]) -> list[str]:
    for name in names:
        if name not in FORMATS:
            raise UsageError(f"figures can be saved as {', '.join(FORMATS)}, not as {name!r}")
    if not names:
        raise UsageError(f"name at least one format to save a figure in: {', '.join(FORMATS)}")
    return list(dict.fromkeys(names))


def _save(figure: Figure, path: Path, file_format: str) -> Path:
    with atomic_path(path) as temporary, paper_style():
        figure.savefig(
            temporary,
            format=file_format,
            dpi=_DPI[file_format],
            metadata=_METADATA[file_format],
        )
    return path
