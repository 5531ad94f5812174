"""State_dicts of SpikingJelly's models, and of this project's networks, saved by themselves.

Its examples save ``{"net": ...}``, its trainer for ImageNet ``{"model": ..., "args": ...}``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from redundancy.checkpoint_formats.renaming import renamed_once
from redundancy.checkpoint_formats.shapes import (
    event_network,
    gac_network,
    sew_network,
)
from redundancy.errors import CheckpointError

if TYPE_CHECKING:
    from redundancy.checkpoint_formats.renaming import Translation

FORM = "spikingjelly"
# What is in one row in DVSGestureNet, by its place, and in plif-snn-5 and lif-snn-5.
_SEQUENCE = {
    **{4 * n: f"conv{n + 1}.conv" for n in range(5)},
    **{4 * n + 1: f"conv{n + 1}.bn" for n in range(5)},
    **{4 * n + 2: f"conv{n + 1}.neuron" for n in range(5)},
    22: "fc1.linear",
    23: "fc1.neuron",
    25: "fc2.linear",
    26: "fc2.neuron",
}
_OURS = "conv1.conv.weight"
_RESIDUAL = ("conv1.weight", "layer1.0.conv1.weight", "layer1.0.bn1.weight", "fc.weight")


def is_spikingjelly(keys: Iterable[str]) -> bool:
    """Tell whether these are keys of such a network."""
    known = set(keys)
    in_a_row = any(re.match(r"conv_fc\.\d+\.", key) for key in known)
    return in_a_row or _OURS in known or known.issuperset(_RESIDUAL)


def translate_spikingjelly(weights: Mapping[str, Any]) -> Translation:
    """Return network, arguments, state_dict and notes of such a state_dict.

    SpikingJelly's DVSGestureNet is ``plif-snn-5``, or ``lif-snn-5`` with maximum pooling
    if its neurons have no parameter; its sew_resnet18 is ``sew-resnet-18``. Weights under
    the names of this project's networks are those.

    Parameters
    ----------
    weights : mapping of str to Tensor
        Without wrappings and without ``module.``.

    Returns
    -------
    tuple
        Registered name, arguments that follow from the shapes, the weights by our
        names, and notes.

    Raises
    ------
    CheckpointError
        If it is of none of these networks, or holds something else than tensors.
    """
    if not is_spikingjelly(weights):
        raise CheckpointError(
            "the checkpoint has no key that starts with conv_fc (DVSGestureNet), none of a "
            "residual network (layer1.0.conv1.weight, …) and none of this project's networks "
            f"({_OURS}, …), so it is not of format {FORM}"
        )
    if any(key.startswith("conv_fc.") for key in weights):
        return _dvs_gesture_net(weights)
    state = renamed_once([(key, key, tensor) for key, tensor in weights.items()], FORM)
    if _OURS in state:
        find = event_network
    else:
        ours = any(re.match(r"layer\d\.\d+\.shortcut\.|encoder\.", key) for key in state)
        find = gac_network if ours else sew_network
    network, arguments, notes = find(state, FORM)
    return network, arguments, state, notes


def _dvs_gesture_net(weights: Mapping[str, Any]) -> Translation:
    places = {int(match[1]) for key in weights if (match := re.match(r"conv_fc\.(\d+)\.", key))}
    layers = {place for place, name in _SEQUENCE.items() if not name.endswith("neuron")}
    if not layers <= places <= set(_SEQUENCE):
        raise CheckpointError(
            f"the {FORM} checkpoint has weights at places {', '.join(map(str, sorted(places)))} of "
            "conv_fc; of the networks made so DVSGestureNet is known, with five convolutions. "
            "Analyse another one from Python: redundancy.analyze(network, dataset)"
        )
    pairs = [(key, _our_name(key), tensor) for key, tensor in weights.items()]
    state = renamed_once(pairs, FORM)
    network, arguments, notes = event_network(state, FORM)
    if network == "plif-snn-5":
        return network, arguments, state, notes
    notes += (
        "its neurons have no parameters and are taken to be LIF neurons, as in SpikingJelly's "
        "example",
    )
    return network, {**arguments, "pooling": "maximum"}, state, notes


def _our_name(key: str) -> str:
    match = re.fullmatch(r"conv_fc\.(\d+)\.(\w+)", key)
    return key if match is None else f"{_SEQUENCE[int(match[1])]}.{match[2]}"
