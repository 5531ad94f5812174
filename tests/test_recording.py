"""A recording is what the network did, and nothing is left behind."""

import numpy as np
import pytest
import torch
from spikingjelly.activation_based import functional, layer, neuron
from torch import nn

from redundancy import schema
from redundancy.errors import RecordingError, UsageError
from redundancy.recording import Recorder
from tests.toy import small_network

f32 = np.float32


@pytest.fixture
def frames():
    return np.random.default_rng(0).poisson(0.5, (3, 4, 2, 8, 8)).astype(f32)


def hook_count(network):
    return sum(
        len(module._forward_hooks) + len(module._forward_pre_hooks) for module in network.modules()
    )


class Calls(nn.Module):
    """Calls one neuron as often as told."""

    def __init__(self, node, n_uses=1):
        super().__init__()
        self.node, self.n_uses = node, n_uses

    def forward(self, x):
        for _ in range(self.n_uses):
            x = self.node(x) * 0.9
        return x


def test_one_batch_becomes_a_labelled_tree(frames):
    with Recorder(
        small_network(), quantities=(schema.SPIKE, schema.MEMBRANE_POTENTIAL)
    ) as recorder:
        tree = recorder.record(frames, labels=np.array([0, 2, 1]), start=6)
    assert list(tree.children) == [
        "input_frames", "synaptic_layers",
        "conv1.neuron", "conv2.neuron", "conv3.neuron", "fc1.neuron", "fc2.neuron",
    ]  # fmt: skip
    maps, vector = tree["conv2.neuron"], tree["fc1.neuron"]
    assert maps[schema.SPIKE].dims == ("sample", "time", "channel", "y", "x")
    assert maps[schema.SPIKE].shape == (3, 4, 4, 4, 4)
    assert vector[schema.MEMBRANE_POTENTIAL].dims == ("sample", "time", "channel")
    assert maps[schema.MEMBRANE_POTENTIAL].dtype == f32
    assert all(v.attrs["long_name"] and v.attrs["units"] for v in maps.data_vars.values())
    assert tree["sample"].values.tolist() == [6, 7, 8]
    assert tree["label"].values.tolist() == [0, 2, 1]
    np.testing.assert_array_equal(tree["input_frames"]["frames"], frames)


def test_predictions_are_those_of_the_bare_network(frames):
    network = small_network().eval()
    with torch.no_grad():
        bare = network(torch.from_numpy(frames).transpose(0, 1)).argmax(1).numpy()
    functional.reset_net(network)
    with Recorder(network) as recorder:
        np.testing.assert_array_equal(recorder.record(frames)["prediction"], bare)


def test_state_is_reset_for_every_batch(frames):
    with Recorder(small_network()) as recorder:
        first, second = recorder.record(frames), recorder.record(frames)
    for name in ("conv1.neuron", "fc2.neuron"):
        np.testing.assert_array_equal(first[name][schema.SPIKE], second[name][schema.SPIKE])


def test_network_is_left_as_it_was(frames):
    network = small_network().train()
    network.conv2.bn.eval()
    with Recorder(network) as recorder:
        recorder.record(frames)
        assert not network.training
    assert network.training
    assert not network.conv2.bn.training
    assert network.conv1.bn.training
    assert hook_count(network) == 0
    assert all(n.v == 0.0 for n in network.modules() if isinstance(n, neuron.LIFNode))


def test_network_is_left_as_it_was_after_an_exception(frames):
    network = small_network().train()

    def fail(*_):
        raise ZeroDivisionError

    handle = network.fc2.linear.register_forward_hook(fail)
    with pytest.raises(RecordingError, match="fails on these frames, with ZeroDivisionError"):
        with Recorder(network) as recorder:
            recorder.record(frames)
    handle.remove()
    assert network.training
    assert hook_count(network) == 0
    assert all(n.v == 0.0 for n in network.modules() if isinstance(n, neuron.LIFNode))


def test_single_step_networks_are_run_timestep_by_timestep(frames):
    network = small_network()
    with Recorder(network) as recorder:
        expected = recorder.record(frames)
    single = nn.Sequential(
        network.conv1.conv, network.conv1.bn, neuron.LIFNode(
            tau=1 / 0.7, decay_input=False, v_threshold=0.3
        ),
    )  # fmt: skip
    functional.set_step_mode(single, "s")
    with Recorder(single) as recorder:
        tree = recorder.record(frames)
    np.testing.assert_array_equal(tree["2"][schema.SPIKE], expected["conv1.neuron"][schema.SPIKE])


