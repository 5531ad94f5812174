"""What workers are told of an analysis, and how they run it: processes here, or a cluster's."""

from __future__ import annotations

import contextlib
import logging
import os
import platform
import secrets
import threading
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from redundancy.datasets.base import Argument, Dataset
from redundancy.errors import ClusterError, DataError, RedundancyError
from redundancy.observation import AnalysisOptions, Bins
from redundancy.provenance import versions
from redundancy.sharding.gathering import Piece
from redundancy.sharding.plan import Plan, Shard
from redundancy.sharding.runners import InProcess, Pilot

if TYPE_CHECKING:
    from torch import nn

    from redundancy.checkpoint import Checkpoint

# As the command line does: PyTorch logs that an optional GPU compiler is absent.
logging.getLogger("torch._library").setLevel(logging.ERROR)


@dataclass(frozen=True)
class OpenCheckpoint:
    """Builds the network of a checkpoint and its data anew.

    Attributes
    ----------
    checkpoint : Checkpoint
        With its weights, so that no file is needed.
    device : str
        See :func:`redundancy.devices.resolve_device`.
    data : str
        ``name`` or ``name:location``.
    arguments : dict
        Of the dataset.
    split : str
    """

    checkpoint: Checkpoint
    device: str
    data: str
    arguments: dict[str, Argument]
    split: str

    @classmethod
    def of(cls, checkpoint: Checkpoint, device: str, dataset: Dataset) -> OpenCheckpoint:
        """Return what builds the network and this dataset again."""
        data = dataset.name
        if dataset.location is not None:
            data = f"{data}:{os.path.abspath(dataset.location)}"
        return cls(checkpoint, device, data, dict(dataset.arguments), dataset.split)

    def __call__(self) -> tuple[nn.Module, Dataset]:
        """Return the network, on its device, and the dataset."""
        from redundancy.datasets import build_dataset
        from redundancy.devices import resolve_device

        network = self.checkpoint.build_network().to(resolve_device(self.device))
        arguments: dict[str, Any] = dict(self.arguments)
        return network, build_dataset(self.data, split=self.split, **arguments)


@dataclass(frozen=True)
class Job:
    """All that a worker needs to know of an analysis.

    Attributes
    ----------
    identifier : str
    open : callable
        Returns the network and the dataset.
    data : tuple
        What the dataset must be; see :func:`facts_of`.
    plan : Plan
    options : AnalysisOptions
    fused : bool
    versions : dict of str to str
        Of the libraries; results of others would not be the same.
    local : bool
        Whether the workers are processes that belong to this analysis alone.
    """

    identifier: str
    open: Callable[[], tuple[nn.Module, Dataset]]
    data: tuple[Any, ...]
    plan: Plan
    options: AnalysisOptions
    fused: bool
    versions: dict[str, str]
    local: bool


def job_of(
    opening: Callable[[], tuple[nn.Module, Dataset]],
    dataset: Dataset,
    plan: Plan,
    options: AnalysisOptions,
    *,
    fused: bool,
    local: bool,
) -> Job:
    """Return the job of an analysis; see :class:`Job`, and `dataset` is the one here."""
    identifier = secrets.token_hex(8)
    facts = facts_of(dataset)
    return Job(identifier, opening, facts, plan, options, fused, versions(), local)


def facts_of(dataset: Dataset) -> tuple[str, dict[str, Argument], str, int]:
    """Return what two datasets must agree in to be the same."""
    return dataset.name, dict(dataset.arguments), dataset.split, len(dataset)


class OpenedJob:
    """A job on a worker; its network is built when it is first needed.

    Parameters
    ----------
    job : Job
    n_threads : int
        To compute with, unless the worker was started with more.
    """

    def __init__(self, job: Job, n_threads: int) -> None:
        self._job, self._n_threads = job, n_threads
        # A network has state: of a worker with several threads only one may run it.
        self._lock = threading.Lock()
        self._runner: InProcess | None = None

    def pilot(self) -> Pilot:
        """Run the pilot batches."""
        with self._running() as runner:
            pilot = runner.pilot()
        return replace(pilot, bins=dict(pilot.bins))

    def shard(self, shard: Shard, bins: Bins, device: str) -> Piece:
        """Return the states of a shard."""
        with self._running() as runner:
            (piece,) = runner.run([shard], bins, device, lambda n_samples: None)
        return piece

    @contextlib.contextmanager
    def _running(self) -> Iterator[InProcess]:
        with self._lock, warnings.catch_warnings():
            # The process in front has said what is to be said of the network.
            warnings.simplefilter("ignore")
            if self._runner is None:
                self._runner = self._opened()
            yield self._runner

    def _opened(self) -> InProcess:
        job, here = self._job, platform.node()
        found = versions()
        different = [
            f"{name} {found.get(name, 'missing')} and not {version}"
            for name, version in job.versions.items()
            if found.get(name) != version
        ]
        if different:
            raise ClusterError(
                f"the worker on {here} has {', '.join(different)}, so its results would not be the "
                "same; install the same versions there"
            )
        _set_threads(self._n_threads)
        try:
            network, dataset = job.open()
        except RedundancyError as error:
            if job.local:
                raise
            raise type(error)(f"on the worker on {here}: {error}") from error
        if facts_of(dataset) != job.data:
            raise DataError(
                f"the worker on {here} finds other data in {dataset.location} than this machine; "
                "copy the same files there"
            )
        return InProcess(network, dataset, job.plan, job.options, fused=job.fused)


def _set_threads(n_threads: int) -> None:
    """Use as many threads as the worker has, unless it was started with more."""
    import numba
    import torch

    given = int(os.environ.get("OMP_NUM_THREADS") or 1)
    n_threads = max(n_threads, given)
    torch.set_num_threads(n_threads)
    numba.set_num_threads(min(n_threads, numba.config.NUMBA_NUM_THREADS))
