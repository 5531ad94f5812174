from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redundancy.arguments import convert_arguments, parse_key_values, signature_defaults
from redundancy.errors import UsageError

DEFAULTS = {"size": (32, 32), "rate": 0.5, "count": 3, "flag": False, "mode": "none"}


def convert(**given_arguments: Any) -> dict[str, Any]:
    return convert_arguments("network toy", DEFAULTS, given_arguments)


def test_defaults_are_read_from_a_signature() -> None:
    def builder(required: int, *, n_classes: int = 11, mode: str = "none") -> None: ...

    assert signature_defaults(builder) == {"n_classes": 11, "mode": "none"}


def test_nothing_given_means_the_defaults_and_a_new_mapping() -> None:
    values = convert()
    assert values == DEFAULTS
    assert values is not DEFAULTS


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("size", "34,28", (34, 28)),
        ("size", "34x28", (34, 28)),
        ("size", " 34, 28", (34, 28)),
        ("rate", "1e-3", 1e-3),
        ("rate", "2", 2.0),
        ("count", "60", 60),
        ("flag", "true", True),
        ("flag", "No", False),
        ("flag", "1", True),
        ("mode", "asa-1", "asa-1"),
    ],
)
def test_text_becomes_the_type_of_the_default(name: str, text: str, value: object) -> None:
    converted = convert(**{name: text})[name]
    assert converted == value
    assert type(converted) is type(value)


@given(
    size=st.tuples(st.integers(), st.integers()),
    rate=st.floats(allow_nan=False, allow_infinity=False),
    count=st.integers(),
    flag=st.booleans(),
    mode=st.text(),
)
def test_values_and_their_texts_convert_alike(
    size: tuple[int, int], rate: float, count: int, flag: bool, mode: str
) -> None:
    values = {"size": size, "rate": rate, "count": count, "flag": flag, "mode": mode}
    texts = {name: str(value) for name, value in values.items()} | {"size": f"{size[0]},{size[1]}"}
    assert convert(**values) == values
    assert convert(**texts) == values


def test_a_list_from_a_file_becomes_a_tuple() -> None:
    assert convert(size=[34, 28])["size"] == (34, 28)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("size", "32"),
        ("size", "32,32,32"),
        ("size", "a,b"),
        ("size", 32),
        ("size", None),
        ("rate", "fast"),
        ("rate", True),
        ("rate", None),
        ("count", "3.5"),
        ("count", 3.5),
        ("count", float("nan")),
        ("count", float("inf")),
        ("count", True),
        ("count", None),
        ("flag", "maybe"),
        ("flag", 2),
        ("mode", 3.5),
    ],
)
def test_a_value_that_does_not_convert_is_refused(name: str, value: object) -> None:
    with pytest.raises(UsageError) as caught:
        convert(**{name: value})
    message = str(caught.value)
    assert "network toy" in message
    assert repr(name) in message
    assert repr(value) in message


@pytest.mark.parametrize(
    ("name", "value"),
    [("size", (32.7, 32)), ("size", (True, 32)), pytest.param("rate", 10**400, id="rate-huge")],
)
def test_no_value_is_cut_to_fit(name: str, value: object) -> None:
    with pytest.raises(UsageError, match=name):
        convert(**{name: value})


def test_an_unknown_argument_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(UsageError, match=r"no argument 'sise'.*known: size, .*Did you mean 'size'"):
        convert(sise="3,3")
    with pytest.raises(UsageError) as caught:
        convert(zzzzzz=1)
    assert "Did you mean" not in str(caught.value)


def test_pairs_are_split_at_the_first_equals_sign() -> None:
    pairs = ["n-classes=10", "path=a=b", " rate = 0.1 ", "empty="]
    assert parse_key_values(pairs, "--network-arg") == {
        "n_classes": "10",
        "path": "a=b",
        "rate": "0.1",
        "empty": "",
    }


@pytest.mark.parametrize("pair", ["n_classes", "=3", ""])
def test_a_pair_without_key_or_value_names_the_option(pair: str) -> None:
    with pytest.raises(UsageError, match="--network-arg takes key=value"):
        parse_key_values([pair], "--network-arg")
