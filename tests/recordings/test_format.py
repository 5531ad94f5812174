"""What lies on disk: readable with Zarr and NumPy alone, small, and read in parts."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import zarr
from hypothesis import given
from hypothesis import strategies as st
from zarr.storage import LocalStore, WrapperStore

from redundancy import schema
from redundancy.analysis import network_recordings
from redundancy.recordings import RecordingFile, open_recording, write_recording
from redundancy.recordings.layout import layout_of
from tests.recordings.cases import (
    FIRST_LAYER,
    MAPS,
    PROVENANCE,
    QUANTITIES,
    random_batches,
    random_layer,
    record_network,
    size_of,
    small_network,
)
from tests.toy import ToyDataset

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "recordings.md"


class CountingStore(WrapperStore[LocalStore]):
    """Counts what is read of chunks, not of metadata."""

    n_bytes = 0

    async def get(self, key, prototype, byte_range=None):  # type: ignore[no-untyped-def]
        found = await super().get(key, prototype, byte_range)
        if found is not None and not key.endswith("zarr.json"):
            self.n_bytes += len(found)
        return found


@pytest.fixture(scope="module")
def random_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty samples of 16 channels, 10 % firing, in chunks of one channel of one sample."""
    path = tmp_path_factory.mktemp("format") / "run.zarr"
    write_recording(path, random_batches(10, (4, 20, 16, 32, 32)), PROVENANCE)
    return path


@pytest.fixture(scope="module")
def network_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return record_network(tmp_path_factory.mktemp("format") / "run.zarr")


def test_a_file_gives_back_what_was_recorded(network_file: Path) -> None:
    (whole,) = network_recordings(
        small_network(), ToyDataset(11), quantities=QUANTITIES, batch_size=50
    )
    (read,) = RecordingFile(network_file).batches(50)
    assert set(read) == set(whole)
    for name, node in whole.items():
        if name == schema.ROOT:  # the file's root also holds the provenance
            xr.testing.assert_equal(read[name], node)
        else:
            xr.testing.assert_identical(read[name], node)
        assert {k: v.dtype for k, v in read[name].variables.items()} == {
            k: v.dtype for k, v in node.variables.items()
        }


@pytest.mark.parametrize("shape", [(4, 20, 16, 32, 32), (8, 60, 256)])
def test_spikes_at_ten_percent_take_a_twentieth_of_float32(
    tmp_path: Path, shape: tuple[int, ...]
) -> None:
    write_recording(tmp_path / "run.zarr", random_batches(5, shape), PROVENANCE)
    n_spikes = 5 * np.prod(shape)
    with_potentials = size_of(tmp_path / "run.zarr")
    potentials = size_of(tmp_path / "run.zarr" / FIRST_LAYER / schema.MEMBRANE_POTENTIAL)
    # All that is not potentials: with the metadata of the file, labels and samples.
    assert n_spikes * 4 / (with_potentials - potentials) > 20


def test_half_precision_takes_half(tmp_path: Path) -> None:
    sizes = []
    for dtype in ("float16", "float32"):
        write_recording(
            tmp_path / dtype,
            random_batches(2, (4, 10, 4, 16, 16)),
            PROVENANCE,
            potential_dtype=dtype,  # type: ignore[arg-type]
        )
        sizes.append(size_of(tmp_path / dtype / FIRST_LAYER / schema.MEMBRANE_POTENTIAL / "c"))
    assert sizes[0] < 0.6 * sizes[1]


