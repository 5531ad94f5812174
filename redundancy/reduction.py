"""States of disjoint samples become results that say where they come from."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import xarray as xr

from redundancy import schema
from redundancy.datasets.base import Dataset
from redundancy.devices import device_of
from redundancy.errors import RecordingError, UsageError
from redundancy.network_checks import refuse_odd_weights
from redundancy.nodes import Nodes, pack
from redundancy.observation import AnalysisOptions
from redundancy.provenance import versions
from redundancy.results import Results
from redundancy.states import merge_states

if TYPE_CHECKING:
    from torch import nn

    from redundancy.checkpoint import Checkpoint

Progress = Callable[[int, int], None]
Part = tuple[Nodes, int]


def reduce_states(
    parts: Iterable[Part],
    provenance: Mapping[str, Any],
    *,
    options: AnalysisOptions | None = None,
    total: int | None = None,
    progress: Progress | None = None,
) -> Results:
    """Merge the states of disjoint samples, in the order of the dataset, to results.

    Parameters and errors are those of :func:`redundancy.analysis.analyze_recordings`; a
    part is the states of some samples and their number.
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
    refuse_no_outputs(state, n_done)
    return results_of(state, provenance, options or AnalysisOptions(), n_done, f"0:{n_done}")


def refuse_no_outputs(state: Nodes, n_samples: int) -> None:
    """Refuse a network that gives no number for any sample of a whole run.

    Raises
    ------
    RecordingError
        If its output is NaN or infinite for all of them.
    """
    if int(state[schema.ROOT].get(schema.N_NOT_FINITE, 0)) == n_samples:
        raise RecordingError(
            f"the network's output is NaN or infinite for all {n_samples} samples, so it computes "
            "nothing; check its weights, its input, and what follows the last spiking layer"
        )


def results_of(
    state: Nodes,
    provenance: Mapping[str, Any],
    options: AnalysisOptions,
    n_samples: int,
    samples: str,
) -> Results:
    """Return a merged state as results.

    Parameters
    ----------
    state : dict of str to Dataset
    provenance : mapping
        Root attributes.
    options : AnalysisOptions
    n_samples : int
    samples : str
        Which ones, "start:stop".

    Warns
    -----
    UserWarning
        If the network never spikes.
    """
    attributes = {
        **state[schema.ROOT].attrs,
        **provenance,
        schema.KIND: "results",
        schema.VERSION: schema.SCHEMA_VERSION,
        schema.N_SAMPLES: n_samples,
        schema.SAMPLES: samples,
        schema.STATISTICS: dataclasses.asdict(options),
        schema.VERSIONS: versions(),
    }
    tree = xr.DataTree.from_dict(dict(state))
    tree.attrs = {key: pack(value) for key, value in attributes.items()}
    results = Results(tree)
    if results.n_spikes == 0:
        warnings.warn(
            f"the network never spikes in {n_samples} samples: every rate is 0; check that the "
            "weights, the threshold and the scale of the input belong together",
            UserWarning,
            stacklevel=3,
        )
    return results


def describe(
    network: nn.Module,
    dataset: Dataset,
    checkpoint: Checkpoint | None,
    *,
    batch_size: int,
) -> dict[str, Any]:
    """Return the provenance of an analysis or a recording as root attributes.

    Raises
    ------
    RecordingError
        If the network has weights of which nothing can be told.
    """
    refuse_odd_weights(network)
    known = {
        schema.NETWORK: type(network).__name__,
        schema.NETWORK_ARGUMENTS: {},
        schema.CHECKPOINT_SHA256: "",
        schema.CHECKPOINT_FORMAT: "",
        schema.CHECKPOINT_NOTES: "",
    }
    if checkpoint is not None:
        known = {
            schema.NETWORK: checkpoint.network,
            schema.NETWORK_ARGUMENTS: checkpoint.network_arguments,
            schema.CHECKPOINT_SHA256: checkpoint.sha256,
            schema.CHECKPOINT_FORMAT: checkpoint.format,
            schema.CHECKPOINT_NOTES: "\n".join(checkpoint.notes),
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
