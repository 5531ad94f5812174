from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from matplotlib.collections import LineCollection
from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle

from redundancy.errors import UsageError
from redundancy.plots import (
    plot_ghost_groups,
    plot_ghost_heatmap,
    plot_ghost_ratio_curve,
    plot_temporal_ghost_curve,
    plot_temporal_similarity,
)
from redundancy.plots.style import COLUMN_WIDTH, GROUP_COLOURS, PAGE_WIDTH, SINGLE_COLOUR

# Channels 0, 2, 5 are ghosts of one another, so are 1 and 6; 3 is null, 4 is alone.
GROUP = np.array([0, 1, 0, -1, 2, 0, 1])
# Of the channels that are not null, in their order: 0, 1, 2, 4, 5, 6.
TREE = np.array(
    [
        [0, 2, 0.02, 2],
        [1, 5, 0.03, 2],
        [6, 4, 0.05, 3],
        [3, 7, 0.6, 3],
        [9, 8, 0.8, 6],
    ]
)


@pytest.fixture
def similarity():
    same = np.equal.outer(GROUP, GROUP) & (GROUP >= 0)
    values = np.where(same, 0.97, 0.2)
    np.fill_diagonal(values, 1.0)
    values[3] = values[:, 3] = np.nan
    return xr.DataArray(
        values,
        dims=("channel", "other_channel"),
        attrs={"measure": "ssim", "time": 2, "name": "conv3.neuron"},
    )


@pytest.fixture
def groups():
    return xr.Dataset(
        {"group": ("channel", GROUP)},
        attrs={"threshold": 0.9, "n_groups": 3, "n_active": 6, "n_null": 1, "ghost_ratio": 0.5},
    )


def axes_of(figure):
    """Matrix, colour bar, strip of colours, tree."""
    return figure.axes


def test_channels_stand_in_the_order_of_the_tree(similarity, groups, assert_inside):
    figure = plot_ghost_heatmap(similarity, TREE, groups)
    ax, bar, strip, tree = axes_of(figure)
    # The last merge joins (4, (1, 6)) and ((0, 2), 5).
    order = [4, 1, 6, 0, 2, 5]
    assert [tick.get_text() for tick in ax.get_xticklabels()] == [str(c) for c in order]
    mesh = ax.collections[0]
    np.testing.assert_array_equal(
        np.asarray(mesh.get_array()).reshape(6, 6), similarity.to_numpy()[np.ix_(order, order)]
    )
    assert mesh.get_clim() == (0.0, 1.0)
    assert bar.get_ylabel() == "similarity (SSIM)"
    frames = [patch for patch in ax.patches if isinstance(patch, Rectangle)]
    assert [(frame.get_x(), frame.get_width()) for frame in frames] == [(1, 2), (3, 3)]
    assert [to_hex(frame.get_edgecolor()) for frame in frames] == [
        GROUP_COLOURS[1],
        GROUP_COLOURS[0],
    ]
    colours = [to_hex(colour) for (colour,) in strip.images[0].get_array()]
    assert colours == [SINGLE_COLOUR, *[GROUP_COLOURS[1]] * 2, *[GROUP_COLOURS[0]] * 3]
    assert tree.lines[0].get_xdata() == pytest.approx([0.1, 0.1])
    title = figure.texts[0].get_text()
    for fact in (
        *("conv3.neuron", "t = 2", "6 channels in 3 groups", "threshold 0.9"),
        *("ghost ratio 0.50", "1 null left out"),
    ):
        assert fact in title
    assert figure.get_size_inches()[0] == pytest.approx(COLUMN_WIDTH)
    assert_inside(figure)


def test_branches_join_at_their_distance(similarity, groups):
    tree = axes_of(plot_ghost_heatmap(similarity, TREE, groups))[3]
    (branches,) = [c for c in tree.collections if isinstance(c, LineCollection)]
    corners = np.array(branches.get_segments())
    np.testing.assert_allclose(corners[:, 1:3, 0], TREE[:, [2, 2]])
    # Leaves stand at 0.5, 1.5, ... in the order 4, 1, 6, 0, 2, 5, and have no height.
    np.testing.assert_allclose(corners[0], [[0, 3.5], [0.02, 3.5], [0.02, 4.5], [0, 4.5]])
    np.testing.assert_allclose(corners[2, 0], [0.02, 4.0])
    np.testing.assert_allclose(corners[2, 3], [0, 5.5])


def test_the_tree_is_scipys(groups):
    from scipy.cluster.hierarchy import leaves_list, linkage

    generator = np.random.default_rng(0)
    points = generator.normal(size=(40, 3))
    tree = linkage(points, "average")
    values = 1 - np.linalg.norm(points[:, None] - points, axis=-1) / 10
    similarity = xr.DataArray(values, dims=("channel", "other_channel"))
    alone = groups.isel(channel=[0] * 40).assign(group=("channel", np.arange(40)))
    figure = plot_ghost_heatmap(similarity, tree, alone)
    order = leaves_list(tree)
    shown = np.asarray(figure.axes[0].collections[0].get_array()).reshape(40, 40)
    np.testing.assert_array_equal(shown, values[np.ix_(order, order)])


