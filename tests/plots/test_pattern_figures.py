from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from matplotlib.colors import to_hex

from redundancy.errors import UsageError
from redundancy.plots import (
    choose_pattern_channels,
    figure_1,
    figure_6,
    pattern_scatter_figure,
    plot_neuron_trace,
    plot_ptd_against_rate,
    plot_variance_against_ptd,
)
from redundancy.plots.style import COLUMN_WIDTH, PAGE_WIDTH, PATTERN_COLOURS


def titles(figure):
    return [title for ax in figure.axes if (title := ax.get_title(loc="left"))]


def written(figure):
    return [text.get_text() for text in figure.texts]


def trace(n_times=12, v_reset=0.0):
    generator = np.random.default_rng(3)
    potential, spikes, left = np.zeros(n_times), np.zeros(n_times, np.uint8), 0.0
    for t in range(n_times):
        potential[t] = 0.7 * left + generator.uniform(0, 0.3)
        spikes[t] = potential[t] >= 0.3
        left = (
            (v_reset if v_reset is not None else potential[t] - 0.3) if spikes[t] else potential[t]
        )
    return xr.DataArray(potential, dims="time"), xr.DataArray(spikes, dims="time")


@pytest.fixture
def frames():
    events = np.random.default_rng(0).integers(0, 2, (6, 2, 16, 16))
    return xr.DataArray(events, dims=("time", "channel", "y", "x"))


def test_figure_6_shows_the_same_channels_of_both_networks(networks, assert_inside):
    figure = figure_6(networks, time=1)
    vanilla, asa = networks.values()
    picks = choose_pattern_channels(vanilla["patterns"], vanilla["rates"], 1)
    assert [pattern for pattern, _ in picks] == ["noise", "noise", "normal", "normal"]
    codes = asa["patterns"]["pattern_potential"][1].to_numpy()
    names = {0: "null", 1: "noise", 2: "normal"}
    expected = [f"{x}  channel {c} · {p}" for x, (p, c) in zip("ABCD", picks, strict=True)]
    expected += [
        f"{letter}  channel {c} · {names[codes[c]]}"
        for letter, (_, c) in zip("ABCD", picks, strict=True)
    ]
    assert titles(figure) == expected
    assert figure.get_size_inches()[0] == PAGE_WIDTH
    assert written(figure)[0] == "Spike patterns · conv3.neuron at t = 1 · 288 samples"
    assert written(figure)[1:3] == ["(a)  vanilla", "(b)  ASA"]
    note = " ".join(written(figure)[3:])
    assert "those with the highest and the median C-SFR" in note
    assert "potential rule" in note
    assert_inside(figure)


