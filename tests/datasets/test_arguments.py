from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from redundancy.datasets import DATASETS, build_dataset, dataset_entries
from redundancy.datasets.arguments import argument_values, parse_arguments, parse_size
from redundancy.datasets.nmnist import NMNISTArguments
from redundancy.datasets.synthetic_gait import SyntheticGaitArguments
from redundancy.errors import UsageError


def parse(**given):
    return parse_arguments(SyntheticGaitArguments, given, "synthetic-gait")


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("n_timesteps", "12", 12),
        ("n_timesteps", 12.0, 12),
        ("n_timesteps", np.int64(12), 12),
        ("dt_ms", "2.5", 2.5),
        ("dt_ms", 3, 3.0),
        ("dt_ms", "none", None),
        ("dt_ms", None, None),
        ("binary", "true", True),
        ("binary", "0", False),
        ("binary", np.bool_(True), True),
        ("downsample", "None", None),
        ("size", (16, 8), "16x8"),
        ("size", [16, 8], "16x8"),
        ("size", 16, "16"),
    ],
)
def test_values_and_text_become_the_declared_type(name, value, expected):
    got = getattr(parse(**{name: value}), name)
    assert got == expected
    assert type(got) is type(expected)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("n_timesteps", "many"),
        ("n_timesteps", 2.5),
        ("n_timesteps", True),
        ("n_timesteps", None),
        ("dt_ms", "nan"),
        ("dt_ms", True),
        ("binary", "perhaps"),
        ("binary", 1),
        ("size", 1.5),
        ("size", True),
    ],
)
def test_a_wrong_type_is_refused_with_the_known_arguments(name, value):
    with pytest.raises(UsageError, match=rf"{name}.*must be.*n_classes \(int, default 10\)"):
        parse(**{name: value})


def test_an_unknown_argument_is_refused_with_the_known_ones():
    with pytest.raises(
        UsageError, match=r"no argument 'colour'.*dt_ms \(float or None, default 30"
    ):
        build_dataset("synthetic-gait", colour="red")


def test_a_size_replaces_the_default_factor_but_not_a_given_one():
    assert parse(size="8x8").downsample is None
    with pytest.raises(UsageError, match="either downsample or size"):
        build_dataset("synthetic-gait", size="8x8", downsample=4)


@pytest.mark.parametrize(
    ("text", "size"), [("16x8", (16, 8)), ("16,8", (16, 8)), ("(16, 8)", (16, 8)), ("9", (9, 9))]
)
def test_sizes(text, size):
    assert parse_size(text) == size


@given(st.text(max_size=12))
def test_any_text_is_a_size_or_one_error(text):
    try:
        height, width = parse_size(text)
    except UsageError:
        return
    assert min(height, width) >= 0


@given(
    st.dictionaries(
        st.sampled_from(["n_timesteps", "dt_ms", "binary", "size", "downsample", "other"]),
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    )
)
def test_whatever_is_given_comes_out_typed_or_as_a_usage_error(given):
    try:
        arguments = parse_arguments(NMNISTArguments, given, "nmnist")
    except UsageError:
        return
    again = parse_arguments(NMNISTArguments, argument_values(arguments), "nmnist")
    assert again == arguments
    assert (
        parse_arguments(
            NMNISTArguments, {k: str(v) for k, v in argument_values(arguments).items()}, "nmnist"
        )
        == arguments
    )


@pytest.mark.parametrize(
    ("spec", "split", "message"),
    [
        ("gait", "test", "no dataset named 'gait'; known: .*frames, .*nmnist, .*synthetic-gait"),
        ("synthetic-gait:here", "test", "takes no location"),
        ("nmnist", "test", "nmnist:FOLDER"),
        ("frames:", "test", "frames:FILE.npz"),
        ("synthetic-gait", "val", "split must be train or test"),
        ("nmnist:x", "all", "split must be train or test"),
        ("frames:x", "val", "split must be train or test or all"),
    ],
)
def test_a_wrong_name_location_or_split_says_what_is_expected(spec, split, message):
    with pytest.raises(UsageError, match=message):
        build_dataset(spec, split=split)


def test_the_listing_shows_every_dataset_with_its_defaults():
    entries = {name: (summary, defaults) for name, summary, defaults in dataset_entries()}
    assert list(entries) == list(DATASETS)
    assert {
        "daily-action-dvs",
        "dvs128-gait-day",
        "dvs128-gait-night",
        "dvs128-gesture",
        "frames",
        "har-dvs",
        "nmnist",
        "synthetic-gait",
    } <= set(entries)
    assert entries["synthetic-gait"][1]["n_classes"] == 10
    assert entries["dvs128-gesture"][1]["clips"] == 10
    assert all("\n" not in summary for summary, _ in entries.values())


def test_importing_the_datasets_stays_cheap():
    code = (
        "import sys, redundancy.datasets;"
        "print([m for m in ('torch', 'tonic', 'numba', 'matplotlib') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
