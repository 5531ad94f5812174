"""Recordings: what is damaged, missing, added or linked is refused in one sentence."""

from __future__ import annotations

import json
import random
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import zarr

from redundancy import schema
from redundancy.errors import LimitError, RedundancyError, ResultsError
from redundancy.limits import VARIABLE
from redundancy.recordings import RecordingFile
from redundancy.recordings.seal import seal
from tests.recordings.cases import FIRST_LAYER, record_network

SPIKES = f"{FIRST_LAYER}/{schema.SPIKE_BITS}"
ROLE = f"{schema.SYNAPSE_NODE}/{schema.ROLE}"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return record_network(tmp_path_factory.mktemp("honest") / "run.zarr", n_samples=5)


@pytest.fixture
def path(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "run.zarr"))


def numbers(path: Path) -> list[dict[str, xr.Dataset]]:
    return list(RecordingFile(path).batches(3))


def refusal(path: Path) -> str:
    """Return the one sentence in which a recording is refused."""
    with pytest.raises(ResultsError) as error:
        numbers(path)
    assert "\n" not in str(error.value)
    return str(error.value)


def files(path: Path) -> list[str]:
    return sorted(p.relative_to(path).as_posix() for p in path.rglob("*") if p.is_file())


def test_no_file_may_be_missing(path: Path) -> None:
    for name in files(path):
        content = (path / name).read_bytes()
        (path / name).unlink()
        told = refusal(path)
        # Without its own metadata a folder is none, and Zarr says so itself.
        parent = name.removesuffix("/zarr.json").rpartition("/")[2]
        assert parent in told or "cannot be read as a recording" in told, (name, told)
        (path / name).write_bytes(content)
    numbers(path)


