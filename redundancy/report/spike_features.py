"""The tables and figures of ``analyze spike-features``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from redundancy.report.output import (
    Selection,
    example_frames,
    figure_of,
)
from redundancy.results import Results
from redundancy.tables import firing_rate_table, write_csv
from redundancy.tables.grouping import attention_label, has_attention

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from redundancy.report.output import Drawing

TABLE_FILE = "firing_rates.csv"


def write_tables(results: Results, folder: Path) -> list[Path]:
    """Write the table of channel rates."""
    write_csv(firing_rate_table(results), folder / TABLE_FILE)
    return [folder / TABLE_FILE]


def drawings(results: Results, selection: Selection) -> Iterator[Drawing]:
    """Yield the names of the figures of the firing rates and how to draw them.

    Raises
    ------
    UsageError
        If the selection names a layer, timestep or channel that does not exist.
    """
    from redundancy import plots

    layers, network = results.firing_rates, results.network_firing_rate
    layer, time, channels = selection.resolve(results)
    if plots.has_maps(layers[layer]):
        # The paper shows the vanilla network in Figure 2 and the ASA network in Figure 5.
        number = "5" if has_attention(results) else "2"
        yield (
            f"figure_{number}_spike_features",
            lambda: spike_features(number, results, layer, time, channels),
        )
    else:
        yield (
            "channel_rates_over_time",
            lambda: figure_of(plots.plot_channel_raster(layers[layer])),
        )
    yield "t_sfr", lambda: figure_of(plots.plot_t_sfr(layers, network))
    yield "layer_rates", lambda: figure_of(plots.plot_layer_rates(layers, network))
    yield "channel_rates", lambda: figure_of(plots.plot_channel_rates(layers[layer], time=time))
    yield "event_frames", lambda: figure_of(plots.plot_event_strip(example_frames(results)))


def spike_features(
    number: str, results: Results, layer: str, time: int, channels: Sequence[int]
) -> Figure:
    """Draw Figure 2 or 5."""
    from redundancy import plots

    compose = plots.figure_2
    if number == "5":
        compose = partial(plots.figure_5, attention=attention_label(results))
    return compose(
        results.firing_rates,
        results.network_firing_rate,
        layer=layer,
        time=time,
        channels=channels or None,
    )
