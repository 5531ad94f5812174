"""A network runs with hooks in place, and once without: reading it must change nothing."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from redundancy.forward import reset_state
from redundancy.network_checks import check_same_output

if TYPE_CHECKING:
    from torch import Tensor, nn

    from redundancy.forward import Forward


class CheckedRun:
    """Runs batches; before the first one is run with hooks it is run without.

    Parameters
    ----------
    network : nn.Module
    forward : callable
        ``forward(network, inputs)`` returns the network's output.
    """

    def __init__(self, network: nn.Module, forward: Forward) -> None:
        self._network, self._forward = network, forward
        self._verified = False

    def __call__(self, inputs: Tensor, hooks: Iterable[Any]) -> Tensor:
        """Return the output for a batch.

        Parameters
        ----------
        inputs : Tensor, shape (time, sample, channel, y, x)
        hooks : iterable of handles
            Attaches hooks as it is consumed; every handle has ``remove``, which is called
            after the run.

        Raises
        ------
        RecordingError
            If the first batch's output is another one without hooks.
        """
        bare = None if self._verified else self._run_bare(inputs)
        output = self._run_hooked(inputs, hooks)
        if bare is not None:
            check_same_output(bare, output)
            self._verified = True
        return output

    def _run_bare(self, inputs: Tensor) -> Tensor:
        import torch

        reset_state(self._network)
        devices = [inputs.device] if inputs.device.type == "cuda" else []
        # Both runs see the same random numbers, for networks that draw some.
        with torch.random.fork_rng(devices):
            return self._forward(self._network, inputs)

    def _run_hooked(self, inputs: Tensor, hooks: Iterable[Any]) -> Tensor:
        reset_state(self._network)
        with contextlib.ExitStack() as attached:
            for hook in hooks:
                attached.callback(hook.remove)
            return self._forward(self._network, inputs)
