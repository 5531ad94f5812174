"""CSV, Markdown and LaTeX: every digit, aligned, escaped, whole."""

import io
import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from redundancy.errors import UsageError
from redundancy.tables import FORMATS, to_latex, to_markdown, write_table
from redundancy.tables.cells import cell, header
from redundancy.tables.formats import to_csv

ESCAPES = re.compile(r"\\[&%$#_{}]|\\text[a-z]+\{\}|\$[-+^]\$|\$\^2\$|\$\\[A-Za-z]+\$|\{\[\}")
TEXT = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    ["conv1_neuron", "50 % & more", r"a\b", "x|y", "#1 {a} ~ ^2 $", "[0]", "a\nb"]
)


@pytest.fixture
def frame():
    frame = pd.DataFrame(
        {
            "layer": ["conv_1", "fc|2"],
            "nasfr": [0.123456, float("nan")],
            "accuracy_percent": [98.04, 100.0],
            "nasfr_change_percent": [float("nan"), -71.25],
            "added_macs": [1234567.0, 0.0],
            "is_binary": [True, False],
        }
    )
    frame.attrs = {"caption": "A 50 % table_1.", "notes": ["One_note."]}
    return frame


def test_markdown_is_aligned_and_escaped(frame):
    assert to_markdown(frame).splitlines() == [
        "A 50 % table_1.",
        "",
        "| layer  |  NASFR | accuracy (%) | NASFR change (%) | added MACs | is binary |",
        "| ------ | -----: | -----------: | ---------------: | ---------: | --------- |",
        "| conv_1 | 0.1235 |         98.0 |                  | +1,234,567 | yes       |",
        r"| fc\|2  |        |        100.0 |            -71.2 |          0 | no        |",
        "",
        "One_note.",
    ]


def test_latex_is_booktabs_and_escaped(frame):
    text = to_latex(frame, "tab:one")
    assert text.splitlines() == [
        r"% needs \usepackage{booktabs}",
        r"\begin{table}",
        r"\centering",
        r"\caption{A 50 \% table\_1.}",
        r"\label{tab:one}",
        r"\begin{tabular}{lrrrrl}",
        r"\toprule",
        r"layer & NASFR & accuracy (\%) & NASFR change (\%) & added MACs & is binary \\",
        r"\midrule",
        r"conv\_1 & 0.1235 & 98.0 &  & $+$1,234,567 & yes \\",
        r"fc\textbar{}2 &  & 100.0 & $-$71.2 & 0 & no \\",
        r"\bottomrule",
        r"\end{tabular}",
        r"\par\smallskip{\footnotesize One\_note.}",
        r"\end{table}",
    ]


def test_a_backslash_before_a_bar_is_no_end_of_a_cell():
    markdown = to_markdown(pd.DataFrame({"layer": ["a\\|b"]}))
    assert markdown.splitlines()[-1] == r"| a\\\|b |"


def test_csv_keeps_every_digit(frame):
    frame["nasfr"] = [1 / 3, float("nan")]
    again = pd.read_csv(io.StringIO(to_csv(frame)))
    assert again["nasfr"][0] == 1 / 3
    assert np.isnan(again["nasfr"][1])
    assert list(again) == list(frame)


@given(st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=4))
def test_any_words_make_whole_rows(rows):
    frame = pd.DataFrame(rows, columns=["a_b", "c"])
    latex = to_latex(frame).split("\n")
    body = latex[latex.index(r"\midrule") + 1 : latex.index(r"\bottomrule")]
    assert len(body) == len(rows)
    for line in body:
        cells = re.split(r"(?<!\\)&", line.removesuffix(r" \\"))
        assert len(cells) == 2
        for text in cells:
            assert not set(ESCAPES.sub("", text)) & set("&%$#_{}~^\\|<>[\n\r")
    markdown = to_markdown(frame).rstrip("\n").split("\n")
    assert len(markdown) == len(rows) + 2
    assert len({len(line) for line in markdown}) == 1
    for line in markdown:
        assert len(re.findall(r"(?<!\\)(?:\\\\)*\|", line)) == 3


def test_an_empty_table_has_its_header():
    frame = pd.DataFrame(columns=["layer", "nasfr"])
    assert to_markdown(frame).splitlines()[0] == "| layer | NASFR |"
    assert r"\midrule" in to_latex(frame)


def test_files(frame, tmp_path):
    paths = write_table(frame, tmp_path / "new" / "table.of_conv1.neuron")
    assert [path.name for path in paths] == [
        "table.of_conv1.neuron.csv",
        "table.of_conv1.neuron.md",
        "table.of_conv1.neuron.tex",
    ]
    assert sorted(path.name for path in paths[0].parent.iterdir()) == [p.name for p in paths]
    for path in paths:
        assert path.read_text(encoding="utf-8") == FORMATS[path.suffix[1:]](frame)
    assert [p.name for p in write_table(frame, tmp_path / "one", ["md"])] == ["one.md"]


def test_unknown_formats_write_nothing(frame, tmp_path):
    with pytest.raises(UsageError, match="csv, md, tex, not as xls"):
        write_table(frame, tmp_path / "table", ["csv", "xls"])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("column", "value", "text"),
    [
        ("nasfr", 0.0, "0.0000"),
        ("published_nasfr", 0.176, "0.1760"),
        ("nasfr_sd", 0.00123, "0.0012"),
        ("accuracy_change", -0.04, "0.0"),
        ("accuracy_change", 3.94, "+3.9"),
        ("energy", 1234.6, "1,235"),
        ("input_rate", 0.123456, "0.1235"),
        ("n_neurons", np.int64(65536), "65,536"),
        ("n_neurons", 10.0, "10"),
        ("published_added_macs", 14.3e6, "14,300,000"),
        ("value", float("inf"), "inf"),
        ("anything", None, ""),
        ("anything", np.True_, "yes"),
    ],
)
def test_cells(column, value, text):
    assert cell(column, value) == text


@pytest.mark.parametrize(
    ("column", "words"),
    [
        ("quantization_error_change_percent", "QE change (%)"),
        ("accuracy_percent_sd", "accuracy s.d."),
        ("published_quantization_error", "published QE"),
        ("fed_by", "fed by"),
    ],
)
def test_headers(column, words):
    assert header(column) == words
