"""Tables as files: CSV with every digit, Markdown and LaTeX for people."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from redundancy.errors import UsageError
from redundancy.files import write_text
from redundancy.names import visible
from redundancy.tables.cells import cell, header, is_numeric

if TYPE_CHECKING:
    import pandas as pd

# Attributes of a table that is to be read: a sentence above it, sentences below it.
CAPTION = "caption"
NOTES = "notes"

_LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    # At the start of a row LaTeX would take it for an argument of the line break.
    "[": "{[}",
    "–": "--",
    "−": "$-$",
    "±": r"$\pm$",
    "×": r"$\times$",
    "≥": r"$\geq$",
    "→": r"$\to$",
    "Δ": r"$\Delta$",
    "µ": r"$\mu$",
    "²": "$^2$",
}
_LATEX_SPECIAL = re.compile("|".join(map(re.escape, _LATEX)))
# Beside these, what makes bare addresses links, and emphasis at the edge of a word.
_MARKDOWN = {"<": "&lt;", ">": "&gt;", "&": "&amp;", ":": "&#58;", "@": "&#64;", ".": "&#46;"}
_MARKDOWN_SPECIAL = re.compile(
    r"[|\\*<>\[\]`~$@]|&(?=\w+;|#)|:(?=//)|(?<=www)\.|(?<![^\W_])_|_(?![^\W_])", re.IGNORECASE
)
# What spreadsheets take for a formula.
_FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def to_csv(frame: pd.DataFrame) -> str:
    """Return a table as CSV: the columns' own names, every digit, empty where not known.

    Names that a spreadsheet would run as a formula begin with an apostrophe, and control
    characters in them are written out.
    """
    import pandas as pd

    safe = frame.rename(columns=_csv_text)
    for place, (_, column) in enumerate(frame.items()):
        if column.dtype.kind not in "biufc":
            cells = [_csv_text(value) for value in column]
            safe.isetitem(place, pd.Series(cells, frame.index, object))
    return str(safe.to_csv(index=False, lineterminator="\n"))


def write_csv(frame: pd.DataFrame, path: str | os.PathLike[str]) -> None:
    """Write a table as :func:`to_csv` says it, whole or not at all."""
    write_text(path, to_csv(frame))


def to_markdown(frame: pd.DataFrame) -> str:
    """Return a table as aligned Markdown, numbers to the right.

    Parameters
    ----------
    frame : DataFrame
        Its attributes may hold a ``caption`` and ``notes``, a sequence of sentences.
    """
    rows, numeric = _cells(frame, _markdown_text)
    widths = [max(3, *(len(row[column]) for row in rows)) for column in range(len(numeric))]
    lines = [
        _markdown_row(
            [
                text.rjust(width) if is_number else text.ljust(width)
                for text, width, is_number in zip(row, widths, numeric, strict=True)
            ]
        )
        for row in rows
    ]
    rule = [
        "-" * (width - 1) + (":" if is_number else "-")
        for width, is_number in zip(widths, numeric, strict=True)
    ]
    lines.insert(1, _markdown_row(rule))
    caption, notes = _words(frame, _markdown_text)
    above = [f"{caption}\n"] if caption else []
    below = [f"\n{note}" for note in notes]
    return "\n".join([*above, *lines, *below]) + "\n"


def to_latex(frame: pd.DataFrame, label: str = "") -> str:
    r"""Return a table as a LaTeX ``table`` in the style of booktabs.

    Parameters
    ----------
    frame : DataFrame
        As of :func:`to_markdown`.
    label : str
        For ``\ref``.
    """
    rows, numeric = _cells(frame, _latex_text)
    columns = "".join("r" if is_number else "l" for is_number in numeric)
    lines = [
        " & ".join(
            _latex_number(text) if is_number else text
            for text, is_number in zip(row, numeric, strict=True)
        )
        + r" \\"
        for row in rows
    ]
    caption, notes = _words(frame, _latex_text)
    table = [
        "% needs \\usepackage{booktabs}",
        r"\begin{table}",
        r"\centering",
        *([rf"\caption{{{caption}}}"] if caption else []),
        *([rf"\label{{{label}}}"] if label else []),
        rf"\begin{{tabular}}{{{columns}}}",
        r"\toprule",
        lines[0],
        r"\midrule",
        *lines[1:],
        r"\bottomrule",
        r"\end{tabular}",
        *(rf"\par\smallskip{{\footnotesize {note}}}" for note in notes),
        r"\end{table}",
    ]
    return "\n".join(table) + "\n"


FORMATS: dict[str, Callable[[Any], str]] = {"csv": to_csv, "md": to_markdown, "tex": to_latex}


def write_table(
    frame: pd.DataFrame, stem: str | os.PathLike[str], formats: Sequence[str] = ("csv", "md", "tex")
) -> list[Path]:
    """Write a table in several formats, each file whole or not at all.

    Parameters
    ----------
    frame : DataFrame
    stem : path
        Of the files, without the ending.
    formats : sequence of {"csv", "md", "tex"}

    Returns
    -------
    list of Path
        The files, in the order of `formats`.

    Raises
    ------
    UsageError
        If there is no such format.
    """
    unknown = [name for name in formats if name not in FORMATS]
    if unknown:
        raise UsageError(f"tables are written as {', '.join(FORMATS)}, not as {', '.join(unknown)}")
    stem = Path(stem)
    paths = [stem.with_name(f"{stem.name}.{name}") for name in formats]
    for name, path in zip(formats, paths, strict=True):
        write_text(path, FORMATS[name](frame))
    return paths


def _cells(frame: pd.DataFrame, escape: Callable[[str], str]) -> tuple[list[list[str]], list[bool]]:
    """Return the header and the rows as text, and which columns are numbers."""
    names = [str(name) for name in frame.columns]
    columns = [frame[name].tolist() for name in frame.columns]
    texts = [
        [escape(cell(name, value)) for value in values]
        for name, values in zip(names, columns, strict=True)
    ]
    rows = [list(row) for row in zip(*texts, strict=True)]
    return [[escape(header(name)) for name in names], *rows], [is_numeric(v) for v in columns]


def _words(frame: pd.DataFrame, escape: Callable[[str], str]) -> tuple[str, list[str]]:
    notes = [escape(str(note)) for note in frame.attrs.get(NOTES, ())]
    return escape(str(frame.attrs.get(CAPTION, ""))), notes


def _markdown_row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _markdown_text(text: str) -> str:
    return _MARKDOWN_SPECIAL.sub(
        lambda match: _MARKDOWN.get(match[0], f"\\{match[0]}"), _one_line(text)
    )


def _latex_text(text: str) -> str:
    return _LATEX_SPECIAL.sub(lambda match: _LATEX[match[0]], _one_line(text))


def _one_line(text: str) -> str:
    return " ".join(visible(text).split())


def _csv_text(value: Any) -> Any:
    """Return a cell; text that is no number must not be read as a formula."""
    if not isinstance(value, str):
        return value
    text = visible(value)
    return f"'{text}" if text.lstrip().startswith(_FORMULA) and not _is_number(text) else text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _latex_number(text: str) -> str:
    # Only the sign in math mode, which would space the commas of large numbers.
    return f"${text[0]}${text[1:]}" if text[:1] in ("-", "+") else text
