"""Bootstrap over samples: weights from seed and sample alone, intervals that cover."""

import math
import warnings

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from redundancy.stats import FiringRate, PoissonBootstrap, QuantizationError, merge
from redundancy.stats.bootstrap import headline_replicates, interval
from tests import potential_reference as plain

FEW = settings(max_examples=20)


def recording(n_samples, *, start=0, seed=0, labelled=True, threshold=0.3, shift=0.0):
    """Return the nodes of a recording; a longer one begins with the shorter one's samples."""
    samples = np.arange(start, start + n_samples)
    root = xr.Dataset(coords={"sample": samples})
    layers = {"maps": [], "vector": []}
    right = []
    for sample in samples:
        random = np.random.default_rng([seed, int(sample)])
        layers["maps"].append(random.normal(shift, 0.5, (2, 3, 4, 4)).astype(np.float32))
        layers["vector"].append(random.normal(shift, 0.5, (2, 5)).astype(np.float32))
        right.append(random.random() < 0.7)
    if labelled:
        root["label"] = ("sample", np.ones(n_samples, np.int64))
        root["prediction"] = ("sample", np.array(right).astype(np.int64))
    nodes = {name: plain.layer(np.stack(v), threshold) for name, v in layers.items()}
    return {"/": root, **{k: v.assign_coords(sample=samples) for k, v in nodes.items()}}


def states_of(nodes, bootstrap):
    return {
        name: bootstrap.observe(node)
        if name == "/"
        else bootstrap.observe(node).merge(FiringRate().observe(node))
        for name, node in bootstrap.with_weights(nodes).items()
    }


def replicates_of(states):
    return headline_replicates(states["/"], {k: v for k, v in states.items() if k != "/"})


class TestWeights:
    def test_they_depend_on_seed_and_sample_alone(self):
        weights = PoissonBootstrap(50, 7).weights(np.arange(10))
        assert weights.shape == (10, 50)
        assert weights.dtype == np.uint8
        some = PoissonBootstrap(50, 7).weights(np.array([8, 2, 5]))
        np.testing.assert_array_equal(some, weights[[8, 2, 5]])
        assert (PoissonBootstrap(50, 8).weights(np.arange(10)) != weights).any(1).all()
        fewer = PoissonBootstrap(20, 7).weights(np.arange(10))
        np.testing.assert_array_equal(fewer, weights[:, :20])

    def test_they_are_poisson(self):
        weights = PoissonBootstrap(1000).weights(np.arange(400)).astype(float)
        assert weights.mean() == pytest.approx(1, abs=0.01)
        assert weights.var() == pytest.approx(1, abs=0.02)
        for value in range(5):
            expected = math.exp(-1) / math.factorial(value)
            assert (weights == value).mean() == pytest.approx(expected, abs=0.005)

    def test_samples_and_replicates_do_not_know_of_one_another(self):
        weights = PoissonBootstrap(2000).weights(np.arange(40)).astype(float)
        between_samples = np.corrcoef(weights) - np.eye(40)
        assert np.abs(between_samples).max() < 0.12
        # Nor is a sample under one seed another sample under another seed.
        other = PoissonBootstrap(2000, 1).weights(np.arange(40)).astype(float)
        crossed = np.corrcoef(weights, other)[:40, 40:]
        assert np.abs(crossed).max() < 0.12

    def test_networks_on_the_same_data_are_resampled_alike(self):
        bootstrap = PoissonBootstrap(200)
        first, second = (
            replicates_of(states_of(recording(30, seed=1, shift=shift), bootstrap))
            for shift in (0.0, -0.01)
        )
        # Nearly the same network: in pairs the difference is far surer than each alone.
        for name in ("nasfr", "quantization_error"):
            assert np.std(first[name] - second[name]) < 0.3 * np.std(first[name])


