from __future__ import annotations

import numpy as np
import pytest
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import LogNorm, to_hex
from matplotlib.figure import Figure

from redundancy.errors import UsageError
from redundancy.plots import (
    plot_membrane_potential_distribution,
    plot_potential_mosaic,
    plot_potential_over_time,
)
from redundancy.plots.style import PAGE_WIDTH, PATTERN_COLOURS


def stairs_of(ax):
    (patch,) = ax.patches
    return patch.get_data()


def words(ax):
    return [text.get_text() for text in ax.texts]


def test_bars_are_the_counts_at_absolute_potentials(make_layer, assert_inside):
    layer = make_layer()
    potentials = layer["potentials"]
    ax = plot_membrane_potential_distribution(
        potentials, channel=3, time=1, patterns=layer["patterns"]
    )
    counts, edges, _ = stairs_of(ax)
    np.testing.assert_array_equal(counts, potentials["histogram"][1, 3])
    np.testing.assert_allclose((edges[1:] + edges[:-1]) / 2, potentials["bin_centre"] + 0.3)
    (line,) = ax.lines
    assert line.get_xdata() == [0.3, 0.3]
    assert line.get_linestyle() == "--"
    assert words(ax) == [r"$V_{th}$"]
    assert ax.texts[0].get_parse_math()
    assert ax.get_ylim()[1] > counts.max()
    assert_inside(ax.figure)


@pytest.mark.parametrize(("code", "name"), [(0, "null"), (1, "noise"), (2, "normal")])
def test_channel_pattern_and_numbers_are_written(make_layer, code, name):
    layer = make_layer(noise=0.5, null=0.2)
    channel = int(np.flatnonzero(layer["patterns"]["pattern_potential"][2] == code)[0])
    one = layer["potentials"].isel(time=2, channel=channel)
    ax = plot_membrane_potential_distribution(
        layer["potentials"], channel=channel, patterns=layer["patterns"]
    )
    title = ax.get_title(loc="left")
    assert title == f"conv3.neuron\nchannel {channel} at t = 2 · {name} · 288 samples"
    first, second = ax.get_xlabel().splitlines()
    assert first == "membrane potential before firing"
    ptd, variance = float(one["peak_to_threshold_distance"]), float(one["variance"])
    assert second == f"PTD {ptd:+.3f} · variance {variance:.3g}".replace("-", "−")


@pytest.mark.parametrize(
    ("quantity", "label"),
    [
        ("pre-fire", "membrane potential before firing"),
        ("input", "input current"),
        ("post-reset", "membrane potential after reset"),
    ],
)
def test_the_quantity_names_the_axis(make_layer, quantity, label):
    potentials = make_layer()["potentials"].assign_attrs(quantity=quantity)
    ax = plot_membrane_potential_distribution(potentials, channel=0)
    assert ax.get_xlabel().splitlines()[0] == label


def test_the_range_holds_the_counts_and_the_threshold(make_layer):
    potentials = make_layer()["potentials"]
    counts = np.zeros(potentials.sizes["bin"], int)
    counts[5:8] = 4
    potentials["histogram"][0, 0] = counts
    low, high = plot_membrane_potential_distribution(potentials, channel=0, time=0).get_xlim()
    edge = float(potentials["bin_centre"][5]) + 0.3 - 0.5 * potentials.attrs["bin_width"]
    assert low < edge < 0.3 < high
    assert high - low == pytest.approx(1.1 * (0.3 - edge))
    given = plot_membrane_potential_distribution(
        potentials, channel=0, time=0, x_limits=(-2.0, 1.0)
    )
    assert given.get_xlim() == (-2.0, 1.0)


def test_each_channel_has_its_own_threshold(make_layer):
    thresholds = [0.1 * i for i in range(8)]
    potentials = make_layer(v_threshold=thresholds)["potentials"]
    for channel in (0, 5):
        ax = plot_membrane_potential_distribution(potentials, channel=channel)
        assert ax.lines[0].get_xdata()[0] == pytest.approx(thresholds[channel])
        _, edges, _ = stairs_of(ax)
        assert np.isclose(edges, thresholds[channel]).any()


def test_values_that_no_bar_shows_are_counted(make_layer, assert_inside):
    potentials = make_layer()["potentials"]
    potentials["underflow"][2, 1] = 7
    potentials["overflow"][2, 1] = 1234
    potentials["nan_count"][2, 1] = 5
    ax = plot_membrane_potential_distribution(potentials, channel=1)
    assert words(ax)[1] == "7 below the bins\n1,234 above the bins\n5 not a number"
    assert words(plot_membrane_potential_distribution(potentials, channel=0))[1:] == []
    assert_inside(ax.figure)


def test_an_empty_histogram_says_so(make_layer, assert_inside):
    potentials = make_layer()["potentials"]
    potentials["histogram"][2, 1] = 0
    for name in ("peak_to_threshold_distance", "variance"):
        potentials[name][2, 1] = np.nan
    ax = plot_membrane_potential_distribution(potentials, channel=1)
    assert words(ax)[1] == "no value in the bins"
    assert ax.get_xlabel().endswith("PTD none · variance none")
    low, high = ax.get_xlim()
    assert low < 0.3 < high
    assert_inside(ax.figure)


def test_layers_without_maps_have_potentials_too(make_layer):
    layer = make_layer(map_shape=None)
    ax = plot_membrane_potential_distribution(
        layer["potentials"], channel=0, patterns=layer["patterns"], rule="spatial"
    )
    assert "undecided" in ax.get_title(loc="left")


