"""What an analysis will take, told by its first batches."""

from __future__ import annotations

from dataclasses import dataclass

from redundancy.sharding.gathering import Gathered
from redundancy.sharding.plan import SHARD_BATCHES, Plan
from redundancy.sharding.runners import Pilot, peak_bytes

# Analyses shorter than this begin without an announcement.
LONG_SECONDS = 60.0


@dataclass(frozen=True)
class Estimate:
    """Time, memory and disk of what is left of an analysis.

    None of them but the time grows with the number of samples.

    Attributes
    ----------
    n_samples : int
        Left to do.
    seconds : float
    n_workers : int
    memory_bytes : int
        Of all processes together.
    disk_bytes : int
        At most, for results and kept states.
    """

    n_samples: int
    seconds: float
    n_workers: int
    memory_bytes: int
    disk_bytes: int

    @property
    def is_long(self) -> bool:
        """Whether it is worth telling."""
        return self.seconds >= LONG_SECONDS


def estimate(plan: Plan, pilot: Pilot, gathered: Gathered, n_workers: int) -> Estimate:
    """Return what the rest of a plan will take.

    Parameters
    ----------
    plan : Plan
    pilot : Pilot
        Its last batch is taken for a typical one.
    gathered : Gathered
        What is done.
    n_workers : int
    """
    left = len(plan.samples) - gathered.n_samples
    busy = min(n_workers, max(-(-left // (SHARD_BATCHES * plan.batch_size)), 1))
    state = 0
    if gathered.pieces:
        state = sum(node.nbytes for node in gathered.pieces[0].nodes.values())
    # This process merges: the sum so far, what comes in, and what both make or is being
    # written. Where others run the network it holds the dataset and the libraries besides.
    merging = 3 * state + (peak_bytes() if n_workers > 1 else 0)
    # Merged states, their replacement, shards that wait, and the results.
    waiting = n_workers if n_workers > 1 else 0
    return Estimate(
        left,
        pilot.seconds * left / plan.batch_size / busy,
        n_workers,
        pilot.peak_bytes * busy + merging,
        (3 + waiting) * state,
    )
