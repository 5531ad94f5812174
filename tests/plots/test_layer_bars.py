from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from matplotlib.colors import to_hex

from redundancy.errors import UsageError
from redundancy.plots import plot_energy, plot_pattern_shares, plot_quantization_error
from redundancy.plots.layer_bars import merged_order
from redundancy.plots.style import AC_COLOUR, COLUMN_WIDTH, MAC_COLOUR, PATTERN_COLOURS

VARIANTS = ("quantization_error", "quantization_error_scaled", "quantization_error_normalized")


def errors(*means):
    """Layers whose errors have these means over time and channel."""
    spread = np.array([[-0.01, 0.01], [0.0, 0.0]])
    return {
        f"conv{i}.neuron": xr.Dataset(dict.fromkeys(VARIANTS, (("time", "channel"), mean + spread)))
        for i, mean in enumerate(means)
    }


def table(names, acs, macs, convention="asa"):
    acs, macs = np.array(acs, float), np.array(macs, float)
    return xr.Dataset(
        {"acs": ("synapse", acs), "macs": ("synapse", macs)},
        {"synapse": names},
        {
            "e_ac": 0.9,
            "e_mac": 4.6,
            "convention": convention,
            "total_energy": float((0.9 * acs + 4.6 * macs).sum()),
        },
    )


def widths(container):
    return [bar.get_width() for bar in container]


def labels(ax):
    return [tick.get_text() for tick in ax.get_yticklabels()]


