"""Networks that do what users' networks do end in their own count, or in one sentence."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from spikingjelly.activation_based import encoding, layer
from torch import nn

import redundancy
from redundancy import schema
from redundancy.errors import RecordingError, UsageError
from redundancy.networks import build_network
from redundancy.neurons import NEURON_ADAPTERS, qualified_name
from redundancy.recording import Recorder
from redundancy.stats.energy_inputs import uncounted_operations
from tests.bad_networks import ChannelNeuronAdapter
from tests.honesty.odd_network_cases import CASES
from tests.honesty.odd_networks import Events, Three, analysed, faults, lif

OPTIONS = redundancy.AnalysisOptions(n_replicates=10)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.kind}: {case.name}")
@pytest.mark.filterwarnings("ignore")
def test_numbers_are_right_or_there_is_a_sentence(case):
    for fused in (True, False):
        outcome = analysed(case, fused)
        assert faults(case, outcome) == [], f"fused={fused}"
        assert outcome.sentence is None or "\n" not in outcome.sentence


# --- random networks


class Dropping(Three):
    def first(self, x):
        return self.note("n1", self.n1(nn.functional.dropout(self.c1(x), 0.5, training=True)))


class OwnGenerator(Three):
    def __init__(self):
        super().__init__()
        self.random = np.random.default_rng(0)

    def first(self, x):
        return self.note("n1", self.n1(self.c1(x) * self.random.random()))


class NumPyGenerator(Three):
    def first(self, x):
        return self.note("n1", self.n1(self.c1(x) * (1 + np.random.random())))  # noqa: NPY002


class Encoded(Three):
    def __init__(self):
        super().__init__()
        self.encoder = encoding.PoissonEncoder(step_mode="m")

    def forward(self, x):
        return super().forward(self.encoder(x * 0.3))


@pytest.mark.parametrize("build", [Dropping, NumPyGenerator, Encoded])
def test_random_networks_are_warned_of_and_repeat(build):
    def results(seed=0, part=None, network=None):
        with pytest.warns(UserWarning, match=f"draws random numbers .* with seed {seed}"):
            return redundancy.analyze(
                network or build(), Events(), batch_size=2, part=part,
                options=redundancy.AnalysisOptions(n_replicates=10, seed=seed),
            )  # fmt: skip

    torch.manual_seed(1)
    first = results()
    torch.manual_seed(2)
    torch.rand(5)
    second = results()
    for name in first.layers:
        np.testing.assert_array_equal(
            first.layers[name][schema.SPIKE_COUNT], second.layers[name][schema.SPIKE_COUNT]
        )
    assert first.summary()["draws_random_numbers"] is True
    assert first.summary()["random_seed"] == 0
    # Derived from the samples, so that whoever runs a part of them gets the same.
    from redundancy.sharding.plan import Part

    parts = [results(part=Part(i, 2)) for i in (1, 2)]
    assert sum(part.n_spikes for part in parts) == first.n_spikes
    assert results(seed=7).n_spikes != first.n_spikes
    # The generators of the process are left as they were.
    network = build()
    torch.manual_seed(3)
    expected = torch.rand(3)
    torch.manual_seed(3)
    results(network=network)
    assert torch.equal(torch.rand(3), expected)


def test_a_generator_of_the_networks_own_is_state_that_stays():
    with pytest.raises(RecordingError, match="does not do the same again"):
        redundancy.analyze(OwnGenerator(), Events(), batch_size=2)


# --- no false alarm


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("lif-snn-3", {}),
        *[("lif-snn-3", {"attention": a}) for a in ("asa-1", "asa-2", "sa", "tcsa")],
        ("lif-snn-3", {"attention": "asa-1", "mask": "straight-through"}),
        ("lif-snn-3", {"attention": "asa-1", "mask": "batch-union"}),
        ("sew-resnet-18", {"widths": (4, 4, 4, 4)}),
    ],
)
def test_our_own_networks_are_complete(name, arguments):
    torch.manual_seed(0)
    small = {"widths": (4, 4, 6), "hidden": 5} if name == "lif-snn-3" else {}
    size = (16, 16) if name == "sew-resnet-18" else (8, 8)
    network = build_network(
        name, n_timesteps=4, input_size=size, n_classes=3, **{**small, **arguments}
    )
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="draws random|was never called")
        results = redundancy.analyze(network, Events(size=size[0]), batch_size=3, options=OPTIONS)
    assert {source["how"].partition(" ")[0] for source in results.spike_sources} == {"read"}
    assert len(results.spike_sources) == len(results.layers)


# --- what is said of it


class Linear(Three):
    """Its last layer, and a product of its spikes, are functions and no modules."""

    def last(self, x):
        flat = x.flatten(2)
        weights = flat @ flat.transpose(1, 2)
        return self.note("n3", self.n3(torch.einsum("tnf,cf->tnc", weights @ flat, self.fc.weight)))


def test_what_the_energy_table_does_not_see_is_named():
    results = redundancy.analyze(Linear(), Events(), batch_size=2, options=OPTIONS)
    named = uncounted_operations(results.synapses.attrs)
    assert sum("of two activations in Linear (test_networks.py:" in text for text in named) >= 1
    assert any("two activations" not in text for text in named)
    plain = redundancy.analyze(Three(), Events(), batch_size=2, options=OPTIONS)
    assert uncounted_operations(plain.synapses.attrs) == []


def test_results_say_how_the_network_was_called_and_verified(tmp_path):
    path = tmp_path / "results.nc"
    results = redundancy.analyze(Three(), Events(n_samples=9), batch_size=2, options=OPTIONS)
    results.save(path)
    summary = redundancy.load_results(path).summary()
    assert summary["calling_convention"] == "sequence, time first"
    assert summary["output_axes"] == "sample, class"
    assert [source["name"] for source in summary["spike_sources"]] == ["n1", "n2", "n3"]
    # The first and the last batch, and one every hundred samples.
    assert summary["verified_batches"]["n1"] == {"verified": 2, "of": 5}
    general = redundancy.analyze(
        Three(), Events(n_samples=9), batch_size=2, options=OPTIONS, fused=False
    )
    assert general.verified_batches["n1"] == (5, 5)


def test_ignored_layers_are_recorded_and_must_exist():
    class Masked(Three):
        def __init__(self):
            super().__init__()
            self.gate = nn.Sequential(layer.Conv2d(4, 4, 1, step_mode="m"), Gate())

        def second(self, x):
            return self.note("n2", self.n2(self.c2(x) * self.gate(x)))

    class Gate(nn.Module):
        def forward(self, x):
            return (x > 0).float()

    def options(*names):
        return redundancy.AnalysisOptions(n_replicates=10, ignore_layers=names)

    with pytest.raises(RecordingError, match=r"'gate.1' \(Gate.* --ignore-layer"):
        redundancy.analyze(Masked(), Events(), options=OPTIONS)
    results = redundancy.analyze(Masked(), Events(), options=options("gate.1"))
    assert results.summary()["ignored_layers"] == ["gate.1"]
    assert {"name": "gate.1", "kind": "Gate", "how": "ignored"} in results.spike_sources
    with pytest.raises(UsageError, match=r"no module 'gate.2' to ignore .* did you mean gate.1"):
        redundancy.analyze(Masked(), Events(), options=options("gate.2"))
    with pytest.raises(UsageError, match="layer 'n1' is a neuron that is read"):
        redundancy.analyze(Masked(), Events(), options=options("gate.1", "n1"))


# --- the contract of a neuron includes its reset


class Kept(nn.Module):
    """A neuron whose potential nothing brings back."""

    v_threshold, step_mode = 0.5, "m"

    def __init__(self):
        super().__init__()
        self.v = 0.0

    def step(self, x):
        u = 0.5 * self.v + x
        spikes = (u >= self.v_threshold).to(x)
        self.v = u * (1 - spikes)
        return u, spikes

    def forward(self, x):
        return torch.stack([self.step(current)[1] for current in x])


class KeptAdapter(ChannelNeuronAdapter):
    def reset(self, module):
        """Forget to bring it back."""

    def replay(self, module, currents, potential):
        again = Kept()
        again.v = potential
        for current in currents:
            u, spikes = again.step(current)
            yield u, spikes, again.v


class ResettingAdapter(KeptAdapter):
    def reset(self, module):
        module.v = 0.0


class WithoutReset(KeptAdapter):
    reset = None


def kept():
    torch.manual_seed(0)
    return Three(Kept)


@pytest.mark.parametrize(
    ("adapter", "sentence"),
    [
        (KeptAdapter, "layer 'n1' .Kept. carries another membrane potential after a reset"),
        (WithoutReset, "the neuron adapter WithoutReset has no reset; an adapter needs all"),
    ],
)
def test_a_neuron_that_is_not_reset_is_refused(monkeypatch, adapter, sentence):
    monkeypatch.setitem(NEURON_ADAPTERS._entries, qualified_name(Kept), adapter)
    with pytest.raises(RecordingError, match=sentence):
        redundancy.analyze(kept(), Events(), options=OPTIONS)


def test_rates_of_a_neuron_that_its_adapter_resets_depend_on_no_batch_size(monkeypatch):
    monkeypatch.setitem(NEURON_ADAPTERS._entries, qualified_name(Kept), ResettingAdapter)
    found = [
        redundancy.analyze(kept(), Events(), batch_size=size, options=OPTIONS).n_spikes
        for size in (1, 2, 6)
    ]
    assert len(set(found)) == 1


# --- what is recorded is not what the network does to it afterwards


def test_what_is_recorded_is_not_written_to_afterwards():
    class Writes(Three):
        def forward(self, x):
            u = self.c1(x.clamp_(max=1))
            a = self.n1(u)
            u.zero_()
            b = self.second(a.clone())
            a.fill_(1)
            return self.last(b)

    network, data = Writes(), Events()
    before = data.frames.copy()
    with Recorder(network, quantities=(schema.SPIKE, schema.INPUT_CURRENT)) as recorder:
        tree = recorder.record(data.frames[:2])
    with torch.no_grad():
        expected = network.c1(torch.from_numpy(before[:2]).clamp(max=1).transpose(0, 1))
    np.testing.assert_array_equal(
        tree["n1"][schema.INPUT_CURRENT].values, expected.transpose(0, 1).numpy()
    )
    assert not tree["n1"][schema.SPIKE].values.all()
    np.testing.assert_array_equal(data.frames, before)
    np.testing.assert_array_equal(tree["input_frames"]["frames"].values, before[:2])


def test_buffers_are_what_they_were_afterwards():
    class Training(Three):
        def __init__(self):
            super().__init__()
            self.bn = layer.BatchNorm2d(4, step_mode="m")

        def first(self, x):
            self.bn.train()
            return self.n1(self.bn(self.c1(x)))

    network = Training()
    with pytest.raises(RecordingError, match=r"changes its own 'bn\.running_mean'"):
        redundancy.analyze(network, Events(), options=OPTIONS)
    assert not network.bn.running_mean.any()
    assert int(network.bn.num_batches_tracked) == 0


# --- a fused sweep is compared with its neuron again


def test_a_sweep_that_goes_wrong_later_is_noticed(monkeypatch):
    from redundancy.stats.sweep import SweepBuilder

    own, runs = SweepBuilder.run_neuron, []

    def run(self, neuron, currents, carried, output):
        own(self, neuron, currents, carried, output)
        runs.append(1)
        if len(runs) > 9:
            output[0, -1] = 1 - output[0, -1]

    monkeypatch.setattr(SweepBuilder, "run_neuron", run)
    with pytest.raises(RecordingError, match="does not do in this batch what the fused sweep"):
        redundancy.analyze(Three(lif), Events(), batch_size=2, options=OPTIONS)
