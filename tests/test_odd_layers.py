"""All statistics of layers that are tiny, silent, not finite or of unusual thresholds."""

import math
import warnings

import numpy as np
import pytest
import xarray as xr
from torch import nn

from redundancy.analysis import analyze, analyze_recordings
from redundancy.observation import AnalysisOptions
from redundancy.results import Results
from redundancy.stats import PatternRules
from tests import potential_reference as plain
from tests.toy import ToyDataset, small_network

# Bins of the user's own do not depend on the first batch.
FIXED = AnalysisOptions(bin_width=0.02, bounds=(-1.0, 2.0), n_replicates=20)
PROVENANCE = {"network": "n", "dataset": "d", "split": "test", "n_timesteps": 1}


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

        dataset, network = ToyDataset(4, n_timesteps=3), small_network(3, seed=3)
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
