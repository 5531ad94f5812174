"""Hooks on every spiking neuron turn one batch into an :class:`xarray.DataTree`."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from redundancy import schema
from redundancy.devices import device_of
from redundancy.errors import RecordingError, UsageError
from redundancy.forward import default_forward, is_multi_step, reset_state
from redundancy.fused_pooling import FastPooling
from redundancy.network_checks import (
    check_same_output,
    refuse_compiled,
    warn_about_batch_statistics,
)
from redundancy.neurons import find_spiking_layers
from redundancy.probe import LAYER_DIMENSIONS, QUANTITIES, layers_of
from redundancy.stats.layer_sweep import LayerSweep
from redundancy.sweep_probe import Sweeper, SweepProbe
from redundancy.synapses import SynapseProbes

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from redundancy.datasets.base import Batch

    Forward = Callable[[nn.Module, Tensor], Tensor]

Nodes = dict[str, xr.Dataset]
"""The nodes of a recording, state or result by name, the root as ``"/"``.

Streaming passes nodes on rather than an :class:`xarray.DataTree`: a tree refers to
itself in circles, so that a batch would live until Python's cyclic garbage collector
comes by, and memory would grow.
"""


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
        the network's output. By default one call for multi-step networks and a loop
        over time for single-step ones (:func:`redundancy.forward.default_forward`).
    fused : bool, default False
        Whether :meth:`sweep` may replace neurons by fused sweeps that do exactly the same,
        and average poolings by faster ones.

    Raises
    ------
    RecordingError
        If the network is compiled, has no spiking neuron, or one that cannot be read.

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
    ) -> None:
        unknown = set(quantities) - set(QUANTITIES)
        if unknown:
            raise UsageError(
                f"quantities must be of {', '.join(QUANTITIES)}, got {', '.join(sorted(unknown))}"
            )
        refuse_compiled(network)
        self._network = network
        self._forward: Forward = forward or default_forward
        self._stack = contextlib.ExitStack()
        self._verified = False
        self._looped = not is_multi_step(network)
        modules = dict(network.named_modules())
        self._probes = [
            SweepProbe(
                name, module, adapter, tuple(quantities), adapter.describe(module), may_fuse=fused
            )
            for name, adapter in find_spiking_layers(network).items()
            for module in [modules.get(name, network)]
        ]
        self._poolings = [FastPooling(module) for module in modules.values()] if fused else []
        self._synapses = SynapseProbes(network, self._forward)

    def __enter__(self) -> Recorder:
        with contextlib.ExitStack() as stack:
            modes = [(module, module.training) for module in self._network.modules()]
            stack.callback(_restore_modes, modes)
            stack.callback(reset_state, self._network)
            self._network.eval()
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
    ) -> tuple[Nodes, dict[str, xr.Dataset | LayerSweep]]:
        """Run one batch and sweep its layers instead of recording them.

        Parameters
        ----------
        batch : Batch
        sweeper : callable
            Begins the sweep of a layer; see :class:`redundancy.sweep_probe.SweepProbe`.
        quantity : {"pre-fire", "input", "post-reset"}
            What is binned.

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
        return self._run_batch(batch.frames, known, batch.start, sweeper, quantity)

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
            inputs = (
                torch.from_numpy(np.ascontiguousarray(frames))
                .to(device_of(self._network))
                .transpose(0, 1)
            )
            self._synapses.trace(inputs)
            bare = None if self._verified else self._run_bare(inputs)
            output = self._run_hooked(inputs, self._poolings if sweeper is not None else [])
            if bare is not None:
                check_same_output(bare, output)
                self._verified = True
        return self._assemble(frames, known, output, start)

    def _run_bare(self, inputs: Tensor) -> Tensor:
        import torch

        reset_state(self._network)
        # Both runs see the same random numbers, for networks that draw some.
        with torch.random.fork_rng(_devices(inputs)):
            return self._forward(self._network, inputs)

    def _run_hooked(self, inputs: Tensor, poolings: Sequence[FastPooling]) -> Tensor:
        reset_state(self._network)
        counter = itertools.count()
        with contextlib.ExitStack() as hooks:
            for probe in self._probes:
                for handle in probe.attach(counter):
                    hooks.callback(handle.remove)
            for handle in self._synapses.attach(inputs.shape[1]):
                hooks.callback(handle.remove)
            for pooling in poolings:
                for replaced in pooling.attach():
                    hooks.callback(replaced.remove)
            return self._forward(self._network, inputs)

    def _assemble(
        self,
        frames: NDArray[np.float32],
        known: Mapping[str, NDArray[np.int64] | None],
        output: Tensor,
        start: int,
    ) -> tuple[Nodes, dict[str, xr.Dataset | LayerSweep]]:
        n_samples, n_timesteps = frames.shape[:2]
        samples = np.arange(start, start + n_samples)
        root = xr.Dataset(coords={schema.SAMPLE: samples})
        scores = output.mean(0) if output.dim() == 3 and len(output) == n_timesteps else output
        if scores.dim() == 2 and len(scores) == n_samples:
            root[schema.PREDICTION] = (schema.SAMPLE, scores.argmax(1).cpu().numpy())
        for name, values in known.items():
            if values is not None:
                root[name] = (schema.SAMPLE, values)
        nodes = {schema.ROOT: root, schema.INPUT_NODE: _input_dataset(frames, samples)}
        if self._synapses:
            nodes[schema.SYNAPSE_NODE] = self._synapses.dataset(samples, n_timesteps)
        found: list[tuple[int, str, xr.Dataset | LayerSweep]] = []
        for probe in self._probes:
            found += layers_of(probe, n_samples, n_timesteps, self._looped)
            probe.calls.clear()
        layers: dict[str, xr.Dataset | LayerSweep] = {}
        for position, (_, name, layer) in enumerate(sorted(found, key=lambda layer: layer[0])):
            if name in nodes or name in layers:
                raise RecordingError(
                    f"two nodes of the recording would be called {name!r}; rename that module"
                )
            if isinstance(layer, xr.Dataset):
                layer.attrs[schema.POSITION] = position
                layer = layer.assign_coords({schema.SAMPLE: samples})
            else:
                layer.attributes[schema.POSITION] = position
            layers[name] = layer
        return nodes, layers


def _input_dataset(frames: NDArray[np.float32], samples: NDArray[np.int64]) -> xr.Dataset:
    attributes = {"long_name": "input event frames", "units": "events"}
    return xr.Dataset(
        {schema.FRAMES: (LAYER_DIMENSIONS[5], frames, attributes)},
        coords={schema.SAMPLE: samples},
    )


def _devices(tensor: Tensor) -> list[torch.device]:
    return [tensor.device] if tensor.device.type == "cuda" else []


def _restore_modes(modes: list[tuple[nn.Module, bool]]) -> None:
    for module, training in modes:
        module.training = training
