"""State_dicts of the published code of "Gated Attention Coding", in our networks' names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from redundancy.errors import CheckpointError

if TYPE_CHECKING:
    from torch import Tensor

_BLOCKS = {
    ("layer", (3, 3, 2)): "gac-ms-resnet-18-cifar",
    ("conv", (2, 2, 2, 2)): "gac-ms-resnet-18",
    ("conv", (3, 4, 6, 3)): "gac-ms-resnet-34",
}
# Its modules hold one another twice, so that one weight stands under up to four keys.
_ALIASES = (
    (r"\bseqbn\.module\.", "bn."),
    (r"\b(conv\d|fc1)_s\.layer\.module\.", r"\1."),
    (r"\bconv(\d)_s\.bn\.", r"bn\1."),
)
_NORM = r"(weight|bias|running_mean|running_var|num_batches_tracked)"
_KEYS = (
    (r"conv1\.(?:0\.)?(weight)", r"conv1.\1"),
    (rf"(?:bn1|conv1\.1)\.bn\.{_NORM}", r"bn1.\1"),
    (r"(?:\w+\.)?TA\.sharedMLP\.(0|2)\.weight", r"encoder.gate.temporal.\1.weight"),
    (r"(?:\w+\.)?SCA\.sharedMLP\.(0|2)\.weight", r"encoder.gate.spatial_channel.\1.weight"),
    (r"(layer\d\.\d+\.conv[12])\.(weight)", r"\1.\2"),
    (rf"(layer\d\.\d+\.bn[12])\.bn\.{_NORM}", r"\1.\2"),
    (r"(layer\d\.\d+)\.downsample\.layer\.module\.weight", r"\1.shortcut.0.weight"),
    (rf"(layer\d\.\d+)\.downsample\.bn\.bn\.{_NORM}", r"\1.shortcut.1.\2"),
    (r"(layer\d\.\d+)\.shortcut\.0\.weight", r"\1.shortcut.0.weight"),
    (rf"(layer\d\.\d+)\.shortcut\.1\.bn\.{_NORM}", r"\1.shortcut.1.\2"),
    (r"fc1\.(weight|bias)", r"fc.\1"),
)


def is_gac(keys: Iterable[str]) -> bool:
    """Tell whether these are the keys of a network of that code."""
    marks = r"(layer1\.0\.)?conv1_s\.layer\.module\.weight|conv2_x\.0\.bn1\.bn\.weight"
    return any(re.fullmatch(marks, key) for key in keys)


def translate_gac(
    weights: Mapping[str, Any],
) -> tuple[str, dict[str, Any], dict[str, Tensor], tuple[str, ...]]:
    """Return network, arguments, state_dict and notes of a state_dict of that code.

    Parameters
    ----------
    weights : mapping of str to Tensor
        Without wrappings and without ``module.``. A key that is not understood is left
        as it is, for the network to refuse.

    Returns
    -------
    tuple
        Registered name, arguments that follow from the shapes (classes, widths, T and
        kernel of the encoder, if there is one), the weights by our names, and notes.

    Raises
    ------
    CheckpointError
        If it is of none of the three published networks, holds something else than
        tensors, or two different values for one weight.
    """
    if not is_gac(weights):
        raise CheckpointError(
            "the checkpoint has neither the key conv1_s.layer.module.weight (CIFAR) nor "
            "conv2_x.0.bn1.bn.weight (ImageNet), so it is not of format gac"
        )
    state = _renamed(weights)
    stage = "conv" if any(key.startswith("conv2_x.") for key in weights) else "layer"
    blocks = _blocks_of(state)
    if (stage, blocks) not in _BLOCKS:
        raise CheckpointError(
            f"the gac checkpoint has stages of {', '.join(map(str, blocks))} blocks; known are "
            "(3, 3, 2) for CIFAR, (2, 2, 2, 2) and (3, 4, 6, 3) for ImageNet"
        )
    first = _shape(state, "conv1.weight", 4)
    arguments: dict[str, Any] = {
        "n_classes": _shape(state, "fc.weight", 2)[0],
        "input_channels": first[1],
        "widths": (
            first[0],
            *(_shape(state, f"layer{n}.0.conv1.weight", 4)[0] for n in range(1, len(blocks) + 1)),
        ),
        "encoder": any(key.startswith("encoder.") for key in state),
    }
    if not arguments["encoder"]:
        note = (
            "without an encoder, the weights do not say for how many timesteps the network was "
            "trained; --network-arg n_timesteps=T says it"
        )
        return _BLOCKS[stage, blocks], arguments, state, (note,)
    arguments["n_timesteps"] = _shape(state, "encoder.gate.temporal.2.weight", 2)[0]
    arguments["gate_kernel"] = _shape(state, "encoder.gate.spatial_channel.0.weight", 4)[-1]
    return _BLOCKS[stage, blocks], arguments, state, ()


def _renamed(weights: Mapping[str, Any]) -> dict[str, Tensor]:
    import torch

    state: dict[str, Tensor] = {}
    origin: dict[str, str] = {}
    for key, tensor in weights.items():
        if not isinstance(tensor, torch.Tensor):
            raise CheckpointError(
                f"{key} of the gac checkpoint is a {type(tensor).__name__}, not a tensor"
            )
        name = _our_name(key)
        if name.startswith("encoder.gate.temporal.") and tensor.dim() == 5:
            tensor = tensor.flatten(1)  # a 1 x 1 x 1 convolution
        if name in state and not torch.equal(state[name], tensor):
            raise CheckpointError(
                f"the gac checkpoint holds two different values of one weight, under "
                f"{origin[name]} and {key}; save the network's state_dict() again"
            )
        state[name], origin[name] = tensor, key
    return state


def _our_name(key: str) -> str:
    plain = key
    for pattern, replacement in _ALIASES:
        plain = re.sub(pattern, replacement, plain)
    # The stages for ImageNet are counted from the stem on.
    plain = re.sub(r"^conv(\d)_x\.", lambda match: f"layer{int(match[1]) - 1}.", plain)
    for pattern, template in _KEYS:
        if match := re.fullmatch(pattern, plain):
            return match.expand(template)
    return key


def _blocks_of(state: Mapping[str, Tensor]) -> tuple[int, ...]:
    found = {(int(m[1]), int(m[2])) for key in state if (m := re.match(r"layer(\d)\.(\d+)\.", key))}
    stages = sorted({stage for stage, _ in found})
    return tuple(len([block for stage, block in found if stage == number]) for number in stages)


def _shape(state: Mapping[str, Tensor], key: str, n_dimensions: int) -> tuple[int, ...]:
    if key not in state or state[key].dim() != n_dimensions:
        seen = f"shape {tuple(state[key].shape)}" if key in state else "nothing"
        raise CheckpointError(
            f"the gac checkpoint must hold what becomes {key}, of {n_dimensions} dimensions; it "
            f"holds {seen}"
        )
    return tuple(int(size) for size in state[key].shape)
