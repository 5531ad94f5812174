"""Energies that cannot be: negative, scaled by nothing, silent on what they leave out."""

import json

import numpy as np
import pytest
import torch
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from spikingjelly.activation_based import layer
from torch import nn
from torch.nn import functional

import redundancy
from redundancy import schema
from redundancy.errors import RecordingError, ResultsError
from redundancy.observation import AnalysisOptions
from redundancy.plots import plot_energy
from redundancy.recordings import RecordingFile, write_recording
from redundancy.report.energy import EnergyReport
from redundancy.results_file import load_results
from redundancy.states import merge_states
from redundancy.stats.energy import (
    CONVENTIONS,
    SynapticOperations,
    energy_replicates,
    energy_table,
)
from redundancy.stats.energy_inputs import uncounted_operations
from tests.command_line import run_analyze
from tests.synaptic import Network, rows, spiking, synapses_of
from tests.toy import ToyDataset, small_network

SHAPE = (2, 4, 2, 8, 8)
FRAMES = np.random.default_rng(0).poisson(0.5, SHAPE).astype(np.float32)
FORMULAS = [name for name in CONVENTIONS if name != "effective"]


def flat(x):
    return x.flatten(2)


def network_with(between, *, twice=False, forward=None):
    """conv -> spikes -> `between` -> fc, and what `between` makes of the spikes."""
    torch.manual_seed(0)

    def run(n, x):
        spikes = n.node(n.conv(x))
        other = n.node2(n.conv2(x)) if twice else None
        values = flat(between(spikes, other) if twice else between(spikes))
        if n.fc is None:
            n.fc = nn.Linear(values.shape[-1], 3)
        out = n.fc(values)
        # Neurons run over all timesteps; what is summed over time is read out as it is.
        return n.node3(out).mean(0) if len(out) == len(x) else out.mean(0)

    network = Network(
        forward or run,
        conv=layer.Conv2d(2, 3, 3, padding=1, step_mode="m"), node=spiking(0.2),
        conv2=layer.Conv2d(2, 3, 3, padding=1, step_mode="m"), node2=spiking(0.2),
        node3=spiking(),
    )  # fmt: skip
    network.fc = None
    with torch.no_grad():
        # Makes the layer that fits.
        network(torch.from_numpy(FRAMES).transpose(0, 1))
    for module in (network.node, network.node2, network.node3):
        module.reset()
    return network


def tables_of(network, frames=FRAMES, synapse="fc"):
    """The row of `synapse` by every convention."""
    state = SynapticOperations().observe(synapses_of(network, frames))
    return {
        convention: energy_table(state, convention=convention).sel(synapse=synapse)
        for convention in CONVENTIONS
    }


def assert_nothing_is_negative(table):
    for name, variable in table.data_vars.items():
        if variable.dtype.kind in "if":
            assert not (variable.values < 0).any(), name
    for name in ("macs", "acs", "energy", "nonzero_fraction", "effective_operations"):
        assert np.isfinite(table[name].values).all(), name


def batch_norm(spikes):
    norm = nn.BatchNorm2d(3).eval()
    norm.running_mean.fill_(0.4)
    return norm(spikes.flatten(0, 1)).unflatten(0, spikes.shape[:2])


def in_place(factor, detached):
    def scale(spikes):
        spikes = spikes.clone()
        with torch.no_grad() if detached else torch.enable_grad():
            return spikes.mul_(factor)

    return scale


