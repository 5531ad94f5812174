"""All statistics together: batches of any size, a plain reference, bad recordings."""

import dataclasses
import math

import numpy as np
import pytest
import xarray as xr

from redundancy import schema
from redundancy.analysis import analyze, analyze_recordings, network_recordings
from redundancy.errors import RecordingError, UsageError
from redundancy.nodes import spiking_layers
from redundancy.observation import AnalysisOptions, Observer
from redundancy.states import merge_states
from tests import potential_reference as plain
from tests.toy import ToyDataset, small_network

N_SAMPLES = 16
# Bins of the user's own do not depend on the first batch.
FIXED = AnalysisOptions(bin_width=0.02, bounds=(-1.0, 2.0), n_replicates=20)
PROVENANCE = {"network": "n", "dataset": "d", "split": "test", "n_timesteps": 1}
# Similarity between timesteps is averaged over batches, so that it depends on them.
OF_BATCHES = ("n_hsic_samples", "hsic_sum")


@pytest.fixture(scope="module")
def dataset():
    return ToyDataset(N_SAMPLES, n_timesteps=3)


@pytest.fixture(scope="module")
def network():
    return small_network(3, seed=3)


@pytest.fixture(scope="module")
def recording(network, dataset):
    (whole,) = network_recordings(
        network,
        dataset,
        quantities=(schema.SPIKE, schema.MEMBRANE_POTENTIAL, schema.INPUT_CURRENT),
        batch_size=100,
    )
    return whole


def all_states(results):
    return {node.path: node.to_dataset(inherit=False) for node in results.tree.subtree}


def assert_same_states(first, second, tolerance=1e-12):
    assert set(first) == set(second)
    for path, state in first.items():
        for name, variable in state.data_vars.items():
            other = second[path][name]
            if name in (*OF_BATCHES, schema.N_BATCHES, schema.VERIFIED_BATCHES):
                continue
            if np.issubdtype(variable.dtype, np.floating):
                np.testing.assert_allclose(
                    other, variable, rtol=tolerance, atol=tolerance, err_msg=f"{path} {name}"
                )
            else:
                xr.testing.assert_identical(other, variable)


class TestBatches:
    @pytest.fixture(scope="class")
    def whole(self, network, dataset):
        return all_states(analyze(network, dataset, batch_size=16, options=FIXED))

    @pytest.mark.parametrize("batch_size", [1, 3])
    def test_their_size_changes_no_count(self, network, dataset, whole, batch_size):
        other = analyze(network, dataset, batch_size=batch_size, options=FIXED)
        # The network itself may round otherwise in batches of another size.
        assert_same_states(whole, all_states(other), tolerance=1e-5)

    @pytest.mark.parametrize("cuts", [(3, 6, 9, 12, 15), (1,), (8,), (2, 15)])
    @pytest.mark.parametrize("attention", ["none", "asa-1"])
    def test_parts_of_a_recording_are_the_whole(self, dataset, cuts, attention):
        quantities = (schema.SPIKE, schema.MEMBRANE_POTENTIAL)
        network = small_network(3, seed=3, attention=attention)
        (whole,) = network_recordings(network, dataset, quantities=quantities, batch_size=100)
        observer = Observer.from_pilot(whole, FIXED)
        state = None
        for start, stop in zip((0, *cuts), (*cuts, N_SAMPLES), strict=True):
            part = {name: node.isel(sample=slice(start, stop)) for name, node in whole.items()}
            seen = observer.observe(part)
            state = seen if state is None else merge_states(state, seen)
        assert_same_states(observer.observe(whole), state)

    def test_what_is_compared_is_most_of_it(self, whole):
        integers = [
            name
            for name, variable in whole["/conv1.neuron"].data_vars.items()
            if np.issubdtype(variable.dtype, np.integer)
        ]
        assert {"histogram", "underflow", "overflow", "nan_count", "spike_count", "n_values",
                "foreground_spikes", "background_cells", "n_errors"} <= set(integers)  # fmt: skip

    def test_bins_of_the_first_batch_are_those_of_all(self, network, dataset):
        default = AnalysisOptions(n_replicates=20)
        batches = list(
            network_recordings(network, dataset, quantities=default.recorded, batch_size=4)
        )
        observer = Observer.from_pilot(batches[0], default)
        state = None
        for batch in batches:
            seen = observer.observe(batch)
            state = seen if state is None else merge_states(state, seen)
        streamed = analyze_recordings(batches, PROVENANCE, options=default)
        for name, layer in streamed.layers.items():
            xr.testing.assert_identical(state[name]["histogram"], layer["histogram"])