@pytest.mark.parametrize(
    ("name", "needed"),
    [(schema.SPIKE_BITS, 20 * 32 * 32 // 8), (schema.MEMBRANE_POTENTIAL, 20 * 32 * 32 * 4)],
)
def test_zarr_reads_one_channel_or_one_sample_without_the_rest(
    random_file: Path, name: str, needed: int
) -> None:
    """`needed`: bytes of one channel of one sample, before compression."""
    store = CountingStore(LocalStore(random_file, read_only=True))
    array = zarr.open_array(store, path=f"{FIRST_LAYER}/{name}", mode="r")
    channel = 1 if name == schema.SPIKE_BITS else 2
    place: list[int | slice] = [slice(None)] * array.ndim
    stored = size_of(random_file / FIRST_LAYER / name / "c")
    n_shards = -(-40 // array.shards[0])
    index = (array.shards[0] * 16 * 16 + 4) * n_shards
    for axis, at, share in ((channel, 5, 1 / 16), (0, 7, 1 / 40)):
        store.n_bytes = 0
        array[(*place[:axis], at, *place[axis + 1 :])]
        # Random numbers compress alike: 5 % for the spread between chunks.
        assert store.n_bytes <= (stored - index) * share * 1.05 + index
        assert store.n_bytes > 0.9 * share * (stored - index)
    store.n_bytes = 0
    array[(7, *place[1:channel], 5, *place[channel + 1 :])]
    assert store.n_bytes <= needed * 1.01 + array.shards[0] * 16 * 16 + 4


@pytest.mark.parametrize("chunks", [None, {}, {schema.SAMPLE: 8}])
def test_we_read_one_channel_or_one_sample_without_the_rest(
    random_file: Path, chunks: dict[str, int] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    decode = __import__("redundancy.recordings.stored", fromlist=["decode"]).decode

    def counted(content, *others):  # type: ignore[no-untyped-def]
        read.append(len(content))
        return decode(content, *others)

    monkeypatch.setattr("redundancy.recordings.stored.decode", counted)
    layer = open_recording(random_file, chunks=chunks)[FIRST_LAYER]
    assert len(read) == 1  # the samples' own numbers
    whole = np.concatenate(
        [
            batch[FIRST_LAYER][schema.SPIKE].values
            for batch in random_batches(10, (4, 20, 16, 32, 32))
        ]
    )
    for selection, n_chunks in (
        ({schema.CHANNEL: 5}, 40),
        ({schema.SAMPLE: 7}, 16),
        ({schema.SAMPLE: 7, schema.CHANNEL: 5}, 1),
    ):
        for variable in (schema.SPIKE, schema.MEMBRANE_POTENTIAL):
            read.clear()
            values = layer[variable].isel(selection).values
            assert len(read) == n_chunks, (selection, variable)
            if variable == schema.SPIKE:
                key = tuple(selection.get(dim, slice(None)) for dim in MAPS)
                np.testing.assert_array_equal(values, whole[key])


def test_the_document_says_how_to_read_it_without_us(network_file: Path) -> None:
    """Its code runs as it stands, on plain Zarr and NumPy."""
    code = re.search(r"^```python\n(import numpy.*?)^```", DOCUMENT.read_text(), re.M | re.S)
    assert code is not None
    assert "redundancy" not in code[1]
    names = {"zarr": None, "np": None}
    exec(code[1].replace("run.zarr", str(network_file)), names)
    expected = open_recording(network_file)["conv2.neuron"]
    np.testing.assert_array_equal(names["spikes"], expected[schema.SPIKE])
    np.testing.assert_array_equal(names["potentials"], expected[schema.MEMBRANE_POTENTIAL])


def test_the_document_names_what_is_there(network_file: Path) -> None:
    text = DOCUMENT.read_text()
    root = zarr.open_group(network_file, mode="r")
    array = root["conv2.neuron"][schema.SPIKE_BITS]
    assert array.metadata.dimension_names == ("sample", "channel", "byte")
    assert array.attrs[schema.BIT_ORDER] == "big"
    assert array.attrs[schema.UNPACKED_SHAPE] == [5, 4, 4]
    names = (schema.SPIKE_BITS, schema.BIT_ORDER, schema.UNPACKED_SHAPE, "contents")
    for name in (*names, schema.POTENTIALS_ROUNDED_TO, schema.RECORDING_FORMAT, "conv2.neuron"):
        assert f"`{name}`" in text
    assert set(array.attrs) <= {*names, "long_name", "units"}
    assert root.attrs[schema.RECORDING_FORMAT] == 3


def test_plain_xarray_opens_it_too(network_file: Path) -> None:
    tree = xr.open_datatree(network_file, engine="zarr", consolidated=False)
    ours = open_recording(network_file)
    name = f"conv1.neuron/{schema.MEMBRANE_POTENTIAL}"
    np.testing.assert_array_equal(tree[name], ours[name])


def test_files_do_not_depend_on_the_batches(tmp_path: Path) -> None:
    layer = random_layer((12, 3, 5, 4, 4)).assign_coords({schema.SAMPLE: np.arange(12)})
    root = xr.Dataset(coords={schema.SAMPLE: np.arange(12)})
    contents = []
    for size in (1, 5, 12):
        parts = (
            {
                schema.ROOT: root.isel(sample=slice(k, k + size)),
                "layer": layer.isel(sample=slice(k, k + size)),
            }
            for k in range(0, 12, size)
        )
        folder = tmp_path / f"{size}.zarr"
        write_recording(folder, parts, PROVENANCE)
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        contents.append({str(path.relative_to(folder)): path.read_bytes() for path in files})
    assert contents[0] == contents[1] == contents[2]


def test_there_are_few_files_however_many_batches(tmp_path: Path) -> None:
    counts = []
    for n_batches in (2, 30):
        folder = tmp_path / f"{n_batches}.zarr"
        write_recording(folder, random_batches(n_batches, (2, 3, 4, 8, 8)), PROVENANCE)
        counts.append(sum(path.is_file() for path in folder.rglob("*")))
    assert counts[0] == counts[1] < 20


def test_a_full_file_is_followed_by_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("redundancy.recordings.layout._FILE_BYTES", 3 * 5 * 4 * 8 * 8 * 4)
    batches = list(random_batches(4, (4, 5, 4, 8, 8)))
    write_recording(tmp_path / "run.zarr", iter(batches), PROVENANCE)
    folder = tmp_path / "run.zarr" / FIRST_LAYER
    assert len(list((folder / schema.MEMBRANE_POTENTIAL / "c").iterdir())) > 3
    for name in QUANTITIES:
        whole = np.concatenate([batch[FIRST_LAYER][name].values for batch in batches])
        lazy = open_recording(tmp_path / "run.zarr")[FIRST_LAYER][name]
        np.testing.assert_array_equal(lazy, whole)
    array = zarr.open_array(folder / schema.MEMBRANE_POTENTIAL, mode="r")
    np.testing.assert_array_equal(array[:], whole)


@given(
    st.lists(st.integers(1, 300), min_size=2, max_size=2),
    st.sampled_from([(), (1, 1), (8, 8), (32, 32)]),
    st.sampled_from(["u1", "f2", "f4", "f8"]),
)
def test_chunks_are_small_and_not_too_small(
    sizes: list[int], maps: tuple[int, ...], dtype: str
) -> None:
    n_timesteps, n_channels = sizes
    shape = (n_timesteps, n_channels, *maps)
    layout = layout_of(MAPS[: len(shape) + 1], shape, np.dtype(dtype))
    one = int(np.prod(shape)) * layout.dtype.itemsize // n_channels
    assert layout.chunk[1:] == (n_timesteps, layout.chunk[2], *maps)
    if one >= 2048:
        assert layout.chunk[::2][:2] == (1, 1)
    else:
        assert int(np.prod(layout.chunk)) * layout.dtype.itemsize <= 4096
        assert layout.chunk[0] <= 64
        assert layout.chunk[2] <= min(16, n_channels)
    assert layout.samples_per_file % layout.chunk[0] == 0
