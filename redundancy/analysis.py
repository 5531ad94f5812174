"""Network x dataset -> results: one streamed pass, nothing kept but states."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import xarray as xr

from redundancy import schema
from redundancy.datasets.base import Dataset, iterate_batches
from redundancy.devices import device_of
from redundancy.errors import UsageError
from redundancy.network_observer import NetworkObserver
from redundancy.nodes import pack
from redundancy.observation import AnalysisOptions, Observer, merge_states
from redundancy.provenance import versions
from redundancy.recording import Nodes, Recorder
from redundancy.results import Results

if TYPE_CHECKING:
    from torch import nn

    from redundancy.checkpoint import Checkpoint
    from redundancy.recording import Forward

Progress = Callable[[int, int], None]
Part = tuple[Nodes, int]
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


def reduce_states(
    parts: Iterable[Part],
    provenance: Mapping[str, Any],
    *,
    options: AnalysisOptions | None = None,
    total: int | None = None,
    progress: Progress | None = None,
) -> Results:
    """Merge the states of disjoint samples, in the order of the dataset, to results.

    Parameters and errors are those of :func:`analyze_recordings`; a part is the states of
    some samples and their number.
    """
    state: Nodes | None = None
    n_done = 0
    for observed, n_samples in parts:
        state = observed if state is None else merge_states(state, observed)
        n_done += n_samples
        if progress is not None:
            progress(n_done, total or n_done)
    if state is None:
        raise UsageError("there is no sample to analyse")
    attributes = {
        **provenance,
        schema.KIND: "results",
        schema.VERSION: schema.SCHEMA_VERSION,
        schema.N_SAMPLES: n_done,
        schema.STATISTICS: dataclasses.asdict(options or AnalysisOptions()),
        schema.VERSIONS: versions(),
    }
    tree = xr.DataTree.from_dict(dict(state))
    tree.attrs = {key: pack(value) for key, value in attributes.items()}
    results = Results(tree)
    if results.n_spikes == 0:
        warnings.warn(
            f"the network never spikes in {n_done} samples: every rate is 0; check that the "
            "weights, the threshold and the scale of the input belong together",
            UserWarning,
            stacklevel=2,
        )
    return results


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
) -> Results:
    """Run a dataset through a trained network once and return its statistics.

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

    Returns
    -------
    Results

    Raises
    ------
    RecordingError
        If what is read from the network disagrees with what it does.
    """
    total = len(dataset) if n_samples is None else min(n_samples, len(dataset))
    provenance = describe(network, dataset, checkpoint, batch_size=batch_size)
    options = options or AnalysisOptions()
    with NetworkObserver(network, options, forward=forward) as observer:
        parts = (
            (observer.observe(batch), len(batch.frames))
            for batch in iterate_batches(dataset, batch_size, n_samples)
        )
        return reduce_states(parts, provenance, options=options, total=total, progress=progress)


def describe(
    network: nn.Module,
    dataset: Dataset,
    checkpoint: Checkpoint | None,
    *,
    batch_size: int,
) -> dict[str, Any]:
    """Return the provenance of an analysis or a recording as root attributes."""
    known = {
        schema.NETWORK: type(network).__name__,
        schema.NETWORK_ARGUMENTS: {},
        schema.CHECKPOINT_SHA256: "",
        schema.CHECKPOINT_FORMAT: "",
    }
    if checkpoint is not None:
        known = {
            schema.NETWORK: checkpoint.network,
            schema.NETWORK_ARGUMENTS: checkpoint.network_arguments,
            schema.CHECKPOINT_SHA256: checkpoint.sha256,
            schema.CHECKPOINT_FORMAT: checkpoint.format,
        }
    return {
        **known,
        schema.N_PARAMETERS: sum(parameter.numel() for parameter in network.parameters()),
        schema.DATASET: dataset.name,
        schema.DATASET_ARGUMENTS: dict(dataset.arguments),
        schema.SPLIT: dataset.split,
        schema.N_TIMESTEPS: dataset.frame_shape[0],
        schema.BATCH_SIZE: batch_size,
        schema.DEVICE: str(device_of(network)),
    }