ONE = {
    # what stands between the neuron and the layer: (function, counted as)
    "nothing": (lambda s: s, "ACs of spikes"),
    "max pooling": (lambda s: layer.MaxPool2d(2, step_mode="m")(s), "ACs of spikes"),
    "times 1": (lambda s: s * 1.0, "ACs of spikes"),
    "a mask": (lambda s: s * (torch.arange(8) % 2), "ACs of spikes"),
    "its complement": (lambda s: 1 - s, "ACs of spikes"),
    "average pooling": (
        lambda s: layer.AvgPool2d(2, step_mode="m")(s),
        "ACs of averages of spikes",
    ),
    "of 3 x 3, padded": (
        lambda s: layer.AvgPool2d(3, stride=2, padding=1, step_mode="m")(s),
        "ACs of averages of spikes",
    ),
    "of 3 x 3, cut": (
        lambda s: layer.AvgPool2d(3, 2, 1, count_include_pad=False, step_mode="m")(s),
        "ACs of averages of spikes",
    ),
    "of the whole map": (
        lambda s: functional.adaptive_avg_pool2d(s.flatten(0, 1), 1).unflatten(0, s.shape[:2]),
        "ACs of averages of spikes",
    ),
    "of uneven windows": (
        lambda s: functional.adaptive_avg_pool2d(s.flatten(0, 1), 3).unflatten(0, s.shape[:2]),
        "ACs of averages of spikes",
    ),
    "two in a row": (
        lambda s: functional.avg_pool2d(functional.avg_pool2d(s.flatten(0, 1), 3, 1), 2).unflatten(0, s.shape[:2]),  # noqa: E501
        "ACs of averages of spikes",
    ),
    "in one dimension": (
        lambda s: functional.avg_pool1d(s.flatten(0, 1).flatten(2), 5).unflatten(0, s.shape[:2]),
        "ACs of averages of spikes",
    ),
    "a mean over space": (lambda s: s.mean((-1, -2)), "ACs of averages of spikes"),
    "a mean over time": (lambda s: s.mean(0, keepdim=True), "ACs of averages of spikes"),
    "a sum over time": (lambda s: s.sum(0, keepdim=True), "ACs of sums of spikes"),
    "a sum over T": (lambda s: s.sum(0, keepdim=True) / len(s), "ACs of averages of spikes"),
    "pooling into sums": (
        lambda s: functional.avg_pool2d(s.flatten(0, 1), 2, divisor_override=1).unflatten(0, s.shape[:2]),  # noqa: E501
        "ACs of sums of spikes",
    ),
    "averages times windows": (lambda s: 64 * s.mean((-1, -2)), "ACs of sums of spikes"),
    "averages beside spikes": (
        lambda s: torch.cat([s.flatten(2), s.mean((-1, -2))], 2),
        "ACs of averages of spikes",
    ),
    "a tenth": (lambda s: 0.1 * s, "MACs of scaled spikes"),
    "a half of averages": (lambda s: 0.5 * s.mean((-1, -2)), "MACs of scaled spikes"),
    "five times": (lambda s: 5 * s, "MACs of scaled spikes"),
    "five times, pooled": (
        lambda s: layer.AvgPool2d(2, step_mode="m")(5 * s),
        "MACs of scaled spikes",
    ),
    "a learned factor": (lambda s: s * nn.Parameter(torch.tensor(0.3)), "MACs of scaled spikes"),
    "a factor a channel": (
        lambda s: s * nn.Parameter(torch.linspace(0.2, 0.9, 3)).view(3, 1, 1),
        "MACs of other values",
    ),
    "divided": (lambda s: s / 3, "MACs of scaled spikes"),
    "a pool of another divisor": (
        lambda s: functional.avg_pool2d(s.flatten(0, 1), 2, divisor_override=3).unflatten(0, s.shape[:2]),  # noqa: E501
        "MACs of scaled spikes",
    ),
    "scaled in place": (in_place(0.1, False), "MACs of scaled spikes"),
    "scaled behind the graph": (in_place(0.1, True), "MACs of other values"),
    "multiplied behind the graph": (in_place(5.0, True), "MACs of other values"),
    "dropout": (lambda s: nn.Dropout(0.5).eval()(s), "ACs of spikes"),
    "dropout left on": (lambda s: functional.dropout(s, 0.5), "MACs of other values"),
    "weighed by attention": (
        lambda s: s * s.mean((-1, -2), True).sigmoid(),
        "MACs of other values",
    ),
    "gated": (lambda s: s * torch.linspace(0.1, 0.9, 8), "MACs of other values"),
    "batch normalisation": (batch_norm, "MACs of signed values"),
    "negated": (lambda s: -s, "MACs of signed values"),
    "shifted": (lambda s: s - 0.25, "MACs of signed values"),
    "a constant added": (lambda s: s + 0.25, "MACs of other values"),
    "a product of weights": (
        lambda s: functional.linear(s, torch.linspace(0.1, 0.9, 64).view(8, 8)),
        "MACs of other values",
    ),
    "detached, pooled": (
        lambda s: layer.AvgPool2d(2, step_mode="m")(s.detach()),
        "ACs of sums or averages of spikes",
    ),
    "detached, a tenth": (lambda s: 0.1 * s.detach(), "MACs of other values"),
    "detached, five times": (lambda s: 5 * s.detach(), "MACs of other values"),
    "detached, summed": (
        lambda s: s.detach().sum(0, keepdim=True),
        "ACs of sums or averages of spikes",
    ),
}  # fmt: skip