def test_correlations_have_two_colours(similarity, groups):
    negative = similarity.where(similarity != 0.2, -0.3).assign_attrs(measure="pearson")
    negative[3] = negative[:, 3] = np.nan
    ax, bar, *_ = axes_of(plot_ghost_heatmap(negative, TREE, groups))
    assert ax.collections[0].get_clim() == (-1, 1)
    assert ax.collections[0].get_cmap().name == "RdBu_r"
    assert bar.get_ylabel() == "similarity (Pearson)"


def test_deep_trees_and_long_names_fit(assert_inside):
    n = 1500
    # A chain: every merge adds one channel.
    first = [0, *range(n, 2 * n - 2)]
    tree = np.column_stack([first, np.arange(1, n), np.linspace(0, 1, n - 1), np.arange(2, n + 1)])
    similarity = xr.DataArray(
        np.eye(n, dtype=np.float32),
        dims=("channel", "other_channel"),
        attrs={"name": "backbone.stage3.block11." * 5},
    )
    groups = xr.Dataset(
        {"group": ("channel", np.arange(n))}, attrs={"threshold": 0.99, "ghost_ratio": 0.0}
    )
    figure = plot_ghost_heatmap(similarity, tree, groups)
    assert figure.get_size_inches()[0] <= PAGE_WIDTH
    assert_inside(figure)


def test_one_channel_is_a_heat_map(similarity, groups, assert_inside):
    one = groups.assign(group=("channel", np.where(np.arange(7) == 4, 0, -1)))
    one.attrs["ghost_ratio"] = 0.0
    figure = plot_ghost_heatmap(similarity, np.zeros((0, 4)), one)
    assert "1 channel in 1 group" in figure.texts[0].get_text()
    assert_inside(figure)


def test_what_does_not_fit_is_told(similarity, groups, make_rates):
    with pytest.raises(UsageError, match=r"tree of 6 channels.* has 5 rows, got 4"):
        plot_ghost_heatmap(similarity, TREE[:4], groups)
    with pytest.raises(UsageError, match="have 7 and 5 channels"):
        plot_ghost_heatmap(similarity, TREE, groups.isel(channel=range(5)))
    silent = groups.assign(group=("channel", np.full(7, -1)))
    with pytest.raises(UsageError, match="all 7 channels are null"):
        plot_ghost_heatmap(similarity, np.zeros((0, 4)), silent)
    with pytest.raises(UsageError, match="got 7 of which 7 are null"):
        plot_ghost_groups(make_rates(7), silent)
    with pytest.raises(UsageError, match="group of 6 channels"):
        plot_ghost_groups(make_rates(6), groups)
    with pytest.raises(UsageError, match="need feature maps"):
        plot_ghost_groups(make_rates(7, None), groups)
    with pytest.raises(UsageError, match="timesteps 0 to 4"):
        plot_ghost_groups(make_rates(7), groups, 5)


def tiles(ax, n_columns_of_map):
    image = np.ma.filled(ax.images[0].get_array(), np.nan)
    return image[np.isfinite(image).any(axis=1)][:, np.isfinite(image).any(axis=0)]


def test_features_are_tiled_group_by_group(make_rates, groups, assert_inside):
    rates = make_rates(7, (4, 4), dead=(3,))
    ax = plot_ghost_groups(rates, groups, 2)
    words = [text.get_text() for text in ax.texts]
    assert [word for word in words if word.isdigit()] == ["0", "2", "5", "1", "6", "4"]
    assert [word for word in words if not word.isdigit()] == ["×3", "×2", "no ghost: 1"]
    colours = [to_hex(patch.get_edgecolor()) for patch in ax.patches]
    assert colours == list(GROUP_COLOURS[:2])
    widths = [patch.get_width() for patch in ax.patches]
    assert widths[0] > 1.4 * widths[1]
    number = {text.get_text(): text.get_position() for text in ax.texts}
    # The one without ghosts begins a new row.
    assert number["4"][1] > number["0"][1] + 0.2
    assert number["4"][0] == number["0"][0]
    assert number["6"][1] == number["0"][1]
    assert "1 null left out" in ax.get_title(loc="left")
    assert_inside(ax.figure)


def test_every_tile_is_its_channels_feature(make_rates, groups):
    rates = make_rates(7, (4, 4), dead=(3,))
    ax = plot_ghost_groups(rates, groups, 1)
    (image,) = ax.images
    pixels = np.ma.filled(image.get_array(), np.nan)
    left, right, *_ = image.get_extent()
    scale = pixels.shape[1] / (right - left)
    for text in ax.texts:
        if text.get_text().isdigit():
            x, y = text.get_position()
            # A little right of the number and below it lies the first cell.
            cell = pixels[int((y + 0.08) * scale), int((x + 0.03) * scale)]
            assert cell == rates["n_sfr"][1, int(text.get_text()), 0, 0]


