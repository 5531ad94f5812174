"""Accuracy over recordings: worked by hand, against a plain count, and in any batches."""

import itertools

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from redundancy.stats import Accuracy, RecordingAccuracy, merge


def root(right, recordings):
    """A recording's root: a clip is labelled 1, and predicted as 1 where it is right."""
    return xr.Dataset(
        {
            "prediction": ("sample", np.array(right, np.int64)),
            "label": ("sample", np.ones(len(right), np.int64)),
            "recording": ("sample", np.array(recordings, np.int64)),
        }
    )


def computed(state):
    result = RecordingAccuracy().compute(state)
    return float(result["recording_accuracy"]), int(result["n_recordings"])


def test_more_than_half_of_the_clips_must_be_right():
    recordings = np.repeat([0, 1, 2], 4)
    right = [1, 1, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0]  # 2, 3 and 0 of 4
    assert computed(RecordingAccuracy().observe(root(right, recordings))) == (1 / 3, 3)


@pytest.mark.parametrize(("n_right", "counts"), [(5, 0.0), (6, 1.0)])
def test_five_of_ten_are_not_enough(n_right, counts):
    right = [1] * n_right + [0] * (10 - n_right)
    assert computed(RecordingAccuracy().observe(root(right, [7] * 10))) == (counts, 1)


def test_a_recording_split_over_batches_is_one():
    right, recordings = [1, 0, 1, 1, 0, 0], [3, 3, 3, 4, 4, 4]
    state = RecordingAccuracy().observe(root(right[:2], recordings[:2]))
    # By itself the first batch would say that recording 3 is wrong.
    assert computed(state) == (0.0, 1)
    for part in (slice(2, 4), slice(4, 6)):
        state = merge(state, RecordingAccuracy().observe(root(right[part], recordings[part])))
    assert state["recording"].values.tolist() == [3, 4]
    assert state["n_clips"].values.tolist() == [3, 3]
    assert state["n_clips_correct"].values.tolist() == [2, 1]
    assert state["n_clips"].dtype == state["n_clips_correct"].dtype == np.int64
    assert computed(state) == (0.5, 2)


@settings(deadline=None, max_examples=60)
@given(
    clips=st.lists(st.tuples(st.booleans(), st.integers(0, 6)), min_size=1, max_size=30),
    cuts=st.lists(st.integers(1, 29), max_size=5, unique=True),
    backwards=st.booleans(),
)
def test_any_batches_in_any_order_count_as_a_plain_loop_does(clips, cuts, backwards):
    edges = [0, *sorted(cut for cut in cuts if cut < len(clips)), len(clips)]
    right, recordings = zip(*clips, strict=True)
    parts = [
        RecordingAccuracy().observe(root(right[a:b], recordings[a:b]))
        for a, b in itertools.pairwise(edges)
    ]
    state, *others = reversed(parts) if backwards else parts
    for other in others:
        state = merge(state, other)
    xr.testing.assert_identical(state, RecordingAccuracy().observe(root(right, recordings)))
    n_right = 0
    for recording in set(recordings):
        own = [r for r, number in clips if number == recording]
        n_right += sum(own) > len(own) / 2
    accuracy, n_recordings = computed(state)
    assert n_recordings == len(set(recordings))
    assert accuracy == pytest.approx(n_right / n_recordings)


@pytest.mark.parametrize("missing", ["prediction", "label", "recording"])
def test_without_recordings_labels_or_predictions_there_is_none(missing):
    state = RecordingAccuracy().observe(root([1, 0], [0, 0]).drop_vars(missing))
    assert not any(variable.size for variable in state.variables.values())
    accuracy, n_recordings = computed(merge(state, state))
    assert np.isnan(accuracy)
    assert n_recordings == 0


def test_labelled_sums_merge_beside_others():
    def state(right, recordings):
        node = root(right, recordings)
        return Accuracy().observe(node).assign(RecordingAccuracy().observe(node))

    merged = merge(state([1, 1], [0, 0]), state([0], [2]))
    assert (int(merged["n_correct"]), int(merged["n_labelled"])) == (2, 3)
    assert computed(merged) == (0.5, 2)
    assert merged["n_clips"].attrs["merge"] == "sum-by-label"
