"""What runs on the workers of a cluster. Import this module only there: it brings dask."""

from __future__ import annotations

from distributed import Worker, WorkerPlugin

from redundancy.observation import Bins
from redundancy.sharding.gathering import Piece
from redundancy.sharding.jobs import Job, OpenedJob
from redundancy.sharding.plan import Shard
from redundancy.sharding.runners import Pilot


class JobPlugin(WorkerPlugin):
    """Brings a job to every worker, also to those that come later."""

    def __init__(self, job: Job) -> None:
        self.name = f"redundancy-{job.identifier}"
        self._job = job

    def setup(self, worker: Worker) -> None:
        """Make the job known; the network is built by the first task that needs it."""
        _known[self._job.identifier] = OpenedJob(self._job, worker.state.nthreads)

    def teardown(self, worker: Worker) -> None:
        """Forget the job."""
        _known.pop(self._job.identifier, None)


_known: dict[str, OpenedJob] = {}


def run_pilot(identifier: str) -> Pilot:
    """Run the pilot batches of a job."""
    return _known[identifier].pilot()


def run_shard(identifier: str, shard: Shard, bins: Bins, device: str) -> Piece:
    """Return the states of a shard of a job."""
    return _known[identifier].shard(shard, bins, device)
