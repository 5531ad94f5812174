"""Where the spikes of a trained spiking neural network go, and which are wasted."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from redundancy.version import __version__

if TYPE_CHECKING:
    from redundancy.analysis import analyze
    from redundancy.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
    from redundancy.comparison import Comparison, compare
    from redundancy.datasets import build_dataset
    from redundancy.errors import RedundancyError
    from redundancy.networks import build_network
    from redundancy.observation import AnalysisOptions
    from redundancy.recording import Recorder
    from redundancy.recordings import RecordingFile, open_recording, write_recording
    from redundancy.results import Results
    from redundancy.results_file import load_results
    from redundancy.stats import PatternRules

_HOMES = {
    "AnalysisOptions": "observation",
    "Checkpoint": "checkpoint",
    "Comparison": "comparison",
    "PatternRules": "stats",
    "Recorder": "recording",
    "RecordingFile": "recordings",
    "RedundancyError": "errors",
    "Results": "results",
    "analyze": "analysis",
    "build_dataset": "datasets",
    "build_network": "networks",
    "compare": "comparison",
    "load_checkpoint": "checkpoint",
    "load_results": "results_file",
    "open_recording": "recordings",
    "save_checkpoint": "checkpoint",
    "write_recording": "recordings",
}


def __getattr__(name: str) -> Any:
    # Importing the package stays cheap: torch and xarray come with what needs them.
    if name in _HOMES:
        return getattr(import_module(f"redundancy.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'redundancy' has no attribute {name!r}")


__all__ = [
    "AnalysisOptions",
    "Checkpoint",
    "Comparison",
    "PatternRules",
    "Recorder",
    "RecordingFile",
    "RedundancyError",
    "Results",
    "__version__",
    "analyze",
    "build_dataset",
    "build_network",
    "compare",
    "load_checkpoint",
    "load_results",
    "open_recording",
    "save_checkpoint",
    "write_recording",
]
