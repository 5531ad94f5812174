"""Energy by every convention, worked by hand; merged; put side by side."""

import itertools

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from redundancy import schema
from redundancy.errors import UsageError
from redundancy.registry import UnknownNameError
from redundancy.stats import merge
from redundancy.stats.attention_cost import attention_macs
from redundancy.stats.energy import (
    CONVENTIONS,
    SynapticOperations,
    energy_change,
    energy_table,
)
from tests.synaptic import small_network, synapses_of

VARIABLES = (
    "input_elements", "input_sum", "input_nonzero", "input_nonbinary",
    "effective_operations", "dense_operations", "applications", "input_unfit", "input_off_level",
)  # fmt: skip
# Of one sample: a network of 2 timesteps whose second layer sees the mean of spikes.
LAYERS = {
    # name: (VARIABLES), source, role, position in the order of calls
    "unused": ((0, 0, 0, 0, 0, 0, 0, 0, 0), "input", "main", -1),
    "fc": ((20, 6, 6, 0, 30, 100, 2, 0, 0), "spikes", "main", 4),
    "conv1": ((40, 30, 10, 5, 80, 400, 2, 0, 0), "input", "main", 0),
    "conv2": ((80, 8, 32, 32, 250, 800, 2, 0, 0), "spikes", "main", 2),
    "gate": ((10, 5, 4, 4, 8, 50, 1, 0, 2), "currents", "attention", 1),
    "shortcut": ((40, -9, 30, 30, 90, 200, 2, 9, 2), "currents", "main", 3),
}


def synaptic_node(n_samples=1, layers=LAYERS):
    """Return the node of a recording in which every sample is the same."""
    values = np.array([numbers for numbers, *_ in layers.values()])
    dims = ("sample", "synapse")
    variables = {
        name: (
            dims,
            np.tile(values[:, column], (n_samples, 1)).astype(
                float if name == "input_sum" else np.int64
            ),
            {"long_name": name, "units": "1"},
        )
        for column, name in enumerate(VARIABLES)
    }
    text = {
        "synapse": list(layers),
        "kind": ["Conv2d"] * len(layers),
        "role": [role for _, _, role, _ in layers.values()],
        "source": [source for _, source, _, _ in layers.values()],
        "fed_by": ["somewhere"] * len(layers),
        "fed_by_rule": ["autograd"] * len(layers),
        "spike_path": ["averages" if name == "conv2" else "sums" for name in layers],
    }
    coordinates = {
        **{name: ("synapse", np.array(value, dtype=object)) for name, value in text.items()},
        "call_position": ("synapse", [position for *_, position in layers.values()]),
        "batch_norm_elements": ("synapse", np.arange(len(layers)) * 100),
        "neuron_updates": ("synapse", np.arange(len(layers)) * 10),
        "rescale_elements": ("synapse", [7 * (name == "gate") for name in layers]),
        "sample": np.arange(n_samples),
    }
    return xr.Dataset(variables, coordinates, {"n_timesteps": 2})


def table_of(n_samples=3, **options):
    return energy_table(SynapticOperations().observe(synaptic_node(n_samples)), **options)


def column(table, name):
    return dict(zip(table["synapse"].values.tolist(), table[name].values.tolist(), strict=True))


def test_columns_are_a_sample_and_in_the_order_of_calls():
    table = table_of()
    assert table["synapse"].values.tolist() == ["conv1", "gate", "conv2", "shortcut", "fc"]
    assert column(table, "flops")["conv2"] == 400
    assert column(table, "applications")["conv2"] == 2
    assert column(table, "dense_operations")["conv2"] == 800
    assert column(table, "effective_operations")["conv2"] == 250
    assert column(table, "input_rate")["conv2"] == pytest.approx(0.1)
    assert column(table, "nonzero_fraction")["conv2"] == pytest.approx(0.4)
    assert [name for name, binary in column(table, "is_binary").items() if binary] == ["fc"]
    assert column(table, "neuron_operations")["conv1"] == 20
    assert column(table, "batch_norm_operations")["conv1"] == 200
    assert table.attrs["n_samples"] == 3
    for variable in table.data_vars.values():
        assert variable.attrs["long_name"]
        assert variable.attrs["units"]


