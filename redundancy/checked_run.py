"""A network runs with hooks in place, and once without: reading it must change nothing."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from redundancy.devices import device_of
from redundancy.forward import reset_state
from redundancy.network_checks import check_same_output
from redundancy.probes.calling import own_failure
from redundancy.probes.proving import check_output
from redundancy.probes.random_numbers import seeded

if TYPE_CHECKING:
    from torch import Tensor, nn

    from redundancy.forward import Forward

_OWN_FILES = str(Path(__file__).resolve().parent)


class CheckedRun:
    """Runs batches; before the first one is run with hooks it is run without.

    Parameters
    ----------
    network : nn.Module
    seed : int
        Random numbers are those of this seed and the batch's first sample, so that they do
        not depend on who runs it.
    """

    def __init__(self, network: nn.Module, seed: int) -> None:
        self._network, self._seed = network, seed
        self._verified = False

    def __call__(
        self, forward: Forward, inputs: Tensor, hooks: Iterable[Any], start: int
    ) -> Tensor:
        """Return the output for a batch.

        Parameters
        ----------
        forward : callable
            ``forward(network, inputs)`` returns the network's output.
        inputs : Tensor, shape (time, sample, channel, y, x)
            Given away: the network may write to it.
        hooks : iterable of handles
            Attaches hooks as it is consumed; every handle has ``remove``, which is called
            after the run.
        start : int
            Index of the first sample.

        Raises
        ------
        RecordingError
            If the network fails, or the first batch's output is another one without hooks.
        """
        bare = None if self._verified else self._run(forward, inputs.clone(), [], start)
        output = self._run(forward, inputs, hooks, start)
        if bare is not None:
            check_same_output(bare, output)
            self._verified = True
        return output

    def _run(self, forward: Forward, inputs: Tensor, hooks: Iterable[Any], start: int) -> Tensor:
        reset_state(self._network)
        with contextlib.ExitStack() as attached:
            for hook in hooks:
                attached.callback(hook.remove)
            with seeded(self._seed + start, device_of(self._network)):
                return check_output(self._network, self._called(forward, inputs))

    def _called(self, forward: Callable[..., Any], inputs: Tensor) -> Any:
        try:
            return forward(self._network, inputs)
        except Exception as error:
            if _is_ours(error):
                raise
            raise own_failure(self._network, error) from error


def _is_ours(error: Exception) -> bool:
    """Tell whether code of this package raised an error, and not the network's."""
    traceback, file = error.__traceback__, ""
    while traceback is not None:
        file, traceback = traceback.tb_frame.f_code.co_filename, traceback.tb_next
    return file.startswith(_OWN_FILES)
