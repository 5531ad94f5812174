"""A generated event-camera gait dataset; see `dataset.SyntheticGait`."""

from redundancy.datasets.synthetic_gait.dataset import SyntheticGait, SyntheticGaitArguments

__all__ = ["SyntheticGait", "SyntheticGaitArguments"]