def _written(spikes):
    pooled = functional.avg_pool2d(spikes.flatten(0, 1), 2).unflatten(0, spikes.shape[:2])
    array = torch.zeros_like(pooled)
    for time, values in enumerate(pooled):
        array[time] = values
    return array


ONE["written into an array"] = (_written, "ACs of averages of spikes")
TWO = {
    "SEW ADD": (lambda s, t: s + t, "ACs of sums of spikes"),
    "SEW AND": (lambda s, t: s * t, "ACs of spikes"),
    "SEW IAND": (lambda s, t: s * (1 - t), "ACs of spikes"),
    "their mean": (lambda s, t: (s + t) / 2, "ACs of averages of spikes"),
    "concatenated": (lambda s, t: torch.cat([s, t], 2), "ACs of spikes"),
    "the greater": (torch.maximum, "ACs of spikes"),
    "spikes and averages": (
        lambda s, t: s + functional.avg_pool2d(t.flatten(0, 1), 3, 1, 1).unflatten(0, t.shape[:2]),
        "ACs of averages of spikes",
    ),
    "weighed": (lambda s, t: torch.add(s, t, alpha=0.5), "MACs of scaled spikes"),
    "one of them scaled": (lambda s, t: s + 0.1 * t, "MACs of scaled spikes"),
    "their difference": (lambda s, t: s - t, "MACs of signed values"),
}
CASES = [(name, *case, False) for name, case in ONE.items()] + [
    (name, *case, True) for name, case in TWO.items()
]


@pytest.mark.parametrize(("name", "between", "expected", "twice"), CASES)
def test_the_row_says_what_came_in_and_no_column_is_negative(name, between, expected, twice):
    torch.manual_seed(1)
    seen = []
    network = network_with(between, twice=twice)
    network.fc.register_forward_pre_hook(lambda m, args: seen.append(args[0].detach().clone()))
    tables = tables_of(network)
    values = seen[-1].double().numpy()
    nonzero, dense = (values != 0).mean(), tables["asa"]["dense_operations"].item()
    assert dense == values.size / FRAMES.shape[0] * 3
    for convention, table in tables.items():
        assert_nothing_is_negative(table)
        executed = float(table["macs"] + table["acs"])
        if convention == "effective":
            assert executed == (values != 0).sum() * 3 / FRAMES.shape[0]
            continue
        assert str(table["counted_as"].values) == expected
        of_spikes = expected.startswith("ACs")
        rate = values.mean() if of_spikes and "driven" not in convention else nonzero
        assert executed == pytest.approx(dense * rate, rel=1e-6)
        assert (table["acs"] == 0) != of_spikes


