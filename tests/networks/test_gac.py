"""GAC's neuron, gate, encoder and MS-ResNets against plain forms of what is published."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from redundancy.errors import UsageError
from redundancy.networks import build_network
from redundancy.networks.gac import GatedAttention, GatedEncoder, SameConv2d
from redundancy.networks.ms_resnet import MembraneShortcutBlock
from redundancy.networks.per_call_lif import PerCallLIF

f32 = np.float32
TINY = {
    "gac-ms-resnet-18-cifar": {"n_classes": 3, "n_timesteps": 2, "widths": (4, 4, 6, 8)},
    "gac-ms-resnet-18": {"n_classes": 3, "n_timesteps": 2, "widths": (4, 4, 6, 8, 8)},
    "gac-ms-resnet-34": {"n_classes": 3, "n_timesteps": 2, "widths": (4, 4, 6, 8, 8)},
}


def tiny(name, **arguments):
    torch.manual_seed(3)
    network = build_network(name, input_size=(16, 16), **{**TINY[name], **arguments})
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):  # so that every layer has spikes
            nn.init.uniform_(module.weight, 0.8, 1.6)
            nn.init.uniform_(module.bias, 0.0, 0.6)
            nn.init.uniform_(module.running_var, 0.05, 0.2)
    return network.eval()


def images(n_timesteps=2, n_samples=2, size=16):
    image = torch.randn(1, n_samples, 3, size, size, generator=torch.Generator().manual_seed(0))
    return image.repeat(n_timesteps, 1, 1, 1, 1)


def step_by_hand(currents, threshold, decay):
    """Return spikes (time, ...) of the textbook neuron, in plain NumPy."""
    potential, spikes = np.zeros_like(currents[0]), []
    for current in currents:
        potential = potential * f32(decay) + current
        fired = potential > f32(threshold)
        potential = np.where(fired, f32(0), potential)
        spikes.append(fired)
    return np.stack(spikes)


class TestNeuron:
    @settings(max_examples=40)
    @given(
        threshold=st.floats(0.125, 2, width=32),
        decay=st.floats(0.0625, 1, width=32),
        time_axis=st.sampled_from([0, 1]),
        seed=st.integers(0, 2**32 - 1),
    )
    def test_it_fires_as_stepped_by_hand(self, threshold, decay, time_axis, seed):
        currents = np.random.default_rng(seed).normal(0.3, 1, (5, 3, 2, 4)).astype(f32)
        neuron = PerCallLIF(threshold, decay, time_axis=time_axis)
        spikes = neuron(torch.from_numpy(currents).movedim(0, time_axis)).movedim(time_axis, 0)
        np.testing.assert_array_equal(spikes.numpy(), step_by_hand(currents, threshold, decay))

    def test_exactly_at_the_threshold_it_stays_silent(self):
        at = torch.tensor([[0.5, np.nextafter(f32(0.5), f32(1))]])
        assert PerCallLIF(0.5, 0.25)(at).tolist() == [[0.0, 1.0]]

    def test_every_call_starts_from_zero(self):
        neuron = PerCallLIF(1.0, 0.5)
        x = torch.full((1, 4), 0.9)
        assert torch.equal(neuron(x), neuron(x))
        assert neuron(torch.cat([x, x])).tolist() == [[0.0] * 4, [1.0] * 4]

    @pytest.mark.parametrize(
        ("surrogate", "slopes"),
        [("triangle", [0.5, 1.0, 0.0]), ("rectangle", [0.0, 1.0, 0.0])],
    )
    def test_gradients_are_those_of_the_surrogate(self, surrogate, slopes):
        x = torch.tensor([[0.5, 1.0, 3.0]], requires_grad=True)
        PerCallLIF(1.0, 0.5, surrogate_gradient=surrogate)(x).sum().backward()
        assert x.grad.tolist() == [slopes]

    def test_a_detached_reset_lets_no_gradient_through_the_spike(self):
        gradients = []
        for detach in (True, False):
            x = torch.tensor([[1.0], [0.4]], requires_grad=True)
            PerCallLIF(1.0, 0.5, detach_reset=detach)(x)[1].sum().backward()
            gradients.append(x.grad[0].item())
        # dS2/dU2 = 0.9 at U2 = 0.9; U2 = 0.5 (1 - S1) U1 + X2 with S1 = 0, dS1/dU1 = 1.
        assert gradients == pytest.approx([0.9 * 0.5, 0.9 * 0.5 * (1 - 1)])

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"v_threshold": 0.0, "decay": 0.5}, "threshold greater than 0"),
            ({"v_threshold": 1.0, "decay": 1.5}, "decay in"),
            ({"v_threshold": 1.0, "decay": 0.5, "time_axis": 2}, "time_axis"),
            ({"v_threshold": 1.0, "decay": 0.5, "surrogate_gradient": "x"}, "triangle"),
        ],
    )
    def test_impossible_settings_are_refused(self, arguments, message):
        with pytest.raises(UsageError, match=message):
            PerCallLIF(**arguments)


class TestGate:
    @pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
    def test_it_equals_the_published_form(self):
        """TA as 1x1x1 convolutions over time, SCA by PyTorch's own "same" convolution."""
        torch.manual_seed(0)
        gate = GatedAttention(4, 6, time_axis=1)
        x = torch.randn(3, 4, 6, 5, 7)
        first, _, second = gate.temporal

        def shared(pooled):
            hidden = functional.conv3d(pooled, first.weight[..., None, None, None]).relu()
            return functional.conv3d(hidden, second.weight[..., None, None, None])

        temporal = shared(functional.adaptive_avg_pool3d(x, 1))
        temporal = temporal + shared(functional.adaptive_max_pool3d(x, 1))
        one, _, two = gate.spatial_channel
        flat = functional.conv2d(x.flatten(0, 1), one.weight, padding="same").relu()
        features = functional.conv2d(flat, two.weight, padding="same").view_as(x)
        expected = torch.sigmoid(temporal * features)
        torch.testing.assert_close(gate(x), expected, rtol=1e-5, atol=1e-6)

    def test_the_order_of_time_and_sample_changes_nothing(self):
        gates = [GatedAttention(4, 3, time_axis=axis) for axis in (0, 1)]
        gates[1].load_state_dict(gates[0].state_dict())
        x = torch.randn(4, 2, 3, 5, 5)
        torch.testing.assert_close(gates[0](x), gates[1](x.transpose(0, 1)).transpose(0, 1))

    def test_the_encoder_weighs_spikes_only(self):
        neuron = PerCallLIF(1.0, 0.5)
        gate = GatedAttention(2, 3)
        x = torch.randn(2, 2, 3, 4, 4) * 2
        with torch.no_grad():
            out, spikes = GatedEncoder(gate, neuron)(x), neuron(x)
        assert spikes.any()
        assert torch.equal(out != 0, spikes != 0)
        torch.testing.assert_close(out, gate(x) * spikes)
        assert 0 <= out.min().item() < out.max().item() < 1

    @pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
    @pytest.mark.parametrize("kernel", [1, 3, 4, (2, 5)])
    def test_same_convolution_is_pytorchs(self, kernel):
        conv = SameConv2d(2, 3, kernel, padding="same")
        x = torch.randn(2, 2, 6, 7)
        expected = functional.conv2d(x, conv.weight, conv.bias, padding="same")
        torch.testing.assert_close(conv(x), expected)

    def test_wrong_numbers_of_timesteps_are_refused(self):
        with pytest.raises(UsageError, match="at least 2"):
            GatedAttention(1, 3)
        with pytest.raises(UsageError, match="built for 4 timesteps on axis 0"):
            GatedAttention(4, 3)(torch.randn(2, 4, 3, 5, 5))
        with pytest.raises(UsageError, match="kernel_size"):
            GatedAttention(4, 3, kernel_size=0)


