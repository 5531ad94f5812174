"""Synaptic layers under observation: counted exactly, however run, and not disturbed."""

import warnings

import numpy as np
import pytest
import torch
import xarray as xr
from spikingjelly.activation_based import functional, layer, op_counter
from torch import nn

from redundancy import schema
from redundancy.recording import Recorder
from redundancy.recordings import RecordingFile, write_recording
from tests.synaptic import Network, rows, small_network, spiking, synapses_of

f32 = np.float32
PER_SAMPLE = (
    "input_elements", "input_nonzero", "input_nonbinary",
    "effective_operations", "dense_operations", "applications",
)  # fmt: skip


@pytest.fixture
def frames():
    return np.random.default_rng(0).poisson(0.5, (3, 4, 2, 8, 8)).astype(f32)


def test_inputs_are_those_of_the_neurons_before(frames):
    network = small_network()
    with Recorder(network) as recorder:
        nodes = recorder.record_nodes(frames)
    node = nodes[schema.SYNAPSE_NODE]
    np.testing.assert_array_equal(rows(node, "input_sum")["conv1.conv"], frames.sum((1, 2, 3, 4)))
    np.testing.assert_array_equal(
        rows(node, "input_nonzero")["conv1.conv"], (frames != 0).sum((1, 2, 3, 4))
    )
    np.testing.assert_array_equal(
        rows(node, "input_nonbinary")["conv1.conv"], (frames > 1).sum((1, 2, 3, 4))
    )
    spikes = nodes["conv1.neuron"][schema.SPIKE].values
    for variable in ("input_sum", "input_nonzero"):
        np.testing.assert_array_equal(rows(node, variable)["conv2.conv"], spikes.sum((1, 2, 3, 4)))
    assert not rows(node, "input_nonbinary")["conv2.conv"].any()
    fired = nodes["fc1.neuron"][schema.SPIKE].values.sum((1, 2))
    np.testing.assert_array_equal(rows(node, "effective_operations")["fc2.linear"], fired * 3)
    assert rows(node, "dense_operations")["fc1.linear"].tolist() == [4 * 16 * 5] * 3
    assert rows(node, "applications")["conv3.conv"].tolist() == [4] * 3
    assert node[schema.SAMPLE].values.tolist() == [0, 1, 2]


@pytest.mark.parametrize("attention", ["none", "asa-1"])
@pytest.mark.parametrize("n_samples", [2, 4])
def test_a_sample_counts_the_same_in_every_batch(attention, n_samples):
    """Also where samples, timesteps and channels are equally many."""
    frames = np.random.default_rng(1).poisson(0.5, (n_samples, 4, 2, 8, 8)).astype(f32)
    network = small_network(attention=attention)
    together = synapses_of(network, frames)
    for sample in range(n_samples):
        alone = synapses_of(network, frames[sample : sample + 1])
        for variable in PER_SAMPLE:
            np.testing.assert_array_equal(together[variable][sample], alone[variable][0])
        np.testing.assert_allclose(together["input_sum"][sample], alone["input_sum"][0], rtol=1e-5)


def network_of_mode(mode):
    """One network in a way of running it over time."""
    torch.manual_seed(2)
    conv, norm = layer.Conv2d(2, 3, 3, padding=1), layer.BatchNorm2d(3)
    readout, flatten = layer.Linear(3 * 64, 5), layer.Flatten()
    if mode == "containers":
        return nn.Sequential(
            layer.SeqToANNContainer(nn.Conv2d(2, 3, 3, padding=1), nn.BatchNorm2d(3)),
            layer.MultiStepContainer(spiking(step_mode="s")),
            layer.SeqToANNContainer(nn.Flatten(), nn.Linear(3 * 64, 5)),
            layer.MultiStepContainer(spiking(step_mode="s")),
        )
    network = nn.Sequential(
        conv, norm, spiking(step_mode="s"), flatten, readout, spiking(step_mode="s")
    )
    functional.set_step_mode(network, mode)
    return network


def same_weights(target, source):
    for own, other in zip(target.parameters(), source.parameters(), strict=True):
        own.data.copy_(other.data)
    return target


