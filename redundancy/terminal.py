"""How the command line talks to a person: progress, warnings and errors."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import signal
import sys
import time
import warnings
from collections.abc import Iterator
from typing import Any, TextIO

from redundancy.names import visible
from redundancy.torchrun import n_processes, tells_error

_REFRESH_SECONDS = 0.1
_OUT_OF_MEMORY = ("allocate memory", "out of memory", "not enough memory")


class Terminated(KeyboardInterrupt):
    """The process was asked to end; work is kept as after Ctrl-C."""


def say(text: str, *, stream: TextIO | None = None) -> None:
    """Write lines, to standard output unless told otherwise.

    What a terminal would obey, such as the escape sequences in a layer's name, is written
    out.
    """
    stream = stream or sys.stdout
    stream.write(visible(text, keep="\n\t") + "\n")
    stream.flush()


def prepare_streams() -> None:
    """Open the standard streams that are closed, and let no character stop the others.

    A closed one would be the number of the next file that is opened, and what is printed
    would land in it.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            # The least free number, which is this one.
            os.open(os.devnull, os.O_RDWR)
        if getattr(sys, name) is None:
            mode = "w" if number else "r"
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8", closefd=False))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


@contextlib.contextmanager
def endings_as_interrupts() -> Iterator[None]:
    """Let SIGTERM, and a terminal that is closed, end the block as Ctrl-C does.

    Not in processes of ``torchrun``, whose end must not wait for the others.
    """

    def end(number: int, _: object) -> None:
        raise Terminated(signal.Signals(number).name)

    before = {}
    for name in ("SIGTERM", "SIGHUP") if n_processes() == 1 else ():
        number = getattr(signal, name, None)
        # Where it is ignored, as under nohup, it stays so. Only the main thread may set it.
        with contextlib.suppress(ValueError):
            if number is not None and signal.getsignal(number) == signal.SIG_DFL:
                before[number] = signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class ProgressLine:
    """One line that says what is done, how far it is and how long it will take.

    Shown on a terminal only; quiet in a pipe. Call it with (done, total).

    Parameters
    ----------
    what : str
        Such as "analysing".
    unit : str
        What is counted, in the plural.
    quiet : bool
    stream : file, optional
        Default standard error.
    """

    def __init__(
        self, what: str, unit: str, *, quiet: bool = False, stream: TextIO | None = None
    ) -> None:
        self._what, self._unit = what, unit
        self._stream = stream or sys.stderr
        self._shown = not quiet and self._stream.isatty()
        self._began = time.monotonic()
        self._last = 0.0
        self._width = 0

    def __call__(self, done: int, total: int) -> None:
        """Show that `done` of `total` units are finished."""
        now = time.monotonic()
        if not self._shown or (now - self._last < _REFRESH_SECONDS and done < total):
            return
        self._last = now
        left = ""
        if 0 < done < total:
            left = f", {duration((now - self._began) * (total - done) / done)} left"
        self._write(f"{self._what} {done}/{total} {self._unit}{left}")

    def note(self, text: str) -> None:
        """Show a lasting line above the progress."""
        if self._shown:
            self._write("")
        say(text, stream=self._stream)

    def _write(self, text: str) -> None:
        # A longer line would go on in the next one, which "\r" does not take back.
        text = visible(text)[: max(shutil.get_terminal_size().columns - 1, 1)]
        padding = " " * max(self._width - len(text), 0)
        self._stream.write(f"\r{text}{padding}" + ("\r" if not text else ""))
        self._stream.flush()
        self._width = len(text)

    def __enter__(self) -> ProgressLine:
        return self

    def __exit__(self, *exception: object) -> None:
        self.clear()

    def clear(self) -> None:
        """Take the line off the terminal."""
        if self._shown and self._width:
            self._write("")


def duration(seconds: float) -> str:
    """Return a length of time as a person says it."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


@contextlib.contextmanager
def warnings_as_sentences() -> Iterator[None]:
    """Show the package's warnings once each, as one sentence on standard error."""
    seen: set[str] = set()

    def show(message: Any, category: type[Warning], *_: Any, **__: Any) -> None:
        text = str(message)
        if text not in seen:
            seen.add(text)
            say(f"warning: {text}", stream=sys.stderr)

    with warnings.catch_warnings():
        # Only what is meant for users: libraries' warnings about themselves are not.
        warnings.simplefilter("ignore")
        warnings.filterwarnings("always", category=UserWarning, module=r"redundancy(\.|$)")
        warnings.filterwarnings("always", category=UserWarning, module=r"analysis_cli$")
        warnings.showwarning = show
        yield


@contextlib.contextmanager
def errors_as_sentences() -> Iterator[None]:
    """Turn exceptions into one sentence and an exit code: 2 for misuse, 1 for failure.

    With ``REDUNDANCY_DEBUG`` set in the environment the traceback is shown.
    """
    import click

    from redundancy.errors import RedundancyError, UsageError

    try:
        yield
    except click.exceptions.Exit as exit_request:
        sys.exit(exit_request.exit_code)
    except click.ClickException as error:
        if tells_error():
            shown = io.StringIO()
            error.show(shown)
            say(shown.getvalue().rstrip("\n"), stream=sys.stderr)
        sys.exit(error.exit_code)
    except Terminated as request:
        _fail(f"ended by {request}; files that were not finished are removed", 143)
    except (KeyboardInterrupt, click.Abort):
        _fail("interrupted; files that were not finished are removed", 130)
    except UsageError as error:
        _fail(str(error), 2)
    except RedundancyError as error:
        _fail(str(error), 1)
    except BrokenPipeError:
        # The reader of our output has gone; there is nobody left to tell.
        _drop_unwritten()
        sys.exit(1)
    except OSError as error:
        _fail(_system_error(error), 1)
    except Exception as error:
        if isinstance(error, MemoryError) or any(words in str(error) for words in _OUT_OF_MEMORY):
            _fail("memory ran out; ask for a smaller --batch-size, or for fewer --workers", 1)
        _fail(
            f"unexpected {type(error).__name__}: {error}. This is a bug in redundancy; run again "
            "with REDUNDANCY_DEBUG=1 for the traceback to report",
            1,
        )


def _system_error(error: OSError) -> str:
    """Return what the system said, as a sentence."""
    try:
        os.getcwd()
    except FileNotFoundError:
        return "the current folder is no longer there; change to another one and run again"
    names = [
        os.fsdecode(n) for n in (error.filename, error.filename2) if isinstance(n, str | bytes)
    ]
    where = f" ({', '.join(names)})" if names else ""
    return f"{error.strerror or error}{where}"


def _drop_unwritten() -> None:
    """Forget what cannot be written any more, or Python would try again at its end."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            with contextlib.suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _fail(sentence: str, code: int) -> None:
    if n_processes() > 1:
        # torchrun passes a second Ctrl-C on while the first is being told.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        if not tells_error():
            sys.exit(code)
    if os.environ.get("REDUNDANCY_DEBUG"):
        import traceback

        traceback.print_exc()
    _drop_unwritten()
    if sys.stderr.isatty():
        sys.stderr.write("\r")
    with contextlib.suppress(OSError):
        say(f"error: {sentence}", stream=sys.stderr)
    sys.exit(code)
