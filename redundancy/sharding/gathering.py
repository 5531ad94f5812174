"""States of shards become the state of all samples, in the order of the dataset."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import xarray as xr

from redundancy.nodes import Nodes, spiking_layers
from redundancy.observation import Bins
from redundancy.sharding.plan import Shard
from redundancy.states import merge_states
from redundancy.stats import MembranePotentialDistribution


@dataclass(frozen=True)
class Piece:
    """The states of some samples."""

    samples: Shard
    nodes: Nodes


@dataclass
class Gathered:
    """What is done so far, merged as far as it is without a gap.

    Pieces may come in any order; those after a gap wait for what is missing.

    Attributes
    ----------
    start : int
        The first sample.
    merged : Piece or None
        From the first sample on.
    waiting : list of Piece
    device : str
        What the network ran on; empty as long as nothing ran.
    """

    start: int
    merged: Piece | None = None
    waiting: list[Piece] = field(default_factory=list)
    device: str = ""

    def add(self, piece: Piece) -> None:
        """Take in a piece."""
        self.waiting.append(piece)
        self.waiting.sort(key=lambda waiting: waiting.samples)
        while self.waiting and self.waiting[0].samples.start == self.stop:
            following = self.waiting.pop(0)
            if self.merged is None:
                self.merged = following
            else:
                samples = Shard(self.start, following.samples.stop)
                self.merged = Piece(samples, merge_states(self.merged.nodes, following.nodes))

    @property
    def stop(self) -> int:
        """The sample after the last one that is merged."""
        return self.start if self.merged is None else self.merged.samples.stop

    @property
    def pieces(self) -> list[Piece]:
        """All that is there, in the order of the dataset."""
        return [*([] if self.merged is None else [self.merged]), *self.waiting]

    @property
    def n_samples(self) -> int:
        """How many samples are done."""
        return sum(len(piece.samples) for piece in self.pieces)


def bins_of(nodes: Mapping[str, xr.Dataset]) -> Bins:
    """Return the bins that states were observed with."""
    return {
        name: MembranePotentialDistribution.of(layer)
        for name, layer in spiking_layers(nodes).items()
    }
