"""One damaged input: made from its number alone, opened, and judged."""

from __future__ import annotations

import contextlib
import resource
import shutil
import signal
import time
import traceback
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from benchmarks.fuzz.damage import damaged
from benchmarks.fuzz.edits import VALUES
from benchmarks.fuzz.foreign import foreign_files, hostile_content
from benchmarks.fuzz.kinds import KINDS, Kind
from redundancy.errors import RedundancyError

OUTCOMES = ("refused", "equal", "undetectable", "WRONG", "exception", "hang", "memory")
FAULTS = OUTCOMES[3:]
MOST_SECONDS = 20
_MOST_BYTES = 2 << 30
_HOSTILE = {".pt", ".npz", ".npy", "test_batch"}


class Hang(BaseException):
    """No exception that what is tried could catch."""


@dataclass(frozen=True)
class Outcome:
    """What came of one input.

    Attributes
    ----------
    kind, outcome : str
    how : str
        What was done to the file.
    said : str
        The sentence, or the end of the traceback.
    """

    kind: str
    outcome: str
    how: str
    said: str = ""


@dataclass
class Bench:
    """Whole files of every kind in a folder, and what they yield.

    Parameters
    ----------
    folder : Path
        Empty; may be removed afterwards.
    kinds : sequence of str
    """

    folder: Path
    kinds: list[str]
    digests: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.marker = self.folder / "a-file-ran-code"
        (self.folder / "foreign").mkdir()
        self.foreign = foreign_files(self.folder / "foreign")
        for name in self.kinds:
            for seed in (0, 1):
                self._whole(name, seed).mkdir()
                KINDS[name].write(self._whole(name, seed), seed)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                # Under the very path that inputs have: sentences and provenance may name it.
                self.digests[name] = KINDS[name].read(self._copy(name))

    def _whole(self, name: str, seed: int) -> Path:
        return self.folder / f"{list(KINDS).index(name)}-{seed}"

    def _copy(self, name: str) -> Path:
        place = self.folder / "input"
        shutil.rmtree(place, ignore_errors=True)
        return Path(shutil.copytree(self._whole(name, 0), place))

    def attempt(self, seed: int, number: int) -> Outcome:
        """Make input `number` of a seed, open it, and judge what came of it."""
        random = Random(f"{seed}/{number}")
        name = self.kinds[number % len(self.kinds)]
        place = self._copy(name)
        file = random.choice(_targets(KINDS[name], place))
        how, free = self._damage(KINDS[name], file, random)
        outcome, said, digest = _opened(KINDS[name], place)
        if self.marker.exists():
            self.marker.rmdir() if self.marker.is_dir() else self.marker.unlink()
            outcome, said = "WRONG", "the file ran code"
        elif outcome == "equal" and (digest != self.digests[name] or how == "hostile"):
            outcome = "undetectable" if free else "WRONG"
        return Outcome(name, outcome, f"{how}, {file.relative_to(place)}", said)

    def _damage(self, kind: Kind, file: Path, random: Random) -> tuple[str, bool]:
        """Damage a file; return how, and whether other numbers are beyond any reader."""
        choice, content = random.random(), file.read_bytes()
        if choice < 0.06:
            what = random.choice(list(self.foreign))
            file.write_bytes(self.foreign[what])
            return f"in its place: {what}", False
        if choice < 0.12 and (place := {file.suffix, file.name} & _HOSTILE):
            file.write_bytes(hostile_content(place.pop(), content, self.marker, random))
            return "hostile", False
        if choice < 0.45 and kind.edit is not None:
            # What cannot be saved as edited (a name twice, ...) is damaged instead.
            with contextlib.suppress(Exception), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                words = kind.edit(file, random)
                return words, kind.free_values and words.startswith(VALUES)
            file.write_bytes(content)
        relative = file.relative_to(self.folder / "input")
        name = next(name for name, other in KINDS.items() if other is kind)
        other = self._whole(name, 1) / relative
        others = [*self.foreign.values(), *([other.read_bytes()] * 8 if other.exists() else [])]
        changed, words = damaged(content, random, others)
        file.write_bytes(changed)
        return words, kind.free_bytes


def _targets(kind: Kind, place: Path) -> list[Path]:
    return sorted(path for path in place.glob(kind.targets) if path.is_file())


def _opened(kind: Kind, place: Path) -> tuple[str, str, str]:
    """Return outcome ("equal" for any numbers), what was said, and the digest."""
    began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    outcome, said, digest = "equal", "", ""
    try:
        with limits(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            digest = kind.read(place)
    except RedundancyError as error:
        outcome, said = "refused", str(error)
        if "\n" in said or not said:
            outcome = "exception"
    except Hang:
        outcome, said = "hang", _end_of_traceback()
    except MemoryError:
        outcome, said = "memory", _end_of_traceback()
    except Exception:
        outcome, said = "exception", _end_of_traceback()
    if time.monotonic() - began > MOST_SECONDS:
        outcome = "hang"
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return ("memory" if grown * 1024 > _MOST_BYTES else outcome), said, digest


def _end_of_traceback() -> str:
    return "".join(traceback.format_exc().splitlines(keepends=True)[-7:])


@contextlib.contextmanager
def limits() -> Iterator[None]:
    """Raise Hang after 20 seconds, and fail whatever takes 2 GB more than there is."""

    def stop(*_: object) -> None:
        raise Hang

    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    with open("/proc/self/statm") as file:
        taken = int(file.read().split()[0]) * resource.getpagesize()
    previous = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, MOST_SECONDS)
    resource.setrlimit(resource.RLIMIT_AS, (taken + _MOST_BYTES, hard))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
