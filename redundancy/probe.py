"""One spiking layer under observation: its calls, repeated, checked and kept."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from redundancy import schema
from redundancy.errors import RecordingError
from redundancy.neurons import NeuronAdapter, NeuronDescription
from redundancy.probes.call_order import CallStack, Origin, uses_of
from redundancy.stats.layer_sweep import LayerSweep

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

QUANTITIES = (
    schema.SPIKE,
    schema.MEMBRANE_POTENTIAL,
    schema.INPUT_CURRENT,
    schema.RESET_POTENTIAL,
)

LAYER_DIMENSIONS = {
    3: (schema.SAMPLE, schema.TIME, schema.CHANNEL),
    5: (schema.SAMPLE, schema.TIME, schema.CHANNEL, schema.Y, schema.X),
}
_LONG_NAMES = {
    schema.SPIKE: ("spikes", "spikes"),
    schema.MEMBRANE_POTENTIAL: ("membrane potential before firing", "same as V_th"),
    schema.INPUT_CURRENT: ("input current", "same as V_th"),
    schema.RESET_POTENTIAL: ("membrane potential after reset", "same as V_th"),
}


@dataclass
class Call:
    """What one call of a neuron module left behind; arrays are (time, sample, ...).

    `number` is its place among the calls of all neurons of the network; a call that was
    swept leaves its sweep, and no arrays.
    """

    number: int
    arrays: dict[str, list[NDArray[Any]]]
    sweep: LayerSweep | None = None
    origin: Origin | None = None


@dataclass(eq=False)
class Probe:
    """The hooks of one spiking layer."""

    name: str
    module: nn.Module
    adapter: NeuronAdapter
    quantities: Sequence[str]
    stack: CallStack
    calls: list[Call] = field(default_factory=list)
    dtype: torch.dtype | None = None
    _described: NeuronDescription | None = None
    _before: Tensor | float = 0.0
    _version: int | None = None
    _origin: Origin | None = None
    _number: int = 0
    _counter: Iterator[int] = field(default_factory=itertools.count)

    @property
    def description(self) -> NeuronDescription:
        """How the neuron fires and resets: as it was when it was first called."""
        return self._described or self.adapter.describe(self.module)

    def attach(self, counter: Iterator[int]) -> Iterator[Any]:
        """Add the hooks and yield their handles; `counter` numbers calls in the network."""
        self.calls, self._counter = [], counter
        yield self.module.register_forward_pre_hook(self._on_entry, with_kwargs=True)
        yield self.module.register_forward_hook(self._on_exit, with_kwargs=True)

    def _on_entry(self, module: nn.Module, args: Any, kwargs: Any) -> None:
        self._note_description()
        self._number = next(self._counter)
        if not self.description.has_time_axis:
            self._origin = self.stack.origin()
        self._version = _version_of(_given(args, kwargs))
        before = self.adapter.potential(module)
        # The module may overwrite its state in place.
        self._before = before if isinstance(before, float | int) else before.clone()

    def _note_description(self) -> None:
        """Describe the neuron as it is now, and refuse one that has become another."""
        now = self.adapter.describe(self.module)
        if self._described is None:
            check_description(self.name, now)
            self._described = now
        elif now != self._described:
            raise RecordingError(
                f"layer {self.name!r} ({now.neuron_type}) changes while the network runs: "
                f"{_changes(self._described, now)}; what is measured about a threshold needs one "
                "that stays, so set it before the analysis"
            )

    def _on_exit(self, module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        currents = _given(args, kwargs)
        if _version_of(currents) != self._version:
            raise RecordingError(
                f"layer {self.name!r} ({self.description.neuron_type}) writes to its own input, so "
                "that the current it was given is gone; let it work on a copy"
            )
        spikes = output[0] if isinstance(output, tuple) else output
        if not self.description.has_time_axis:
            currents, spikes = currents.unsqueeze(0), spikes.unsqueeze(0)
        elif axis := self.description.time_axis:
            currents, spikes = currents.movedim(axis, 0), spikes.movedim(axis, 0)
        call = self._read(currents, spikes)
        call.origin = self._origin
        self.calls.append(call)

    def _read(self, currents: Tensor, spikes: Tensor) -> Call:
        """Repeat the call, check it against the network's own spikes, keep what is wanted."""
        keep: dict[str, list[NDArray[Any]]] = {name: [] for name in self.quantities}
        for values in self._steps(currents, spikes):
            for name in self.quantities:
                value = spike_bytes(values[name]) if name == schema.SPIKE else values[name]
                # The network may write to its own tensors later on.
                keep[name].append(to_numpy(value).copy())
        return Call(self._number, keep)

    def _steps(self, currents: Tensor, spikes: Tensor) -> Iterator[dict[str, Tensor]]:
        """Repeat the call timestep by timestep, checked against the network's own spikes."""
        import torch

        self.dtype = currents.dtype
        self._check_finite(currents)
        carried: Tensor | None = None
        steps = self.adapter.replay(self.module, currents, self._before)
        for time, (potential, fired, carried_on) in enumerate(steps):
            carried = carried_on
            self._check_spikes(fired, spikes[time], time)
            yield {
                schema.SPIKE: fired,
                schema.MEMBRANE_POTENTIAL: potential,
                schema.INPUT_CURRENT: currents[time],
                schema.RESET_POTENTIAL: carried_on,
            }
        after = self.adapter.potential(self.module)
        if carried is not None:
            # What is not finite stays so where it does not fire, up to the last timestep.
            self._check_finite(carried.unsqueeze(0))
            if isinstance(after, torch.Tensor):
                self._check_carried(carried, after)

    def _check_finite(self, values: Tensor) -> None:
        """Refuse currents or potentials (time, ...) that are NaN or infinite."""
        import torch

        # A sum is one pass; only if it is not finite is it worth looking closer.
        if torch.isfinite(values.sum()) or torch.isfinite(values).all():
            return
        kind = "NaN" if torch.isnan(values).any() else "infinite"
        raise RecordingError(
            f"layer {self.name!r} has {kind} membrane potentials; check the network's weights and "
            "its input"
        )

    def _check_spikes(self, fired: Tensor, spikes: Tensor, time: int) -> None:
        """Refuse outputs that are not 1 exactly where the potential fires."""
        import torch

        fired = fired.to(spikes.dtype)
        if torch.equal(fired, spikes):
            return
        raise RecordingError(
            f"layer {self.name!r} ({self.description.neuron_type}): at timestep {time}, "
            f"{int((fired != spikes).sum())} of {spikes.numel()} outputs are not 1 exactly where "
            f"the membrane potential read from it is {self.description.firing_rule}; its dynamics "
            f"are not what its class says, so nothing read from it can be trusted"
            f"{self._advice(spikes)}"
        )

    @staticmethod
    def _advice(tensor: Tensor) -> str:
        on_cpu = tensor.device.type == "cpu"
        return "" if on_cpu else "; kernels of this device may round otherwise, try --device cpu"

    def _check_carried(self, carried: Tensor, after: Tensor) -> None:
        import torch

        if carried.shape != after.shape or not torch.allclose(
            carried.to(after.dtype), after, rtol=1e-5, atol=1e-6
        ):
            raise RecordingError(
                f"layer {self.name!r} ({self.description.neuron_type}) ends in another membrane "
                "potential than was read from it; its dynamics are not what its class says, so "
                f"nothing read from it can be trusted{self._advice(after)}"
            )


