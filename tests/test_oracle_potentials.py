"""Potentials of the published ASA-SNN implementation: histograms, moments, PTD and QE.

Its bins are not those of this project (120 of 0.05 from -3.01, so that no edge is the
threshold); they are counted as if the threshold were -3.01.
"""

import numpy as np
import pytest

from redundancy import schema
from redundancy.checkpoint import load_checkpoint
from redundancy.nodes import spiking_layers
from redundancy.observation import AnalysisOptions, Observer
from redundancy.recording import Recorder
from redundancy.states import merge_states
from redundancy.stats import (
    MembranePotentialDistribution,
    Moments,
    QuantizationError,
    network_firing_rate,
)
from redundancy.stats import network_quantization_error as network_error
from redundancy.stats.peak_to_threshold import peak_to_threshold_distance
from tests import potential_reference as plain
from tests.toy import oracle_file

LAYERS = range(5)
# Counts a layer, of up to 1.6 million, that rounding may move to the next bin; with the
# libraries that the oracle was made with there are none.
MOST_CROSSED = 10
ORIGIN, WIDTH, N_BINS, V_TH = -3.01, 0.05, 120, 0.3


def unpack(packed, shape):
    return np.unpackbits(packed)[: np.prod(shape)].reshape(shape)


def record(checkpoint, **arguments):
    """Return our recording of the oracle's inputs."""
    inputs = np.load(oracle_file("A_vanilla_T6.npz"))  # all networks ran on these
    frames = unpack(inputs["inputs_packed"], inputs["inputs_shape"]).astype(np.float32)
    network = load_checkpoint(
        oracle_file(checkpoint), checkpoint_format="asa-snn", network_arguments=arguments
    ).build_network()
    with Recorder(network, quantities=(schema.SPIKE, schema.MEMBRANE_POTENTIAL)) as recorder:
        return recorder.record_nodes(frames)


def count(potential):
    """Return counts [time, channel, bin], below and above as the oracle has them.

    Parameters
    ----------
    potential : ndarray, (sample, time, channel[, y, x])
    """
    # As float64, so that the origin is not rounded to another.
    layer = plain.layer(potential.astype(np.float64), ORIGIN)
    state = MembranePotentialDistribution(WIDTH, 1, N_BINS).observe(layer)
    assert not state["nan_count"].any()
    histogram = state["histogram"].values
    below = histogram[..., 0] + state["underflow"].values
    return histogram[..., 1:], np.stack([below, state["overflow"].values], -1)


@pytest.fixture(scope="module")
def oracle():
    return dict(np.load(oracle_file("A_vanilla_T6.npz")))


@pytest.fixture(scope="module")
def recording():
    return record("A_vanilla_T6.pth")


@pytest.fixture(scope="module")
def layers(recording):
    return list(spiking_layers(recording).values())


@pytest.fixture(scope="module")
def states(recording):
    observer = Observer.from_pilot(recording, AnalysisOptions(n_replicates=10))
    return spiking_layers(observer.observe(recording))


@pytest.mark.parametrize("index", LAYERS)
def test_histograms_of_its_own_potentials_are_its_own(oracle, index):
    """The same numbers go in, so the same counts come out, to the last one."""
    np.testing.assert_allclose(oracle["edges"], ORIGIN + WIDTH * np.arange(121), atol=1e-12)
    channels = oracle[f"L{index}_U_channels"]
    histogram, outside = count(oracle[f"L{index}_U"].swapaxes(0, 1))
    np.testing.assert_array_equal(histogram, oracle[f"L{index}_hist"][:, channels])
    np.testing.assert_array_equal(outside, oracle[f"L{index}_hist_under_over"][:, channels])


@pytest.mark.parametrize("index", LAYERS)
def test_histograms_of_our_recording(oracle, layers, index):
    """Potentials agree to 1e-6, so that few of them cross an edge to the next bin."""
    potential = layers[index][schema.MEMBRANE_POTENTIAL].values
    histogram, outside = count(potential)
    expected = oracle[f"L{index}_hist"].astype(np.int64)
    np.testing.assert_array_equal(histogram.sum(-1) + outside.sum(-1), potential[:, 0, 0].size)
    np.testing.assert_array_equal(outside, oracle[f"L{index}_hist_under_over"])
    # What crosses an edge leaves one bin and enters its neighbour.
    crossed = np.abs(np.cumsum(histogram - expected, -1)).sum()
    assert crossed <= MOST_CROSSED


