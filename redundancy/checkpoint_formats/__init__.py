"""Checkpoints of other projects, translated to our networks' names."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from redundancy.checkpoint_formats.asa_snn import is_asa_snn, mask_notes, translate_asa_snn
from redundancy.checkpoint_formats.gac import is_gac, translate_gac
from redundancy.checkpoint_formats.own import is_own
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


_WRAPPERS = ("net", "model", "state_dict")

CHECKPOINT_FORMATS: Registry[Callable[[Any], TranslatedCheckpoint]] = Registry("checkpoint format")


def recognise_format(content: Any) -> str:
    """Return the format of an opened checkpoint by its keys.

    Raises
    ------
    CheckpointError
        If no format claims it.
    """
    if is_own(content):
        return "redundancy"
    keys = flat_state_dict(content)
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


def flat_state_dict(content: Any) -> dict[str, Any]:
    """Return the weights of `content` without the wrappings that training scripts add.

    Raises
    ------
    CheckpointError
        If it holds several networks, or one weight twice.
    """
    if not isinstance(content, Mapping):
        return {}
    inner = {key: content[key] for key in _WRAPPERS if isinstance(content.get(key), Mapping)}
    if len(inner) > 1:
        raise CheckpointError(
            f"the checkpoint holds several networks, under {' and '.join(inner)}; save the one to "
            "be analysed by itself"
        )
    weights: dict[str, Any] = {}
    for key, value in next(iter(inner.values()), content).items():
        name = re.sub(r"^module\.", "", str(key))
        if name in weights:
            raise CheckpointError(f"the checkpoint holds {name} twice, with and without module.")
        weights[name] = value
    return weights


@CHECKPOINT_FORMATS.register("asa-snn")
def read_asa_snn(content: Any) -> TranslatedCheckpoint:
    """Translate a state_dict saved by the published ASA-SNN code; see `translate_asa_snn`."""
    weights = flat_state_dict(content)
    return TranslatedCheckpoint(*translate_asa_snn(weights), notes_on=mask_notes)


@CHECKPOINT_FORMATS.register("gac")
def read_gac(content: Any) -> TranslatedCheckpoint:
    """Translate a state_dict saved by the published GAC code; see `translate_gac`."""
    weights = flat_state_dict(content)
    return TranslatedCheckpoint(*translate_gac(weights))


@CHECKPOINT_FORMATS.register("spikingjelly")
def read_spikingjelly(content: Any) -> TranslatedCheckpoint:
    """Translate a state_dict of a model of SpikingJelly; see `translate_spikingjelly`."""
    weights = flat_state_dict(content)
    return TranslatedCheckpoint(*translate_spikingjelly(weights), notes_on=mask_notes)
