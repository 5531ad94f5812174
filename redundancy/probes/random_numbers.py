"""Random numbers that a network draws: the same for the same samples, whoever runs them."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch

_LARGEST = 2**32


@contextlib.contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Seed PyTorch, NumPy and Python inside, and leave their generators as they were.

    Parameters
    ----------
    seed : int
    device : torch.device
        Besides the CPU, whose generator is seeded.
    """
    import torch

    seed %= _LARGEST
    # The generator that a network's own code may use.
    numpy_state = np.random.get_state()  # noqa: NPY002
    python_state = random.getstate()
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        np.random.seed(seed)  # noqa: NPY002
        random.seed(seed)
        try:
            yield
        finally:
            np.random.set_state(numpy_state)  # noqa: NPY002
            random.setstate(python_state)
