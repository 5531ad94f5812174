"""A network and the statistics of it: a batch comes in, the states of its samples come out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from redundancy.datasets.base import Batch
from redundancy.nodes import Nodes, spiking_layers
from redundancy.observation import AnalysisOptions, Bins, Observer, Read
from redundancy.process import settle_heap
from redundancy.recording import Recorder
from redundancy.sweep_probe import GENERAL

if TYPE_CHECKING:
    import xarray as xr
    from torch import nn

    from redundancy.forward import Forward
    from redundancy.stats.layer_sweep import LayerSweep


# A sample through the neurons costs as much as all of them, divided by the batch size; a
# batch of the first samples as much as two samples do.
_VERIFIED_EVERY = 100
_REPEATED_EVERY = 1000


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
    fused : bool, default True
        Whether neurons may be replaced, while a batch runs, by fused sweeps that do the
        neuron and its statistics at once, where that is exactly the same: SpikingJelly's
        IF, LIF and parametric LIF, in float32 on the CPU; and average poolings of 2 x 2 by
        faster ones. The results are the same to the bit either way.
    last_sample : int, optional
        The last one of the dataset that is analysed. In batches that hold it, or every
        hundredth sample, a sample is run through the neurons themselves as well where sweeps
        stand in for them; after it, and after every thousandth, the first samples are run
        again and must give what they gave.
    """

    def __init__(
        self,
        network: nn.Module,
        options: AnalysisOptions | None = None,
        *,
        forward: Forward | None = None,
        bins: Bins | None = None,
        fused: bool = True,
        last_sample: int | None = None,
    ) -> None:
        self._options = options or AnalysisOptions()
        self._recorder = Recorder(
            network,
            quantities=self._options.recorded,
            forward=forward,
            fused=fused,
            ignore=self._options.ignore_layers,
            seed=self._options.seed,
        )
        self._last_sample = last_sample
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

    @property
    def paths(self) -> dict[str, str]:
        """How each neuron module is read after the first batch: "fused" or "general"."""
        return self._recorder.paths

    def observe(self, batch: Batch) -> Nodes:
        """Run one batch and return the states of its samples, node by node.

        Raises
        ------
        RecordingError
            If what is read from the network disagrees with what it does.
        """
        verified = self._sample_of(batch, _VERIFIED_EVERY)
        if self._observer is None:
            recording = self._recorder.record_nodes(
                batch.frames, labels=batch.labels, recordings=batch.recordings, start=batch.start
            )
            self._observer = Observer.from_pilot(recording, self._options)
            layers: dict[str, xr.Dataset | LayerSweep] = dict(spiking_layers(recording))
            nodes = {n: node for n, node in recording.items() if n not in layers}
        else:
            nodes, layers = self._recorder.sweep(
                batch, self._observer.sweeper(batch.frames), self._options.quantity, verified
            )
        # In which batches a fused layer counts as verified depends on the samples alone, and
        # not on which process met it first.
        read = {
            name: Read(path, path == GENERAL or verified is not None)
            for name, path in self._recorder.paths.items()
        }
        states = self._observer.observe_swept(nodes, layers, read)
        del nodes, layers  # the batch is done; see `settle_heap`
        if batch.start and self._sample_of(batch, _REPEATED_EVERY) is not None:
            self._recorder.check_unchanged()
        settle_heap()
        return states

    def _sample_of(self, batch: Batch, every: int) -> int | None:
        """Return the place in a batch of its last sample to check, None if there is none."""
        stop = batch.start + len(batch.frames)
        sample = (stop - 1) // every * every
        if self._last_sample is not None and batch.start <= self._last_sample < stop:
            sample = self._last_sample
        return sample - batch.start if sample >= batch.start else None
