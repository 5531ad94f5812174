"""Pictures: labelled results in, matplotlib Axes and Figures out.

The functions select, sort and label; they do not compute, and they leave matplotlib's
global state alone.
"""

from redundancy.plots.events import plot_event_strip
from redundancy.plots.figures import figure_2, figure_5, spike_feature_figure
from redundancy.plots.firing_rates import plot_channel_rates, plot_layer_rates, plot_t_sfr
from redundancy.plots.raster import plot_channel_raster
from redundancy.plots.saving import FORMATS, save_figure
from redundancy.plots.selection import (
    check_channel,
    check_layer,
    check_time,
    default_channels,
    default_layer,
    default_time,
    has_maps,
    times_to_show,
)
from redundancy.plots.spike_features import plot_feature_mosaic, plot_feature_series
from redundancy.plots.style import COLUMN_WIDTH, PAGE_WIDTH, paper_style

__all__ = [
    "COLUMN_WIDTH",
    "FORMATS",
    "PAGE_WIDTH",
    "check_channel",
    "check_layer",
    "check_time",
    "default_channels",
    "default_layer",
    "default_time",
    "figure_2",
    "figure_5",
    "has_maps",
    "paper_style",
    "plot_channel_raster",
    "plot_channel_rates",
    "plot_event_strip",
    "plot_feature_mosaic",
    "plot_feature_series",
    "plot_layer_rates",
    "plot_t_sfr",
    "save_figure",
    "spike_feature_figure",
    "times_to_show",
]
