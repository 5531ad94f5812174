"""Event cameras by the names that headers of recordings give them."""

from __future__ import annotations

import re

# What stands for a camera: a family, and the columns or rows in its name.
_NAMED = re.compile(r"(c?davis|dvs|dvxplorer|sbret|atis|prophesee)[ _-]?(\d{2,3})(?!\d)", re.I)
# The DAVIS240 was called so before it had that name.
_CHIPS = {"sbret10": "davis240", "sbret20": "davis240", "cdavis346": "davis346"}
_FAMILIES = re.compile(r"dvxplorer|cochlea|dynap|samsung|prophesee|atis|evk\d", re.I)


def cameras_in(header: str) -> set[str]:
    """Return the cameras that a text names, such as ``{"davis240"}``.

    Parameters
    ----------
    header : str
        Of a recording; also lines that name no camera.
    """
    found = {f"{family}{number}".lower() for family, number in _NAMED.findall(header)}
    if not found:
        found = {name.lower() for name in _FAMILIES.findall(header)}
    return {_CHIPS.get(name, name) for name in found}
