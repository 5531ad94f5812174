"""What an analysis has done, kept on disk, so that it can go on after an interruption."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from redundancy import schema
from redundancy.errors import ResultsError, UsageError
from redundancy.files import full_disk_as_sentence, write_text
from redundancy.nodes import check_version, read_nodes, write_nodes
from redundancy.sharding.gathering import Gathered, Piece
from redundancy.sharding.identity import differences
from redundancy.sharding.plan import Shard

_PREFIX = ".shards-"
_IDENTITY = "run.json"
_MERGED = "merged.nc"
_KIND = "states"
_RUN = "run"
# Keeping takes at most about this share of the time of an analysis.
_MOST_TIME = 0.05


class KeptStates:
    """The states of one analysis in a folder beside its results.

    What is merged lies in one file that each further shard replaces; shards that came
    before an earlier one lie beside it. So the folder is as large as a few results files,
    however many samples there are. Files are whole or not there. To cost little, states
    are kept when 20 times the time has passed that keeping them took before, and when the
    analysis ends early.

    Parameters
    ----------
    folder : Path
        Of the results.
    resume : bool
        Whether to go on from what is kept there.
    overwrite : bool
        Whether what is kept there may be removed.

    Attributes
    ----------
    n_samples : int
        How many are kept.
    """

    def __init__(self, folder: Path, *, resume: bool = False, overwrite: bool = False) -> None:
        self._parent, self._resume, self._overwrite = folder, resume, overwrite
        self.folder = folder / _PREFIX
        self._last = time.monotonic()
        self._took = 0.0
        self._written: set[Shard] = set()
        self._identity = ""
        self.n_samples = 0

    def open(self, identity: Mapping[str, Any], start: int) -> Gathered:
        """Return what is done of the analysis that `identity` describes.

        Parameters
        ----------
        identity : mapping
            All that determines the states, as JSON values.
        start : int
            The first sample of the analysis.

        Raises
        ------
        UsageError
            If other or the same states are kept there, and they are neither to be gone on
            from nor to be removed.
        """
        text = self._locate(identity)
        if self._resume and not self.folder.exists():
            self._refuse_others(json.loads(text))
        if self._resume and self.folder.exists():
            return self._read(start)
        if self.folder.exists() and not self._overwrite:
            raise UsageError(
                f"{self._parent} holds an unfinished run of this analysis; go on from it with "
                "--resume, or start again with --overwrite"
            )
        shutil.rmtree(self.folder, ignore_errors=True)
        return Gathered(start)

    def _locate(self, identity: Mapping[str, Any]) -> str:
        text = json.dumps(identity, sort_keys=True, default=str)
        self.folder = self._parent / f"{_PREFIX}{hashlib.sha256(text.encode()).hexdigest()[:12]}"
        self._identity = text
        return text

    def discard(self, identity: Mapping[str, Any]) -> None:
        """Remove what is kept of the analysis that `identity` describes."""
        self._locate(identity)
        self.remove()

    def _refuse_others(self, identity: Mapping[str, Any]) -> None:
        for path in sorted(self._parent.glob(f"{_PREFIX}*/{_IDENTITY}")):
            try:
                other = json.loads(path.read_text(encoding="utf-8"))
            except (OSError, ValueError):
                continue
            if not isinstance(other, dict):
                continue
            different = [
                f"{words} and now {now}" for words, now in differences(other, identity).values()
            ]
            raise UsageError(
                f"the unfinished run in {self._parent} is another one "
                f"({'; '.join(different[:3])}); repeat its options, or start this one without "
                "--resume or in another folder with --out"
            )

    def _read(self, start: int) -> Gathered:
        gathered = Gathered(start)
        for partial in self.folder.glob("*.partial-*"):
            partial.unlink(missing_ok=True)
        # The merged states first: a shard that is in them already may still lie beside.
        for path in sorted(self.folder.glob("*.nc"), key=lambda path: (path.name != _MERGED, path)):
            nodes, attributes = read_nodes(path)
            check_version(path, attributes, _KIND)
            # Files of versions before do not say.
            if attributes.get(_RUN, self.folder.name) != self.folder.name:
                raise ResultsError(f"{path} was kept of another run; remove it")
            gathered.device = str(attributes["device"])
            piece = Piece(Shard(int(attributes["start"]), int(attributes["stop"])), nodes)
            if piece.samples.start < gathered.stop:
                path.unlink()
                continue
            if path.name != _MERGED:
                if path != self._path(piece.samples):
                    raise ResultsError(
                        f"{path} holds what was kept as {self._path(piece.samples).name}; remove it"
                    )
                self._written.add(piece.samples)
            gathered.add(piece)
        self.n_samples = gathered.n_samples
        return gathered

    def keep(self, gathered: Gathered, *, now: bool = False) -> None:
        """Write what is done, unless that was done shortly before.

        Parameters
        ----------
        gathered : Gathered
        now : bool
            Write it in any case.

        Raises
        ------
        ResultsError
            If the disk is full.
        """
        began = time.monotonic()
        if not gathered.pieces or (not now and (began - self._last) * _MOST_TIME < self._took):
            return
        with full_disk_as_sentence(
            self._parent,
            f"what was kept there before stays, {self.n_samples} samples; free some space and go "
            "on with --resume",
        ):
            if not (self.folder / _IDENTITY).exists():
                write_text(self.folder / _IDENTITY, self._identity)
            if gathered.merged is not None:
                self._write(self.folder / _MERGED, gathered.merged, gathered.device)
            waiting = {piece.samples for piece in gathered.waiting}
            for piece in gathered.waiting:
                if piece.samples not in self._written:
                    self._write(self._path(piece.samples), piece, gathered.device)
                    self._written.add(piece.samples)
        for samples in self._written - waiting:
            self._path(samples).unlink(missing_ok=True)
        self._written &= waiting
        self.n_samples = gathered.n_samples
        self._last = time.monotonic()
        self._took = self._last - began

    def _path(self, samples: Shard) -> Path:
        return self.folder / f"{samples.start:012d}.nc"

    def _write(self, path: Path, piece: Piece, device: str) -> None:
        attributes = {
            schema.KIND: _KIND,
            schema.VERSION: schema.SCHEMA_VERSION,
            "start": piece.samples.start,
            "stop": piece.samples.stop,
            "device": device,
            _RUN: self.folder.name,
        }
        write_nodes(path, piece.nodes, attributes)

    def remove(self) -> None:
        """Remove what was kept; the results are written."""
        shutil.rmtree(self.folder, ignore_errors=True)
