"""The benchmark compares like with like and writes what it measured."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.cases import RandomFrames, network_case
from benchmarks.machine import describe_machine
from benchmarks.monitors import Monitored, check_equal
from benchmarks.subprocesses import peak_memory, run_part
from benchmarks.table import Pair, Table, take_turns
from redundancy import schema
from redundancy.network_observer import NetworkObserver

ROOT = Path(__file__).resolve().parents[1]


def test_the_monitors_give_the_same_quantities(monkeypatch: pytest.MonkeyPatch) -> None:
    network = network_case("lif-snn-3", "none", 3)
    batch = RandomFrames(2, 3, 2).batch(0, 2)
    with NetworkObserver(network) as observer:
        observer.observe(batch)
    check_equal(network, batch, observer.bins)
    observe = Monitored.observe

    def one_spike_more(self: Monitored, given: object) -> object:
        found = observe(self, given)  # type: ignore[arg-type]
        next(iter(found.values()))[schema.SPIKE_COUNT][0, 0, 0, 0] += 1
        return found

    monkeypatch.setattr(Monitored, "observe", one_spike_more)
    with pytest.raises(AssertionError, match="spike_count"):
        check_equal(network, batch, observer.bins)


def test_networks_fire_in_some_channels_more_than_in_others() -> None:
    network = network_case("lif-snn-3", "none", 4)
    batch = RandomFrames(2, 4, 2).batch(0, 2)
    with NetworkObserver(network) as observer:
        states = observer.observe(batch)
    for name in ("conv1.neuron", "conv2.neuron", "conv3.neuron"):
        counts = states[name][schema.SPIKE_COUNT].values
        rates = counts.sum((0, 2, 3)) / (2 * counts[:, 0].size)
        assert 0.005 < rates.mean() < 0.5
        assert np.ptp(rates) > 0.01


def test_pairs_take_turns_and_stop_in_time() -> None:
    calls: list[str] = []
    pair = take_turns(lambda: calls.append("a"), lambda: calls.append("b"), 5, seconds=0.0)
    assert calls == ["a", "b"] * 3
    assert len(pair.ratios) == 2


def test_ratios_are_of_runs_side_by_side() -> None:
    pair = Pair([1.0, 4.0, 3.0], [2.0, 2.0, 3.0])
    assert pair.ratios == [0.5, 2.0, 1.0]
    assert (pair.median(), pair.spread()) == ("1.00", "0.50 – 2.00")


def test_a_table_is_markdown() -> None:
    text = Table("Speed", ("case", "ratio"), [["one", "0.85"]], ["A note."]).markdown()
    assert text == "## Speed\n\n| case | ratio |\n| --- | ---: |\n| one | 0.85 |\n\nA note.\n"


def test_the_machine_is_described_without_its_name() -> None:
    text = describe_machine()
    assert "OMP_NUM_THREADS" in text
    assert "torch" in text
    assert platform.node() == "" or platform.node() not in text


def test_a_part_that_fails_says_why() -> None:
    with pytest.raises(RuntimeError, match=r"benchmarks\.memory nonsense: .*invalid int value"):
        run_part("benchmarks.memory", "nonsense")


def test_peak_memory_is_this_process_s_own() -> None:
    # A parent that once was large is none of the child's business.
    ballast = np.ones(100_000_000, np.uint8)
    assert peak_memory() > ballast.nbytes / 2**20
    code = "from benchmarks.subprocesses import peak_memory; print(peak_memory())"
    child = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert float(child.stdout) < 80


def test_an_unknown_section_is_refused() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "sped"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "no section 'sped'; there are speed, profile" in done.stderr
