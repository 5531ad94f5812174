"""Observations 1 to 5 of the paper as numbers, and the rule by which each counts as seen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from redundancy import schema
from redundancy.results import Results
from redundancy.stats.patterns import NOISE, NORMAL
from redundancy.tables import ghost_table

# From which similarity on features are ghosts, and the least share of ghosts that is "many".
GHOST_THRESHOLD = 0.9
MANY = 0.25
# T-SFR "hardly changes" while its standard deviation over time is below this share of it.
STEADY = 0.1
# Least probability that a noise feature is ranked above a normal one, for "tells".
TELLS = 0.8


@dataclass(frozen=True)
class Observation:
    """One observation on one dataset.

    Attributes
    ----------
    number : int
    claim : str
        What the paper observes, in our words.
    rule : str
        When it counts as seen.
    numbers : dict of str to sequence of float
        What was measured, one number a seed; NaN where there is nothing to measure.
    seen : bool
        False too where there is nothing to measure.
    """

    number: int
    claim: str
    rule: str
    numbers: dict[str, list[float]]
    seen: bool

    @property
    def verdict(self) -> str:
        """Say whether it was seen, or that nothing could be measured."""
        measured = any(np.isfinite(values).any() for values in self.numbers.values())
        return ("seen" if self.seen else "not seen") if measured else "not decided"


def observations(vanilla: Sequence[Results]) -> Iterator[Observation]:
    """Yield the five observations for the vanilla networks of one dataset.

    Parameters
    ----------
    vanilla : sequence of Results
        One a seed.
    """
    yield _ghosts(vanilla)
    yield _steady_rate(vanilla)
    rate = [_tell(results, "rate") for results in vanilla]
    places = [_likeness_to_input(results) for results in vanilla]
    yield Observation(
        3,
        "the channel's firing rate (C-SFR) tells noise from normal features, the neuron's "
        "(N-SFR) where in the input they look",
        f"seen if the C-SFR ranks a noise feature above a normal one with probability >= {TELLS}, "
        "and the N-SFR maps of normal features correlate with the mean events more than those of "
        "noise features, above 0 and below it",
        {
            "probability by C-SFR": rate,
            "correlation of N-SFR and events, normal features": [here for here, _ in places],
            "correlation of N-SFR and events, noise features": [off for _, off in places],
        },
        bool(
            mean_known(rate) >= TELLS
            and mean_known([here for here, _ in places]) > 0
            and mean_known([off for _, off in places]) < 0
        ),
    )
    for number, name, what in (
        (4, "distance", "peak-to-threshold distance (PTD)"),
        (5, "variance", "variance"),
    ):
        told = [_tell(results, name) for results in vanilla]
        # A variance may tell in either direction: the paper argues for both.
        mean = mean_known(told)
        strength = mean if name == "distance" else abs(mean - 0.5)
        yield Observation(
            number,
            f"the {what} of the membrane potentials tells noise from normal features",
            f"seen if it ranks a noise feature above a normal one with probability >= {TELLS}"
            + ("" if name == "distance" else f", or <= {1 - TELLS:.1f}"),
            {f"probability by {name}": told},
            strength >= (TELLS if name == "distance" else TELLS - 0.5),
        )


def _ghosts(vanilla: Sequence[Results]) -> Observation:
    numbers: dict[str, list[float]] = {}
    for results in vanilla:
        table = ghost_table(results, GHOST_THRESHOLD)
        for row in table.itertuples():
            if np.isfinite(row.ghost_ratio_cosine):
                numbers.setdefault(f"ghost ratio of {row.layer}", []).append(row.ghost_ratio_cosine)
    means = [float(np.mean(values)) for values in numbers.values()]
    return Observation(
        1,
        "many spike features of a layer resemble one another (ghost features)",
        f"seen if in every convolutional layer at least {MANY:.0%} of the channels that spike "
        f"repeat another one at cosine similarity >= {GHOST_THRESHOLD}",
        numbers,
        min(means, default=0.0) >= MANY,
    )


def _steady_rate(vanilla: Sequence[Results]) -> Observation:
    rates = [results.network_firing_rate[schema.T_SFR].values for results in vanilla]
    variation = [_variation(rate) for rate in rates]
    later = [_variation(rate[1:]) for rate in rates]
    return Observation(
        2,
        "the firing rate of the network (T-SFR) hardly changes from timestep to timestep",
        f"seen if its standard deviation over time is below {STEADY:.0%} of its mean",
        {
            "variation of T-SFR": variation,
            "variation of T-SFR without the first timestep": later,
        },
        mean_known(variation) < STEADY,
    )


def mean_known(values: Sequence[float]) -> float:
    """Return the mean of those that are numbers, NaN if none is."""
    known = np.asarray(values, np.float64)
    known = known[np.isfinite(known)]
    return float(known.mean()) if known.size else float("nan")


def _variation(rate: NDArray[np.float64]) -> float:
    """Return the standard deviation as a share of the mean, NaN if there are no spikes."""
    return float(rate.std() / rate.mean()) if rate.any() else float("nan")


def _tell(results: Results, name: str) -> float:
    """Return how well a number of a feature tells noise from normal, over its conv layers.

    Noise and normal are told by place (spikes where the input has no events), which
    knows nothing of rates and potentials. The probability that noise ranks above
    normal is averaged over layers and timesteps that have both.
    """
    shares = []
    for layer, patterns in results.patterns().items():
        values = {
            "rate": results.firing_rates[layer][schema.C_SFR],
            "distance": results.potentials[layer][schema.PTD],
            "variance": results.potentials[layer][schema.VARIANCE],
        }[name]
        codes = patterns[schema.PATTERN_SPATIAL].values
        for now, code in zip(values.values, codes, strict=True):
            known = np.isfinite(now)
            noise, normal = now[(code == NOISE) & known], now[(code == NORMAL) & known]
            if noise.size and normal.size:
                shares.append(_probability_above(noise, normal))
    return float(np.mean(shares)) if shares else float("nan")


def _likeness_to_input(results: Results) -> tuple[float, float]:
    """Return how N-SFR maps of normal, and of noise, features correlate with the events.

    The mean over layers with maps, timesteps and features of the correlation over
    positions with the mean events of that timestep, averaged in the cells of the map.
    """
    events = results.input_events[schema.MEAN_FRAMES].sum(schema.CHANNEL)
    found: dict[int, list[float]] = {NORMAL: [], NOISE: []}
    for layer, patterns in results.patterns().items():
        n_sfr = results.firing_rates[layer][schema.N_SFR]
        if schema.Y not in n_sfr.dims:
            continue
        cells = _mean_in_cells(events.values, (n_sfr.sizes[schema.Y], n_sfr.sizes[schema.X]))
        likeness = _correlation(n_sfr.values, cells[:, None])
        codes = patterns[schema.PATTERN_SPATIAL].values
        for code, values in found.items():
            values.extend(likeness[(codes == code) & np.isfinite(likeness)])
    return (
        float(np.mean(found[NORMAL])) if found[NORMAL] else float("nan"),
        float(np.mean(found[NOISE])) if found[NOISE] else float("nan"),
    )


def _mean_in_cells(frames: NDArray[np.float64], size: tuple[int, int]) -> NDArray[np.float64]:
    """Return frames (time, y, x) averaged in the cells of a smaller grid."""
    for axis, n_cells in ((1, size[0]), (2, size[1])):
        start = np.arange(n_cells) * frames.shape[axis] // n_cells
        width = np.diff([*start, frames.shape[axis]])
        width = width[:, None] if axis == 1 else width
        frames = np.add.reduceat(frames, start, axis=axis) / width
    return frames


def _correlation(maps: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return Pearson's correlation over the last two axes, NaN where a map is constant."""
    maps = maps - maps.mean((-2, -1), keepdims=True)
    other = other - other.mean((-2, -1), keepdims=True)
    scale = np.sqrt((maps**2).sum((-2, -1)) * (other**2).sum((-2, -1)))
    with np.errstate(invalid="ignore", divide="ignore"):
        correlation: NDArray[np.float64] = (maps * other).sum((-2, -1)) / scale
    return correlation


def _probability_above(high: NDArray[np.float64], low: NDArray[np.float64]) -> float:
    """Return the probability that one of `high` exceeds one of `low`; ties count half."""
    from scipy.stats import mannwhitneyu

    return float(mannwhitneyu(high, low).statistic / (high.size * low.size))