@pytest.mark.parametrize("mode", ["s", "containers"])
def test_every_way_through_time_counts_the_same(frames, mode):
    reference = network_of_mode("m")
    expected = synapses_of(reference, frames)
    node = synapses_of(same_weights(network_of_mode(mode), reference), frames)
    assert int(expected["input_nonzero"][:, 1].sum()) > 0
    for variable in (*PER_SAMPLE, "input_sum"):
        np.testing.assert_array_equal(node[variable], expected[variable])
    for coordinate in ("source", "fed_by_rule", "neuron_updates", "batch_norm_elements"):
        np.testing.assert_array_equal(node[coordinate], expected[coordinate])
    assert expected["neuron_updates"].values.tolist() == [4 * 192, 4 * 5]
    assert expected["batch_norm_elements"].values.tolist() == [4 * 192, 0]
    assert set(node["fed_by_rule"].values) == {"autograd"}


def test_a_layer_called_twice_sums_over_its_calls(frames):
    network = Network(
        lambda n, x: n.second(n.conv(n.first(n.conv(x)))),
        conv=layer.Conv2d(2, 2, 3, padding=1, step_mode="m"), first=spiking(), second=spiking(),
    )  # fmt: skip
    with Recorder(network) as recorder:
        nodes = recorder.record_nodes(frames)
    node = nodes[schema.SYNAPSE_NODE]
    assert node["applications"].values.tolist() == [[8]] * 3
    assert node["dense_operations"].values.tolist() == [[8 * 9 * 64 * 4]] * 3
    spikes = nodes["first"][schema.SPIKE].values.sum((1, 2, 3, 4))
    np.testing.assert_array_equal(node["input_sum"][:, 0].values, frames.sum((1, 2, 3, 4)) + spikes)
    assert node["fed_by"].values.tolist() == ["input, first"]
    assert node["source"].values.tolist() == ["input"]


def test_a_layer_that_is_never_called_counts_nothing(frames):
    network = Network(
        lambda n, x: n.node(n.conv(x)),
        unused=nn.Conv2d(2, 2, 3), conv=layer.Conv2d(2, 2, 3, step_mode="m"), node=spiking(),
    )  # fmt: skip
    node = synapses_of(network, frames)
    assert node[schema.SYNAPSE].values.tolist() == ["unused", "conv"]
    assert not any(node[variable][:, 0].any() for variable in PER_SAMPLE)
    assert node["call_position"].values.tolist() == [-1, 0]
    assert node["fed_by"].values.tolist() == ["", "input"]


def test_a_network_without_synaptic_layers_has_no_such_node(frames):
    with Recorder(spiking()) as recorder:
        assert schema.SYNAPSE_NODE not in recorder.record_nodes(frames)


def test_operations_on_all_samples_at_once_count_for_each(frames):
    """As if each sample were alone in its batch."""
    network = Network(
        lambda n, x: n.node(n.conv(x) * n.gate(x.mean((0, 1, 3, 4))).sigmoid().mean()),
        conv=layer.Conv2d(2, 3, 3, step_mode="m"), gate=nn.Linear(2, 4), node=spiking(),
    )  # fmt: skip
    node = synapses_of(network, frames)
    assert rows(node, "dense_operations")["gate"].tolist() == [8, 8, 8]
    assert rows(node, "applications")["gate"].tolist() == [1, 1, 1]


@pytest.mark.parametrize("mode", [torch.no_grad, torch.enable_grad, torch.inference_mode])
def test_the_gradient_mode_changes_nothing(frames, mode):
    network = small_network(attention="asa-1")
    expected = synapses_of(network, frames)
    inside = synapses_of(network, frames, forward=mode()(lambda n, x: n(x)))
    with mode():
        outside = synapses_of(network, frames)
    for node in (inside, outside):
        for variable in (*PER_SAMPLE, "input_sum"):
            np.testing.assert_array_equal(node[variable], expected[variable])
    xr.testing.assert_identical(outside, expected)
    assert set(outside["fed_by_rule"].values) == {"autograd"}


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_other_precisions_count_too(frames, dtype):
    network = small_network().to(dtype)
    node = synapses_of(network, frames, forward=lambda n, x: n(x.to(dtype)))
    np.testing.assert_array_equal(node["input_sum"][:, 0], frames.sum((1, 2, 3, 4)))
    # What float32 would take for 0 or 1 is neither.
    if dtype == torch.float64:
        network = Network(
            lambda n, x: n.node(n.fc(x.flatten(2))), fc=nn.Linear(128, 2), node=spiking()
        ).double()
        node = synapses_of(
            network, np.ones_like(frames), forward=lambda n, x: n(x.double() + 1e-12)
        )
        assert node["input_nonbinary"].values.tolist() == [[512]] * 3


