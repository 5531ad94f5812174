"""The shards of an analysis on processes of this machine, which nobody else can reach.

Each worker is a process at the other end of a pipe that only the two of them hold: there
is no port, and no file, through which other users of the machine could send it anything.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from multiprocessing import connection, get_context, parent_process, resource_tracker
from typing import TYPE_CHECKING, Any

from redundancy.datasets.base import Dataset
from redundancy.errors import ClusterError, UsageError
from redundancy.observation import AnalysisOptions, Bins
from redundancy.process import available_cores
from redundancy.sharding.gathering import Piece
from redundancy.sharding.jobs import Job, OpenedJob, job_of
from redundancy.sharding.plan import Plan, Shard
from redundancy.sharding.runners import Pilot, SamplesDone

if TYPE_CHECKING:
    from torch import nn

# The same task may end so many workers before it is given up.
_MOST_DEATHS = 4
# Each worker holds a network of its own; far more of them than cores are a slip.
_MOST_WORKERS = 64
_MOST_A_CORE = 4
_END_SECONDS = 5.0

Task = tuple[Shard, Bins, str] | None  # None is the pilot.


class LocalRunner:
    """Runs shards on processes of this machine, each with its share of the cores.

    Where there are GPUs each worker sees one of them. A worker that is lost is replaced,
    and its shard done again. Parameters are those of
    :class:`redundancy.sharding.cluster.ClusterRunner`, and `n_workers`.

    Raises
    ------
    UsageError
        If there are far more workers than cores.
    """

    def __init__(
        self,
        n_workers: int,
        open_job: Callable[[], tuple[nn.Module, Dataset]],
        dataset: Dataset,
        plan: Plan,
        options: AnalysisOptions,
        *,
        fused: bool = True,
    ) -> None:
        most = max(_MOST_WORKERS, _MOST_A_CORE * available_cores())
        if n_workers > most:
            raise UsageError(
                f"--workers starts so many processes, each with a network of its own, on "
                f"{available_cores()} cores, got {n_workers}; ask for at most {most}"
            )
        self._job = job_of(open_job, dataset, plan, options, fused=fused, local=True)
        self._workers: list[_Worker | None] = [None] * min(n_workers, len(plan.missing(())))

    @property
    def n_workers(self) -> int:
        """How many workers there are; never more than shards."""
        return len(self._workers)

    def pilot(self) -> Pilot:
        """Run the pilot batches on a worker."""
        (pilot,) = self._results([None])
        assert isinstance(pilot, Pilot)
        return pilot

    def run(
        self, shards: Sequence[Shard], bins: Bins, device: str, done: SamplesDone
    ) -> Iterator[Piece]:
        """Yield the states of shards as they are finished."""
        for piece in self._results([(shard, dict(bins), device) for shard in shards]):
            assert isinstance(piece, Piece)
            done(len(piece.samples))
            yield piece
            del piece

    def close(self) -> None:
        """End the workers, whatever they do."""
        for worker in self._workers:
            if worker is not None:
                worker.end()
        self._workers = [None] * len(self._workers)

    def _results(self, tasks: Sequence[Task]) -> Iterator[Any]:
        """Yield what becomes of tasks, as they are finished."""
        waiting = deque(enumerate(tasks))
        running: dict[_Worker, tuple[int, Task]] = {}
        deaths: Counter[int] = Counter()
        try:
            while waiting or running:
                self._hand_out(waiting, running)
                for worker in _ready(running):
                    number, task = running.pop(worker)
                    try:
                        outcome = worker.receive()
                    except (EOFError, OSError):
                        self._workers[self._workers.index(worker)] = None
                        worker.end()
                        deaths[number] += 1
                        _check_deaths(deaths[number])
                        # The earliest first: what is merged has no gaps.
                        waiting.appendleft((number, task))
                        continue
                    if isinstance(outcome, BaseException):
                        raise outcome
                    # Before this one is merged, so that nobody waits for that.
                    self._hand_out(waiting, running)
                    yield outcome
                    del outcome
        finally:
            if running:
                self.close()

    def _hand_out(
        self, waiting: deque[tuple[int, Task]], running: dict[_Worker, tuple[int, Task]]
    ) -> None:
        """Give every worker that has nothing to do a task, and start those that are missing."""
        places = range(len(self._workers))
        workers = [
            self._workers[place] or _Worker(self._job, place, len(places)) for place in places
        ]
        self._workers[:] = workers
        for worker in workers:
            if waiting and worker not in running:
                running[worker] = waiting.popleft()
                worker.send(running[worker][1])


def _check_deaths(n_deaths: int) -> None:
    if n_deaths >= _MOST_DEATHS:
        raise ClusterError(
            f"the same samples ended {n_deaths} workers one after another, probably because "
            "memory was short; ask for fewer --workers or a smaller --batch-size, and go on with "
            "--resume"
        )


class _Worker:
    """A process, and this end of its pipe."""

    def __init__(self, job: Job, place: int, n_workers: int) -> None:
        context = get_context("spawn")
        self.pipe, other = context.Pipe()
        self._job: Job | None = job
        with _deaf_to_interrupts(), _environment(worker_environment(place, n_workers)):
            self._process = context.Process(target=_work, args=(other,), daemon=True)
            self._process.start()
        other.close()

    def send(self, task: Task) -> None:
        """Send a task; where the worker has ended, receiving says so."""
        with contextlib.suppress(OSError):
            if self._job is not None:
                # Not at once, or others would start only when this one has read it.
                self.pipe.send(self._job)
                self._job = None
            self.pipe.send(task)

    def receive(self) -> Any:
        """Return what the worker sent; EOFError or OSError where it ended."""
        return self.pipe.recv()

    def end(self) -> None:
        """End the process."""
        self.pipe.close()
        self._process.kill()
        self._process.join(_END_SECONDS)


def _ready(running: Mapping[_Worker, object]) -> list[_Worker]:
    """Wait for workers that have sent something, or ended."""
    pipes = {worker.pipe: worker for worker in running}
    return [pipes[pipe] for pipe in connection.wait(list(pipes)) if pipe in pipes]


def _work(pipe: connection.Connection) -> None:
    """Do what comes through a pipe until it is closed; runs in a process of its own."""
    from redundancy.process import keep_heap

    threading.Thread(target=_end_with_parent, daemon=True).start()
    keep_heap()
    with contextlib.suppress(EOFError, OSError):
        job = OpenedJob(pipe.recv(), 1)
        while True:
            task = pipe.recv()
            try:
                outcome: object = job.pilot() if task is None else job.shard(*task)
            except Exception as error:
                outcome = _sendable(error)
            pipe.send(outcome)


def _sendable(error: Exception) -> Exception:
    """Return an error, or what it says where it would not arrive as it is."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


def _end_with_parent() -> None:
    """End this process when the one that started it ends, however that happens."""
    parent = parent_process()
    assert parent is not None
    connection.wait([parent.sentinel])
    os._exit(1)


@contextlib.contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    """Let processes that start in the block have other variables."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextlib.contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """Let processes that start in the block not hear Ctrl-C; here it waits.

    A terminal sends it to all processes, and the one in front ends the others.
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
