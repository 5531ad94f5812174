from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from redundancy.errors import UsageError
from redundancy.plots import choose_pattern_channels
from redundancy.plots.patterns import PATTERN_NAMES
from redundancy.stats.patterns import PATTERNS


def datasets(codes: list[int], rate: list[float]) -> tuple[xr.Dataset, xr.Dataset]:
    dims = ("time", "channel")
    patterns = xr.Dataset(
        {
            "pattern_potential": (dims, np.array([codes], np.int8)),
            "pattern_spatial": (dims, -np.ones((1, len(codes)), np.int8)),
        }
    )
    return patterns, xr.Dataset({"c_sfr": (dims, np.array([rate]))})


def test_patterns_are_called_as_by_the_statistics():
    assert PATTERN_NAMES == PATTERNS


def test_highest_and_median_of_each_pattern():
    codes = [1, 2, 1, 2, 1, 0, 2, 1]
    rate = [0.1, 0.5, 0.9, 0.1, 0.3, 0.0, 0.2, 0.2]
    patterns, rates = datasets(codes, rate)
    # Noise by rate: 2, 4, 7, 0; normal: 1, 6, 3.
    assert choose_pattern_channels(patterns, rates, 0) == [
        *(("noise", 2), ("noise", 7)),
        *(("normal", 1), ("normal", 6)),
    ]
    assert choose_pattern_channels(patterns, rates, 0, 2) == [("noise", 2), ("normal", 1)]
    assert choose_pattern_channels(patterns, rates, 0, 6) == [
        *(("noise", 2), ("noise", 4), ("noise", 7)),
        *(("normal", 1), ("normal", 6)),
    ]


def test_missing_patterns_give_fewer_channels():
    assert choose_pattern_channels(*datasets([2, 0, 0], [0.5, 0, 0])) == [("normal", 0)]
    assert choose_pattern_channels(*datasets([0, 0], [0, 0])) == []
    patterns, rates = datasets([1, 2], [0.5, 0.5])
    assert choose_pattern_channels(patterns, rates, rule="spatial") == []


def test_wrong_numbers_are_told():
    patterns, rates = datasets([1, 2], [0.5, 0.5])
    for n in (0, 3):
        with pytest.raises(UsageError, match=f"n is 2, 4, ..., got {n}"):
            choose_pattern_channels(patterns, rates, n=n)
    with pytest.raises(UsageError, match="timestep 1 is out of range"):
        choose_pattern_channels(patterns, rates, 1)


@given(
    st.lists(st.tuples(st.sampled_from([-1, 0, 1, 2]), st.floats(0, 1)), min_size=1, max_size=20),
    st.sampled_from([2, 4, 6]),
)
def test_any_choice_is_of_its_pattern_and_from_highest_to_median(channels, n):
    codes, rate = (list(column) for column in zip(*channels, strict=True))
    picks = choose_pattern_channels(*datasets(codes, rate), n=n)
    assert len(picks) == len(set(picks)) <= n
    for pattern, code in (("noise", 1), ("normal", 2)):
        of_pattern = sorted((r for c, r in channels if c == code), reverse=True)
        rates = [rate[channel] for name, channel in picks if name == pattern]
        assert all(codes[channel] == code for name, channel in picks if name == pattern)
        assert rates == sorted(rates, reverse=True)
        assert bool(rates) == bool(of_pattern)
        if rates:
            assert rates[0] == of_pattern[0]
            assert rates[-1] >= of_pattern[len(of_pattern) // 2]
