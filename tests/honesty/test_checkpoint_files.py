"""A checkpoint that was changed gives the same network or a sentence, never another network."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import redundancy
from redundancy.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from redundancy.errors import CheckpointError, LimitError, RedundancyError, StorageError, UsageError
from redundancy.networks import build_network, complete_arguments
from tests.command_line import save_frames, save_network
from tests.honesty.small_disk import files_of_at_most
from tests.published_asa import published_state, published_state_5
from tests.toy import ToyDataset, tiny_network_arguments

ARGUMENTS = complete_arguments(
    "lif-snn-3", tiny_network_arguments(attention="asa-1", v_threshold=0.8, decay=0.6)
)


def own_content(folder: Path) -> dict[str, Any]:
    """Return what a checkpoint of ours holds, of a threshold that is not the default."""
    torch.manual_seed(0)
    dataset = {"name": "toy", "arguments": {"seed": 3, "dt": 15.0}}
    record = {"network": {"name": "lif-snn-3", "arguments": dict(ARGUMENTS)}, "dataset": dataset}
    state = build_network("lif-snn-3", **ARGUMENTS).state_dict()
    path = folder / "whole.pt"
    save_checkpoint(
        path,
        Checkpoint("lif-snn-3", ARGUMENTS, state, "toy", dict(dataset["arguments"]), record),  # type: ignore[call-overload]
    )
    return torch.load(path, weights_only=True)


def version_1(content: dict[str, Any]) -> dict[str, Any]:
    """Return the same as the first version of the format had it."""
    older = {key: value for key, value in content.items() if key != "checksum"}
    return {**older, "format_version": 1}


def opened(folder: Path, content: object, **options: Any) -> Checkpoint:
    path = folder / "changed.pt"
    torch.save(content, path)
    checkpoint = load_checkpoint(path, **options)
    checkpoint.build_network()
    return checkpoint


def places(content: Any, depth: int = 3, before: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every key in nested dicts."""
    for key, value in content.items() if isinstance(content, dict) and depth else ():
        yield (*before, key)
        yield from places(value, depth - 1, (*before, key))


def altered(value: Any) -> Iterator[Any]:
    """Yield wrong values: other types, nothing, and another one of the same type."""
    yield from (None, "text", 7.5)
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, int | float):
        yield value + 1
    elif isinstance(value, str):
        yield f"{value}x"
    elif isinstance(value, Tensor):
        yield value + 1
    elif isinstance(value, tuple):
        yield tuple(reversed(value))


