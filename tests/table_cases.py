"""Results for tests of tables and comparisons: made by hand, or of tiny networks."""

from __future__ import annotations

import functools

import numpy as np
import torch
import xarray as xr

from redundancy import schema
from redundancy.analysis import analyze, analyze_recordings
from redundancy.networks import build_network
from redundancy.nodes import pack
from redundancy.observation import AnalysisOptions
from redundancy.results import Results
from tests.toy import ToyDataset

N_SAMPLES = 4


def hand_made(layers, n_right=4, n_replicates=20, seed=0, **attributes):
    """Return results of four samples whose numbers follow from the spikes.

    A neuron that spikes has U = 2, another U = 0, with V_th = 1: (U - S)^2 is 1 where
    there is a spike and 0 elsewhere, so a quantization error equals the firing rate.

    Parameters
    ----------
    layers : dict of str to nested lists, shape (time, channel)
        Which channels spike when, in every sample.
    n_right : int or None
        How many samples are classified right; None for samples without labels.
    """
    samples = {schema.SAMPLE: np.arange(N_SAMPLES)}
    n_timesteps = len(next(iter(layers.values())))
    wrong = (np.arange(N_SAMPLES) >= (n_right or 0)).astype(np.int64)
    root = xr.Dataset({schema.PREDICTION: (schema.SAMPLE, wrong)}, coords=samples)
    if n_right is not None:
        root[schema.LABEL] = (schema.SAMPLE, np.zeros(N_SAMPLES, np.int64))
    recording = {
        schema.ROOT: root,
        schema.INPUT_NODE: xr.Dataset(
            {
                schema.FRAMES: (
                    (schema.SAMPLE, schema.TIME, schema.CHANNEL, schema.Y, schema.X),
                    np.ones((N_SAMPLES, n_timesteps, 2, 2, 2), np.float32),
                )
            },
            coords=samples,
        ),
    }
    for position, (name, spikes) in enumerate(layers.items()):
        every = np.broadcast_to(np.array(spikes, np.uint8), (N_SAMPLES, *np.shape(spikes)))
        every = np.ascontiguousarray(every)
        dims = (schema.SAMPLE, schema.TIME, schema.CHANNEL)
        recording[name] = xr.Dataset(
            {
                schema.SPIKE: (dims, every),
                schema.MEMBRANE_POTENTIAL: (dims, 2 * every.astype(np.float32)),
            },
            coords=samples,
            attrs={
                schema.V_THRESHOLD: 1.0,
                schema.FIRES_AT: ">=",
                schema.V_RESET: 0.0,
                schema.NEURON_TYPE: "LIFNode",
                schema.POSITION: position,
            },
        )
    provenance = {
        schema.NETWORK: "lif-snn-3",
        schema.NETWORK_ARGUMENTS: {"attention": "none"},
        schema.CHECKPOINT_SHA256: "",
        schema.N_PARAMETERS: 100,
        schema.DATASET: "toy",
        schema.DATASET_ARGUMENTS: {"seed": 0},
        schema.SPLIT: "test",
        schema.N_TIMESTEPS: n_timesteps,
        **attributes,
    }
    options = AnalysisOptions(n_replicates=n_replicates, seed=seed)
    return analyze_recordings([recording], provenance, options=options)


def altered(results, **attributes):
    """Return the results with other root attributes."""
    tree = results.tree.copy()
    tree.attrs = {**tree.attrs, **{key: pack(value) for key, value in attributes.items()}}
    return Results(tree)


def pick(table, **where):
    """Return the one row in which the columns have these values."""
    for column, value in where.items():
        table = table[table[column] == value]
    (row,) = table.to_dict("records")
    return row


@functools.cache
def tiny_networks():
    """Return results of a tiny network without and with ASA, energies included."""
    dataset = ToyDataset(9)
    results = {}
    for name, attention in (("vanilla", "none"), ("asa", "asa-1")):
        arguments = {
            "n_timesteps": 5, "input_size": (8, 8), "widths": (4, 4, 6), "hidden": 5,
            "n_classes": 3, "attention": attention,
        }  # fmt: skip
        torch.manual_seed(3)
        network = build_network("lif-snn-3", **arguments)
        found = analyze(
            network, dataset, batch_size=4, options=AnalysisOptions(n_replicates=60, seed=1)
        )
        results[name] = altered(found, network="lif-snn-3", network_arguments=arguments)
    return results
