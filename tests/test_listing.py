"""What ``analyze list`` shows can be given as it is shown."""

from __future__ import annotations

import re

import pytest
import torch

from redundancy.errors import UsageError
from redundancy.networks import (
    NETWORKS,
    argument_choices,
    build_network,
    complete_arguments,
    network_arguments,
)
from tests.command_line import run_analyze


def listed(what: str) -> dict[str, dict[str, str]]:
    """Return the arguments shown of each name."""
    code, text, _ = run_analyze("list", what)
    assert code == 0
    blocks = re.split(r"^(?=\S)", text, flags=re.MULTILINE)[1:]
    return {
        block.split()[0]: dict(re.findall(r"(\w+)=(\S+?),?(?:\s|$)", block)) for block in blocks
    }


def test_networks_are_shown_with_arguments_that_can_be_given() -> None:
    shown = listed("networks")
    assert list(shown) == list(NETWORKS)
    for name, values in shown.items():
        given = {key: value.partition("|")[0] for key, value in values.items()}
        assert complete_arguments(name, given) == network_arguments(name)


@pytest.mark.parametrize("name", list(NETWORKS))
def test_choices_are_all_there_are(name: str) -> None:
    shown = listed("networks")[name]
    for key, choices in argument_choices(name).items():
        assert set(shown[key].split("|")) == set(choices)
        assert shown[key].split("|")[0] == network_arguments(name)[key]
        for choice in choices:
            with torch.device("meta"):
                build_network(name, **{key: choice})
        with pytest.raises(UsageError, match=rf"{key} must be one of"):
            build_network(name, **{key: "nonsense"})