def mutations(content: dict[str, Any], place: tuple[Any, ...]) -> Iterator[dict[str, Any]]:
    """Yield `content` without that key, with it renamed, and with other values under it."""
    *outer, key = place

    def at(edit: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
        changed = copy.deepcopy(content)
        inner = changed
        for name in outer:
            inner = inner[name]
        edit(inner)
        return changed

    original = content
    for name in place:
        original = original[name]
    yield at(lambda inner: inner.pop(key))
    yield at(lambda inner: inner.update({f"{key}_": inner.pop(key)}))
    for value in altered(original):
        yield at(lambda inner, value=value: inner.update({key: value}))


def same_network(checkpoint: Checkpoint, whole: Checkpoint) -> bool:
    state, expected = (c.build_network().state_dict() for c in (checkpoint, whole))
    return (
        checkpoint.network == whole.network
        and checkpoint.network_arguments == whole.network_arguments
        and checkpoint.dataset == whole.dataset
        and checkpoint.dataset_arguments == whole.dataset_arguments
        and list(state) == list(expected)
        and all(torch.equal(state[key], value) for key, value in expected.items())
    )


def test_the_instance_that_was_seen(tmp_path: Path) -> None:
    content = own_content(tmp_path)
    for older in (content, version_1(content)):
        del older["format_version"]
        with pytest.raises(CheckpointError, match=r"damaged: 'format_version' is missing"):
            opened(tmp_path, older)
    del content["format"]
    with pytest.raises(CheckpointError, match="looks like a checkpoint written by this project"):
        opened(tmp_path, content)
    for form in ("spikingjelly", "asa-snn", "gac"):
        with pytest.raises(CheckpointError, match="was written by this project"):
            opened(tmp_path, content, checkpoint_format=form)


@pytest.mark.parametrize("version", [1, 2])
def test_no_change_of_our_own_file_gives_another_network(tmp_path: Path, version: int) -> None:
    content = own_content(tmp_path)
    whole = load_checkpoint(tmp_path / "whole.pt")
    content = content if version == 2 else version_1(content)
    tried = 0
    for place in places(content):
        # Nothing in older files tells one weight from another; what a record holds is enough.
        if (place[0] == "state_dict" and (version == 1 or "conv1.bn" not in str(place))) or (
            place[0] == "training_record" and (version == 1 or len(place) == 3)
        ):
            continue
        for changed in mutations(content, place):
            tried += 1
            try:
                checkpoint = opened(tmp_path, changed)
            except RedundancyError as error:
                assert len(str(error)) < 1000  # noqa: PT017
            else:
                assert same_network(checkpoint, whole), place
    assert tried > 100


def test_the_way_on_from_an_argument_that_is_lost(tmp_path: Path) -> None:
    content = version_1(own_content(tmp_path))
    content["training_record"] = {}
    del content["network"]["arguments"]["v_threshold"]
    with pytest.raises(CheckpointError, match=r"does not say v_threshold .*v_threshold=VALUE"):
        opened(tmp_path, content)
    given = opened(tmp_path, content, network_arguments={"v_threshold": 0.8})
    assert given.network_arguments["v_threshold"] == 0.8


def test_what_older_files_could_not_say_is_said(tmp_path: Path) -> None:
    content = version_1(own_content(tmp_path))
    for arguments in (
        content["network"]["arguments"],
        content["training_record"]["network"]["arguments"],
    ):
        for key in ("mask", "dropout", "surrogate_gradient"):
            arguments.pop(key, None)
    checkpoint = opened(tmp_path, content)
    assert checkpoint.network_arguments["mask"] == "per-sample"
    (note,) = checkpoint.notes
    assert note.endswith("taken is what it did then: mask=per-sample")
    newer = own_content(tmp_path)
    del newer["network"]["arguments"]["mask"]
    with pytest.raises(CheckpointError, match="does not say mask"):
        opened(tmp_path, newer)


def asa() -> dict[str, Tensor]:
    return published_state(attention="asa-1")[1]


def plif() -> dict[str, Tensor]:
    return published_state_5("plif-snn-5")[1]


def ours_alone() -> dict[str, Tensor]:
    return build_network("lif-snn-3", **tiny_network_arguments(attention="tcsa")).state_dict()


def sew() -> dict[str, Tensor]:
    return build_network("sew-resnet-18", widths=(2, 3, 4, 5), n_classes=7).state_dict()


@pytest.mark.parametrize("make", [asa, plif, ours_alone, sew])
def test_no_change_of_a_foreign_file_gives_another_network(
    tmp_path: Path, make: Callable[[], dict[str, Tensor]]
) -> None:
    state = {"net": dict(make())}
    whole = opened(tmp_path, state)
    step = 9 if make is sew else 2
    for number, key in enumerate(list(state["net"])[::step]):
        changes = list(mutations(state, ("net", key)))[:-1]  # other values are another network
        # All kinds of changes, dealt out over the keys.
        for changed in (changes[0], changes[1], changes[2 + number % (len(changes) - 2)]):
            try:
                checkpoint = opened(tmp_path, changed)
            except RedundancyError:
                continue
            assert same_network(checkpoint, whole), key


def test_what_a_foreign_file_does_not_say_is_noted_and_kept(tmp_path: Path) -> None:
    torch.save(asa(), tmp_path / "net.pth")
    checkpoint = load_checkpoint(tmp_path / "net.pth", network_arguments={"decay": 0.4})
    results = redundancy.analyze(checkpoint.build_network(), ToyDataset(4), checkpoint=checkpoint)
    kept = results.attributes["checkpoint_notes"].splitlines()
    assert kept == list(checkpoint.notes)
    assert "mask=batch-union" in kept[0]
    assert "are assumed: v_threshold=0.3, neurons that are set to 0 when they fire" in kept[1]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"net": {"a": torch.ones(1)}, "model": {"a": torch.ones(1)}}, "several networks"),
        ({"a": torch.ones(1), "module.a": torch.ones(1)}, "holds a twice"),
    ],
)
def test_what_is_ambiguous_is_refused(tmp_path: Path, content: object, message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        opened(tmp_path, content)


# Bytes


def rewritten(
    source: Path, target: Path, edit: Callable[[str, bytes], bytes], kind: int = 0
) -> Path:
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", kind) as new:
        for name in old.namelist():
            new.writestr(name, edit(name, old.read(name)))
    return target


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "older format"])
def test_one_flipped_bit_is_seen(tmp_path: Path, zipped: bool) -> None:
    path = save_network(tmp_path / "net.pt")
    content = torch.load(path, weights_only=True)
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    weight = content["state_dict"]["fc1.linear.weight"].numpy().tobytes()
    data = bytearray(path.read_bytes())
    data[data.index(weight) + 7] ^= 64
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match=r"is damaged: its bytes|not what was saved"):
        load_checkpoint(path)


