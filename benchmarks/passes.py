"""The analysis over the bare forward pass; fused over general; where the time goes."""

from __future__ import annotations

import cProfile
import functools
import itertools
import pstats
import statistics
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.cases import FRAME_SIZES, RandomFrames, network_case
from benchmarks.table import Table, in_words, take_turns
from redundancy.forward import reset_state
from redundancy.network_observer import NetworkObserver
from redundancy.neurons import find_spiking_layers
from redundancy.probe import Probe
from redundancy.probes.call_order import CallStack

if TYPE_CHECKING:
    from torch import nn

    from redundancy.datasets.base import Batch
    from redundancy.observation import Bins
    from redundancy.stats.layer_statistic import LayerStatistic
    from redundancy.stats.layer_sweep import LayerSweep

# network, attention, timesteps, batch.
CASES = tuple(
    (network, attention, n_timesteps, batch_size)
    for network, n_timesteps, batches in (
        ("lif-snn-3", 60, (1, 16, 64)),
        ("plif-snn-5", 4, (1, 16)),
    )
    for attention in ("none", "asa-1")
    for batch_size in batches
)
QUICK_CASES = (
    ("lif-snn-3", "none", 20, 16),
    ("lif-snn-3", "asa-1", 20, 16),
    ("plif-snn-5", "none", 2, 1),
)
_SECONDS_A_CASE = 15.0
_LARGEST_GENERAL_BATCH = 16


def forward_of(network: nn.Module, batch: Batch) -> Callable[[], None]:
    """Return the bare forward pass: SpikingJelly's own, under inference_mode, then reset."""
    import torch

    frames = torch.from_numpy(batch.frames)
    device = next(network.parameters()).device

    def forward() -> None:
        with torch.inference_mode():
            output = network(frames.to(device).transpose(0, 1))
            reset_state(network)
        if device.type == "cuda":
            float(output.sum())

    return forward


def speed(quick: bool) -> Table:
    """Measure the analysis over the bare forward pass."""
    table = Table(
        "Analysis over the bare forward pass",
        (
            "network",
            "T",
            "batch",
            "median",
            "spread",
            "fused / general",
            "general / reading",
            "forward a sample",
        ),
        notes=[
            "Analysis: `NetworkObserver.observe` of a batch with all streamed statistics. Forward: "
            "the same batch through the same network under `inference_mode`, and its reset. "
            "Median and spread are of runs that took turns. The first batch, which is run "
            "once more to see that observing changes nothing, is left out.",
            "General: the path of neurons without a fused sweep, on the same network. Reading: the "
            "forward pass that repeats every neuron to get U, checks it, and counts nothing. "
            f"Neither is measured above batch {_LARGEST_GENERAL_BATCH}. plif-snn-5 has 26 times "
            "the neurons of lif-snn-3 (its frames are 128 x 128), so it is given few timesteps, "
            "and no batch of 64, in which each of several tensors would take 2 GB.",
        ],
    )
    for network, attention, n_timesteps, batch_size in QUICK_CASES if quick else CASES:
        table.rows.append(_speed(network, attention, n_timesteps, batch_size, 3 if quick else 7))
    return table


def _speed(name: str, attention: str, n_timesteps: int, batch_size: int, runs: int) -> list[str]:
    network = network_case(name, attention, n_timesteps)
    dataset = RandomFrames(batch_size, n_timesteps, batch_size, FRAME_SIZES[name])
    batch = dataset.batch(0, batch_size)
    forward = forward_of(network, batch)
    with NetworkObserver(network) as observer:
        observer.observe(batch)
        pair = take_turns(lambda: observer.observe(batch), forward, runs, _SECONDS_A_CASE)
        others = ["–", "–"]
        if batch_size <= _LARGEST_GENERAL_BATCH:
            others = _general(network, batch, observer)
    title = name if attention == "none" else f"{name}, {attention}"
    a_sample = statistics.median(pair.second) / batch_size
    return [
        title, str(n_timesteps), str(batch_size), pair.median(), pair.spread(), *others,
        in_words(a_sample),
    ]  # fmt: skip


def _general(network: nn.Module, batch: Batch, observer: NetworkObserver) -> list[str]:
    """Return fused over general, and general over reading the potentials."""
    ratios = []
    with NetworkObserver(network, fused=False, bins=observer.bins) as general:
        general.observe(batch)
        for one, other in (
            (observer.observe, general.observe),
            (general.observe, reading_of(network)),
        ):
            pair = take_turns(
                functools.partial(one, batch), functools.partial(other, batch), 3, _SECONDS_A_CASE
            )
            ratios.append(pair.median())
    return ratios


def reading_of(network: nn.Module) -> Callable[[Batch], object]:
    """Return the forward pass in which every neuron's U is got and checked, and not used."""
    modules = dict(network.named_modules())
    calls = CallStack(network)
    probes = [
        Probe(name, modules[name], adapter, (), calls)
        for name, adapter in find_spiking_layers(network).items()
    ]

    def read(batch: Batch) -> None:
        counter = itertools.count()
        handles = [handle for probe in probes for handle in probe.attach(counter)]
        try:
            forward_of(network, batch)()
        finally:
            for handle in handles:
                handle.remove()

    return read


