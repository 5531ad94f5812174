from __future__ import annotations

import io
import os
import subprocess
import sys
import warnings
from collections.abc import Iterator

import click
import pytest

from redundancy import terminal
from redundancy.errors import CheckpointError, DataError, RedundancyError, UsageError
from redundancy.terminal import (
    ProgressLine,
    duration,
    errors_as_sentences,
    say,
    warnings_as_sentences,
)


class Terminal(io.StringIO):
    """A stream that shows text as a terminal does."""

    def isatty(self) -> bool:
        return True

    def screen(self) -> list[str]:
        """Return the lines that can be read on the terminal now."""
        lines = []
        for line in self.getvalue().split("\n"):
            cells: list[str] = []
            for piece in line.split("\r"):
                cells[: len(piece)] = piece
            lines.append("".join(cells).rstrip())
        return lines


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """Provide a clock that shows the one number in a list."""
    now = [1000.0]
    monkeypatch.setattr(terminal.time, "monotonic", lambda: now[0])
    return now


def test_say_writes_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    stream = io.StringIO()
    say("to a stream", stream=stream)
    say("to standard output")
    assert stream.getvalue() == "to a stream\n"
    assert capsys.readouterr().out == "to standard output\n"


# Progress


def test_progress_is_quiet_in_a_pipe() -> None:
    pipe = io.StringIO()
    with ProgressLine("analysing", "samples", stream=pipe) as progress:
        progress(1, 10)
        progress(10, 10)
    assert pipe.getvalue() == ""


def test_progress_is_quiet_if_asked_to() -> None:
    screen = Terminal()
    with ProgressLine("analysing", "samples", quiet=True, stream=screen) as progress:
        progress(1, 10)
    assert screen.getvalue() == ""


def test_progress_says_what_how_far_and_how_long_left(clock: list[float]) -> None:
    screen = Terminal()
    progress = ProgressLine("analysing", "samples", stream=screen)
    progress(0, 100)
    assert screen.screen() == ["analysing 0/100 samples"]
    clock[0] += 10.0
    progress(25, 100)
    assert screen.screen() == ["analysing 25/100 samples, 30 s left"]
    clock[0] += 600.0
    progress(50, 100)
    assert screen.screen() == ["analysing 50/100 samples, 10 min left"]
    clock[0] += 1.0
    progress(100, 100)
    assert screen.screen() == ["analysing 100/100 samples"]


def test_progress_is_not_drawn_more_often_than_eyes_can_see(clock: list[float]) -> None:
    screen = Terminal()
    progress = ProgressLine("analysing", "samples", stream=screen)
    for done in range(1, 1001):
        clock[0] += 0.001
        progress(done, 1000)
    assert 5 <= screen.getvalue().count("\r") <= 15
    assert screen.screen() == ["analysing 1000/1000 samples"]


def test_the_line_goes_away_at_the_end_even_after_an_error() -> None:
    screen = Terminal()

    def fail() -> None:
        with ProgressLine("analysing", "samples", stream=screen) as progress:
            progress(5, 10)
            assert screen.screen() != [""]
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert screen.screen() == [""]


def test_a_note_stays_above_the_progress(clock: list[float]) -> None:
    screen = Terminal()
    with ProgressLine("epoch", "samples", stream=screen) as progress:
        progress(5, 10)
        progress.note("epoch 1/3 done")
        clock[0] += 1
        progress(6, 10)
        assert screen.screen() == ["epoch 1/3 done", "epoch 6/10 samples, 1 s left"]
    assert screen.screen() == ["epoch 1/3 done", ""]


def test_a_note_is_a_plain_line_in_a_pipe() -> None:
    pipe = io.StringIO()
    with ProgressLine("epoch", "samples", stream=pipe) as progress:
        progress(5, 10)
        progress.note("epoch 1/3 done")
    assert pipe.getvalue() == "epoch 1/3 done\n"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "0 s"), (59.6, "60 s"), (89, "89 s"), (120, "2 min"), (5399, "90 min"), (9000, "2.5 h")],
)
def test_durations_are_said_as_a_person_says_them(seconds: float, text: str) -> None:
    assert duration(seconds) == text


# Warnings


