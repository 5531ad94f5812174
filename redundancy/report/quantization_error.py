"""The tables and figures of ``analyze quantization-error``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from redundancy import schema
from redundancy.report.output import figure_of
from redundancy.report.text import format_table
from redundancy.stats.quantization_error import LONG_NAMES
from redundancy.tables import quantization_error_table, table_4, write_csv, write_table

if TYPE_CHECKING:
    from redundancy.report.output import Drawing
    from redundancy.results import Results


def write_tables(networks: Mapping[str, Results], folder: Path) -> list[Path]:
    """Write the errors of every layer, timestep and channel, and Table 4."""
    import pandas as pd

    frames = [
        quantization_error_table(results).assign(network=name) for name, results in networks.items()
    ]
    path = folder / "quantization_error.csv"
    write_csv(pd.concat(frames, ignore_index=True), path)
    return [path, *write_table(table_4(networks), folder / "table_4_quantization_error")]


def drawings(networks: Mapping[str, Results]) -> Iterator[Drawing]:
    """Yield the name of the figure and how to draw it."""
    from redundancy import plots

    layers = {name: results.quantization_errors for name, results in networks.items()}
    yield "quantization_error", lambda: figure_of(plots.plot_quantization_error(layers))


def text(networks: Mapping[str, Results]) -> str:
    """Return the three variants for every network and layer, with the interval of the first."""
    rows = []
    for name, results in networks.items():
        for layer, errors in results.quantization_errors.items():
            rows.append(
                [name, layer, *(f"{float(errors[variant].mean()):.4f}" for variant in LONG_NAMES)]
            )
        network = results.network_quantization_error
        for place, suffix in (("all neurons", ""), ("convolutional layers", "_conv")):
            values = [float(network[variant + suffix]) for variant in LONG_NAMES]
            # A network need not have convolutions.
            if not np.isnan(values[0]):
                rows.append([name, place, *(f"{value:.4f}" for value in values)])
    lines = ["quantization error, means over samples, neurons and timesteps"]
    for name, results in networks.items():
        low, high = results.confidence(schema.QE)
        value = float(results.network_quantization_error[schema.QE])
        lines.append(f"{name}: (U - S)^2 = {value:.4f}, 95 % interval {low:.4f} to {high:.4f}")
    header = ["network", "layer", "(U - S)^2", "(U - V_th S)^2", "(U / V_th - S)^2"]
    return "\n".join(lines) + "\n\n" + format_table(header, rows)
