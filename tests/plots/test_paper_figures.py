from __future__ import annotations

import numpy as np
import pytest
from matplotlib.colors import to_hex

from redundancy.errors import UsageError
from redundancy.plots import figure_2, figure_5, spike_feature_figure
from redundancy.plots.style import PAGE_WIDTH, PICK_COLOURS


def title_of(ax):
    return ax.get_title(loc="left")


def test_the_figure_shows_the_deepest_maps_and_two_channels(layers, network, assert_inside):
    figure = figure_2(layers, network)
    mosaic, *rows = figure.axes
    rates = layers["conv2.neuron"]
    order = np.argsort(-rates["c_sfr"][2].to_numpy(), kind="stable")
    assert title_of(mosaic) == (
        "(a)  conv2.neuron at t = 2 · 8 channels · 1 null (grey) · 288 samples"
    )
    assert [title_of(row) for row in rows] == [
        f"(b)  channel {order[0]}, highest C-SFR at t = 2",
        f"channel {order[4]}, typical C-SFR at t = 2",
    ]
    frames = [to_hex(patch.get_edgecolor()) for patch in mosaic.patches]
    assert sorted(frames) == sorted(PICK_COLOURS[:2])
    head = figure.texts[0].get_text()
    assert head == f"Spike features of the vanilla network · NASFR {float(network['nasfr']):.3f}"
    assert figure.get_size_inches()[0] == PAGE_WIDTH
    assert_inside(figure)


def test_choices_are_followed(layers, network, assert_inside):
    figure = figure_5(
        layers,
        network,
        layer="conv1.neuron",
        time=4,
        channels={"noisy": 3, "calm": 0},
        times=[1, 2],
    )
    mosaic, *rows = figure.axes
    assert "with ASA" in figure.texts[0].get_text()
    assert "conv1.neuron at t = 4" in title_of(mosaic)
    assert [title_of(row) for row in rows] == ["(b)  channel 3, noisy", "channel 0, calm"]
    for row in rows:
        words = [text.get_text() for text in row.texts]
        assert {"t = 1", "t = 2"} <= set(words)
    assert_inside(figure)
    assert len(spike_feature_figure(layers, network, channels=[1, 1]).axes) == 2


@pytest.mark.parametrize(
    ("n_channels", "map_shape", "n_times"),
    [(1, (1, 1), 1), (1, (8, 8), 20), (300, (4, 6), 3), (1000, (4, 4), 1), (64, (34, 34), 12)],
)
def test_any_layer_fits_the_page_without_overlap(
    make_rates, network, assert_inside, n_channels, map_shape, n_times
):
    rates = make_rates(n_channels, map_shape, n_times)
    figure = figure_2({"conv3.neuron": rates}, network)
    assert_inside(figure)
    mosaic, first_row, *_ = figure.axes
    lowest_number = min(
        text.get_window_extent().y0 for text in mosaic.texts if text.get_text().isdigit()
    )
    assert first_row._left_title.get_window_extent().y1 < lowest_number


def test_maps_keep_their_size_in_the_figure(make_rates, network):
    figure = figure_2({"conv3.neuron": make_rates(1000, (4, 4), 1)}, network)
    width, height = figure.get_size_inches()
    for ax in figure.axes:
        box = ax.get_position(original=True)
        assert ax.get_xlim()[1] == pytest.approx(box.width * width)
        assert ax.get_ylim()[0] == pytest.approx(box.height * height)


def test_wrong_choices_are_told(layers, network):
    with pytest.raises(UsageError, match=r"no spiking layer 'conv9'.*nearest name is 'conv\d"):
        figure_2(layers, network, layer="conv9")
    with pytest.raises(UsageError, match=r"timestep 99 .*0 to 4"):
        figure_2(layers, network, time=99)
    with pytest.raises(UsageError, match=r"channel 8 .*0 to 7"):
        figure_2(layers, network, channels=[8])
    with pytest.raises(UsageError, match="feature maps with dimensions y and x"):
        figure_2(layers, network, layer="fc.neuron")