@pytest.mark.parametrize("factor", [0.1, 5.0, 1 / 3, 2.0, 1024.0, -1.0, 0.5])
@pytest.mark.parametrize("how", ["scaled", "behind the graph", "detached"])
def test_a_factor_changes_no_number_of_operations(factor, how):
    made = {
        "scaled": lambda s: factor * s,
        "behind the graph": in_place(factor, True),
        "detached": lambda s: factor * s.detach(),
    }[how]
    plain, scaled = tables_of(network_with(lambda s: s)), tables_of(network_with(made))
    for convention, table in plain.items():
        ours, theirs = (float(t["acs"] + t["macs"]) for t in (table, scaled[convention]))
        assert ours == pytest.approx(theirs, rel=1e-12)
        assert ours > 0


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("size", [2, 3, 4, 8])
def test_averages_are_found_in_every_precision(dtype, size):
    network = Network(
        lambda n, x: n.fc(functional.avg_pool2d(n.node(x).flatten(0, 1), size).flatten(1)),
        node=spiking(), fc=nn.Linear(2 * (8 // size) ** 2, 2),
    ).to(dtype)  # fmt: skip
    node = synapses_of(network, FRAMES, forward=lambda n, x: n(x.to(dtype)))
    table = energy_table(SynapticOperations().observe(node))
    assert table["counted_as"].values.tolist() == ["ACs of averages of spikes"]


def test_single_steps_are_told_like_many():
    torch.manual_seed(0)
    network = Network(
        lambda n, x: n.fc(functional.avg_pool2d(n.node(n.conv(x)), 2).flatten(1)),
        conv=nn.Conv2d(2, 3, 3, padding=1), node=spiking(0.2, "s"), fc=nn.Linear(48, 3),
    )  # fmt: skip
    table = energy_table(SynapticOperations().observe(synapses_of(network, FRAMES)))
    assert table["counted_as"].values.tolist() == [
        "MACs of the network's input", "ACs of averages of spikes",
    ]  # fmt: skip


def test_a_later_sample_that_is_no_average_is_seen():
    """The traced run sees the first sample only; the counts see all of them."""

    def between(spikes):
        values = spikes.clone()
        with torch.no_grad():
            if spikes.shape[1] > 1:
                values[:, 1:] *= 0.7
        return values

    assert str(tables_of(network_with(between))["asa"]["counted_as"].values) == (
        "MACs of other values"
    )


def test_signed_frames_give_no_negative_rate():
    table = energy_table(
        SynapticOperations().observe(
            synapses_of(network_with(lambda s: s), FRAMES - FRAMES.mean() - 1)
        )
    )
    assert np.isnan(rows(table, "input_rate")["conv"])
    assert_nothing_is_negative(table)


VALUES = {
    "binary": st.sampled_from([0.0, 1.0]),
    "quarters": st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]),
    "thirds": st.integers(0, 9).map(lambda n: n / 9),
    "whole": st.integers(0, 5).map(float),
    "scaled": st.sampled_from([0.0, 0.1]),
    "signed": st.floats(-3, 3, width=32),
}


class Released(nn.Module):
    """Puts given values in the place of a neuron's spikes."""

    def forward(self, spikes):
        return spikes * 0 + self.values


@settings(max_examples=6, deadline=None)
@given(data=st.data(), kind=st.sampled_from(sorted(VALUES)))
def test_random_values(data, kind):
    drawn = data.draw(st.lists(VALUES[kind], min_size=24, max_size=24))
    values = torch.tensor(drawn, dtype=torch.float32).view(2, 1, 3, 2, 2)
    network = Network(
        lambda n, x: n.second(n.conv(n.held(n.node(x)))),
        node=spiking(), held=Released(), second=spiking(),
        conv=layer.Conv2d(3, 2, 2, padding=1, step_mode="m"),
    )  # fmt: skip
    network.held.values = values
    frames = np.ones((1, 2, 3, 2, 2), np.float32)
    state = SynapticOperations().observe(synapses_of(network, frames))
    met = 2 * 4  # every input meets each of the 2 x 2 taps of both outputs
    for factor in (1.0, 0.1, 5.0, -2.0):
        network.held.values = values * factor
        other = SynapticOperations().observe(synapses_of(network, frames))
        for convention in CONVENTIONS:
            table = energy_table(other, convention=convention)
            assert_nothing_is_negative(table)
            executed = int((values != 0).sum()) * met
            assert table["effective_operations"].item() == executed
            if convention == "effective":
                assert (table["macs"] + table["acs"]).item() == executed
    for convention in CONVENTIONS:
        assert_nothing_is_negative(energy_table(state, convention=convention))


