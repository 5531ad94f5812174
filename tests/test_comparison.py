"""Networks side by side: what changes from one to the next."""

import math

import numpy as np
import pytest

from redundancy import schema
from redundancy.comparison import compare
from redundancy.comparison.quantities import CHANNEL_QUANTITIES, LAYER_QUANTITIES
from redundancy.stats.bootstrap import interval
from redundancy.tables import to_latex, to_markdown
from tests.table_cases import hand_made, pick, tiny_networks

BEFORE = {"a": [[1, 0], [1, 1]], "b": [[1, 0, 0, 0], [1, 0, 0, 0]]}
AFTER = {"a": [[1, 0], [0, 0]], "b": [[1, 1, 0, 0], [1, 0, 0, 0]]}


@pytest.fixture(scope="module")
def before():
    return hand_made(BEFORE, n_right=2)


@pytest.fixture(scope="module")
def after():
    return hand_made(AFTER, n_right=3, network_arguments={"attention": "asa-1"})


@pytest.fixture(scope="module")
def comparison(before, after):
    return compare({"before": before, "after": after})


@pytest.fixture(scope="module")
def tiny():
    return compare(tiny_networks())


class TestHeadline:
    @pytest.mark.parametrize(
        ("quantity", "old", "new"),
        [("accuracy", 0.5, 0.75), ("nasfr", 5 / 12, 4 / 12), ("quantization_error", 5 / 12, 1 / 3)],
    )
    def test_values_and_changes_by_hand(self, comparison, quantity, old, new):
        first = pick(comparison.headline, network="before", quantity=quantity)
        second = pick(comparison.headline, network="after", quantity=quantity)
        assert (first["value"], second["value"]) == pytest.approx((old, new))
        assert second["change"] == pytest.approx(new - old)
        assert second["change_percent"] == pytest.approx(100 * (new - old) / old)
        assert all(math.isnan(first[c]) for c in first if c.startswith("change"))
        assert (first["attention"], second["attention"]) == ("none", "asa-1")

    def test_every_sample_alike_leaves_no_doubt_of_a_rate(self, comparison):
        row = pick(comparison.headline, network="after", quantity="nasfr")
        assert row["low"] == pytest.approx(row["value"])
        assert row["change_low"] == pytest.approx(-1 / 12)
        assert row["change_percent_high"] == pytest.approx(-20)

    def test_accuracies_are_resampled_in_pairs(self, before, after, comparison):
        # One sample more is right: in no replicate can the change be negative.
        row = pick(comparison.headline, network="after", quantity="accuracy")
        difference = after.replicates["accuracy"] - before.replicates["accuracy"]
        assert (row["change_low"], row["change_high"]) == interval(difference, 0.95)
        assert row["change_low"] >= 0
        assert row["change_high"] > 0.25
        narrow = compare({"x": before, "y": after}, level=0.5).headline
        half = pick(narrow, network="y", quantity="accuracy")
        assert half["high"] - half["low"] < row["high"] - row["low"]
        assert (row["low"], row["high"]) == after.confidence("accuracy")

    @pytest.mark.parametrize("other", [{"seed": 1}, {"n_replicates": 30}])
    def test_no_paired_interval_of_other_replicates(self, before, other):
        row = pick(
            compare({"x": before, "y": hand_made(AFTER, **other)}).headline,
            network="y",
            quantity="nasfr",
        )
        assert row["change"] == pytest.approx(-1 / 12)
        assert math.isnan(row["change_low"])
        assert math.isnan(row["change_percent_high"])
        assert not math.isnan(row["low"])

    def test_networks_without_labels(self):
        unlabelled = hand_made(BEFORE, n_right=None)
        row = pick(
            compare({"x": unlabelled, "y": unlabelled}).headline, network="y", quantity="accuracy"
        )
        numbers = [value for value in row.values() if not isinstance(value, str)]
        assert len(numbers) == 9
        assert np.isnan(numbers).all()

    def test_a_silent_network(self):
        with pytest.warns(UserWarning, match="never spikes"):
            silent = hand_made({"a": [[0]]})
        table = compare({"x": silent, "y": hand_made({"a": [[1]]})}).headline
        row = pick(table, network="y", quantity="nasfr")
        assert row["change"] == 1
        assert math.isnan(row["change_percent"])
        assert math.isnan(row["change_percent_low"])

    def test_energy(self, tiny):
        vanilla, asa = tiny.networks.values()
        row = pick(tiny.headline, network="asa", quantity="energy")
        assert row["value"] == asa.energy().attrs["total_energy"]
        assert row["low"] < row["value"] < row["high"]
        change = asa.energy_replicates() - vanilla.energy_replicates()
        assert (row["change_low"], row["change_high"]) == interval(change, 0.95)