class TestNetworks:
    @pytest.mark.parametrize(
        ("name", "arguments", "published"),
        [
            ("gac-ms-resnet-18-cifar", {"n_classes": 10}, 12_633_198),
            ("gac-ms-resnet-18-cifar", {"n_classes": 100}, 12_679_368),
            ("gac-ms-resnet-18", {}, 11_824_824),
            ("gac-ms-resnet-34", {}, 21_932_984),
        ],
    )
    def test_parameters_are_as_many_as_published(self, name, arguments, published):
        def count(**more):
            with torch.device("meta"):
                network = build_network(name, **arguments, **more)
            return sum(parameter.numel() for parameter in network.parameters())

        n_timesteps = 6 if "cifar" in name else 4
        gate = 2 * 64 * 64 * 4 * 4 + 2 * n_timesteps * (n_timesteps // 2)
        assert count() == published
        assert count(encoder=False) == published - gate

    @pytest.mark.parametrize("encoder", [True, False])
    def test_the_cifar_network_equals_a_plain_form(self, encoder):
        network = tiny("gac-ms-resnet-18-cifar", encoder=encoder)
        frames = images()

        def spike(x):
            spikes = step_by_hand(x.detach().numpy().swapaxes(0, 1), 1.0, 0.5)
            return torch.from_numpy(spikes.swapaxes(0, 1).astype(f32))

        def each(module, x):
            return torch.stack([module(x[:, t]) for t in range(x.shape[1])], 1)

        x = each(network.bn1, each(network.conv1, frames.transpose(0, 1)))
        if encoder:
            x = spike(x) * network.encoder.gate(x)
        for layer in (network.layer1, network.layer2, network.layer3):
            for block in layer:
                currents = each(block.bn1, each(block.conv1, spike(x)))
                currents = each(block.bn2, each(block.conv2, spike(currents)))
                x = currents + (each(block.shortcut, x) if block.shortcut else x)
        expected = network.fc(spike(x).mean((-2, -1))).mean(1)
        with torch.no_grad():
            scores = network(frames)
        assert scores.shape == (2, 3)
        torch.testing.assert_close(scores, expected, rtol=1e-4, atol=1e-5)

    @pytest.mark.parametrize("name", sorted(TINY))
    @pytest.mark.parametrize("encoder", [True, False])
    def test_maps_shrink_as_published(self, name, encoder):
        network = tiny(name, encoder=encoder)
        sizes = {}
        for layer in [n for n, _ in network.named_children() if n.startswith("layer")]:
            getattr(network, layer).register_forward_hook(
                lambda module, x, out, layer=layer: sizes.__setitem__(layer, out.shape[-1])
            )
        with torch.no_grad():
            network(images())
        cifar = {"layer1": 16, "layer2": 8, "layer3": 4}
        imagenet = {"layer1": 4, "layer2": 2, "layer3": 1, "layer4": 1}
        assert sizes == (cifar if "cifar" in name else imagenet)

    def test_only_the_cifar_network_calls_its_neurons_twice(self):
        for name, shared in (("gac-ms-resnet-18-cifar", True), ("gac-ms-resnet-18", False)):
            network = tiny(name)
            # One object in the published network, but nothing passes between its calls there.
            assert network.encoder.neuron is not network.neuron
            blocks = [m for m in network.modules() if isinstance(m, MembraneShortcutBlock)]
            assert len(blocks) == 8
            assert all((b.neuron is b.second_neuron) == shared for b in blocks)

    def test_neurons_are_set_as_published(self):
        cifar = tiny("gac-ms-resnet-18-cifar").neuron
        imagenet = tiny("gac-ms-resnet-34").neuron
        assert (cifar.v_threshold, cifar.decay, cifar.time_axis) == (1.0, 0.5, 1)
        assert (imagenet.v_threshold, imagenet.decay, imagenet.time_axis) == (0.5, 0.25, 0)

    @pytest.mark.parametrize("name", sorted(TINY))
    def test_it_learns(self, name):
        """Gradients reach the stem and both attentions."""
        network = tiny(name, n_timesteps=4).train()
        network(images(n_timesteps=4, n_samples=3)).pow(2).sum().backward()
        gate = network.encoder.gate
        for weight in (network.conv1.weight, gate.temporal[0].weight, gate.spatial_channel[0]):
            weight = getattr(weight, "weight", weight)
            assert weight.grad.abs().sum() > 0

    def test_imagenet_blocks_start_as_their_shortcuts(self):
        torch.manual_seed(0)
        network = build_network("gac-ms-resnet-18", **TINY["gac-ms-resnet-18"])
        blocks = [m for m in network.modules() if isinstance(m, MembraneShortcutBlock)]
        assert all(not block.bn2.weight.any() for block in blocks)
        assert all((block.bn1.weight == 0.5).all() for block in blocks)

    @pytest.mark.parametrize("name", sorted(TINY))
    def test_sizes_that_make_no_network_are_refused(self, name):
        with pytest.raises(UsageError, match=f"{name} needs n_classes greater than 0"):
            build_network(name, n_classes=0)
        with pytest.raises(UsageError, match="at least 2"):
            build_network(name, n_timesteps=1)
        with pytest.raises(UsageError, match="widths"):
            build_network(name, widths="4,4")
