"""Tables 1, 3 and 4: hand-worked changes, runs that make one row, published values."""

import math

import pytest

from redundancy import schema
from redundancy.errors import UsageError
from redundancy.stats.energy import energy_change
from redundancy.tables import table_1, table_3, table_4, to_latex, to_markdown
from tests.table_cases import altered, hand_made, tiny_networks

HALF = {"conv1.neuron": [[1, 0], [1, 0]]}
QUARTER = {"conv1.neuron": [[1, 0], [0, 0]]}
PAPER = {"widths": [64, 128, 128], "hidden": 256}


def vanilla(**attributes):
    return hand_made(HALF, n_right=2, **attributes)


def asa(form="asa-1", **attributes):
    arguments = {"attention": form, **attributes.pop("network_arguments", {})}
    return hand_made(QUARTER, n_right=3, network_arguments=arguments, **attributes)


def published_like(results, dataset="dvs128-gait-day", network_arguments=None, **others):
    arguments = {**results.attributes[schema.NETWORK_ARGUMENTS], **PAPER}
    arguments |= network_arguments or {}
    return altered(
        results, dataset=dataset, network_arguments=arguments, **{"n_timesteps": 60, **others}
    )


def test_table_1_by_hand():
    # The order of the networks does not matter: vanilla comes first.
    table = table_1({"with": asa(), "without": vanilla()})
    assert table["networks"].tolist() == ["without", "with"]
    assert table["attention"].tolist() == ["none", "asa-1"]
    assert table["accuracy_percent"].tolist() == [50, 75]
    assert table[schema.NASFR].tolist() == [0.5, 0.25]
    assert table["accuracy_change"].tolist()[1] == 25
    assert table["nasfr_change_percent"].tolist()[1] == -50
    assert table[["accuracy_change", "nasfr_change_percent"]].iloc[0].isna().all()
    assert not [name for name in table if name.endswith("_sd")]


def test_runs_of_one_network_make_one_row():
    runs = {"v1": vanilla(), "v2": hand_made(QUARTER, n_right=4), "a": asa()}
    runs["again"] = runs["v1"]  # counted once
    row = table_1(runs).iloc[0]
    assert (row["networks"], row["n_networks"]) == ("v1, v2, again", 2)
    assert row["accuracy_percent"] == 75
    assert row["accuracy_percent_sd"] == pytest.approx(50 / math.sqrt(2))
    assert row[schema.NASFR] == 0.375
    second = table_1(runs).iloc[1]
    assert second["nasfr_change_percent"] == pytest.approx(100 * (0.25 - 0.375) / 0.375)
    assert math.isnan(second["accuracy_percent_sd"])


def test_one_checkpoint_under_two_names_is_one_run():
    once = altered(vanilla(), checkpoint_sha256="abc")
    twice = altered(vanilla(), checkpoint_sha256="abc")
    table = table_1({"x": once, "y": twice, "z": altered(once, checkpoint_sha256="def")})
    assert table["n_networks"].tolist() == [2]


@pytest.mark.parametrize(
    "other",
    [{"dataset": "nmnist"}, {"n_samples": 3}, {"split": "train"}, {"dataset_arguments": {"a": 1}}],
)
def test_a_vanilla_network_on_other_data_is_no_reference(other):
    table = table_1({"v": vanilla(), "a": altered(asa(), **other)})
    assert table["nasfr_change_percent"].isna().all()
    assert any("no vanilla network beside a" in note for note in table.attrs["notes"])


def test_attention_arguments_do_not_part_a_network_from_its_vanilla():
    first = asa(network_arguments={"reduction": 4})
    second = asa(network_arguments={"reduction": 1})
    table = table_1({"v": vanilla(), "r4": first, "r1": second})
    assert len(table) == 3
    assert table["nasfr_change_percent"].tolist()[1:] == [-50, -50]


def test_networks_that_state_no_attention_stay_apart():
    foreign = {name: vanilla(network="Net", network_arguments={}) for name in "ab"}
    table = table_1(foreign)
    assert table["networks"].tolist() == ["a", "b"]
    assert set(table["attention"]) == {"not stated"}
    assert table["nasfr_change_percent"].isna().all()


def test_table_4_by_hand():
    table = table_4({"v": vanilla(), "a": asa()})
    for name in (schema.QE, schema.QE_SCALED, schema.QE_NORMALIZED):
        assert table[name].tolist() == pytest.approx([0.5, 0.25])
    assert table["quantization_error_change_percent"].tolist()[1] == -50


