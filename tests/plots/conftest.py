"""Small firing rates to draw, and a guard that no plot leaves global state behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import matplotlib
import numpy as np
import pytest
import xarray as xr
from matplotlib._pylab_helpers import Gcf
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

MakeRates = Callable[..., xr.Dataset]
UNITS = {"units": "spikes per sample"}


def build_rates(
    n_channels: int = 6,
    map_shape: tuple[int, int] | None = (4, 6),
    n_times: int = 5,
    *,
    name: str = "conv3.neuron",
    seed: int = 0,
    dead: tuple[int, ...] = (),
    values: np.ndarray | None = None,
) -> xr.Dataset:
    """Firing rates of one layer, with the variables and attributes of the statistics."""
    generator = np.random.default_rng(seed)
    shape = (n_times, n_channels, *(map_shape or ()))
    n_sfr = generator.integers(1, 289, shape) / 288 if values is None else values
    n_sfr[:, list(dead)] = 0
    dims = ("time", "channel", "y", "x")[: n_sfr.ndim]
    c_sfr = n_sfr.mean(axis=(2, 3)) if map_shape else n_sfr
    t_sfr = n_sfr.reshape(n_times, -1).mean(axis=1)
    return xr.Dataset(
        {
            "n_sfr": (dims, n_sfr, UNITS),
            "c_sfr": (("time", "channel"), c_sfr, UNITS),
            "t_sfr": (("time",), t_sfr, UNITS),
            "nasfr": ((), t_sfr.mean(), UNITS),
        },
        attrs={
            "name": name,
            "n_neurons": int(np.prod(shape[1:])),
            "n_samples": 288,
            "v_threshold": 0.3,
            "neuron_type": "LIFNode",
        },
    )


@pytest.fixture
def make_rates() -> MakeRates:
    return build_rates


@pytest.fixture
def layers() -> dict[str, xr.Dataset]:
    return {
        "conv1.neuron": build_rates(4, (8, 8), name="conv1.neuron", seed=1),
        "conv2.neuron": build_rates(8, (4, 4), name="conv2.neuron", seed=2, dead=(3,)),
        "fc.neuron": build_rates(10, None, name="fc.neuron", seed=3),
    }


@pytest.fixture
def network(layers: dict[str, xr.Dataset]) -> xr.Dataset:
    t_sfr = np.mean([rates["t_sfr"].to_numpy() for rates in layers.values()], axis=0)
    return xr.Dataset(
        {
            "t_sfr": (("time",), t_sfr, UNITS),
            "t_sfr_conv": (("time",), t_sfr / 2, UNITS),
            "nasfr": ((), t_sfr.mean(), UNITS),
            "nasfr_conv": ((), t_sfr.mean() / 2, UNITS),
        }
    )


@pytest.fixture(autouse=True)
def _nothing_global_is_left() -> Iterator[None]:
    before = dict(matplotlib.rcParams)
    assert not Gcf.figs
    yield
    assert dict(matplotlib.rcParams) == before
    assert not Gcf.figs


@pytest.fixture
def assert_inside() -> Callable[[Figure], None]:
    """Return a check that draws a figure and finds words that run over its edge."""

    def check(figure: Figure) -> None:
        FigureCanvasAgg(figure).draw()
        for ax in all_axes(figure):
            boxes = [(text.get_text(), text.get_window_extent()) for text in ax.texts]
            boxes += [
                (title.get_text(), title.get_window_extent())
                for title in (ax.title, ax._left_title)
                if title.get_text()
            ]
            boxes += [
                (f"{axis.axis_name} axis", box)
                for axis in (ax.xaxis, ax.yaxis)
                if ax.axison and (box := axis.get_tightbbox()) is not None
            ]
            if (legend := ax.get_legend()) is not None:
                boxes.append(("legend", legend.get_window_extent()))
            for what, box in boxes:
                inside = (
                    box.x0 >= -1
                    and box.y0 >= -1
                    and box.x1 <= figure.bbox.width + 1
                    and box.y1 <= figure.bbox.height + 1
                )
                assert inside, f"{what!r} is cut off: {box} in {figure.bbox}"

    return check


def all_axes(figure: Figure) -> list[Axes]:
    """Axes of a figure with the colour bars that stand inside them."""
    return [ax for parent in figure.axes for ax in (parent, *parent.child_axes)]
