"""The power table of GAC's networks: hand-worked sums, published values beside them."""

import math

import numpy as np
import pandas as pd
import pytest

import redundancy
from redundancy import schema
from redundancy.report.comparison import ComparisonReport
from redundancy.report.energy import EnergyReport
from redundancy.tables import gac_power_table, is_gac_network, to_latex, to_markdown
from tests.networks.test_gac import tiny
from tests.table_cases import altered, tiny_networks
from tests.test_gac_analysis import Static


@pytest.fixture(scope="module")
def results():
    """Return results of both networks, with and without the encoder, by name."""
    made = {}
    for encoder in (True, False):
        name = "gac-ms-resnet-18-cifar"
        analysed = redundancy.analyze(tiny(name, encoder=encoder), Static(2), batch_size=2)
        arguments = {"encoder": encoder, "widths": [4, 4, 6, 8]}
        key = "with" if encoder else "without"
        made[key] = altered(analysed, network=name, network_arguments=arguments)
    return made


def test_the_parts_by_hand(results):
    row = gac_power_table(results).set_index("network").loc["with"]
    # T = 2, maps of 16 x 16, 4 channels; 4.6e-9 mJ a MAC.
    first = 9 * 3 * 4 * 16 * 16
    convolutions, temporal = 2 * 16 * 4 * 4 * 16 * 16, 2 * 2 * 1
    assert row["first_layer_mj"] == pytest.approx(4.6e-9 * first)
    assert row["encoder_once_mj"] == pytest.approx(4.6e-9 * (convolutions + temporal))
    # The temporal layers are called for the mean and for the maximum.
    assert row["encoder_mj"] == pytest.approx(4.6e-9 * (2 * convolutions + 2 * temporal))
    assert row["with_encoder_mj"] == pytest.approx(row["without_encoder_mj"] + row["encoder_mj"])
    total = results["with"].energy("spikformer").attrs[schema.TOTAL_ENERGY]
    assert row["with_encoder_mj"] == pytest.approx(total / 1e9)


def test_without_an_encoder_it_costs_nothing(results):
    row = gac_power_table(results).set_index("network").loc["without"]
    assert row["encoder_mj"] == row["encoder_once_mj"] == 0
    assert row["with_encoder_mj"] == row["without_encoder_mj"] > row["first_layer_mj"] > 0


@pytest.mark.parametrize(
    ("dataset", "network", "n_timesteps", "accuracy", "power"),
    [
        ("cifar10", "gac-ms-resnet-18-cifar", 2, 96.18, math.nan),
        ("cifar100", "gac-ms-resnet-18-cifar", 6, 80.45, math.nan),
        ("imagenet", "gac-ms-resnet-18", 4, 64.05, 1.49),
        ("imagenet", "gac-ms-resnet-18", 6, 65.14, 2.34),
        ("imagenet", "gac-ms-resnet-34", 4, 69.77, 2.20),
        ("imagenet", "gac-ms-resnet-34", 6, 70.42, 3.38),
        ("imagenet", "gac-ms-resnet-34", 5, math.nan, math.nan),
    ],
)
def test_published_values_stand_beside_the_papers_networks(
    results, dataset, network, n_timesteps, accuracy, power
):
    widths = [64, 128, 256, 512] if "cifar" in network else [64, 64, 128, 256, 512]
    arguments = {"encoder": True, "widths": widths}
    like = altered(
        results["with"],
        dataset=dataset,
        network=network,
        n_timesteps=n_timesteps,
        network_arguments=arguments,
    )
    bare = altered(like, network_arguments={**arguments, "encoder": False})
    table = gac_power_table({"like": like, "bare": bare})
    columns = ["published_accuracy_percent", "published_power_mj"]
    got = table[columns].to_numpy(dtype=float)
    np.testing.assert_array_equal(got, [[accuracy, power], [math.nan, math.nan]])


def test_only_gac_networks_have_a_row(results, tmp_path):
    others = tiny_networks()
    assert not any(map(is_gac_network, others.values()))
    assert len(gac_power_table({**others, **results})) == 2
    report = EnergyReport()
    assert "Gated Attention" not in report.text(others)
    assert "| with " in report.text(results)
    written = [path.name for path in report.write_tables(results, tmp_path)]
    assert written == ["energy.csv", "gac_power.csv", "gac_power.md", "gac_power.tex"]


def test_it_is_written_for_people(results):
    text = to_markdown(gac_power_table(results))
    assert "without encoder (mJ)" in text
    assert "the convention spikformer" in text
    assert to_latex(gac_power_table(results)).count(r"\\") == 3


def test_a_comparison_writes_it_for_gac_s_networks_only(results, tmp_path):
    networks = {name: results[name] for name in ("without", "with")}
    paths = ComparisonReport(networks).write_tables(tmp_path)
    assert {f"gac_power.{ending}" for ending in ("csv", "md", "tex")} <= {p.name for p in paths}
    rows = pd.read_csv(tmp_path / "gac_power.csv", index_col="network")
    assert rows.loc["without", "encoder_mj"] == 0
    assert rows.loc["with", "encoder_mj"] > 0
    layers = pd.read_csv(tmp_path / "compare_layers.csv").set_index(["network", "layer"])
    # The last layer is one and the same with and without the encoder.
    assert {("with", "neuron"), ("without", "neuron")} <= set(layers.index)
    others = ComparisonReport(tiny_networks()).write_tables(tmp_path / "others")
    assert not [path for path in others if path.stem == "gac_power"]


@pytest.mark.parametrize(
    ("dataset", "name", "n_timesteps", "accuracy", "power"),
    [
        ("imagenet", "gac-ms-resnet-18", 4, "64.05", "1.49"),
        ("imagenet", "gac-ms-resnet-34", 4, "69.77", "2.20"),
        ("cifar10", "gac-ms-resnet-18-cifar", 6, "96.46", ""),
    ],
)
def test_published_values_are_shown_as_published(
    results, dataset, name, n_timesteps, accuracy, power
):
    widths = [64, 128, 256, 512] if "cifar" in name else [64, 64, 128, 256, 512]
    paper = altered(
        results["with"],
        dataset=dataset,
        network=name,
        n_timesteps=n_timesteps,
        network_arguments={"widths": widths, "encoder": True},
    )
    text = to_markdown(gac_power_table({"a": paper}))
    header, row = (
        [part.strip() for part in line.split("|")]
        for line in text.splitlines()
        if line.startswith(("| network", "| a "))
    )
    shown = dict(zip(header, row, strict=True))
    assert shown["published accuracy (%)"] == accuracy
    assert shown["published power (mJ)"] == power
