"""State_dicts of the published code of "Inherent Redundancy in SNNs", in our networks' names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from redundancy.checkpoint_formats.renaming import renamed_once
from redundancy.checkpoint_formats.shapes import event_network
from redundancy.errors import CheckpointError

if TYPE_CHECKING:
    from redundancy.checkpoint_formats.renaming import Translation

FORM = "asa-snn"

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
    pairs = [
        (key, _our_name(key), tensor)
        for key, tensor in weights.items()
        if not re.fullmatch(_UNUSED, key)
    ]
    state = renamed_once(pairs, FORM)
    network, arguments, notes = event_network(state, FORM)
    if str(arguments.get("attention", "none")).startswith("asa-"):
        arguments["mask"] = "batch-union"
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


def _our_name(key: str) -> str:
    for pattern, template in _KEYS:
        if match := re.fullmatch(pattern, key):
            return template.format(n=int(match[1]) + 1, rest=match[2])
    return key
