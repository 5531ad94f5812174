"""Networks of which nothing true can be recorded are refused, and the layer is named."""

import warnings

import numpy as np
import pytest
import torch
from spikingjelly.activation_based import layer, neuron
from torch import nn

from redundancy.errors import RecordingError
from redundancy.recording import Recorder
from tests.toy import small_network

f32 = np.float32


@pytest.fixture
def frames():
    return np.random.default_rng(0).poisson(0.5, (3, 4, 2, 8, 8)).astype(f32)


def test_a_compiled_network_is_refused():
    network = small_network()
    network.conv1.compile()
    with pytest.raises(RecordingError, match=r"'conv1' is compiled .* ignore hooks"):
        Recorder(network)
    with pytest.raises(RecordingError, match="is compiled"):
        Recorder(torch.compile(small_network()))


def test_a_neuron_whose_spikes_do_not_follow_its_potential_is_named(frames):
    network = small_network()
    network.conv2.neuron.register_forward_hook(lambda module, args, out: 1 - out)
    with pytest.raises(RecordingError, match=r"layer 'conv2.neuron' \(LIFNode\): at timestep 0"):
        with Recorder(network) as recorder:
            recorder.record(frames)
    assert all("spike" not in name for name in network.state_dict())


def test_one_wrong_spike_is_found_where_it_is(frames):
    network = small_network()

    def flip(module, args, output):
        output = output.clone()
        output[2, 1, 0, 3, 3] = 1 - output[2, 1, 0, 3, 3]
        return output

    network.conv1.neuron.register_forward_hook(flip)
    with pytest.raises(RecordingError, match=r"'conv1.neuron' .* at timestep 2, 1 of 768 outputs"):
        with Recorder(network) as recorder:
            recorder.record(frames)


@pytest.mark.parametrize("value", [0.5, 2.0, -1.0])
def test_outputs_other_than_0_and_1_are_no_spikes(frames, value):
    network = small_network()
    network.conv1.neuron.register_forward_hook(lambda module, args, out: out * value)
    with pytest.raises(RecordingError, match=r"layer 'conv1.neuron' \(LIFNode\): at timestep 0"):
        with Recorder(network) as recorder:
            recorder.record(frames)


def test_dynamics_that_differ_without_changing_a_spike_are_noticed(frames):
    node = neuron.IFNode(v_threshold=1e6, step_mode="m")

    def leak(module, args, output):
        module.v = module.v * 0.5

    node.register_forward_hook(leak)
    with pytest.raises(RecordingError, match="ends in another membrane potential"):
        with Recorder(node) as recorder:
            recorder.record(frames)


@pytest.mark.parametrize(
    ("value", "word"), [(np.nan, "NaN"), (np.inf, "infinite"), (-np.inf, "infinite")]
)
def test_potentials_that_are_no_numbers_are_refused(frames, value, word):
    network = small_network()
    with torch.no_grad():
        network.conv3.conv.bias[1] = value
    with pytest.raises(RecordingError, match=f"layer 'conv3.neuron' has {word} membrane potential"):
        with Recorder(network) as recorder:
            recorder.record(frames)


@pytest.mark.parametrize("step_mode", ["s", "m"])
def test_potentials_that_become_no_numbers_inside_the_neuron_are_refused(frames, step_mode):
    node = neuron.ParametricLIFNode(step_mode=step_mode)
    with torch.no_grad():
        node.w.fill_(np.nan)
    with pytest.raises(RecordingError, match="has NaN membrane potentials"):
        with Recorder(node) as recorder:
            recorder.record(frames)


class Counting(nn.Module):
    def __init__(self):
        super().__init__()
        self.node, self.calls = neuron.IFNode(step_mode="m"), 0

    def forward(self, x):
        self.calls += 1
        return self.node(x).sum((0, 2, 3, 4))[:, None] + self.calls


class Watchful(nn.Module):
    def __init__(self):
        super().__init__()
        self.node = neuron.IFNode(step_mode="m")

    def forward(self, x):
        return self.node(x).sum((0, 2, 3, 4))[:, None] + len(self.node._forward_pre_hooks)


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        (Counting, "does not do the same again .*'calls' is not what it was: state stays over"),
        (Watchful, "outputs with and without recording differ by up to 1"),
    ],
)
def test_state_that_stays_and_disturbance_are_told_apart(frames, kind, sentence):
    with pytest.raises(RecordingError, match=sentence), Recorder(kind()) as recorder:
        recorder.record(frames)


def test_batch_statistics_are_warned_of_once(frames):
    network = small_network()
    network.conv1.bn = layer.BatchNorm2d(4, track_running_stats=False, step_mode="m")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with Recorder(network) as recorder:
            recorder.record(frames)
            recorder.record(frames)
    texts = [str(w.message) for w in caught if "running statistics (conv1.bn)" in str(w.message)]
    assert len(texts) == 1


def test_an_output_without_time_is_refused(frames):
    class Flattened(nn.Module):
        def __init__(self):
            super().__init__()
            self.node = neuron.IFNode(step_mode="m")

        def forward(self, x):
            return self.node(x.flatten(0, 1)[None])

    with (
        pytest.raises(RecordingError, match=r"layer 'node' is given \(1, 8, 2, 8, 8\), of which"),
        Recorder(Flattened()) as recorder,
    ):
        recorder.record(frames)
