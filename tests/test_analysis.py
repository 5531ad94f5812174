"""The streamed pass: what it computes, stores, refuses and warns of."""

import dataclasses
import gc
import warnings
import weakref

import numpy as np
import pytest
import torch
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from spikingjelly.activation_based import monitor, neuron

from redundancy import schema
from redundancy.analysis import analyze, analyze_recordings, network_recordings
from redundancy.errors import RecordingError, ResultsError, UsageError
from redundancy.nodes import spiking_layers
from redundancy.observation import AnalysisOptions
from redundancy.recordings import write_recording
from redundancy.results import Results
from redundancy.results_file import load_results
from tests import reference
from tests.toy import ToyDataset, small_network


@pytest.fixture(scope="module")
def dataset():
    return ToyDataset(11)


@pytest.fixture(scope="module")
def network():
    return small_network(5, seed=3)


@pytest.fixture(scope="module")
def results(network, dataset):
    return analyze(network, dataset, batch_size=4)


@pytest.fixture(scope="module")
def binned(network, dataset):
    return analyze(network, dataset, batch_size=4, options=BINS)


def test_rates_are_those_of_the_plain_reference(network, dataset, results):
    (recording,) = network_recordings(network, dataset, batch_size=100)
    spikes = [node[schema.SPIKE].values for node in spiking_layers(recording).values()]
    for layer, rates in zip(spikes, results.firing_rates.values(), strict=True):
        n_sfr, c_sfr, _, nasfr = reference.firing_rates(layer)
        np.testing.assert_array_equal(rates["n_sfr"], n_sfr)
        np.testing.assert_allclose(rates["c_sfr"], c_sfr, rtol=1e-12)
        assert float(rates["nasfr"]) == pytest.approx(nasfr, rel=1e-12)
    summary = results.summary()
    assert summary["t_sfr"] == pytest.approx(reference.network_t_sfr(spikes).tolist(), rel=1e-12)
    assert summary["nasfr_conv"] == pytest.approx(reference.network_t_sfr(spikes[:3]).mean())


def test_counts_agree_with_spikingjellys_own_monitor(network, dataset, results):
    network.eval()
    spikes = monitor.OutputMonitor(network, neuron.LIFNode)
    with torch.no_grad():
        network(torch.from_numpy(dataset.batch(0, 11).frames).transpose(0, 1))
    for name in spikes.monitored_layers:
        counted = results.layers[name][schema.SPIKE_COUNT].values
        np.testing.assert_array_equal(counted, spikes[name][0].sum(1).numpy().astype(np.int64))
    spikes.remove_hooks()
    for module in network.modules():
        if isinstance(module, neuron.LIFNode):
            module.reset()


# The range that a batch of four chooses; with it, bins do not depend on the first batch.
BINS = AnalysisOptions(bin_width=1 / 32, bounds=(-4.0, 4.0))


def assert_same_statistics(state, other):
    """Counts are the same to the bit; sums of floats up to the order of adding them."""

    # The digits of sums follow how each batch's own sum was rounded.
    def names(state):
        return {name for name in state.variables if not name.startswith("exact_")}

    assert names(state) == names(other)
    assert state.attrs == other.attrs
    for name in names(state):
        variable = state.variables[name]
        if name.startswith(("hsic", schema.N_HSIC_SAMPLES)):
            continue  # an estimate over minibatches
        if name in (schema.N_BATCHES, schema.VERIFIED_BATCHES):
            continue
        if variable.dtype.kind == "f":
            xr.testing.assert_allclose(variable, other[name].variable, rtol=1e-12)
        else:
            xr.testing.assert_identical(variable, other[name].variable)


@settings(max_examples=8, deadline=None)
@given(batch_size=st.integers(1, 12))
def test_batch_size_changes_nothing(network, dataset, binned, batch_size):
    other = analyze(network, dataset, batch_size=batch_size, options=BINS)
    for name, state in binned.layers.items():
        assert_same_statistics(state, other.layers[name])
    assert_same_statistics(binned.synapses, other.synapses)
    assert other.accuracy == binned.accuracy


def test_accuracy_is_the_networks_own(network, dataset, results):
    with torch.no_grad():
        scores = network.eval()(torch.from_numpy(dataset.batch(0, 11).frames).transpose(0, 1))
    right = (scores.argmax(1).numpy() == dataset.batch(0, 11).labels).mean()
    assert results.accuracy == pytest.approx(right)
    for module in network.modules():
        if isinstance(module, neuron.LIFNode):
            module.reset()


def test_fewer_samples_and_progress(network, dataset):
    seen = []
    results = analyze(
        network, dataset, batch_size=4, n_samples=6,
        progress=lambda done, total: seen.append((done, total)),
    )  # fmt: skip
    assert seen == [(4, 6), (6, 6)]
    assert results.summary()["n_samples"] == 6


