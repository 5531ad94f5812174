"""Networks that do what users' networks do, count their own spikes, and are analysed.

Each case ends in numbers equal to the network's own count, or in one sentence: nothing else.
``python -m tests.honesty.odd_networks`` prints the table of docs/honesty.md.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from spikingjelly.activation_based import functional, layer, neuron
from torch import nn

import redundancy
from redundancy import schema
from redundancy.datasets.base import Batch
from redundancy.errors import RedundancyError

RIGHT = "right"


class Events:
    """Event counts in memory."""

    name, location, split, n_classes = "events", None, "test", 3

    def __init__(self, n_samples=8, n_timesteps=4, size=8, seed=0):
        random = np.random.default_rng(seed)
        shape = (n_samples, n_timesteps, 2, size, size)
        self.frames = random.poisson(0.7, shape).astype(np.float32)
        self.labels = np.arange(n_samples) % 3
        self.frame_shape = shape[1:]
        self.arguments: Mapping[str, Any] = {"n_samples": n_samples}

    def __len__(self):
        return len(self.frames)

    def batch(self, start, stop):
        return Batch(start, self.frames[start:stop], self.labels[start:stop])


def louder(samples=slice(2, 4), factor=3.0):
    """Return data whose named samples have more events, so that later batches differ."""

    def make():
        data = Events()
        data.frames[samples] *= factor
        return data

    return make


def lif(**options):
    return neuron.LIFNode(**{"v_threshold": 0.5, "step_mode": "m", **options})


class Three(nn.Module):
    """Two convolutions and a fully connected layer, each before a neuron; logs its spikes."""

    def __init__(self, make=lif, channels=4, size=8):
        super().__init__()
        torch.manual_seed(0)
        self.c1 = layer.Conv2d(2, channels, 3, padding=1, step_mode="m")
        self.n1 = make()
        self.c2 = layer.Conv2d(channels, channels, 3, padding=1, step_mode="m")
        self.n2 = make()
        self.fc = layer.Linear(channels * size * size, 3, step_mode="m")
        self.n3 = make()
        for module in (self.c1, self.c2, self.fc):
            module.weight.data *= 2
        self.log: dict[str, list[torch.Tensor]] = {}

    def note(self, name, spikes):
        self.log.setdefault(name, []).append(spikes.detach().clone())
        return spikes

    def first(self, x):
        return self.note("n1", self.n1(self.c1(x)))

    def second(self, x):
        return self.note("n2", self.n2(self.c2(x)))

    def last(self, x):
        return self.note("n3", self.n3(self.fc(x.flatten(2)))).mean(0)

    def forward(self, x):
        return self.last(self.second(self.first(x)))


@dataclass(frozen=True)
class Case:
    """A network, and what its analysis must end in.

    `ends` is RIGHT or a pattern of the sentence; `truth` builds the network whose own count
    is the right one, where that is not the network itself.
    """

    kind: str
    name: str
    build: Callable[[], nn.Module]
    ends: str = RIGHT
    data: Callable[[], Any] = Events
    batch_size: int = 2
    truth: Callable[[], nn.Module] | None = None
    forward: Callable[..., Any] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    warns: str | None = None
    before: Callable[[nn.Module], Callable[[], None]] | None = None


@dataclass
class Outcome:
    sentence: str | None
    results: Any
    warned: list[str]


def analysed(case: Case, fused: bool) -> Outcome:
    """Analyse the network of a case."""
    network, undo = case.build(), None
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        if case.before is not None:
            undo = case.before(network)
        try:
            results, sentence = (
                redundancy.analyze(
                    network,
                    case.data(),
                    batch_size=case.batch_size,
                    fused=fused,
                    forward=case.forward,
                    options=redundancy.AnalysisOptions(n_replicates=10, **case.options),
                ),
                None,
            )
        except RedundancyError as error:
            results, sentence = None, str(error)
        finally:
            if undo is not None:
                undo()
    return Outcome(sentence, results, [str(one.message) for one in caught])


def own_count(case: Case) -> tuple[dict[str, np.ndarray], float]:
    """Return each layer's own spikes (sample, time, ...) and the accuracy, from a plain run."""
    network, data = (case.truth or case.build)().eval(), case.data()
    found: dict[str, list[np.ndarray]] = {}
    correct = 0
    with torch.no_grad():
        for start in range(0, len(data), case.batch_size):
            batch = data.batch(start, min(start + case.batch_size, len(data)))
            functional.reset_net(network)
            network.log = {}
            x = torch.from_numpy(batch.frames.copy()).transpose(0, 1).contiguous()
            x = x.to(next(network.parameters()).dtype)
            output = case.forward(network, x) if case.forward else network(x)
            if isinstance(output, torch.Tensor) and output.dim() == 2:
                correct += int((output.argmax(1).numpy() == batch.labels).sum())
            for name, uses in network.log.items():
                for k, spikes in enumerate(uses):
                    key = f"{name}@{k}" if k else name
                    found.setdefault(key, []).append(spikes.float().transpose(0, 1).numpy())
    return {name: np.concatenate(parts) for name, parts in found.items()}, correct / len(data)


def faults(case: Case, outcome: Outcome) -> list[str]:
    """Return everything in which a case ends otherwise than it must."""
    if case.ends != RIGHT:
        if outcome.sentence is None:
            return ["numbers came where a sentence was due"]
        found = re.search(case.ends, outcome.sentence)
        return [] if found else [f"another sentence came: {outcome.sentence}"]
    if outcome.sentence is not None:
        return [f"refused: {outcome.sentence}"]
    spikes, accuracy = own_count(case)
    rates, wrong = outcome.results.firing_rates, []
    if set(rates) != set(spikes):
        wrong.append(f"layers {sorted(rates)} and not {sorted(spikes)}")
    wrong += [
        f"{name} fires otherwise"
        for name in set(rates) & set(spikes)
        if not np.allclose(rates[name][schema.N_SFR].values, spikes[name].mean(0), atol=1e-12)
    ]
    nasfr = sum(s.sum() for s in spikes.values()) / sum(s.size for s in spikes.values())
    if abs(float(outcome.results.network_firing_rate[schema.NASFR]) - nasfr) > 1e-12:
        wrong.append("NASFR differs")
    if accuracy and abs(outcome.results.accuracy - accuracy) > 1e-12:
        wrong.append(f"accuracy {outcome.results.accuracy} and not {accuracy}")
    if case.warns and not any(re.search(case.warns, text) for text in outcome.warned):
        wrong.append(f"no warning of {case.warns!r}, only {outcome.warned}")
    return wrong


def table() -> str:
    """Return all cases with what they end in, as Markdown."""
    from tests.honesty.odd_network_cases import CASES

    lines = ["| kind | network | ends in |", "|---|---|---|"]
    for case in CASES:
        outcome = analysed(case, fused=True)
        ends = "right numbers" if outcome.sentence is None else f"“{outcome.sentence}”"
        if outcome.sentence is None and case.warns:
            told = next(text for text in outcome.warned if re.search(case.warns, text))
            ends += f", and “{told}”"
        lines.append(f"| {case.kind} | {case.name} | {ends.replace('|', '/')} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())  # noqa: T201