class TestSums:
    def test_replicates_equal_samples_that_are_written_out(self):
        nodes = recording(9)
        bootstrap = PoissonBootstrap(12)
        weights = bootstrap.weights(np.arange(9))
        replicates = replicates_of(states_of(nodes, bootstrap))
        right = nodes["/"]["label"].values == nodes["/"]["prediction"].values
        for place in range(12):
            drawn = np.repeat(np.arange(9), weights[:, place])
            spikes = [nodes[name]["spike"].values[drawn] for name in ("maps", "vector")]
            rate = sum(int(s.sum()) for s in spikes) / sum(s.size for s in spikes)
            assert replicates["nasfr"][place] == pytest.approx(rate, rel=1e-12)
            assert replicates["accuracy"][place] == pytest.approx(right[drawn].mean(), rel=1e-12)
            error = plain.network_errors(
                [
                    (
                        nodes[name]["membrane_potential"].values[drawn],
                        nodes[name]["spike"].values[drawn],
                        0.3,
                    )
                    for name in ("maps", "vector")
                ]
            )[0]
            assert replicates["quantization_error"][place] == pytest.approx(error, rel=1e-12)

    @FEW
    @given(st.lists(st.integers(1, 4), min_size=1, max_size=4))
    def test_batches_merge_to_the_whole(self, sizes):
        bootstrap = PoissonBootstrap(15, 3)
        states, start = None, 0
        for size in sizes:
            part = states_of(recording(size, start=start), bootstrap)
            states = part if states is None else {k: merge(states[k], part[k]) for k in part}
            start += size
        whole = states_of(recording(start), bootstrap)
        for name, state in whole.items():
            for variable in state.data_vars:
                if variable == "bootstrap_squared_error":
                    np.testing.assert_allclose(states[name][variable], state[variable], rtol=1e-12)
                else:
                    np.testing.assert_array_equal(states[name][variable], state[variable])

    def test_they_are_of_what_the_other_statistics_average(self):
        nodes = recording(40)
        replicates = replicates_of(states_of(nodes, PoissonBootstrap(400)))
        layers = [nodes["maps"], nodes["vector"]]
        n_errors = sum(int(QuantizationError().observe(n)["n_errors"].sum()) for n in layers)
        error = sum(
            float(QuantizationError().observe(n)["squared_error_sum"].sum()) for n in layers
        )
        assert replicates["quantization_error"].mean() == pytest.approx(error / n_errors, rel=0.01)

    def test_integer_spikes_count_once_as_in_the_rate(self):
        spikes = np.array([3, 0, 1, 2], np.uint8).reshape(4, 1, 1)
        root = xr.Dataset(coords={"sample": np.arange(4)})
        nodes = {"/": root, "a": plain.layer(spikes.astype(np.float32), 1.0, spikes=spikes)}
        states = states_of(nodes, PoissonBootstrap(30))
        weights = PoissonBootstrap(30).weights(np.arange(4)).astype(float)
        with np.errstate(invalid="ignore"):
            rate = weights[[0, 2, 3]].sum(0) / weights.sum(0)
        np.testing.assert_allclose(replicates_of(states)["nasfr"], rate)

    def test_sums_of_the_bootstrap_alone_are_computed(self):
        states = states_of(recording(3), PoissonBootstrap(5))
        result = PoissonBootstrap(5).compute(states["maps"])
        assert set(result.data_vars) == {"bootstrap_spikes", "bootstrap_squared_error"}
        assert all(variable.attrs["long_name"] for variable in result.data_vars.values())


class TestMissing:
    def test_without_labels_there_is_no_accuracy(self):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            replicates = replicates_of(states_of(recording(6, labelled=False), PoissonBootstrap(9)))
            assert all(math.isnan(bound) for bound in interval(replicates["accuracy"]))
        assert np.isnan(replicates["accuracy"]).all()
        assert np.isfinite(
            replicates["nasfr"][PoissonBootstrap(9).weights(np.arange(6)).any(0)]
        ).all()

    def test_a_replicate_that_draws_nothing_is_left_out(self):
        replicates = replicates_of(states_of(recording(1), PoissonBootstrap(100)))
        empty = PoissonBootstrap(100).weights(np.array([0]))[0] == 0
        assert 20 < empty.sum() < 60
        np.testing.assert_array_equal(np.isnan(replicates["nasfr"]), empty)
        low, high = interval(replicates["nasfr"])
        # One sample drawn again and again is always the same mean.
        assert low == pytest.approx(high, rel=1e-12)

    def test_potentials_that_are_no_numbers_leave_no_interval_of_the_error(self):
        nodes = recording(5)
        nodes["maps"]["membrane_potential"][2, 0, 0, 0, 0] = math.nan
        nodes["maps"]["spike"][2, 0, 0, 0, 0] = 0
        replicates = replicates_of(states_of(nodes, PoissonBootstrap(9)))
        assert all(math.isnan(bound) for bound in interval(replicates["quantization_error"]))
        assert math.isfinite(interval(replicates["nasfr"])[0])


class TestInterval:
    def test_worked_by_hand(self):
        assert interval(np.arange(101.0), 0.9) == pytest.approx((5.0, 95.0))
        assert interval(np.array([2.0, math.nan, 2.0])) == (2.0, 2.0)
        assert interval(np.arange(101.0), 0.5) == pytest.approx((25.0, 75.0))

    @FEW
    @given(st.lists(st.floats(-1, 1), min_size=1, max_size=30))
    def test_more_confidence_is_wider(self, values):
        replicates = np.array(values)
        low, high = interval(replicates, 0.9)
        wide_low, wide_high = interval(replicates, 0.99)
        assert wide_low <= low <= high <= wide_high

    def test_it_covers_a_known_mean_about_as_often_as_it_says(self):
        # Accuracy of 60 Bernoulli(0.3) samples, in 400 data sets; the percentile interval
        # of a proportion is known to cover a little less than it says.
        random = np.random.default_rng(5)
        hits = 0
        for data_set in range(400):
            right = random.random(60) < 0.3
            root = xr.Dataset(
                {
                    "label": ("sample", np.ones(60, int)),
                    "prediction": ("sample", right.astype(int)),
                },
                coords={"sample": np.arange(60)},
            )
            bootstrap = PoissonBootstrap(200, seed=data_set)
            state = bootstrap.observe(bootstrap.with_weights({"/": root})["/"])
            low, high = interval(
                state["bootstrap_correct"].values / state["bootstrap_drawn"].values
            )
            hits += low <= 0.3 <= high
        assert 0.90 < hits / 400 < 0.98

    def test_its_width_is_that_of_the_standard_error(self):
        right = np.arange(500) % 2
        root = xr.Dataset(
            {"label": ("sample", np.ones(500, int)), "prediction": ("sample", right)},
            coords={"sample": np.arange(500)},
        )
        bootstrap = PoissonBootstrap(2000)
        state = bootstrap.observe(bootstrap.with_weights({"/": root})["/"])
        low, high = interval(state["bootstrap_correct"].values / state["bootstrap_drawn"].values)
        assert high - low == pytest.approx(2 * 1.96 * math.sqrt(0.25 / 500), rel=0.08)
