"""Pictures: labelled results in, matplotlib Axes and Figures out.

The functions select, sort and label; they do not compute, and they leave matplotlib's
global state alone.
"""

from redundancy.plots.energy_bars import plot_energy
from redundancy.plots.events import plot_event_strip
from redundancy.plots.figure_1 import figure_1
from redundancy.plots.figure_6 import figure_6
from redundancy.plots.figures import figure_2, figure_5, spike_feature_figure
from redundancy.plots.firing_rates import plot_channel_rates, plot_layer_rates, plot_t_sfr
from redundancy.plots.ghost_groups import plot_ghost_groups
from redundancy.plots.ghosts import plot_ghost_heatmap
from redundancy.plots.layer_results import LayerResults
from redundancy.plots.neuron_trace import plot_neuron_trace
from redundancy.plots.pattern_scatter import (
    pattern_scatter_figure,
    plot_ptd_against_rate,
    plot_variance_against_ptd,
)
from redundancy.plots.pattern_shares import plot_pattern_shares
from redundancy.plots.potential_axis import channel_threshold
from redundancy.plots.potential_mosaic import plot_potential_mosaic
from redundancy.plots.potential_over_time import plot_potential_over_time
from redundancy.plots.potentials import plot_membrane_potential_distribution
from redundancy.plots.quantization_error_bars import plot_quantization_error
from redundancy.plots.raster import plot_channel_raster
from redundancy.plots.saving import FORMATS, save_figure
from redundancy.plots.selection import (
    check_channel,
    check_layer,
    check_time,
    choose_pattern_channels,
    default_channels,
    default_layer,
    default_time,
    has_maps,
    times_to_show,
)
from redundancy.plots.similarity_curves import (
    plot_ghost_ratio_curve,
    plot_temporal_ghost_curve,
    plot_temporal_similarity,
)
from redundancy.plots.spike_features import plot_feature_mosaic, plot_feature_series
from redundancy.plots.style import COLUMN_WIDTH, PAGE_WIDTH, paper_style

__all__ = [
    "COLUMN_WIDTH",
    "FORMATS",
    "PAGE_WIDTH",
    "LayerResults",
    "channel_threshold",
    "check_channel",
    "check_layer",
    "check_time",
    "choose_pattern_channels",
    "default_channels",
    "default_layer",
    "default_time",
    "figure_1",
    "figure_2",
    "figure_5",
    "figure_6",
    "has_maps",
    "paper_style",
    "pattern_scatter_figure",
    "plot_channel_raster",
    "plot_channel_rates",
    "plot_energy",
    "plot_event_strip",
    "plot_feature_mosaic",
    "plot_feature_series",
    "plot_ghost_groups",
    "plot_ghost_heatmap",
    "plot_ghost_ratio_curve",
    "plot_layer_rates",
    "plot_membrane_potential_distribution",
    "plot_neuron_trace",
    "plot_pattern_shares",
    "plot_potential_mosaic",
    "plot_potential_over_time",
    "plot_ptd_against_rate",
    "plot_quantization_error",
    "plot_t_sfr",
    "plot_temporal_ghost_curve",
    "plot_temporal_similarity",
    "plot_variance_against_ptd",
    "save_figure",
    "spike_feature_figure",
    "times_to_show",
]
