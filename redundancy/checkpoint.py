"""Save a trained network, and open one: ours or anyone's."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from redundancy.checkpoint_formats import CHECKPOINT_FORMATS, flat_state_dict, recognise_format
from redundancy.checkpoint_formats.own import is_own, pack, unpack
from redundancy.checkpoint_weights import (
    find_misfits,
    fitting,
    read_weights,
    shortened,
    write_torch,
)
from redundancy.errors import CheckpointError
from redundancy.files import sha256_of
from redundancy.networks import build_network, complete_arguments, idle_arguments
from redundancy.weight_types import cast_notes, check_weight_types

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class Checkpoint:
    """A trained network and where it comes from.

    Attributes
    ----------
    network : str
        Registered name of the network.
    network_arguments : dict
        All its arguments.
    state_dict : mapping of str to Tensor
    dataset : str or None
        Registered name of the dataset it was trained on, if known.
    dataset_arguments : dict
        That dataset's arguments; never a path.
    training_record : dict
        How it was trained; empty if unknown.
    sha256 : str
        Of the file it was read from; empty before it is saved.
    format : str
        The checkpoint format it was read as; ``", in part"`` follows where weights were
        left out.
    notes : tuple of str
        What a user should know about how the file was understood.
    partial : bool
        Whether weights that do not fit are left out rather than refused.
    """

    network: str
    network_arguments: dict[str, Any]
    state_dict: Mapping[str, Tensor]
    dataset: str | None = None
    dataset_arguments: dict[str, Any] = field(default_factory=dict)
    training_record: dict[str, Any] = field(default_factory=dict)
    sha256: str = ""
    format: str = "redundancy"
    notes: tuple[str, ...] = ()
    partial: bool = False

    @property
    def frame_shape(self) -> tuple[int, int, int, int]:
        """The (time, channel, y, x) of a sample, as far as the network's arguments say."""
        arguments = self.network_arguments
        height, width = arguments["input_size"]
        return (arguments["n_timesteps"], arguments["input_channels"], height, width)

    def build_network(self) -> nn.Module:
        """Build the network with its trained weights, in evaluation mode.

        Raises
        ------
        CheckpointError
            If a weight is missing, unexpected or of another shape; with `partial`, if
            none fits. What is missing then starts as a fresh network does, the same
            each time.
        """
        import torch

        if not self.partial:
            network = build_network(self.network, **self.network_arguments)
            misfits = find_misfits(network.state_dict(), self.state_dict)
            if misfits:
                raise CheckpointError(
                    f"the weights do not fit {self.network} with the given arguments: "
                    f"{shortened(misfits)}. Give the arguments it was trained with as "
                    "--network-arg key=value, or take what fits with --partial."
                )
            network.load_state_dict(dict(self.state_dict))
            return network.eval()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            network = build_network(self.network, **self.network_arguments)
        taken = fitting(network.state_dict(), self.state_dict)
        if not taken:
            raise CheckpointError(
                f"no weight of the checkpoint fits {self.network} with the given arguments; give "
                "those it was trained with as --network-arg key=value"
            )
        network.load_state_dict(taken, strict=False)
        return network.eval()


def _with_partial_notes(checkpoint: Checkpoint) -> Checkpoint:
    """Return the checkpoint to be loaded in part, with a note on what is left out."""
    partial = replace(checkpoint, partial=True)
    misfits = find_misfits(partial.build_network().state_dict(), partial.state_dict)
    if not misfits:
        return partial
    note = (
        f"loaded in part: {len(misfits)} weights do not fit and are left out, or start as those "
        f"of an untrained network: {shortened(misfits)}"
    )
    # The format goes into the results of every analysis.
    return replace(partial, format=f"{partial.format}, in part", notes=(*partial.notes, note))


def save_checkpoint(path: str | os.PathLike[str], checkpoint: Checkpoint) -> None:
    """Write `checkpoint` to `path`, whole or not at all.

    The file opens with ``torch.load(path, weights_only=True)``.

    Raises
    ------
    StorageError
        If the disk is full.
    UsageError
        If nothing can be written there.
    """
    dataset = {"name": checkpoint.dataset, "arguments": checkpoint.dataset_arguments}
    content = pack(
        {"name": checkpoint.network, "arguments": checkpoint.network_arguments},
        None if checkpoint.dataset is None else dataset,
        checkpoint.state_dict,
        checkpoint.training_record,
    )
    write_torch(path, content)


def load_checkpoint(
    path: str | os.PathLike[str],
    *,
    checkpoint_format: str = "auto",
    network_arguments: Mapping[str, Any] | None = None,
    partial: bool = False,
) -> Checkpoint:
    """Open a trained network.

    Parameters
    ----------
    path : path
    checkpoint_format : str, default "auto"
        ``"redundancy"`` (ours), one of the foreign formats, or recognised by its keys.
    network_arguments : mapping, optional
        Override what the file says or leaves open.
    partial : bool, default False
        Leave out weights that do not fit the network instead of refusing them when it
        is built; a note lists them.

    Raises
    ------
    UsageError
        If the file or the format does not exist.
    CheckpointError
        If the file is damaged, holds more than weights, or is not understood.
    """
    content = read_weights(Path(path))
    overrides = dict(network_arguments or {})
    if checkpoint_format == "auto":
        checkpoint_format = recognise_format(content)
    if checkpoint_format == "redundancy":
        checkpoint = Checkpoint(**unpack(path, content, overrides))
        _check_types(path, checkpoint.state_dict)
    else:
        checkpoint = _from_theirs(path, checkpoint_format, content, overrides)
    checkpoint = replace(
        checkpoint,
        sha256=sha256_of(path),
        notes=(*checkpoint.notes, *cast_notes(checkpoint.state_dict)),
    )
    return _with_partial_notes(checkpoint) if partial else checkpoint


def _from_theirs(
    path: str | os.PathLike[str],
    checkpoint_format: str,
    content: Any,
    overrides: Mapping[str, Any],
) -> Checkpoint:
    translate = CHECKPOINT_FORMATS.get(checkpoint_format)
    if is_own(content):
        raise CheckpointError(
            f"{path} was written by this project, so it is not of format {checkpoint_format}"
        )
    _check_types(path, flat_state_dict(content))
    translated = translate(content)
    arguments = complete_arguments(
        translated.network, {**translated.network_arguments, **overrides}
    )
    told = {
        *translated.network_arguments,
        *overrides,
        *idle_arguments(translated.network, arguments),
    }
    assumed = [f"{key}={value}" for key, value in arguments.items() if key not in told]
    return Checkpoint(
        network=translated.network,
        network_arguments=arguments,
        state_dict=translated.state_dict,
        format=checkpoint_format,
        notes=(
            *translated.notes,
            *translated.notes_on(arguments),
            "the file does not say these, and they are assumed: "
            f"{', '.join([*assumed, 'neurons that are set to 0 when they fire'])}; --network-arg "
            "KEY=VALUE says otherwise",
        ),
    )


def _check_types(path: object, weights: Mapping[str, Any]) -> None:
    """Refuse tensors that are no weights, naming the file."""
    import torch

    tensors = [(key, value) for key, value in weights.items() if isinstance(value, torch.Tensor)]
    try:
        check_weight_types(tensors)
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from None