def profile(quick: bool) -> Table:
    """Measure where the time of a pass goes: own time of functions, in shares."""
    table = Table(
        "Where the time of a pass goes",
        ("function", "fused path", "general path"),
        notes=[
            "lif-snn-3, batch 16; own time of each function as a share of the pass, of those with "
            "2 % or more on either path (cProfile). A compiled kernel's time is its caller's."
        ],
    )
    n_timesteps = 20 if quick else 60
    network = network_case("lif-snn-3", "none", n_timesteps)
    batch = RandomFrames(16, n_timesteps, 16).batch(0, 16)
    shares = [_own_times(network, batch, fused) for fused in (True, False)]
    names = sorted(set().union(*shares), key=lambda name: -max(s.get(name, 0) for s in shares))
    for name in names:
        values = [share.get(name, 0.0) for share in shares]
        if max(values) >= 0.02:
            table.rows.append([f"`{name}`", *(f"{100 * value:.0f} %" for value in values)])
    return table


def _own_times(network: nn.Module, batch: Batch, fused: bool) -> dict[str, float]:
    with NetworkObserver(network, fused=fused) as observer:
        observer.observe(batch)
        observer.observe(batch)
        profiler = cProfile.Profile()
        profiler.enable()
        for _ in range(3):
            observer.observe(batch)
        profiler.disable()
    stats: dict[tuple[str, int, str], tuple[int, int, float, float, object]]
    stats = pstats.Stats(profiler).stats  # type: ignore[attr-defined]
    total = sum(entry[2] for entry in stats.values())
    shares: dict[str, float] = {}
    for (file, _, function), entry in stats.items():
        path = Path(file)
        place = function if file == "~" else f"{path.parent.name}/{path.name}: {function}"
        shares[place.strip("<>")] = shares.get(place.strip("<>"), 0.0) + entry[2] / total
    return shares


def statistic_shares(quick: bool) -> Table:
    """Measure the sweep of a recorded batch, and every statistic of it, over the forward pass."""
    from redundancy.nodes import spiking_layers
    from redundancy.observation import AnalysisOptions, choose_bins
    from redundancy.recording import Recorder
    from redundancy.stats.foreground import Foreground
    from redundancy.stats.sweep import sweep_recording

    table = Table(
        "What the sweep and each statistic cost",
        ("what", "of the bare forward pass", "spread"),
        notes=[
            "lif-snn-3, batch 16, all layers. The sweep: over recorded spikes and potentials, as "
            "on the general path but without the cost of reading the potentials; all statistics "
            "share one. Each statistic: its state from that sweep."
        ],
    )
    n_timesteps, runs = (20, 3) if quick else (60, 7)
    network = network_case("lif-snn-3", "none", n_timesteps)
    batch = RandomFrames(16, n_timesteps, 16).batch(0, 16)
    forward = forward_of(network, batch)
    with Recorder(network, quantities=AnalysisOptions().recorded) as recorder:
        nodes = recorder.record_nodes(batch.frames, labels=batch.labels)
    bins, layers = choose_bins(nodes, AnalysisOptions()), spiking_layers(nodes)

    def sweep() -> dict[str, LayerSweep]:
        foreground = Foreground(batch.frames)
        return {name: sweep_recording(layers[name], bins[name], foreground) for name in layers}

    swept = sweep()
    parts: dict[str, Callable[[], object]] = {"the sweep": sweep}
    parts |= {name: functools.partial(each, swept) for name, each in _statistics(bins).items()}
    for name, part in parts.items():
        shares = [100 * ratio for ratio in take_turns(part, forward, runs).ratios]
        least, median, most = min(shares), statistics.median(shares), max(shares)
        table.rows.append([name, f"{median:.1f} %", f"{least:.1f} – {most:.1f} %"])
    return table


def _statistics(bins: Bins) -> dict[str, Callable[[Mapping[str, LayerSweep]], object]]:
    """Return what observes the sweeps of all layers, by the name of the statistic."""
    from redundancy import stats

    def of(statistic: LayerStatistic) -> Callable[[Mapping[str, LayerSweep]], object]:
        return lambda swept: [statistic.observe_sweep(layer) for layer in swept.values()]

    def distributions(swept: Mapping[str, LayerSweep]) -> object:
        return [bins[name].observe_sweep(layer) for name, layer in swept.items()]

    def bootstrap(swept: Mapping[str, LayerSweep]) -> object:
        resampled = stats.PoissonBootstrap()
        weights = resampled.weights(np.arange(next(iter(swept.values())).n_samples))
        return [resampled.observe_sweep(layer, weights) for layer in swept.values()]

    alike = (
        stats.FiringRate(), stats.Moments(), stats.QuantizationError(), stats.SpatialRates(),
        stats.SpikeGram(), stats.TemporalKernel(), stats.ExampleNeuron(),
    )  # fmt: skip
    return {
        "MembranePotentialDistribution": distributions,
        **{type(statistic).__name__: of(statistic) for statistic in alike},
        "PoissonBootstrap": bootstrap,
    }
