from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from redundancy.errors import UsageError
from redundancy.plots import plot_channel_raster, plot_feature_mosaic, plot_feature_series
from redundancy.plots.style import NULL_COLOUR, PAGE_WIDTH


def shown_maps(ax, n_maps, map_shape):
    """The maps that the one image of an Axes shows, found by its gaps."""
    (image,) = ax.images
    data = np.ma.filled(image.get_array(), np.nan)
    rows = np.flatnonzero(np.isfinite(data).any(axis=1))
    columns = np.flatnonzero(np.isfinite(data).any(axis=0))
    row_runs = np.split(rows, np.flatnonzero(np.diff(rows) > 1) + 1)
    column_runs = np.split(columns, np.flatnonzero(np.diff(columns) > 1) + 1)
    maps = []
    for row in row_runs:
        for column in column_runs:
            block = data[row[0] : row[-1] + 1, column[0] : column[-1] + 1]
            step = block.shape[0] // map_shape[0]
            maps.append(block[step // 2 :: step, step // 2 :: step])
    return np.array(maps[:n_maps])


def captions(ax):
    return [text.get_text() for text in ax.texts]


def test_the_mosaic_shows_every_channel_in_one_image(make_rates):
    rates = make_rates(6, (4, 6), dead=(2,))
    ax = plot_feature_mosaic(rates, time=3, annotate=False)
    np.testing.assert_array_equal(shown_maps(ax, 6, (4, 6)), rates["n_sfr"][3])
    assert captions(ax) == list("012345")
    image = ax.images[0]
    assert image.get_cmap().name == "RdBu_r"
    assert image.get_clim() == (0, 1)
    title = ax.get_title(loc="left")
    for fact in ("conv3.neuron", "t = 3", "6 channels", "1 null (grey)", "288 samples"):
        assert fact in title
    assert ax.child_axes[0].get_ylabel().split() == ["N-SFR", "(spikes", "per", "sample)"]


def test_null_channels_are_grey(make_rates):
    ax = plot_feature_mosaic(make_rates(4, (4, 4), dead=(1, 3)), annotate=False)
    grey = [text.get_text() for text in ax.texts if to_hex(text.get_color()) == NULL_COLOUR]
    assert grey == ["1", "3"]


def test_channels_are_chosen_and_ordered(make_rates):
    rates = make_rates(8, (4, 4))
    ax = plot_feature_mosaic(rates, time=1, channels=[5, 2, 7], order="rate", annotate=False)
    expected = sorted([5, 2, 7], key=lambda channel: -float(rates["c_sfr"][1, channel]))
    assert captions(ax) == [str(channel) for channel in expected]
    np.testing.assert_array_equal(shown_maps(ax, 3, (4, 4)), rates["n_sfr"][1, expected])
    assert "3 of 8 channels" in ax.get_title(loc="left")


def test_highlighted_channels_are_framed(make_rates):
    ax = plot_feature_mosaic(make_rates(4, (9, 9)), highlight={2: "#e07b00"})
    assert [to_hex(patch.get_edgecolor()) for patch in ax.patches] == ["#e07b00"]
    assert ax.texts[2].get_fontweight() == "bold"


def test_numbers_are_written_where_they_can_be_read(make_rates):
    few = make_rates(4, (8, 8))
    assert len(plot_feature_mosaic(few).texts) == 4 * 64 + 4
    assert len(plot_feature_mosaic(few, annotate=False).texts) == 4
    assert len(plot_feature_mosaic(make_rates(4, (9, 8))).texts) == 4
    many = make_rates(128, (8, 8), 1)
    assert len(plot_feature_mosaic(many).texts) == 128
    forced = plot_feature_mosaic(many, annotate=True)
    offsets = sum(len(collection.get_offsets()) for collection in forced.collections)
    assert offsets == 128 * 64
    assert forced.figure.get_size_inches()[0] > PAGE_WIDTH
    with pytest.raises(UsageError, match="annotate is True, False or 'auto'"):
        plot_feature_mosaic(few, annotate="yes")


def test_rates_above_one_are_shown_as_such(make_rates):
    rates = make_rates(2, (4, 4), 1)
    assert plot_feature_mosaic(rates).images[0].colorbar.extend == "neither"
    rates["n_sfr"] = (rates["n_sfr"] * 3).assign_attrs(rates["n_sfr"].attrs)
    assert plot_feature_mosaic(rates).images[0].colorbar.extend == "max"


@pytest.mark.parametrize(
    ("n_channels", "map_shape", "n_times", "value"),
    [
        (1, (1, 1), 1, 1.0),
        (1, (8, 8), 1, None),
        (300, (4, 6), 1, None),
        (64, (34, 34), 1, 0.0),
        (12, (8, 1), 2, None),
        (3, (1, 20), 2, None),
    ],
)
@pytest.mark.parametrize("name", ["n", "backbone.stage3.block11.conv_bn_lif." * 3 + "neuron"])
def test_nothing_is_cut_off(make_rates, assert_inside, n_channels, map_shape, n_times, value, name):
    shape = (n_times, n_channels, *map_shape)
    values = None if value is None else np.full(shape, value)
    rates = make_rates(n_channels, map_shape, n_times, name=name, values=values)
    mosaic = plot_feature_mosaic(rates)
    np.testing.assert_array_equal(
        shown_maps(mosaic, n_channels, map_shape), rates["n_sfr"][n_times // 2]
    )
    assert mosaic.figure.get_size_inches()[0] <= PAGE_WIDTH
    assert_inside(mosaic.figure)
    assert_inside(plot_feature_series(rates, channel=0).figure)
    assert_inside(plot_channel_raster(rates).figure)


def test_channel_numbers_do_not_touch(make_rates, assert_inside):
    ax = plot_feature_mosaic(make_rates(130, (8, 8), 1))
    assert_inside(ax.figure)
    boxes = [text.get_window_extent() for text in ax.texts]
    for left, right in pairwise(boxes):
        assert not left.overlaps(right)


def test_the_series_shows_one_channel_over_time(make_rates):
    rates = make_rates(3, (4, 4), 7)
    rates["c_sfr"][6, 1] = 0
    ax = plot_feature_series(rates, channel=1, times=[0, 2, 6], annotate=False)
    np.testing.assert_array_equal(shown_maps(ax, 3, (4, 4)), rates["n_sfr"][[0, 2, 6], 1])
    c_sfr = rates["c_sfr"][:, 1].to_numpy()
    assert captions(ax) == [
        *("t = 0", f"C-SFR {c_sfr[0]:.3f}"),
        *("t = 2", f"C-SFR {c_sfr[2]:.3f}"),
        *("t = 6", "C-SFR 0"),
    ]
    assert to_hex(ax.texts[-1].get_color()) == NULL_COLOUR
    assert "channel 1" in ax.get_title(loc="left")


def test_six_maps_of_8x8_in_a_row_carry_numbers(make_rates):
    ax = plot_feature_series(make_rates(2, (8, 8), 20), channel=0)
    assert [word for word in captions(ax) if word.startswith("t")] == [
        f"t = {time}" for time in (0, 4, 8, 11, 15, 19)
    ]
    assert len(ax.texts) == 6 * (64 + 2)


def test_plots_draw_into_a_given_axes(make_rates, assert_inside):
    figure = Figure(figsize=(7, 5))
    upper, lower = figure.subplots(2, 1)
    rates = make_rates(128, (8, 8), 5)
    assert plot_feature_mosaic(rates, ax=upper) is upper
    assert plot_feature_series(rates, channel=3, ax=lower, colour_bar=False) is lower
    assert len(upper.child_axes) == 1
    assert not lower.child_axes
    assert_inside(figure)
    assert upper.get_xlim()[1] == pytest.approx(upper.get_position().width * 7)


def test_wrong_choices_are_told(make_rates):
    rates = make_rates(3, (4, 4), 5)
    with pytest.raises(UsageError, match="timesteps 0 to 4"):
        plot_feature_mosaic(rates, time=9)
    with pytest.raises(UsageError, match="channels 0 to 2"):
        plot_feature_series(rates, channel=3)
    with pytest.raises(UsageError, match="order is 'index' or 'rate', got 'size'"):
        plot_feature_mosaic(rates, order="size")
    vector = make_rates(3, None, name="fc.neuron")
    for plot in (plot_feature_mosaic, lambda r: plot_feature_series(r, channel=0)):
        with pytest.raises(UsageError, match=r"'fc\.neuron' has only time, channel.*raster"):
            plot(vector)


def test_the_raster_shows_channels_over_time(make_rates):
    rates = make_rates(10, None, 7, dead=(4,))
    ax = plot_channel_raster(rates)
    np.testing.assert_array_equal(ax.images[0].get_array(), rates["n_sfr"].T)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("timestep t", "channel")
    assert ax.lines[0].get_ydata().tolist() == [4]
    assert "1 never spikes" in ax.get_title(loc="left")
    assert ax.child_axes[0].get_ylabel().startswith("N-SFR")
    of_maps = plot_channel_raster(make_rates(10, (4, 4), 7))
    assert of_maps.child_axes[0].get_ylabel().startswith("C-SFR")
    assert not len(of_maps.lines[0].get_ydata())
