"""The pre-fire potential read from a neuron equals stepping it by hand, to the bit."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from spikingjelly.activation_based import neuron, surrogate

from redundancy import schema
from redundancy.errors import RecordingError
from redundancy.neurons import find_spiking_layers
from redundancy.recording import Recorder

QUANTITIES = (schema.SPIKE, schema.MEMBRANE_POTENTIAL, schema.INPUT_CURRENT)
f32 = np.float32


def step_by_hand(node, currents):
    """Return (U, S), float32 (time, ...), from the textbook equations in plain NumPy."""
    threshold, reset = f32(node.v_threshold), node.v_reset
    rest = f32(0.0 if reset is None else reset)
    v = np.full_like(currents[0], rest)
    potentials, spikes = [], []
    for x in currents:
        if isinstance(node, neuron.IFNode):
            u = v + x
        elif isinstance(node, neuron.LIFNode):
            tau = f32(node.tau)
            u = v + (x - (v - rest)) / tau if node.decay_input else v - (v - rest) / tau + x
        else:
            # NumPy's exp is not PyTorch's, so only the rate comes from the module.
            q = f32(node.w.detach().sigmoid().item())
            u = v + (x - (v - rest)) * q if node.decay_input else v - (v - rest) * q + x
        s = u >= threshold
        if reset is None:
            v = u - s.astype(f32) * threshold
        else:
            v = np.where(s, f32(reset), u)
        potentials.append(u)
        spikes.append(s)
    return np.stack(potentials), np.stack(spikes)


def make(kind, reset, decay_input, step_mode):
    common = {
        "v_threshold": 0.3,
        "v_reset": reset,
        "step_mode": step_mode,
        "surrogate_function": surrogate.Rect(alpha=2.0),
    }
    if kind == "IF":
        return neuron.IFNode(**common)
    if kind == "LIF":
        return neuron.LIFNode(tau=1 / 0.7, decay_input=decay_input, **common)
    return neuron.ParametricLIFNode(init_tau=3.0, decay_input=decay_input, **common)


CASES = [
    pytest.param(kind, reset, decay, mode, id=f"{kind}-reset={reset}-decay_input={decay}-{mode}")
    for kind, reset, decay, mode in itertools.product(
        ("IF", "LIF", "PLIF"), (0.0, -0.2, None), (True, False), ("s", "m")
    )
    if not (kind == "IF" and decay)
]


@pytest.mark.parametrize(("kind", "reset", "decay_input", "step_mode"), CASES)
@pytest.mark.parametrize("shape", [(3, 4, 5, 6), (3, 7)], ids=["maps", "vector"])
def test_potential_equals_stepping_by_hand_to_the_bit(kind, reset, decay_input, step_mode, shape):
    node = make(kind, reset, decay_input, step_mode)
    n_samples, n_timesteps = shape[0], 8
    currents = np.random.default_rng(1).normal(0.1, 0.5, (n_timesteps, *shape)).astype(f32)
    frames, run = currents.swapaxes(0, 1), forward
    if frames.ndim == 3:  # vectors travel as 1 x 1 maps and are flattened on entry
        frames = frames[..., None, None]

        def run(net, x):
            return forward(net, x.flatten(-3))

    with Recorder(node, quantities=QUANTITIES, forward=run) as recorder:
        tree = recorder.record(frames)
    layer = tree[type(node).__name__].to_dataset()
    potential, spikes = step_by_hand(node, currents)
    assert spikes.any()
    assert not spikes.all()
    assert layer[schema.SPIKE].dtype == np.uint8
    np.testing.assert_array_equal(layer[schema.SPIKE].values.swapaxes(0, 1), spikes)
    np.testing.assert_array_equal(layer[schema.MEMBRANE_POTENTIAL].values.swapaxes(0, 1), potential)
    np.testing.assert_array_equal(layer[schema.INPUT_CURRENT].values.swapaxes(0, 1), currents)
    assert layer.sizes[schema.SAMPLE] == n_samples


def forward(net, x):
    return net(x) if net.step_mode == "m" else torch.stack([net(step) for step in x])


@pytest.mark.parametrize("step_mode", ["s", "m"])
def test_attributes_say_how_the_neuron_fires_and_resets(step_mode):
    with Recorder(make("LIF", -0.2, False, step_mode), forward=forward) as recorder:
        hard = recorder.record(np.ones((1, 2, 1, 2, 2), f32))["LIFNode"].attrs
    with Recorder(make("IF", None, False, step_mode), forward=forward) as recorder:
        soft = recorder.record(np.ones((1, 2, 1, 2, 2), f32))["IFNode"].attrs
    assert (hard[schema.V_THRESHOLD], hard[schema.V_RESET]) == (0.3, -0.2)
    assert (hard[schema.FIRES_AT], hard[schema.FRAMEWORK]) == (">=", "spikingjelly")
    assert schema.V_RESET not in soft


@settings(max_examples=40, deadline=None)
@given(
    tau=st.floats(1.01, 20),
    threshold=st.floats(0.05, 2),
    reset=st.none() | st.floats(-1, 0.04),
    decay_input=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_lif_setting_is_read_to_the_bit(tau, threshold, reset, decay_input, seed):
    node = neuron.LIFNode(
        tau=tau, v_threshold=threshold, v_reset=reset, decay_input=decay_input, step_mode="m"
    )
    currents = np.random.default_rng(seed).normal(0.3, 1.0, (6, 2, 3, 2, 2)).astype(f32)
    with Recorder(node, quantities=QUANTITIES) as recorder:
        layer = recorder.record(currents.swapaxes(0, 1))["LIFNode"].to_dataset()
    potential, spikes = step_by_hand(node, currents)
    np.testing.assert_array_equal(layer[schema.SPIKE].values.swapaxes(0, 1), spikes)
    np.testing.assert_array_equal(layer[schema.MEMBRANE_POTENTIAL].values.swapaxes(0, 1), potential)


def test_exactly_at_the_threshold_a_neuron_fires():
    node = neuron.IFNode(v_threshold=0.5, step_mode="m")
    frames = np.array([0.5, np.nextafter(f32(0.5), f32(0))], f32).reshape(1, 1, 2, 1, 1)
    with Recorder(node) as recorder:
        spikes = recorder.record(frames)["IFNode"][schema.SPIKE].values
    assert spikes.ravel().tolist() == [1, 0]


def test_a_subclass_is_not_taken_for_its_parent():
    class Odd(neuron.LIFNode):
        pass

    with pytest.raises(RecordingError, match=r"spiking neuron of class .*Odd, which no adapter"):
        find_spiking_layers(torch.nn.Sequential(torch.nn.Linear(2, 2), Odd()))


@pytest.mark.parametrize(
    "node", [neuron.QIFNode(), neuron.KLIFNode(), neuron.LIAFNode(torch.relu, False)]
)
def test_other_spikingjelly_neurons_are_named_not_guessed(node):
    with pytest.raises(RecordingError, match=type(node).__name__):
        find_spiking_layers(torch.nn.Sequential(node))


def test_an_own_neuron_class_is_recognised_by_its_threshold():
    class MyNeuron(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.v_th = 1.0

    with pytest.raises(RecordingError, match="Register an adapter"):
        find_spiking_layers(torch.nn.Sequential(MyNeuron()))


def test_torch_threshold_and_non_spiking_neurons_are_no_spiking_neurons():
    network = torch.nn.Sequential(
        torch.nn.Threshold(0.1, 0.0), neuron.NonSpikingIFNode(), neuron.IFNode()
    )
    assert list(find_spiking_layers(network)) == ["2"]


def test_a_network_without_spiking_neurons_says_so():
    with pytest.raises(RecordingError, match="has no spiking neuron"):
        find_spiking_layers(torch.nn.Linear(2, 2))
