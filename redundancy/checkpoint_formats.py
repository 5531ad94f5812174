"""Checkpoints of other projects, translated to our networks' names."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from redundancy.errors import CheckpointError
from redundancy.registry import Registry

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class TranslatedCheckpoint:
    """What a foreign checkpoint says, in our networks' terms."""

    network: str
    network_arguments: dict[str, Any]
    state_dict: dict[str, Tensor]
    notes: tuple[str, ...] = ()


CHECKPOINT_FORMATS: Registry[Callable[[Any], TranslatedCheckpoint]] = Registry("checkpoint format")


def recognise_format(content: Any) -> str:
    """Return the format of an opened checkpoint by its keys.

    Raises
    ------
    CheckpointError
        If no format claims it.
    """
    if isinstance(content, dict) and "format_version" in content:
        return "redundancy"
    keys = _flat_state_dict(content) if isinstance(content, Mapping) else {}
    if any(key.startswith("ConvAttLIFs.") for key in keys):
        return "asa-snn"
    known = ", ".join(["redundancy", *CHECKPOINT_FORMATS])
    seen = ", ".join(list(keys)[:4]) or f"an object of type {type(content).__name__}"
    raise CheckpointError(
        f"the checkpoint is of no format that is known here ({known}); it holds {seen}, …. "
        "Name its format with --checkpoint-format."
    )


def _flat_state_dict(content: Mapping[Any, Any]) -> dict[str, Any]:
    """Return the weights of `content` without the wrappings that training scripts add."""
    for wrapper in ("net", "model", "state_dict"):
        inner = content.get(wrapper)
        if isinstance(inner, Mapping):
            content = inner
            break
    return {re.sub(r"^module\.", "", str(key)): value for key, value in content.items()}


# "conv.0" in one release of SpikingJelly is "conv.module" or "conv.0.module" in others.
_WRAPPED = r"(?:\.0)?(?:\.module)?"
_ASA_SNN_KEYS = (
    (rf"ConvAttLIFs\.(\d+)\.conv{_WRAPPED}\.(weight|bias)", "conv{n}.conv.{rest}"),
    (
        rf"ConvAttLIFs\.(\d+)\.bn{_WRAPPED}\."
        r"(weight|bias|running_mean|running_var|num_batches_tracked)",
        "conv{n}.bn.{rest}",
    ),
    (r"ConvAttLIFs\.(\d+)\.attn\.(alpha)", "conv{n}.attention.average_weight"),
    (r"ConvAttLIFs\.(\d+)\.attn\.(beta)", "conv{n}.attention.maximum_weight"),
    (r"ConvAttLIFs\.(\d+)\.attn\.fc\.(.*weight)", "conv{n}.attention.importance.{rest}"),
    (r"ConvAttLIFs\.(\d+)\.attn\.conv1\.(weight)", "conv{n}.attention.first_attention.{rest}"),
    (r"ConvAttLIFs\.(\d+)\.attn\.conv2\.(weight)", "conv{n}.attention.second_attention.{rest}"),
    (rf"FCs\.(\d+)\.linear{_WRAPPED}\.(weight|bias)", "fc{n}.linear.{rest}"),
)
# The published neurons carry an attention module that their forward pass never calls.
_ASA_SNN_UNUSED = r"ConvAttLIFs\.\d+\.spike\..*"


def _translate_keys(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    import torch

    translated: dict[str, Tensor] = {}
    unknown = []
    for key, tensor in weights.items():
        if re.fullmatch(_ASA_SNN_UNUSED, key):
            continue
        if not isinstance(tensor, torch.Tensor):
            raise CheckpointError(
                f"{key} of the asa-snn checkpoint is a {type(tensor).__name__}, not a tensor"
            )
        for pattern, template in _ASA_SNN_KEYS:
            if match := re.fullmatch(pattern, key):
                name = template.format(n=int(match[1]) + 1, rest=match[2])
                translated[name] = tensor
                break
        else:
            unknown.append(key)
    if unknown:
        raise CheckpointError(
            "the asa-snn checkpoint holds weights that are not understood: "
            + ", ".join(unknown[:6])
        )
    return translated


@CHECKPOINT_FORMATS.register("asa-snn")
def read_asa_snn(content: Any) -> TranslatedCheckpoint:
    """Translate a state_dict saved by the published ASA-SNN code (arch A and D).

    Classes, widths, input size and, with attention, T and r follow from the shapes;
    the input is taken to be square.

    Raises
    ------
    CheckpointError
        If it is not a 3-layer network of that code.
    """
    weights = _flat_state_dict(content) if isinstance(content, Mapping) else {}
    if not any(key.startswith("ConvAttLIFs.") for key in weights):
        raise CheckpointError(
            "the checkpoint has no key that starts with ConvAttLIFs, so it is not of format asa-snn"
        )
    state = _translate_keys(weights)
    convolutions = [state.get(f"conv{n}.conv.weight") for n in (1, 2, 3)]
    first_linear, second_linear = state.get("fc1.linear.weight"), state.get("fc2.linear.weight")
    if (
        any(weight is None for weight in convolutions)
        or first_linear is None
        or second_linear is None
        or "conv4.conv.weight" in state
    ):
        raise CheckpointError(
            "format asa-snn is read for the 3-layer LIF-SNN (three convolutions, two fully "
            "connected layers); this checkpoint has another architecture"
        )
    weights_read = (*convolutions, first_linear, second_linear)
    if [weight.dim() for weight in weights_read if weight is not None] != [4, 4, 4, 2, 2]:
        raise CheckpointError(
            "the asa-snn checkpoint's convolutions must have four dimensions and its fully "
            "connected layers two"
        )
    widths = tuple(int(weight.shape[0]) for weight in convolutions if weight is not None)
    side = 4 * math.isqrt(first_linear.shape[1] // widths[-1])
    arguments: dict[str, Any] = {
        "n_classes": int(second_linear.shape[0]),
        "widths": widths,
        "hidden": int(first_linear.shape[0]),
        "input_channels": int(state["conv1.conv.weight"].shape[1]),
        "input_size": (side, side),
    }
    notes: tuple[str, ...] = ()
    if any(".attention." in key for key in state):
        arguments |= _attention_arguments(state)
        notes = (
            "the published code trains ASA with masks joined over the batch; here they are taken "
            "per sample, as the paper defines them, so outputs can differ from that code's",
        )
    return TranslatedCheckpoint("lif-snn-3", arguments, state, notes)


def _attention_arguments(state: Mapping[str, Tensor]) -> dict[str, Any]:
    single = state.get("conv1.attention.importance.weight")
    if single is not None:
        return {"attention": "asa-1", "n_timesteps": int(single.shape[0]), "reduction": 1}
    first = state.get("conv1.attention.importance.0.weight")
    if first is None:
        raise CheckpointError(
            "the checkpoint has an attention module other than ASA-1, which is not read yet"
        )
    hidden, n_timesteps = (int(size) for size in first.shape)
    return {
        "attention": "asa-1",
        "n_timesteps": n_timesteps,
        "reduction": n_timesteps // hidden,
    }
