"""Which samples an accuracy rests on, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from redundancy.results import Results


def accuracy_basis(summary: Mapping[str, Any]) -> str:
    """Return what to read an accuracy with, such as "of 3 of 8 samples; 5 gave NaN".

    Parameters
    ----------
    summary : mapping
        :meth:`redundancy.results.Results.summary`.

    Returns
    -------
    str
        Empty where it rests on all samples, and no prediction is a tie.
    """
    words = []
    if summary["accuracy_samples"] < summary["n_samples"]:
        words.append(f"of {summary['accuracy_samples']} of {summary['n_samples']} samples")
    words += left_out(summary)
    if tied := summary["n_tied_predictions"]:
        words.append(f"for {tied} several classes share the highest score, and the first counts")
    return "; ".join(words)


def left_out(summary: Mapping[str, Any]) -> list[str]:
    """Return why samples are left out of an accuracy, and how many; see `accuracy_basis`."""
    reasons = (("n_not_finite_outputs", "gave NaN"), ("n_unlabelled", "have no label"))
    return [f"{summary[name]} {words}" for name, words in reasons if summary[name]]


def accuracy_notes(networks: Mapping[str, Results]) -> list[str]:
    """Return a sentence on each network whose accuracy does not rest on all samples alike."""
    notes = []
    for name, results in networks.items():
        summary = results.summary()
        basis = accuracy_basis(summary)
        if summary["accuracy"] is not None and basis:
            notes.append(f"Accuracy of {name}: {basis}.")
    return notes