QUICK = AnalysisOptions(n_replicates=20)


@pytest.fixture(scope="module")
def normalised():
    return redundancy.analyze(network_with(batch_norm), Toy(), batch_size=2, options=QUICK)


@pytest.fixture(scope="module")
def pooled():
    return redundancy.analyze(small_network(5), ToyDataset(5), batch_size=2, options=QUICK)


class Toy(ToyDataset):
    def __init__(self):
        super().__init__(5, 4)


def test_replicates_follow_the_table(normalised, pooled):
    for results in (normalised, pooled):
        for convention in CONVENTIONS:
            energies = results.energy_replicates(convention)
            assert (energies[np.isfinite(energies)] >= 0).all()
            total = results.energy(convention).attrs["total_energy"]
            assert 0.3 * total < np.nanmean(energies) < 3 * total


@pytest.mark.parametrize("sizes", [(1,), (2,), (5,)])
def test_counts_do_not_depend_on_the_batch(sizes, pooled):
    again = redundancy.analyze(small_network(5), ToyDataset(5), batch_size=sizes[0], options=QUICK)
    for name in (schema.INPUT_UNFIT, schema.INPUT_OFF_LEVEL, schema.INPUT_NONBINARY):
        np.testing.assert_array_equal(again.synapses[name], pooled.synapses[name])
        assert again.synapses[name].dtype.kind == "i"
    kinds = again.energy()["counted_as"].values.tolist()
    assert "ACs of averages of spikes" in kinds or "ACs of spikes" in kinds


def older(results):
    """The results as a version wrote them that did not measure what the inputs were."""
    tree = results.tree.copy(deep=True)
    node = tree[schema.SYNAPSE_NODE].to_dataset(inherit=False)
    tree[schema.SYNAPSE_NODE] = xr.DataTree(
        node.drop_vars([schema.INPUT_UNFIT, schema.INPUT_OFF_LEVEL, schema.SPIKE_PATH])
    )
    return redundancy.results.Results(tree)


class TestOlderFiles:
    @pytest.fixture(scope="class")
    def average(self):
        network = network_with(lambda s: s.mean((-1, -2)))
        return redundancy.analyze(network, Toy(), batch_size=2, options=QUICK)

    def test_binary_inputs_keep_their_numbers(self, tmp_path):
        results = redundancy.analyze(network_with(lambda s: s), Toy(), options=QUICK)
        older(results).save(tmp_path / "results.nc")
        read = load_results(tmp_path / "results.nc")
        for convention in CONVENTIONS:
            now = results.energy(convention).drop_vars(schema.SPIKE_PATH, errors="ignore")
            xr.testing.assert_identical(read.energy(convention), now)
            np.testing.assert_array_equal(
                read.energy_replicates(convention), results.energy_replicates(convention)
            )

    @pytest.mark.parametrize("convention", FORMULAS)
    def test_others_are_refused_in_a_sentence(self, average, convention):
        with pytest.raises(ResultsError, match=r"inputs of fc .* analyse the network again"):
            older(average).energy(convention)
        with pytest.raises(ResultsError, match="before it was measured"):
            older(average).energy_replicates(convention)

    def test_what_is_executed_stays_known(self, average):
        ours, theirs = (r.energy("effective") for r in (average, older(average)))
        assert ours.attrs["total_energy"] == theirs.attrs["total_energy"]

    def test_a_negative_sum_was_never_one_of_spikes(self, normalised):
        kinds = rows(older(normalised).energy(), "counted_as")
        assert kinds["fc"] == "MACs of signed values"

    def test_commands_say_so(self, average, tmp_path):
        paths = [tmp_path / "new.nc", tmp_path / "old.nc"]
        average.save(paths[0])
        older(average).save(paths[1])
        code, _, err = run_analyze("energy", paths[1], "--out", tmp_path / "a")
        assert code == 1
        assert "before it was measured" in err
        paths.append(tmp_path / "older.nc")
        older(average).save(paths[2])
        for number, sources in enumerate((paths[:2], paths[1::-1], paths[1:])):
            code, out, err = run_analyze("compare", *sources, "--out", tmp_path / f"b{number}")
            assert code == 0, err
            assert "made before it was measured" in " ".join(out.split())

    def test_old_and_new_parts_do_not_join(self, average):
        nodes = [
            {schema.SYNAPSE_NODE: r.tree[schema.SYNAPSE_NODE].to_dataset(inherit=False)}
            for r in (average, older(average))
        ]
        for first, second in (nodes, nodes[::-1]):
            with pytest.raises(ResultsError, match="by different versions"):
                merge_states(first, second)