def test_every_statistic_is_that_of_the_plain_reference(recording):
    results = analyze_recordings([recording], PROVENANCE, options=FIXED)
    frames = recording["input_frames"]["frames"].values
    everything = []
    for name, layer in spiking_layers(recording).items():
        potential, spikes = layer["membrane_potential"].values, layer["spike"].values
        v_th = layer.attrs["v_threshold"]
        found = results.potentials[name]
        below, above = found.attrs["n_bins_below"], found.attrs["n_bins_above"]
        expected = plain.histogram(potential, v_th, 0.02, below, above)
        np.testing.assert_array_equal(found["histogram"], expected[..., :-3])
        for place, counter in enumerate(("underflow", "overflow", "nan_count"), start=-3):
            np.testing.assert_array_equal(found[counter], expected[..., place])
        centres = found["bin_centre"].values
        distance = np.apply_along_axis(plain.peak_to_threshold, -1, expected[..., :-3], centres)
        np.testing.assert_allclose(found["peak_to_threshold_distance"], distance, atol=1e-14)
        moments = zip(
            ("mean", "variance", "minimum", "maximum"),
            (plain.mean_of, plain.variance_of, min, max),
            strict=True,
        )
        for moment, function in moments:
            reference = plain.per_feature(
                potential, lambda t, c, f=function, u=potential: f(plain.of_feature(u, t, c))
            )
            np.testing.assert_allclose(found[moment], reference, rtol=1e-12, atol=1e-14)
        errors = plain.quantization_errors(potential, spikes, v_th)
        for variant, reference in zip(QE, errors, strict=True):
            np.testing.assert_allclose(
                results.quantization_errors[name][variant], reference, rtol=1e-12
            )
        everything.append((potential, spikes, v_th))
        patterns = results.patterns()[name]
        counts = spikes.astype(int).sum(0).reshape(*found["mean"].shape, -1).sum(-1)
        if spikes.ndim == 5:
            rates = plain.spatial_rates(spikes, frames)
            np.testing.assert_allclose(patterns["foreground_rate"], rates[0])
            np.testing.assert_allclose(patterns["background_rate"], rates[1])
        else:
            rates = [np.full(counts.shape, math.nan)] * 2
        for t, c in np.ndindex(counts.shape):
            assert patterns["pattern_potential"][t, c] == plain.pattern_by_potential(
                distance[t, c], counts[t, c], v_th, 0.5
            )
            assert patterns["pattern_spatial"][t, c] == plain.pattern_by_place(
                rates[0][t, c], rates[1][t, c], counts[t, c], 1.0
            )
    network_errors = results.network_quantization_error
    for suffix, chosen in (("", everything), ("_conv", everything[:3])):
        for variant, reference in zip(QE, plain.network_errors(chosen), strict=True):
            assert float(network_errors[variant + suffix]) == pytest.approx(reference, rel=1e-12)


QE = ("quantization_error", "quantization_error_scaled", "quantization_error_normalized")


def test_intervals_hold_what_they_are_of(network, dataset):
    results = analyze(network, dataset, options=dataclasses.replace(FIXED, n_replicates=400))
    rate = float(results.network_firing_rate["nasfr"])
    error = float(results.network_quantization_error["quantization_error"])
    for name, value in (("nasfr", rate), ("quantization_error", error)):
        low, high = results.confidence(name)
        assert low < value < high
        assert results.confidence(name, 0.5)[0] >= low


class TestRecordings:
    def test_a_missing_quantity_is_named(self, recording):
        without = {
            n: d.drop_vars("membrane_potential", errors="ignore") for n, d in recording.items()
        }
        with pytest.raises(UsageError, match=r"no membrane_potential of layer 'conv1\.neuron'"):
            Observer.from_pilot(without, AnalysisOptions())
        with pytest.raises(UsageError, match=r"no membrane_potential of layer 'conv1\.neuron'"):
            Observer.from_pilot(recording, AnalysisOptions()).observe(without)
        with pytest.raises(UsageError, match=r"no post_reset_potential .* --quantities spike,mem"):
            Observer.from_pilot(recording, AnalysisOptions("post-reset"))

    def test_layers_must_be_the_same(self, recording):
        observer = Observer.from_pilot(recording, FIXED)
        partial = {name: node for name, node in recording.items() if name != "fc1.neuron"}
        with pytest.raises(RecordingError, match=r"same layers: fc1\.neuron"):
            merge_states(observer.observe(recording), observer.observe(partial))
        with pytest.raises(RecordingError, match=r"same layers: fc1\.neuron"):
            Observer.from_pilot(partial, FIXED).observe(recording)

    def test_a_spike_too_many_is_found(self, recording):
        wrong = {name: node.copy(deep=True) for name, node in recording.items()}
        spikes = wrong["conv2.neuron"]["spike"]
        spikes[3, 1, 2, 0, 0] = 1 - spikes[3, 1, 2, 0, 0]
        with pytest.raises(RecordingError, match=r"'conv2.neuron': \d+ membrane potentials"):
            Observer.from_pilot(wrong, FIXED).observe(wrong)

    def test_what_is_given_is_not_changed(self, recording):
        before = {name: node.copy(deep=True) for name, node in recording.items()}
        Observer.from_pilot(recording, FIXED).observe(recording)
        for name, node in before.items():
            xr.testing.assert_identical(recording[name], node)
