"""Which networks may be compared, and which of their layers are the same."""

import math

import pytest

from redundancy.comparison import compare, match_layers
from redundancy.comparison.quantities import LAYER_QUANTITIES
from redundancy.errors import UsageError
from tests.table_cases import altered, hand_made, pick

BEFORE = {"a": [[1, 0], [1, 1]], "b": [[1, 0, 0, 0], [1, 0, 0, 0]]}
AFTER = {"a": [[1, 0], [0, 0]], "b": [[1, 1, 0, 0], [1, 0, 0, 0]]}


@pytest.fixture(scope="module")
def before():
    return hand_made(BEFORE, n_right=2)


@pytest.fixture(scope="module")
def after():
    return hand_made(AFTER, n_right=3, network_arguments={"attention": "asa-1"})


class TestMatching:
    def test_by_position_and_shape(self, before):
        other = hand_made({"a": BEFORE["a"], "z": BEFORE["b"]})
        comparison = compare({"x": before, "y": other})
        row = pick(comparison.layers, layer="b", network="y")
        assert (row["own_name"], row["matched"]) == ("z", "position")
        assert row["firing_rate_change"] == 0
        assert len(comparison.layers) == 4
        assert "Layer z of y is taken to be b, by its position and shape." in comparison.notes
        assert set(comparison.channels["layer"]) == {"a", "b"}

    def test_missing_layers_are_rows(self, before):
        other = hand_made({"a": BEFORE["a"], "new": [[1], [1]], "b": BEFORE["b"]})
        comparison = compare({"x": before, "y": other})
        assert comparison.layers["layer"].tolist() == ["a", "a", "new", "new", "b", "b"]
        absent = pick(comparison.layers, layer="new", network="x")
        assert (absent["matched"], absent["own_name"]) == ("missing", "")
        assert all(math.isnan(absent[quantity]) for quantity in ("n_neurons", *LAYER_QUANTITIES))
        present = pick(comparison.layers, layer="new", network="y")
        assert present["firing_rate"] == 1
        assert math.isnan(present["firing_rate_change"])
        assert "Layer new is not in x." in comparison.notes
        backward = compare({"y": other, "x": before}).layers
        gone = pick(backward, layer="new", network="x")
        assert gone["matched"] == "missing"
        assert math.isnan(gone["firing_rate_change"])

    def test_a_name_goes_before_a_position(self, before):
        swapped = hand_made({"b": BEFORE["b"], "a": BEFORE["a"]})
        matches = match_layers({"x": before, "y": swapped})
        assert [match.names for match in matches] == [{"x": "a", "y": "a"}, {"x": "b", "y": "b"}]
        assert {how for match in matches for how in match.matched.values()} == {"name"}

    def test_equal_positions_of_other_shapes_are_other_layers(self, before):
        other = hand_made({"c": [[1, 0, 1], [0, 0, 0]], "b": BEFORE["b"]})
        matches = match_layers({"x": before, "y": other})
        assert [match.layer for match in matches] == ["c", "a", "b"]

    def test_three_networks(self, before):
        second = hand_made({"a": BEFORE["a"], "new": [[1], [1]], "b": BEFORE["b"]})
        third = hand_made({"new": [[0], [1]], "b": BEFORE["b"]})
        names = [m.names for m in match_layers({"x": before, "y": second, "z": third})]
        assert names == [
            {"x": "a", "y": "a"},
            {"y": "new", "z": "new"},
            {"x": "b", "y": "b", "z": "b"},
        ]


class TestWhoMayBeCompared:
    @pytest.mark.parametrize(
        ("other", "words"),
        [
            ({"dataset": "nmnist"}, "dataset toy and nmnist;"),
            ({"split": "train"}, "split test and train;"),
            ({"n_samples": 3}, "number of samples 4 and 3;"),
            ({"n_timesteps": 7}, "number of timesteps 2 and 7;"),
            ({"dataset_arguments": {"seed": 1}}, "dataset argument seed 0 and 1;"),
            (
                {"dataset_arguments": {"seed": 0, "dt_ms": 5.0}},
                "dataset argument dt_ms not given and 5.0;",
            ),
            (
                {"statistics": {"quantity": "input", "n_replicates": 20, "seed": 0}},
                "option quantity pre-fire and input;",
            ),
        ],
    )
    def test_other_data_is_refused(self, before, after, other, words):
        networks = {"x": before, "y": after, "z": altered(after, **other)}
        with pytest.raises(UsageError, match="x and z were analysed differently") as caught:
            compare(networks)
        assert words in str(caught.value)
        assert str(caught.value).endswith("compare them all the same with --force")
        forced = compare(networks, force=True)
        assert any("x and z were analysed differently" in note for note in forced.notes)
        row = pick(forced.headline, network="z", quantity="accuracy")
        assert row["change"] == 0.25
        assert math.isnan(row["change_low"])
        assert not math.isnan(pick(forced.headline, network="y", quantity="accuracy")["change_low"])

    def test_truly_different_numbers_of_timesteps(self, before):
        shorter = hand_made({"a": [[1, 0]], "b": [[1, 0, 0, 0]]})
        with pytest.raises(UsageError, match="number of timesteps 2 and 1"):
            compare({"x": before, "y": shorter})
        row = pick(compare({"x": before, "y": shorter}, force=True).layers, layer="a", network="y")
        assert row["firing_rate_change"] == -0.25

    @pytest.mark.parametrize("names", [[], ["x"]])
    def test_one_network_is_too_few(self, before, names):
        with pytest.raises(UsageError, match="at least two networks"):
            compare(dict.fromkeys(names, before))

    def test_names_are_different(self, before, after):
        with pytest.raises(UsageError, match="are called 'x'"):
            compare([("x", before), ("x", after)])
        assert list(compare([("x", before), ("y", after)]).networks) == ["x", "y"]

    def test_other_misuse(self, before, after):
        with pytest.raises(UsageError, match="level of intervals"):
            compare({"x": before, "y": after}, level=95)
        with pytest.raises(UsageError, match="no energy convention"):
            compare({"x": before, "y": after}, convention="joule")
