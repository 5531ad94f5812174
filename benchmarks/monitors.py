"""Against SpikingJelly's monitors with NumPy: the same quantities, time and peak memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.cases import RandomFrames, network_case
from benchmarks.subprocesses import peak_memory, run_part
from benchmarks.table import Table, take_turns
from redundancy import schema
from redundancy.network_observer import NetworkObserver
from redundancy.stats import MembranePotentialDistribution

if TYPE_CHECKING:
    from torch import nn

    from redundancy.datasets.base import Batch
    from redundancy.observation import Bins


class Monitored:
    """SpikingJelly's monitors on every neuron, and their post-processing in NumPy.

    The potential after the reset, which is what the monitors give, never shows the value that
    crossed the threshold: it is computed from the monitored input. Histograms are counted by
    one ``bincount`` a layer, which is two to six times faster than ``numpy.histogram``.
    """

    def __init__(self, network: nn.Module, bins: Bins) -> None:
        from spikingjelly.activation_based import monitor, neuron

        self.network, self.bins = network, bins
        for module in network.modules():
            if isinstance(module, neuron.LIFNode):
                module.store_v_seq = True
        self.inputs = monitor.InputMonitor(network, neuron.LIFNode)
        self.spikes = monitor.OutputMonitor(network, neuron.LIFNode)
        self.potentials = monitor.AttributeMonitor("v_seq", False, network, neuron.LIFNode)
        self.parts = (self.inputs, self.spikes, self.potentials)

    def observe(self, batch: Batch) -> dict[str, dict[str, Any]]:
        """Return spike counts, MPD, moments and QE of every layer."""
        import torch

        from redundancy.forward import reset_state

        with torch.inference_mode():
            self.network(torch.from_numpy(batch.frames).transpose(0, 1))
            reset_state(self.network)
        found = {}
        for name in self.spikes.monitored_layers:
            arrays = (monitor[name][0].numpy() for monitor in self.parts)
            module = self.network.get_submodule(name)
            found[name] = _quantities(*arrays, module, self.bins[name])
        for monitor in self.parts:
            monitor.clear_recorded_data()
        return found


def _quantities(
    x: np.ndarray, s: np.ndarray, v: np.ndarray, module: Any, bins: MembranePotentialDistribution
) -> dict[str, Any]:
    """Return the quantities of one layer from input, spikes and v, (time, sample, channel, ...)."""
    before = np.concatenate([np.zeros_like(v[:1]), v[:-1]])
    u = before - (before - np.float32(module.v_reset)) / np.float32(module.tau) + x
    u = u.reshape(*u.shape[:3], -1)
    spikes = s.reshape(u.shape)
    threshold = float(np.float32(module.v_threshold))
    n_bins = bins.n_bins_below + bins.n_bins_above
    wide = u.astype(np.float64)
    place = np.floor((wide - threshold) / bins.bin_width).astype(np.int64) + bins.n_bins_below + 1
    place = np.clip(place, 0, n_bins + 1)  # below, bins, above
    rows = np.arange(u.shape[0] * u.shape[2]).reshape(u.shape[0], 1, u.shape[2], 1)
    counts = np.bincount((rows * (n_bins + 2) + place).ravel(), minlength=rows.size * (n_bins + 2))
    counts = counts.reshape(u.shape[0], u.shape[2], n_bins + 2)
    return {
        schema.SPIKE_COUNT: s.sum(1, dtype=np.int64),
        schema.HISTOGRAM: counts[..., 1:-1],
        schema.MEAN: wide.mean((1, 3)),
        schema.VARIANCE: wide.var((1, 3)),
        schema.QE: ((wide - spikes) ** 2).mean((1, 3)),
    }


def monitors(quick: bool) -> Table:
    """Measure time and memory of the monitors over the analysis, and that both agree."""
    n_timesteps, runs = (20, 3) if quick else (60, 5)
    table = Table(
        "SpikingJelly's monitors and NumPy over the analysis",
        ("quantity", "median", "spread"),
        notes=[
            f"lif-snn-3, T = {n_timesteps}, batch 16. InputMonitor, OutputMonitor and "
            "AttributeMonitor(v_seq), then NumPy: spike counts, MPD, moments and QE of every "
            "layer, found equal to ours (counts exactly, moments and QE to 1e-9). Our "
            "analysis takes these and all of its other statistics. Peak memory: of a fresh "
            "process each, with the libraries' own."
        ],
    )
    network, batch, bins = _case(n_timesteps)
    with NetworkObserver(network, bins=bins) as observer:
        observer.observe(batch)
        ours = lambda: observer.observe(batch)  # noqa: E731
        check_equal(network, batch, bins)
        monitored_network, _, _ = _case(n_timesteps)
        monitored = Monitored(monitored_network, bins)
        pair = take_turns(lambda: monitored.observe(batch), ours, runs)
    table.rows.append(["time", pair.median(), pair.spread()])
    peaks = [
        float(run_part("benchmarks.monitors", which, str(n_timesteps)))
        for which in ("monitors", "analysis")
    ]
    table.rows.append(["peak memory", f"{peaks[0] / peaks[1]:.2f}", " / ".join(map(_mb, peaks))])
    return table


def _mb(value: float) -> str:
    return f"{value:.0f} MB"


def _case(n_timesteps: int) -> tuple[nn.Module, Batch, Bins]:
    network = network_case("lif-snn-3", "none", n_timesteps)
    batch = RandomFrames(16, n_timesteps, 16).batch(0, 16)
    with NetworkObserver(network) as observer:
        observer.observe(RandomFrames(1, n_timesteps, 1).batch(0, 1))
        return network, batch, observer.bins


def check_equal(network: nn.Module, batch: Batch, bins: Bins) -> None:
    """Refuse to compare the speed of things that do not agree."""
    from redundancy.stats import Moments, QuantizationError

    with NetworkObserver(network, bins=bins) as observer:
        states = observer.observe(batch)
    other = Monitored(network_case("lif-snn-3", "none", batch.frames.shape[1]), bins)
    for name, theirs in other.observe(batch).items():
        state = states[name]
        for key in (schema.SPIKE_COUNT, schema.HISTOGRAM):
            np.testing.assert_array_equal(state[key].values, theirs[key], err_msg=f"{name} {key}")
        moments = Moments().compute(state)
        errors = QuantizationError().compute(state)
        for key, values in (
            (schema.MEAN, moments), (schema.VARIANCE, moments), (schema.QE, errors),
        ):  # fmt: skip
            np.testing.assert_allclose(values[key].values, theirs[key], rtol=1e-9, atol=1e-12)


def main(which: str, n_timesteps: int) -> float:
    """Observe three batches in one of the two ways and return the peak memory in MB."""
    network, batch, bins = _case(n_timesteps)
    if which == "monitors":
        observe = Monitored(network, bins).observe
        for _ in range(3):
            observe(batch)
    else:
        with NetworkObserver(network, bins=bins) as observer:
            for _ in range(3):
                observer.observe(batch)
    return peak_memory()


if __name__ == "__main__":
    import sys

    from redundancy.process import keep_heap

    keep_heap()
    print(main(sys.argv[1], int(sys.argv[2])))
