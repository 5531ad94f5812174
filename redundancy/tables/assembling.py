"""One table of the paper's: rows, changes against the vanilla network, published values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from redundancy import schema
from redundancy.errors import UsageError
from redundancy.tables.formats import CAPTION, NOTES
from redundancy.tables.grouping import VANILLA, Group, Measure, grouped
from redundancy.tables.published import SOURCE, published_values

if TYPE_CHECKING:
    import pandas as pd

    from redundancy.results import Results

Values = Mapping[str, float]
Changes = Callable[[Values, Values], dict[str, float]]
UNKNOWN = float("nan")


def assemble(
    networks: Mapping[str, Results],
    *,
    number: int,
    measure: Measure,
    changes: Changes,
    published: Sequence[str],
    caption: str,
    notes: Sequence[str] = (),
) -> pd.DataFrame:
    """Return a table of the paper's: one row a network, changes, published values, notes.

    Parameters
    ----------
    networks : mapping of str to Results
    number : int
        Of the table in the paper.
    measure : callable
        What to show of one run, by column.
    changes : callable
        Given the means of a network and of its vanilla network, the columns of change.
    published : sequence of str
        Columns, measured or of change, that the paper gives.
    caption : str
    notes : sequence of str
        Sentences to stand below.

    Raises
    ------
    UsageError
        If there is no network.
    """
    import pandas as pd

    if not networks:
        raise UsageError("a table needs at least one network, there is none")
    rows, groups = [], grouped(networks)
    for group, vanilla in groups:
        means, deviations = group.measured(measure)
        reference = vanilla.measured(measure)[0] if vanilla else dict.fromkeys(means, UNKNOWN)
        values = {
            "dataset": group.attributes[schema.DATASET],
            "network": group.attributes[schema.NETWORK],
            "attention": group.attention,
            "networks": ", ".join(group.names),
            "n_networks": len(group.runs),
        }
        changed = changes(means, reference)
        for name, mean in means.items():
            values |= {name: mean, f"{name}_sd": deviations[name]}
            values |= {key: changed[key] for key in _change_columns(name) if key in changed}
        values |= changed
        theirs = _published(number, group, vanilla, changes)
        values |= {f"published_{name}": theirs.get(name, UNKNOWN) for name in published}
        rows.append(values)
    table = pd.DataFrame(rows)
    if not (table["n_networks"] > 1).any():
        table = table[[name for name in table if name != "n_networks" and name[-3:] != "_sd"]]
    table.attrs = {CAPTION: f"{caption}.", NOTES: [*_notes(number, groups), *notes]}
    return table


def _published(
    number: int, group: Group, vanilla: Group | None, changes: Changes
) -> dict[str, float]:
    """Return the paper's values of a row, with the changes that follow from them."""
    values = published_values(number, group.attributes)
    if values and vanilla is not None:
        reference = published_values(number, vanilla.attributes)
        derived = changes(_OrNan(values), _OrNan(reference))
        values = {**{k: v for k, v in derived.items() if v == v}, **values}
    return values


def _change_columns(name: str) -> tuple[str, str]:
    """Return what the change of a column may be called; it stands beside the column."""
    stem = name.removesuffix("_percent")
    return f"{stem}_change", f"{stem}_change_percent"


class _OrNan(dict[str, float]):
    """Values of which some are not known."""

    def __missing__(self, key: str) -> float:
        return UNKNOWN


def _notes(number: int, groups: Sequence[tuple[Group, Group | None]]) -> list[str]:
    notes, unpublished = [], []
    for group, vanilla in groups:
        attributes = group.attributes
        if not published_values(number, attributes):
            unpublished.append(f"{attributes[schema.NETWORK]} on {attributes[schema.DATASET]}")
        if vanilla is None and group.attention != VANILLA:
            notes.append(
                f"There is no vanilla network beside {', '.join(group.names)}, so no change of it."
            )
    if len(unpublished) < len(groups):
        notes.insert(0, f"Published values: {SOURCE}, Table {number}.")
    if unpublished:
        notes.append(
            f"Table {number} of {SOURCE} has no row for {', '.join(dict.fromkeys(unpublished))} "
            "(network, its arguments, timesteps and dataset must be the paper's), so those "
            "published values are empty."
        )
    if any(len(group.runs) > 1 for group, _ in groups):
        notes.append(
            "Rows of several networks, which differ in their training alone, are means with "
            "standard deviations (n - 1)."
        )
    return notes
