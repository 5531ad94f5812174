"""Which of our networks weights are of, once they have our names, and what their shapes tell."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from redundancy.errors import CheckpointError

if TYPE_CHECKING:
    from torch import Tensor

# Output neurons that vote for a class in the published 5-layer networks, and what the
# 346 x 260 camera's frames, whole and halved, become of in them: positions of their last
# maps -> size of the frames.
_VOTES = 10
_CAMERA_FRAMES = {20: (130, 173), 80: (260, 346)}
_GAC_BLOCKS = {
    (3, 3, 2): "gac-ms-resnet-18-cifar",
    (2, 2, 2, 2): "gac-ms-resnet-18",
    (3, 4, 6, 3): "gac-ms-resnet-34",
}


def event_network(
    state: Mapping[str, Tensor], form: str
) -> tuple[str, dict[str, Any], tuple[str, ...]]:
    """Return name, arguments and notes of ``lif-snn-3``, ``plif-snn-5`` or ``lif-snn-5``.

    Three convolutions make the first, five the second, or the third if no neuron has a
    parameter.

    Raises
    ------
    CheckpointError
        If the weights are of none of these.
    """
    n_convolutions = len([key for key in state if re.fullmatch(r"conv\d+\.conv\.weight", key)])
    names = [*(f"conv{n + 1}.conv" for n in range(n_convolutions)), "fc1.linear", "fc2.linear"]
    if n_convolutions not in (3, 5) or any(f"{name}.weight" not in state for name in names):
        raise CheckpointError(
            f"format {form} is read for networks of three or five convolutions and two fully "
            "connected layers; this checkpoint has another architecture"
        )
    shapes = [tuple(map(int, state[f"{name}.weight"].shape)) for name in names]
    if [len(shape) for shape in shapes] != [4] * n_convolutions + [2, 2] or 0 in sum(shapes, ()):
        raise CheckpointError(
            f"the {form} checkpoint's convolutions must have four dimensions and its fully "
            "connected layers two, none of them empty"
        )
    *convolutions, first_linear, second_linear = shapes
    network, n_halvings, votes = "lif-snn-3", 2, 1
    if n_convolutions == 5:
        parametric = any(key.endswith(".neuron.w") for key in state)
        network, n_halvings, votes = "plif-snn-5" if parametric else "lif-snn-5", 5, _VOTES
    widths = tuple(shape[0] for shape in convolutions)
    if first_linear[1] < widths[-1]:
        raise CheckpointError(
            f"the {form} checkpoint's first fully connected layer takes {first_linear[1]} values, "
            f"fewer than the {widths[-1]} channels of the last convolution"
        )
    input_size, notes = _input_size(first_linear[1] // widths[-1], n_halvings)
    arguments = {
        "n_classes": max(second_linear[0] // votes, 1),
        "widths": widths,
        "hidden": first_linear[0],
        "input_channels": convolutions[0][1],
        "input_size": input_size,
        **attention_arguments(state, form),
    }
    return network, arguments, notes + _open_timesteps(arguments)


def sew_network(
    state: Mapping[str, Tensor], form: str
) -> tuple[str, dict[str, Any], tuple[str, ...]]:
    """Return name, arguments and notes of ``sew-resnet-18``.

    Raises
    ------
    CheckpointError
        If it has other blocks than that network.
    """
    blocks = blocks_of(state)
    if blocks != (2, 2, 2, 2) or "layer1.0.conv3.weight" in state:
        raise CheckpointError(
            f"the {form} checkpoint has stages of {', '.join(map(str, blocks))} residual blocks; "
            "of these networks sew-resnet-18 is known, with 2, 2, 2, 2 blocks of two convolutions. "
            "Analyse another one from Python: redundancy.analyze(network, dataset)"
        )
    arguments = {
        "n_classes": shape_of(state, "fc.weight", 2, form)[0],
        "input_channels": shape_of(state, "conv1.weight", 4, form)[1],
        "widths": tuple(
            shape_of(state, f"layer{n}.0.conv1.weight", 4, form)[0] for n in range(1, 5)
        ),
        **attention_arguments(state, form),
    }
    if any(key.endswith(".w") for key in state):
        arguments["neuron"] = "plif"
    note = (
        "residual weights do not say what their blocks do: they are taken for a SEW-ResNet-18 that "
        "adds spikes up"
    )
    return "sew-resnet-18", arguments, (note, *_open_timesteps(arguments))


def gac_network(
    state: Mapping[str, Tensor], form: str
) -> tuple[str, dict[str, Any], tuple[str, ...]]:
    """Return name, arguments and notes of one of GAC's MS-ResNets.

    Raises
    ------
    CheckpointError
        If it has other blocks, or a weight that decides an argument is missing or has
        other dimensions.
    """
    blocks = blocks_of(state)
    if blocks not in _GAC_BLOCKS:
        raise CheckpointError(
            f"the {form} checkpoint has stages of {', '.join(map(str, blocks))} blocks; known are "
            "(3, 3, 2) for CIFAR, (2, 2, 2, 2) and (3, 4, 6, 3) for ImageNet"
        )
    first = shape_of(state, "conv1.weight", 4, form)
    stages = range(1, len(blocks) + 1)
    arguments: dict[str, Any] = {
        "n_classes": shape_of(state, "fc.weight", 2, form)[0],
        "input_channels": first[1],
        "widths": (
            first[0],
            *(shape_of(state, f"layer{n}.0.conv1.weight", 4, form)[0] for n in stages),
        ),
        "encoder": any(key.startswith("encoder.") for key in state),
    }
    if not arguments["encoder"]:
        note = (
            "without an encoder, the weights do not say for how many timesteps the network was "
            "trained; --network-arg n_timesteps=T says it"
        )
        return _GAC_BLOCKS[blocks], arguments, (note,)
    last, convolution = "encoder.gate.temporal.2.weight", "encoder.gate.spatial_channel.0.weight"
    arguments["n_timesteps"] = shape_of(state, last, 2, form)[0]
    arguments["gate_kernel"] = shape_of(state, convolution, 4, form)[-1]
    return _GAC_BLOCKS[blocks], arguments, ()


def blocks_of(state: Mapping[str, Tensor]) -> tuple[int, ...]:
    """Return the number of blocks of every stage of a residual network."""
    found = {(int(m[1]), int(m[2])) for key in state if (m := re.match(r"layer(\d)\.(\d+)\.", key))}
    stages = sorted({stage for stage, _ in found})
    return tuple(len([block for stage, block in found if stage == number]) for number in stages)


def shape_of(
    state: Mapping[str, Tensor], key: str, n_dimensions: int, form: str
) -> tuple[int, ...]:
    """Return the shape of a weight that must be there and have so many dimensions."""
    if key not in state or state[key].dim() != n_dimensions:
        seen = f"shape {tuple(state[key].shape)}" if key in state else "nothing"
        raise CheckpointError(
            f"the {form} checkpoint must hold what becomes {key}, of {n_dimensions} dimensions; it "
            f"holds {seen}"
        )
    return tuple(int(size) for size in state[key].shape)


def attention_arguments(state: Mapping[str, Tensor], form: str) -> dict[str, Any]:
    """Return which attention the weights hold, if any, with its T and r where they tell."""
    inside = {key.partition(".attention.")[2]: key for key in state if ".attention." in key}
    if not inside:
        return {"attention": "none"}
    if "weighing.sa.conv.weight" in inside:
        over_time = inside.get("weighing.ta.sharedMLP.2.weight")
        if over_time is None:
            return {"attention": "sa"}
        return {"attention": "tcsa", "n_timesteps": int(state[over_time].shape[0])}
    layers = {key.partition("importance.")[2]: whole for key, whole in inside.items()}
    layers.pop("", None)
    if not layers:
        return {"attention": "asa-2"}
    first = state[layers["0.weight" if "0.weight" in layers else next(iter(layers))]]
    if first.dim() != 2 or 0 in first.shape:
        raise CheckpointError(
            f"the fc layers of ASA in the {form} checkpoint must have two dimensions, not shape "
            f"{tuple(first.shape)}"
        )
    hidden, n_timesteps = (int(size) for size in first.shape)
    # A single layer is square, and so its r is 1.
    reduction = max(n_timesteps // hidden, 1)
    return {"attention": "asa-1", "n_timesteps": n_timesteps, "reduction": reduction}


def _open_timesteps(arguments: Mapping[str, Any]) -> tuple[str, ...]:
    attention = arguments.get("attention", "none")
    if attention == "none" or "n_timesteps" in arguments:
        return ()
    return (
        f"weights of {attention.upper()} do not say for how many timesteps it is; give "
        "--network-arg n_timesteps=T",
    )


def _input_size(n_positions: int, n_halvings: int) -> tuple[tuple[int, int], tuple[str, ...]]:
    """Return the frames' size whose last maps have so many positions, and notes on it."""
    side = math.isqrt(n_positions)
    factor = 2**n_halvings
    if side * side == n_positions:
        return (factor * side, factor * side), ()
    height = max(n for n in range(1, side + 1) if n_positions % n == 0)
    size = (factor * height, factor * (n_positions // height))
    if n_halvings == 5:
        size = _CAMERA_FRAMES.get(n_positions, size)
    note = (
        f"the weights fit frames of {n_positions} times {factor} x {factor} pixels, taken to be "
        f"{size[0]} x {size[1]} (y, x); if they are not, give --network-arg input_size=HEIGHTxWIDTH"
    )
    return size, (note,)
