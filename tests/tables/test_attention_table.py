"""What attention adds to the paper's network, against sums worked out by hand."""

import pytest
import torch

from redundancy.tables import attention_macs_table

T = 60
POSITIONS = 32 * 32 + 16 * 16 + 8 * 8
CHANNELS = 64 + 128 + 128
VALUES = T * (64 * 32 * 32 + 128 * 16 * 16 + 128 * 8 * 8)
# Two pools, two layers, T or C times a quarter of it.
TCSA_LAYERS = 2 * 2 * (3 * 60 * 15 + 64 * 16 + 2 * 128 * 32)


@pytest.fixture(scope="module")
def table():
    return attention_macs_table().set_index("attention")


@pytest.mark.parametrize(
    ("name", "layers", "n_weighed"),
    [
        ("sa", 98 * POSITIONS, 1),
        ("tcsa", 98 * POSITIONS + TCSA_LAYERS, 3),
        ("asa-1", 2 * 18 * POSITIONS + T * T * CHANNELS, 1),
        ("asa-2", 2 * 18 * POSITIONS, 1),
    ],
)
def test_as_executed(table, name, layers, n_weighed):
    row = table.loc[name]
    assert row["attention_macs"] == layers
    assert row["attention_rescales"] == n_weighed * VALUES
    assert row["attention_total"] == layers + n_weighed * VALUES


@pytest.mark.parametrize(
    ("name", "derived"),
    [
        ("sa", VALUES + T * 98 * POSITIONS),
        ("tcsa", 3 * VALUES + T * 98 * POSITIONS + TCSA_LAYERS),
        ("asa-1", T * 18 * POSITIONS + T * T * CHANNELS),
        ("asa-2", T * 18 * POSITIONS),
    ],
)
def test_as_derived(table, name, derived):
    assert table.loc[name, "derived_macs"] == derived


@pytest.mark.parametrize("name", ["sa", "tcsa", "asa-1"])
def test_the_derivation_comes_near_the_paper(table, name):
    row = table.loc[name]
    assert row["derived_macs"] == pytest.approx(row["published_added_macs"], rel=0.01)


def test_it_does_not_explain_the_papers_asa_2(table):
    assert table.loc["asa-2", "derived_macs"] < 0.6 * table.loc["asa-2", "published_added_macs"]


def test_parameters_are_the_papers(table):
    assert (table["added_parameters"] == table["published_added_parameters"]).all()


def test_it_draws_from_no_one_else_s_random_numbers():
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    attention_macs_table()
    assert torch.rand(1) == expected