OPERATIONS = ["convolution in module 'head' (model.py:41)", "product of matrices in 'attn'"]


class TestUncountedOperations:
    @pytest.mark.parametrize("n", [None, 0, 1, 2])
    def test_they_survive_recordings_and_results(self, n, pooled, tmp_path):
        node = synapses_of(small_network(), FRAMES)
        if n is not None:
            node.attrs[schema.UNCOUNTED_OPERATIONS] = OPERATIONS[:n]
        expected = OPERATIONS[: n or 0]
        state = SynapticOperations().observe(node)
        assert energy_table(state).attrs[schema.UNCOUNTED_OPERATIONS] == expected
        tree = pooled.tree.copy(deep=True)
        tree[schema.SYNAPSE_NODE].attrs = {
            **tree[schema.SYNAPSE_NODE].attrs,
            **{k: v for k, v in state.attrs.items() if k == schema.UNCOUNTED_OPERATIONS},
        }
        redundancy.results.Results(tree).save(tmp_path / "results.nc")
        read = load_results(tmp_path / "results.nc")
        assert read.uncounted_operations == expected
        assert read.summary()["uncounted_operations"] == expected
        assert json.loads(json.dumps(read.summary()))["uncounted_operations"] == expected

    @pytest.mark.parametrize("n", [0, 1, 2])
    def test_they_survive_a_recording_on_disk(self, n, tmp_path):
        from redundancy.recording import Recorder

        with Recorder(small_network()) as recorder:
            nodes = recorder.record_nodes(FRAMES)
        nodes[schema.SYNAPSE_NODE].attrs[schema.UNCOUNTED_OPERATIONS] = OPERATIONS[:n]
        write_recording(tmp_path / "run.zarr", iter([nodes]), {"network": "n"})
        (read,) = RecordingFile(tmp_path / "run.zarr").batches(10)
        assert uncounted_operations(read[schema.SYNAPSE_NODE].attrs) == OPERATIONS[:n]

    @pytest.mark.parametrize(
        "held",
        [OPERATIONS, tuple(OPERATIONS), np.array(OPERATIONS, object), json.dumps(OPERATIONS)],
    )
    def test_they_are_read_however_a_file_holds_them(self, held):
        assert uncounted_operations({schema.UNCOUNTED_OPERATIONS: held}) == OPERATIONS
        assert uncounted_operations({schema.UNCOUNTED_OPERATIONS: OPERATIONS[0]}) == OPERATIONS[:1]

    def test_merging_names_those_of_both(self):
        states = []
        for held in ([OPERATIONS[0]], [], OPERATIONS[::-1]):
            node = synapses_of(small_network(), FRAMES)
            node.attrs[schema.UNCOUNTED_OPERATIONS] = held
            states.append({schema.SYNAPSE_NODE: SynapticOperations().observe(node)})
        merged = merge_states(merge_states(states[0], states[1]), states[2])
        assert uncounted_operations(merged[schema.SYNAPSE_NODE].attrs) == OPERATIONS

    def test_they_stand_beside_the_total(self, pooled, tmp_path):
        tree = pooled.tree.copy(deep=True)
        tree[schema.SYNAPSE_NODE].attrs[schema.UNCOUNTED_OPERATIONS] = json.dumps(OPERATIONS)
        results = redundancy.results.Results(tree)
        results.save(tmp_path / "results.nc")
        code, out, err = run_analyze("energy", tmp_path / "results.nc", "--out", tmp_path / "out")
        assert code == 0, err
        text = " ".join(out.split())
        assert "operations of 2 functional calls not counted" in text
        assert all(operation in text for operation in OPERATIONS)
        (csv,) = (tmp_path / "out").rglob("energy.csv")
        assert "uncounted_operations" in csv.read_text().splitlines()[0]
        assert results.summary()["uncounted_operations"] == OPERATIONS
        ax = plot_energy({"net": results.energy()})
        assert "operations of 2 functional calls not counted" in ax.get_title(loc="left")
        assert "not counted" not in EnergyReport().text({"net": pooled})
        assert "not counted" not in plot_energy({"n": pooled.energy()}).get_title(loc="left")

    def test_a_comparison_notes_them(self, pooled):
        tree = pooled.tree.copy(deep=True)
        tree[schema.SYNAPSE_NODE].attrs[schema.UNCOUNTED_OPERATIONS] = json.dumps(OPERATIONS[:1])
        results = redundancy.results.Results(tree)
        notes = " ".join(redundancy.compare({"a": pooled, "b": results}).notes)
        assert f"b: operations of 1 functional call not counted: {OPERATIONS[0]}." in notes


