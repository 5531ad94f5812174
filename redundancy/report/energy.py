"""The tables and figures of ``analyze energy``."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import xarray as xr

from redundancy import schema
from redundancy.errors import ResultsError, UsageError
from redundancy.report.output import figure_of
from redundancy.report.text import format_table
from redundancy.stats.energy import energy_change
from redundancy.stats.energy_conventions import CONVENTIONS
from redundancy.stats.energy_inputs import uncounted_note, uncounted_operations
from redundancy.tables import (
    energy_rows,
    gac_power_table,
    is_gac_network,
    to_markdown,
    write_csv,
    write_table,
)
from redundancy.tables.quantities import energy_notes, has_energy, tells_energy

if TYPE_CHECKING:
    from redundancy.report.output import Drawing
    from redundancy.results import Results


@dataclass(frozen=True)
class EnergyReport:
    """Operations and energy of one or more networks.

    Parameters
    ----------
    convention : str
        A name in :data:`redundancy.stats.energy.CONVENTIONS`.
    e_mac, e_ac : float
        Picojoules of an operation.

    Raises
    ------
    UsageError
        If there is no such convention, or an energy is negative or not finite.
    """

    convention: str = "asa"
    e_mac: float = 4.6
    e_ac: float = 0.9

    def __post_init__(self) -> None:
        CONVENTIONS.get(self.convention)
        for name, value in (("e_mac", self.e_mac), ("e_ac", self.e_ac)):
            if not 0 <= value < math.inf:
                raise UsageError(f"{name} must be picojoules of at least 0 and finite, got {value}")

    def tables_of(self, networks: Mapping[str, Results]) -> dict[str, xr.Dataset]:
        """Return the energy table of every network whose results tell one."""
        return {
            name: results.energy(self.convention, self.e_mac, self.e_ac)
            for name, results in networks.items()
            if tells_energy(results, self.convention)
        }

    def write_tables(self, networks: Mapping[str, Results], folder: Path) -> list[Path]:
        """Write every network's synaptic layers to one table."""
        import pandas as pd

        frames = []
        for name, results in networks.items():
            rows = energy_rows(results, self.convention, self.e_mac, self.e_ac)
            frames.append(rows.assign(network=name))
        path = folder / "energy.csv"
        write_csv(pd.concat(frames, ignore_index=True), path)
        if not any(map(is_gac_network, networks.values())):
            return [path]
        power = gac_power_table(networks, e_mac=self.e_mac, e_ac=self.e_ac)
        return [path, *write_table(power, folder / "gac_power")]

    def drawings(self, networks: Mapping[str, Results]) -> Iterator[Drawing]:
        """Yield the name of the figure and how to draw it."""
        from redundancy import plots

        tables = {name: _attention_as_one(t) for name, t in self.tables_of(networks).items()}
        if not tables:
            return
        yield "energy", lambda: figure_of(plots.plot_energy(tables))

    def text(self, networks: Mapping[str, Results]) -> str:
        """Return the table of every network, and eq. 11 between the first and each other.

        Raises
        ------
        ResultsError
            If the convention needs what an older version did not measure.
        """
        for name, results in networks.items():
            if has_energy(results) and not tells_energy(results, self.convention):
                raise ResultsError(energy_notes({name: results}, self.convention)[0])
        tables = self.tables_of(networks)
        first = next(iter(tables.values()))
        blocks = [
            f"convention {self.convention} ({first.attrs['convention_description']}); "
            f"{self.e_mac:g} pJ a MAC, {self.e_ac:g} pJ an AC; all per sample"
        ]
        blocks += [f"{name}\n{_table_text(table)}" for name, table in tables.items()]
        blocks += _uncounted(tables)
        for name, table in list(tables.items())[1:]:
            change = energy_change(first, table)
            blocks.append(
                f"eq. 11, {name} against {next(iter(tables))}: "
                f"MACs added {_big(float(change[schema.DELTA_MACS]))}, "
                f"ACs saved {_big(float(change[schema.DELTA_ACS]))}, "
                f"energy added {_joules(float(change[schema.DELTA_ENERGY]))}"
            )
        if any(map(is_gac_network, networks.values())):
            power = gac_power_table(networks, e_mac=self.e_mac, e_ac=self.e_ac)
            blocks.append(to_markdown(power).strip())
        return "\n\n".join(blocks)


def _uncounted(tables: Mapping[str, xr.Dataset]) -> list[str]:
    """Return, network by network, what its total leaves out."""
    missed = {name: uncounted_operations(table.attrs) for name, table in tables.items()}
    return [
        f"{name}: {uncounted_note(operations)}: {', '.join(operations)}"
        for name, operations in missed.items()
        if operations
    ]


def _attention_as_one(table: xr.Dataset) -> xr.Dataset:
    """Return a table whose layers inside attention are one row, the last."""
    inside = table[schema.ROLE] == "attention"
    if not inside.any():
        return table
    counts = [schema.ACS, schema.MACS, schema.ENERGY]
    # Nothing else of the table is drawn.
    main = table[counts].isel({schema.SYNAPSE: ~inside.values}).reset_coords(drop=True)
    attention = table[counts].isel({schema.SYNAPSE: inside.values}).sum(schema.SYNAPSE)
    attention = attention.expand_dims({schema.SYNAPSE: ["attention"]})
    return xr.concat(
        [main, attention], dim=schema.SYNAPSE, coords="minimal", compat="override", join="outer"
    ).assign_attrs(table.attrs)


def _table_text(table: xr.Dataset) -> str:
    rows = []
    for index, name in enumerate(table[schema.SYNAPSE].values):
        row = table.isel({schema.SYNAPSE: index})
        rows.append(
            [
                str(name),
                str(row[schema.FED_BY].values),
                _big(float(row[schema.FLOPS])),
                f"{float(row[schema.APPLICATIONS]):g}",
                _rate(float(row[schema.INPUT_RATE])),
                f"{float(row[schema.NONZERO_FRACTION]):.4f}",
                "yes" if bool(row[schema.IS_BINARY]) else "no",
                str(row[schema.COUNTED_AS].values),
                _big(float(row[schema.MACS])),
                _big(float(row[schema.ACS])),
                _joules(float(row[schema.ENERGY])),
                _big(float(row[schema.BATCH_NORM_OPERATIONS])),
                _big(float(row[schema.NEURON_OPERATIONS])),
            ]
        )
    attributes = table.attrs
    total = [_big(attributes[schema.TOTAL_MACS]), _big(attributes[schema.TOTAL_ACS])]
    sums = [
        _big(float(table[column].sum()))
        for column in (schema.BATCH_NORM_OPERATIONS, schema.NEURON_OPERATIONS)
    ]
    rows.append(["total", *[""] * 7, *total, _joules(attributes[schema.TOTAL_ENERGY]), *sums])
    header = [
        *("layer", "fed by", "FLOPs", "times", "input rate", "non-zero", "0/1"),
        "counted as",
        *("MACs", "ACs", "energy", "BN values", "neuron updates"),
    ]
    return format_table(header, rows)


def _rate(value: float) -> str:
    return "signed" if math.isnan(value) else f"{value:.4f}"


def _big(value: float) -> str:
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= limit:
            return f"{value / limit:.3g} {unit}"
    return f"{value:.3g}"


def _joules(picojoules: float) -> str:
    for limit, unit in ((1e9, "mJ"), (1e6, "µJ"), (1e3, "nJ")):
        if abs(picojoules) >= limit:
            return f"{picojoules / limit:.3g} {unit}"
    return f"{picojoules:.3g} pJ"
