"""Sizes that no machine has end in one sentence, at once and without taking memory."""

from __future__ import annotations

import re
import time
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
import torch

from redundancy.errors import UsageError
from redundancy.networks import NETWORKS, build_network, network_arguments
from tests.command_line import run_analyze, save_network

SIZES = ("n_classes", "n_timesteps", "input_channels", "hidden", "votes", "gate_kernel")
HUGE = (10**9, 10**18, 10**30, 10**5000)
NONE = (0, -1, -(10**9), float("nan"), float("inf"), "1e400", "nan", "9" * 5000, "x" * 10**6, None)


def cases() -> list[tuple[str, str, Any]]:
    """Return networks, arguments and values; every value once for every argument somewhere."""
    found = []
    for name in NETWORKS:
        known = network_arguments(name)
        values = [*HUGE, *NONE]
        for number, key in enumerate(known):
            default = known[key]
            if isinstance(default, tuple) and key != "dropout":
                found += [(name, key, (10**9,) * len(default)), (name, key, (0,) * len(default))]
            elif key in SIZES:
                found += [(name, key, values[(number + step) % len(values)]) for step in (0, 5, 9)]
    return found


@pytest.mark.parametrize(
    ("name", "key", "value"),
    cases(),
    ids=lambda v: str(v)[:20] if isinstance(v, str | tuple) else None,
)
def test_a_size_that_cannot_be_is_one_short_sentence(name: str, key: str, value: Any) -> None:
    began = time.monotonic()
    tracemalloc.start()
    attention = {"attention": "asa-1"} if "attention" in network_arguments(name) else {}
    try:
        with pytest.raises(UsageError) as caught:
            build_network(name, **{**attention, key: value})
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert time.monotonic() - began < 10
    assert peak < 50_000_000
    message = str(caught.value)
    assert name in message or "ASA" in message or "GAC" in message
    assert len(message) < 600
    assert "\n" not in message


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("hidden=1000000000", r"than the .* GiB allowed, with these arguments"),
        ("input_channels=1e9", r"takes a value like 2"),
        ("n_timesteps=-1", r"needs n_timesteps greater than 0"),
        ("v_threshold=1e400", r"takes a value like 0.3"),
        ("v_threshold=nan", r"takes a value like 0.3"),
        ("widths=1000000000x1000000000x1000000000", r"GiB allowed"),
    ],
)
def test_the_command_says_so(tmp_path: Path, argument: str, message: str) -> None:
    path = save_network(tmp_path / "net.pt")
    code, out, err = run_analyze("info", path, "--network-arg", argument)
    assert (code, out) == (2, "")
    assert re.search(message, " ".join(err.split()))


def test_a_limit_that_an_option_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDUNDANCY_MAX_FILE_MEMORY", "0.0001")
    with pytest.raises(UsageError, match=r"lif-snn-3 would take .* set REDUNDANCY_MAX_FILE_MEMORY"):
        build_network("lif-snn-3")
    monkeypatch.setenv("REDUNDANCY_MAX_FILE_MEMORY", "1")
    build_network("lif-snn-3")


@pytest.mark.parametrize("name", list(NETWORKS))
def test_the_check_draws_no_random_numbers(name: str) -> None:
    torch.manual_seed(5)
    built = build_network(name).state_dict()
    torch.manual_seed(5)
    direct = NETWORKS.get(name)()(**network_arguments(name)).state_dict()
    assert all(torch.equal(built[key], value) for key, value in direct.items())