def test_no_file_may_be_changed_or_cut(path: Path) -> None:
    generator = random.Random(0)
    for number, name in enumerate(files(path)):
        content = (path / name).read_bytes()
        place = generator.randrange(len(content) if name != "zarr.json" else 100)
        flipped = bytearray(content)
        flipped[place] ^= 1 << generator.randrange(8)
        shorter = (content[:-1], content[: len(content) // 2], b"")
        for changed in (bytes(flipped), shorter[number % len(shorter)]):
            (path / name).write_bytes(changed)
            refusal(path)
        (path / name).write_bytes(content)


def move(path: Path, one: str, other: str) -> None:
    shutil.copytree(path / one, path / other, dirs_exist_ok=True)


def add_chunk_of_zeros(path: Path) -> None:
    """Write the chunk of an array of zeros that Zarr left out."""
    place = path / schema.SYNAPSE_NODE / schema.RESCALE_ELEMENTS
    assert not (place / "c").exists()
    shutil.copytree(path / schema.SYNAPSE_NODE / schema.NEURON_UPDATES / "c", place / "c")


def add_array(path: Path) -> None:
    shutil.copytree(path / "fc1.neuron", path / "fc9.neuron")


def relink(path: Path, name: str) -> None:
    """Replace a file or folder by a link to the same outside."""
    outside = path.parent / "elsewhere"
    shutil.move(path / name, outside)
    (path / name).symlink_to(outside)


CHANGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "a coordinate's chunk, which made attention of convolutions": (
        lambda path: shutil.rmtree(path / ROLE / "c"),
        f"lacks {ROLE}/c/0; it is damaged, record it again",
    ),
    "an array": (lambda path: shutil.rmtree(path / ROLE), f"lacks {ROLE}"),
    "an array over samples": (lambda path: shutil.rmtree(path / SPIKES), f"lacks {SPIKES}"),
    "a group": (lambda path: shutil.rmtree(path / "fc1.neuron"), "lacks fc1.neuron"),
    "files of one array in another": (
        lambda path: move(
            path, f"{FIRST_LAYER}/{schema.SPIKE_BITS}/c", f"conv3.neuron/{schema.SPIKE_BITS}/c"
        ),
        f"conv3.neuron/{schema.SPIKE_BITS}/c/0/0/0 of",
    ),
    "an array in the place of another": (
        lambda path: move(path, ROLE, f"{schema.SYNAPSE_NODE}/{schema.FED_BY}"),
        "the metadata of",
    ),
    "a chunk too many": (add_chunk_of_zeros, "was recorded without"),
    "a layer too many": (add_array, "was recorded without fc9.neuron/"),
    "a linked chunk": (lambda path: relink(path, f"{ROLE}/c/0"), f"{ROLE}/c/0 of"),
    "a linked group": (lambda path: relink(path, "fc1.neuron"), "fc1.neuron of"),
    "linked metadata": (lambda path: relink(path, f"{ROLE}/zarr.json"), "is a link"),
    "an attribute": (
        lambda path: zarr.open_group(path / FIRST_LAYER, mode="r+").attrs.update(v_threshold=9.0),
        "the metadata of",
    ),
    "the number of samples": (
        lambda path: zarr.open_group(path, mode="r+").attrs.update(n_samples=4),
        "the metadata of",
    ),
}


@pytest.mark.parametrize("what", CHANGES)
def test_what_is_not_as_recorded_is_named(path: Path, what: str) -> None:
    change, told = CHANGES[what]
    change(path)
    assert told in refusal(path)


def test_xarray_and_zarr_need_and_do_no_harm(path: Path) -> None:
    before = numbers(path)
    with warnings.catch_warnings():
        # xarray warned that metadata was not consolidated, and what it advised was "damage".
        warnings.simplefilter("error")
        assert schema.LABEL in xr.open_zarr(path)
        tree = xr.open_datatree(path, engine="zarr")
    assert list(tree[schema.SYNAPSE_NODE][schema.ROLE].values) == ["main"] * 5
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        zarr.consolidate_metadata(path)
    for one, other in zip(before, numbers(path), strict=True):
        for name in one:
            xr.testing.assert_identical(one[name], other[name])


def test_older_recordings_open_with_a_note(path: Path) -> None:
    root = json.loads((path / "zarr.json").read_text())
    # As the versions before wrote it.
    del root["attributes"][schema.FILE_CHECKSUMS], root["consolidated_metadata"]
    del root["attributes"][schema.METADATA_CHECKSUM]
    import google_crc32c

    found = google_crc32c.Checksum(json.dumps(root, sort_keys=True).encode())
    for name in sorted(path.rglob("zarr.json")):
        if name.parent != path:
            found.update(name.relative_to(path).as_posix().encode() + name.read_bytes())
    root["attributes"][schema.METADATA_CHECKSUM] = found.hexdigest().decode()
    (path / "zarr.json").write_text(json.dumps(root))
    with pytest.warns(UserWarning, match="kept no checksums of its small arrays"):
        numbers(path)


def test_a_file_of_metadata_as_large_as_the_machine(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "0.5")
    with open(path / ROLE / "zarr.json", "a") as file:
        file.truncate(1 << 40)
    with pytest.raises(LimitError, match=r"role/zarr.json claims 1.02e\+03 GiB"):
        numbers(path)


@pytest.mark.parametrize("name", [schema.SAMPLE, ROLE, SPIKES])
def test_what_metadata_claim_is_known_before_memory_is_taken(
    path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "0.5")
    array = json.loads((path / name / "zarr.json").read_text())
    array["shape"][0] = 10**12
    sizes = array["codecs"][0].get("configuration", {}).get("chunk_shape") if name == SPIKES else 0
    if sizes:
        sizes[0] = array["chunk_grid"]["configuration"]["chunk_shape"][0] = 10**12
    (path / name / "zarr.json").write_text(json.dumps(array))
    seal(path)
    with pytest.raises(LimitError, match=r"GiB of memory, more than the 0.5 GiB .* REDUNDANCY_MAX"):
        numbers(path)


def test_random_damage_gives_the_same_numbers_or_a_sentence(path: Path) -> None:
    generator, before, content = random.Random(1), numbers(path), {}
    for name in files(path):
        content[name] = (path / name).read_bytes()
    told = []
    for _ in range(60):
        name = generator.choice(list(content))
        changed = bytearray(content[name])
        for _ in range(generator.choice([1, 1, 2, 8])):
            changed[generator.randrange(len(changed))] ^= generator.randrange(1, 256)
        (path / name).write_bytes(changed)
        try:
            after = numbers(path)
        except RedundancyError as error:
            told.append(str(error))
        else:
            assert np.all(
                [a[n].identical(b[n]) for a, b in zip(before, after, strict=True) for n in a]
            )
        (path / name).write_bytes(content[name])
    assert len(told) > 50
    assert not any("\n" in sentence for sentence in told)