def test_figure_6_draws_each_channels_map_and_potentials(networks):
    figure = figure_6(networks, time=1, channels=[2, 7])
    layers = list(networks.values())
    assert len(figure.axes) == 2 * 2 * 2
    for index, (feature, potential) in enumerate(
        zip(figure.axes[::2], figure.axes[1::2], strict=True)
    ):
        layer, channel = layers[index // 2], (2, 7)[index % 2]
        (image,) = feature.images
        shown = np.asarray(image.get_array())
        values = layer["rates"]["n_sfr"][1, channel].to_numpy()
        assert np.nanmax(shown) == values.max()
        assert sum(text.get_text() != "" for text in feature.texts) == 64 + 1
        counts, _, _ = potential.patches[0].get_data()
        np.testing.assert_array_equal(counts, layer["potentials"]["histogram"][1, channel])
        ptd = float(layer["potentials"]["peak_to_threshold_distance"][1, channel])
        assert f"PTD {ptd:+.3f}".replace("-", "−") in potential.get_xlabel()
    limits = [ax.get_xlim() for ax in figure.axes[1::2]]
    assert limits[:2] == limits[2:]
    assert not any("Channels:" in words for words in written(figure))


def test_figure_6_says_which_pattern_is_missing(make_layer, assert_inside):
    figure = figure_6({"vanilla": make_layer(10, (8, 8), 3, noise=0.0)})
    assert len(titles(figure)) == 2
    assert "It has no noise channel." in " ".join(written(figure))
    assert_inside(figure)
    with pytest.raises(UsageError, match="neither noise nor normal channels"):
        figure_6({"vanilla": make_layer(4, (8, 8), 3, noise=0.0, null=1.0)})


def test_figure_6_takes_channels_with_letters_once(networks):
    figure = figure_6(networks, channels=[("noise", 3), ("normal", 1), ("again", 3)])
    assert [title.split()[2] for title in titles(figure)] == ["3", "1", "3", "1"]
    with pytest.raises(UsageError, match="up to 4 channels, got 5"):
        figure_6(networks, channels=range(5))
    with pytest.raises(UsageError, match="channels 0 to 11"):
        figure_6(networks, channels=[12])


@pytest.mark.parametrize("map_shape", [None, (1, 1), (32, 32), (2, 9), (9, 2)])
@pytest.mark.parametrize("n_networks", [1, 3])
def test_figure_6_fits_any_layer(make_layer, assert_inside, map_shape, n_networks):
    layer = make_layer(8, map_shape, 1, noise=0.5)
    names = ["a network with a rather long name " * 3, "ASA", "third"][:n_networks]
    figure = figure_6(dict.fromkeys(names, layer))
    assert len(figure.axes) == n_networks * 4 * (1 if map_shape is None else 2)
    assert figure.get_size_inches()[0] <= PAGE_WIDTH
    assert_inside(figure)


def test_a_single_network_needs_no_name(networks, assert_inside):
    figure = figure_6({"": networks["vanilla"]})
    assert not any(words.startswith("(a)") for words in written(figure))
    assert "normal channels at t" in written(figure)[-1]
    assert_inside(figure)
    assert_inside(pattern_scatter_figure({"": networks["vanilla"]}))


def test_networks_that_do_not_match_are_told(networks, make_layer):
    with pytest.raises(UsageError, match="1 to 4 networks side by side, got 0"):
        figure_6({})
    other = {**networks, "ASA": make_layer(11, (8, 8), 4)}
    with pytest.raises(UsageError, match="vanilla: 4 and 12, ASA: 4 and 11"):
        figure_6(other)


def test_figure_1_shows_neuron_input_and_channels(networks, frames, assert_inside):
    figure = figure_1(*trace(), frames, networks, v_threshold=0.3, v_reset=0.0, time=1)
    words = titles(figure)
    assert words[:2] == ["(a)  Membrane potential of one neuron", "(b)  Event frames"]
    vanilla = networks["vanilla"]
    picks = choose_pattern_channels(vanilla["patterns"], vanilla["rates"], 1, 2)
    assert words[2:4] == [f"channel {channel} · {pattern}" for pattern, channel in picks]
    assert len(words) == 6
    assert {"vanilla", "ASA"} <= set(written(figure))
    assert "those with the highest C-SFR" in " ".join(written(figure))
    assert figure.get_size_inches()[0] == PAGE_WIDTH
    assert_inside(figure)


def test_figure_1_refuses_what_it_cannot_show(networks, make_layer, frames):
    options = {"v_threshold": 0.3, "v_reset": None}
    with pytest.raises(UsageError, match="need feature maps"):
        figure_1(*trace(), frames, {"a": make_layer(map_shape=None)}, **options)
    with pytest.raises(UsageError, match="1 to 2 networks"):
        figure_1(*trace(), frames, {**networks, "third": networks["ASA"]}, **options)


@pytest.mark.parametrize("v_reset", [0.0, -0.2, None])
def test_the_trace_charges_fires_and_is_reset(assert_inside, v_reset):
    potential, spikes = trace(v_reset=v_reset)
    ax = plot_neuron_trace(potential, spikes, v_threshold=0.3, v_reset=v_reset)
    x, y = ax.lines[0].get_data()
    np.testing.assert_array_equal(x[::2], np.arange(12))
    np.testing.assert_array_equal(y[::2], potential)
    left = np.where(spikes, potential - 0.3 if v_reset is None else v_reset, potential)
    np.testing.assert_array_equal(y[1::2], left)
    marks = ax.collections[0].get_segments()
    assert [mark[0, 0] for mark in marks] == np.flatnonzero(spikes).tolist()
    labels = [text.get_text() for text in ax.texts]
    assert (r"$V_{reset}$" in labels) == (v_reset is not None)
    assert r"$V_{th}$" in labels
    assert_inside(ax.figure)


def test_traces_of_one_timestep_or_none(assert_inside):
    ax = plot_neuron_trace(*trace(1), v_threshold=0.3, v_reset=0.0)
    assert_inside(ax.figure)
    potential, spikes = trace()
    with pytest.raises(UsageError, match="select a sample and a neuron first"):
        plot_neuron_trace(potential.expand_dims("channel"), spikes, v_threshold=1, v_reset=None)


def points(ax):
    return {c.get_label(): c.get_offsets().data for c in ax.collections}


def test_points_are_channels_coloured_by_pattern(networks, assert_inside):
    layer = networks["vanilla"]
    potentials, rates, patterns = (layer[k] for k in ("potentials", "rates", "patterns"))
    codes = patterns["pattern_potential"][1].to_numpy()
    distance = potentials["peak_to_threshold_distance"][1].to_numpy()
    expected = {
        plot_ptd_against_rate: np.column_stack([rates["c_sfr"][1], distance]),
        plot_variance_against_ptd: np.column_stack([distance, potentials["variance"][1]]),
    }
    for plot, xy in expected.items():
        ax = plot(potentials, rates, patterns, time=1)
        drawn = points(ax)
        for code, name in ((1, "noise"), (2, "normal"), (0, "null")):
            label = f"{name} ({(codes == code).sum()})"
            np.testing.assert_array_equal(drawn[label], xy[codes == code])
        for collection in ax.collections:
            name = collection.get_label().split()[0]
            assert to_hex(collection.get_facecolor()[0]) == PATTERN_COLOURS[name]
        assert ax.figure.get_size_inches()[0] == COLUMN_WIDTH
        assert_inside(ax.figure)


def test_channels_without_a_distance_are_counted(networks):
    layer = networks["vanilla"]
    codes = layer["patterns"]["pattern_potential"][2].to_numpy()
    lost = np.flatnonzero(codes == 2)[:2]
    layer["potentials"]["peak_to_threshold_distance"][2, lost] = np.nan
    ax = plot_ptd_against_rate(layer["potentials"], layer["rates"], layer["patterns"])
    n_normal = int((codes == 2).sum())
    assert len(points(ax)[f"normal ({n_normal}, 2 not shown)"]) == n_normal - 2


def test_layers_without_maps_have_points_too(make_layer):
    layer = make_layer(map_shape=None)
    ax = plot_ptd_against_rate(
        layer["potentials"], layer["rates"], layer["patterns"], rule="spatial"
    )
    assert list(points(ax)) == ["undecided (8)"]


def test_datasets_of_different_layers_are_told(networks, make_layer):
    layer = networks["vanilla"]
    with pytest.raises(UsageError, match="must be of the same layer"):
        plot_ptd_against_rate(layer["potentials"], make_layer(5)["rates"], layer["patterns"])


def test_scatters_stand_side_by_side_on_equal_axes(networks, assert_inside):
    figure = pattern_scatter_figure(networks, time=2)
    upper_left, upper_right, lower_left, lower_right = figure.axes
    assert titles(figure) == ["vanilla", "ASA"]
    assert upper_left.get_xlim() == upper_right.get_xlim()
    assert lower_left.get_ylim() == lower_right.get_ylim()
    assert upper_left.get_legend() is None
    assert lower_right.get_legend() is not None
    assert figure.get_suptitle() == "conv3.neuron · channels at t = 2"
    assert_inside(figure)
    one = pattern_scatter_figure({"vanilla": networks["vanilla"]})
    assert one.get_size_inches()[0] == COLUMN_WIDTH
    assert_inside(one)
