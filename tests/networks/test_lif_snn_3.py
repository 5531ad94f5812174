from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from spikingjelly.activation_based import functional, neuron
from torch import Tensor, nn

from redundancy.errors import UsageError
from redundancy.networks import (
    NETWORKS,
    build_network,
    complete_arguments,
    network_arguments,
    network_summary,
)
from redundancy.networks.asa import ASA1, AdvanceSpatialAttention
from redundancy.networks.attention import ATTENTIONS
from tests.toy import tiny_network_arguments


def count_parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def one_neuron(**arguments: Any) -> nn.Module:
    """Return the network's own neuron, in float64."""
    network = build_network("lif-snn-3", **tiny_network_arguments(**arguments))
    spiking = network.fc2.neuron.double()
    assert isinstance(spiking, nn.Module)
    return spiking


@pytest.mark.parametrize(
    ("arguments", "n_parameters"),
    [
        ({}, 2_323_531),
        ({"attention": "asa-1"}, 2_323_531 + 10_914),
        ({"attention": "asa-1", "reduction": 4}, 2_323_531 + 5_514),
        ({"attention": "asa-2"}, 2_323_531 + 114),
        ({"attention": "sa"}, 2_323_531 + 294),
        ({"attention": "tcsa"}, 2_323_531 + 24_126),
        ({"n_classes": 20}, 2_325_844),
        ({"widths": (32, 32, 32), "n_classes": 20}, 548_980),
        ({"widths": (32, 32, 32)}, 546_667),
    ],
)
def test_it_has_the_parameters_of_the_paper(arguments: dict[str, Any], n_parameters: int) -> None:
    assert count_parameters(build_network("lif-snn-3", **arguments)) == n_parameters


def test_texts_and_values_build_the_same_network() -> None:
    values = build_network("lif-snn-3", input_size=(16, 24), widths=(4, 5, 6), decay=0.4)
    texts = build_network("lif-snn-3", input_size="16x24", widths="4,5,6", decay="0.4")
    assert repr(values) == repr(texts)
    assert values.training


def test_defaults_are_the_paper_s() -> None:
    assert complete_arguments("lif-snn-3", {"n_classes": "20"}) == {
        "n_classes": 20,
        "n_timesteps": 60,
        "attention": "none",
        "input_size": (32, 32),
        "input_channels": 2,
        "widths": (64, 128, 128),
        "hidden": 256,
        "v_threshold": 0.3,
        "decay": 0.3,
        "reduction": 1,
        "mask": "per-sample",
        "dropout": (0.0,) * 5,
        "surrogate_gradient": "rectangle",
    }
    assert network_arguments("lif-snn-3") == complete_arguments("lif-snn-3", {})


