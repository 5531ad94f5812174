"""Accuracy and input statistics, worked by hand and merged."""

import numpy as np
import pytest
import xarray as xr

from redundancy.stats import Accuracy, InputEvents, merge


def root(predictions, labels):
    return xr.Dataset({"prediction": ("sample", predictions), "label": ("sample", labels)})


def test_accuracy_is_the_share_of_labelled_samples_that_are_right():
    first = Accuracy().observe(root([0, 1, 2], [0, 1, 1]))
    second = Accuracy().observe(root([5], [5]))
    assert float(Accuracy().compute(merge(first, second))["accuracy"]) == 0.75


def test_without_labels_there_is_no_accuracy():
    unlabelled = xr.Dataset({"prediction": ("sample", [0, 1])})
    assert np.isnan(Accuracy().compute(Accuracy().observe(unlabelled))["accuracy"])


def frames(values):
    return xr.Dataset({"frames": (("sample", "time", "channel", "y", "x"), values)})


def test_input_is_summed_and_its_density_counted():
    values = np.zeros((3, 2, 2, 2, 2), np.float32)
    values[0, 0, 1, 0, 0] = 4
    values[2, 1, 0, 1, 1] = 2
    state = merge(
        InputEvents().observe(frames(values[:1])), InputEvents().observe(frames(values[1:]))
    )
    result = InputEvents().compute(state)
    assert float(result["mean_frames"][0, 1, 0, 0]) == pytest.approx(4 / 3)
    assert float(result["input_density"]) == pytest.approx(2 / 48)
    np.testing.assert_array_equal(result["example_frames"], values[0])