def layers_of(
    probe: Probe, n_samples: int, n_timesteps: int, stepwise: bool
) -> Iterator[tuple[int, str, xr.Dataset | LayerSweep]]:
    """Yield each of a module's uses in one forward pass: number of its call, name, layer.

    A multi-step module is called once a use, a single-step one once a timestep and use; see
    :func:`redundancy.probes.call_order.uses_of`.
    """
    calls = probe.calls
    if probe.description.has_time_axis:
        uses = [[number] for number in range(len(calls))]
    else:
        origins = [call.origin for call in calls]
        uses = uses_of(origins, n_timesteps, probe.name, stepwise=stepwise)
    for k, numbers in enumerate(uses):
        own = [calls[number] for number in numbers]
        name = probe.name if k == 0 else f"{probe.name}@{k}"
        if own[0].sweep is not None:
            yield own[0].number, name, own[0].sweep
            continue
        variables = {}
        for quantity in probe.quantities:
            array = np.stack([step for call in own for step in call.arrays[quantity]], axis=1)
            check_layer_shape(name, quantity, array.shape, (n_samples, n_timesteps))
            dims = LAYER_DIMENSIONS[array.ndim]
            long_name, units = _LONG_NAMES[quantity]
            variables[quantity] = (dims, array, {"long_name": long_name, "units": units})
            check_thresholds(name, probe.description, array.shape[2])
        yield own[0].number, name, xr.Dataset(variables, attrs=layer_attributes(probe))


