"""Results: the merged states of an analysis, labelled, in one file."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from redundancy import schema
from redundancy.nodes import nodes_of, spiking_layers, unpack, write_tree
from redundancy.stats import (
    Accuracy,
    FiringRate,
    InputEvents,
    MembranePotentialDistribution,
    Moments,
    PatternRules,
    QuantizationError,
    RecordingAccuracy,
    SpatialRates,
    network_firing_rate,
    network_quantization_error,
)
from redundancy.stats.bootstrap import headline_replicates, interval, synaptic_replicates
from redundancy.stats.energy import E_AC, E_MAC, energy_replicates, energy_table
from redundancy.stats.patterns import layer_patterns
from redundancy.stats.peak_to_threshold import distance_of
from redundancy.stats.similarity import feature_similarity


@dataclass(frozen=True)
class Results:
    """What an analysis found.

    Attributes
    ----------
    tree : xarray.DataTree
        States: the root holds accuracy counts and the provenance as attributes,
        ``input_frames`` the input's, every other node one spiking layer's.
    """

    tree: xr.DataTree

    @cached_property
    def layers(self) -> dict[str, xr.Dataset]:
        """States of the spiking layers, in the order of the network."""
        return spiking_layers(nodes_of(self.tree))

    @cached_property
    def firing_rates(self) -> dict[str, xr.Dataset]:
        """Firing rates of every layer (:meth:`redundancy.stats.FiringRate.compute`)."""
        rates = {}
        for name, state in self.layers.items():
            rates[name] = FiringRate().compute(state)
            rates[name].attrs["name"] = name
        return rates

    @cached_property
    def network_firing_rate(self) -> xr.Dataset:
        """T-SFR and NASFR over all neurons (:func:`redundancy.stats.network_firing_rate`)."""
        return network_firing_rate(self.layers)

    @cached_property
    def potentials(self) -> dict[str, xr.Dataset]:
        """Membrane potentials of every layer: distribution, PTD and moments.

        ``histogram`` (time, channel, bin) with ``bin_centre`` (bin, minus V_th) and the
        counters beside it; ``peak_to_threshold_distance``, ``mean``, ``variance``,
        ``minimum``, ``maximum`` (time, channel).
        """
        potentials = {}
        for name, state in self.layers.items():
            distribution = MembranePotentialDistribution.of(state).compute(state)
            distribution[schema.PTD] = distance_of(distribution)
            moments = Moments(state.attrs[schema.QUANTITY]).compute(state)
            potentials[name] = distribution.assign(moments.data_vars).assign_attrs(
                {"name": name, schema.N_SAMPLES: int(state[schema.N_SAMPLES])}
            )
        return potentials

    @cached_property
    def quantization_errors(self) -> dict[str, xr.Dataset]:
        """Quantization errors (:meth:`redundancy.stats.QuantizationError.compute`)."""
        return {
            name: QuantizationError().compute(state).assign_attrs(name=name)
            for name, state in self.layers.items()
        }

    @cached_property
    def network_quantization_error(self) -> xr.Dataset:
        """Over all neurons (:func:`redundancy.stats.network_quantization_error`)."""
        return network_quantization_error(self.layers)

    def patterns(self, rules: PatternRules | None = None) -> dict[str, xr.Dataset]:
        """Null, noise and normal features (:func:`redundancy.stats.patterns.layer_patterns`).

        The rule by potentials is about the potential before firing; where another
        quantity was binned, it leaves features undecided.
        """
        found = {}
        for name, state in self.layers.items():
            distance = self.potentials[name][schema.PTD]
            if state.attrs[schema.QUANTITY] != "pre-fire":
                distance = distance * np.nan
            spatial = SpatialRates().compute(state)
            found[name] = layer_patterns(
                state, distance, spatial, rules or PatternRules()
            ).assign_attrs(name=name)
        return found

    def similarity(self, layer: str, time: int, measure: str) -> xr.DataArray:
        """Channel by channel (:func:`redundancy.stats.similarity.feature_similarity`)."""
        source = self.layers[layer] if measure == "jaccard" else self.firing_rates[layer]
        return feature_similarity(source.assign_attrs(name=layer), time, measure)

    @cached_property
    def synapses(self) -> xr.Dataset:
        """What came into the synaptic layers (:class:`redundancy.stats.SynapticOperations`)."""
        return self.tree.children[schema.SYNAPSE_NODE].to_dataset(inherit=False)

    def energy(
        self, convention: str = "asa", e_mac: float = E_MAC, e_ac: float = E_AC
    ) -> xr.Dataset:
        """Operations and energy a layer (:func:`redundancy.stats.energy.energy_table`)."""
        return energy_table(self.synapses, convention=convention, e_mac=e_mac, e_ac=e_ac)

    def energy_replicates(
        self, convention: str = "asa", e_mac: float = E_MAC, e_ac: float = E_AC
    ) -> NDArray[np.float64]:
        """Total energy, pJ a sample, of every bootstrap replicate."""
        energies: NDArray[np.float64] = energy_replicates(
            self.synapses,
            synaptic_replicates(self.tree.to_dataset(), self.synapses),
            convention=convention,
            e_mac=e_mac,
            e_ac=e_ac,
        ).values
        return energies

    @cached_property
    def replicates(self) -> dict[str, NDArray[np.float64]]:
        """Accuracy, NASFR and QE of every bootstrap replicate."""
        return headline_replicates(self.tree.to_dataset(), self.layers)

    def confidence(self, name: str, level: float = 0.95) -> tuple[float, float]:
        """Return the bootstrap interval of ``accuracy``, ``nasfr`` or ``quantization_error``."""
        return interval(self.replicates[name], level)

    @cached_property
    def input_events(self) -> xr.Dataset:
        """The input (:meth:`redundancy.stats.InputEvents.compute`)."""
        return InputEvents().compute(
            self.tree.children[schema.INPUT_NODE].to_dataset(inherit=False)
        )

    @cached_property
    def accuracy(self) -> float:
        """Fraction of samples classified correctly, NaN without labels.

        Of those with a label and a finite output; see :class:`redundancy.stats.Accuracy`.
        """
        return float(Accuracy().compute(self.tree.to_dataset())[schema.ACCURACY])

    def _count(self, name: str) -> int | None:
        """Return a number of samples of the root, None where an older file lacks it."""
        return int(self.tree[name]) if name in self.tree.data_vars else None

    @cached_property
    def recording_accuracy(self) -> float:
        """Fraction of recordings with more than half of their clips right, NaN without any.

        What the paper's Table 1 calls accuracy (:class:`redundancy.stats.RecordingAccuracy`).
        """
        return float(self._recordings[schema.RECORDING_ACCURACY])

    @property
    def n_recordings(self) -> int:
        """Labelled recordings that the samples are clips of; 0 where they are no clips."""
        return int(self._recordings[schema.N_RECORDINGS])

    @property
    def _recordings(self) -> xr.Dataset:
        return RecordingAccuracy().compute(self.tree.to_dataset())

    @cached_property
    def n_spikes(self) -> int:
        """All spikes of all neurons in all samples."""
        return sum(int(state[schema.SPIKE_COUNT].sum()) for state in self.layers.values())

    @property
    def attributes(self) -> dict[str, Any]:
        """The provenance, with nested values unpacked."""
        attributes = {str(key): value for key, value in self.tree.attrs.items()}
        return {key: unpack(key, value) for key, value in attributes.items()}

    def summary(self) -> dict[str, Any]:
        """Return the headline numbers as plain Python values.

        Rates are fractions of samples, accuracy a fraction; None where a number does
        not exist (accuracy without labels, accuracy over recordings where samples are no
        clips, rates of absent convolutional layers, counts that an older file lacks).
        ``accuracy_samples`` is how many samples accuracy rests on; the others' outputs are
        NaN or infinite, or they have no label.
        """
        attributes, network = self.attributes, self.network_firing_rate
        return {
            "network": attributes[schema.NETWORK],
            "network_arguments": attributes.get(schema.NETWORK_ARGUMENTS, {}),
            "checkpoint_sha256": attributes.get(schema.CHECKPOINT_SHA256, ""),
            "dataset": attributes[schema.DATASET],
            "dataset_arguments": attributes.get(schema.DATASET_ARGUMENTS, {}),
            "split": attributes[schema.SPLIT],
            "n_samples": int(attributes[schema.N_SAMPLES]),
            "n_timesteps": int(attributes[schema.N_TIMESTEPS]),
            "accuracy": _number(self.accuracy),
            "accuracy_samples": self._count(schema.N_LABELLED) or 0,
            "n_not_finite_outputs": self._count(schema.N_NOT_FINITE),
            "n_unlabelled": self._count(schema.N_UNLABELLED),
            "n_tied_predictions": self._count(schema.N_TIED),
            "recording_accuracy": _number(self.recording_accuracy),
            "n_recordings": self.n_recordings,
            "parameters": int(attributes.get(schema.N_PARAMETERS, 0)) or None,
            "nasfr": _number(network[schema.NASFR]),
            "nasfr_conv": _number(network[f"{schema.NASFR}_conv"]),
            "t_sfr": [float(rate) for rate in network[schema.T_SFR]],
            "layers": [
                {
                    "name": name,
                    "shape": [rates.sizes[d] for d in rates[schema.N_SFR].dims if d != schema.TIME],
                    "n_neurons": rates.attrs["n_neurons"],
                    "nasfr": float(rates[schema.NASFR]),
                }
                for name, rates in self.firing_rates.items()
            ],
            "versions": attributes.get(schema.VERSIONS, {}),
        }

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write everything to one netCDF-4 file, whole or not at all."""
        write_tree(path, self.tree)


def _number(value: Any) -> float | None:
    number = float(value)
    return None if np.isnan(number) else number
