"""GAC's networks are analysed right: calls, potentials, operations and power."""

import warnings

import numpy as np
import pytest
import torch

import redundancy
from redundancy import schema
from redundancy.errors import RecordingError
from redundancy.inspection import inspect_network
from redundancy.networks.per_call_lif import PerCallLIF
from redundancy.recording import Recorder
from redundancy.stats.energy import SynapticOperations, energy_table
from tests.command_line import run_analyze
from tests.networks.test_gac import TINY, images, tiny
from tests.synaptic import Network, rows, synapses_of

f32 = np.float32
QUANTITIES = (schema.SPIKE, schema.MEMBRANE_POTENTIAL, schema.INPUT_CURRENT)


def frames_of(**options):
    return images(**options).transpose(0, 1).numpy()


def record(network, frames, quantities=QUANTITIES):
    with Recorder(network, quantities=quantities) as recorder:
        return recorder.record_nodes(frames)


def energies(network, frames, convention="effective"):
    state = SynapticOperations().observe(synapses_of(network, frames))
    return energy_table(state, convention=convention)


class TestCalls:
    def test_calls_of_one_neuron_are_layers_in_the_order_of_the_network(self):
        nodes = record(tiny("gac-ms-resnet-18-cifar"), frames_of())
        layers = [name for name in nodes if name not in schema.OTHER_NODES]
        blocks = [f"layer{i}.{j}.neuron" for i, n in ((1, 3), (2, 3), (3, 2)) for j in range(n)]
        called = [name for block in blocks for name in (block, f"{block}@1")]
        assert layers == ["encoder.neuron", *called, "neuron"]
        assert [nodes[name].attrs[schema.POSITION] for name in layers] == list(range(18))

    def test_calls_of_separate_neurons_have_names_of_their_own(self):
        nodes = record(tiny("gac-ms-resnet-18"), frames_of())
        layers = [name for name in nodes if name not in schema.OTHER_NODES]
        assert layers[:3] == ["encoder.neuron", "layer1.0.neuron", "layer1.0.second_neuron"]
        assert layers[-1] == "neuron"
        assert not any("@" in name for name in layers)

    @pytest.mark.parametrize("name", sorted(TINY))
    @pytest.mark.parametrize("encoder", [True, False])
    def test_every_layer_reads_its_own_call(self, name, encoder):
        """Potentials by hand from each call's currents; three samples, two timesteps."""
        network = tiny(name, encoder=encoder)
        nodes = record(network, frames_of(n_samples=3))
        threshold, decay = (1.0, 0.5) if "cifar" in name else (0.5, 0.25)
        seen = 0
        for layer in nodes:
            if layer in schema.OTHER_NODES:
                continue
            currents = nodes[layer][schema.INPUT_CURRENT].values
            carried = np.zeros_like(currents[:, 0])
            for time in range(2):
                potential = carried * f32(decay) + currents[:, time]
                fired = potential > f32(threshold)
                read = nodes[layer].isel({schema.TIME: time})
                np.testing.assert_array_equal(read[schema.MEMBRANE_POTENTIAL], potential)
                np.testing.assert_array_equal(read[schema.SPIKE], fired)
                carried = np.where(fired, f32(0), potential)
                seen += int(fired.sum())
            assert nodes[layer].attrs[schema.V_THRESHOLD] == threshold
            assert nodes[layer].attrs[schema.FIRES_AT] == ">"
            assert nodes[layer].attrs[schema.V_RESET] == 0
        assert seen > 100

    def test_first_and_last_layer(self):
        """The first sees the stem's currents, the last what the blocks made of them."""
        network = tiny("gac-ms-resnet-18-cifar")
        frames = frames_of()
        nodes = record(network, frames)
        with torch.no_grad():
            stem = network.bn1(network.conv1(torch.from_numpy(frames).flatten(0, 1)))
        stem = stem.unflatten(0, (2, 2)).numpy()
        np.testing.assert_allclose(nodes["encoder.neuron"][schema.INPUT_CURRENT], stem, rtol=1e-5)
        assert nodes["neuron"][schema.INPUT_CURRENT].shape == (2, 2, 8, 4, 4)
        last = torch.from_numpy(nodes["neuron"][schema.SPIKE].values).float()
        with torch.no_grad():
            scores = network.fc(last.mean((-2, -1))).mean(1)
        np.testing.assert_array_equal(nodes["/"][schema.PREDICTION], scores.argmax(1))

    def test_a_neuron_that_does_not_do_what_it_says_is_found(self):
        network = tiny("gac-ms-resnet-18-cifar")
        neuron = network.layer2[0].neuron
        with Recorder(network) as recorder:
            neuron.forward = lambda x: (x > 0.25).float()
            with pytest.raises(RecordingError, match=r"layer2\.0\.neuron.*outputs are not 1"):
                recorder.record_nodes(frames_of())

    def test_infinite_potentials_are_refused(self):
        # Finite currents that sum up to more than a float32 holds, downwards.
        network = Network(lambda net, x: net.neuron(x), neuron=PerCallLIF(1.0, 1.0))
        with pytest.raises(RecordingError, match="infinite membrane potentials"):
            record(network, np.full((1, 2, 1, 2, 2), -3e38, f32))

    def test_time_may_be_the_second_axis_in_a_network_of_ones_own(self):
        def run(net, x):
            return net.neuron(x.transpose(0, 1))

        network = Network(run, neuron=PerCallLIF(0.5, 0.5, time_axis=1))
        frames = frames_of(n_samples=3, n_timesteps=4)
        nodes = record(network, frames)
        np.testing.assert_array_equal(nodes["neuron"][schema.INPUT_CURRENT], frames)


