"""The comparison itself: which networks may be compared, and its tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from redundancy import schema
from redundancy.comparison import frames
from redundancy.comparison.data import are_paired, check_same_data, named
from redundancy.comparison.matching import BY_NAME, Match, match_layers
from redundancy.comparison.quantities import Compared, Settings
from redundancy.errors import UsageError
from redundancy.results import Results
from redundancy.stats import PatternRules
from redundancy.stats.energy import E_AC, E_MAC
from redundancy.stats.energy_conventions import CONVENTIONS
from redundancy.tables.accuracy_basis import accuracy_notes
from redundancy.tables.formats import CAPTION, NOTES

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Comparison:
    """Two or more networks side by side; the first is what the others are held against.

    Attributes
    ----------
    networks : dict of str to Results
    headline : DataFrame
        One row per network and quantity (accuracy, NASFR, quantization error, energy):
        ``value`` with its interval ``low``, ``high``; ``change`` and ``change_percent``
        against the first network, each with ``_low`` and ``_high``, NaN where the
        bootstrap did not draw the same samples for both.
    layers : DataFrame
        One row per layer and network: ``own_name`` of the layer there, ``matched`` by
        ``name`` or ``position``, or ``missing`` with NaN; ``n_neurons``, ``n_channels``;
        then every quantity, and its ``..._change``.
    channels : DataFrame
        One row per layer, channel and network, for layers of equally many channels;
        means over time. Channel k of one network need not do what channel k of
        another does, unless one was trained on from the other.
    energies : DataFrame
        One row per synaptic layer and network; empty where results hold none.
    matches : list of Match
        Which layers are taken to be the same.
    notes : tuple of str
        Sentences on what to mind.
    """

    networks: dict[str, Results]
    headline: pd.DataFrame
    layers: pd.DataFrame
    channels: pd.DataFrame
    energies: pd.DataFrame
    matches: list[Match]
    notes: tuple[str, ...]

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """The tables by name, in reading order."""
        return {
            "headline": self.headline,
            "layers": self.layers,
            "channels": self.channels,
            "energies": self.energies,
        }


def compare(
    networks: Mapping[str, Results] | Iterable[tuple[str, Results]],
    *,
    force: bool = False,
    convention: str = "asa",
    e_mac: float = E_MAC,
    e_ac: float = E_AC,
    rules: PatternRules | None = None,
    level: float = 0.95,
) -> Comparison:
    """Put two or more networks side by side.

    Parameters
    ----------
    networks : mapping of str to Results, or pairs of both
        The first is what the others are held against.
    force : bool
        Compare although the networks were analysed on different data, for different
        numbers of timesteps, or for different quantities of the membrane potential.
    convention, e_mac, e_ac
        How energies are counted; see :func:`redundancy.stats.energy.energy_table`.
    rules : PatternRules, optional
        How patterns are told.
    level : float
        Of the intervals, between 0 and 1.

    Returns
    -------
    Comparison

    Raises
    ------
    UsageError
        If there are fewer than two networks, two of one name, or, unless forced, some
        that cannot be compared; the message says in what they differ.
    """
    CONVENTIONS.get(convention)
    if not 0 < level < 1:
        raise UsageError(f"the level of intervals must lie between 0 and 1, got {level}")
    chosen = named(networks)
    notes = check_same_data(chosen, force=force)
    settings = Settings(rules or PatternRules(), convention, e_mac, e_ac)
    compared = {name: Compared(results, settings) for name, results in chosen.items()}
    matches = match_layers(chosen)
    notes += [
        *_accuracy_notes(chosen),
        *_interval_notes(chosen, level),
        *_match_notes(chosen, matches),
        *_bin_notes(chosen, matches),
        *_energy_notes(compared, settings),
    ]
    comparison = Comparison(
        networks=chosen,
        headline=frames.headline_frame(compared, _paired_names(chosen), level),
        layers=frames.layer_frame(compared, matches),
        channels=frames.channel_frame(compared, matches),
        energies=frames.energy_frame(compared),
        matches=matches,
        notes=tuple(notes),
    )
    first = next(iter(chosen))
    for name, table in comparison.tables.items():
        caption = f"{_CAPTIONS[name]}; changes against {first}."
        table.attrs = {CAPTION: caption, NOTES: list(notes)}
    return comparison


_CAPTIONS = {
    "headline": "Networks side by side",
    "layers": "Spiking layers side by side",
    "channels": "Channels side by side, means over time",
    "energies": "Synaptic layers side by side, per sample",
}


def _paired_names(networks: Mapping[str, Results]) -> set[str]:
    """Return the networks whose replicates draw the same samples as the first one's."""
    (_, first), *others = networks.items()
    return {name for name, results in others if are_paired(first, results)}


