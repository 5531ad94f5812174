"""Fused sweeps: the neuron's own spikes and state to the bit, the general path's states."""

import numpy as np
import pytest
import torch
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from spikingjelly.activation_based import neuron, surrogate
from torch import nn

from redundancy.datasets.base import Batch
from redundancy.errors import RecordingError
from redundancy.network_observer import NetworkObserver
from redundancy.networks import build_network
from redundancy.neurons import find_spiking_layers
from redundancy.observation import AnalysisOptions
from redundancy.recording import Recorder
from redundancy.schema import VERIFIED_BATCHES
from redundancy.stats.sweep import SweepBuilder
from redundancy.sweep_probe import SweepProbe

OPTIONS = {
    q: AnalysisOptions(quantity=q, n_replicates=5) for q in ("pre-fire", "input", "post-reset")
}


def batch(start, n_samples=4, n_timesteps=4, size=8, scale=1.0):
    frames = np.random.default_rng(start).poisson(0.5, (n_samples, n_timesteps, 2, size, size))
    labels = np.zeros(n_samples, np.int64)
    return Batch(
        frames=(scale * frames).astype(np.float32), labels=labels, recordings=None, start=start
    )


def small_network(name="lif-snn-3", **arguments):
    torch.manual_seed(3)
    return build_network(
        name, n_timesteps=4, input_size=(8, 8), widths=(4, 4, 6), hidden=5, n_classes=3,
        **arguments,
    )  # fmt: skip


def states(network, *, fused, options=None, n_batches=3):
    with NetworkObserver(network, options, fused=fused) as observer:
        found = [observer.observe(batch(4 * k)) for k in range(n_batches)]
        return found, observer.paths


class Alone(nn.Module):
    """A neuron behind a projection, so that there is something to feed it."""

    def __init__(self, spiking):
        super().__init__()
        self.neuron = spiking

    def forward(self, x):
        return self.neuron(x - 0.4).flatten(2)


def assert_identical(first, second):
    for one, other in zip(first, second, strict=True):
        assert set(one) == set(other)
        for name in one:
            # In how many batches a sweep was compared with its neuron is its own affair.
            pair = [
                n.drop_attrs().drop_vars(VERIFIED_BATCHES, errors="ignore")
                for n in (one[name], other[name])
            ]
            xr.testing.assert_identical(*pair)


@pytest.mark.parametrize("attention", ["none", "asa-1"])
@pytest.mark.parametrize("quantity", list(OPTIONS))
def test_both_paths_give_the_same_states_to_the_bit(attention, quantity):
    network = small_network(attention=attention)
    fused, paths = states(network, fused=True, options=OPTIONS[quantity])
    general, others = states(network, fused=False, options=OPTIONS[quantity])
    assert set(paths.values()) == {"fused"}
    assert set(others.values()) == {"general"}
    assert_identical(fused, general)
    assert fused[0]["conv1.neuron"].attrs["path"] == "fused"
    assert fused[2]["fc1.neuron"].attrs["path"] == "fused"
    assert general[2]["fc1.neuron"].attrs["path"] == "general"


KINDS = ("IFNode", "LIFNode", "ParametricLIFNode")


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(KINDS),
    st.floats(1.01, 9.0),
    st.booleans(),
    st.floats(-0.5, 2.0),
    st.one_of(st.none(), st.just(0.0), st.floats(-1.0, 0.5)),
    st.sampled_from([surrogate.ATan, surrogate.Rect, surrogate.Sigmoid]),
    st.sampled_from([(3,), (17,), (2, 3, 3), (3, 5, 7)]),
    st.integers(0, 1000),
)
def test_spikes_and_potential_are_the_neurons_own(
    kind, tau, decay_input, threshold, reset, gradient, shape, seed
):
    arguments = {
        "v_threshold": threshold, "v_reset": reset, "surrogate_function": gradient(),
        "step_mode": "m",
    }  # fmt: skip
    if kind == "LIFNode":
        arguments |= {"tau": tau, "decay_input": decay_input}
    if kind == "ParametricLIFNode":
        arguments |= {"init_tau": tau, "decay_input": decay_input}
    module = getattr(neuron, kind)(**arguments)
    (adapter,) = find_spiking_layers(module).values()
    probe = SweepProbe("n", module, adapter, (), adapter.describe(module), may_fuse=True)
    generator = torch.Generator().manual_seed(seed)
    currents = torch.randn((5, 3, *shape), generator=generator)
    with torch.no_grad():
        # The second call starts from the potential that the first one left.
        for _ in range(2):
            probe._same = None
            handles = list(probe.attach(iter(range(9))))
            spikes = module(currents)
            for handle in handles:
                handle.remove()
            assert probe._same
            assert set(spikes.unique().tolist()) <= {0.0, 1.0}