class TestLayers:
    def test_by_hand(self, comparison):
        old = pick(comparison.layers, layer="a", network="before")
        new = pick(comparison.layers, layer="a", network="after")
        assert (old["firing_rate"], new["firing_rate"]) == (0.75, 0.25)
        assert new["firing_rate_change"] == -0.5
        assert new["quantization_error_change"] == -0.5
        assert (old["n_neurons"], old["n_channels"]) == (2, 2)
        assert math.isnan(old["firing_rate_change"])
        # Whatever fires lies above the threshold here, so by its potential it is noise.
        assert old["noise_feature_share_potential"] == 0.75
        assert old["null_feature_share_potential"] == 0.25
        assert old["noise_spike_share_potential"] == 1
        assert new["null_feature_share_spatial_change"] == 0.5
        assert old["undecided_feature_share_spatial"] == 0.75
        # Distances are about 1 above or below the threshold.
        assert old[schema.PTD] == pytest.approx(0.5, abs=0.2)
        assert new["peak_to_threshold_distance_change"] == pytest.approx(-1, abs=0.3)

    def test_every_quantity_and_its_change(self, tiny):
        vanilla, asa = tiny.networks.values()
        for name in vanilla.layers:
            row = pick(tiny.layers, layer=name, network="asa")
            assert row["variance"] == pytest.approx(
                float(asa.potentials[name][schema.VARIANCE].mean())
            )
            for quantity in LAYER_QUANTITIES:
                reference = pick(tiny.layers, layer=name, network="vanilla")[quantity]
                assert row[f"{quantity}_change"] == pytest.approx(row[quantity] - reference)
        shares = [f"{p}_spike_share_spatial" for p in ("null", "noise", "normal", "undecided")]
        sums = tiny.layers[shares].sum(axis=1)
        np.testing.assert_allclose(sums, tiny.layers["firing_rate"] > 0)

    def test_energy_is_of_the_synaptic_layers_that_the_spikes_enter(self, tiny):
        energy = tiny.networks["asa"].energy()
        row = pick(tiny.layers, layer="conv1.neuron", network="asa")
        assert row["energy"] == float(energy["energy"].sel(synapse="conv2.conv"))
        assert pick(tiny.layers, layer="fc2.neuron", network="asa")["energy"] == 0

    def test_unknown_distances_do_not_spoil_a_mean(self, before):
        other = hand_made(AFTER)
        other.potentials["a"][schema.PTD][0, 0] = np.nan
        known = other.potentials["a"][schema.PTD].values
        row = pick(compare({"x": before, "y": other}).layers, layer="a", network="y")
        assert row[schema.PTD] == pytest.approx(np.nanmean(known))


class TestChannels:
    def test_by_hand(self, comparison):
        channels = comparison.channels
        assert len(channels) == 2 * (2 + 4)
        assert channels["channel"].tolist()[:4] == [0, 0, 1, 1]
        row = pick(channels, layer="a", channel=1, network="after")
        assert (row["c_sfr"], row["c_sfr_change"]) == (0, -0.5)
        assert (row["null_time_share_potential"], row["null_time_share_spatial"]) == (1, 1)
        assert row["noise_time_share_potential_change"] == -0.5
        assert pick(channels, layer="b", channel=1, network="after")["c_sfr_change"] == 0.5

    def test_means_of_the_features(self, tiny):
        asa = tiny.networks["asa"]
        rows = tiny.channels.query("layer == 'conv3.neuron' and network == 'asa'")
        np.testing.assert_allclose(
            rows[schema.PTD], np.nanmean(asa.potentials["conv3.neuron"][schema.PTD], axis=0)
        )
        patterns = asa.patterns()["conv3.neuron"]["pattern_spatial"].values
        np.testing.assert_allclose(rows["normal_time_share_spatial"], (patterns == 2).mean(0))

    def test_only_equally_many_channels(self, before):
        other = hand_made({"a": [[1, 0, 1], [0, 0, 0]], "b": BEFORE["b"]})
        comparison = compare({"x": before, "y": other})
        assert set(comparison.channels["layer"]) == {"b"}
        assert any("Layer a has 2 or 3 channels" in note for note in comparison.notes)
        assert pick(comparison.layers, layer="a", network="y")["matched"] == "name"
        nothing = compare({"x": before, "y": hand_made({"a": [[1], [0]]})}).channels
        assert len(nothing) == 0
        assert set(CHANNEL_QUANTITIES) < set(nothing)


class TestEnergies:
    def test_synaptic_layers_of_one_network_are_rows_of_both(self, tiny):
        table = tiny.energies
        absent = pick(table, synapse="conv1.attention.importance", network="vanilla")
        assert math.isnan(absent["energy"])
        total = pick(table, synapse="total", network="asa")
        vanilla, asa = (results.energy() for results in tiny.networks.values())
        assert total["macs_change"] == pytest.approx(
            asa.attrs["total_macs"] - vanilla.attrs["total_macs"]
        )
        assert table["synapse"].tolist()[0] == "conv1.conv"
        assert table["synapse"].tolist()[-1] == "total"
        assert len(table) == 2 * (asa.sizes["synapse"] + 1)

    def test_without_energy(self, comparison):
        assert len(comparison.energies) == 0
        assert math.isnan(pick(comparison.headline, network="after", quantity="energy")["value"])
        assert comparison.layers["energy"].isna().all()
        assert any("energy are known of before, after." in note for note in comparison.notes)


def test_a_network_against_itself(before):
    comparison = compare({"x": before, "y": before})
    for table in (comparison.headline, comparison.layers, comparison.channels):
        own = table[table["network"] == "y"]
        changed = [name for name in own if "change" in name]
        numbers = own[changed].to_numpy(float)
        assert (numbers[~np.isnan(numbers)] == 0).all()
        assert np.isfinite(numbers).any()


def test_different_bins_are_told():
    networks = tiny_networks()
    notes = " ".join(compare(networks).notes)
    widths = {
        name: [r.potentials[name].attrs["bin_width"] for r in networks.values()]
        for name in networks["asa"].layers
    }
    for name, (first, second) in widths.items():
        assert (f"{name} (" in notes) == (first != second)


def test_tables_can_be_read(tiny):
    for name, table in tiny.tables.items():
        assert "changes against vanilla" in table.attrs["caption"], name
        assert to_markdown(table).count("\n") > len(table)
        assert r"\toprule" in to_latex(table)