def test_every_network_says_what_it_is_in_a_line() -> None:
    for name in NETWORKS:
        assert 20 < len(network_summary(name)) < 100


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_class": 3}, r"no argument 'n_class'.*Did you mean 'n_classes'\?"),
        ({"widths": "64,128"}, "'widths' takes a value like 64,128,128"),
        (
            {"attention": "asa-9"},
            "attention must be one of none, asa-1, asa-2, sa, tcsa, got 'asa-9'",
        ),
        ({"mask": "union"}, "mask must be one of per-sample, batch-union, straight-through, got"),
        ({"dropout": (0, 0, 0, 0, 1.0)}, "dropout of at least 0 and less than 1, got 1.0"),
        (
            {"surrogate_gradient": "relu"},
            "surrogate_gradient must be one of rectangle, arctan, got 'relu'",
        ),
        ({"decay": 1.0}, "decay must lie strictly between 0 and 1"),
        ({"decay": float("nan")}, "'decay' takes a value like 0.3"),
        ({"input_size": "3x32"}, "at least 4 x 4, got 3 x 32"),
        ({"attention": "asa-1", "reduction": 61}, "reduction must lie between 1 and n_timesteps"),
    ],
)
def test_arguments_that_make_no_network_are_refused(
    arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        build_network("lif-snn-3", **arguments)


@pytest.mark.parametrize("value", [0, -1])
@pytest.mark.parametrize(
    "name", ["n_classes", "n_timesteps", "hidden", "input_channels", "widths", "v_threshold"]
)
def test_sizes_and_threshold_must_be_positive(name: str, value: int) -> None:
    argument = (4, value, 6) if name == "widths" else value
    with pytest.raises(UsageError, match=name):
        build_network("lif-snn-3", **{name: argument})


def test_an_unknown_network_lists_the_known() -> None:
    with pytest.raises(
        UsageError,
        match=r"no network named 'lif-snn3'; known: .*lif-snn-3.*Did you mean 'lif-snn-3'",
    ):
        build_network("lif-snn3")


@pytest.mark.parametrize(
    "size",
    [(8, 8), (34, 34), (4, 5), (7, 12)],
    ids=lambda size: f"{size[0]}x{size[1]}",
)
@pytest.mark.parametrize("attention", ATTENTIONS)
def test_the_output_is_a_rate_for_every_class(size: tuple[int, int], attention: str) -> None:
    torch.manual_seed(0)
    network = build_network("lif-snn-3", **tiny_network_arguments(size=size, attention=attention))
    x = torch.poisson(torch.full((5, 3, 2, *size), 0.5))
    rates = network(x)
    assert rates.shape == (3, 3)
    # Rates are counts of 0/1 spikes over five timesteps.
    assert torch.equal(5 * rates, (5 * rates).round())
    assert rates.min() >= 0
    assert rates.max() <= 1


def test_attention_sits_in_every_convolutional_layer() -> None:
    network = build_network("lif-snn-3", **tiny_network_arguments(attention="asa-1"))
    assert [name for name, module in network.named_modules() if isinstance(module, ASA1)] == [
        f"conv{n}.attention" for n in (1, 2, 3)
    ]


def test_masks_reach_every_module() -> None:
    for attention in ("asa-1", "asa-2"):
        network = build_network(
            "lif-snn-3", **tiny_network_arguments(attention=attention, mask="batch-union")
        )
        masks = [m.mask for m in network.modules() if isinstance(m, AdvanceSpatialAttention)]
        assert masks == ["batch-union"] * 3


def test_dropout_drops_in_training_only() -> None:
    torch.manual_seed(0)
    network = build_network("lif-snn-3", **tiny_network_arguments(dropout=(0, 0, 0.5, 0.5, 0.5)))
    bare = build_network("lif-snn-3", **tiny_network_arguments())
    bare.load_state_dict(network.state_dict())
    x = torch.poisson(torch.full((5, 4, 2, 8, 8), 1.0))
    with torch.no_grad():
        assert torch.equal(network.eval()(x), bare.eval()(x))
    functional.reset_net(network)
    seen = []
    network.fc1.register_forward_pre_hook(lambda module, args: seen.append(args[0]))
    network.conv3.neuron.register_forward_hook(lambda module, args, out: seen.append(out))
    with torch.no_grad():
        network.train()(x)
    spikes, dropped = seen[0].flatten(2), seen[1]
    # What is kept is doubled; where it is dropped, at all timesteps.
    kept = dropped.amax(0) > 0
    assert torch.equal(dropped, 2 * spikes * kept)
    assert 0 < kept.sum() < (spikes.amax(0) > 0).sum()
    assert isinstance(network.conv1.drop_in, nn.Identity)


def test_every_gradient_of_the_vanilla_network_flows() -> None:
    torch.manual_seed(0)
    network = build_network("lif-snn-3", **tiny_network_arguments())
    network(torch.poisson(torch.full((5, 6, 2, 8, 8), 1.0))).square().sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
    assert network.conv1.conv.weight.grad.abs().sum() > 0


def test_all_five_neurons_are_the_paper_s() -> None:
    network = build_network("lif-snn-3")
    neurons = [module for module in network.modules() if isinstance(module, neuron.BaseNode)]
    assert [type(module) for module in neurons] == [neuron.LIFNode] * 5
    for module in neurons:
        assert (module.v_threshold, module.v_reset, module.decay_input) == (0.3, 0.0, False)
        assert module.step_mode == "m"
        assert module.tau == pytest.approx(1 / 0.7)


@settings(deadline=None, max_examples=50)
@given(
    inputs=st.lists(st.floats(-1.0, 1.0, width=32), min_size=1, max_size=12),
    decay=st.sampled_from([0.25, 0.3, 0.5, 0.9]),
    v_threshold=st.sampled_from([0.3, 1.0]),
)
def test_the_neuron_follows_equations_1_to_4(
    inputs: list[float], decay: float, v_threshold: float
) -> None:
    spiking = one_neuron(decay=decay, v_threshold=v_threshold)
    spikes = spiking(torch.tensor(inputs, dtype=torch.float64)[:, None])[:, 0].tolist()
    h = 0.0
    for x, spike in zip(inputs, spikes, strict=True):
        u = h + x
        if abs(u - v_threshold) > 1e-9:
            assert spike == float(u >= v_threshold)
        h = 0.0 if spike else decay * u
    assert float(spiking.v) * decay == pytest.approx(h, abs=1e-9)


def test_a_potential_on_the_threshold_fires() -> None:
    assert one_neuron()(torch.full((1, 1), 0.3, dtype=torch.float64)).item() == 1.0


# Half a step beside the grid: no point lies on an edge of the rectangle.
STEP = 1e-3
POTENTIALS = torch.arange(-1.0, 1.6, STEP, dtype=torch.float64) + STEP / 2


def gradient_of_a_spike(potential: Tensor, surrogate_gradient: str) -> Tensor:
    """Return dS/dU of the network's neuron, driven to `potential` in one timestep."""
    spiking = one_neuron(surrogate_gradient=surrogate_gradient)
    x = potential[None].clone().requires_grad_()
    (gradient,) = torch.autograd.grad(spiking(x).sum(), x)
    return gradient[0]


def test_the_surrogate_is_a_rectangle_of_half_width_a_quarter() -> None:
    gradient = gradient_of_a_spike(POTENTIALS, "rectangle")
    inside = (POTENTIALS - 0.3).abs() < 0.25
    assert torch.equal(gradient, torch.where(inside, 2.0, 0.0).double())
    # Its area is the height of the spike.
    assert float(gradient.sum()) * STEP == pytest.approx(1.0, abs=1e-9)


def test_the_other_surrogate_reaches_everywhere() -> None:
    gradient = gradient_of_a_spike(POTENTIALS, "arctan")
    torch.testing.assert_close(gradient, 1 / (1 + (torch.pi * (POTENTIALS - 0.3)) ** 2))


def test_the_surrogate_does_not_change_what_the_network_says() -> None:
    x = torch.poisson(torch.full((5, 4, 2, 8, 8), 1.0))
    outputs = []
    for name in ("rectangle", "arctan"):
        torch.manual_seed(1)
        network = build_network("lif-snn-3", **tiny_network_arguments(surrogate_gradient=name))
        with torch.no_grad():
            outputs.append(network.eval()(x))
    assert torch.equal(*outputs)


def test_state_is_what_makes_two_passes_differ() -> None:
    torch.manual_seed(1)
    network = build_network("lif-snn-3", **tiny_network_arguments()).eval()
    x = torch.poisson(torch.full((5, 4, 2, 8, 8), 1.0))
    with torch.no_grad():
        first = network(x)
        functional.reset_net(network)
        assert torch.equal(network(x), first)
    assert np.ptp(first.numpy()) > 0