def test_the_network_is_as_it_was_afterwards():
    network = small_network()
    frames = torch.from_numpy(batch(0).frames).transpose(0, 1)
    states(network, fused=True)
    assert all("forward" not in vars(module) for module in network.modules())
    assert all(not module._forward_hooks for module in network.modules())
    network.eval()
    with torch.no_grad():
        assert torch.isfinite(network(frames)).all()


class Halved(neuron.LIFNode):
    pass


def test_other_neurons_take_the_general_path():
    lif = {"v_threshold": 0.3, "step_mode": "m"}
    watched = neuron.LIFNode(**lif)
    watched.register_forward_hook(lambda *_: None)
    stored = neuron.LIFNode(**lif, store_v_seq=True)
    single = neuron.LIFNode(v_threshold=0.3, step_mode="s")
    for module in (watched, stored, single):
        found, paths = states(Alone(module), fused=True)
        assert paths == {"neuron": "general"}
        general, _ = states(Alone(module), fused=False)
        assert_identical(found, general)


def test_a_neuron_whose_input_is_named_is_fused_as_it_says(monkeypatch):
    class Named(Alone):
        def forward(self, x):
            return self.neuron(x_seq=x - 0.4).flatten(2)

    network = Named(neuron.LIFNode(v_threshold=0.3, step_mode="m"))
    general, _ = states(network, fused=False)
    ran = []
    own = SweepBuilder.run_neuron
    monkeypatch.setattr(
        SweepBuilder, "run_neuron", lambda *args, **kwargs: ran.append(1) or own(*args, **kwargs)
    )
    found, paths = states(network, fused=True)
    assert paths == {"neuron": "fused"}
    assert_identical(found, general)
    # In the first batch the sweep is compared with the neuron; then it takes its place.
    assert len(ran) == 3


def test_a_module_that_is_called_twice_takes_the_general_path():
    class Twice(Alone):
        def forward(self, x):
            return self.neuron(self.neuron(x - 0.4) + x).flatten(2)

    network = Twice(neuron.IFNode(v_threshold=0.7, step_mode="m"))
    found, paths = states(network, fused=True)
    assert paths == {"neuron": "general"}
    assert {"neuron", "neuron@1"} <= set(found[2])


def test_double_precision_takes_the_general_path():
    network = Alone(neuron.LIFNode(v_threshold=0.3, step_mode="m"))
    found = []
    for fused in (True, False):
        with NetworkObserver(
            network, forward=lambda net, x: net(x.double()), fused=fused
        ) as observer:
            found.append([observer.observe(batch(4 * k)) for k in range(2)])
            assert observer.paths == {"neuron": "general"}
    assert_identical(*found)


def test_given_bins_the_first_batch_is_checked_and_the_same():
    network = small_network()
    with NetworkObserver(network) as observer:
        expected = [observer.observe(batch(0)), observer.observe(batch(4))]
        bins = observer.bins
    with NetworkObserver(network, bins=bins) as observer:
        assert set(observer.paths.values()) == {"general"}
        found = [observer.observe(batch(0))]
        assert set(observer.paths.values()) == {"fused"}
        found.append(observer.observe(batch(4)))
    assert_identical(expected, found)


def test_potentials_that_are_no_numbers_are_refused():
    network = small_network()
    with NetworkObserver(network) as observer:
        observer.observe(batch(0))
        assert set(observer.paths.values()) == {"fused"}
        with torch.no_grad():
            network.conv1.bn.bias[0] = torch.nan
        with pytest.raises(RecordingError, match=r"conv1.neuron.*NaN"):
            observer.observe(batch(4))
        assert all("forward" not in vars(module) for module in network.modules())


def test_a_recorder_replaces_nothing_unless_asked():
    with Recorder(small_network()) as recorder:
        recorder.record_nodes(batch(0).frames)
        assert set(recorder.paths.values()) == {"general"}
