"""Two or more networks side by side: what one does differently, layer by layer."""

from __future__ import annotations

from redundancy.comparison.matching import Match, match_layers
from redundancy.comparison.side_by_side import Comparison, compare

__all__ = ["Comparison", "Match", "compare", "match_layers"]