def test_table_3_is_eq_11():
    networks = tiny_networks()
    table = table_3(networks, "effective", e_mac=4.0, e_ac=0.5)
    change = energy_change(*(r.energy("effective", 4.0, 0.5) for r in networks.values()))
    row = table.iloc[1]
    assert row["added_macs"] == pytest.approx(float(change[schema.DELTA_MACS]))
    assert row["saved_acs"] == pytest.approx(float(change[schema.DELTA_ACS]))
    assert row["energy_change"] == pytest.approx(float(change[schema.DELTA_ENERGY]))
    assert row["energy_change"] == pytest.approx(table["energy"][1] - table["energy"][0])
    assert row["added_parameters"] == 3 * (2 + 25 + 36)  # T = 5
    assert table["attention_macs"][0] == 0
    assert row["attention_total"] > row["attention_macs"] > 0
    assert any("convention effective" in note for note in table.attrs["notes"])


def test_table_3_without_energy():
    table = table_3({"v": vanilla(), "a": asa(n_parameters=110)})
    assert table["added_parameters"][1] == 10
    assert table[["macs", "acs", "energy", "added_macs", "energy_change"]].isna().all(axis=None)
    assert any("energy are known of v, a." in note for note in table.attrs["notes"])
    with pytest.raises(UsageError, match="no energy convention named 'none'"):
        table_3({"v": vanilla()}, "none")


class TestPublished:
    def test_gait_day(self):
        networks = {"v": published_like(vanilla()), "a": published_like(asa())}
        table = table_1(networks)
        assert table["published_accuracy_percent"].tolist() == [88.6, 93.6]
        assert table["published_nasfr"].tolist() == [0.214, 0.045]
        assert table["published_accuracy_change"][1] == pytest.approx(5.0)
        assert table["published_nasfr_change_percent"][1] == pytest.approx(-78.97, abs=0.01)
        assert table.attrs["notes"] == ["Published values: Yao et al., ICCV 2023, Table 1."]
        errors = table_4(networks)
        assert errors["published_quantization_error"].tolist() == [0.362, 0.031]
        costs = table_3(networks)
        assert costs["published_parameters"][0] == 2_323_531
        assert costs["published_added_parameters"][1] == 10_914
        assert costs["published_added_macs"][1] == 2.6e6

    @pytest.mark.parametrize(
        ("form", "added", "accuracy"),
        [("asa-2", 114, 93.6), ("sa", 294, None), ("tcsa", 24_126, None)],
    )
    def test_other_attention(self, form, added, accuracy):
        networks = {"v": published_like(vanilla()), "a": published_like(asa(form))}
        assert table_3(networks)["published_added_parameters"][1] == added
        shown = table_1(networks)["published_accuracy_percent"][1]
        assert math.isnan(shown) if accuracy is None else shown == accuracy

    @pytest.mark.parametrize(
        "other",
        [
            {"dataset": "synthetic-gait"},
            {"network": "lif-snn-4"},
            {"n_timesteps": 20},
            {"network_arguments": {"widths": [32, 32, 32]}},
            {"network_arguments": {"hidden": 12}},
        ],
    )
    def test_none_unless_dataset_and_network_are_the_papers(self, other):
        networks = {
            "v": published_like(vanilla(), **other),
            "a": published_like(asa(), **other),
        }
        for make, number in ((table_1, 1), (table_3, 3), (table_4, 4)):
            table = make(networks)
            published = [name for name in table if name.startswith("published_")]
            assert published
            assert table[published].isna().all(axis=None)
            (note,) = [note for note in table.attrs["notes"] if "has no row for" in note]
            assert f"Table {number} of Yao" in note

    def test_the_narrow_network_is_gait_nights(self):
        narrow = {"widths": [32, 32, 32], "hidden": 64}
        results = published_like(vanilla(), "dvs128-gait-night", narrow)
        assert table_1({"v": results})["published_nasfr"].tolist() == [0.197]
        wide = published_like(vanilla(), "dvs128-gait-night")
        assert table_1({"v": wide})["published_nasfr"].isna().all()


def test_no_network():
    with pytest.raises(UsageError, match="at least one network"):
        table_1({})


def test_tables_are_written_for_people():
    table = table_3(tiny_networks())
    assert "toy" in to_markdown(table)
    latex = to_latex(table)
    assert r"V\_th" not in latex
    assert latex.count(" & ") == 3 * (len(table.columns) - 1)