def test_info_shows_whole_maps_where_time_and_sample_are_one_axis():
    network = tiny("gac-ms-resnet-18-cifar")
    rows = {row["name"]: row for row in inspect_network(network, (2, 3, 16, 16))}
    assert rows["conv1"]["output"] == rows["bn1"]["output"] == "4 x 16 x 16"
    assert rows["layer2.0.shortcut.0"]["output"] == "6 x 8 x 8"
    assert (rows["neuron"]["output"], rows["neuron"]["n_neurons"]) == ("8 x 4 x 4", 128)
    assert rows["neuron"]["detail"] == "fires at > 1, reset to 0"
    assert rows["encoder.gate.temporal.0"]["output"] == "1"


@pytest.mark.parametrize("name", sorted(TINY))
def test_info_shows_every_call_as_results_do(name, tmp_path):
    network = tiny(name)
    layers = inspect_network(network, (2, 3, 16, 16))
    called = [layer["name"] for layer in layers if layer["n_neurons"]]
    nodes = record(network, frames_of())
    assert called == [node for node in nodes if node not in schema.OTHER_NODES]
    for layer in layers:
        if layer["n_neurons"]:
            shape = nodes[layer["name"]][schema.SPIKE].shape[2:]
            assert layer["output"] == " x ".join(map(str, shape))
    assert sum(layer["parameters"] for layer in layers) == sum(
        parameter.numel() for parameter in network.parameters()
    )
    path = tmp_path / "net.pt"
    torch.save(network.state_dict(), path)
    given = [f"n_timesteps={network.encoder.gate.n_timesteps}", "input_size=16x16"]
    options = [part for value in given for part in ("--network-arg", value)]
    code, text, _ = run_analyze("info", path, *options)
    assert code == 0
    assert ("every call is\na layer of its own" in text) == ("cifar" in name)
    assert ("layer2.1.neuron@1 " in text) == ("cifar" in name)
    assert max(map(len, text.splitlines())) <= 100


def test_networks_with_and_without_the_encoder_have_the_same_last_layer():
    """So that a comparison holds like against like."""
    name = "gac-ms-resnet-18-cifar"
    calls = {
        encoder: list(record(tiny(name, encoder=encoder), frames_of())) for encoder in (True, False)
    }
    assert [node for node in calls[True] if node != "encoder.neuron"] == calls[False]


