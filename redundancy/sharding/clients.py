"""Workers: processes of this machine, or any cluster that dask.distributed connects.

Import this module only where it is used: it brings dask.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
from collections.abc import Callable, Iterator
from multiprocessing import resource_tracker
from typing import Any

from distributed import Client, Nanny, Scheduler, SpecCluster
from distributed.comm.addressing import parse_host_port

from redundancy.errors import ClusterError, UsageError
from redundancy.process import available_cores

_CONNECT_SECONDS = 10
_WORKER_SECONDS = 60


@contextlib.contextmanager
def local_client(n_workers: int) -> Iterator[Client]:
    """Start workers on this machine, each a process with its share of the cores.

    Where there are GPUs each worker sees one of them.
    """
    _silence_dask()
    with contextlib.ExitStack() as stack:
        workers = {
            index: {
                "cls": Nanny,
                "options": {
                    "nthreads": 1,
                    "memory_limit": 0,
                    "env": worker_environment(index, n_workers),
                    "silence_logs": logging.CRITICAL,
                },
            }
            for index in range(n_workers)
        }
        options = {"dashboard": False, "protocol": "tcp://", "host": "127.0.0.1", "port": 0}
        scheduler = {"cls": Scheduler, "options": options}
        with _deaf_to_interrupts():
            cluster = SpecCluster(
                workers=workers, scheduler=scheduler, silence_logs=logging.CRITICAL
            )
            stack.callback(_quietly, cluster.close)
        # As default client it would also take over how xarray writes files.
        client = Client(cluster, set_as_default=False)
        stack.callback(_quietly, client.close)
        yield client


@contextlib.contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """Let threads and processes that start in the block not hear Ctrl-C; here it waits.

    A terminal sends it to all processes: those that are still starting would each tell
    of it in a traceback.
    """
    if not hasattr(signal, "pthread_sigmask"):  # not on Windows
        yield
        return
    # Where it does not run yet it is started in the block, and ends that for its thread.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def worker_environment(index: int, n_workers: int) -> dict[str, str]:
    """Return the environment of one of several workers on this machine."""
    threads = str(max(_n_cores() // n_workers, 1))
    environment = dict.fromkeys(
        ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), threads
    )
    devices = _gpus()
    if devices:
        environment["CUDA_VISIBLE_DEVICES"] = devices[index % len(devices)]
    return environment


def _n_cores() -> int:
    given = os.environ.get("OMP_NUM_THREADS", "")
    available = available_cores()
    return min(int(given), available) if given.isdigit() and int(given) else available


def _gpus() -> list[str]:
    """Return the GPUs of this machine as CUDA_VISIBLE_DEVICES names them."""
    import torch

    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    if given is not None:
        return [name.strip() for name in given.split(",") if name.strip()]
    return [str(index) for index in range(torch.cuda.device_count())]


@contextlib.contextmanager
def remote_client(address: str) -> Iterator[Client]:
    """Connect to the scheduler of a cluster.

    Raises
    ------
    UsageError
        If there is none at the address.
    ClusterError
        If it has no worker.
    """
    _silence_dask()
    try:
        parse_host_port(address.rpartition("://")[2])
        client = Client(address, timeout=_CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        raise UsageError(
            f"there is no dask scheduler at {address or 'an empty address'}; give the address that "
            "it prints when it starts, such as tcp://10.0.0.1:8786"
        ) from error
    try:
        try:
            client.wait_for_workers(1, timeout=_WORKER_SECONDS)
        except TimeoutError as error:
            raise ClusterError(
                f"the scheduler at {address} has had no worker for {_WORKER_SECONDS} s; start "
                f"some, for instance with dask worker {address} --nthreads 1"
            ) from error
        yield client
    finally:
        _quietly(client.close)


def _silence_dask() -> None:
    """Leave what dask logs to sentences of our own."""
    for name in list(logging.root.manager.loggerDict):
        if name.partition(".")[0] == "distributed":
            logging.getLogger(name).setLevel(logging.CRITICAL)


def _quietly(close: Callable[[], Any]) -> None:
    with contextlib.suppress(Exception):
        close()
