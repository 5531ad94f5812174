"""Accuracy rests on samples with a label and a prediction, and says on how many."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from spikingjelly.activation_based import neuron
from torch import nn

from redundancy import schema
from redundancy.analysis import analyze
from redundancy.comparison import compare
from redundancy.datasets import build_dataset
from redundancy.errors import DataError, RecordingError, UsageError
from redundancy.observation import AnalysisOptions
from redundancy.report.text import results_text
from redundancy.sharding.merging import merge_results
from redundancy.sharding.plan import Part
from redundancy.tables import table_1
from tests.toy import ToyDataset

OPTIONS = AnalysisOptions(n_replicates=20)
N = 8


class Poisoned(nn.Module):
    """Three scores, which one pixel of the first frame can spoil."""

    def __init__(self, value: float = float("nan")) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.value = value
        self.linear = nn.Linear(2 * 8 * 8, 3)
        self.fire = neuron.IFNode(v_threshold=0.2, step_mode="m")

    def forward(self, x):
        scores = self.fire(self.linear(x.flatten(2))).sum(0)
        # So that no two classes ever have the same score.
        scores = scores + torch.tensor([0.1, 0.2, 0.3])
        return torch.where(x[0, :, 0, 0, :1] >= 99, self.value, scores)


def toy(n_poisoned: int = 0, labels=None, **others) -> ToyDataset:
    """Return eight samples of which the first so many give no finite scores."""
    dataset = ToyDataset(N, **others)
    dataset.frames[:n_poisoned, 0, 0, 0, 0] = 99
    if labels is not None:
        dataset.labels = np.asarray(labels)
    return dataset


def run(dataset, network=None, **others):
    return analyze(network or Poisoned(), dataset, batch_size=3, options=OPTIONS, **others)


def shown(results) -> str:
    return next(line for line in results_text(results).splitlines() if "accuracy" in line)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_an_output_that_is_no_number_predicts_nothing(value):
    results, sound = run(toy(5), Poisoned(value)), run(toy())
    summary = results.summary()
    assert (summary["accuracy_samples"], summary["n_not_finite_outputs"]) == (3, 5)
    state = sound.tree.to_dataset()
    assert int(state[schema.N_LABELLED]) == N
    # The three that are left are judged as ever.
    alone = toy()
    alone.frames, alone.labels = alone.frames[5:], alone.labels[5:]
    assert results.accuracy == run(alone).accuracy
    assert shown(results).endswith(f"{100 * results.accuracy:.1f} % of 3 of 8 samples; 5 gave NaN")
    assert shown(sound).endswith(f"{100 * sound.accuracy:.1f} %")


def test_a_network_that_never_gives_a_number_is_refused():
    with pytest.raises(RecordingError, match="NaN or infinite for all 8 samples"):
        run(toy(N))


def test_samples_without_a_label_are_left_out():
    labels = [-1, 1, 2, -1, 1, 2, 0, 1]
    results = run(toy(0, labels))
    assert results.summary()["n_unlabelled"] == 2
    assert shown(results).endswith("% of 6 of 8 samples; 2 have no label")
    both = run(toy(2, labels))
    assert shown(both).endswith("% of 5 of 8 samples; 2 gave NaN; 1 have no label")
    none = run(toy(0, [-1] * N))
    assert none.summary()["accuracy"] is None
    assert shown(none).endswith("unknown (no labels)")
    mixed = run(toy(3, [0, 1, 2, -1, -1, -1, -1, -1]))
    assert shown(mixed).endswith("unknown (3 gave NaN, 5 have no label)")


def test_an_output_without_scores_is_no_lack_of_labels():
    class Silent(Poisoned):
        def forward(self, x):
            return super().forward(x).sum()

    assert "no score a class" in shown(run(toy(), Silent()))


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 1, 3, 0, 1, 2, 0, 1], "1 of 3 samples a label that is no class, the first 3"),
        ([0, -2, 1, 0, 1, 2, 0, 1], "the first -2"),
        ([0, -100, 1, 0, 1, 2, 0, 1], "the first -100.*-1 for a sample without a label"),
        ([0, 1.5, 1, 0, 1, 2, 0, 1], "1 of 3 samples labels that are no whole numbers.* 1.5"),
        ([0, np.nan, 1, 0, 1, 2, 0, 1], "no whole numbers, the first nan"),
        (list("abcabcab"), r"3 labels that are no numbers \(<U1\), the first .*'a'"),
        (np.array([None] * N), "are no numbers"),
        (np.eye(3)[np.arange(N) % 3], r"labels of shape \(3, 3\), as one-hot labels have"),
        ([0, 1], r"labels of shape \(2,\), expected one for each of the 3 samples"),
        (np.zeros(N, complex), "no numbers"),
        (np.full(N, 2**63, np.uint64), "no class|no whole"),
    ],
)
def test_labels_that_are_no_classes_are_refused(labels, message):
    with pytest.raises(DataError, match=rf"dataset 'toy': batch\(0, 3\) gave .*{message}"):
        run(toy(0, labels))


@pytest.mark.parametrize("kind", [np.uint8, np.int32, np.float64, bool])
def test_labels_of_any_type_of_whole_numbers_are_the_same(kind):
    labels = np.array([0, 1, 0, 1, 1, 0, 1, 0])
    assert run(toy(0, labels.astype(kind))).accuracy == run(toy(0, labels)).accuracy


def test_labels_that_the_network_has_no_output_for_are_refused():
    dataset = ToyDataset(N, n_classes=4)
    with pytest.raises(DataError, match=r"sample 3 has label 3, but the network has 3 outputs"):
        analyze(Poisoned(), dataset, batch_size=N, options=OPTIONS)


def test_labels_of_some_batches_only():
    class Forgetful(ToyDataset):
        def batch(self, start, stop):
            if start >= 3:
                self.labels = None
            return super().batch(start, stop)

    with pytest.raises(DataError, match=r"batch\(3, 6\) gave no labels, but .* 3 classes"):
        run(Forgetful(N))
    undeclared = Forgetful(N)
    undeclared.n_classes = None
    assert shown(run(undeclared)).endswith("% of 3 of 8 samples; 5 have no label")


def test_ties_are_counted():
    class Level(Poisoned):
        def forward(self, x):
            return super().forward(x) * 0

    results = run(toy(), Level())
    assert results.summary()["n_tied_predictions"] == N
    assert "; for 8 several classes share the highest score" in shown(results)
    assert run(toy()).summary()["n_tied_predictions"] == 0


def test_parts_and_resampled_accuracies_add_up(tmp_path):
    dataset = toy(4, [0, -1, 2, 0, 1, 2, -1, 1])
    whole = run(dataset)
    # A checkpoint's identity is what parts are told by.
    parts = {}
    for index in (1, 2):
        part = run(dataset, part=Part(index, 2))
        part.tree.attrs[schema.CHECKPOINT_SHA256] = "a"
        parts[str(index)] = part
    merged = merge_results(parts)
    for name in (schema.N_NOT_FINITE, schema.N_UNLABELLED, schema.N_LABELLED, schema.N_CORRECT):
        assert int(merged.tree[name]) == int(whole.tree[name])
    replicates = whole.replicates[schema.ACCURACY]
    assert np.nanmax(replicates) <= 1
    del parts["2"].tree[schema.N_NOT_FINITE]
    with pytest.raises(UsageError, match="2 was analysed by an older version"):
        merge_results(parts)


def test_tables_and_comparisons_say_it_too():
    networks = {"spoilt": run(toy(5)), "sound": run(toy())}
    said = "Accuracy of spoilt: of 3 of 8 samples; 5 gave NaN."
    comparison = compare(networks)
    assert said in comparison.notes
    assert "So changes of accuracy are not between the same samples." in comparison.notes
    assert said in table_1(networks).attrs["notes"]


def test_older_results_without_the_counts_still_show():
    results = run(toy())
    for name in (schema.N_NOT_FINITE, schema.N_UNLABELLED, schema.N_TIED):
        del results.tree[name]
    summary = results.summary()
    assert summary["n_not_finite_outputs"] is None
    assert shown(results).endswith(f"{100 * results.accuracy:.1f} %")


def test_a_file_of_frames_may_lack_labels_too(tmp_path):
    frames = np.ones((3, 2, 2, 4, 4), np.uint8)
    np.savez(tmp_path / "a.npz", frames=frames, labels=[0, -1, 2])
    dataset = build_dataset(f"frames:{tmp_path / 'a.npz'}")
    assert dataset.n_classes == 3
    np.savez(tmp_path / "b.npz", frames=frames, labels=["a", "b", "c"])
    with pytest.raises(DataError, match=r"'labels' must be .* got 3 that are no numbers"):
        build_dataset(f"frames:{tmp_path / 'b.npz'}")
