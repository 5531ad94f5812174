"""What every report shares: its folder, what its figures show, drawing them one by one."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from redundancy import schema
from redundancy.errors import UsageError
from redundancy.files import check_target, write_text
from redundancy.results import Results

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    Drawing = tuple[str, Callable[[], Figure]]

RESULTS_FILE = "results.nc"
SUMMARY_FILE = "summary.json"


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
        Default by a rule of the figure.
    """

    layer: str | None = None
    time: int | None = None
    channels: Sequence[int] = ()

    def resolve(self, results: Results) -> tuple[str, int, list[int]]:
        """Return the layer, timestep and channels to show of these results.

        Raises
        ------
        UsageError
            If one of them does not exist.
        """
        from redundancy import plots

        layers = results.firing_rates
        has_maps = any(plots.has_maps(rates) for rates in layers.values())
        layer = self.layer or (plots.default_layer(layers) if has_maps else next(iter(layers)))
        rates = layers[plots.check_layer(layers, layer)]
        channels = [plots.check_channel(rates, channel) for channel in self.channels]
        return layer, plots.check_time(rates, self.time), channels


def check_folder(folder: Path, *, overwrite: bool) -> None:
    """Make sure that results may be written into `folder`, before they are computed.

    Raises
    ------
    UsageError
        If it holds results and `overwrite` is not set, is a file, or cannot be written to.
    """
    check_target(folder)
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file; name a folder with --out")
    if (folder / RESULTS_FILE).exists() and not overwrite:
        raise UsageError(
            f"{folder} holds results already; draw from them by naming {folder / RESULTS_FILE} "
            "instead, replace them with --overwrite, or name another folder with --out"
        )


def write_summary(results: Results, folder: Path) -> Path:
    """Write the headline numbers."""
    path = folder / SUMMARY_FILE
    write_text(path, json.dumps(results.summary(), indent=1) + "\n")
    return path


def draw_all(
    drawings: Iterable[Drawing],
    folder: Path,
    *,
    formats: Sequence[str] = ("png",),
    progress: Callable[[int, int], None] | None = None,
) -> list[Path]:
    """Draw and save figures one by one.

    Parameters
    ----------
    drawings : iterable of (str, callable)
        Names of the files, and what draws each.
    folder : Path
    formats : sequence of str
        Of png, pdf, svg.
    progress : callable, optional
        Called with (figures done, figures in all).

    Returns
    -------
    list of Path
        The files written, in reading order.
    """
    from redundancy.plots import save_figure

    drawings = list(drawings)
    paths: list[Path] = []
    for done, (name, draw) in enumerate(drawings):
        if progress is not None:
            progress(done, len(drawings))
        paths += save_figure(draw(), folder / name, formats)
    return paths


def example_frames(results: Results) -> xr.DataArray:
    """Return the event frames of the first sample, with the length of a frame if known."""
    frames = results.input_events[schema.EXAMPLE_FRAMES].copy(deep=False)
    dt_ms = results.attributes.get(schema.DATASET_ARGUMENTS, {}).get("dt_ms")
    if dt_ms is not None:
        frames.attrs["dt_ms"] = float(dt_ms)
    return frames


def figure_of(ax: Axes) -> Figure:
    """Return the figure that an Axes belongs to."""
    figure = ax.get_figure(root=True)
    assert figure is not None, "a plot's own Axes belong to a Figure"
    return figure
