"""Checkpoints of other projects, translated to our networks' names."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from redundancy.checkpoint_formats.asa_snn import is_asa_snn, mask_notes, translate_asa_snn
from redundancy.checkpoint_formats.gac import is_gac, translate_gac
from redundancy.checkpoint_formats.spikingjelly import is_spikingjelly, translate_spikingjelly
from redundancy.errors import CheckpointError
from redundancy.registry import Registry

if TYPE_CHECKING:
    from torch import Tensor


def _no_notes(arguments: Mapping[str, Any]) -> tuple[str, ...]:
    return ()


@dataclass(frozen=True)
class TranslatedCheckpoint:
    """What a foreign checkpoint says, in our networks' terms.

    Attributes
    ----------
    network : str
    network_arguments : dict
        Those that the file tells, and defaults of its code that differ from ours.
    state_dict : dict of str to Tensor
        By our names; what is not understood, by its own.
    notes : tuple of str
        What a user should know about how the file was understood.
    notes_on : callable
        Makes more of them from the network's arguments once all are known.
    """

    network: str
    network_arguments: dict[str, Any]
    state_dict: dict[str, Tensor]
    notes: tuple[str, ...] = ()
    notes_on: Callable[[Mapping[str, Any]], tuple[str, ...]] = _no_notes


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
    if is_asa_snn(keys):
        return "asa-snn"
    if is_gac(keys):
        return "gac"
    if is_spikingjelly(keys):
        return "spikingjelly"
    known = ", ".join(["redundancy", *CHECKPOINT_FORMATS])
    seen = ", ".join(list(keys)[:4]) or f"an object of type {type(content).__name__}"
    raise CheckpointError(
        f"the checkpoint is of no format that is known here ({known}); it holds {seen}, …. A "
        "network of your own is analysed from Python: redundancy.analyze(network, dataset)."
    )


def _flat_state_dict(content: Mapping[Any, Any]) -> dict[str, Any]:
    """Return the weights of `content` without the wrappings that training scripts add."""
    for wrapper in ("net", "model", "state_dict"):
        inner = content.get(wrapper)
        if isinstance(inner, Mapping):
            content = inner
            break
    return {re.sub(r"^module\.", "", str(key)): value for key, value in content.items()}


@CHECKPOINT_FORMATS.register("asa-snn")
def read_asa_snn(content: Any) -> TranslatedCheckpoint:
    """Translate a state_dict saved by the published ASA-SNN code; see `translate_asa_snn`."""
    weights = _flat_state_dict(content) if isinstance(content, Mapping) else {}
    return TranslatedCheckpoint(*translate_asa_snn(weights), notes_on=mask_notes)


@CHECKPOINT_FORMATS.register("gac")
def read_gac(content: Any) -> TranslatedCheckpoint:
    """Translate a state_dict saved by the published GAC code; see `translate_gac`."""
    weights = _flat_state_dict(content) if isinstance(content, Mapping) else {}
    return TranslatedCheckpoint(*translate_gac(weights))


@CHECKPOINT_FORMATS.register("spikingjelly")
def read_spikingjelly(content: Any) -> TranslatedCheckpoint:
    """Translate a state_dict of a model of SpikingJelly; see `translate_spikingjelly`."""
    weights = _flat_state_dict(content) if isinstance(content, Mapping) else {}
    return TranslatedCheckpoint(*translate_spikingjelly(weights), notes_on=mask_notes)
