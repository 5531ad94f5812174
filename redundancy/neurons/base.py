"""What an adapter tells about a spiking neuron module."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

from redundancy.registry import Registry

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class NeuronDescription:
    """How a spiking neuron fires and resets.

    Attributes
    ----------
    neuron_type : str
        Name of its class.
    framework : str
        The library it comes from.
    v_threshold : float or tuple of float
        One number, or one a channel.
    v_reset : float or None
        None where a spike subtracts the threshold (soft reset).
    fires_at : {">=", ">"}
        How the potential compares with the threshold where the neuron fires.
    has_time_axis : bool
        Whether one call takes a whole sequence, or one timestep.
    time_axis : {0, 1}
        Where a sequence has its time: (time, sample, ...), or 1 for (sample, time, ...).
    """

    neuron_type: str
    framework: str
    v_threshold: float | tuple[float, ...]
    v_reset: float | None
    fires_at: Literal[">=", ">"]
    has_time_axis: bool
    time_axis: int = 0

    @property
    def firing_rule(self) -> str:
        """The condition under which the neuron fires, for people."""
        if isinstance(self.v_threshold, tuple):
            low, high = min(self.v_threshold), max(self.v_threshold)
            return f"{self.fires_at} {low:g} to {high:g} (a threshold per channel)"
        return f"{self.fires_at} {self.v_threshold:g}"


def thresholds_of(value: Any) -> float | tuple[float, ...]:
    """Return a module's threshold, a number or a tensor with one a channel, in plain numbers."""
    numbers = [float(number) for number in getattr(value, "flatten", lambda: [value])()]
    return numbers[0] if len(numbers) == 1 else tuple(numbers)


class NeuronAdapter(Protocol):
    """Reads one class of spiking neurons.

    An adapter for your own neuron class is an object with these four methods,
    registered under the qualified name of the class::

        @NEURON_ADAPTERS.register("my_package.my_module.MyNeuron")
        class MyNeuronAdapter: ...

    It matches that class exactly, never a subclass: a subclass may compute another
    potential from the same attributes.
    """

    def describe(self, module: nn.Module) -> NeuronDescription:
        """Return how `module` fires and resets, as it is set now."""
        ...

    def potential(self, module: nn.Module) -> Tensor | float:
        """Return the potential that `module` carries from one timestep to the next."""
        ...

    def reset(self, module: nn.Module) -> None:
        """Bring `module` to the state it has before the first timestep of a sample.

        Called before every batch. A neuron that keeps nothing between calls needs nothing
        done.
        """
        ...

    def replay(
        self, module: nn.Module, currents: Tensor, potential: Tensor | float
    ) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Repeat what `module` did, timestep by timestep.

        Parameters
        ----------
        module : nn.Module
        currents : Tensor, shape (time, sample, ...)
            The input X of the call, time first whatever the module's own order.
        potential : Tensor or float
            The carried potential before the call.

        Yields
        ------
        tuple of Tensor
            Membrane potential before firing U, the spikes S that follow from it (0 or
            1, of the same dtype), and the potential carried on, each of shape
            (sample, ...). None may be changed by the adapter afterwards.
        """
        ...


NEURON_ADAPTERS: Registry[type[NeuronAdapter]] = Registry("neuron adapter")
