from __future__ import annotations

import pytest

from redundancy.errors import UsageError
from redundancy.registry import Registry, UnknownNameError


@pytest.fixture
def networks() -> Registry[int]:
    registry: Registry[int] = Registry("network")
    registry.register("res-snn-18")(18)
    registry.register("lif-snn-3")(3)
    return registry


def test_what_is_registered_is_found(networks: Registry[int]) -> None:
    assert networks.get("lif-snn-3") == 3
    assert "lif-snn-3" in networks
    assert "lif-snn-4" not in networks


def test_names_come_sorted(networks: Registry[int]) -> None:
    assert list(networks) == ["lif-snn-3", "res-snn-18"]


def test_registering_returns_the_object_itself() -> None:
    registry: Registry[object] = Registry("network")
    entry = object()
    assert registry.register("name")(entry) is entry


def test_a_name_is_never_taken_twice_by_different_objects(networks: Registry[int]) -> None:
    networks.register("lif-snn-3")(3)
    with pytest.raises(ValueError, match="network named 'lif-snn-3' is registered already"):
        networks.register("lif-snn-3")(4)
    assert networks.get("lif-snn-3") == 3


def test_an_unknown_name_lists_the_known_and_the_nearest(networks: Registry[int]) -> None:
    with pytest.raises(UnknownNameError) as caught:
        networks.get("lif-snn3")
    assert isinstance(caught.value, UsageError)
    assert str(caught.value) == (
        "there is no network named 'lif-snn3'; known: lif-snn-3, res-snn-18. "
        "Did you mean 'lif-snn-3'?"
    )


def test_no_guess_where_nothing_is_near(networks: Registry[int]) -> None:
    with pytest.raises(UnknownNameError) as caught:
        networks.get("zzz")
    assert "Did you mean" not in str(caught.value)


def test_an_empty_registry_says_so() -> None:
    with pytest.raises(UnknownNameError, match="known: none"):
        Registry("dataset").get("x")
