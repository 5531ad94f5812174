"""Sums of floats: the same bits in any order and grouping, and the right ones."""

import math
import random

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from redundancy.stats.base import merge, state_variable
from redundancy.stats.exact import ExactSum

NUMBERS = st.one_of(
    st.floats(-1e6, 1e6),
    st.floats(-1e6, 1e6, width=32),
    st.integers(-(2**40), 2**40).map(float),
    st.floats(allow_nan=False, allow_infinity=False, min_value=-1e300, max_value=1e300),
)
ANY = st.one_of(NUMBERS, st.floats())


def added_at_random(summands, order):
    """Add up in an order and grouping drawn by lot."""
    parts = list(summands)
    while len(parts) > 1:
        first = parts.pop(order.randrange(len(parts)))
        second = parts.pop(order.randrange(len(parts)))
        parts.append(first + second)
    return parts[0]


def same(first, second):
    assert first.values.tobytes() == second.values.tobytes()
    assert (first.words is None) == (second.words is None)
    if first.words is not None:
        assert first.lowest == second.lowest
        np.testing.assert_array_equal(first.words, second.words)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(ANY, ANY), min_size=2, max_size=12), st.randoms(use_true_random=False))
def test_any_order_and_grouping_gives_the_same_bits(rows, order):
    summands = [ExactSum(np.array(row)) for row in rows]
    same(added_at_random(summands, order), added_at_random(summands, order))


@settings(max_examples=300, deadline=None)
@given(st.lists(NUMBERS, min_size=2, max_size=12), st.randoms(use_true_random=False))
def test_the_sum_is_the_nearest_float(numbers, order):
    total = added_at_random([ExactSum(np.array(number)) for number in numbers], order)
    expected = math.fsum(numbers)
    assert total.values.shape == ()
    assert total.values == expected or abs(expected) < 1e-300


def value_of(total):
    """Return the words' value times 2^1200, as an integer of any size."""
    words = [int(word) for word in total.words]
    words[-1] -= 2**32 * (words[-1] >> 31)
    return sum(word << (32 * (total.lowest + place) + 1200) for place, word in enumerate(words))


@settings(max_examples=200, deadline=None)
@given(st.lists(NUMBERS, min_size=2, max_size=8))
def test_words_are_the_whole_sum(numbers):
    total = added_at_random([ExactSum(np.array(number)) for number in numbers], random.Random(1))
    exact = sum(int(n.as_integer_ratio()[0] * 2**1200 // n.as_integer_ratio()[1]) for n in numbers)
    if total.words is None:
        top, bottom = float(total.values).as_integer_ratio()
        assert top * 2**1200 == exact * bottom
    else:
        assert value_of(total) == exact


def test_sums_that_are_floats_need_no_words():
    counts = ExactSum(np.arange(6.0).reshape(2, 3))
    assert (counts + counts + counts).words is None
    back = ExactSum(np.array([1e20])) + ExactSum(np.array([0.1])) + ExactSum(np.array([-1e20]))
    assert back.words is None
    assert back.values == 0.1


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        ([math.nan, 1.0, 0.1], math.nan),
        ([math.inf, 1.0, 0.1], math.inf),
        ([-math.inf, 1e300, 0.1], -math.inf),
        ([math.inf, -math.inf, 0.1], math.nan),
        ([1.7e308, 1.7e308, -1.7e308], 1.7e308),
        ([1.7e308, 1.7e308, 0.1], math.inf),
        ([1.7e308, 1.7e308, -math.inf], -math.inf),
        ([-0.0, -0.0, -0.0], 0.0),
        ([0.1, -0.1, -0.0], 0.0),
        ([5e-324, 5e-324, -5e-324], 5e-324),
    ],
)
def test_special_numbers(numbers, expected):
    found = []
    for seed in range(12):
        summands = [ExactSum(np.array([number, 0.1])) for number in numbers]
        found.append(added_at_random(summands, random.Random(seed)))
        same(found[0], found[-1])
    assert found[0].values[0].tobytes() == np.float64(expected).tobytes()
    assert found[0].values[1] == math.fsum([0.1] * 3)


def test_an_order_of_plain_floats_would_show():
    numbers = [0.1, 0.2, 0.3]
    assert numbers[0] + numbers[1] + numbers[2] != numbers[2] + numbers[1] + numbers[0]


def state_of(number):
    return xr.Dataset(
        {
            "total": state_variable(("x",), np.array([number, 1.0]), "sum", "a sum", "1"),
            "least": state_variable((), np.float64(-number * 0.0), "min", "a least", "1"),
            "count": state_variable((), np.int64(1), "sum", "a count", "1"),
        },
        attrs={"layer": "a"},
    )


@settings(max_examples=50, deadline=None)
@given(st.permutations([0.1, 0.2, 0.3, 1e10, -7.7]), st.integers(1, 4))
def test_states_merge_in_any_order_and_grouping(numbers, cut):
    def merged(parts):
        total = state_of(parts[0])
        for number in parts[1:]:
            total = merge(total, state_of(number))
        return total

    whole = merged([0.1, 0.2, 0.3, 1e10, -7.7])
    assert "exact_total" in whole
    grouped = merge(merged(numbers[:cut]), merged(numbers[cut:]))
    xr.testing.assert_identical(grouped, whole)
    assert grouped["least"].values.tobytes() == whole["least"].values.tobytes()
    assert whole["total"].values.tolist() == [math.fsum(numbers), 5.0]


def test_states_of_other_statistics_are_still_refused():
    with pytest.raises(ValueError, match="differ in the variables"):
        merge(state_of(0.1), state_of(0.1).drop_vars("count"))
