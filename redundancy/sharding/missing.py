"""What is missing of a plan is run, and kept as it comes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from redundancy.sharding.estimate import Estimate, estimate
from redundancy.sharding.gathering import Gathered, bins_of
from redundancy.sharding.plan import Plan
from redundancy.sharding.runners import Runner

if TYPE_CHECKING:
    from redundancy.sharding.kept_states import KeptStates

Progress = Callable[[int, int], None]


def run_missing(
    plan: Plan,
    runner: Runner,
    gathered: Gathered,
    kept: KeptStates | None,
    progress: Progress | None,
    announce: Callable[[Estimate], None] | None,
) -> None:
    """Run what is missing of a plan."""
    n_done = 0

    def done(n_samples: int) -> None:
        nonlocal n_done
        n_done += n_samples
        if progress is not None:
            progress(n_done, len(plan.samples))

    if gathered.pieces:
        bins = bins_of(gathered.pieces[0].nodes)
        n_done = gathered.n_samples
    else:
        pilot = runner.pilot()
        bins, gathered.device = pilot.bins, pilot.device
        if pilot.piece is not None:
            gathered.add(pilot.piece)
            for batch in plan.batches(pilot.piece.samples):
                done(len(batch))
        expected = estimate(plan, pilot, gathered, runner.n_workers)
        if announce is not None and expected.is_long:
            announce(expected)
    shards = plan.missing(piece.samples for piece in gathered.pieces)
    for piece in runner.run(shards, bins, gathered.device, done):
        gathered.add(piece)
        del piece  # or it would live until the next one is there
        if kept is not None and gathered.n_samples < len(plan.samples):
            kept.keep(gathered)
