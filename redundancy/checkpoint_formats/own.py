"""Our own checkpoints: what is in one, and that nothing in it is missing or changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from redundancy.errors import CheckpointError
from redundancy.networks import complete_arguments, idle_arguments, network_arguments

if TYPE_CHECKING:
    from torch import Tensor

FORMAT = "redundancy-checkpoint"
FORMAT_VERSION = 2
_CHECKSUM = "checksum"
_PARTS = ("network", "dataset", "state_dict", "training_record")
# What files of version 1 may lack, because their network got it later, and what it did before.
_LATER: dict[str, dict[str, Any]] = {
    "lif-snn-3": {
        "surrogate_gradient": "rectangle",
        "mask": "per-sample",
        "dropout": (0.0, 0.0, 0.0, 0.0, 0.0),
    },
    "lif-snn-5": {"pooling": "average"},
    "sew-resnet-18": {"neuron": "lif"},
}


def is_own(content: Any) -> bool:
    """Tell whether `content` has anything that only this project's checkpoints have."""
    if not isinstance(content, Mapping):
        return False
    network = content.get("network")
    return (
        content.get("format") == FORMAT
        or "format_version" in content
        or {"training_record", "state_dict"} <= set(content)
        or (isinstance(network, Mapping) and {"name", "arguments"} <= set(network))
    )


def pack(
    network: Mapping[str, Any],
    dataset: Mapping[str, Any] | None,
    state_dict: Mapping[str, Tensor],
    training_record: Mapping[str, Any],
) -> dict[str, Any]:
    """Return what a checkpoint of this project holds; the checksum is over all the rest."""
    content = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "network": network,
        "dataset": dataset,
        "state_dict": {key: tensor.cpu() for key, tensor in state_dict.items()},
        "training_record": training_record,
    }
    return {**content, _CHECKSUM: _digest(content)}


