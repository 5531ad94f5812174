"""What the documents say: commands that parse, and numbers that are the code's."""

from __future__ import annotations

import dataclasses
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import torch

import analysis_cli
from redundancy import schema
from redundancy.arguments import parse_key_values
from redundancy.checkpoint_formats import CHECKPOINT_FORMATS
from redundancy.datasets import DATASETS
from redundancy.datasets.arguments import parse_arguments
from redundancy.datasets.presets import PRESETS, with_preset
from redundancy.errors import UsageError
from redundancy.networks import NETWORKS, build_network, network_arguments
from redundancy.networks.attention import ATTENTIONS
from redundancy.tables import attention_macs_table
from redundancy.tables.gac import published_gac
from redundancy.tables.published import ASA, PUBLISHED
from redundancy.training import TRAINING_PRESETS, Recipe, TrainingPlan, plan_training

ROOT = Path(__file__).resolve().parents[1]
PAPERS = ROOT / "docs" / "papers.md"
DOCUMENTS = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))


def commands_of(text: str) -> Iterator[str]:
    """Yield every command of the shell blocks, and those in line that say of what."""
    blocks = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
    for language, block in blocks.findall(text):
        if language == "sh":
            for line in block.replace("\\\n", " ").splitlines():
                if line.startswith("analyze "):
                    yield line
    for span in re.findall(r"`(analyze [^`\n]+)`", blocks.sub("", text)):
        if len(span.split()) > 2:
            yield span


COMMANDS = [
    pytest.param(command, id=f"{path.name}: {command[:60]}")
    for path in DOCUMENTS
    for command in commands_of(path.read_text(encoding="utf-8"))
]


def parsed(command: str) -> dict[str, Any]:
    """Return the parameters of a command, as click hands them over, and its name."""
    arguments = shlex.split(command, comments=True)[1:]
    cli = analysis_cli.cli
    with cli.make_context("analyze", arguments) as context:
        name, found, rest = cli.resolve_command(context, arguments)
        assert found is not None
        with found.make_context(name, rest, parent=context) as inner:
            return {**inner.params, "command": name}


def plan_of(given: dict[str, Any]) -> TrainingPlan:
    """Return what a training command comes to."""
    recipe = {field.name: given[field.name] for field in dataclasses.fields(Recipe)}
    return plan_training(
        given["preset"],
        given["data"],
        network=given["network"],
        network_arguments=parse_key_values(given["network_arg"], "--network-arg"),
        data_arguments=parse_key_values(given["data_arg"], "--data-arg"),
        recipe={name: value for name, value in recipe.items() if value is not None},
    )


def check(command: str) -> None:
    """Raise what a user would meet before the first file is opened."""
    given = parsed(command)
    data = given.get("data") or ""
    plan = plan_of(given) if given["command"] == "train" else None
    if data:
        name, _, location = data.partition(":")
        entry = DATASETS.get(name)
        assert bool(location) == (entry.location is not None)
        arguments = parse_key_values(given["data_arg"], "--data-arg")
        arguments = arguments if plan is None else plan.data_arguments
        parse_arguments(entry.arguments, with_preset(name, arguments), name)
    if given.get("checkpoint_format", "auto") not in ("auto", "redundancy"):
        CHECKPOINT_FORMATS.get(given["checkpoint_format"])
    arguments = parse_key_values(given.get("network_arg", ()), "--network-arg")
    if plan is not None:
        arguments = plan.network_arguments
        for attention in ATTENTIONS if "attention" in arguments else (None,):
            choice = {"attention": attention} if attention else {}
            with torch.device("meta"):
                build_network(plan.network, **{**arguments, **choice})
    else:
        assert set(arguments) <= {key for name in NETWORKS for key in network_arguments(name)}


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_parse(command: str) -> None:
    check(command)


def test_commands_of_every_kind_are_found() -> None:
    text = "`analyze info x.pt`, `analyze info`\n```sh\n# analyze a\nanalyze b \\\n  c # d\n```\n"
    text += "```python\nanalyze = 1\n```\n"
    assert [shlex.split(c, comments=True) for c in commands_of(text)] == [
        ["analyze", "b", "c"],
        ["analyze", "info", "x.pt"],
    ]
    found = [parsed(parameter.values[0])["command"] for parameter in COMMANDS]
    assert {"train", "compare", "energy", "quantization-error", "spike-features"} <= set(found)


@pytest.mark.parametrize(
    "command",
    [
        "analyze compair a.pt b.pt",
        "analyze compare a.pt b.pt --batch 4 5",
        "analyze train --data nmnist:FOLDER",
        "analyze info a.pt --data-arg preset=asa-gesture",
        "analyze compare a.pt b.pt --data dvs128:X",
        "analyze compare a.pt b.pt --data dvs128-gesture:X --data-arg preset=asa-gait-day",
        "analyze compare a.pt b.pt --data dvs128-gesture:X --data-arg timesteps=4",
        "analyze energy a.pt --checkpoint-format gca",
        "analyze train --preset asa-gestures --data dvs128-gesture:F -o a.pt",
        "analyze train --preset asa-gesture --data dvs128-gesture:F --data-arg clip=2 -o a.pt",
        "analyze train --preset gac-cifar10 --data cifar10:F --momentum 2 -o a.pt",
        "analyze train --network lif-snn-4 --data nmnist:FOLDER -o a.pt",
        "analyze train --network-arg attention=asa --network-arg width=4 --data nmnist:F -o a.pt",
    ],
)
def test_commands_that_would_fail_are_told(command: str) -> None:
    with pytest.raises((click.ClickException, UsageError)):
        check(command)