def _given(args: Any, kwargs: Any) -> Tensor:
    """Return the first argument of a call, the input current."""
    return args[0] if args else next(iter(kwargs.values()))  # type: ignore[no-any-return]


def _version_of(tensor: Tensor) -> int | None:
    """Return how often a tensor was written to; None where that is not counted."""
    return None if tensor.is_inference() else tensor._version


def _changes(before: NeuronDescription, after: NeuronDescription) -> str:
    return ", ".join(
        f"{field.name} from {getattr(before, field.name)} to {getattr(after, field.name)}"
        for field in fields(before)
        if getattr(before, field.name) != getattr(after, field.name)
    )


def check_description(name: str, description: NeuronDescription) -> None:
    """Refuse a neuron whose threshold or reset is no finite number."""
    threshold = description.v_threshold
    thresholds = threshold if isinstance(threshold, tuple) else (threshold,)
    for what, values in (("threshold", thresholds), ("reset potential", (description.v_reset,))):
        for value in values:
            if value is not None and not math.isfinite(value):
                raise RecordingError(
                    f"layer {name!r} ({description.neuron_type}) has the {what} {value:g}; a "
                    "finite number is needed to measure distances from it"
                )


def check_layer_shape(
    name: str, quantity: str, shape: tuple[int, ...], expected: tuple[int, int]
) -> None:
    """Refuse a layer that is not (sample, time, channel[, y, x]) of the batch."""
    if len(shape) not in LAYER_DIMENSIONS or shape[:2] != expected:
        raise RecordingError(
            f"layer {name!r} gave {quantity} of shape {shape}; expected ({expected[0]} "
            f"samples, {expected[1]} timesteps, channels) or (…, channels, y, x)"
        )


def check_thresholds(name: str, description: NeuronDescription, n_channels: int) -> None:
    """Refuse thresholds of which it is not clear whose they are."""
    threshold = description.v_threshold
    if isinstance(threshold, tuple) and len(threshold) != n_channels:
        raise RecordingError(
            f"layer {name!r} has {len(threshold)} thresholds for {n_channels} channels; a neuron "
            "needs one threshold, or one a channel"
        )


def layer_attributes(probe: Probe) -> dict[str, Any]:
    """Return the attributes of a probed layer: type, threshold, firing rule, reset."""
    import torch

    description = probe.description
    threshold: Any = description.v_threshold
    if probe.dtype in (torch.float16, torch.bfloat16):
        # Potentials are kept as float32, but were compared in their own precision.
        threshold = torch.tensor(threshold, dtype=probe.dtype).tolist()
    attributes: dict[str, Any] = {
        schema.NEURON_TYPE: description.neuron_type,
        schema.FRAMEWORK: description.framework,
        schema.V_THRESHOLD: list(threshold) if isinstance(threshold, tuple) else threshold,
        schema.FIRES_AT: description.fires_at,
    }
    if description.v_reset is not None:
        attributes[schema.V_RESET] = description.v_reset
    return attributes


def spike_bytes(spikes: Tensor) -> Tensor:
    """Return spikes, 0 or 1 of any data type, as uint8."""
    import torch

    # By way of bool it takes a quarter of the time.
    return spikes.bool().view(torch.uint8)


def to_numpy(tensor: Tensor) -> NDArray[Any]:
    """Return a tensor as an array, half precision as float32."""
    import torch

    if tensor.dtype in (torch.bfloat16, torch.float16):
        tensor = tensor.float()
    return tensor.cpu().numpy()
