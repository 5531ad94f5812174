from __future__ import annotations

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath

from redundancy.plots.cell_numbers import cell_for, font_size, number, write_numbers


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (0.001, ".00"),
        (0.125, ".12"),
        (0.5, ".50"),
        (0.999, "1.0"),
        (1, "1"),
        (2.5, "2.5"),
    ],
)
def test_numbers_are_short_and_exact_ends_are_told_apart(value, text):
    assert number(value) == text


@pytest.mark.parametrize("text", [".88", ".00", "1.0"])
def test_numbers_fit_their_cells(text):
    size = font_size(0.12)
    box = TextPath((0, 0), text, size=size, prop=FontProperties(family="DejaVu Sans")).get_extents()
    assert box.width < 0.12 * 72
    assert font_size(cell_for(5.0)) == pytest.approx(5.0)


def drawn(values):
    figure = Figure(figsize=(8, 8))
    ax = figure.add_axes((0, 0, 1, 1))
    ax.set_xlim(-1, values.shape[1])
    ax.set_ylim(-1, values.shape[0])
    y, x = np.mgrid[: values.shape[0], : values.shape[1]].astype(float)
    write_numbers(ax, x, y, values, 5.0)
    return ax


def test_few_numbers_are_texts_in_a_colour_that_contrasts():
    ax = drawn(np.array([[0.0, 0.5, 1.0]]))
    assert [text.get_text() for text in ax.texts] == ["0", ".50", "1"]
    light = [text.get_color() == "white" for text in ax.texts]
    assert light == [True, False, True]


def test_many_numbers_are_outlines_at_the_same_places():
    values = np.random.default_rng(0).integers(0, 101, (40, 40)) / 100
    ax = drawn(values)
    assert not ax.texts
    labels = {c.get_label().removeprefix("number "): c for c in ax.collections}
    assert set(labels) == {number(value) for value in values.ravel()}
    offsets = labels[".50"].get_offsets()
    np.testing.assert_array_equal(
        sorted(map(tuple, offsets)), sorted((x, y) for y, x in np.argwhere(values == 0.5))
    )


def test_outlines_really_mark_the_page():
    ax = drawn(np.full((40, 40), 0.5))
    ax.set_axis_off()
    canvas = FigureCanvasAgg(ax.figure)
    canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba())[..., :3].min(axis=2)
    x, y = ax.transData.transform((20, 20)).astype(int)
    around = pixels[pixels.shape[0] - y - 4 : pixels.shape[0] - y + 4, x - 6 : x + 6]
    assert around.min() < 120
