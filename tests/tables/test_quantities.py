"""Long tables: every number once, under the right names."""

import numpy as np
import pytest

from redundancy import schema
from redundancy.errors import UsageError
from redundancy.stats import PatternRules
from redundancy.tables import (
    energy_rows,
    firing_rate_table,
    membrane_potential_table,
    pattern_table,
    quantization_error_table,
)
from tests.table_cases import hand_made, tiny_networks

LAYERS = {"a.neuron": [[1, 0, 1], [0, 0, 1]], "b.neuron": [[1], [0]]}


@pytest.fixture(scope="module")
def results():
    return hand_made(LAYERS)


def test_rates_and_errors_by_hand(results):
    for table, column in (
        (firing_rate_table(results), schema.C_SFR),
        (quantization_error_table(results), schema.QE),
    ):
        assert table["layer"].tolist() == ["a.neuron"] * 6 + ["b.neuron"] * 2
        assert table[schema.TIME].tolist() == [0, 0, 0, 1, 1, 1, 0, 1]
        assert table[schema.CHANNEL].tolist() == [0, 1, 2, 0, 1, 2, 0, 0]
        assert table[column].tolist() == [1, 0, 1, 0, 0, 1, 1, 0]
        assert list(table)[:3] == ["layer", "time", "channel"]


def test_potentials_by_hand(results):
    table = membrane_potential_table(results)
    assert table[schema.MEAN].tolist() == [2, 0, 2, 0, 0, 2, 2, 0]
    assert table[schema.MINIMUM].tolist() == table[schema.MAXIMUM].tolist()
    assert (table[schema.VARIANCE] == 0).all()
    # Every potential of a feature falls into one bin, V_th = 1 above or below the threshold.
    spiking = table[schema.MEAN] == 2
    assert np.abs(table[schema.PTD][spiking] - 1).max() < 0.2
    assert np.abs(table[schema.PTD][~spiking] + 1).max() < 0.2
    assert table["pattern_potential"].tolist() == [
        *("noise", "null", "noise", "null", "null", "noise", "noise", "null")
    ]
    assert set(table["pattern_spatial"]) == {"undecided", "null"}


def test_pattern_shares_by_hand(results):
    table = pattern_table(results, PatternRules(tolerance=0.0)).set_index(
        ["layer", "rule", "pattern"]
    )
    assert len(table) == 3 * 2 * 4
    noise = table.xs(("potential", "noise"), level=("rule", "pattern"))
    assert noise["n_features"].to_dict() == {"a.neuron": 3, "b.neuron": 1, "all layers": 4}
    assert noise["feature_share"].tolist() == [0.5, 0.5, 0.5]
    assert noise["layer_spike_share"].tolist() == [1, 1, 1]
    assert noise["spike_share"].tolist() == [0.75, 0.25, 1]
    whole = table.loc["all layers"]
    for _, shares in whole.groupby("rule"):
        assert shares["feature_share"].sum() == pytest.approx(1)
        assert shares["spike_share"].sum() == pytest.approx(1)


def test_energy_rows_are_the_energy_table():
    results = tiny_networks()["asa"]
    table = energy_rows(results, "effective", e_mac=3.0, e_ac=1.0)
    assert (table["convention"] == "effective").all()
    assert table["synapse"].tolist() == results.energy().synapse.values.tolist()
    assert table[schema.ENERGY].sum() == pytest.approx(
        3 * table[schema.MACS].sum() + table[schema.ACS].sum()
    )
    by_name = table.set_index("synapse")
    assert by_name.loc["conv2.conv", schema.FED_BY] == "conv1.neuron"
    assert set(by_name[schema.ROLE]) == {"main", "attention"}


def test_no_synaptic_layers(results):
    with pytest.raises(UsageError, match="hold no synaptic layers"):
        energy_rows(results)


def test_features_of_tiny_networks_are_all_there():
    results = tiny_networks()["vanilla"]
    n_features = sum(state.sizes["channel"] * 5 for state in results.layers.values())
    for make in (firing_rate_table, quantization_error_table, membrane_potential_table):
        table = make(results)
        assert len(table) == n_features
        assert not table.duplicated(["layer", "time", "channel"]).any()
    for layer, errors in results.quantization_errors.items():
        table = quantization_error_table(results)
        rows = table[table["layer"] == layer]
        np.testing.assert_array_equal(
            rows[schema.QE_SCALED], errors[schema.QE_SCALED].values.ravel()
        )