EXPECTED = {
    # convention: MACs and ACs a sample, layer by layer
    "asa": (
        {"conv1": 400 * 0.25, "gate": 50, "conv2": 0, "shortcut": 200 * 0.75, "fc": 0},
        {"conv1": 0, "gate": 0, "conv2": 800 * 0.1, "shortcut": 0, "fc": 100 * 0.3},
    ),
    "spikformer": (
        {"conv1": 200, "gate": 50, "conv2": 0, "shortcut": 200 * 0.75, "fc": 0},
        {"conv1": 0, "gate": 0, "conv2": 800 * 0.1, "shortcut": 0, "fc": 100 * 0.3},
    ),
    "spike-driven-transformer": (
        {"conv1": 400 * 0.25, "gate": 50, "conv2": 0, "shortcut": 200 * 0.75, "fc": 0},
        {"conv1": 0, "gate": 0, "conv2": 800 * 0.4, "shortcut": 0, "fc": 100 * 0.3},
    ),
    "effective": (
        {"conv1": 80, "gate": 8, "conv2": 250, "shortcut": 90, "fc": 0},
        {"conv1": 0, "gate": 0, "conv2": 0, "shortcut": 0, "fc": 30},
    ),
}


def test_every_convention_is_tested():
    assert set(EXPECTED) == set(CONVENTIONS)
    assert all(CONVENTIONS.get(name).description for name in CONVENTIONS)


@pytest.mark.parametrize("convention", EXPECTED)
@pytest.mark.parametrize("n_samples", [1, 3])
def test_operations_by_hand(convention, n_samples):
    table = table_of(n_samples, convention=convention, e_mac=2.0, e_ac=0.5)
    macs, acs = EXPECTED[convention]
    assert column(table, "macs") == pytest.approx(macs)
    assert column(table, "acs") == pytest.approx(acs)
    energy = {name: 2.0 * macs[name] + 0.5 * acs[name] for name in macs}
    assert column(table, "energy") == pytest.approx(energy)
    assert table.attrs["convention"] == convention
    assert table.attrs["total_macs"] == pytest.approx(sum(macs.values()))
    assert table.attrs["total_acs"] == pytest.approx(sum(acs.values()))
    assert table.attrs["total_energy"] == pytest.approx(sum(energy.values()))


def test_the_asa_formula_in_full():
    """E = 4.6 T FL_1 phi_0 + 0.9 sum of T FL_n r_(n-1)."""
    table = table_of().drop_sel(synapse=["gate", "shortcut"])
    expected = 4.6 * 2 * 200 * (10 / 40) + 0.9 * 2 * (400 * (8 / 80) + 50 * (6 / 20))
    assert float(table["energy"].sum()) == pytest.approx(expected)


def test_a_first_layer_outside_of_time_counts_as_it_is():
    layers = {"stem": ((20, 20, 20, 9, 90, 100, 1, 0, 0), "input", "main", 0)}
    table = energy_table(
        SynapticOperations().observe(synaptic_node(layers=layers)), convention="spikformer"
    )
    assert column(table, "macs") == {"stem": 100}


def test_operations_beside_the_weights_are_in_no_total():
    node = synaptic_node()
    without = node.assign_coords(
        {
            name: ("synapse", np.zeros(len(LAYERS), np.int64))
            for name in ("batch_norm_elements", "neuron_updates", "rescale_elements")
        }
    )
    observe = SynapticOperations().observe
    first, second = energy_table(observe(node)), energy_table(observe(without))
    assert first.attrs == second.attrs
    assert int(first["neuron_operations"].sum()) > int(second["neuron_operations"].sum()) == 0


@settings(max_examples=25, deadline=None)
@given(cuts=st.lists(st.integers(1, 10), max_size=4), seed=st.integers(0, 99))
def test_states_of_parts_merge_into_that_of_all(cuts, seed):
    random = np.random.default_rng(seed)
    node = synaptic_node(11)
    for name in VARIABLES:
        node[name].values[:] = random.integers(0, 1 << 40, node[name].shape)
    edges = sorted({0, *cuts, 11})
    state = None
    for start, stop in itertools.pairwise(edges):
        part = SynapticOperations().observe(node.isel(sample=slice(start, stop)))
        state = part if state is None else merge(state, part)
    whole = SynapticOperations().observe(node)
    xr.testing.assert_identical(state, whole)
    for name in VARIABLES:
        plain = [sum(int(node[name].values[s, k]) for s in range(11)) for k in range(6)]
        assert whole[name].values.tolist() == plain


