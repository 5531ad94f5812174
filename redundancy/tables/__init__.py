"""Results as tables: long ones of every number, and the paper's; CSV, Markdown, LaTeX."""

from __future__ import annotations

from redundancy.tables.attention import attention_macs_table
from redundancy.tables.formats import FORMATS, to_latex, to_markdown, write_csv, write_table
from redundancy.tables.gac import gac_power_table, is_gac_network
from redundancy.tables.ghosts import ghost_table
from redundancy.tables.paper import table_1, table_3, table_4
from redundancy.tables.quantities import (
    energy_rows,
    firing_rate_table,
    membrane_potential_table,
    pattern_table,
    quantization_error_table,
)

__all__ = [
    "FORMATS",
    "attention_macs_table",
    "energy_rows",
    "firing_rate_table",
    "gac_power_table",
    "ghost_table",
    "is_gac_network",
    "membrane_potential_table",
    "pattern_table",
    "quantization_error_table",
    "table_1",
    "table_3",
    "table_4",
    "to_latex",
    "to_markdown",
    "write_csv",
    "write_table",
]
