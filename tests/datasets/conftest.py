"""What the dataset tests share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from redundancy.datasets.events import EVENT_DTYPE, Events

REPOSITORY = Path(__file__).parents[2]


def make_events(*rows: tuple[int, int, int, bool]) -> Events:
    """Events from rows of (t, x, y, p)."""
    return np.array(list(rows), EVENT_DTYPE)


def random_events(n_events: int, size: int, span_us: int, seed: int = 0) -> Events:
    """Sorted events that begin at 1000 us and end exactly `span_us` later."""
    random = np.random.default_rng(seed)
    events = np.empty(n_events, EVENT_DTYPE)
    time = np.sort(random.integers(0, span_us, n_events))
    time[0], time[-1] = 0, span_us
    events["t"] = 1000 + time
    events["x"], events["y"] = random.integers(0, size, (2, n_events))
    events["p"] = random.integers(0, 2, n_events)
    return events


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> object:
    """Keep the user's cache folder out of the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REDUNDANCY_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield
