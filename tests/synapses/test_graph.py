"""Where the inputs of synaptic layers come from, and what stands behind them."""

import numpy as np
import pytest
import torch
from spikingjelly.activation_based import layer
from torch import nn

from redundancy import schema
from redundancy.recording import Recorder
from tests.synaptic import Network, rows, small_network, spiking, synapses_of


@pytest.fixture
def frames():
    return np.random.default_rng(0).poisson(0.5, (3, 4, 2, 8, 8)).astype(np.float32)


def test_residual_paths_join(frames):
    def conv(inputs, outputs):
        return layer.Conv2d(inputs, outputs, 3, padding=1, step_mode="m")

    def run(n, x):
        stem = n.node1(n.conv1(x))
        block = n.node2(n.conv2(stem))
        x = n.conv3(n.pool(block + stem))
        return n.node3(x + n.conv4(x))

    network = Network(
        run,
        conv1=conv(2, 3), conv2=conv(3, 3), conv3=conv(3, 3), conv4=conv(3, 3),
        node1=spiking(), node2=spiking(), node3=spiking(),
        pool=layer.MaxPool2d(2, step_mode="m"),
    )  # fmt: skip
    node = synapses_of(network, frames)
    fed_by = rows(node, "fed_by")
    assert set(fed_by.pop("conv3").split(", ")) == {"node1", "node2"}
    assert fed_by == {"conv1": "input", "conv2": "node1", "conv4": "conv3"}
    assert node["source"].values.tolist() == ["input", "spikes", "spikes", "currents"]
    assert node["neuron_updates"].values.tolist() == [768, 768, 0, 192]


def test_a_layer_called_input_is_not_the_input(frames):
    network = Network(lambda n, x: n.node(n.output(n.input(x))), node=spiking())
    network.input = layer.Conv2d(2, 3, 3, step_mode="m")
    network.output = layer.Conv2d(3, 3, 3, step_mode="m")
    node = synapses_of(network, frames)
    assert rows(node, "fed_by") == {"input": "input", "output": "input"}
    assert rows(node, "source") == {"input": "input", "output": "currents"}


@pytest.mark.parametrize("step_mode", ["s", "m"])
def test_further_calls_of_a_neuron_have_the_recordings_names(frames, step_mode):
    network = Network(
        lambda n, x: n.node(n.conv2(n.node(n.conv1(x)))),
        conv1=layer.Conv2d(2, 2, 3, padding=1, step_mode=step_mode),
        conv2=layer.Conv2d(2, 2, 3, padding=1, step_mode=step_mode),
        readout=layer.Linear(1, 1, step_mode=step_mode),
        node=spiking(step_mode=step_mode),
    )  # fmt: skip
    run = network.run
    network.run = lambda n, x: n.readout(run(n, x).mean((-1, -2, -3), keepdim=True))
    with Recorder(network) as recorder:
        nodes = recorder.record_nodes(frames)
    fed_by = rows(nodes[schema.SYNAPSE_NODE], "fed_by")
    assert fed_by == {"conv1": "input", "conv2": "node", "readout": "node@1"}
    assert "node@1" in nodes


def test_further_calls_of_a_container_have_the_recordings_names_too(frames):
    network = Network(
        lambda n, x: n.conv2(n.container(n.conv1(n.container(x)))),
        container=layer.MultiStepContainer(spiking(step_mode="s")),
        conv1=layer.Conv2d(2, 2, 3, padding=1, step_mode="m"),
        conv2=layer.Conv2d(2, 2, 3, padding=1, step_mode="m"),
    )
    with Recorder(network) as recorder:
        nodes = recorder.record_nodes(frames)
    fed_by = rows(nodes[schema.SYNAPSE_NODE], "fed_by")
    assert fed_by == {"conv1": "container.0", "conv2": "container.0@1"}
    assert set(fed_by.values()) <= set(nodes)


def test_a_recurrent_layer_is_fed_by_its_own_neuron(frames):
    class Recurrent(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner, self.outer = nn.Linear(128, 6), nn.Linear(6, 6)
            self.node = spiking(step_mode="s")

        def forward(self, x):
            before = torch.zeros(len(x[0]), 6)
            outputs = []
            for step in x:
                before = self.node(self.inner(step.flatten(1)) + self.outer(before))
                outputs.append(before)
            return torch.stack(outputs)

    node = synapses_of(Recurrent(), frames, forward=lambda network, x: network(x))
    # Although at the first timestep nothing comes before it.
    assert rows(node, "fed_by") == {"inner": "input", "outer": "node"}
    assert set(node["fed_by_rule"].values) == {"autograd"}


@pytest.mark.parametrize("obstacle", ["no_grad", "detach", "numpy", "batch"])
def test_without_a_graph_the_order_of_calls_decides_and_says_so(frames, obstacle):
    def run(n, x):
        if obstacle == "batch":
            assert x.shape[1] > 1
        if obstacle == "numpy":
            x = torch.from_numpy(x.numpy())
        x = n.node1(n.conv1(x.detach()))
        return n.node2(n.conv2(x.detach()))

    network = Network(
        run,
        conv1=layer.Conv2d(2, 3, 3, step_mode="m"), node1=spiking(),
        conv2=layer.Conv2d(3, 3, 3, step_mode="m"), node2=spiking(),
    )  # fmt: skip
    forward = torch.no_grad()(lambda n, x: n(x)) if obstacle == "no_grad" else None
    node = synapses_of(network, frames, forward=forward)
    assert node["fed_by"].values.tolist() == ["input", "node1"]
    assert set(node["fed_by_rule"].values) == {"call order"}
    assert node["source"].values.tolist() == ["input", "spikes"]
    assert node["input_sum"][:, 0].values.tolist() == frames.sum((1, 2, 3, 4)).tolist()


def test_a_network_may_write_to_its_input(frames):
    network = Network(
        lambda n, x: n.node(n.conv(x.mul_(2.0))),
        conv=layer.Conv2d(2, 3, 3, step_mode="m"), node=spiking(),
    )  # fmt: skip
    # The recorder runs it twice on one input, so each run takes its own copy.
    node = synapses_of(network, frames, forward=lambda n, x: n(x.clone()))
    assert rows(node, "fed_by_rule") == {"conv": "autograd"}
    assert node["input_sum"][:, 0].values.tolist() == (2 * frames).sum((1, 2, 3, 4)).tolist()


def test_layers_inside_attention_are_told_apart(frames):
    node = synapses_of(small_network(attention="asa-1"), frames)
    roles, fed_by = rows(node, "role"), rows(node, "fed_by")
    inside = [name for name, role in roles.items() if role == "attention"]
    assert len(inside) == 9
    assert all(".attention." in name for name in inside)
    assert fed_by["conv2.attention.importance"] == "conv2.conv"
    # Attention does not come between a layer and the next.
    assert fed_by["conv2.conv"] == "conv1.neuron"
    assert rows(node, "neuron_updates")["conv1.conv"] == 4 * 4 * 64


def test_layers_count_as_often_as_they_run(frames):
    node = synapses_of(small_network(attention="asa-1"), frames).isel(sample=0)
    applications = rows(node, "applications")
    assert applications["conv1.attention.importance"] == 4  # once a channel
    assert applications["conv1.attention.first_attention"] == 1  # over all timesteps
    dense = rows(node, "dense_operations")
    assert dense["conv1.attention.importance"] == 4 * 4 * 4
    assert dense["conv1.attention.second_attention"] == 18 * 64


def test_weighed_features_are_counted_once(frames):
    weighed = rows(synapses_of(small_network(attention="asa-1"), frames), "rescale_elements")
    assert sum(weighed.values()) == 4 * 4 * (64 + 16 + 4)
