"""Which layer of one network is which of another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from redundancy import schema
from redundancy.results import Results

BY_NAME, BY_POSITION, MISSING = "name", "position", "missing"
Shape = tuple[int, ...]


@dataclass
class Match:
    """One layer, as far as the networks have it.

    Attributes
    ----------
    layer : str
        Its name in the first network that has it.
    shape : tuple of int
        Of its maps or vector there: (channel[, y, x]).
    position : int
        In the order of that network's layers.
    names : dict of str to str
        Its name in each network that has it.
    matched : dict of str to str
        By what each of these was found: ``name`` or ``position``.
    """

    layer: str
    shape: Shape
    position: int
    names: dict[str, str] = field(default_factory=dict)
    matched: dict[str, str] = field(default_factory=dict)

    def add(self, network: str, layer: str, how: str) -> None:
        """Say that this is `layer` of `network`."""
        self.names[network] = layer
        self.matched[network] = how


def match_layers(networks: Mapping[str, Results]) -> list[Match]:
    """Find the same layers in several networks.

    Layers are the same if they have one name; of those that are left, if they stand at
    the same position and have one shape. Layers that only some networks have are kept,
    after the layer that they follow there.

    Parameters
    ----------
    networks : mapping of str to Results

    Returns
    -------
    list of Match
        In the order of the first network.
    """
    matches: list[Match] = []
    for network, results in networks.items():
        shapes = [(name, _shape(results, name)) for name in results.layers]
        _match(matches, network, shapes)
    return matches


def _match(matches: list[Match], network: str, layers: Sequence[tuple[str, Shape]]) -> None:
    by_name = {match.layer: match for match in matches}
    found = {name: by_name[name] for name, _ in layers if name in by_name}
    for name, match in found.items():
        match.add(network, name, BY_NAME)
    before = -1
    for position, (name, shape) in enumerate(layers):
        same = found.get(name) or _at_position(matches, network, position, shape)
        if same is None:
            same = Match(name, shape, position)
            same.add(network, name, BY_NAME)
            matches.insert(before + 1, same)
        elif network not in same.names:
            same.add(network, name, BY_POSITION)
        before = matches.index(same)


def _at_position(
    matches: Sequence[Match], network: str, position: int, shape: Shape
) -> Match | None:
    for match in matches:
        if network not in match.names and (match.position, match.shape) == (position, shape):
            return match
    return None


def _shape(results: Results, layer: str) -> Shape:
    counts = results.layers[layer][schema.SPIKE_COUNT]
    return tuple(counts.sizes[dim] for dim in counts.dims if dim != schema.TIME)