def _accuracy_notes(networks: Mapping[str, Results]) -> list[str]:
    notes = accuracy_notes(networks)
    counts = {results.summary()["accuracy_samples"] for results in networks.values()}
    if notes and len(counts) > 1:
        notes.append("So changes of accuracy are not between the same samples.")
    return notes


def _interval_notes(networks: Mapping[str, Results], level: float) -> list[str]:
    first = next(iter(networks))
    unpaired = [name for name in networks if name not in _paired_names(networks) | {first}]
    drawn = networks[first].attributes.get(schema.STATISTICS, {})
    notes = [
        f"Intervals: {100 * level:g} % of a bootstrap over samples "
        f"({drawn.get('n_replicates', 'unknown')} replicates, seed "
        f"{drawn.get('seed', 'unknown')}); those of changes resample the same samples in both "
        "networks."
    ]
    if unpaired:
        notes.append(
            f"Changes of {', '.join(unpaired)} have no interval: data, number of replicates or "
            f"seed of the bootstrap are not those of {first}."
        )
    return notes


def _match_notes(networks: Mapping[str, Results], matches: Sequence[Match]) -> list[str]:
    notes = []
    for match in matches:
        notes += [
            f"Layer {match.names[network]} of {network} is taken to be {match.layer}, by its "
            "position and shape."
            for network, how in match.matched.items()
            if how != BY_NAME
        ]
        absent = [network for network in networks if network not in match.names]
        if absent:
            notes.append(f"Layer {match.layer} is not in {', '.join(absent)}.")
        channels = {
            networks[network].layers[name].sizes[schema.CHANNEL]
            for network, name in match.names.items()
        }
        if len(channels) > 1:
            notes.append(
                f"Layer {match.layer} has {' or '.join(map(str, sorted(channels)))} channels, so "
                "not all its channels are compared."
            )
    return notes


def _bin_notes(networks: Mapping[str, Results], matches: Sequence[Match]) -> list[str]:
    """Return a note on layers whose peak-to-threshold distances rest on different bins."""
    layers = []
    for match in matches:
        widths = {
            float(networks[network].potentials[name].attrs[schema.BIN_WIDTH])
            for network, name in match.names.items()
        }
        if len(widths) > 1:
            layers.append(f"{match.layer} ({', '.join(f'{w:g}' for w in sorted(widths))})")
    if not layers:
        return []
    return [
        "Peak-to-threshold distances rest on bins of different widths in "
        f"{', '.join(layers)}; analyse with one --bin-width to take that out of their change."
    ]


def _energy_notes(compared: Mapping[str, Compared], settings: Settings) -> list[str]:
    unknown = [name for name, network in compared.items() if network.energies is None]
    notes = [
        f"Energy: convention {settings.convention}, {settings.e_mac:g} pJ a MAC, "
        f"{settings.e_ac:g} pJ an AC, per sample; of a spiking layer, that of the synaptic layers "
        "its spikes enter."
    ]
    if unknown:
        notes.append(f"No operations or energy are known of {', '.join(unknown)}.")
    return notes
