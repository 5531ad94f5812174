from __future__ import annotations

import errno
import hashlib
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import redundancy
from redundancy.errors import StorageError
from redundancy.files import atomic_path, full_disk_as_sentence, sha256_of, write_text


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_appears_whole(tmp_path: Path) -> None:
    target = tmp_path / "new" / "folder" / "result.json"
    with atomic_path(target) as temporary:
        temporary.write_text("half")
        assert not target.exists()
        temporary.write_text("whole")
    assert target.read_text() == "whole"
    assert names(target.parent) == ["result.json"]


def test_the_temporary_path_is_a_neighbour_of_the_same_kind(tmp_path: Path) -> None:
    with atomic_path(tmp_path / "figure.png") as temporary:
        assert temporary.parent == tmp_path
        assert temporary.suffix == ".png"
        temporary.touch()


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_failure_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, error: type[BaseException]
) -> None:
    target = tmp_path / "result.json"
    target.write_text("old")

    def fail_midway() -> None:
        with atomic_path(target) as temporary:
            temporary.write_text("half of the n")
            raise error

    with pytest.raises(error):
        fail_midway()
    assert target.read_text() == "old"
    assert names(tmp_path) == ["result.json"]


def test_a_folder_is_replaced_as_a_whole(tmp_path: Path) -> None:
    target = tmp_path / "run.zarr"
    for content in ("old", "new"):
        with atomic_path(target) as temporary:
            temporary.mkdir()
            (temporary / content).write_text(content)
    assert names(target) == ["new"]
    assert names(tmp_path) == ["run.zarr"]


def test_a_failure_leaves_the_old_folder_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "run.zarr"
    target.mkdir()
    (target / "old").touch()

    def fail_midway() -> None:
        with atomic_path(target) as temporary:
            temporary.mkdir()
            (temporary / "half").touch()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_midway()
    assert names(target) == ["old"]
    assert names(tmp_path) == ["run.zarr"]


def test_the_old_folder_comes_back_if_the_new_one_cannot_take_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "run.zarr"
    target.mkdir()
    (target / "old").touch()
    rename = Path.rename

    def rename_but_never_the_new_one(self: Path, to: Path) -> Path:
        if (self / "new").exists():
            raise OSError("no")
        return rename(self, to)

    def replace_folder() -> None:
        with atomic_path(target) as temporary:
            temporary.mkdir()
            (temporary / "new").touch()
            monkeypatch.setattr(Path, "rename", rename_but_never_the_new_one)

    with pytest.raises(OSError, match="no"):
        replace_folder()
    assert names(tmp_path) == ["run.zarr"]
    assert names(target) == ["old"]


@given(text=st.text(st.characters(exclude_characters="\r", exclude_categories=["Cs"])))
def test_text_is_written_as_utf_8(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    target = tmp_path_factory.getbasetemp() / "text.txt"
    write_text(target, text)
    assert target.read_bytes().decode("utf-8") == text


def test_sha256_is_that_of_the_bytes(tmp_path: Path) -> None:
    path = tmp_path / "bytes"
    path.write_bytes(b"abc")
    # The example of FIPS 180-2, appendix B.1.
    assert sha256_of(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    large = bytes(range(256)) * 5000
    path.write_bytes(large)
    assert sha256_of(path) == hashlib.sha256(large).hexdigest()


def test_all_is_on_the_disk_before_it_takes_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A power cut after the renaming must not leave a name without content."""
    done: list[str] = []

    def seen(function: Callable[..., object], what: str) -> Callable[..., object]:
        def call(*arguments: object, **others: object) -> object:
            place = arguments[0]
            if isinstance(place, int):
                place = os.readlink(f"/proc/self/fd/{place}")
            done.append(f"{what} {re.sub('[.]partial-[0-9a-f]+', '', Path(str(place)).name)}")
            return function(*arguments, **others)

        return call

    monkeypatch.setattr(os, "fsync", seen(os.fsync, "sync"))
    monkeypatch.setattr(os, "replace", seen(os.replace, "rename"))
    folder = tmp_path / "there"
    write_text(folder / "text.txt", "x")
    assert done == ["sync text.txt", "rename text.txt", "sync there"]
    done.clear()
    with atomic_path(folder / "run.zarr") as temporary:
        (temporary / "group").mkdir(parents=True)
        (temporary / "group" / "chunk").touch()
    assert done == ["sync chunk", "sync group", "sync run.zarr", "rename run.zarr", "sync there"]


def test_a_disk_that_turns_out_full_when_it_is_waited_for_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "no space")

    (tmp_path / "text.txt").write_text("old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError), full_disk_as_sentence(tmp_path, "make room"):
        write_text(tmp_path / "text.txt", "new")
    assert (tmp_path / "text.txt").read_text() == "old"
    assert names(tmp_path) == ["text.txt"]


def test_every_renaming_goes_through_one_place() -> None:
    renaming = re.compile(r"os[.](replace|rename)\(|[.]rename\((?!\w+=|\{)|shutil[.]move")
    package = Path(redundancy.__file__).parent
    found = {
        path.name
        for path in package.rglob("*.py")
        if renaming.search(path.read_text(encoding="utf-8"))
    }
    # The mark of an unfinished folder holds nothing.
    assert found <= {"files.py", "unfinished.py"}
