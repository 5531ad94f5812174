"""One training in several processes, each with a part of every batch.

Gradients are averaged by torch's DistributedDataParallel. Batch normalisation takes the
statistics of a process's own part of the batch, and its running statistics are those of
the first process: they alone are tested with, and written.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from redundancy import torchrun
from redundancy.devices import resolve_device
from redundancy.errors import RedundancyError, UsageError
from redundancy.forward import reset_state

if TYPE_CHECKING:
    import torch
    from torch import nn


@dataclass(frozen=True)
class Processes:
    """The processes of one training, seen from one of them.

    Attributes
    ----------
    rank : int
        Number of this process, from 0. Process 0 writes files and tells progress.
    count : int
    device : torch.device
        Of this process.
    """

    rank: int
    count: int
    device: torch.device

    @property
    def is_main(self) -> bool:
        """Whether this process writes files and tells progress."""
        return self.rank == 0

    def device_name(self) -> str:
        """Return the name of this process's device, as the record has it."""
        import torch

        return torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else "cpu"

    def part(self, chosen: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return this process's part of a batch; the parts differ by one sample at most.

        Earlier processes have the larger parts, so process 0 is never without samples.
        """
        return np.array_split(chosen, self.count)[self.rank]

    def wrap(self, network: nn.Module, frame_shape: Sequence[int]) -> nn.Module:
        """Return `network` such that its gradients are those of all processes' losses, averaged.

        All processes start from the weights of process 0. A sample has `frame_shape`, (time,
        channel, y, x).
        """
        if self.count == 1:
            return network
        from torch.nn.parallel import DistributedDataParallel

        return DistributedDataParallel(
            network,
            device_ids=[self.device] if self.device.type == "cuda" else None,
            # Looking for them in every step is not free.
            find_unused_parameters=_has_unused_parameters(network, frame_shape, self.device),
        )

    def share_buffers(self, network: nn.Module) -> None:
        """Give all processes the running statistics of process 0."""
        if self.count == 1:
            return
        import torch

        for buffer in network.buffers():
            torch.distributed.broadcast(buffer, src=0)

    def total(self, values: Sequence[float]) -> list[float]:
        """Return the sums over all processes; float64, so that counts stay exact."""
        if self.count == 1:
            return list(values)
        import torch

        tensor = torch.tensor(values, dtype=torch.float64, device=self.device)
        torch.distributed.all_reduce(tensor)
        sums: list[float] = tensor.tolist()
        return sums

    def from_main(self, make: Callable[[], Any]) -> Any:
        """Call `make` in process 0 alone and return what it returned, in all processes."""
        if self.count == 1:
            return make()
        import torch

        held = [make() if self.is_main else None]
        torch.distributed.broadcast_object_list(held, src=0)
        return held[0]

    def gather(self, value: Any) -> list[Any]:
        """Return the values of all processes, in their order."""
        if self.count == 1:
            return [value]
        import torch

        values: list[Any] = [None] * self.count
        torch.distributed.all_gather_object(values, value)
        return values


@contextlib.contextmanager
def joined_processes(device: str = "auto") -> Iterator[Processes]:
    """Join the processes that ``torchrun`` started, if it did, and leave them at the end.

    Parameters
    ----------
    device : str
        As for :func:`redundancy.devices.resolve_device`; with several processes on GPUs each
        takes the one with its own number.

    Raises
    ------
    UsageError
        If there is no GPU for this process, or torch cannot train in several processes.
    RedundancyError
        If another process ends before the training does.
    """
    if torchrun.n_processes() == 1:
        yield Processes(0, 1, resolve_device(device))
        return
    import torch

    if not torch.distributed.is_available():
        raise UsageError(
            "this build of torch cannot train in several processes; run without torchrun"
        )
    own_device = _device_of_process(device)
    found = torch.distributed.is_initialized()
    with _lost_processes_as_sentence():
        if not found:
            backend = "nccl" if own_device.type == "cuda" else "gloo"
            torch.distributed.init_process_group(backend)
        yield Processes(torchrun.rank(), torchrun.n_processes(), own_device)
        # After an error the connections stay until this process ends: closed now, they
        # would fail in the other processes before the error is told.
        if not found:
            torch.distributed.barrier()
            torch.distributed.destroy_process_group()


def _has_unused_parameters(
    network: nn.Module, frame_shape: Sequence[int], device: torch.device
) -> bool:
    """Tell whether some parameters have no gradient, as where attention selects by a ranking."""
    import torch

    training = network.training
    network.eval()  # running statistics and random numbers stay as they are
    n_timesteps, *rest = frame_shape
    network(torch.zeros(n_timesteps, 2, *rest, device=device)).sum().backward()
    reset_state(network)
    network.train(training)
    unused = any(p.requires_grad and p.grad is None for p in network.parameters())
    network.zero_grad()
    return unused


def _device_of_process(name: str) -> torch.device:
    import torch

    device = resolve_device(name)
    if device.type != "cuda":
        return device
    if ":" in name:
        raise UsageError(
            f"device {name} cannot be shared by {torchrun.n_processes()} processes; say --device "
            "cuda, and each takes its own"
        )
    number, n_devices = torchrun.local_rank(), torch.cuda.device_count()
    if number >= n_devices:
        raise UsageError(
            f"torch sees {n_devices} CUDA devices here, too few for a process with local number "
            f"{number}; start at most {n_devices} with --nproc-per-node, or say --device cpu"
        )
    device = torch.device("cuda", number)
    torch.cuda.set_device(device)
    return device


@contextlib.contextmanager
def _lost_processes_as_sentence() -> Iterator[None]:
    try:
        yield
    except RedundancyError:
        raise
    except RuntimeError as error:
        import torch

        text = str(error).lower()
        lost = isinstance(error, torch.distributed.DistError) or "gloo" in text or "nccl" in text
        if not lost:
            raise
        raise RedundancyError(
            f"process {torchrun.rank()} of {torchrun.n_processes()} lost the others: one of them "
            "has ended or cannot be reached; go on with --resume"
        ) from error
