"""State_dicts of the published code of "Gated Attention Coding", in our networks' names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from redundancy.checkpoint_formats.renaming import renamed_once
from redundancy.checkpoint_formats.shapes import gac_network
from redundancy.errors import CheckpointError

if TYPE_CHECKING:
    from redundancy.checkpoint_formats.renaming import Translation

FORM = "gac"
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
) -> Translation:
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
    pairs = []
    for key, tensor in weights.items():
        name = _our_name(key)
        if name.startswith("encoder.gate.temporal.") and getattr(tensor, "ndim", 0) == 5:
            tensor = tensor.flatten(1)  # a 1 x 1 x 1 convolution
        pairs.append((key, name, tensor))
    state = renamed_once(pairs, FORM, same_value_twice=True)
    network, arguments, notes = gac_network(state, FORM)
    return network, arguments, state, notes


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
