"""All statistics together: batches of any size, bad recordings, odd networks."""

import dataclasses
import math
import warnings

import numpy as np
import pytest
import torch
import xarray as xr
from torch import nn

from redundancy import schema
from redundancy.analysis import analyze, analyze_recordings, network_recordings
from redundancy.errors import RecordingError, UsageError
from redundancy.networks import build_network
from redundancy.nodes import spiking_layers
from redundancy.observation import AnalysisOptions, Observer, merge_states
from redundancy.results import Results
from redundancy.stats import PatternRules
from tests import potential_reference as plain
from tests.toy import ToyDataset

N_SAMPLES = 16
# Bins of the user's own do not depend on the first batch.
FIXED = AnalysisOptions(bin_width=0.02, bounds=(-1.0, 2.0), n_replicates=20)
PROVENANCE = {"network": "n", "dataset": "d", "split": "test", "n_timesteps": 1}
# Similarity between timesteps is averaged over batches, so that it depends on them.
OF_BATCHES = ("n_hsic_samples", "hsic_sum")


def small_network(**arguments):
    torch.manual_seed(3)
    return build_network(
        "lif-snn-3", n_timesteps=3, input_size=(8, 8), widths=(4, 4, 6), hidden=5, n_classes=3,
        **arguments,
    )  # fmt: skip


@pytest.fixture(scope="module")
def dataset():
    return ToyDataset(N_SAMPLES, n_timesteps=3)


@pytest.fixture(scope="module")
def network():
    return small_network()


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
            if name in OF_BATCHES:
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
        network = small_network(attention=attention)
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


class TestOptions:
    @pytest.mark.parametrize("width", [0, -1.0, math.nan, math.inf])
    def test_widths(self, width):
        with pytest.raises(UsageError, match="bin width must be positive and finite"):
            AnalysisOptions(bin_width=width)

    @pytest.mark.parametrize(
        "bounds", [(1.0, 0.0), (1.0, 1.0), (0.0, math.nan), (-math.inf, 0.0), (0.0, math.inf)]
    )
    def test_bounds(self, bounds):
        with pytest.raises(UsageError, match="from low to high"):
            AnalysisOptions(bounds=bounds)

    def test_quantities(self):
        with pytest.raises(UsageError, match="one of pre-fire, input, post-reset, got 'U'"):
            AnalysisOptions(quantity="U")

    def test_the_number_of_replicates(self):
        with pytest.raises(UsageError):
            AnalysisOptions(n_replicates=-1)

    def test_what_is_to_be_recorded(self):
        assert AnalysisOptions().recorded == ("spike", "membrane_potential")
        assert AnalysisOptions("input").recorded[-1] == "input_current"
        assert AnalysisOptions("post-reset").recorded[-1] == "post_reset_potential"

    @pytest.mark.parametrize("quantity", ["input", "post-reset"])
    def test_other_quantities_end_to_end(self, network, dataset, quantity):
        options = AnalysisOptions(quantity, n_replicates=20)
        results = analyze(network, dataset, options=options, batch_size=5)
        (recorded,) = network_recordings(
            network, dataset, quantities=options.recorded, batch_size=100
        )
        for name, layer in spiking_layers(recorded).items():
            values = layer[schema.QUANTITY_VARIABLES[quantity]].values
            found = results.potentials[name]
            assert found.attrs["quantity"] == quantity
            np.testing.assert_allclose(
                found["mean"],
                plain.per_feature(values, lambda t, c, v=values: v[:, t, c].mean(dtype=float)),
                rtol=1e-9,
                atol=1e-12,
            )
            total = found["histogram"].sum("bin") + found["underflow"] + found["overflow"]
            assert (total == values[:, 0, 0].size).all()
            # The error is of the potential before firing, whatever is binned.
            error = plain.quantization_errors(
                layer["membrane_potential"].values,
                layer["spike"].values,
                layer.attrs["v_threshold"],
            )[0]
            np.testing.assert_allclose(
                results.quantization_errors[name]["quantization_error"], error, rtol=1e-12
            )

    def test_the_rule_by_potential_is_not_told_by_the_input_current(self, network, dataset):
        """Definition 6 is of U: the distance of another quantity decides nothing."""
        of_u = analyze(network, dataset, options=FIXED).patterns()
        options = dataclasses.replace(FIXED, quantity="input")
        of_x = analyze(network, dataset, options=options).patterns()
        for name, patterns in of_x.items():
            codes = patterns["pattern_potential"].values
            same = codes == of_u[name]["pattern_potential"].values
            assert (same | (codes == -1)).all()


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


def nodes(layers, n_samples, n_timesteps, size=(4, 4)):
    """Return a hand-made recording of layers."""
    frames = np.random.default_rng(0).poisson(0.2, (n_samples, n_timesteps, 2, *size))
    samples = np.arange(n_samples)
    coordinates = {"sample": samples}
    input_frames = xr.Dataset({"frames": (plain.MAP, frames.astype(np.float32))}, coordinates)
    named = {f"layer{i}": layer.assign_attrs(position=i) for i, layer in enumerate(layers)}
    return {"/": xr.Dataset(coords=coordinates), "input_frames": input_frames, **named}


def results_of(layers, n_samples=2, n_timesteps=3, options=None):
    recorded = nodes(layers, n_samples, n_timesteps)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", category=RuntimeWarning)
        warnings.filterwarnings("ignore", message="the network never spikes")
        results = analyze_recordings(
            [recorded], PROVENANCE, options=options or AnalysisOptions(n_replicates=20)
        )
        _ = results.potentials, results.quantization_errors, results.network_quantization_error
        _ = results.patterns(), results.replicates, results.firing_rates
    return results


def normal(*shape, dtype=np.float32):
    return np.random.default_rng(1).normal(0, 0.6, shape).astype(dtype)


