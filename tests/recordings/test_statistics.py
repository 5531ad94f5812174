"""Statistics of a recording on disk are those of the pass through the network."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from redundancy import schema
from redundancy.analysis import analyze, analyze_recordings, network_recordings
from redundancy.errors import RecordingError, UsageError
from redundancy.nodes import nodes_of
from redundancy.observation import AnalysisOptions
from redundancy.recordings import RecordingFile, open_recording, write_recording
from redundancy.results import Results
from tests.recordings.cases import (
    PROVENANCE,
    QUANTITIES,
    random_batches,
    record_network,
    small_network,
)
from tests.toy import ToyDataset

OPTIONS = AnalysisOptions(n_replicates=20)


def analyzed(path: Path, batch_size: int) -> Results:
    file = RecordingFile(path)
    return analyze_recordings(file.batches(batch_size), file.attributes, options=OPTIONS)


def assert_same_bits(results: Results, other: Results) -> None:
    found, expected = nodes_of(results.tree), nodes_of(other.tree)
    assert set(found) == set(expected)
    for name, node in expected.items():
        # Only of a network it is known how it was read.
        read = {schema.N_BATCHES, schema.VERIFIED_BATCHES}
        assert set(found[name].variables) - read == set(node.variables) - read
        for variable, array in node.variables.items():
            if variable in read:
                continue
            mine = found[name].variables[variable]
            assert (mine.dtype, mine.dims, mine.attrs) == (array.dtype, array.dims, array.attrs)
            if array.dtype.kind == "O":
                assert mine.values.tolist() == array.values.tolist()
            else:
                assert mine.values.tobytes() == array.values.tobytes(), (name, variable)


@pytest.mark.parametrize("recorded_with", [4, 6, 16])
@pytest.mark.parametrize("batch_size", [4, 16])
def test_the_bits_are_those_of_the_streamed_pass(
    tmp_path: Path, recorded_with: int, batch_size: int
) -> None:
    path = record_network(tmp_path / "run.zarr", n_samples=18, batch_size=recorded_with)
    direct = analyze(small_network(), ToyDataset(18), batch_size=batch_size, options=OPTIONS)
    assert_same_bits(analyzed(path, batch_size), direct)


@pytest.mark.parametrize("chunk", [3, 4, 16])
def test_lazy_arrays_of_dask_give_the_same_bits(tmp_path: Path, chunk: int) -> None:
    path = record_network(tmp_path / "run.zarr")
    nodes = nodes_of(open_recording(path, chunks={schema.SAMPLE: chunk}))
    attributes = RecordingFile(path).attributes
    samples = nodes[schema.ROOT][schema.SAMPLE]
    batches = (
        {
            name: node.assign_coords({schema.SAMPLE: samples}).isel(sample=slice(start, start + 4))
            for name, node in nodes.items()
        }
        for start in range(0, 11, 4)
    )
    assert_same_bits(analyze_recordings(batches, attributes, options=OPTIONS), analyzed(path, 4))


def test_integers_are_the_same_with_any_batch_size(tmp_path: Path) -> None:
    path = record_network(tmp_path / "run.zarr")
    options = AnalysisOptions(n_replicates=20, bin_width=1 / 32, bounds=(-4.0, 4.0))
    file = RecordingFile(path)
    states = [
        nodes_of(analyze_recordings(file.batches(size), {}, options=options).tree)
        for size in (1, 3, 7, 50)
    ]
    n_compared = 0
    for name, node in states[0].items():
        for variable, array in node.variables.items():
            # Estimates over minibatches are defined by the batches, and so are sums of floats,
            # which are the only uint32 (as the digits of one long number).
            if (
                array.dtype.kind in "iu"
                and array.dtype != np.uint32
                and variable != schema.N_HSIC_SAMPLES
            ):
                n_compared += 1
                for other in states[1:]:
                    xr.testing.assert_identical(other[name].variables[variable], array)
    assert n_compared > 50


def test_a_recording_without_spikes_says_so(tmp_path: Path) -> None:
    recordings = network_recordings(
        small_network(), ToyDataset(4), quantities=(schema.MEMBRANE_POTENTIAL,)
    )
    write_recording(tmp_path / "run.zarr", recordings, PROVENANCE)
    with pytest.raises(UsageError, match=r"no spike of layer 'conv1.neuron', only membrane_"):
        analyzed(tmp_path / "run.zarr", 4)


def test_rounded_potentials_keep_spikes_exact_and_say_so(tmp_path: Path) -> None:
    exact = record_network(tmp_path / "exact.zarr")
    half = record_network(tmp_path / "half.zarr", potential_dtype="float16")
    with pytest.warns(UserWarning, match=r"half.zarr holds potentials rounded to float16: spikes"):
        results = analyzed(half, 4)
    direct = analyzed(exact, 4)
    assert results.attributes[schema.POTENTIALS_ROUNDED_TO] == "float16"
    assert schema.POTENTIALS_ROUNDED_TO not in direct.attributes
    assert "rounded to float16" in RecordingFile(half).describe()
    assert "rounded" not in RecordingFile(exact).describe()
    for name, layer in direct.layers.items():
        other = results.layers[name]
        xr.testing.assert_identical(other[schema.SPIKE_COUNT], layer[schema.SPIKE_COUNT])
        scale = float(np.abs(layer[schema.DEVIATION_SUM]).max())
        np.testing.assert_allclose(
            other[schema.DEVIATION_SUM], layer[schema.DEVIATION_SUM], atol=2e-3 * scale
        )
        assert not np.array_equal(other[schema.DEVIATION_SUM], layer[schema.DEVIATION_SUM])


def test_single_precision_of_a_single_precision_network_rounds_nothing(tmp_path: Path) -> None:
    path = record_network(tmp_path / "run.zarr", potential_dtype="float32")
    assert RecordingFile(path).rounded_to is None


def test_layers_must_be_the_same_in_every_batch(tmp_path: Path) -> None:
    first, second, _ = network_recordings(
        small_network(), ToyDataset(11), quantities=QUANTITIES, batch_size=4
    )
    partial = {name: node for name, node in second.items() if name != "fc1.neuron"}
    for parts, told in (((first, partial), "'fc1.neuron'"), ((partial, first), "'fc1.neuron'")):
        with pytest.raises(RecordingError, match=f"same layers: .* of {told} was recorded in some"):
            write_recording(tmp_path / "run.zarr", parts, PROVENANCE)
    other = {**second, "fc1.neuron": second["conv1.neuron"]}
    with pytest.raises(RecordingError, match=r"of 'fc1.neuron' has another shape or type"):
        write_recording(tmp_path / "run.zarr", (first, other), PROVENANCE)
    assert list(tmp_path.iterdir()) == []


def peak(path: Path, n_batches: int) -> tuple[int, int]:
    """Return the most memory that writing and reading took, in bytes."""
    found = []
    tracemalloc.start()
    try:
        write_recording(path, random_batches(n_batches, (4, 10, 8, 16, 16)), PROVENANCE)
        found.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.reset_peak()
        for _ in RecordingFile(path).batches(4):
            pass
        found.append(tracemalloc.get_traced_memory()[1])
    finally:
        tracemalloc.stop()
    return found[0], found[1]


def test_memory_does_not_grow_with_the_recording(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("redundancy.recordings.layout._MOST_SAMPLES_A_FILE", 16)
    peak(tmp_path / "first.zarr", 1)  # imports and caches
    short, long = peak(tmp_path / "short.zarr", 16), peak(tmp_path / "long.zarr", 96)
    # Six times as long: batches that are kept would take six times as much. Of the megabyte
    # of one batch, tables of files and threads at work make some tenths.
    assert long[0] < 1.5 * short[0]
    assert long[1] < 1.5 * short[1]