def test_multi_step_containers_group_their_calls(frames):
    bare = neuron.IFNode(v_threshold=1.0)
    container = layer.MultiStepContainer(neuron.IFNode(v_threshold=1.0))
    with Recorder(bare) as recorder:
        expected = recorder.record(frames)["IFNode"][schema.SPIKE]
    with Recorder(container) as recorder:
        tree = recorder.record(frames)
    names = [name for name in tree.children if name != schema.INPUT_NODE]
    assert len(names) == 1
    np.testing.assert_array_equal(tree[names[0]][schema.SPIKE], expected)


@pytest.mark.parametrize("step_mode", ["s", "m"])
def test_further_calls_of_one_neuron_are_layers_of_their_own(frames, step_mode):
    node = neuron.LIFNode(tau=2.0, v_threshold=0.5, step_mode=step_mode)
    network = Calls(node, n_uses=3)
    with Recorder(network, quantities=(schema.SPIKE, schema.INPUT_CURRENT)) as recorder:
        tree = recorder.record(frames)
    assert list(tree.children)[1:] == ["node", "node@1", "node@2"]
    for before, after in (("node", "node@1"), ("node@1", "node@2")):
        np.testing.assert_array_equal(
            tree[after][schema.INPUT_CURRENT], tree[before][schema.SPIKE] * f32(0.9)
        )


def test_inputs_given_by_keyword_are_seen(frames):
    class ByKeyword(nn.Module):
        def __init__(self):
            super().__init__()
            self.node = neuron.IFNode(step_mode="m")

        def forward(self, x):
            return self.node(x_seq=x)

    with Recorder(ByKeyword()) as recorder:
        assert int(recorder.record(frames)["node"][schema.SPIKE].sum()) > 0


def test_sums_that_overflow_are_no_infinite_potentials():
    frames = np.full((2, 3, 1, 8, 8), 3e37, f32)
    with Recorder(neuron.IFNode(step_mode="m")) as recorder:
        assert recorder.record(frames)["IFNode"][schema.SPIKE].values.all()


def test_random_networks_are_read_under_the_same_random_numbers(frames):
    class Noisy(nn.Module):
        def __init__(self):
            super().__init__()
            self.node = neuron.IFNode(step_mode="m")

        def forward(self, x):
            return self.node(x + torch.rand_like(x)).mean((0, 2, 3, 4))[:, None]

    with Recorder(Noisy()) as recorder:
        assert int(recorder.record(frames)["node"][schema.SPIKE].sum()) > 0


@pytest.mark.parametrize("shape", [(4, 2, 8, 8), (0, 4, 2, 8, 8)])
def test_frames_of_another_shape_are_a_usage_error(shape):
    with pytest.raises(UsageError, match=r"frames must be \(sample, time, channel, y, x\)"):
        with Recorder(small_network()) as recorder:
            recorder.record(np.zeros(shape, f32))


def test_state_without_a_reset_can_still_be_trained_on(frames):
    class Remembering(nn.Module):
        def __init__(self):
            super().__init__()
            self.node, self.scale = neuron.IFNode(step_mode="m"), nn.Parameter(torch.ones(()))

        def forward(self, x):
            self.last = self.node(x * self.scale).mean((0, 2, 3, 4))[:, None]
            return self.last

    network = Remembering()
    with Recorder(network) as recorder:
        recorder.record(frames)
    (network.last * network.scale).sum().backward()
    assert network.scale.grad is not None


@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA device here")
@pytest.mark.parametrize("attention", ["none", "asa-1"])
def test_a_network_on_a_gpu_is_read_and_verified_too(frames, attention):
    network = small_network(attention=attention).to("cuda")
    with Recorder(network, quantities=(schema.SPIKE, schema.MEMBRANE_POTENTIAL)) as recorder:
        tree = recorder.record(frames)
    assert int(tree["conv1.neuron"][schema.SPIKE].sum()) > 0


def test_an_unknown_quantity_is_a_usage_error():
    with pytest.raises(UsageError, match="quantities must be of spike"):
        Recorder(small_network(), quantities=("voltage",))


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_other_precisions_are_read_exactly_too(frames, dtype):
    network = small_network().to(dtype)
    recorder = Recorder(
        network,
        quantities=(schema.SPIKE, schema.MEMBRANE_POTENTIAL),
        forward=lambda net, x: net(x.to(dtype)),
    )
    with recorder:
        tree = recorder.record(frames)
    layer_ = tree["conv1.neuron"].to_dataset()
    above = layer_[schema.MEMBRANE_POTENTIAL].values >= layer_.attrs[schema.V_THRESHOLD]
    if dtype == torch.float64:
        np.testing.assert_array_equal(above, layer_[schema.SPIKE].values)
    assert int(layer_[schema.SPIKE].sum()) > 0