def unpack(path: object, content: Any, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Return network, arguments, weights, data, record and notes of such a checkpoint.

    Parameters
    ----------
    path : object
        Where it is from, for messages.
    content : object
        What the file holds.
    overrides : mapping
        Network arguments that win over the file's.

    Raises
    ------
    CheckpointError
        If it is of another version, lacks a part or an argument, or is not what was saved.
    UsageError
        If an argument does not exist or does not fit.
    """
    if not is_own(content):
        raise CheckpointError(f"{path} is not a checkpoint written by this project")
    _check_parts(path, content)
    name, given = content["network"]["name"], content["network"]["arguments"]
    dataset, record = content["dataset"], content["training_record"]
    assumed = _assumed(path, content["format_version"], name, given, overrides)
    arguments = complete_arguments(name, {**given, **assumed, **overrides})
    _check_unchanged(path, content, overrides)
    named = {key: arguments[key] for key in assumed if key not in idle_arguments(name, arguments)}
    notes: tuple[str, ...] = ()
    if named:
        words = ", ".join(f"{key}={value}" for key, value in named.items())
        notes = (
            f"the file was written before {name} had the argument {', '.join(named)}; taken is "
            f"what it did then: {words}",
        )
    return {
        "network": name,
        "network_arguments": arguments,
        "state_dict": content["state_dict"],
        "dataset": None if dataset is None else dataset["name"],
        "dataset_arguments": {} if dataset is None else dict(dataset["arguments"]),
        "training_record": record,
        "notes": notes,
    }


def _check_parts(path: object, content: Mapping[str, Any]) -> None:
    """Refuse another version, and a part that is missing or of another type."""
    damaged = f"{path} looks like a checkpoint written by this project, but is damaged:"
    if content.get("format") != FORMAT:
        raise CheckpointError(
            f"{damaged} 'format' must be {FORMAT!r}, it is {content.get('format')!r:.60}. If it is "
            "of another project, name its format with --checkpoint-format"
        )
    if "format_version" not in content:
        raise CheckpointError(f"{damaged} 'format_version' is missing")
    version = content["format_version"]
    if type(version) is not int or not 1 <= version <= FORMAT_VERSION:
        raise CheckpointError(
            f"{path} has checkpoint format version {version!r:.60}; this version of redundancy "
            f"reads versions 1 to {FORMAT_VERSION}"
        )
    for part in _PARTS if version == 1 else (*_PARTS, _CHECKSUM):
        if part not in content:
            raise CheckpointError(f"{damaged} {part!r} is missing")
    for part in ("state_dict", "training_record"):
        if not isinstance(content[part], dict):
            raise CheckpointError(f"{damaged} {part!r} is malformed")
    for part in ("network", "dataset"):
        inner = content[part]
        if part == "dataset" and inner is None:
            continue
        for key, kind in (("name", str), ("arguments", dict)):
            fits = isinstance(inner, dict) and isinstance(inner.get(key), kind)
            if not fits or (kind is dict and not all(isinstance(k, str) for k in inner[key])):
                raise CheckpointError(f"{damaged} {key!r} is missing or malformed in {part!r}")


def _assumed(
    path: object,
    version: int,
    network: str,
    given: Mapping[str, Any],
    overrides: Mapping[str, Any],
) -> dict[str, Any]:
    """Return what an older file may lack of a network's arguments; refuse what it may not."""
    missing = [key for key in network_arguments(network) if key not in given]
    later = _LATER.get(network, {}) if version == 1 else {}
    lost = [key for key in missing if key not in later and key not in overrides]
    if lost:
        raise CheckpointError(
            f"{path} does not say {', '.join(lost)} of {network}, and nothing is assumed for it: "
            "the file is damaged"
            + (f". Give it as --network-arg {lost[0]}=VALUE" if version == 1 else "")
        )
    return {key: later[key] for key in missing if key in later}


def _check_unchanged(
    path: object, content: Mapping[str, Any], overrides: Mapping[str, Any]
) -> None:
    """Refuse what is not as it was saved, as far as the file tells."""
    if _CHECKSUM in content:
        try:
            digest = _digest(content)
        except (TypeError, ValueError, RecursionError):  # what JSON cannot say
            digest = ""
        if content[_CHECKSUM] != digest:
            raise CheckpointError(
                f"{path} is not what was saved (its checksum is wrong): it is damaged, or was "
                "changed. To change a checkpoint, save it with redundancy.save_checkpoint"
            )
        return
    # Files of version 1 have no checksum, but the record of training says the same again.
    for part in ("network", "dataset"):
        again = content["training_record"].get(part)
        if not isinstance(again, Mapping) or not isinstance(again.get("arguments"), Mapping):
            continue
        said = content[part] or {"name": None, "arguments": {}}
        pairs = {key: (said["arguments"].get(key), again["arguments"].get(key))
                 for key in {**said["arguments"], **again["arguments"]}}  # fmt: skip
        pairs["name"] = (said["name"], again.get("name"))
        given = overrides if part == "network" else {}
        for key, (first, second) in pairs.items():
            if first != second and key not in given:
                raise CheckpointError(
                    f"{path} is damaged: its {part!r} says {key}={first!r:.60}, its training "
                    f"record {key}={second!r:.60}"
                )


def _digest(content: Mapping[str, Any]) -> str:
    """Return the SHA-256 of all parts but the checksum, in hexadecimal."""
    import torch

    said = {key: content[key] for key in ("format_version", "network", "dataset")}
    said["training_record"] = content["training_record"]
    digest = hashlib.sha256(json.dumps(said, sort_keys=True, default=_plain).encode())
    for key, value in sorted(content["state_dict"].items(), key=lambda item: str(item[0])):
        is_plain = isinstance(value, torch.Tensor) and not (
            value.is_meta or value.is_quantized or value.layout != torch.strided
        )
        if not is_plain:
            digest.update(f"{key} {type(value).__name__}".encode())
            continue
        digest.update(f"{key} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(value.detach().contiguous().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()


def _plain(value: Any) -> Any:
    """Return a value of NumPy's as Python's, which JSON knows; of others what they say."""
    return value.item() if hasattr(value, "item") else str(value)