def warn_from(module: str, message: str, category: type[Warning] = UserWarning) -> None:
    """Warn as code of `module` does."""
    code = compile("warnings.warn(message, category)", module, "exec")
    exec(code, {"__name__": module, "warnings": warnings, "message": message, "category": category})


def test_the_package_s_warnings_are_sentences_shown_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with warnings_as_sentences():
        for _ in range(3):
            warn_from("redundancy.analysis", "the network never spikes")
        warn_from("redundancy", "another thing")
    captured = capsys.readouterr()
    assert captured.err == "warning: the network never spikes\nwarning: another thing\n"
    assert captured.out == ""


def test_libraries_warnings_about_themselves_are_not_shown(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with warnings_as_sentences():
        warn_from("torch.nn", "an implementation detail")
        warn_from("redundancy_of_others", "not ours")
        warn_from("redundancy.plots", "for developers", DeprecationWarning)
    assert capsys.readouterr().err == ""


def test_warnings_are_as_before_afterwards() -> None:
    before = (warnings.showwarning, list(warnings.filters))
    with warnings_as_sentences():
        assert warnings.showwarning is not before[0]
    assert (warnings.showwarning, list(warnings.filters)) == before


# Errors

INTERRUPTED = "error: interrupted; files that were not finished are removed\n"


def exit_of(error: BaseException) -> int | str | None:
    with pytest.raises(SystemExit) as caught, errors_as_sentences():
        raise error
    return caught.value.code


@pytest.fixture
def no_debug(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REDUNDANCY_DEBUG", raising=False)


@pytest.mark.usefixtures("no_debug")
@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (UsageError("give a number"), 2, "error: give a number\n"),
        (RedundancyError("it failed"), 1, "error: it failed\n"),
        (DataError("a bad file"), 1, "error: a bad file\n"),
        (CheckpointError("damaged"), 1, "error: damaged\n"),
        (
            FileNotFoundError(2, "No such file or directory", "a.npz"),
            1,
            "error: No such file or directory (a.npz)\n",
        ),
        (OSError("disk gone"), 1, "error: disk gone\n"),
        (KeyboardInterrupt(), 130, INTERRUPTED),
        (click.Abort(), 130, INTERRUPTED),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_an_error_is_one_sentence_and_an_exit_code(
    capsys: pytest.CaptureFixture[str], error: BaseException, code: int, text: str
) -> None:
    assert exit_of(error) == code
    captured = capsys.readouterr()
    assert captured.err == text
    assert captured.out == ""


@pytest.mark.usefixtures("no_debug")
def test_an_unexpected_error_is_called_a_bug_without_a_traceback(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert exit_of(ZeroDivisionError("division by zero")) == 1
    text = capsys.readouterr().err
    assert text.startswith("error: unexpected ZeroDivisionError: division by zero. This is a bug")
    assert "REDUNDANCY_DEBUG=1" in text
    assert "Traceback" not in text


@pytest.mark.parametrize("error", [ZeroDivisionError("division by zero"), UsageError("a number")])
def test_the_traceback_is_shown_for_debugging(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setenv("REDUNDANCY_DEBUG", "1")
    exit_of(error)
    text = capsys.readouterr().err
    assert "Traceback (most recent call last)" in text
    assert "exit_of" in text
    assert text.splitlines()[-1].startswith("error: ")


@pytest.mark.usefixtures("no_debug")
def test_click_s_own_errors_keep_their_form(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_of(click.UsageError("no such option: --colour")) == 2
    assert "no such option: --colour" in capsys.readouterr().err
    assert exit_of(click.exceptions.Exit(3)) == 3


def test_no_error_means_no_exit() -> None:
    with errors_as_sentences():
        pass


def test_a_reader_that_has_gone_is_no_error() -> None:
    script = (
        "from redundancy.terminal import errors_as_sentences, say\n"
        "with errors_as_sentences():\n"
        "    for _ in range(100_000): say('a line')\n"
    )
    read_end, write_end = os.pipe()
    os.close(read_end)
    with os.fdopen(write_end, "wb") as closed:
        result = subprocess.run(
            [sys.executable, "-c", script], stdout=closed, stderr=subprocess.PIPE, check=False
        )
    assert result.returncode == 1
    assert result.stderr == b""
