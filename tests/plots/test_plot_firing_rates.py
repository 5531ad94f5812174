from __future__ import annotations

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from redundancy.errors import UsageError
from redundancy.plots import plot_channel_rates, plot_layer_rates, plot_t_sfr
from redundancy.plots.style import COLUMN_WIDTH, NETWORK_COLOUR


def test_t_sfr_has_a_line_for_each_layer_and_the_network_in_bold(layers, network):
    ax = plot_t_sfr(layers, network)
    assert len(ax.lines) == len(layers) + 1
    for line, rates in zip(ax.lines, [*layers.values(), network], strict=True):
        np.testing.assert_array_equal(line.get_xdata(), range(5))
        np.testing.assert_array_equal(line.get_ydata(), rates["t_sfr"])
    *others, bold = ax.lines
    assert to_hex(bold.get_color()) == NETWORK_COLOUR
    assert bold.get_linewidth() > 2 * max(line.get_linewidth() for line in others) * 0.99
    words = [text.get_text() for text in ax.get_legend().get_texts()]
    assert words[0] == f"conv1.neuron: {float(layers['conv1.neuron']['nasfr']):.3f}"
    assert words[-1] == f"network: {float(network['nasfr']):.3f}"
    assert ax.get_xlabel() == "timestep t"
    assert ax.get_ylabel() == "T-SFR (spikes per sample)"
    assert ax.get_ylim()[0] == 0


def test_layer_rates_are_bars_in_network_order(layers, network):
    ax = plot_layer_rates(layers, network)
    (bars,) = ax.containers
    widths = [bar.get_width() for bar in bars]
    rates = [float(rates["nasfr"]) for rates in layers.values()]
    assert widths == [*rates, float(network["nasfr"]), float(network["nasfr_conv"])]
    assert [label.get_text() for label in ax.get_yticklabels()] == [
        *layers,
        "network",
        "network, conv only",
    ]
    bottom, top = ax.get_ylim()
    assert bottom > top
    words = [text.get_text() for text in ax.texts]
    for rate in widths:
        assert f"{rate:.3f}" in words
    counts = [rates.attrs["n_neurons"] for rates in layers.values()]
    assert words[-5:] == ["neurons", *(f"{n:,}" for n in (*counts, sum(counts)))]
    assert ax.get_xlabel() == "NASFR (spikes per sample)"


def test_channel_rates_fall_and_name_their_ends(make_rates):
    rates = make_rates(7, (4, 4), dead=(5,))
    ax = plot_channel_rates(rates, time=2)
    c_sfr = rates["c_sfr"][2].to_numpy()
    heights = [bar.get_height() for bar in ax.containers[0]]
    assert heights == sorted(c_sfr, reverse=True)
    order = np.argsort(-c_sfr)
    words = [text.get_text() for text in ax.get_legend().get_texts()]
    assert words == [
        f"max {c_sfr.max():.3f} (channel {order[0]})",
        f"median {np.median(c_sfr):.3f} (channel {order[3]})",
        "min 0 (channel 5)",
    ]
    assert "C-SFR at t = 2" in ax.get_title(loc="left")
    assert "1 null" in ax.get_title(loc="left")


@pytest.mark.parametrize(("n_channels", "value"), [(1, 0.0), (1, 1.0), (2, None), (300, None)])
def test_any_layer_fits_a_column(make_rates, assert_inside, n_channels, value):
    values = None if value is None else np.full((1, n_channels, 2, 2), value)
    name = "backbone.stage3.block11.conv_bn_lif." * 3 + "neuron"
    rates = make_rates(n_channels, (2, 2), 1, name=name, values=values)
    for ax in (
        plot_channel_rates(rates),
        plot_t_sfr({name: rates}, rates),
        plot_layer_rates({name: rates}, rates),
    ):
        assert ax.figure.get_size_inches()[0] == COLUMN_WIDTH
        assert_inside(ax.figure)


def test_many_layers_fit_a_column(make_rates, assert_inside, network):
    many = {f"stage.block{i}.neuron": make_rates(2, (2, 2), seed=i) for i in range(30)}
    assert_inside(plot_t_sfr(many, network).figure)
    assert_inside(plot_layer_rates(many, network).figure)


def test_a_name_with_an_underscore_in_front_stays_in_the_legend(layers, network):
    ax = plot_t_sfr({"_orig_mod.conv": layers["conv1.neuron"]}, network)
    words = [text.get_text().strip() for text in ax.get_legend().get_texts()]
    assert words[0].startswith("_orig_mod.conv: ")
    assert len(words) == 2


def test_given_axes_are_used(layers, network):
    left, right = Figure(layout="constrained").subplots(1, 2)
    assert plot_t_sfr(layers, network, ax=left, title="mine") is left
    assert left.get_title(loc="left") == "mine"
    assert plot_layer_rates(layers, network, ax=right) is right
    assert plot_channel_rates(layers["fc.neuron"], ax=left) is left


def test_no_layers_and_no_such_time(layers, network):
    for plot in (plot_t_sfr, plot_layer_rates):
        with pytest.raises(UsageError, match="no spiking layer"):
            plot({}, network)
    with pytest.raises(UsageError, match="timesteps 0 to 4"):
        plot_channel_rates(layers["fc.neuron"], time=5)
