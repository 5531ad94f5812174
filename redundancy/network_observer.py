"""A network and the statistics of it: a batch comes in, the states of its samples come out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from redundancy.datasets.base import Batch
from redundancy.observation import AnalysisOptions, Bins, Observer
from redundancy.recording import Nodes, Recorder

if TYPE_CHECKING:
    from torch import nn

    from redundancy.recording import Forward


class NetworkObserver:
    """Runs batches through a network and returns the states of all statistics.

    Use it as a context manager: the network is in evaluation mode inside, and as it was
    afterwards (see :class:`redundancy.recording.Recorder`).

    Parameters
    ----------
    network : nn.Module
    options : AnalysisOptions, optional
    forward : callable, optional
        How to run the network on one batch; see :class:`redundancy.recording.Recorder`.
    bins : mapping of str to MembranePotentialDistribution, optional
        Of every spiking layer, chosen on the first batch of the dataset; without them the
        first batch that comes chooses. Every part of a dataset must be observed with the
        same bins, or the states do not merge. They can be pickled.
    """

    def __init__(
        self,
        network: nn.Module,
        options: AnalysisOptions | None = None,
        *,
        forward: Forward | None = None,
        bins: Bins | None = None,
    ) -> None:
        self._options = options or AnalysisOptions()
        self._recorder = Recorder(network, quantities=self._options.recorded, forward=forward)
        self._observer = None if bins is None else Observer(bins, self._options)

    def __enter__(self) -> NetworkObserver:
        self._recorder.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self._recorder.__exit__(*exception)

    @property
    def bins(self) -> Bins:
        """The bins in use; empty before the first batch if none were given."""
        return {} if self._observer is None else self._observer.bins

    def observe(self, batch: Batch) -> Nodes:
        """Run one batch and return the states of its samples, node by node.

        Raises
        ------
        RecordingError
            If what is read from the network disagrees with what it does.
        """
        recording = self._recorder.record_nodes(
            batch.frames, labels=batch.labels, recordings=batch.recordings, start=batch.start
        )
        if self._observer is None:
            self._observer = Observer.from_pilot(recording, self._options)
        return self._observer.observe(recording)
