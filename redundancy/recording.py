"""Hooks on every spiking neuron turn one batch into an :class:`xarray.DataTree`."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from redundancy import schema
from redundancy.batch_nodes import input_node, layer_nodes, root_node
from redundancy.checked_run import CheckedRun
from redundancy.errors import UsageError
from redundancy.forward import default_forward, evaluating
from redundancy.fused_pooling import FastPooling
from redundancy.network_checks import (
    refuse_compiled,
    refuse_names,
    refuse_odd_weights,
    warn_about_batch_statistics,
)
from redundancy.neurons import find_spiking_layers
from redundancy.nodes import Nodes
from redundancy.probe import QUANTITIES, layers_of
from redundancy.probes.call_order import CallStack
from redundancy.probes.calling import STEPWISE
from redundancy.probes.proving import Proof, check_unchanged, prove, scores_of, to_inputs
from redundancy.probes.repeating import keeping_buffers
from redundancy.stats.layer_sweep import LayerSweep
from redundancy.sweep_probe import Sweeper, SweepProbe
from redundancy.synapses import SynapseProbes

if TYPE_CHECKING:
    from torch import Tensor, nn

    from redundancy.datasets.base import Batch
    from redundancy.forward import Forward


class Recorder:
    """Records what the spiking neurons of a network do, batch by batch.

    Use it as a context manager. The network is in evaluation mode inside; on exit, also
    after an exception, every module's train/eval mode is restored and neuron states are
    reset. Hooks are there only while a batch runs.

    Parameters
    ----------
    network : nn.Module
    quantities : sequence of str, default ("spike",)
        Which of ``spike``, ``membrane_potential`` (before firing), ``input_current`` and
        ``post_reset_potential`` to keep. The potential is computed and checked in any case.
    forward : callable, optional
        ``forward(network, x)`` with x of shape (time, sample, channel, y, x) returns
        the network's output. By default the way is found in which the network's neurons see
        timesteps and samples as they are (:mod:`redundancy.probes.calling`).
    fused : bool, default False
        Whether :meth:`sweep` may replace neurons by fused sweeps that do exactly the same,
        and average poolings by faster ones.
    ignore : collection of str
        Qualified names of modules that make masks of 0 and 1 which are no spikes.
    seed : int, default 0
        Of random numbers that the network may draw.

    Raises
    ------
    RecordingError
        If the network is compiled, has no spiking neuron, or one that cannot be read.
        With the first batch, if a spiking layer of it is not read, its state outlives a
        reset, or it cannot be known how to call it; see :mod:`redundancy.probes.proving`.

    Warns
    -----
    UserWarning
        If batch normalisation uses the statistics of the batch.
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        quantities: Sequence[str] = (schema.SPIKE,),
        forward: Forward | None = None,
        fused: bool = False,
        ignore: Collection[str] = (),
        seed: int = 0,
    ) -> None:
        unknown = set(quantities) - set(QUANTITIES)
        if unknown:
            raise UsageError(
                f"quantities must be of {', '.join(QUANTITIES)}, got {', '.join(sorted(unknown))}"
            )
        refuse_compiled(network)
        refuse_odd_weights(network)
        self._network, self._forward, self._ignore, self._seed = network, forward, ignore, seed
        self._run = CheckedRun(network, seed)
        self._proof: Proof | None = None
        self._stack = contextlib.ExitStack()
        modules = dict(network.named_modules())
        self._adapters = find_spiking_layers(network, ignore)
        refuse_names(self._adapters)
        self._calls = CallStack(network)
        self._probes = [
            SweepProbe(name, module, adapter, tuple(quantities), self._calls, may_fuse=fused)
            for name, adapter in self._adapters.items()
            for module in [modules.get(name, network)]
        ]
        self._poolings = [FastPooling(module) for module in modules.values()] if fused else []
        self._synapses = SynapseProbes(network, self._call, self._adapters)

    def _call(self, network: nn.Module, inputs: Tensor) -> Tensor:
        """Run the network in the way that was found, or that is told."""
        if self._proof is None:
            return (self._forward or default_forward)(network, inputs)
        return self._proof.calling.forward(network, inputs)

    def _proven(self) -> Proof:
        assert self._proof is not None
        return self._proof

    def __enter__(self) -> Recorder:
        with contextlib.ExitStack() as stack:
            stack.enter_context(keeping_buffers(self._network))
            stack.enter_context(evaluating(self._network))
            warn_about_batch_statistics(self._network)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    def record(
        self,
        frames: NDArray[np.float32],
        *,
        labels: NDArray[np.int64] | None = None,
        start: int = 0,
    ) -> xr.DataTree:
        """Run one batch through the network and return what its neurons did, as a tree.

        See :meth:`record_nodes`, which it calls, for parameters and errors.

        Returns
        -------
        xarray.DataTree
        """
        return xr.DataTree.from_dict(dict(self.record_nodes(frames, labels=labels, start=start)))

    def record_nodes(
        self,
        frames: NDArray[np.float32],
        *,
        labels: NDArray[np.int64] | None = None,
        recordings: NDArray[np.int64] | None = None,
        start: int = 0,
    ) -> Nodes:
        """Run one batch through the network and return what its neurons did.

        Parameters
        ----------
        frames : ndarray, shape (sample, time, channel, y, x)
        labels : ndarray of int, shape (sample,), optional
        recordings : ndarray of int, shape (sample,), optional
            Which recording each sample is a clip of.
        start : int, default 0
            Index in the dataset of the first sample.

        Returns
        -------
        dict of str to Dataset
            One node per spiking layer, in the order they are first called, named by
            the module's qualified name, with ``@k`` for the k-th further call in one
            forward pass; dimensions (sample, time, channel, y, x) or (sample, time,
            channel). Beside them ``input_frames``, and ``synaptic_layers`` (sample, synapse)
            if there are any; the root, ``"/"``, holds predictions, labels and recordings.

        Raises
        ------
        RecordingError
            If what was read disagrees with what the network did, naming the layer.
        """
        known = {schema.LABEL: labels, schema.RECORDING: recordings}
        nodes, layers = self._run_batch(frames, known, start, None, "pre-fire")
        recorded = {n: layer for n, layer in layers.items() if isinstance(layer, xr.Dataset)}
        return {**nodes, **recorded}

    def sweep(
        self,
        batch: Batch,
        sweeper: Sweeper,
        quantity: str,
        verified: int | None = None,
    ) -> tuple[Nodes, dict[str, xr.Dataset | LayerSweep]]:
        """Run one batch and sweep its layers instead of recording them.

        Parameters
        ----------
        batch : Batch
        sweeper : callable
            Begins the sweep of a layer; see :class:`redundancy.sweep_probe.SweepProbe`.
        quantity : {"pre-fire", "input", "post-reset"}
            What is binned.
        verified : int, optional
            Which sample of the batch to run through the neurons themselves too, where fused
            sweeps stand in for them.

        Returns
        -------
        nodes : dict of str to Dataset
            As :meth:`record_nodes`, but for the spiking layers.
        layers : dict of str to LayerSweep or Dataset
            The spiking layers: swept, or recorded where a neuron is called timestep by
            timestep.

        Raises
        ------
        RecordingError
            If what was read disagrees with what the network did, naming the layer.
        """
        known = {schema.LABEL: batch.labels, schema.RECORDING: batch.recordings}
        for probe in self._probes:
            probe.verified_sample = verified
        return self._run_batch(batch.frames, known, batch.start, sweeper, quantity)

    @property
    def facts(self) -> dict[str, Any]:
        """How the network was called, and what emits spikes in it, once a batch was run."""
        return {} if self._proof is None else self._proof.facts

    def check_unchanged(self) -> None:
        """Run the first samples again and refuse a network that does something else now."""
        import torch

        if self._proof is not None:
            with torch.no_grad():
                check_unchanged(self._network, self._proof, self._seed)

    @property
    def paths(self) -> dict[str, str]:
        """How each layer is swept from now on, "fused" or "general", by the module's name."""
        return {probe.name: probe.path for probe in self._probes}

    def _run_batch(
        self,
        frames: NDArray[np.float32],
        known: Mapping[str, NDArray[np.int64] | None],
        start: int,
        sweeper: Sweeper | None,
        quantity: str,
    ) -> tuple[Nodes, dict[str, xr.Dataset | LayerSweep]]:
        import torch

        if frames.ndim != 5 or not len(frames):
            raise UsageError(
                "frames must be (sample, time, channel, y, x) with at least one sample, got "
                f"shape {frames.shape}"
            )
        for probe in self._probes:
            probe.sweeper, probe.quantity = sweeper, quantity
            probe.expected = (frames.shape[0], frames.shape[1])
        # Not inference_mode: its tensors may stay behind as a module's state.
        with torch.no_grad():
            if self._proof is None:
                self._proof = prove(
                    self._network, self._adapters, frames,
                    forward=self._forward, ignore=self._ignore, seed=self._seed,
                )  # fmt: skip
            inputs = to_inputs(self._network, frames)
            stepwise = self._proof.calling.convention == STEPWISE
            self._synapses.trace(inputs, stepwise=stepwise)
            poolings = self._poolings if sweeper is not None else []
            hooks = self._hooks(inputs.shape[1], poolings)
            output = self._run(self._call, inputs, hooks, start)
        return self._assemble(frames, known, output, start)

    def _hooks(self, n_samples: int, poolings: Sequence[FastPooling]) -> Iterator[Any]:
        """Attach what listens to a batch and yield what takes it off again."""
        counter = itertools.count()
        if any(not probe.description.has_time_axis for probe in self._probes):
            yield from self._calls.attach()
        for probe in self._probes:
            yield from probe.attach(counter)
        yield from self._synapses.attach(n_samples)
        for pooling in poolings:
            yield from pooling.attach()

    def _assemble(
        self,
        frames: NDArray[np.float32],
        known: Mapping[str, NDArray[np.int64] | None],
        output: Tensor,
        start: int,
    ) -> tuple[Nodes, dict[str, xr.Dataset | LayerSweep]]:
        n_samples, n_timesteps = frames.shape[:2]
        proof = self._proven()
        stepwise = proof.calling.convention == STEPWISE
        samples = np.arange(start, start + n_samples)
        nodes = {
            schema.ROOT: root_node(samples, scores_of(output, proof.calling.output_axes), known),
            schema.INPUT_NODE: input_node(samples, frames),
        }
        if self._synapses:
            synapses = self._synapses.dataset(samples, n_timesteps)
            if proof.uncounted:
                synapses.attrs[schema.UNCOUNTED_OPERATIONS] = list(proof.uncounted)
            nodes[schema.SYNAPSE_NODE] = synapses
        nodes[schema.ROOT].attrs.update(proof.facts)
        found: list[tuple[int, str, xr.Dataset | LayerSweep]] = []
        for probe in self._probes:
            found += layers_of(probe, n_samples, n_timesteps, stepwise)
            probe.calls.clear()
        return nodes, layer_nodes(samples, found, nodes)