def test_wrong_choices_are_told(make_layer):
    layer = make_layer(8)
    plot = plot_membrane_potential_distribution
    with pytest.raises(UsageError, match="channels 0 to 7"):
        plot(layer["potentials"], channel=8)
    with pytest.raises(UsageError, match="timesteps 0 to 4"):
        plot(layer["potentials"], channel=0, time=5)
    with pytest.raises(UsageError, match="the rule 'potential' or 'spatial', got 'size'"):
        plot(layer["potentials"], channel=0, patterns=layer["patterns"], rule="size")
    with pytest.raises(UsageError, match="channels 0 to 7"):
        plot_potential_mosaic(layer["potentials"], channels=[9])
    with pytest.raises(UsageError, match="name the channel to show over time"):
        plot_potential_over_time(layer["potentials"])


def test_time_runs_to_the_right(make_layer, assert_inside):
    potentials = make_layer(n_times=6)["potentials"]
    ax = plot_potential_over_time(potentials, channel=2)
    (mesh,) = [c for c in ax.collections if hasattr(c, "norm") and c.get_array() is not None]
    expected = potentials["histogram"][:, 2].T.to_numpy()
    np.testing.assert_array_equal(np.ma.filled(mesh.get_array(), 0), expected)
    assert isinstance(mesh.norm, LogNorm)
    assert ax.lines[0].get_ydata() == [0.3, 0.3]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("timestep t", "membrane potential")
    assert "channel 2" in ax.get_title(loc="left")
    assert_inside(ax.figure)


def test_a_layer_with_many_thresholds_is_drawn_about_them(make_layer):
    potentials = make_layer(v_threshold=[0.1 * i for i in range(8)])["potentials"]
    summed = potentials[["histogram"]].sum("channel").assign_attrs(potentials.attrs)
    ax = plot_potential_over_time(summed)
    assert ax.lines[0].get_ydata() == [0, 0]
    assert ax.get_ylabel() == "membrane potential − threshold"
    assert "all channels" in ax.get_title(loc="left")
    empty = potentials.assign(histogram=potentials["histogram"] * 0)
    assert plot_potential_over_time(empty, channel=1).lines[0].get_ydata()[0] == pytest.approx(0.1)


def panels(ax):
    (polygons,) = [c for c in ax.collections if isinstance(c, PolyCollection)]
    return [path.vertices for path in polygons.get_paths()]


def test_the_mosaic_draws_all_channels_as_one_collection(make_layer, assert_inside):
    layer = make_layer(128, (4, 4), 2, n_bins=90)
    ax = plot_potential_mosaic(layer["potentials"], time=0, patterns=layer["patterns"])
    assert len(panels(ax)) == 128
    assert words(ax) == [str(channel) for channel in range(128)]
    names = layer["patterns"]["pattern_potential"][0].to_numpy()
    colours = {1: "noise", 2: "normal", 0: "null"}
    for text, code in zip(ax.texts, names, strict=True):
        assert to_hex(text.get_color()) == PATTERN_COLOURS[colours[int(code)]]
    legend = [text.get_text() for text in ax.get_legend().get_texts()]
    assert legend == [f"{name} ({(names == code).sum()})" for code, name in colours.items()]
    assert ax.figure.get_size_inches()[0] <= PAGE_WIDTH
    assert_inside(ax.figure)


def test_panels_are_scaled_to_their_own_highest_bar(make_layer):
    potentials = make_layer(4)["potentials"]
    potentials["histogram"][2, 1] *= 100
    ax = plot_potential_mosaic(potentials, channels=[1, 2])
    heights = [np.ptp(vertices[:, 1]) for vertices in panels(ax)]
    assert heights[0] == pytest.approx(heights[1])
    assert words(ax) == ["1", "2"]


def test_every_panel_marks_the_threshold_within_its_bars_range(make_layer):
    potentials = make_layer(4, noise=1.0, null=0.0)["potentials"]
    ax = plot_potential_mosaic(potentials)
    thresholds = [c for c in ax.collections if isinstance(c, LineCollection)][1]
    for line, outline in zip(thresholds.get_segments(), panels(ax), strict=True):
        assert outline[:, 0].min() < line[0, 0] < outline[:, 0].max()
        centre = outline[outline[:, 1].argmin(), 0]
        assert abs(centre - line[0, 0]) < 0.25 * np.ptp(outline[:, 0])


@pytest.mark.parametrize("n_channels", [1, 3, 300])
@pytest.mark.parametrize("name", ["n", "backbone.stage3.block11.conv_bn_lif." * 3 + "neuron"])
def test_mosaics_are_not_cut_off(make_layer, assert_inside, n_channels, name):
    layer = make_layer(n_channels, (4, 4), 1)
    for dataset in layer.values():
        dataset.attrs["name"] = name
    assert_inside(plot_potential_mosaic(layer["potentials"], patterns=layer["patterns"]).figure)
    assert_inside(plot_membrane_potential_distribution(layer["potentials"], channel=0).figure)
    assert_inside(plot_potential_over_time(layer["potentials"], channel=0).figure)


def test_silent_layers_have_a_mosaic(make_layer):
    potentials = make_layer(4)["potentials"]
    potentials["histogram"][:] = 0
    assert len(panels(plot_potential_mosaic(potentials))) == 4


def test_plots_draw_into_a_given_axes(make_layer, assert_inside):
    figure = Figure(figsize=(7, 6))
    axes = figure.subplots(3, 1, gridspec_kw={"hspace": 1.2})
    potentials = make_layer(20)["potentials"]
    assert plot_potential_mosaic(potentials, ax=axes[0]) is axes[0]
    assert plot_potential_over_time(potentials, channel=1, ax=axes[1]) is axes[1]
    assert plot_membrane_potential_distribution(potentials, channel=1, ax=axes[2]) is axes[2]
    assert_inside(figure)