@pytest.mark.parametrize(
    ("n_channels", "map_shape"), [(1, (8, 8)), (64, (8, 8)), (300, (4, 6)), (12, (2, 20))]
)
def test_frames_run_over_rows_and_nothing_is_cut_off(
    make_rates, assert_inside, n_channels, map_shape
):
    group = np.sort(np.arange(n_channels) % max(1, n_channels // 20))
    groups = xr.Dataset({"group": ("channel", group)}, attrs={"threshold": 0.9, "ghost_ratio": 0.9})
    ax = plot_ghost_groups(make_rates(n_channels, map_shape, 1), groups)
    assert len([text for text in ax.texts if text.get_text().isdigit()]) == n_channels
    assert ax.figure.get_size_inches()[0] <= PAGE_WIDTH
    assert_inside(ax.figure)


def curve(values, at=(0.0, 0.5, 0.9, 1.0)):
    return xr.Dataset({"ghost_ratio": ("threshold", list(values))}, {"threshold": list(at)})


def legend_of(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_ghost_ratios_are_lines_with_the_chosen_threshold(assert_inside):
    curves = {"SSIM": curve([1, 0.8, 0.31, 0]), "_Jaccard": curve([1, 0.5, np.nan, 0])}
    curves["coarse"] = curve([1, 0.2], (0.0, 1.0))
    ax = plot_ghost_ratio_curve(curves, threshold=0.9)
    lines = [line for line in ax.lines if len(line.get_xdata()) > 1]
    np.testing.assert_array_equal(lines[0].get_ydata(), [1, 0.8, 0.31, 0])
    assert "SSIM: 0.31" in legend_of(ax)
    assert "coarse" in legend_of(ax)
    assert len(legend_of(ax)) == 3
    assert ax.get_legend().get_title().get_text() == "ghost ratio at threshold 0.9"
    assert [line.get_xdata() for line in ax.lines if line.get_linestyle() == "--"] == [[0.9, 0.9]]
    assert_inside(ax.figure)
    plain = plot_ghost_ratio_curve({"SSIM": curve([1, 0.8, 0.31, 0])})
    assert legend_of(plain) == ["SSIM"]
    with pytest.raises(UsageError, match="at least one curve"):
        plot_ghost_ratio_curve({})


def test_many_curves_differ_and_fit(assert_inside):
    curves = {
        f"backbone.stage{i}.block.conv_bn_lif.neuron": curve([1, 0.8, 0.3, 0]) for i in range(9)
    }
    ax = plot_ghost_ratio_curve(curves, threshold=0.5)
    looks = {(line.get_color(), line.get_linestyle()) for line in ax.lines[:-1:2]}
    assert len(looks) == 9
    assert_inside(ax.figure)


def test_repeats_are_drawn_over_the_number_of_timesteps(assert_inside):
    ratio = [np.nan, 0.4, 0.7]
    dataset = xr.Dataset(
        {"temporal_ghost_ratio": ("n_timesteps", ratio)}, {"n_timesteps": [1, 2, 3]}
    )
    ax = plot_temporal_ghost_curve({"conv1": dataset, "silent": dataset * np.nan})
    assert ax.lines[0].get_xdata().tolist() == [1, 2, 3]
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), ratio)
    assert legend_of(ax) == ["conv1: 0.70", "silent"]
    assert_inside(ax.figure)


def test_timesteps_are_compared(assert_inside):
    values = np.array([[1.0, 0.4, np.nan], [0.4, 1.0, np.nan], [np.nan] * 3])
    cka = xr.DataArray(
        values, dims=("time", "other_time"), name="cka", attrs={"name": "conv3.neuron"}
    )
    ax = plot_temporal_similarity(cka)
    shown = ax.images[0].get_array()
    np.testing.assert_array_equal(np.ma.filled(shown, np.nan), values)
    assert ax.images[0].get_clim() == (0, 1)
    assert to_hex(ax.get_facecolor()) == SINGLE_COLOUR
    assert ax.child_axes[0].get_ylabel() == "linear CKA"
    assert "conv3.neuron" in ax.get_title(loc="left")
    assert_inside(ax.figure)
    of_layer = cka.to_dataset().assign_attrs(name="conv1.neuron")
    assert "conv1.neuron" in plot_temporal_similarity(of_layer).get_title(loc="left")
    assert plot_temporal_similarity(-cka).images[0].get_clim() == (-1, 1)
    assert_inside(plot_temporal_similarity(cka.where(False)).figure)
    with pytest.raises(UsageError, match="select one channel"):
        plot_temporal_similarity(cka.expand_dims(channel=2))