def test_provenance_is_complete(results):
    attributes = results.attributes
    assert attributes["dataset"] == "toy"
    assert attributes["n_samples"] == 11
    assert attributes["n_timesteps"] == 5
    assert attributes["batch_size"] == 4
    assert attributes["versions"]["torch"]
    expected = {**dataclasses.asdict(AnalysisOptions()), "ignore_layers": []}
    assert attributes["statistics"] == expected
    assert attributes["schema_version"] == schema.SCHEMA_VERSION


def test_a_silent_network_says_so(dataset):
    network = small_network(5, seed=3)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
    with pytest.warns(UserWarning, match="never spikes in 11 samples"):
        results = analyze(network, dataset)
    assert results.summary()["nasfr"] == 0.0


def test_layers_must_be_the_same_in_every_batch(network, dataset):
    quantities = ("spike", "membrane_potential")
    first, second, _ = network_recordings(network, dataset, quantities=quantities, batch_size=4)
    partial = {name: node for name, node in second.items() if name != "fc1.neuron"}
    with pytest.raises(RecordingError, match="same layers"):
        analyze_recordings([first, partial], {})


def test_the_network_is_as_it_was_while_an_error_is_handled(dataset):
    network = small_network(5, seed=3).train()

    def fail(done, total):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError) as caught:
        analyze(network, dataset, batch_size=4, progress=fail)
    assert caught.tb is not None  # which keeps every frame alive
    assert network.training


def test_a_batch_is_gone_when_the_next_one_comes(network, dataset, tmp_path):
    """Without the cyclic garbage collector: memory must not depend on when it comes by."""
    seen = []

    def watched(recordings):
        for recording in recordings:
            assert all(reference() is None for reference in seen)
            seen.extend(
                weakref.ref(layer[quantity].values)
                for layer in spiking_layers(recording).values()
                for quantity in layer
            )
            yield recording
            del recording

    quantities = ("spike", "membrane_potential")
    gc.disable()
    try:
        for consume in (
            lambda recordings: analyze_recordings(recordings, {}),
            lambda recordings: write_recording(tmp_path / "run.zarr", recordings, {}),
        ):
            seen.clear()
            recordings = network_recordings(network, dataset, batch_size=3, quantities=quantities)
            consume(watched(recordings))
            assert len(seen) == 4 * 5 * 2
    finally:
        gc.enable()


def test_no_sample_is_a_usage_error():
    with pytest.raises(UsageError, match="no sample"):
        analyze_recordings([], {})


class TestResultsFile:
    def test_round_trip(self, results, tmp_path):
        results.save(tmp_path / "results.nc")
        again = load_results(tmp_path / "results.nc")
        assert again.summary() == results.summary()
        assert list(again.layers) == list(results.layers)
        for name, state in results.layers.items():
            xr.testing.assert_identical(again.layers[name], state)
        assert [p.name for p in tmp_path.iterdir()] == ["results.nc"]

    def test_missing(self, tmp_path):
        with pytest.raises(UsageError, match="no results file"):
            load_results(tmp_path / "results.nc")

    @settings(max_examples=15, deadline=None)
    @given(st.floats(0, 0.98))
    def test_truncated(self, results, tmp_path_factory, share):
        path = tmp_path_factory.mktemp("results") / "results.nc"
        results.save(path)
        content = path.read_bytes()
        path.write_bytes(content[: int(share * len(content))])
        with pytest.raises(ResultsError, match=r"cannot be read|not a complete"):
            load_results(path)

    @pytest.mark.parametrize(("version", "age"), [(0, "an older"), (99, "a newer")])
    def test_other_versions(self, results, tmp_path, version, age):
        tree = results.tree.copy()
        tree.attrs[schema.VERSION] = version
        Results(tree).save(tmp_path / "results.nc")
        with pytest.raises(ResultsError, match=f"{age} version"):
            load_results(tmp_path / "results.nc")

    def test_foreign(self, tmp_path):
        xr.Dataset({"a": ("b", [1])}).to_netcdf(tmp_path / "other.nc", engine="h5netcdf")
        with pytest.raises(ResultsError, match="not a results file of this project"):
            load_results(tmp_path / "other.nc")

    @pytest.mark.parametrize("missing", ["dataset", "n_samples", "input_frames", "spike_count"])
    def test_incomplete(self, results, tmp_path, missing):
        tree = results.tree.copy()
        if missing == "input_frames":
            del tree[missing]
        elif missing == "spike_count":
            layer = next(iter(results.layers))
            tree[layer] = xr.DataTree(tree[layer].to_dataset().drop_vars(missing))
        else:
            del tree.attrs[missing]
        Results(tree).save(tmp_path / "results.nc")
        with pytest.raises(ResultsError, match="not a complete results file"):
            load_results(tmp_path / "results.nc")


def test_results_do_not_warn(network, dataset, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        analyze(network, dataset, batch_size=4).save(tmp_path / "results.nc")