def legend_of(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_errors_of_two_networks_are_paired(assert_inside):
    networks = {
        name: xr.Dataset({"quantization_error": value})
        for name, value in (("vanilla", 0.158), ("ASA", 0.024))
    }
    ax = plot_quantization_error(
        {"vanilla": errors(0.3, 0.2), "ASA": errors(0.1, 0.05)}, networks=networks
    )
    vanilla, asa = ax.containers
    assert widths(vanilla) == pytest.approx([0.3, 0.2, 0.158])
    assert widths(asa) == pytest.approx([0.1, 0.05, 0.024])
    assert labels(ax) == ["conv0.neuron", "conv1.neuron", "network"]
    for first, second in zip(vanilla, asa, strict=True):
        assert first.get_y() + first.get_height() == pytest.approx(second.get_y())
    assert legend_of(ax) == ["vanilla", "ASA"]
    assert [text.get_text() for text in ax.texts][:3] == ["0.300", "0.200", "0.158"]
    assert ax.get_xlabel() == "QE, mean of $(U - S)^2$"
    assert ax.xaxis.label.get_parse_math()
    assert_inside(ax.figure)


def test_layers_that_a_network_lacks_are_blank():
    layers = {"a": errors(0.3, 0.2), "b": {"extra": errors(0.4)["conv0.neuron"]}}
    ax = plot_quantization_error(layers, variant="quantization_error_scaled")
    assert widths(ax.containers[1])[labels(ax).index("extra")] == pytest.approx(0.4)
    assert sum(text.get_text() == "" for text in ax.texts) == 3
    assert "V_{th} S" in ax.get_xlabel()


def test_one_network_needs_no_legend():
    ax = plot_quantization_error({"vanilla": errors(np.nan, 0.1)})
    assert ax.get_legend() is None
    assert widths(ax.containers[0]) == pytest.approx([0, 0.1])


@pytest.mark.parametrize("n_networks", [1, 2, 6])
def test_bars_fit(assert_inside, n_networks):
    names = [f"network {i} with a long name of many words" for i in range(n_networks)]
    layers = {
        f"backbone.stage3.block{i}.conv.neuron": e
        for i, e in enumerate(errors(*[0.1] * 9).values())
    }
    ax = plot_quantization_error(dict.fromkeys(names, layers))
    assert ax.figure.get_size_inches()[0] == COLUMN_WIDTH
    assert_inside(ax.figure)
    energies = table([f"conv{i}" for i in range(9)], np.full(9, 1e9), np.full(9, 1e8))
    assert_inside(plot_energy(dict.fromkeys(names, energies)).figure)


def test_wrong_errors_are_told():
    with pytest.raises(UsageError, match="quantization_error_normalized, got 'qe'"):
        plot_quantization_error({"a": errors(0.1)}, variant="qe")
    for nothing in ({}, {"a": {}}):
        with pytest.raises(UsageError, match="no layers to draw"):
            plot_quantization_error(nothing)
    with pytest.raises(UsageError, match="up to 6 networks side by side, got 7"):
        plot_quantization_error({str(i): errors(0.1) for i in range(7)})


def test_energy_is_stacked_by_operation(assert_inside):
    vanilla = table(["conv1", "conv2"], [0, 2e6], [1e6, 0])
    asa = table(["conv1", "conv1.attention", "conv2"], [0, 0, 1e6], [1e6, 5e5, np.nan])
    ax = plot_energy({"vanilla": vanilla, "ASA": asa})
    assert labels(ax) == ["conv1", "conv1.attention", "conv2"]
    ac, mac, asa_ac, asa_mac = ax.containers
    assert widths(ac) == pytest.approx([0, 1.8])
    assert widths(mac) == pytest.approx([4.6, 0])
    assert [bar.get_x() for bar in mac] == pytest.approx([0, 1.8])
    assert widths(asa_ac) == pytest.approx([0, 0, 0.9])
    assert to_hex(ac[0].get_facecolor()) == AC_COLOUR
    assert to_hex(mac[0].get_facecolor()) == MAC_COLOUR
    assert mac[0].get_hatch() != asa_mac[0].get_hatch()
    assert ax.get_xlabel() == "energy (µJ per sample)"
    assert "'asa'" in ax.get_title(loc="left")
    assert legend_of(ax)[:3] == ["AC", "MAC", "vanilla: 6.4 µJ in all"]
    assert [text.get_text() for text in ax.texts] == ["4.6", "1.8", "4.6", "2.3", "unknown"]
    assert_inside(ax.figure)


@pytest.mark.parametrize(
    ("acs", "unit", "width"),
    [(0, "pJ", 0), (100, "pJ", 90), (1e4, "nJ", 9), (1e7, "µJ", 9), (1e10, "mJ", 9)],
)
def test_units_fit_the_size(acs, unit, width):
    ax = plot_energy({"a": table(["conv"], [acs], [0])})
    assert ax.get_xlabel() == f"energy ({unit} per sample)"
    assert widths(ax.containers[0]) == pytest.approx([width])


def test_conventions_are_not_mixed():
    tables = {name: table(["conv"], [1], [1], name) for name in ("asa", "effective")}
    with pytest.raises(UsageError, match="one convention, got asa and effective"):
        plot_energy(tables)
    with pytest.raises(UsageError, match="no layers"):
        plot_energy({})


def test_layers_of_networks_merge_in_order():
    assert merged_order([["a", "b", "c"], ["a", "x", "b", "c", "y"]]) == ["a", "x", "b", "c", "y"]
    assert merged_order([["b"], ["a", "b"]]) == ["a", "b"]
    assert merged_order([["a"], []]) == ["a"]


@pytest.fixture
def shares():
    features = [[0.2, 0.5, 0.3, 0.0], [1.0, 0.0, 0.0, 0.0], [0.0, 0.25, 0.75, 0.0]]
    in_layer = [[0.0, 0.9, 0.1, 0.0], [0.0, 0.0, 0.0, 0.0], [0.0, 0.5, 0.5, 0.0]]
    dims = ("layer", "pattern")
    return xr.Dataset(
        {
            "feature_share": (dims, features),
            "layer_spike_share": (dims, in_layer),
            "spike_share": (dims, 0.5 * np.array(in_layer)),
        },
        {
            "layer": ["conv1.neuron", "conv2.neuron", "a" * 80],
            "pattern": ["null", "noise", "normal", "undecided"],
        },
        {"rule": "spatial"},
    )


@pytest.mark.parametrize("width", [3.3, 7.0])
def test_shares_fill_the_bars(shares, assert_inside, width):
    figure = plot_pattern_shares(shares, width=width)
    for ax, name in zip(figure.axes, ("feature_share", "layer_spike_share"), strict=True):
        assert [c.get_label() for c in ax.containers] == ["noise", "normal", "null"]
        for container in ax.containers:
            pattern = container.get_label()
            assert widths(container) == pytest.approx(shares[name].sel(pattern=pattern).to_numpy())
            assert to_hex(container[0].get_facecolor()) == PATTERN_COLOURS[pattern]
        end = [bar.get_x() + bar.get_width() for bar in ax.containers[-1]]
        assert end == pytest.approx(shares[name].sum("pattern").to_numpy())
    assert "none" in [text.get_text() for text in figure.axes[1].texts]
    words = [text.get_text() for text in figure.legends[0].get_texts()]
    assert words == ["noise: 70.0%", "normal: 30.0%", "null: 0.0%"]
    assert "spatial rule" in figure.get_suptitle()
    assert_inside(figure)


def test_no_layers_no_shares(shares):
    with pytest.raises(UsageError, match="the shares of patterns are empty"):
        plot_pattern_shares(shares.isel(layer=[]))
