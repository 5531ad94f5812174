from __future__ import annotations

import time

import matplotlib
import pytest
from matplotlib.figure import Figure

from redundancy.errors import UsageError
from redundancy.plots import figure_2, paper_style, plot_feature_mosaic, save_figure


def test_each_format_is_written_under_its_name(tmp_path, layers, network):
    figure = figure_2(layers, network)
    paths = save_figure(figure, tmp_path / "new" / "conv3.neuron_t10", ["png", "pdf", "svg"])
    assert [path.name for path in paths] == [
        f"conv3.neuron_t10.{suffix}" for suffix in ("png", "pdf", "svg")
    ]
    png, pdf, svg = (path.read_bytes() for path in paths)
    assert png.startswith(b"\x89PNG")
    assert pdf.startswith(b"%PDF")
    # Text stays text, and fonts are embedded as TrueType.
    assert b"N-SFR (spikes per sample)</text>" in svg
    assert b"/FontFile2" in pdf
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == sorted(
        path.name for path in paths
    )


def test_png_has_200_dots_per_inch(tmp_path):
    figure = Figure(figsize=(2, 1))
    (path,) = save_figure(figure, tmp_path / "blank")
    header = path.read_bytes()[16:24]
    assert (int.from_bytes(header[:4]), int.from_bytes(header[4:])) == (400, 200)


def test_files_are_the_same_every_time(tmp_path, make_rates):
    rates = make_rates()
    formats = ["png", "pdf", "svg"]
    first = save_figure(plot_feature_mosaic(rates).figure, tmp_path / "a", formats)
    time.sleep(1.1)
    second = save_figure(plot_feature_mosaic(rates).figure, tmp_path / "b", formats)
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes()


def test_an_unknown_format_is_told(tmp_path):
    with pytest.raises(UsageError, match="png, pdf, svg, not as 'jpg'"):
        save_figure(Figure(), tmp_path / "x", ["png", "jpg"])
    with pytest.raises(UsageError, match="at least one format"):
        save_figure(Figure(), tmp_path / "x", [])
    assert not list(tmp_path.iterdir())


def test_a_failed_save_leaves_the_old_file_and_no_other(tmp_path):
    (path,) = save_figure(Figure(figsize=(1, 1)), tmp_path / "x")
    before = path.read_bytes()
    broken = Figure(figsize=(1, 1))
    # Fails while drawing, when the file may be open already.
    broken.text(0.5, 0.5, r"$\nosuchcommand$")
    with pytest.raises(ValueError, match="nosuchcommand"):
        save_figure(broken, tmp_path / "x")
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_the_style_ends_with_its_block_even_after_an_error():
    before = dict(matplotlib.rcParams)

    @paper_style()
    def fail() -> None:
        assert matplotlib.rcParams["pdf.fonttype"] == 42
        assert matplotlib.rcParams["svg.fonttype"] == "none"
        raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert dict(matplotlib.rcParams) == before


def test_a_layer_name_is_never_read_as_a_formula(tmp_path, make_rates):
    ax = plot_feature_mosaic(make_rates(name="blocks.$1$.conv_2.neuron^3"))
    assert ax.get_title(loc="left").startswith("blocks.$1$.conv_2.neuron^3")
    (path,) = save_figure(ax.figure, tmp_path / "x", ["svg"])
    assert "blocks.$1$.conv_2.neuron^3</text>" in path.read_text(encoding="utf-8")