def test_a_state_survives_a_results_file(tmp_path):
    state = SynapticOperations().observe(synaptic_node(2))
    state["fed_by"].values[0] = ""
    tree = xr.DataTree.from_dict({f"/{schema.SYNAPSE_NODE}": state})
    tree.to_netcdf(tmp_path / "results.nc", engine="h5netcdf")
    with xr.open_datatree(tmp_path / "results.nc", engine="h5netcdf") as opened:
        read = opened.load()[schema.SYNAPSE_NODE].to_dataset()
    xr.testing.assert_identical(read, state)
    for convention in CONVENTIONS:
        ours, theirs = (energy_table(s, convention=convention) for s in (state, read))
        xr.testing.assert_equal(ours, theirs)


def test_compute_is_the_default_table():
    state = SynapticOperations().observe(synaptic_node())
    xr.testing.assert_identical(SynapticOperations().compute(state), energy_table(state))


class TestChange:
    """Equation 11; its signs are spelled out."""

    @pytest.mark.parametrize("convention", EXPECTED)
    def test_it_is_the_difference_of_the_totals(self, convention):
        more = {name: (tuple(3 * n for n in row[0]), *row[1:]) for name, row in LAYERS.items()}
        before = table_of(convention=convention)
        after = energy_table(
            SynapticOperations().observe(synaptic_node(2, more)), convention=convention
        )
        change = energy_change(before, after)
        total = after.attrs["total_energy"] - before.attrs["total_energy"]
        assert float(change["delta_energy"]) == pytest.approx(total)
        assert float(change["delta_macs"]) > 0 > float(change["delta_acs"])

    def test_macs_added_cost_and_acs_saved_gain(self):
        before, after = table_of(), table_of()
        after.attrs["total_macs"] += 100
        after.attrs["total_acs"] -= 60
        change = energy_change(before, after)
        assert float(change["delta_macs"]) == pytest.approx(100)
        assert float(change["delta_acs"]) == pytest.approx(60)
        assert float(change["delta_energy"]) == pytest.approx(4.6 * 100 - 0.9 * 60)

    def test_other_conventions_or_energies_do_not_compare(self):
        with pytest.raises(UsageError, match="one convention, got asa and effective"):
            energy_change(table_of(), table_of(convention="effective"))
        with pytest.raises(UsageError, match=r"one e_mac, got 4.6 and 3.0"):
            energy_change(table_of(), table_of(e_mac=3.0))


def test_what_attention_costs_by_hand():
    cost = attention_macs(table_of(convention="effective"))
    assert float(cost["attention_macs"]) == 50
    assert float(cost["attention_rescales"]) == 7
    assert float(cost["attention_total"]) == 57


def test_asa_1_in_the_papers_network():
    """3 layers of 32 x 32, 16 x 16 and 8 x 8 maps, 320 channels, per timestep 106,496 values."""
    n_timesteps = 3
    network = small_network(
        attention="asa-1", n_timesteps=n_timesteps, input_size=(32, 32), widths=(64, 128, 128),
        hidden=4,
    )  # fmt: skip
    frames = np.ones((1, n_timesteps, 2, 32, 32), np.float32)
    cost = attention_macs(energy_table(SynapticOperations().observe(synapses_of(network, frames))))
    assert float(cost["attention_macs"]) == n_timesteps**2 * 320 + 2 * 18 * 1344
    assert float(cost["attention_rescales"]) == n_timesteps * 106_496


def test_misuse_is_named():
    with pytest.raises(UnknownNameError, match="no energy convention named 'spikeformer'"):
        table_of(convention="spikeformer")
    for name, value in (("e_mac", -1.0), ("e_ac", float("nan")), ("e_ac", float("inf"))):
        with pytest.raises(UsageError, match=f"{name} must be picojoules of at least 0"):
            table_of(**{name: value})
    empty = SynapticOperations().observe(synaptic_node(1).isel(sample=slice(0, 0)))
    with pytest.raises(ValueError, match="at least one sample"):
        energy_table(empty)
