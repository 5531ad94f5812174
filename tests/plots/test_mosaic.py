from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure

from redundancy.plots.mosaic import assemble, centres, choose_grid, show_maps

grids = st.fixed_dictionaries(
    {
        "n_maps": st.integers(1, 300),
        "map_shape": st.tuples(st.integers(1, 40), st.integers(1, 40)),
        "width": st.floats(1.0, 8.0),
        "height": st.floats(1.0, 6.0),
        "grow": st.booleans(),
    }
)


def grid_of(options):
    options = dict(options)
    return choose_grid(options.pop("n_maps"), options.pop("map_shape"), **options)


@settings(max_examples=60, deadline=None)
@given(options=grids)
def test_every_map_lies_in_the_image_whole_and_apart(options):
    grid = grid_of(options)
    covered = np.zeros(grid.shape, dtype=int)
    for index in range(grid.n_maps):
        top, left = grid.corner(index)
        height, width = grid.map_height * grid.repeat, grid.map_width * grid.repeat
        assert top + height <= grid.shape[0]
        assert left + width < grid.shape[1]
        covered[top : top + height, left : left + width + 1] += 1
    assert covered.max() == 1


@settings(max_examples=60, deadline=None)
@given(options=grids)
def test_a_grid_that_may_not_grow_stays_in_its_box(options):
    grid = grid_of(options | {"grow": False, "height": 5.0, "width": 6.0})
    width, height = grid.size
    assert width <= 6.0 + 1e-9
    assert height <= 5.0 + 1e-9


@pytest.mark.parametrize(("n_maps", "shape"), [(128, (8, 8)), (64, (32, 32)), (256, (4, 4))])
def test_usual_layers_fill_their_rows(n_maps, shape):
    grid = choose_grid(n_maps, shape, width=6.1, height=4.6)
    assert grid.n_columns * grid.n_rows - n_maps <= 4
    assert grid.size[0] <= 6.1 + 1e-9
    assert grid.size[1] <= 4.8


@settings(max_examples=30, deadline=None)
@given(options=grids, seed=st.integers(0, 9))
def test_the_image_holds_each_cell_where_its_centre_is(options, seed):
    grid = grid_of(options | {"n_maps": min(options["n_maps"], 20)})
    maps = np.random.default_rng(seed).random((grid.n_maps, grid.map_height, grid.map_width))
    image = assemble(maps, grid)
    for index in range(grid.n_maps):
        x, y = centres(grid, index)
        rows, columns = (y / grid.pixel).astype(int), (x / grid.pixel).astype(int)
        np.testing.assert_array_equal(image[rows, columns], maps[index])
    assert np.isfinite(image).sum() == maps.size * grid.repeat**2


def test_one_unit_is_one_inch():
    figure = Figure(figsize=(5, 3))
    ax = figure.add_axes((0, 0, 1, 1))
    show_maps(ax, np.zeros((4, 8, 8)), choose_grid(4, (8, 8), width=5, height=3, grow=False))
    assert ax.get_xlim() == (0, 5)
    assert ax.get_ylim() == (3, 0)
