"""Statistics of recordings: one a file, each observed, merged and computed alike."""

from __future__ import annotations

from redundancy.stats.accuracy import Accuracy
from redundancy.stats.base import Statistic, merge
from redundancy.stats.firing_rate import FiringRate, network_firing_rate
from redundancy.stats.input_events import InputEvents

__all__ = [
    "Accuracy",
    "FiringRate",
    "InputEvents",
    "Statistic",
    "merge",
    "network_firing_rate",
]
