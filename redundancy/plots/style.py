"""The look of all figures: sizes, colours and a style that leaves nothing behind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib

# Widths of a printed column and of a printed page, in inches.
COLUMN_WIDTH = 3.3
PAGE_WIDTH = 7.0

# Font sizes in points, at printed size.
TITLE_SIZE = 8.0
LABEL_SIZE = 7.0
TICK_SIZE = 6.0
CHANNEL_LABEL_SIZE = 5.5
MIN_NUMBER_SIZE = 4.6
MIN_FORCED_NUMBER_SIZE = 4.0

# Firing rates run from 0 (blue) to 1 (red).
RATE_COLOUR_MAP = "RdBu_r"
RATE_RANGE = (0.0, 1.0)

# Event frames.
ON_COLOUR = "#d62728"
OFF_COLOUR = "#2ca02c"
BOTH_COLOUR = "#5a3a12"
EVENT_BACKGROUND = "#ececec"

TEXT_COLOUR = "#222222"
NULL_COLOUR = "#a3a3a3"
NETWORK_COLOUR = "#111111"
BAR_COLOUR = "#6f8fbf"
LAYER_COLOUR_MAP = "viridis"
# One colour for each row of chosen channels, and for its frame in the mosaic.
PICK_COLOURS = ("#e07b00", "#008a5e", "#8e44ad", "#b5006e", "#5b6f00", "#444444")

# Membrane potential distributions.
POTENTIAL_COLOUR = "#cdbfeb"
POTENTIAL_EDGE_COLOUR = "#8a70c4"
POTENTIAL_COLOUR_MAP = "Purples"
THRESHOLD_COLOUR = "#d62728"
RESET_COLOUR = "#6b6b6b"

# Spike patterns, told apart by the colour-blind too; in the order of figures.
PATTERN_COLOURS = {
    "noise": "#d55e00",
    "normal": "#0072b2",
    "null": "#a3a3a3",
    "undecided": "#cc79a7",
}
PATTERN_MARKERS = {"noise": "^", "normal": "o", "null": "X", "undecided": "s"}

# Networks side by side, groups of ghost features, and features that have no ghost.
NETWORK_COLOURS = ("#7f8fa9", "#e08e45", "#4f9d69", "#a05fa5", "#c9b458", "#5ab4d6")
GROUP_COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9", "#8c6d1f")
SINGLE_COLOUR = "#b8b8b8"
# Accumulations (additions only) and multiply-accumulations.
AC_COLOUR = "#56b4e9"
MAC_COLOUR = "#c1440e"

_STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": LABEL_SIZE,
    "text.color": TEXT_COLOUR,
    "axes.labelcolor": TEXT_COLOUR,
    "axes.titlesize": TITLE_SIZE,
    "axes.titleweight": "normal",
    "axes.labelsize": LABEL_SIZE,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.facecolor": "white",
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "savefig.edgecolor": "white",
    "savefig.transparent": False,
    "savefig.bbox": None,
    "savefig.pad_inches": 0.1,
    "xtick.labelsize": TICK_SIZE,
    "ytick.labelsize": TICK_SIZE,
    "xtick.color": TEXT_COLOUR,
    "ytick.color": TEXT_COLOUR,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "legend.fontsize": TICK_SIZE,
    "legend.frameon": False,
    "lines.linewidth": 1.0,
    "text.usetex": False,
    # Names of layers may hold dollar signs.
    "text.parse_math": False,
    # Embedded TrueType fonts, and text that stays text.
    "pdf.fonttype": 42,
    "ps.fonttype": 42,
    "svg.fonttype": "none",
    # Without a salt every SVG gets random identifiers.
    "svg.hashsalt": "redundancy",
}


@contextmanager
def paper_style() -> Iterator[None]:
    """Apply the look of the figures inside a ``with`` block, and only there.

    Matplotlib's global ``rcParams`` are as before once the block is left, also
    after an exception. Every plot function of this package uses it by itself.
    """
    with matplotlib.rc_context(_STYLE):
        yield