def test_a_bomb_is_refused_before_it_unpacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.save({"net": {"a": torch.zeros(4_000_000)}}, tmp_path / "net.pt")
    bomb = rewritten(
        tmp_path / "net.pt", tmp_path / "bomb.pt", lambda _, data: data, zipfile.ZIP_DEFLATED
    )
    assert bomb.stat().st_size < 100_000
    monkeypatch.setenv("REDUNDANCY_MAX_FILE_MEMORY", "0.01")
    with pytest.raises(LimitError, match=r"bomb\.pt, unpacked, claims 0\.0149 GiB"):
        load_checkpoint(bomb)


def test_a_tensor_that_repeats_one_number_is_refused(tmp_path: Path) -> None:
    torch.save({"net": {"a": torch.zeros(1).expand(10**6, 10**6)}}, tmp_path / "net.pt")
    with pytest.raises(LimitError, match=r"all its tensors together, claims 3\.73e\+03 GiB"):
        load_checkpoint(tmp_path / "net.pt")


def test_a_storage_that_claims_more_than_its_record_is_refused(tmp_path: Path) -> None:
    path = save_network(tmp_path / "net.pt")
    torch.save({"net": {"a": torch.zeros(1000)}}, path)

    def larger(name: str, data: bytes) -> bytes:
        return data.replace(b"M\xe8\x03", b"M\xe8\x07") if name.endswith("data.pkl") else data

    with pytest.raises(CheckpointError, match="is damaged"):
        load_checkpoint(rewritten(path, tmp_path / "b.pt", larger))


@pytest.mark.parametrize("kind", ["zero", "pipe", "socket"])
def test_what_never_ends_is_refused_at_once(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "net.pt"
    if kind == "zero":
        path.symlink_to("/dev/zero")
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        import socket

        socket.socket(socket.AF_UNIX).bind(str(path))
    with pytest.raises(UsageError, match=r"is a (device|pipe|socket), expected a file"):
        load_checkpoint(path)


# Saving


def make_checkpoint() -> Checkpoint:
    state = build_network("lif-snn-3", **ARGUMENTS).state_dict()
    return Checkpoint("lif-snn-3", ARGUMENTS, state)


def test_saving_on_a_full_disk_is_one_sentence(tmp_path: Path) -> None:
    with files_of_at_most(2000), pytest.raises(StorageError, match=r"free some space to write .*a"):
        save_checkpoint(tmp_path / "a.pt", make_checkpoint())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("target", ["file/net.pt", "folder", "a" * 300, "/proc/net.pt"])
def test_saving_where_nothing_can_be_is_one_sentence(tmp_path: Path, target: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    with pytest.raises(UsageError, match="cannot be written"):
        save_checkpoint(tmp_path / target, make_checkpoint())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]


def test_training_on_a_full_disk_is_one_sentence(tmp_path: Path) -> None:
    data = save_frames(tmp_path / "toy.npz", ToyDataset(6))
    code = (
        "import resource, analysis_cli; "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY)); "
        "analysis_cli.main()"
    )
    ended = subprocess.run(
        [
            *(sys.executable, "-c", code, "train", *data, "-o", tmp_path / "new" / "a.pt"),
            *("--epochs", "1", "--device", "cpu", "--quiet", "--network-arg", "hidden=12"),
            *("--network-arg", "widths=4,6,6"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1, ended.stderr
    assert "takes no more data (File too large)" in " ".join(ended.stderr.split())
    assert "Traceback" not in ended.stderr
    assert not any("partial" in path.name for path in (tmp_path / "new").iterdir())


def test_an_archive_whose_inner_headers_are_damaged(tmp_path: Path) -> None:
    own_content(tmp_path)
    path = tmp_path / "whole.pt"
    content = path.read_bytes()
    name = content.index(b"data.pkl")
    flags = content.index(b"PK\x03\x04") + 6
    no_text = bytearray(content)
    no_text[flags + 1] |= 8  # its name is UTF-8
    no_text[name] = 0xE5
    for changed in (bytes(no_text), content + content, b"x" + content):
        path.write_bytes(changed)
        with pytest.raises(CheckpointError, match=r"whole.pt is damaged"):
            load_checkpoint(path)
