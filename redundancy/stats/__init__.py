"""Statistics of recordings: one a file, each observed, merged and computed alike."""

from __future__ import annotations

from redundancy.stats.accuracy import Accuracy
from redundancy.stats.base import Statistic, merge
from redundancy.stats.bootstrap import PoissonBootstrap
from redundancy.stats.energy import SynapticOperations
from redundancy.stats.example_neuron import ExampleNeuron
from redundancy.stats.firing_rate import FiringRate, network_firing_rate
from redundancy.stats.input_events import InputEvents
from redundancy.stats.membrane_potential import MembranePotentialDistribution
from redundancy.stats.moments import Moments
from redundancy.stats.patterns import PatternRules, pattern_shares
from redundancy.stats.quantization_error import QuantizationError, network_quantization_error
from redundancy.stats.recording_accuracy import RecordingAccuracy
from redundancy.stats.spatial_rates import SpatialRates
from redundancy.stats.spike_gram import SpikeGram
from redundancy.stats.temporal import TemporalKernel

__all__ = [
    "Accuracy",
    "ExampleNeuron",
    "FiringRate",
    "InputEvents",
    "MembranePotentialDistribution",
    "Moments",
    "PatternRules",
    "PoissonBootstrap",
    "QuantizationError",
    "RecordingAccuracy",
    "SpatialRates",
    "SpikeGram",
    "Statistic",
    "SynapticOperations",
    "TemporalKernel",
    "merge",
    "network_firing_rate",
    "network_quantization_error",
    "pattern_shares",
]