def test_the_traced_run_leaves_no_trace(frames):
    class Noisy(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc, self.node = nn.Linear(128, 3), spiking()

        def forward(self, x):
            return self.node(self.fc(x.flatten(2)) + torch.rand(3))

    network = Noisy()
    torch.manual_seed(5)
    with Recorder(network) as recorder:
        first = recorder.record_nodes(frames)["node"][schema.SPIKE].values
    with Recorder(network) as recorder:
        recorder._synapses.trace(torch.from_numpy(frames).transpose(0, 1))
        torch.manual_seed(5)
        second = recorder.record_nodes(frames)["node"][schema.SPIKE].values
    np.testing.assert_array_equal(first, second)
    assert all(not m._forward_hooks and not m._forward_pre_hooks for m in network.modules())
    assert all(parameter.grad is None for parameter in network.parameters())
    assert network.node.v == 0.0


def test_the_node_survives_a_recording_on_disk(tmp_path):
    frames = np.random.default_rng(0).poisson(0.5, (5, 4, 2, 8, 8)).astype(f32)
    network = small_network(attention="asa-1")
    with Recorder(network) as recorder, warnings.catch_warnings():
        warnings.simplefilter("error")
        parts = [
            recorder.record_nodes(frames[start : start + 2], start=start) for start in (0, 2, 4)
        ]
        write_recording(tmp_path / "run.zarr", iter(parts), {"network": "n"})
        (read,) = RecordingFile(tmp_path / "run.zarr").batches(10)
    whole = xr.concat([part[schema.SYNAPSE_NODE] for part in parts], schema.SAMPLE)
    xr.testing.assert_identical(read[schema.SYNAPSE_NODE], whole)


class TestSpikingJellysCounters:
    """Its AC counter counts as we do; its MAC counter, densely."""

    @pytest.fixture
    def counted(self, frames):
        network = small_network().eval()
        with torch.no_grad():  # weights of 0 and 1 it would take for spikes
            for parameter in network.parameters():
                parameter += 0.01
        counters = [op_counter.MACCounter(), op_counter.ACCounter(), op_counter.SynOpCounter()]
        with torch.no_grad(), op_counter.DispatchCounterMode(counters):
            network(torch.from_numpy(frames).transpose(0, 1))
        functional.reset_net(network)
        totals = []
        for counter in counters:
            totals.append(
                {
                    scope.partition(".")[2]: sum(
                        number
                        for operation, number in operations.items()
                        if "convolution" in str(operation) or "addmm" in str(operation)
                    )
                    for scope, operations in counter.get_counts().items()
                }
            )
        return synapses_of(network, frames).sum("sample"), totals

    @pytest.mark.parametrize("name", ["conv2.conv", "fc1.linear", "fc2.linear"])
    def test_accumulates_of_binary_inputs_agree(self, counted, name):
        node, (macs, acs, synops) = counted
        assert not rows(node, "input_nonbinary")[name]
        expected = rows(node, "effective_operations")[name]
        assert acs[name] == synops[name] == expected
        assert macs.get(name, 0) == 0

    def test_its_macs_are_dense_ours_are_those_that_are_not_zero(self, counted):
        node, (macs, acs, _) = counted
        assert rows(node, "input_nonbinary")["conv1.conv"]
        assert macs["conv1.conv"] == rows(node, "dense_operations")["conv1.conv"]
        assert acs.get("conv1.conv", 0) == 0
        assert 0 < rows(node, "effective_operations")["conv1.conv"] < macs["conv1.conv"]

    def test_under_inference_mode_it_counts_nothing_and_we_the_same(self, frames):
        network = small_network().eval()
        counter = op_counter.SynOpCounter()
        with torch.inference_mode(), op_counter.DispatchCounterMode([counter]):
            network(torch.from_numpy(frames).transpose(0, 1))
        functional.reset_net(network)
        assert counter.get_total() == 0
        assert int(synapses_of(network, frames)["effective_operations"].sum()) > 0
