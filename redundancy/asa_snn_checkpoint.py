"""State_dicts of the published code of "Inherent Redundancy in SNNs", in our networks' names."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from redundancy.errors import CheckpointError

if TYPE_CHECKING:
    from torch import Tensor

    Translation = tuple[str, dict[str, Any], dict[str, Tensor], tuple[str, ...]]

# "conv.0" in one release of SpikingJelly is "conv.module" or "conv.0.module" in others;
# the blocks of the 5-layer networks stand in a container of their own.
_WRAPPED = r"(?:\.0)?(?:\.module)?"
_CONV, _FC = r"ConvAttLIFs\.(\d+)(?:\.0)?", r"FCs\.(\d+)(?:\.[01])?"
_KEYS = (
    (rf"{_CONV}\.conv{_WRAPPED}\.(weight|bias)", "conv{n}.conv.{rest}"),
    (
        rf"{_CONV}\.bn{_WRAPPED}\.(weight|bias|running_mean|running_var|num_batches_tracked)",
        "conv{n}.bn.{rest}",
    ),
    (rf"{_CONV}\.attn\.(alpha)", "conv{n}.attention.average_weight"),
    (rf"{_CONV}\.attn\.(beta)", "conv{n}.attention.maximum_weight"),
    (rf"{_CONV}\.attn\.fc\.(.*weight)", "conv{n}.attention.importance.{rest}"),
    (rf"{_CONV}\.attn\.conv1\.(weight)", "conv{n}.attention.first_attention.{rest}"),
    (rf"{_CONV}\.attn\.conv2\.(weight)", "conv{n}.attention.second_attention.{rest}"),
    (rf"{_CONV}\.spike{_WRAPPED}\.(w)", "conv{n}.neuron.{rest}"),
    (rf"{_FC}\.linear{_WRAPPED}\.(weight|bias)", "fc{n}.linear.{rest}"),
    (rf"{_FC}\.fc{_WRAPPED}\.(weight|bias)", "fc{n}.linear.{rest}"),
    (rf"{_FC}\.spike{_WRAPPED}\.(w)", "fc{n}.neuron.{rest}"),
)
# The published neurons carry an attention module that their forward pass never calls.
_UNUSED = r"ConvAttLIFs\.\d+\.spike\.(?:\w+\.)*attn\..*"
# The votes of the published 5-layer networks, and what the 346 x 260 camera's frames,
# whole and halved, become of in them: positions of their last maps -> size of the frames.
_VOTES = 10
_CAMERA_FRAMES = {20: (130, 173), 80: (260, 346)}


def is_asa_snn(keys: Iterable[str]) -> bool:
    """Tell whether these are the keys of a network of that code."""
    return any(key.startswith("ConvAttLIFs.") for key in keys)


def translate_asa_snn(weights: Mapping[str, Any]) -> Translation:
    """Return network, arguments, state_dict and notes of a state_dict of that code.

    Three convolutions make ``lif-snn-3`` (arch A and D), five ``plif-snn-5`` (B), or
    ``lif-snn-5`` (C) if its neurons have no parameter.

    Parameters
    ----------
    weights : mapping of str to Tensor
        Without wrappings and without ``module.``. A key that is not understood is left
        as it is, for the network to refuse.

    Returns
    -------
    tuple
        Registered name, arguments that follow from the shapes (classes, widths, input
        size and, with ASA, T and r), the weights by our names, and notes.

    Raises
    ------
    CheckpointError
        If it is of none of these networks, or holds something else than tensors.
    """
    if not is_asa_snn(weights):
        raise CheckpointError(
            "the checkpoint has no key that starts with ConvAttLIFs, so it is not of format asa-snn"
        )
    state = _renamed(weights)
    n_convolutions = len([key for key in state if re.fullmatch(r"conv\d+\.conv\.weight", key)])
    names = [*(f"conv{n + 1}.conv" for n in range(n_convolutions)), "fc1.linear", "fc2.linear"]
    if n_convolutions not in (3, 5) or any(f"{name}.weight" not in state for name in names):
        raise CheckpointError(
            "format asa-snn is read for networks of three or five convolutions and two fully "
            "connected layers; this checkpoint has another architecture"
        )
    shapes = [tuple(map(int, state[f"{name}.weight"].shape)) for name in names]
    if [len(shape) for shape in shapes] != [4] * n_convolutions + [2, 2] or 0 in sum(shapes, ()):
        raise CheckpointError(
            "the asa-snn checkpoint's convolutions must have four dimensions and its fully "
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
            f"the asa-snn checkpoint's first fully connected layer takes {first_linear[1]} values, "
            f"fewer than the {widths[-1]} channels of the last convolution"
        )
    input_size, notes = _input_size(first_linear[1] // widths[-1], n_halvings)
    arguments = {
        "n_classes": max(second_linear[0] // votes, 1),
        "widths": widths,
        "hidden": first_linear[0],
        "input_channels": convolutions[0][1],
        "input_size": input_size,
        **_attention_arguments(state),
    }
    if arguments.get("attention") == "asa-2":
        notes += (
            "weights of ASA-2 do not say for how many timesteps it is; give "
            "--network-arg n_timesteps=T",
        )
    return network, arguments, state, notes


def mask_notes(arguments: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what is to be said about the masks that a network is analysed with."""
    if not str(arguments.get("attention", "none")).startswith("asa-"):
        return ()
    if arguments["mask"] == "batch-union":
        return (
            "ASA's masks are joined over each batch (mask=batch-union), as the published code "
            "trains and tests it, so results depend on the batch size; --network-arg "
            "mask=per-sample takes them per sample, as the paper defines them",
        )
    return (
        "ASA's masks are taken per sample, as the paper defines them; the published code joins "
        "them over each batch (--network-arg mask=batch-union), so its outputs can differ",
    )


def _renamed(weights: Mapping[str, Any]) -> dict[str, Tensor]:
    import torch

    state: dict[str, Tensor] = {}
    origin: dict[str, str] = {}
    for key, tensor in weights.items():
        if re.fullmatch(_UNUSED, key):
            continue
        if not isinstance(tensor, torch.Tensor):
            raise CheckpointError(
                f"{key} of the asa-snn checkpoint is a {type(tensor).__name__}, not a tensor"
            )
        name = _our_name(key)
        if name in state:
            raise CheckpointError(
                f"the asa-snn checkpoint holds one weight twice, under {origin[name]} and {key}; "
                "save the network's state_dict() again"
            )
        state[name], origin[name] = tensor, key
    return state


def _our_name(key: str) -> str:
    for pattern, template in _KEYS:
        if match := re.fullmatch(pattern, key):
            return template.format(n=int(match[1]) + 1, rest=match[2])
    return key


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


def _attention_arguments(state: Mapping[str, Tensor]) -> dict[str, Any]:
    if not any(".attention." in key for key in state):
        return {}
    known = {"mask": "batch-union"}
    layers = {key.partition(".importance.")[2]: key for key in state if ".importance." in key}
    if not layers:
        return {"attention": "asa-2", **known}
    first = state[layers["0.weight" if "0.weight" in layers else next(iter(layers))]]
    if first.dim() != 2 or 0 in first.shape:
        raise CheckpointError(
            "the fc layers of ASA in the asa-snn checkpoint must have two dimensions, not shape "
            f"{tuple(first.shape)}"
        )
    hidden, n_timesteps = (int(size) for size in first.shape)
    # A single layer is square, and so its r is 1.
    reduction = max(n_timesteps // hidden, 1)
    return {"attention": "asa-1", "n_timesteps": n_timesteps, "reduction": reduction, **known}
