"""Files that are no checkpoint, or only a part of one, are refused, and no code in them runs."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from redundancy.checkpoint import load_checkpoint
from redundancy.errors import CheckpointError, UsageError
from tests.command_line import save_network


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"there is no checkpoint at .*net\.pt"):
        load_checkpoint(tmp_path / "net.pt")
    with pytest.raises(UsageError, match="is a folder; a checkpoint file was expected"):
        load_checkpoint(tmp_path)


@settings(deadline=None, max_examples=60)
@given(content=st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
@example(content=b"")
@example(content=b"hello, I am no checkpoint\n")
@example(content=b"PK\x03\x04 a zip archive that is none")
# Each of these makes torch.load raise another kind of error, in this order: IndexError,
# struct.error, KeyError, UnicodeDecodeError, RuntimeError.
@example(content=b".")
@example(content=b"j")
@example(content=b"h\xd3")
@example(content=b"U\xdc\xd8")
@example(content=b"].5")
def test_bytes_that_are_no_checkpoint_are_refused(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "bytes.pt"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"bytes\.pt (is|holds)|no format that is known"):
        load_checkpoint(path).build_network()


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "older format"])
@settings(deadline=None, max_examples=60)
@given(share=st.floats(0.0, 1.0, exclude_max=True))
def test_a_truncated_checkpoint_is_refused(
    tmp_path_factory: pytest.TempPathFactory, zipped: bool, share: float
) -> None:
    folder = tmp_path_factory.getbasetemp()
    whole = folder / f"whole-{zipped}.pt"
    if not whole.exists():
        save_network(whole)
        content = torch.load(whole, weights_only=True)
        torch.save(content, whole, _use_new_zipfile_serialization=zipped)
        load_checkpoint(whole).build_network()
    data = whole.read_bytes()
    cut = folder / "cut.pt"
    cut.write_bytes(data[: int(share * len(data))])
    with pytest.raises(CheckpointError, match=r"cut\.pt is"):
        load_checkpoint(cut).build_network()


class _TouchesAFile:
    """An object that, unpickled carelessly, creates a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[[str, int], int], tuple[str, int]]:
        return os.open, (str(self.path), os.O_CREAT)


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "older format"])
def test_code_in_a_checkpoint_never_runs(tmp_path: Path, zipped: bool) -> None:
    path, trace = tmp_path / "net.pt", tmp_path / "trace"
    content = {"format_version": 1, "state_dict": _TouchesAFile(trace)}
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(CheckpointError, match="would run code when opened"):
        load_checkpoint(path)
    assert not trace.exists()
    # The trap itself works.
    torch.load(path, weights_only=False)
    assert trace.exists()


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_code_in_a_plain_pickle_never_runs(tmp_path: Path) -> None:
    path, trace = tmp_path / "net.pkl", tmp_path / "trace"
    path.write_bytes(pickle.dumps({"state_dict": _TouchesAFile(trace)}))
    with pytest.raises(CheckpointError):
        load_checkpoint(path)
    assert not trace.exists()


def test_a_whole_network_is_refused_with_advice(tmp_path: Path) -> None:
    torch.save(torch.nn.Linear(2, 2), tmp_path / "net.pt")
    with pytest.raises(CheckpointError, match=r"save the network's state_dict\(\) and try again"):
        load_checkpoint(tmp_path / "net.pt")
