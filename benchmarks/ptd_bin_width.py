"""How the peak-to-threshold distance (PTD) depends on the width of the bins.

The paper does not give the width of the bins behind its PTD. This experiment bins the same
potentials in bins of 0.5, 1, 2, 4 and 8 times the default width, the threshold always an
edge, and says how far the PTD moves and how many features change their pattern::

    python -m benchmarks.ptd_bin_width CHECKPOINT --samples 32
    python -m benchmarks.ptd_bin_width RESULTS.nc
    python -m benchmarks.ptd_bin_width            # a generated mixture, no network

A checkpoint is analysed once, in bins of half the least default width of its layers, which
are then added up. A results file holds no finer bins than its own: there 1 is each layer's
own width.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from redundancy import schema
from redundancy.stats import MembranePotentialDistribution, PatternRules
from redundancy.stats.layer_values import thresholds
from redundancy.stats.patterns import NULL
from redundancy.stats.peak_to_threshold import peak_to_threshold_distance

FACTORS = (0.5, 1.0, 2.0, 4.0, 8.0)


@dataclass(frozen=True)
class Distances:
    """PTD and pattern of every feature at one width, features in one row."""

    distance: NDArray[np.float64]
    pattern: NDArray[np.int8]
    threshold: NDArray[np.float64]


def coarsen(
    histogram: NDArray[np.int64], n_below: int, factor: int
) -> tuple[NDArray[np.int64], int]:
    """Add up `factor` bins each, counted from the threshold; return them and how many lie below."""
    n_above = histogram.shape[-1] - n_below
    padding = [(0, 0)] * (histogram.ndim - 1) + [(-n_below % factor, -n_above % factor)]
    padded = np.pad(histogram, padding)
    coarse = padded.reshape(*padded.shape[:-1], -1, factor).sum(-1)
    return coarse, -(-n_below // factor)


def distances(layers: Mapping[str, xr.Dataset], factor: int, rules: PatternRules) -> Distances:
    """Return the distances of all layers in bins `factor` times as wide as they were counted in."""
    parts: list[tuple[NDArray[np.float64], ...]] = []
    for state in layers.values():
        statistic = MembranePotentialDistribution.of(state)
        counts, below = coarsen(state[schema.HISTOGRAM].values, statistic.n_bins_below, factor)
        width = statistic.bin_width * factor
        centres = (np.arange(counts.shape[-1], dtype=np.float64) - below + 0.5) * width
        found = peak_to_threshold_distance(counts, centres)
        threshold = thresholds(state.attrs, found.shape[1])
        spikes = state[schema.SPIKE_COUNT]
        n_spikes = spikes.sum([dim for dim in spikes.dims if dim in (schema.Y, schema.X)])
        dims = (schema.TIME, schema.CHANNEL)
        codes = rules.by_potential(xr.DataArray(found, dims=dims), n_spikes, threshold)
        everywhere = np.broadcast_to(threshold, found.shape)
        parts.append((found.ravel(), codes.values.ravel(), everywhere.ravel()))
    return Distances(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def table(layers: Mapping[str, xr.Dataset], finest: float, rules: PatternRules) -> list[str]:
    """Return the lines of a Markdown table; `finest` is the factor of the counted bins."""
    widths = {
        MembranePotentialDistribution.of(state).bin_width / finest for state in layers.values()
    }
    reference = distances(layers, round(1 / finest), rules)
    lines = [
        "| bin width | in default widths | median change of PTD | in thresholds "
        "| 95 % of changes below | patterns that flip |",
        "| ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    active = reference.pattern != NULL
    for factor in FACTORS:
        if factor < finest:
            continue
        found = distances(layers, round(factor / finest), rules)
        known = active & np.isfinite(found.distance) & np.isfinite(reference.distance)
        change = np.abs(found.distance - reference.distance)[known]
        with np.errstate(divide="ignore", invalid="ignore"):  # a threshold may be 0
            relative = change / np.abs(reference.threshold[known])
        flips = (found.pattern != reference.pattern)[known].mean()
        width = ", ".join(f"{width * factor:g}" for width in sorted(widths))
        lines.append(
            f"| {width} | {factor:g} | {np.median(change):.4f} | "
            f"{np.median(relative):.1%} | {np.quantile(change, 0.95):.4f} | {flips:.1%} |"
        )
    noise = (reference.pattern[active] == 1).mean()
    lines += [
        "",
        f"{active.sum()} of {active.size} features (a channel at a timestep) spike and are "
        f"compared with the default width; {noise:.1%} of them are noise there (PTD at least "
        f"-{rules.tolerance:g} thresholds).",
    ]
    return lines


def of_checkpoint(path: Path, n_samples: int) -> dict[str, xr.Dataset]:
    """Analyse a checkpoint in bins of half the default width."""
    from redundancy.analysis import analyze, network_recordings
    from redundancy.checkpoint import load_checkpoint
    from redundancy.nodes import spiking_layers
    from redundancy.observation import AnalysisOptions
    from redundancy.sources import dataset_for

    checkpoint = load_checkpoint(path)
    network, dataset = checkpoint.build_network(), dataset_for(checkpoint)
    recorded = AnalysisOptions().recorded
    first = next(network_recordings(network, dataset, quantities=recorded, n_samples=n_samples))
    widths = {
        MembranePotentialDistribution.from_pilot(layer).bin_width
        for layer in spiking_layers(first).values()
    }
    options = AnalysisOptions(bin_width=min(widths) * min(FACTORS), n_replicates=1)
    return analyze(network, dataset, n_samples=n_samples, options=options).layers


def of_mixture(n_channels: int = 256, seed: int = 0) -> dict[str, xr.Dataset]:
    """Count potentials drawn from two normal distributions a channel, V_th = 0.3."""
    from redundancy.stats import FiringRate

    random = np.random.default_rng(seed)
    shape = (16, 1, n_channels, 16, 16)
    mean = random.uniform(-0.6, 0.3, (2, n_channels, 1, 1))
    spread = random.uniform(0.05, 0.4, (2, n_channels, 1, 1))
    which = (random.random(shape) < random.uniform(0, 1, (n_channels, 1, 1))).astype(int)
    channel = np.arange(n_channels)[:, None, None]
    normal = random.normal(mean[which, channel, 0, 0], spread[which, channel, 0, 0])
    potential = normal.astype(np.float32)
    layer = xr.Dataset(
        {
            schema.MEMBRANE_POTENTIAL: (_MAP, potential),
            schema.SPIKE: (_MAP, (potential >= np.float32(0.3)).astype(np.uint8)),
        },
        attrs={schema.V_THRESHOLD: 0.3, schema.FIRES_AT: ">="},
    )
    default = MembranePotentialDistribution.from_pilot(layer).bin_width
    statistic = MembranePotentialDistribution.from_pilot(layer, bin_width=default * min(FACTORS))
    return {"mixture": statistic.observe(layer).merge(FiringRate().observe(layer))}


_MAP = (schema.SAMPLE, schema.TIME, schema.CHANNEL, schema.Y, schema.X)


def main() -> None:
    """Print how PTD and patterns depend on the width of the bins, as a Markdown table."""
    from redundancy.results_file import is_results_file, load_results

    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.ptd_bin_width", description=main.__doc__
    )
    parser.add_argument("source", nargs="?", type=Path, help="results or checkpoint")
    parser.add_argument("--samples", type=int, default=32, help="of the checkpoint's data")
    parser.add_argument("--tolerance", type=float, default=PatternRules().tolerance)
    arguments = parser.parse_args()
    finest, rules = min(FACTORS), PatternRules(tolerance=arguments.tolerance)
    if arguments.source is None:
        layers = of_mixture()
    elif is_results_file(arguments.source):
        layers, finest = load_results(arguments.source).layers, 1.0
    else:
        layers = of_checkpoint(arguments.source, arguments.samples)
    maps = {
        name: state for name, state in layers.items() if schema.Y in state[schema.SPIKE_COUNT].dims
    }
    vectors = {name: state for name, state in layers.items() if name not in maps}
    for title, group in (("Layers with feature maps", maps), ("Layers without", vectors)):
        if group:
            print(f"{title}: {', '.join(group)}\n")
            print("\n".join(table(group, finest, rules)), end="\n\n")


if __name__ == "__main__":
    main()
