"""Which samples an analysis is of, cut into shards: runs of whole batches."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from redundancy.datasets.base import Dataset
from redundancy.datasets.checked_batch import count_samples, read_batch
from redundancy.errors import UsageError
from redundancy.states import merge_states

if TYPE_CHECKING:
    from redundancy.network_observer import NetworkObserver
    from redundancy.nodes import Nodes

# A constant: where shards are cut must not depend on who works on them.
SHARD_BATCHES = 4


@dataclass(frozen=True)
class Part:
    """One of several nearly equal parts of a dataset, cut between batches.

    Attributes
    ----------
    index : int
        From 1.
    count : int
        Parts in all.
    """

    index: int
    count: int

    def __post_init__(self) -> None:
        if not 1 <= self.index <= self.count:
            raise UsageError(
                f"a part is I/N with I from 1 to N, such as 2/8, got {self.index}/{self.count}"
            )

    @classmethod
    def parse(cls, text: str) -> Part:
        """Return the part that ``I/N`` names.

        Raises
        ------
        UsageError
            If the text is anything else.
        """
        found = re.fullmatch(r"\s*(\d{1,18})\s*/\s*(\d{1,18})\s*", text)
        if found is None:
            raise UsageError(f"a part is I/N with I from 1 to N, such as 2/8, got {text!r}")
        return cls(int(found[1]), int(found[2]))

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"


@dataclass(frozen=True, order=True)
class Shard:
    """Samples `start` to `stop` (exclusive) of a dataset."""

    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start


@dataclass(frozen=True)
class Plan:
    """The samples to analyse.

    Attributes
    ----------
    batch_size : int
        Batches begin at its multiples.
    samples : Shard
        From the beginning of a batch to the end of one.
    total : int
        Where the last batch of all parts ends, which may make it a smaller one.
    """

    batch_size: int
    samples: Shard
    total: int

    @classmethod
    def of(
        cls,
        dataset: Dataset,
        batch_size: int,
        n_samples: int | None = None,
        part: Part | None = None,
    ) -> Plan:
        """Return the plan for the first `n_samples` of a dataset, or for a part of them.

        Raises
        ------
        UsageError
            If there is no sample in it, or a size cannot be; see
            :func:`redundancy.datasets.checked_batch.count_samples`.
        """
        total = count_samples(dataset, batch_size, n_samples)
        if total < 1:
            raise UsageError("there is no sample to analyse")
        n_batches = -(-total // batch_size)
        part = part or Part(1, 1)
        if part.count > n_batches:
            raise UsageError(
                f"{total} samples in batches of {batch_size} are {n_batches} batches, which cannot "
                f"be cut into {part.count} parts; ask for fewer parts or a smaller --batch-size"
            )
        first, last = ((index * n_batches) // part.count for index in (part.index - 1, part.index))
        samples = Shard(first * batch_size, min(last * batch_size, total))
        return cls(batch_size, samples, total)

    def batches(self, shard: Shard) -> list[Shard]:
        """Return the batches of a shard."""
        return [
            Shard(start, min(start + self.batch_size, shard.stop))
            for start in range(shard.start, shard.stop, self.batch_size)
        ]

    def pilot(self) -> list[Shard]:
        """Return the first batch of the dataset, and the next two that are to be analysed.

        The first chooses the bins, and on the second kernels are loaded that take the place
        of neurons; the third tells how long a batch takes.
        """
        first = Shard(0, min(self.batch_size, self.total))
        rest = Shard(max(self.samples.start, first.stop), self.samples.stop)
        return [first, *self.batches(rest)[:2]]

    def missing(self, done: Iterable[Shard]) -> list[Shard]:
        """Return the shards to do, in the order of the dataset, but for what is done."""
        size = SHARD_BATCHES * self.batch_size
        # Counted from the beginning of the dataset, so that resumed runs cut alike.
        left = [
            Shard(max(start, self.samples.start), min(start + size, self.samples.stop))
            for start in range(self.samples.start // size * size, self.samples.stop, size)
        ]
        for piece in done:
            left = [
                rest
                for shard in left
                for rest in (
                    Shard(shard.start, min(shard.stop, piece.start)),
                    Shard(max(shard.start, piece.stop), shard.stop),
                )
                if rest.start < rest.stop
            ]
        return left


def observe_shard(
    observer: NetworkObserver,
    dataset: Dataset,
    plan: Plan,
    shard: Shard,
    progress: Callable[[int], None] | None = None,
) -> Nodes:
    """Return the states of a shard's samples.

    Parameters
    ----------
    observer : NetworkObserver
        With the bins of the dataset's first batch.
    dataset : Dataset
    plan : Plan
    shard : Shard
        Whole batches.
    progress : callable, optional
        Called with the number of samples after each batch.
    """
    state: Nodes | None = None
    for batch in plan.batches(shard):
        observed = observer.observe(read_batch(dataset, batch.start, batch.stop))
        state = observed if state is None else merge_states(state, observed)
        if progress is not None:
            progress(len(batch))
    if state is None:
        raise UsageError("there is no sample to analyse")
    return state
