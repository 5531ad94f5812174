"""Who runs the shards of an analysis: this process, or workers (see `cluster`)."""

from __future__ import annotations

import contextlib
import platform
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from redundancy.datasets.base import Dataset
from redundancy.datasets.checked_batch import read_batch, read_first_batch
from redundancy.devices import device_of
from redundancy.errors import UsageError
from redundancy.network_observer import NetworkObserver
from redundancy.observation import AnalysisOptions, Bins
from redundancy.sharding.gathering import Piece
from redundancy.sharding.plan import Plan, Shard, observe_shard
from redundancy.states import merge_states

if TYPE_CHECKING:
    from torch import nn

    from redundancy.forward import Forward

SamplesDone = Callable[[int], None]


@dataclass(frozen=True)
class Pilot:
    """What the first batches tell.

    Attributes
    ----------
    bins : mapping
        Of the membrane potentials of every layer, chosen on the dataset's first batch.
    piece : Piece
        The states of the batches that belong to the analysis.
    seconds : float
        What the last of the batches took; those before also pay for checks and kernels.
    peak_bytes : int
        Greatest memory of the process that ran them, 0 where that is not known.
    device : str
        Where they ran.
    """

    bins: Bins
    piece: Piece | None
    seconds: float
    peak_bytes: int
    device: str


class Runner(Protocol):
    """Runs shards."""

    @property
    def n_workers(self) -> int:
        """How many shards run at a time."""
        ...

    def pilot(self) -> Pilot:
        """Run the pilot batches of the plan."""
        ...

    def run(
        self, shards: Sequence[Shard], bins: Bins, device: str, done: SamplesDone
    ) -> Iterator[Piece]:
        """Yield the states of shards in any order.

        Parameters
        ----------
        shards : sequence of Shard
        bins : mapping
            See :class:`Pilot`.
        device : str
            What the other samples ran on.
        done : callable
            Called with numbers of samples as they are finished.

        Raises
        ------
        UsageError
            If the network is on a device of another type.
        """
        ...


class InProcess:
    """Runs shards one after another in this process.

    Parameters
    ----------
    network : nn.Module
    dataset : Dataset
    plan : Plan
    options : AnalysisOptions
    forward : callable, optional
        See :class:`redundancy.recording.Recorder`.
    fused : bool
        Whether fused kernels may replace neurons; see :class:`NetworkObserver`.
    """

    n_workers = 1

    def __init__(
        self,
        network: nn.Module,
        dataset: Dataset,
        plan: Plan,
        options: AnalysisOptions,
        *,
        forward: Forward | None = None,
        fused: bool = True,
    ) -> None:
        self._network, self._dataset, self._plan = network, dataset, plan
        self._options = options
        self._keywords: dict[str, Any] = {"forward": forward}
        if not fused:
            self._keywords["fused"] = False
        self._observer: NetworkObserver | None = None

    @contextlib.contextmanager
    def _observing(self, bins: Bins | None) -> Iterator[NetworkObserver]:
        # One observer for all: it checks the network on the first batch that it sees.
        if self._observer is None:
            self._observer = NetworkObserver(
                self._network,
                self._options,
                bins=bins,
                last_sample=self._plan.total - 1,
                **self._keywords,
            )
        with self._observer as observer:
            yield observer

    def pilot(self) -> Pilot:
        """Run the pilot batches of the plan."""
        pieces: list[Piece] = []
        with self._observing(None) as observer:
            for batch in self._plan.pilot():
                began = time.monotonic()
                read = read_batch if batch.start else read_first_batch
                nodes = observer.observe(read(self._dataset, batch.start, batch.stop))
                seconds = time.monotonic() - began
                if batch.start >= self._plan.samples.start:
                    pieces.append(Piece(batch, nodes))
            bins = observer.bins
        piece = pieces[0] if pieces else None
        for other in pieces[1:]:
            assert piece is not None
            samples = Shard(piece.samples.start, other.samples.stop)
            piece = Piece(samples, merge_states(piece.nodes, other.nodes))
        return Pilot(bins, piece, seconds, peak_bytes(), str(device_of(self._network)))

    def run(
        self, shards: Sequence[Shard], bins: Bins, device: str, done: SamplesDone
    ) -> Iterator[Piece]:
        """Yield the states of shards, in their order; see :class:`Runner`."""
        here = device_of(self._network)
        if here.type != device.partition(":")[0]:
            raise UsageError(
                f"the network is on {here} on {platform.node()}, but other samples were run on "
                f"{device}, whose numbers differ in their last digits; name one with --device"
            )
        with self._observing(bins) as observer:
            for shard in shards:
                nodes = observe_shard(observer, self._dataset, self._plan, shard, done)
                yield Piece(shard, nodes)
                del nodes


def peak_bytes() -> int:
    """Return the greatest memory this process has used, 0 where that is not known."""
    try:
        import resource
    except ImportError:  # not on Windows
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak) * (1 if sys.platform == "darwin" else 1024)