def rows_of(text: str) -> list[list[str]]:
    """Return the cells of every line of every table."""
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in text.splitlines()
        if line.startswith("|")
    ]


def section(title: str) -> str:
    """Return what stands below a heading, down to the next."""
    text = PAPERS.read_text(encoding="utf-8")
    found = re.search(rf"^#+ {re.escape(title)}.*?\n(.*?)(?=^#|\Z)", text, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


def commanded(rows: list[list[str]]) -> list[tuple[list[str], dict[str, Any]]]:
    """Return the rows that hold a command, and what it says."""
    return [
        (row, parsed(cell.strip("`")))
        for row in rows
        for cell in row
        if cell.startswith("`analyze ")
    ]


@pytest.mark.parametrize(
    ("table", "title", "written"),
    [
        (1, "Table 1", lambda v: f"{v['accuracy_percent']:.1f} / {v[schema.NASFR]:.3f}"),
        (4, "Table 4", lambda v: f"{v[schema.QE]:.3f}"),
    ],
)
def test_every_published_row_has_its_command(table: int, title: str, written: Any) -> None:
    expected = sorted(
        (dataset, written(values["none"]), written(values[ASA]))
        for dataset, entries in PUBLISHED[table].items()
        for _, values in entries
    )
    rows = commanded(rows_of(section(title)))
    assert expected == sorted((given["data"].partition(":")[0], *row[1:3]) for row, given in rows)
    for _, given in rows:
        preset = parse_key_values(given["data_arg"], "--data-arg")["preset"]
        assert PRESETS[preset][0] == given["data"].partition(":")[0]


def test_table_3_is_the_paper_s() -> None:
    (_, published), *_ = PUBLISHED[3]["dvs128-gesture"]
    rows = {row[0].lower(): row for row in rows_of(section("Table 3"))[2:7]}
    assert rows["vanilla"][1] == f"{published['none']['parameters']:,}"
    for name in ("sa", "tcsa", "asa-1", "asa-2"):
        values = published[name]
        assert rows[name][1] == f"+{values['added_parameters']:,}"
        assert rows[name][2] == f"{values['added_macs'] / 1e6:.1f}M"


@pytest.mark.parametrize(("title", "index", "n_rows"), [("Accuracy (%)", 0, 10), ("Power", 1, 4)])
def test_every_row_of_gac_has_its_command(title: str, index: int, n_rows: int) -> None:
    rows = commanded(rows_of(section(title)))
    assert len({tuple(row) for row, _ in rows}) == n_rows
    for row, given in rows:
        dataset = given["data"].partition(":")[0]
        arguments = parse_key_values(given["data_arg"], "--data-arg")
        depth = re.search(r"MS-ResNet-(\d+)", row[0])
        assert depth is not None
        ending = "-cifar" if dataset.startswith("cifar") else ""
        attributes = {
            schema.DATASET: dataset,
            schema.NETWORK: f"gac-ms-resnet-{depth[1]}{ending}",
            schema.N_TIMESTEPS: int(arguments["n_timesteps"]),
        }
        assert row[1] == arguments["n_timesteps"]
        assert float(row[2]) == published_gac(attributes)[index]


def test_every_training_preset_has_its_row_and_its_command() -> None:
    rows = rows_of(section("Trained networks"))
    assert sorted(re.findall(r"`([\w-]+)`", " ".join(row[0] for row in rows))) == sorted(
        TRAINING_PRESETS
    )
    trained = [parsed(command) for command in commands_of(section("Trained networks"))]
    given = [given["preset"] for given in trained if given["command"] == "train"]
    assert set(given) == set(TRAINING_PRESETS)
    for row in rows[2:]:
        for name in re.findall(r"`([\w-]+)`", row[0]):
            entry = TRAINING_PRESETS.get(name)
            recipe = Recipe(**entry.recipe)
            assert f"`{entry.network}`" in row[1]
            assert int(row[2].split()[0].rstrip(",")) == PRESETS[name][1]["n_timesteps"]
            assert row[3].startswith(recipe.optimizer.upper()[:3] if "SGD" in row[3] else "Adam")
            if "epochs" in entry.recipe:
                assert row[4] == f"{recipe.epochs}, {recipe.batch_size}"
                rate = row[3].split(",")[0].split()[1]
                assert float(rate) == recipe.learning_rate
                decay = re.search(r"decay (\S+)", row[3])
                assert float(decay[1] if decay else 0) == recipe.weight_decay


def test_the_attention_table_is_the_code_s() -> None:
    columns = [
        "attention", "added_parameters", "attention_macs", "attention_rescales",
        "attention_total", "derived_macs", "published_added_macs",
    ]  # fmt: skip
    text = section("Table 3").partition("<!-- attention_macs_table -->")[2]
    computed = [
        [name, f"+{parameters:,}", *(f"{count:,}" for count in counts), f"{published / 1e6:.1f}M"]
        for name, parameters, *counts, published in attention_macs_table()[columns].to_numpy()
    ]
    assert rows_of(text)[2:] == computed
