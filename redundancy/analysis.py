"""Network x dataset -> results: one streamed pass, nothing kept but states."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import xarray as xr

from redundancy import schema
from redundancy.datasets.base import Dataset
from redundancy.datasets.checked_batch import iterate_batches
from redundancy.errors import StorageError
from redundancy.nodes import Nodes
from redundancy.observation import AnalysisOptions, Observer
from redundancy.recording import Recorder
from redundancy.reduction import Part, describe, reduce_states, refuse_no_outputs, results_of
from redundancy.results import Results
from redundancy.sharding.estimate import Estimate
from redundancy.sharding.gathering import Gathered
from redundancy.sharding.identity import identity_of
from redundancy.sharding.missing import run_missing
from redundancy.sharding.plan import Part as DatasetPart
from redundancy.sharding.plan import Plan
from redundancy.sharding.runners import InProcess, Runner

if TYPE_CHECKING:
    from torch import nn

    from redundancy.checkpoint import Checkpoint
    from redundancy.forward import Forward
    from redundancy.sharding.kept_states import KeptStates

Progress = Callable[[int, int], None]
DEFAULT_BATCH_SIZE = 16


def network_recordings(
    network: nn.Module,
    dataset: Dataset,
    *,
    quantities: Sequence[str] = (schema.SPIKE,),
    batch_size: int = DEFAULT_BATCH_SIZE,
    n_samples: int | None = None,
    forward: Forward | None = None,
) -> Generator[Nodes]:
    """Run a dataset through a network and yield a recording of every batch.

    Parameters
    ----------
    network : nn.Module
    dataset : Dataset
    quantities : sequence of str
        See :class:`redundancy.recording.Recorder`.
    batch_size : int
    n_samples : int, optional
        Only the first so many samples.
    forward : callable, optional
        See :class:`redundancy.recording.Recorder`.

    Yields
    ------
    dict of str to Dataset
        See :meth:`redundancy.recording.Recorder.record_nodes`.
    """
    with Recorder(network, quantities=quantities, forward=forward) as recorder:
        for batch in iterate_batches(dataset, batch_size, n_samples):
            yield recorder.record_nodes(
                batch.frames,
                labels=batch.labels,
                recordings=batch.recordings,
                start=batch.start,
            )


def analyze_recordings(
    recordings: Iterable[Mapping[str, xr.Dataset]],
    provenance: Mapping[str, Any],
    *,
    options: AnalysisOptions | None = None,
    total: int | None = None,
    progress: Progress | None = None,
) -> Results:
    """Reduce recordings of disjoint samples, in the order of the dataset, to results.

    Parameters
    ----------
    recordings : iterable of mappings of str to Dataset
        The nodes of each recording. Consumed one at a time; none is kept.
    provenance : mapping
        Root attributes of the results.
    options : AnalysisOptions, optional
    total : int, optional
        Number of samples to come, for `progress`.
    progress : callable, optional
        Called with (samples done, `total`).

    Raises
    ------
    UsageError
        If there is no sample.

    Warns
    -----
    UserWarning
        If the network never spikes.
    """
    return reduce_states(
        recorded_states(recordings, options or AnalysisOptions()),
        provenance,
        options=options,
        total=total,
        progress=progress,
    )


def recorded_states(
    recordings: Iterable[Mapping[str, xr.Dataset]], options: AnalysisOptions
) -> Iterator[Part]:
    """Yield the states of each recording and its number of samples; the first chooses the bins."""
    observer: Observer | None = None
    for recording in recordings:
        observer = observer or Observer.from_pilot(recording, options)
        n_samples = recording[schema.ROOT].sizes[schema.SAMPLE]
        states = observer.observe(recording)
        del recording  # before the next one is made
        yield states, n_samples


def analyze(
    network: nn.Module,
    dataset: Dataset,
    *,
    checkpoint: Checkpoint | None = None,
    batch_size: int = DEFAULT_BATCH_SIZE,
    n_samples: int | None = None,
    options: AnalysisOptions | None = None,
    forward: Forward | None = None,
    progress: Progress | None = None,
    part: DatasetPart | None = None,
    fused: bool = True,
    kept: KeptStates | None = None,
    runner: Runner | None = None,
    announce: Callable[[Estimate], None] | None = None,
) -> Results:
    """Run a dataset through a trained network once and return its statistics.

    The dataset is cut into shards, runs of whole batches, whose states are merged. The
    bins of membrane potentials are chosen on its first batch, also where that belongs to
    another part. So results do not depend on who runs which shard, and when.

    Parameters
    ----------
    network : nn.Module
        Any network whose spiking neurons have an adapter; it runs on the device it is on.
    dataset : Dataset
    checkpoint : Checkpoint, optional
        Where the network comes from, for the provenance.
    batch_size : int
    n_samples : int, optional
        Only the first so many samples of the dataset.
    options : AnalysisOptions, optional
        Parameters of the statistics.
    forward : callable, optional
        How to run the network on one batch; see :class:`redundancy.recording.Recorder`.
    progress : callable, optional
        Called with (samples done, samples in all).
    part : Part, optional
        Only this part of these samples; see :func:`redundancy.sharding.merging.merge_results`.
    fused : bool
        Whether fused kernels may replace neurons while they are analysed.
    kept : KeptStates, optional
        Where to keep what is done, and to go on from what was. Remove it when the results
        are saved.
    runner : Runner, optional
        Who runs the shards; default this process. It must be of the same plan and options.
    announce : callable, optional
        Called, before a long analysis, with what it will take.

    Returns
    -------
    Results

    Raises
    ------
    RecordingError
        If what is read from the network disagrees with what it does, or its output is NaN
        or infinite for every sample.
    UsageError
        If there is no sample, or `kept` holds what it should not.
    """
    options = options or AnalysisOptions()
    plan = Plan.of(dataset, batch_size, n_samples, part)
    provenance = describe(network, dataset, checkpoint, batch_size=batch_size)
    if runner is None:
        runner = InProcess(network, dataset, plan, options, forward=forward, fused=fused)
    gathered = Gathered(plan.samples.start)
    if kept is not None:
        gathered = kept.open(
            identity_of(network, provenance, options, plan, fused), plan.samples.start
        )
    try:
        run_missing(plan, runner, gathered, kept, progress, announce)
    except BaseException:
        if kept is not None:
            with contextlib.suppress(StorageError):
                kept.keep(gathered, now=True)
        raise
    assert gathered.merged is not None
    samples, state = gathered.merged.samples, gathered.merged.nodes
    if len(samples) == plan.total:
        refuse_no_outputs(state, plan.total)
    provenance[schema.DEVICE] = gathered.device
    return results_of(state, provenance, options, len(samples), f"{samples.start}:{samples.stop}")