def test_replicates_take_the_kinds_of_all_samples(normalised):
    state, root = normalised.synapses, normalised.tree.to_dataset()
    from redundancy.stats.bootstrap import synaptic_replicates

    energies = energy_replicates(state, synaptic_replicates(root, state))
    assert (energies.values[np.isfinite(energies.values)] > 0).all()


def test_replicates_of_weight_one_are_the_table(normalised, pooled):
    for state in (normalised.synapses, pooled.synapses):
        drawn = (schema.INPUT_SUM, schema.INPUT_NONZERO, schema.EFFECTIVE_OPERATIONS)
        means = state[list(drawn)] / int(state[schema.N_SAMPLES])
        replicates = means.expand_dims({schema.REPLICATE: state.sizes.get(schema.REPLICATE, 2)})
        for convention in CONVENTIONS:
            energies = energy_replicates(state, replicates, convention=convention)
            total = energy_table(state, convention=convention).attrs["total_energy"]
            np.testing.assert_allclose(energies.values, total, rtol=1e-12)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_no_number_is_refused_by_name(value):
    broken = torch.tensor([value] + [1.0] * 7)
    with pytest.raises(RecordingError, match="'node3' has NaN"):
        tables_of(network_with(lambda s: s * broken))


def test_a_functional_layer_is_named_beside_the_total(tmp_path):
    weight = torch.linspace(0.1, 0.9, 64).view(8, 8)
    network = network_with(lambda s: functional.linear(s, weight))
    results = redundancy.analyze(network, Toy(), batch_size=2, options=QUICK)
    assert results.uncounted_operations
    results.save(tmp_path / "results.nc")
    code, out, err = run_analyze("energy", tmp_path / "results.nc", "--out", tmp_path / "out")
    assert code == 0, err
    text = " ".join(out.split())
    assert "operations of 1 functional call not counted: " in text
    assert results.uncounted_operations[0] in text
