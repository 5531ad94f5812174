"""Small firing rates to draw, and a guard that no plot leaves global state behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

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
        for text in figure.texts:
            box = text.get_window_extent()
            assert box.x0 >= 0, text
            assert box.x1 <= figure.bbox.width, text
            assert box.y0 >= 0, text
            assert box.y1 <= figure.bbox.height, text
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


def build_potentials(
    rates: xr.Dataset,
    codes: np.ndarray,
    *,
    n_bins: int = 60,
    v_threshold: float | list[float] = 0.3,
    seed: int = 0,
) -> xr.Dataset:
    """Membrane potentials of a layer: noise lies near the threshold, the rest below."""
    generator = np.random.default_rng(seed)
    n_times, n_channels = codes.shape
    n_below, width = 2 * n_bins // 3, 1.5 / n_bins
    centre = (np.arange(n_bins) - n_below + 0.5) * width
    ptd = np.select([codes == 1, codes == 2], [0.02, -0.3], -0.6)
    ptd = ptd + generator.normal(0, 0.04, codes.shape)
    spread = np.where(codes == 2, 0.18, 0.1) * generator.uniform(0.8, 1.25, (n_times, n_channels))
    bell = np.exp(-0.5 * ((centre - ptd[..., None]) / spread[..., None]) ** 2)
    n_values = 288 * rates.attrs["n_neurons"] // n_channels
    counts = np.round(n_values * bell / bell.sum(-1, keepdims=True)).astype(np.int64)
    counts[..., n_below:][codes == 0] = 0
    thresholds = np.broadcast_to(v_threshold, n_channels)
    dims = ("time", "channel")
    zeros = np.zeros(codes.shape, np.int64)
    mean = ptd + thresholds
    return xr.Dataset(
        {
            "histogram": ((*dims, "bin"), counts),
            "underflow": (dims, zeros),
            "overflow": (dims, zeros.copy()),
            "nan_count": (dims, zeros.copy()),
            "peak_to_threshold_distance": (dims, ptd),
            "mean": (dims, mean),
            "variance": (dims, spread**2),
            "minimum": (dims, mean - 3 * spread),
            "maximum": (dims, mean + 3 * spread),
        },
        coords={"bin_centre": ("bin", centre)},
        attrs={
            **rates.attrs,
            "v_threshold": v_threshold,
            "bin_width": width,
            "n_bins_below": n_below,
            "n_bins_above": n_bins - n_below,
            "quantity": "pre-fire",
            "fires_at": ">=",
        },
    )


def build_layer(
    n_channels: int = 8,
    map_shape: tuple[int, int] | None = (4, 6),
    n_times: int = 5,
    *,
    noise: float = 0.4,
    null: float = 0.1,
    strength: float = 0.5,
    seed: int = 0,
    **potential_options: Any,
) -> dict[str, xr.Dataset]:
    """Rates, potentials and patterns of one layer that belong together."""
    generator = np.random.default_rng(seed)
    n_noise, n_null = round(noise * n_channels), round(null * n_channels)
    kinds = np.repeat([1, 0, 2], [n_noise, n_null, n_channels - n_noise - n_null])
    codes = np.tile(generator.permutation(kinds), (n_times, 1)).astype(np.int8)
    height, width = map_shape or (1, 1)
    y, x = np.mgrid[:height, :width]
    n_sfr = np.zeros((n_times, n_channels, height, width))
    for channel, kind in enumerate(codes[0]):
        level = strength * generator.uniform(0.5, 1.5)
        if kind == 1:
            n_sfr[:, channel] = level * generator.uniform(0.8, 1.2, (n_times, height, width))
        elif kind == 2:
            at_y, at_x = height * generator.uniform(0.3, 0.7), width * generator.uniform(0.3, 0.7)
            blob = np.exp(-((y - at_y) ** 2 + (x - at_x) ** 2) / (0.25 * max(height, width)) ** 2)
            n_sfr[:, channel] = level * blob
    n_sfr = np.round(n_sfr.clip(0, 1) * 288) / 288
    rates = build_rates(
        n_channels, map_shape, n_times, values=n_sfr if map_shape else n_sfr[..., 0, 0]
    )
    potentials = build_potentials(rates, codes, seed=seed, **potential_options)
    dims = ("time", "channel")
    undecided = codes if map_shape else np.full_like(codes, -1)
    patterns = xr.Dataset(
        {
            "pattern_potential": (dims, codes),
            "pattern_spatial": (dims, undecided),
            "spike_count": (dims, (n_sfr.sum((2, 3)) * 288).round().astype(np.int64)),
        },
        attrs={"name": rates.attrs["name"]},
    )
    return {"rates": rates, "potentials": potentials, "patterns": patterns}


MakeLayer = Callable[..., dict[str, xr.Dataset]]


@pytest.fixture
def make_layer() -> MakeLayer:
    return build_layer


@pytest.fixture
def networks() -> dict[str, dict[str, xr.Dataset]]:
    """The same layer of a noisy and of a quiet network."""
    return {
        "vanilla": build_layer(12, (8, 8), 4, noise=0.5),
        "ASA": build_layer(12, (8, 8), 4, noise=0.25, null=0.3, strength=0.2, seed=1),
    }