class TestOperations:
    def test_macs_and_acs_follow_what_comes_in(self):
        network = tiny("gac-ms-resnet-18-cifar", n_timesteps=4)
        table = energies(network, frames_of(n_timesteps=4))
        binary = rows(table, schema.IS_BINARY)
        macs, acs = rows(table, schema.MACS), rows(table, schema.ACS)
        spiking = [name for name in binary if name.endswith((".conv1", ".conv2"))]
        assert len(spiking) == 16
        for name in binary:
            assert bool(binary[name]) == (name in spiking), name
            assert (macs[name] == 0) == (name in spiking), name
            assert acs[name] > 0 if name in spiking else acs[name] == 0, name

    def test_layers_are_fed_by_calls_and_by_the_encoder(self):
        network = tiny("gac-ms-resnet-18-cifar")
        node = synapses_of(network, frames_of())
        fed_by = dict(zip(node[schema.SYNAPSE].values, node[schema.FED_BY].values, strict=True))
        role = dict(zip(node[schema.SYNAPSE].values, node[schema.ROLE].values, strict=True))
        assert fed_by["layer1.1.conv1"] == "layer1.1.neuron"
        assert fed_by["layer1.1.conv2"] == "layer1.1.neuron@1"
        assert fed_by["fc"] == "neuron"
        # Without a shortcut convolution, the encoder's output goes on as a current.
        assert set(fed_by["layer2.0.shortcut.0"].split(", ")) >= {
            "encoder.neuron",
            "encoder.gate.spatial_channel.2",
            "encoder.gate.temporal.2",
        }
        inside = {name for name in role if role[name] == "attention"}
        assert inside == {name for name in role if name.startswith("encoder.gate.")}

    @pytest.mark.parametrize("name", ["gac-ms-resnet-18-cifar", "gac-ms-resnet-18"])
    def test_sums_are_each_samples_own(self, name):
        """Also where an axis joins sample (outside) and time, as in the CIFAR network."""
        network, frames = tiny(name), frames_of(n_samples=3)
        together = synapses_of(network, frames)
        for sample in range(3):
            alone = synapses_of(network, frames[sample : sample + 1])
            for variable in (
                schema.INPUT_NONZERO,
                schema.INPUT_NONBINARY,
                schema.INPUT_ELEMENTS,
                schema.EFFECTIVE_OPERATIONS,
                schema.APPLICATIONS,
            ):
                np.testing.assert_array_equal(
                    together[variable].isel({schema.SAMPLE: sample}),
                    alone[variable].isel({schema.SAMPLE: 0}),
                    err_msg=variable,
                )

    def test_the_stem_and_the_encoder_cost_what_is_published(self):
        """0.543 mJ of the first convolution and 7.56 mJ of SCA, each applied once."""
        torch.manual_seed(0)
        network = redundancy.build_network(
            "gac-ms-resnet-18", n_timesteps=2, widths=(64, 4, 4, 4, 4), n_classes=3
        ).eval()
        table = energies(network, frames_of(n_samples=1, size=224), "spikformer")
        energy, flops = rows(table, schema.ENERGY), rows(table, schema.FLOPS)
        assert flops["conv1"] == 49 * 3 * 64 * 112 * 112
        assert energy["conv1"] / 1e9 == pytest.approx(0.543, abs=5e-4)
        spatial_channel = [f"encoder.gate.spatial_channel.{i}" for i in (0, 2)]
        once = 4.6 * sum(flops[name] for name in spatial_channel) / 1e9
        assert once == pytest.approx(7.56, abs=5e-3)
        # As executed, it is computed anew at each of the two timesteps.
        executed = sum(energy[name] for name in spatial_channel) / 1e9
        assert executed == pytest.approx(2 * once)


class Static:
    """Static images in memory, the same at every timestep."""

    name, location, split, n_classes = "static", None, "test", 3
    arguments: dict = {}  # noqa: RUF012
    frame_shape = (2, 3, 16, 16)

    def __init__(self, n_samples=5):
        self.frames = frames_of(n_samples=n_samples)

    def __len__(self):
        return len(self.frames)

    def batch(self, start, stop):
        labels = np.arange(start, stop) % 3
        return redundancy.datasets.Batch(start, self.frames[start:stop], labels)


class TestAnalysis:
    @pytest.mark.parametrize("name", ["gac-ms-resnet-18-cifar", "gac-ms-resnet-18"])
    def test_a_whole_analysis(self, name, tmp_path):
        network = tiny(name)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            results = redundancy.analyze(network, Static(), batch_size=2)
        whole = redundancy.analyze(network, Static(), batch_size=5)
        nodes = record(network, Static().frames)
        assert len(results.firing_rates) == 18
        for layer, rates in results.firing_rates.items():
            np.testing.assert_allclose(
                rates["n_sfr"], nodes[layer][schema.SPIKE].mean(schema.SAMPLE), atol=1e-12
            )
            np.testing.assert_array_equal(rates["n_sfr"], whole.firing_rates[layer]["n_sfr"])
        results.save(tmp_path / "results.nc")
        again = redundancy.load_results(tmp_path / "results.nc")
        assert list(again.firing_rates) == list(results.firing_rates)
        assert again.summary()["nasfr"] == results.summary()["nasfr"]

    def test_batch_normalisation_keeps_its_statistics(self):
        network = tiny("gac-ms-resnet-18")
        before = {key: value.clone() for key, value in network.state_dict().items()}
        redundancy.analyze(network.train(), Static(2), batch_size=2)
        after = network.state_dict()
        assert all(torch.equal(before[key], after[key]) for key in before)
        assert all(module.training for module in network.modules())