class TestOddLayers:
    @pytest.mark.parametrize(
        "shape",
        [(1, 1, 1), (1, 1, 1, 1, 1), (1, 3, 1), (2, 1, 4), (2, 1, 2, 4, 4), (1, 3, 2, 1, 5)],
    )
    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_the_smallest(self, shape, dtype):
        values = normal(*shape, dtype=dtype)
        results = results_of([plain.layer(values, 0.3)], *shape[:2])
        found = results.potentials["layer0"]
        total = found["histogram"].sum("bin") + found["underflow"] + found["overflow"]
        assert (total == values[:, 0, 0].size).all()
        assert found["peak_to_threshold_distance"].shape == shape[1:3]
        if values[:, 0, 0].size == 1:
            assert (found["variance"] == 0).all()

    @pytest.mark.parametrize(("value", "rate", "code"), [(-1.0, 0, 0), (1.0, 1, 1)])
    def test_always_silent_or_always_firing(self, value, rate, code):
        values = np.full((2, 3, 2, 4, 4), value, np.float32)
        results = results_of([plain.layer(values, 0.3)])
        found = results.potentials["layer0"]
        assert (found["variance"] == 0).all()
        assert (found["minimum"] == found["maximum"]).all()
        assert ((found["histogram"] > 0).sum("bin") == 1).all()
        assert float(results.network_firing_rate["nasfr"]) == rate
        assert (results.patterns()["layer0"]["pattern_potential"] == code).all()
        assert results.replicates["nasfr"][-1] == rate

    @pytest.mark.parametrize("v_th", [0.0, -0.5, 0.3, 0.7, 1 / 3, [0.3, 0.7]])
    @pytest.mark.parametrize("fires_at", [">=", ">"])
    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_any_threshold(self, v_th, fires_at, dtype):
        values = normal(2, 3, 2, 4, 4, dtype=dtype)
        own = np.broadcast_to(np.asarray(v_th, dtype), 2)
        values[0, :, :, 0, 0] = own  # exactly on it
        results = results_of([plain.layer(values, v_th, fires_at)])
        right = results.potentials["layer0"]
        above = right["histogram"][..., right.attrs["n_bins_below"] :].sum("bin")
        fired = plain.spikes_of(values, v_th, fires_at).astype(int).sum((0, 3, 4))
        np.testing.assert_array_equal(above + right["overflow"], fired)

    @pytest.mark.parametrize("strange", [math.nan, math.inf, -math.inf])
    def test_potentials_that_are_no_numbers(self, strange):
        values = normal(2, 3, 2, 4, 4)
        values[1, 2, 0, 3, 3] = strange
        results = results_of([plain.layer(values, 0.3), plain.layer(normal(2, 3, 2), 0.3)])
        found = results.potentials["layer0"]
        counter = {math.inf: "overflow", -math.inf: "underflow"}.get(strange, "nan_count")
        assert found[counter].values[2, 0] >= 1
        assert found["peak_to_threshold_distance"].notnull().all()
        mean = found["mean"].values
        assert not math.isfinite(mean[2, 0])
        assert np.isfinite(np.delete(mean.ravel(), 4)).all()
        assert not math.isfinite(results.network_quantization_error["quantization_error"])

    def test_only_potentials_that_are_no_numbers(self):
        results = results_of([plain.layer(np.full((2, 3, 2), math.nan), 0.3)])
        found = results.potentials["layer0"]
        assert (found["nan_count"] == 2).all()
        for name in ("mean", "variance", "minimum", "maximum", "peak_to_threshold_distance"):
            assert found[name].isnull().all()
        assert (results.patterns()["layer0"]["pattern_potential"] == 0).all()

    def test_half_precision_meets_its_own_threshold(self):
        """A half-precision neuron compares with half(0.1), which is less than float32(0.1)."""

        class Half(nn.Module):
            def __init__(self):
                super().__init__()
                from spikingjelly.activation_based import neuron

                self.neuron = neuron.IFNode(v_threshold=0.1, v_reset=0.0, step_mode="m")

            def forward(self, x):
                return self.neuron(x.half().flatten(2)).float()

        dataset = ToyDataset(2, n_timesteps=2)
        dataset.frames = np.full_like(dataset.frames, np.float16(0.1))
        results = analyze(Half(), dataset, options=AnalysisOptions(n_replicates=20))
        assert float(results.network_firing_rate["nasfr"]) == 1.0

    def test_results_survive_a_file(self, tmp_path):
        from redundancy.results_file import load_results

        dataset, network = ToyDataset(4, n_timesteps=3), small_network()
        results = analyze(network, dataset, options=FIXED)
        results.save(tmp_path / "results.nc")
        again = load_results(tmp_path / "results.nc")
        assert isinstance(again, Results)
        for name, found in results.potentials.items():
            xr.testing.assert_equal(again.potentials[name], found)
            xr.testing.assert_equal(
                again.patterns(PatternRules(0.2))[name], results.patterns(PatternRules(0.2))[name]
            )
        np.testing.assert_array_equal(again.replicates["nasfr"], results.replicates["nasfr"])

    def test_thresholds_per_channel_survive_a_file(self, tmp_path):
        from redundancy.nodes import nodes_of

        results = results_of([plain.layer(normal(2, 3, 2), [0.3, 0.7])])
        results.save(tmp_path / "results.nc")
        with xr.open_datatree(tmp_path / "results.nc", engine="h5netcdf") as tree:
            again = Results(tree.load())
        assert set(nodes_of(again.tree)) == set(nodes_of(results.tree))
        xr.testing.assert_equal(again.potentials["layer0"], results.potentials["layer0"])
        error = results.quantization_errors["layer0"]
        xr.testing.assert_equal(again.quantization_errors["layer0"], error)
