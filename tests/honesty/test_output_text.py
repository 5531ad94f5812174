"""Names that others chose do nothing but be read, wherever they are written."""

from __future__ import annotations

import csv
import io
import json

import matplotlib
import pandas as pd
import pytest

from redundancy.commands.places import names_of
from redundancy.names import visible
from redundancy.plots.labels import shorten
from redundancy.plots.style import paper_style
from redundancy.report.text import format_table
from redundancy.tables import to_latex, to_markdown
from redundancy.tables.formats import to_csv
from redundancy.terminal import ProgressLine, say

# A name, and what a CSV cell, a Markdown cell and a LaTeX cell make of it.
NASTY = {
    '=HYPERLINK("http://x.org","y")': (
        '\'=HYPERLINK("http://x.org","y")',
        '=HYPERLINK("http&#58;//x.org","y")',
        '=HYPERLINK("http://x.org","y")',
    ),
    "+1+cmd|' /C calc'!A0": (
        "'+1+cmd|' /C calc'!A0",
        r"+1+cmd\|' /C calc'!A0",
        r"+1+cmd\textbar{}' /C calc'!A0",
    ),
    "-x": ("'-x", "-x", "-x"),
    "@SUM(A1)": ("'@SUM(A1)", "&#64;SUM(A1)", "@SUM(A1)"),
    "\t=1+1": (r"\t=1+1", r"\\t=1+1", r"\textbackslash{}t=1+1"),
    "\r=1+1": (r"\r=1+1", r"\\r=1+1", r"\textbackslash{}r=1+1"),
    " =1+1": ("' =1+1", "=1+1", "=1+1"),
    "-0.5": ("-0.5", "-0.5", "-0.5"),
    "1e-3": ("1e-3", "1e-3", "1e-3"),
    "<script>a()</script>": (
        "<script>a()</script>",
        "&lt;script&gt;a()&lt;/script&gt;",
        r"\textless{}script\textgreater{}a()\textless{}/script\textgreater{}",
    ),
    "[x](http://a.b)": ("[x](http://a.b)", r"\[x\](http&#58;//a.b)", "{[}x](http://a.b)"),
    "www.a.b": ("www.a.b", "www&#46;a.b", "www.a.b"),
    "a|b": ("a|b", r"a\|b", r"a\textbar{}b"),
    r"$\frac$": (r"$\frac$", r"\$\\frac\$", r"\$\textbackslash{}frac\$"),
    "`rm`": ("`rm`", r"\`rm\`", "`rm`"),
    "_a_b_": ("_a_b_", r"\_a_b\_", r"\_a\_b\_"),
    "&lt;": ("&lt;", "&amp;lt;", r"\&lt;"),
    "\x1b[31mred": (r"\x1b[31mred", r"\\x1b\[31mred", r"\textbackslash{}x1b{[}31mred"),
    "two\nlines": (r"two\nlines", r"two\\nlines", r"two\textbackslash{}nlines"),
    "\u202egnp.\x85": (r"\u202egnp.\x85", r"\\u202egnp.\\x85", None),
    "caf\udce9": (r"caf\udce9", r"caf\\udce9", None),
    "été_Ω": ("été_Ω", "été_Ω", r"été\_Ω"),
}


@pytest.mark.parametrize("name", NASTY)
def test_a_name_in_a_table_is_text(name: str) -> None:
    frame = pd.DataFrame({"layer": [name], "value": [-0.5]})
    frame.attrs = {"caption": name, "notes": [name]}
    in_csv, in_markdown, in_latex = NASTY[name]
    rows = list(csv.reader(io.StringIO(to_csv(frame))))
    assert rows == [["layer", "value"], [in_csv, "-0.5"]]
    assert next(csv.reader(io.StringIO(to_csv(pd.DataFrame({name: [1]}))))) == [in_csv]
    table = [line for line in to_markdown(frame).splitlines() if line.startswith("| ")]
    assert table[-1] == f"| {in_markdown:5} |  -0.5 |"
    assert to_markdown(frame).splitlines()[0] == in_markdown
    latex = to_latex(frame)
    if in_latex is not None:
        assert f"{in_latex} & $-$0.5" in latex
    assert "\x1b" not in latex
    assert latex.encode("utf-8")


@pytest.mark.parametrize("name", NASTY)
def test_a_name_on_a_terminal_and_a_figure_is_text(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = visible(name)
    assert shown.isprintable()
    assert format_table(["layer"], [[name]]).splitlines()[-1].strip() == shown.strip()
    say(name)
    said = capsys.readouterr().out
    assert said.removesuffix("\n") == visible(name, keep="\n\t")
    assert shorten(name, 99) == shown
    with paper_style():
        from matplotlib.figure import Figure

        figure = Figure()
        figure.text(0, 0, shorten(name, 99))
        figure.savefig(io.BytesIO(), format="png", dpi=20)
    assert json.loads(json.dumps(name)) == name
    assert not matplotlib.rcParams["text.usetex"]


def test_a_name_of_a_file_is_text_in_all_that_is_written(tmp_path) -> None:
    paths = [tmp_path / name for name in ("a\x1b[2J.pt", "b\n.pt", "c\udce9.pt", "b\\n.pt")]
    assert names_of(paths) == [r"a\x1b[2J", r"b\n", r"c\udce9", r"b\n-2"]


class _Narrow(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("columns", [0, 1, 20])
def test_a_line_of_progress_fits_any_terminal(
    columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    stream = _Narrow()
    with ProgressLine("analysing a\x1b[31m long name", "samples", stream=stream) as progress:
        progress(3, 10)
    widths = [len(piece) for piece in stream.getvalue().split("\r")]
    assert max(widths) <= (columns or 80)
    assert "\x1b" not in stream.getvalue()