@pytest.mark.parametrize("index", LAYERS)
def test_moments(oracle, layers, index):
    result = Moments().compute(Moments().observe(layers[index]))
    np.testing.assert_allclose(result["mean"], oracle[f"L{index}_mean"], atol=1e-6, rtol=1e-6)
    np.testing.assert_allclose(result["variance"], oracle[f"L{index}_var"], atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("index", LAYERS)
def test_quantization_error(oracle, states, index):
    name = list(states)[index]
    result = QuantizationError().compute(states[name])
    error = result["quantization_error"]
    np.testing.assert_allclose(error, oracle[f"L{index}_qe"], atol=1e-6, rtol=1e-6)
    assert float(error.mean()) == pytest.approx(oracle["net_qe_layer"][index], rel=1e-6)
    assert result.attrs["n_neurons"] == oracle["net_neurons"][index]


@pytest.mark.parametrize("index", LAYERS)
def test_peak_to_threshold_distance(oracle, layers, index):
    centres = ORIGIN + WIDTH * (np.arange(N_BINS) + 0.5) - V_TH
    expected = oracle[f"L{index}_ptd"]
    # Where the third and fourth bar are equal, the oracle calls it a matter of convention.
    clear = ~unpack(oracle[f"L{index}_ptd_tie"], expected.shape).astype(bool)
    assert clear.sum() > 0.02 * clear.size
    histogram = oracle[f"L{index}_hist"].astype(np.int64)
    distance = peak_to_threshold_distance(histogram, centres)
    np.testing.assert_allclose(distance[clear], expected[clear], atol=1e-6)
    own = count(layers[index][schema.MEMBRANE_POTENTIAL].values)[0]
    same = clear & (own == histogram).all(-1)
    assert same.sum() > 0.9 * clear.sum()
    own_distance = peak_to_threshold_distance(own, centres)
    np.testing.assert_allclose(own_distance[same], expected[same], atol=1e-6)


@pytest.mark.parametrize("index", LAYERS)
def test_peak_to_threshold_distance_of_bins_between_the_extremes(oracle, index):
    """The published figures take 50 bins from the least to the greatest value."""
    potential = oracle[f"L{index}_U"].swapaxes(0, 1).astype(np.float64)
    shape = oracle[f"L{index}_ptd50"].shape
    tie = unpack(oracle[f"L{index}_ptd50_tie"], shape).astype(bool)
    n_compared = 0
    for place, channel in enumerate(oracle[f"L{index}_U_channels"]):
        for time in range(6):
            if tie[time, channel]:
                continue
            counts, edges = np.histogram(potential[:, time, place], 50)
            distance = peak_to_threshold_distance(counts, (edges[:-1] + edges[1:]) / 2 - V_TH)
            expected = oracle[f"L{index}_ptd50"][time, channel]
            # np.histogram puts float32 values on an edge into either bin.
            n_compared += 1
            assert distance.item() == pytest.approx(expected, abs=1e-5)
    assert n_compared >= 18


def test_network(oracle, states):
    error = network_error(states)
    assert float(error["quantization_error"]) == pytest.approx(
        float(oracle["net_qe_all"]), rel=1e-7
    )
    assert float(error["quantization_error_conv"]) == pytest.approx(
        float(oracle["net_qe_conv"]), rel=1e-7
    )
    rate = network_firing_rate(states)
    assert float(rate["nasfr"]) == pytest.approx(float(oracle["net_nasfr_all"]), abs=1e-12)
    np.testing.assert_allclose(rate["t_sfr_conv"], oracle["net_tsfr_conv"], atol=1e-12)


@pytest.mark.parametrize("width", [1 / 64, 0.05])
def test_what_lies_right_of_the_threshold_are_the_oracles_spikes(oracle, recording, width):
    options = AnalysisOptions(bin_width=width, bounds=(-4.0, 4.0), n_replicates=10)
    states = spiking_layers(Observer.from_pilot(recording, options).observe(recording))
    for index, state in enumerate(states.values()):
        right = state["histogram"].values[..., state.attrs["n_bins_below"] :].sum(-1)
        spikes = unpack(oracle[f"L{index}_spikes_packed"], oracle[f"L{index}_shape"])
        expected = spikes.astype(np.int64).sum(1).reshape(*right.shape, -1).sum(-1)
        np.testing.assert_array_equal(right + state["overflow"].values, expected)


def test_halves_of_the_batch_merge_to_the_whole(recording):
    observer = Observer.from_pilot(recording, AnalysisOptions(n_replicates=10))
    whole = spiking_layers(observer.observe(recording))
    halves = [
        observer.observe({name: node.isel(sample=part) for name, node in recording.items()})
        for part in (slice(0, 1), slice(1, 4))
    ]
    merged = spiking_layers(merge_states(*halves))
    for name, state in whole.items():
        for variable in ("histogram", "underflow", "overflow", "nan_count", "spike_count"):
            np.testing.assert_array_equal(merged[name][variable], state[variable])
        for variable in ("deviation_sum", "deviation_square_sum", "squared_error_sum"):
            np.testing.assert_allclose(merged[name][variable], state[variable], rtol=1e-12)


@pytest.mark.parametrize(
    ("numbers", "mask"),
    [("A_asa_T6.npz", "batch-union"), ("A_asa_T6_persample.npz", "per-sample")],
)
def test_attention(numbers, mask):
    """Within 9e-7 of the threshold a handful of neurons may fall either way."""
    oracle = np.load(oracle_file(numbers))
    recording = record("A_asa_T6.pth", mask=mask)
    observer = Observer.from_pilot(recording, AnalysisOptions(n_replicates=10))
    states = spiking_layers(observer.observe(recording))
    error = network_error(states)
    assert float(error["quantization_error"]) == pytest.approx(
        float(oracle["net_qe_all"]), rel=1e-5
    )
    assert float(error["quantization_error_conv"]) == pytest.approx(
        float(oracle["net_qe_conv"]), rel=1e-5
    )
    for index, state in enumerate(states.values()):
        layer_error = QuantizationError().compute(state)["quantization_error"].mean()
        assert float(layer_error) == pytest.approx(oracle["net_qe_layer"][index], rel=1e-5)
    rate = float(network_firing_rate(states)["nasfr"])
    assert rate == pytest.approx(float(oracle["net_nasfr_all"]), abs=1e-5)
