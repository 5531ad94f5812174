"""Results of disjoint parts of one dataset become results of all of them."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from redundancy import schema
from redundancy.errors import ResultsError, UsageError
from redundancy.nodes import CONTENTS, nodes_of, spiking_layers
from redundancy.results import Results
from redundancy.sharding.plan import Shard
from redundancy.states import merge_states

# Attributes that parts must agree in, and what to call them.
_SAME = {
    schema.NETWORK: "network",
    schema.NETWORK_ARGUMENTS: "arguments of the network",
    schema.CHECKPOINT_SHA256: "checkpoint",
    schema.CHECKPOINT_FORMAT: "checkpoint format",
    schema.N_PARAMETERS: "number of parameters",
    schema.DATASET: "dataset",
    schema.DATASET_ARGUMENTS: "arguments of the dataset",
    schema.SPLIT: "split",
    schema.N_TIMESTEPS: "number of timesteps",
    schema.BATCH_SIZE: "batch size",
    schema.STATISTICS: "options",
}
# Attributes that change the last digits of floats at most.
_ALIKE = {schema.DEVICE: "device", schema.VERSIONS: "versions"}


def samples_of(results: Results) -> list[Shard]:
    """Return the samples that results hold, in the order of the dataset.

    Raises
    ------
    ResultsError
        If they do not say.
    """
    text = str(results.attributes.get(schema.SAMPLES, ""))
    try:
        bounds = [piece.split(":") for piece in text.split(",")]
        return [Shard(int(start), int(stop)) for start, stop in bounds]
    except ValueError:
        raise ResultsError(
            f"the results do not say which samples they hold ({schema.SAMPLES!r} is {text!r}); "
            "analyse the checkpoint again with this version"
        ) from None


def samples_text(samples: Sequence[Shard]) -> str:
    """Return samples as results say them, neighbours joined."""
    joined: list[Shard] = []
    for shard in sorted(samples):
        if joined and joined[-1].stop == shard.start:
            joined[-1] = Shard(joined[-1].start, shard.stop)
        else:
            joined.append(shard)
    return ",".join(f"{shard.start}:{shard.stop}" for shard in joined)


def merge_results(parts: Mapping[str, Results]) -> Results:
    """Return the results of the samples of all parts, equal to those of a single run.

    Parameters
    ----------
    parts : mapping of str to Results
        By what to call each in messages. Two or more, of disjoint samples.

    Raises
    ------
    UsageError
        If the parts hold the same samples, or results that are not of the same network,
        data, options, bins or batch size.
    ResultsError
        If one does not say which samples it holds.

    Warns
    -----
    UserWarning
        If they ran on other devices or with other versions of libraries.
    """
    if len(parts) < 2:
        raise UsageError(
            f"there must be at least two results files to merge, got {', '.join(parts) or 'none'}"
        )
    held = {name: samples_of(results) for name, results in parts.items()}
    ordered = sorted(parts, key=lambda name: held[name])
    first, *others = ordered
    for name in others:
        _check_same(first, parts[first], name, parts[name])
    _check_disjoint(held)
    state = nodes_of(parts[first].tree)
    for name in others:
        state = merge_states(state, nodes_of(parts[name].tree))
    samples = [shard for shards in held.values() for shard in shards]
    tree = xr.DataTree.from_dict(dict(state))
    tree.attrs = {
        **{key: value for key, value in parts[first].tree.attrs.items() if key != CONTENTS},
        schema.N_SAMPLES: sum(map(len, samples)),
        schema.SAMPLES: samples_text(samples),
    }
    return Results(tree)


def _check_same(first: str, one: Results, second: str, other: Results) -> None:
    attributes, others = one.attributes, other.attributes
    if not attributes.get(schema.CHECKPOINT_SHA256):
        raise UsageError(
            f"{first} does not say which checkpoint it is of, so that parts of other networks "
            "could not be told; analyse a saved checkpoint"
        )
    for name, words in _SAME.items():
        if attributes.get(name) != others.get(name):
            raise UsageError(
                f"{first} and {second} are not of the same analysis: {words} "
                f"{_shown(attributes.get(name), others.get(name))}"
            )
    for name, words in _ALIKE.items():
        if attributes.get(name) != others.get(name):
            warnings.warn(
                f"{first} and {second} differ in {words} "
                f"({_shown(attributes.get(name), others.get(name))}), so that a single run might "
                "give other last digits; the merged results name those of the first",
                UserWarning,
                stacklevel=3,
            )
    for name in (schema.N_NOT_FINITE, schema.N_UNLABELLED, schema.N_TIED):
        if (name in one.tree.data_vars) != (name in other.tree.data_vars):
            older = second if name in one.tree.data_vars else first
            raise UsageError(
                f"{older} was analysed by an older version, which did not count {name}; analyse "
                "it again"
            )
    layers, other_layers = spiking_layers(one.layers), spiking_layers(other.layers)
    if list(layers) != list(other_layers):
        raise UsageError(
            f"{first} and {second} are not of the same analysis: they hold the layers "
            f"{', '.join(layers)} and {', '.join(other_layers)}"
        )
    for layer, state in layers.items():
        for name, value in state.attrs.items():
            found = other_layers[layer].attrs.get(name)
            if name == schema.PATH and value != found:
                raise UsageError(
                    f"{first} and {second} are not of the same analysis: {layer} was read on the "
                    f"{value} path and on the {found} one; analyse both with --no-fused, or both "
                    "without"
                )
            if not np.array_equal(np.asarray(value), np.asarray(found)):
                raise UsageError(
                    f"{first} and {second} are not of the same analysis: {name} of {layer} is "
                    f"{value} and {found}; both must choose bins on the same first batch"
                )


def _check_disjoint(held: Mapping[str, Sequence[Shard]]) -> None:
    pieces = sorted((shard, name) for name, shards in held.items() for shard in shards)
    for (one, first), (other, second) in itertools.pairwise(pieces):
        if other.start < one.stop:
            raise UsageError(
                f"{first} and {second} both hold samples {other.start} to "
                f"{min(one.stop, other.stop) - 1}; each sample may be in one part only"
            )


def _shown(first: Any, second: Any) -> str:
    """Return two different values, of mappings only what differs."""
    if isinstance(first, Mapping) and isinstance(second, Mapping):
        names = [n for n in {**first, **second} if first.get(n) != second.get(n)]
        return ", ".join(f"{n} {first.get(n)} and {second.get(n)}" for n in names[:3])
    return f"{first} and {second}"
