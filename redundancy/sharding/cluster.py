"""The shards of an analysis on the workers of a cluster.

Import this module only where it is used: it brings dask.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from typing import TYPE_CHECKING, Any

from distributed import Client, KilledWorker, as_completed

from redundancy.datasets.base import Dataset
from redundancy.errors import ClusterError
from redundancy.observation import AnalysisOptions, Bins
from redundancy.sharding.gathering import Piece
from redundancy.sharding.jobs import job_of
from redundancy.sharding.plan import Plan, Shard
from redundancy.sharding.runners import Pilot, SamplesDone
from redundancy.sharding.worker import JobPlugin, run_pilot, run_shard

if TYPE_CHECKING:
    from distributed import Future
    from torch import nn

# So that no worker waits for work while another's states are merged.
_SHARDS_A_WORKER = 2


class ClusterRunner:
    """Runs shards on the workers of a cluster.

    Parameters
    ----------
    client : Client
        Of dask.distributed.
    open_job : callable
        Returns the network and the dataset, on a worker; it must be possible to pickle it.
    dataset : Dataset
        The same one, here.
    plan : Plan
    options : AnalysisOptions
    fused : bool
        See :class:`redundancy.sharding.runners.InProcess`.
    """

    def __init__(
        self,
        client: Client,
        open_job: Callable[[], tuple[nn.Module, Dataset]],
        dataset: Dataset,
        plan: Plan,
        options: AnalysisOptions,
        *,
        fused: bool = True,
    ) -> None:
        self._client = client
        self._job = job_of(open_job, dataset, plan, options, fused=fused, local=False)
        client.register_plugin(JobPlugin(self._job))

    @property
    def n_workers(self) -> int:
        """How many workers there are now."""
        return max(len(self._client.nthreads()), 1)

    def pilot(self) -> Pilot:
        """Run the pilot batches on a worker."""
        with _errors_as_sentences():
            future = self._client.submit(run_pilot, self._job.identifier, pure=False)
            pilot: Pilot = future.result()
        return pilot

    def run(
        self, shards: Sequence[Shard], bins: Bins, device: str, done: SamplesDone
    ) -> Iterator[Piece]:
        """Yield the states of shards as they are finished.

        Only a few shards a worker are under way at a time, so that memory here does not
        grow with their number. A shard whose worker is lost is run by another one.
        """
        tasks = (self._submit(shard, dict(bins), device) for shard in shards)
        running: set[Future[Any]] = set()
        finished = as_completed(loop=self._client.loop)
        try:
            self._fill(running, finished, tasks)
            while running:
                with _errors_as_sentences():
                    future = next(finished)
                    running.discard(future)
                    piece: Piece = future.result()
                    future.release()
                self._fill(running, finished, tasks)
                done(len(piece.samples))
                yield piece
                del piece
        finally:
            if running:
                with contextlib.suppress(Exception):
                    self._client.cancel(list(running), force=True)

    def _submit(self, shard: Shard, bins: Bins, device: str) -> Future[Any]:
        identifier = self._job.identifier
        return self._client.submit(
            run_shard,
            identifier,
            shard,
            bins,
            device,
            # Never taken for another one, and the earliest first: what is merged has no gaps.
            pure=False,
            key=f"redundancy-{identifier}-{shard.start}",
            priority=-shard.start,
        )

    def _fill(
        self, running: set[Future[Any]], finished: as_completed, tasks: Iterator[Future[Any]]
    ) -> None:
        while len(running) < _SHARDS_A_WORKER * self.n_workers:
            future = next(tasks, None)
            if future is None:
                return
            running.add(future)
            finished.add(future)

    def close(self) -> None:
        """Let the workers forget the job."""
        with contextlib.suppress(Exception):
            self._client.unregister_worker_plugin(f"redundancy-{self._job.identifier}")


@contextlib.contextmanager
def _errors_as_sentences() -> Iterator[None]:
    try:
        yield
    except KilledWorker as error:
        raise ClusterError(
            f"the same samples ended {error.allowed_failures + 1} workers one after another, "
            "probably because memory was short; ask for a smaller --batch-size, and go on with "
            "--resume"
        ) from error
    except (CancelledError, asyncio.CancelledError) as error:
        raise ClusterError(
            "the connection to the cluster's scheduler was lost; start it again and go on with "
            "--resume"
        ) from error
