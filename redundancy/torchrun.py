"""The processes of one run that ``torchrun`` started: which one this is, and which one speaks."""

from __future__ import annotations

import os

# What torchrun tells every process of a run.
_NEEDED = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
_PATIENCE_SECONDS = 5


def n_processes() -> int:
    """Return how many processes this run has; 1 without ``torchrun``."""
    if not all(os.environ.get(name) for name in _NEEDED):
        return 1
    return max(_number("WORLD_SIZE", 1), 1)


def rank() -> int:
    """Return the number of this process in its run, counted from 0."""
    return _number("RANK", 0) if n_processes() > 1 else 0


def local_rank() -> int:
    """Return the number of this process on its machine, counted from 0."""
    return _number("LOCAL_RANK", rank()) if n_processes() > 1 else 0


def is_main_process() -> bool:
    """Tell whether this process is the one that writes files and shows progress."""
    return rank() == 0


def tells_error() -> bool:
    """Tell whether this process is the one to tell of an error.

    An error may strike every process of a run, or one of them and then, as a lost
    connection, the others. The first one that asks tells it: the processes count in the
    store that they have met in.
    """
    if n_processes() == 1:
        return True
    from datetime import timedelta

    try:
        from torch.distributed import TCPStore  # type: ignore[attr-defined]

        store = TCPStore(
            os.environ["MASTER_ADDR"],
            _number("MASTER_PORT", 0),
            is_master=False,
            timeout=timedelta(seconds=_PATIENCE_SECONDS),
            wait_for_workers=False,
        )
        attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
        return int(store.add(f"redundancy/errors/{attempt}", 1)) == 1
    except Exception:
        # Twice is better than never.
        return True


def _number(name: str, default: int) -> int:
    try:
        return int(os.environ.get(name, default))
    except ValueError:
        return default
