"""What all statistics of a spiking layer need of one batch, made in one sweep.

A :class:`redundancy.stats.layer_sweep.LayerSweep` is made by a :class:`SweepBuilder`, from
potentials and spikes that are there (:meth:`SweepBuilder.add`) or together with the neuron
itself (:meth:`SweepBuilder.run_neuron`, which never stores a potential). Both give the same
numbers to the bit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from redundancy import schema
from redundancy.stats.bins import UniformBins
from redundancy.stats.foreground import Foreground
from redundancy.stats.layer_sweep import LayerSweep, SpikeSweep
from redundancy.stats.layer_values import as_compared, quantity_values, spike_values, thresholds

# As the kernels number them.
_QUANTITIES = {"pre-fire": 0, "input": 1, "post-reset": 2}
_WORD = 64


@dataclass(frozen=True)
class NeuronParameters:
    """How a neuron of SpikingJelly's charges, fires and resets, in its own precision.

    `kind` is one of the kernels' (``IF``, ``LIF``, …), `rate` its tau, or its inverse for
    a parametric neuron.
    """

    kind: int
    rate: float
    v_threshold: float
    v_reset: float | None


class SweepBuilder:
    """Collects the :class:`LayerSweep` of one layer, all timesteps at once or in parts.

    Parameters
    ----------
    bins : UniformBins
        And which quantity is binned.
    attributes : dict
        Of the layer: threshold, firing rule.
    shape : tuple of int
        (sample, time, channel[, y, x]).
    dtype : numpy dtype
        float32 or float64: of the potentials.
    foreground : Foreground, optional
        Without it nothing is told apart by place.
    """

    def __init__(
        self,
        bins: UniformBins,
        attributes: dict[Any, Any],
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
        foreground: Foreground | None = None,
    ) -> None:
        self._rule, self._attributes, self._shape = bins, attributes, shape
        n_samples, n_times, n_channels = shape[:3]
        size = math.prod(shape[3:])
        n_words = -(-size // _WORD)
        rows = n_samples * n_times * n_channels
        n_bins = bins.n_bins_below + bins.n_bins_above
        self._cells: NDArray[np.int64] | None = None
        inside = np.zeros((n_samples * n_times, n_words), np.uint64)
        if len(shape) == 5 and foreground is not None:
            inside, self._cells = foreground.of(shape)
        self._counts = np.empty((n_times, n_channels, size), np.int64)
        self._bins = np.empty((n_times, n_channels, n_bins + 3), np.int64)
        self._sums, self._fired = np.empty((6, rows)), np.empty((2, rows), np.int64)
        self._bits = np.zeros(rows * n_words, np.uint64)
        self._first_potential = np.empty(self._counts.shape, dtype)
        self._first_spikes = np.empty(self._counts.shape, np.uint8)
        self._outputs = (
            self._counts, self._bins, self._sums, self._fired, self._bits, inside,
            self._first_potential, self._first_spikes,
        )  # fmt: skip

    def _rules(self) -> tuple[Any, ...]:
        bins, n_channels = self._rule, self._shape[2]
        threshold = thresholds(self._attributes, n_channels).copy()
        width = float(bins.bin_width)
        is_power = math.frexp(width)[0] == 0.5 and 0.0 < 1.0 / width < math.inf
        return (
            threshold,
            as_compared(threshold, self._first_potential.dtype),
            width,
            1.0 / width if is_power else 0.0,
            bins.n_bins_below,
            bins.n_bins_above,
            self._attributes[schema.FIRES_AT] == ">=",
        )

    def add(
        self,
        potentials: NDArray[Any],
        values: NDArray[Any],
        spikes: NDArray[np.uint8],
        *,
        began: int = 0,
        time_outside: bool = True,
    ) -> None:
        """Add timesteps, from number `began` on.

        Parameters
        ----------
        potentials, values : ndarray, shape (time, sample, channel, …)
            U, and what is binned (may be U itself).
        spikes : ndarray of uint8, of the same shape
        time_outside : bool
            False for arrays (sample, time, channel, …).
        """
        from redundancy.stats.sweep_kernels import sweep_kernel

        n_samples, _, n_channels = self._shape[:3]
        size = self._counts.shape[2]
        n_times = potentials.shape[0 if time_outside else 1]
        step = n_channels * size
        strides = (n_samples * step, step, size) if time_outside else (step, n_times * step, size)
        dtype = self._first_potential.dtype
        flat = [_flat(array.astype(dtype, copy=False)) for array in (potentials, values)]
        sweep_kernel(str(dtype))(
            *flat, _flat(spikes), np.array(strides, np.uint64), began, n_times, n_samples,
            *self._rules(), *self._outputs,
        )  # fmt: skip

    def run_neuron(
        self,
        neuron: NeuronParameters,
        currents: NDArray[np.float32],
        carried: NDArray[np.float32],
        output: NDArray[np.float32],
    ) -> None:
        """Run the neuron, and sweep what it does.

        Parameters
        ----------
        neuron : NeuronParameters
        currents : ndarray of float32, shape (time, sample, channel, …)
            C-contiguous, as the others.
        carried : ndarray of float32, shape (sample, channel, …)
            Potential before the first timestep; afterwards, that after the last.
        output : ndarray of float32, shape of `currents`
            Takes the spikes.
        """
        from redundancy.stats.sweep_kernels import neuron_kernel

        soft = neuron.v_reset is None
        neuron_kernel()(
            _flat(currents), carried.reshape(-1), output.reshape(-1), self._shape[0], neuron.kind,
            np.float32(neuron.rate), np.float32(neuron.v_threshold),
            np.float32(neuron.v_reset or 0.0), soft, _QUANTITIES[self._rule.quantity],
            *self._rules(), *self._outputs,
        )  # fmt: skip

    def finish(self) -> LayerSweep:
        """Return the sweep of all timesteps."""
        n_samples, n_times, n_channels = self._shape[:3]
        rows, n_words = (n_channels, n_times, n_samples), -(-self._counts.shape[2] // _WORD)
        maps = (schema.Y, schema.X) if len(self._shape) == 5 else ()
        return LayerSweep(
            attributes=self._attributes,
            dims=(schema.TIME, schema.CHANNEL, *maps),
            spike_counts=self._counts.reshape(self._shape[1:]),
            bins=self._bins,
            sums=self._sums.reshape(6, *rows).transpose(3, 2, 1, 0),
            fired=self._fired.reshape(2, *rows).transpose(3, 2, 1, 0),
            bits=self._bits.reshape(n_times, n_channels, n_samples, n_words),
            foreground_cells=self._cells,
            first_potential=self._first_potential,
            first_spikes=self._first_spikes,
        )


def sweep_recording(
    layer: xr.Dataset, bins: UniformBins, foreground: Foreground | None = None
) -> LayerSweep:
    """Return the sweep of a recorded layer, (sample, time, channel[, y, x]).

    Raises
    ------
    ValueError
        If spikes or potentials were not recorded, or not in these dimensions, or the
        thresholds or the foreground are of another layer.
    """
    spikes, potentials = spike_values(layer), quantity_values(layer, "pre-fire")
    values = quantity_values(layer, bins.quantity)
    if not spikes.shape == potentials.shape == values.shape:
        raise ValueError(
            f"spikes and potentials of a layer must have one shape, got {spikes.shape}, "
            f"{potentials.shape} and {values.shape}"
        )
    dtype = np.result_type(potentials.dtype, values.dtype)
    builder = SweepBuilder(bins, layer.attrs, spikes.shape, dtype, foreground)
    builder.add(potentials, values, spikes, time_outside=False)
    return builder.finish()


def sweep_spikes(layer: xr.Dataset, foreground: Foreground | None = None) -> SpikeSweep:
    """Return what :func:`sweep_recording` finds of spikes; no potentials are needed.

    Raises
    ------
    ValueError
        If there are no spikes, or not in these dimensions, or the foreground is of
        another layer.
    """
    from redundancy.stats.bit_kernels import pack_bits

    spikes = spike_values(layer)
    # No -1: there may be no sample.
    flat = spikes.reshape(*spikes.shape[:3], math.prod(spikes.shape[3:]))
    bits, cells = pack_bits(flat), None
    marked = np.zeros_like(bits)
    if spikes.ndim == 5 and foreground is not None:
        inside, cells = foreground.of(spikes.shape)
        marked = bits & inside.reshape(*bits.shape[:2], 1, bits.shape[3])
    n_marked = np.unpackbits(marked.view(np.uint8), axis=-1).sum(-1, dtype=np.int64)
    return SpikeSweep(
        attributes=layer.attrs,
        dims=tuple(map(str, layer.variables[schema.SPIKE].dims[1:])),
        spike_counts=np.count_nonzero(spikes, axis=0).astype(np.int64),
        fired=np.stack([np.count_nonzero(flat, axis=-1), n_marked], -1),
        bits=bits.transpose(1, 2, 0, 3),
        foreground_cells=cells,
    )


def _flat(array: NDArray[Any]) -> NDArray[Any]:
    """Return an array as compiled code takes it: flat, contiguous, and never read-only."""
    return np.require(array, requirements=["C", "W"]).reshape(-1)
