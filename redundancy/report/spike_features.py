"""The files of ``analyze spike-features``: results, summary, table and figures."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from redundancy import schema
from redundancy.errors import UsageError
from redundancy.files import atomic_path, write_text
from redundancy.results import Results
from redundancy.tables import firing_rate_table

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

RESULTS_FILE = "results.nc"
SUMMARY_FILE = "summary.json"
TABLE_FILE = "firing_rates.csv"


@dataclass(frozen=True)
class Selection:
    """What the figures show; None leaves the choice to them.

    Attributes
    ----------
    layer : str or None
        Default the deepest convolutional layer.
    time : int or None
        Default the middle timestep.
    channels : sequence of int
        Default the channels with the highest and a typical C-SFR.
    """

    layer: str | None = None
    time: int | None = None
    channels: Sequence[int] = ()


def check_folder(folder: Path, *, overwrite: bool) -> None:
    """Make sure that results may be written into `folder`, before they are computed.

    Raises
    ------
    UsageError
        If it holds results and `overwrite` is not set, is a file, or cannot be written to.
    """
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file; name a folder with --out")
    existing = next(parent for parent in (folder, *folder.absolute().parents) if parent.exists())
    if not os.access(existing, os.W_OK):
        raise UsageError(f"{existing} cannot be written to; name another folder with --out")
    if (folder / RESULTS_FILE).exists() and not overwrite:
        raise UsageError(
            f"{folder} holds results already; replace them with --overwrite, or name another "
            "folder with --out"
        )


def write_numbers(results: Results, folder: Path) -> list[Path]:
    """Write the results file, the summary and the table of channel rates."""
    paths = [folder / name for name in (RESULTS_FILE, SUMMARY_FILE, TABLE_FILE)]
    results.save(paths[0])
    write_text(paths[1], json.dumps(results.summary(), indent=1) + "\n")
    with atomic_path(paths[2]) as temporary:
        firing_rate_table(results).to_csv(temporary, index=False)
    return paths


def write_figures(
    results: Results,
    folder: Path,
    *,
    selection: Selection = Selection(),
    formats: Sequence[str] = ("png",),
    progress: Callable[[int, int], None] | None = None,
) -> list[Path]:
    """Draw every figure of the firing rates into `folder`.

    Returns
    -------
    list of Path
        The files written, in reading order.

    Raises
    ------
    UsageError
        If the selection names a layer, timestep or channel that does not exist.
    """
    from redundancy.plots import save_figure

    drawings = list(_drawings(results, selection))
    paths: list[Path] = []
    for done, (name, draw) in enumerate(drawings):
        if progress is not None:
            progress(done, len(drawings))
        paths += save_figure(draw(), folder / name, formats)
    return paths


def has_attention(results: Results) -> bool:
    """Tell whether the network has an attention module, as far as its arguments say."""
    arguments = results.attributes.get(schema.NETWORK_ARGUMENTS, {})
    return bool(arguments.get("attention", "none") != "none")


def _drawings(results: Results, selection: Selection) -> Iterator[tuple[str, Callable[[], Figure]]]:
    """Yield the figures' names and how to draw them."""
    from redundancy import plots

    layers, network = results.firing_rates, results.network_firing_rate
    has_maps = any(plots.has_maps(rates) for rates in layers.values())
    layer = selection.layer or (plots.default_layer(layers) if has_maps else next(iter(layers)))
    plots.check_layer(layers, layer)
    time = plots.check_time(layers[layer], selection.time)
    channels = [plots.check_channel(layers[layer], channel) for channel in selection.channels]
    if plots.has_maps(layers[layer]):
        # The paper shows the vanilla network in Figure 2 and the ASA network in Figure 5.
        number, compose = (5, plots.figure_5) if has_attention(results) else (2, plots.figure_2)
        yield (
            f"figure_{number}_spike_features",
            lambda: compose(layers, network, layer=layer, time=time, channels=channels or None),
        )
    else:
        yield (
            "channel_rates_over_time",
            lambda: _figure_of(plots.plot_channel_raster(layers[layer])),
        )
    yield "t_sfr", lambda: _figure_of(plots.plot_t_sfr(layers, network))
    yield "layer_rates", lambda: _figure_of(plots.plot_layer_rates(layers, network))
    yield "channel_rates", lambda: _figure_of(plots.plot_channel_rates(layers[layer], time=time))
    yield "event_frames", lambda: _figure_of(plots.plot_event_strip(_example(results)))


def _example(results: Results) -> xr.DataArray:
    frames = results.input_events[schema.EXAMPLE_FRAMES].copy(deep=False)
    dt_ms = results.attributes.get(schema.DATASET_ARGUMENTS, {}).get("dt_ms")
    if dt_ms is not None:
        frames.attrs["dt_ms"] = float(dt_ms)
    return frames


def _figure_of(ax: Axes) -> Figure:
    figure = ax.get_figure(root=True)
    assert figure is not None, "a plot's own Axes belong to a Figure"
    return figure
