from __future__ import annotations

import pytest
import torch

from redundancy.devices import resolve_device
from redundancy.errors import UsageError


def set_cuda_devices(monkeypatch: pytest.MonkeyPatch, n_devices: int) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: n_devices > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: n_devices)


def test_cpu_is_always_there() -> None:
    assert resolve_device("cpu") == torch.device("cpu")


@pytest.mark.parametrize(("n_devices", "kind"), [(0, "cpu"), (1, "cuda")])
def test_auto_takes_cuda_where_there_is_one(
    monkeypatch: pytest.MonkeyPatch, n_devices: int, kind: str
) -> None:
    set_cuda_devices(monkeypatch, n_devices)
    assert resolve_device("auto").type == kind
    assert resolve_device().type == kind


@pytest.mark.parametrize("name", ["cuda", "cuda:0"])
def test_cuda_is_refused_where_there_is_none(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    set_cuda_devices(monkeypatch, 0)
    with pytest.raises(UsageError, match="no CUDA device here; use cpu"):
        resolve_device(name)


def test_a_numbered_cuda_device_must_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    set_cuda_devices(monkeypatch, 2)
    assert resolve_device("cuda:1") == torch.device("cuda:1")
    with pytest.raises(UsageError, match="cuda:2"):
        resolve_device("cuda:2")


@pytest.mark.parametrize("name", ["", "gpu", "GPU 0", "meta", "cpu:x", "mps"])
def test_anything_else_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="device must be auto, cpu or cuda"):
        resolve_device(name)
