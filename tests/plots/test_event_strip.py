from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from redundancy.errors import UsageError
from redundancy.plots import plot_event_strip
from redundancy.plots.events import colour_events, colour_images
from redundancy.plots.style import (
    BOTH_COLOUR,
    COLUMN_WIDTH,
    EVENT_BACKGROUND,
    OFF_COLOUR,
    ON_COLOUR,
    PAGE_WIDTH,
)

DIMS = ("time", "channel", "y", "x")


def frames(n_times=20, shape=(6, 9), **attrs):
    counts = np.random.default_rng(0).poisson(0.3, (n_times, 2, *shape))
    return xr.DataArray(counts.astype(np.float32), dims=DIMS, attrs=attrs)


def words(ax):
    return [text.get_text() for text in ax.texts]


def test_events_are_coloured_by_polarity():
    counts = np.zeros((1, 2, 1, 4))
    counts[0, 0, 0, [1, 3]] = 2
    counts[0, 1, 0, [2, 3]] = 1
    expected = [to_rgb(c) for c in (EVENT_BACKGROUND, OFF_COLOUR, ON_COLOUR, BOTH_COLOUR)]
    np.testing.assert_allclose(colour_events(counts)[0, 0, :, :3], expected)


def test_the_strip_spans_the_sample_and_tells_the_time():
    ax = plot_event_strip(frames(dt_ms=15.0))
    times = [0, 3, 5, 8, 11, 14, 16, 19]
    assert words(ax) == [f"t = {t}\n{15 * t}–{15 * (t + 1)} ms" for t in times]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["ON", "OFF", "both"]
    assert words(plot_event_strip(frames(), n_frames=2)) == ["t = 0", "t = 19"]


def test_the_image_holds_the_frames_asked_for():
    data = frames(5)
    ax = plot_event_strip(data, times=[3])
    image = ax.images[0].get_array()
    opaque = image[image[..., 3] > 0][:, :3]
    drawn, counts = np.unique(opaque, axis=0, return_counts=True)
    colours = colour_events(data.to_numpy()[[3]])[..., :3].reshape(-1, 3)
    expected, expected_counts = np.unique(colours, axis=0, return_counts=True)
    np.testing.assert_array_equal(drawn, expected)
    np.testing.assert_array_equal(counts, expected_counts * (len(opaque) // len(colours)))


@pytest.mark.parametrize(
    ("n_times", "shape", "width"),
    [(1, (128, 128), COLUMN_WIDTH), (8, (32, 32), PAGE_WIDTH), (20, (34, 34), PAGE_WIDTH)],
)
def test_nothing_is_cut_off(assert_inside, n_times, shape, width):
    ax = plot_event_strip(frames(n_times, shape, dt_ms=33.3), times=range(n_times))
    assert ax.figure.get_size_inches()[0] == pytest.approx(width)
    assert_inside(ax.figure)


def test_no_events_leave_the_background():
    ax = plot_event_strip(frames(3) * 0)
    image = ax.images[0].get_array()
    assert len(np.unique(image[image[..., 3] > 0], axis=0)) == 1


def test_a_given_axes_is_used():
    ax = Figure().subplots()
    assert plot_event_strip(frames(), ax=ax, title="walker 3") is ax
    assert ax.get_title(loc="left") == "walker 3"


def test_wrong_frames_are_told():
    with pytest.raises(UsageError, match=r"'sample': 1.*select one sample first"):
        plot_event_strip(frames().expand_dims("sample"))
    with pytest.raises(UsageError, match=r"two channels \(OFF, ON\)"):
        plot_event_strip(frames().isel(channel=[0, 1, 0, 1]))
    with pytest.raises(UsageError, match=r"timestep 20 .*'the input' has timesteps 0 to 19"):
        plot_event_strip(frames(), times=[20])


def images(n_times=4, n_channels=3):
    values = np.random.default_rng(0).normal(0, 1, (n_times, n_channels, 5, 6))
    return xr.DataArray(values.astype(np.float32), dims=DIMS)


@pytest.mark.parametrize("n_channels", [1, 3])
def test_images_are_drawn_from_their_least_value_to_their_greatest(n_channels):
    values = images(n_channels=n_channels).values
    pixels = colour_images(values)
    assert pixels.shape == (4, 5, 6, 4)
    assert (pixels[..., :3].min(), pixels[..., :3].max()) == (0, 1)
    assert (pixels[..., 3] == 1).all()
    expected = (values - values.min()) / (values.max() - values.min())
    for channel in range(3):
        np.testing.assert_allclose(
            pixels[..., channel], expected[:, channel % n_channels], atol=1e-6
        )
    assert (colour_images(np.full((1, 3, 2, 2), 7.0))[..., :3] == 0).all()


def test_a_static_image_is_drawn_once():
    static = images().isel(time=[0, 0, 0])
    ax = plot_event_strip(static)
    assert words(ax) == ["every t"]
    assert ax.get_legend() is None
    assert ax.get_title(loc="left") == "Input images"
    assert words(plot_event_strip(images())) == [f"t = {t}" for t in range(4)]


def test_frames_of_other_channels_are_refused():
    with pytest.raises(UsageError, match="one or three of an image"):
        plot_event_strip(images(n_channels=4))
