"""Networks, data and files that are hard to analyse: right numbers, or one clear sentence."""

import numpy as np
import pandas as pd
import pytest
import torch

from redundancy import schema
from redundancy.checkpoint import Checkpoint, save_checkpoint
from redundancy.networks import build_network, complete_arguments
from redundancy.results_file import load_results
from tests.bad_networks import THRESHOLDS, register_networks
from tests.command_line import (
    remember_results,
    run_analyze,
    save_frames,
    save_network,
    sketch_figures,
)
from tests.toy import ToyDataset

NO_PATTERN = "has neither noise nor normal channels by the potential rule"
NO_MAPS = "has none, its channels are single neurons; name another with --layer"
COMMANDS = {
    **{name: [name] for name in ("membrane-potential", "ghost-features", "quantization-error")},
    "energy": ["energy"],
    **{f"figure {number}": ["figure", number] for number in "16"},
}
# What cannot be done with a network, and the sentence that says so.
REFUSED = {
    "silent": {"figure 1": NO_PATTERN, "figure 6": NO_PATTERN},
    "one neuron a layer": {},
    "firing": {},
    "one sample of one timestep": {},
    "vectors": {"figure 1": NO_MAPS},
    "thresholds, multi-step": {},
}


@pytest.fixture(scope="module", autouse=True)
def known_networks():
    with pytest.MonkeyPatch.context() as patch:
        register_networks(patch)
        remember_results(patch)
        sketch_figures(patch)
        yield


def fill_biases(value):
    """Return an edit that drives every neuron of lif-snn-3 by a constant current."""

    def edit(network):
        for block in (network.conv1, network.conv2, network.conv3):
            block.bn.bias.fill_(value)
        for block in (network.fc1, network.fc2):
            block.linear.bias.fill_(value)

    return edit


def save_named(path, name, **arguments):
    """Save a network of `tests.bad_networks`, untrained."""
    given = complete_arguments(name, arguments)
    torch.manual_seed(0)
    save_checkpoint(path, Checkpoint(name, given, build_network(name, **given).state_dict()))
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("bad")


def save_case(folder, name):
    """Save a checkpoint and its data; return the checkpoint and the options for its data."""
    toy, path = ToyDataset(10), folder / f"{name}.pt"
    if name == "silent":
        save_network(path, fill_biases(-50.0))
    elif name == "firing":
        save_network(path, fill_biases(50.0))
    elif name == "one neuron a layer":
        toy = ToyDataset(6, size=(4, 4), n_classes=1)
        save_network(path, fill_biases(0.2), size=(4, 4), widths=(1, 1, 1), hidden=1, n_classes=1)
    elif name == "one sample of one timestep":
        toy = ToyDataset(1, n_timesteps=1)
        save_network(path, n_timesteps=1, attention="asa-1")
    elif name == "vectors":
        save_named(path, "vectors")
    else:
        save_named(path, "thresholds", step_mode="m" if "multi" in name else "s")
    return path, save_frames(folder / f"{name}.npz", toy)


@pytest.fixture(scope="module")
def results_of(folder):
    """Return the results file of a case, analysed on first use."""
    known = {}

    def find(name):
        if name not in known:
            path, data = save_case(folder, name)
            code, said, err = run_analyze("spike-features", path, *data, "--out", folder / name)
            assert code == 0, err
            assert "nan" not in said
            silent = "warning: the network never spikes" in err
            assert silent == (load_results(folder / name / "results.nc").n_spikes == 0)
            known[name] = folder / name / "results.nc"
        return known[name]

    return find


@pytest.mark.parametrize("name", REFUSED)
def test_every_command_ends_in_numbers_or_a_sentence(results_of, tmp_path, name):
    source = results_of(name)
    for what, command in COMMANDS.items():
        code, said, err = run_analyze(*command, source, "--out", tmp_path / what)
        told = REFUSED[name].get(what)
        assert (code, err.count("\n")) == ((0, 0) if told is None else (2, 1)), (what, err)
        assert (told or "") in err
        assert "nan" not in said.replace("unknown", "")
        for path in (tmp_path / what).glob("*.csv"):
            assert len(pd.read_csv(path)) > 0
            assert "inf" not in path.read_text()
    code, said, err = run_analyze("compare", source, source, "--out", tmp_path / "compare")
    assert (code, err) == (0, "")
    headline = pd.read_csv(tmp_path / "compare" / "compare_headline.csv")
    assert (headline["change"].dropna() == 0).all()
    assert len(headline) == 8


@pytest.mark.parametrize("number", ["2", "5"])
def test_figures_of_maps_need_maps(results_of, tmp_path, number):
    code, said, err = run_analyze("figure", number, results_of("vectors"), "--out", tmp_path)
    assert (code, said) == (2, "")
    assert f"figure {number} shows feature maps, but layer 'fc1_neuron'" in err
    assert NO_MAPS in err


def test_numbers_of_silent_and_always_firing_networks(results_of, tmp_path):
    for name, rate, pattern in (("silent", 0, "null"), ("firing", 1, "noise")):
        results = load_results(results_of(name))
        assert float(results.network_firing_rate[schema.NASFR]) == rate
        for layer, codes in results.patterns().items():
            potentials = results.potentials[layer]
            distance = potentials[schema.PTD].values
            assert np.isfinite(distance).all()
            assert (np.sign(distance) == 2 * rate - 1).all()
            lowest, highest = potentials[schema.MINIMUM].values, potentials[schema.MAXIMUM].values
            width = potentials.attrs[schema.BIN_WIDTH]
            assert (distance >= lowest - 0.3 - width).all()
            assert (distance <= highest - 0.3 + width).all()
            assert (codes[schema.PATTERN_POTENTIAL] == {"null": 0, "noise": 1}[pattern]).all()
        code, said, _ = run_analyze("ghost-features", results_of(name), "--out", tmp_path)
        row = next(line for line in said.splitlines() if line.startswith("conv1")).split()
        # All channels repeat one, or none is there to repeat.
        assert (code, row[2:4]) == (0, ["4.0", "–"] if rate == 0 else ["0.0", "0.750"])


def test_one_sample_of_one_timestep_is_what_it_is(results_of):
    results = load_results(results_of("one sample of one timestep"))
    for layer, rates in results.firing_rates.items():
        assert set(np.unique(rates[schema.N_SFR])) <= {0.0, 1.0}
        assert rates[schema.C_SFR].shape[0] == 1
        n_values = results.layers[layer][schema.N_VALUES].values
        assert (n_values == rates.attrs["n_neurons"] / rates.sizes["channel"]).all()
    low, high = results.confidence(schema.NASFR)
    assert low == high == float(results.network_firing_rate[schema.NASFR])


def test_one_neuron_varies_over_samples_alone(results_of):
    results = load_results(results_of("one neuron a layer"))
    assert results.n_spikes > 0
    potentials = results.potentials["fc1.neuron"]
    assert potentials[schema.HISTOGRAM].sum("bin").values.tolist() == [[6]] * 5
    spread = (potentials[schema.MAXIMUM] - potentials[schema.MINIMUM]).values
    assert (potentials[schema.VARIANCE].values <= spread**2 / 4 + 1e-12).all()


@pytest.mark.parametrize("mode", ["multi-step", "single-step"])
def test_thresholds_per_channel_give_each_channel_its_own_numbers(
    folder, results_of, tmp_path, mode
):
    from redundancy.recordings import RecordingFile

    name = f"thresholds, {mode}"
    results = load_results(results_of(name))
    data = ["--data", f"frames:{folder / f'{name}.npz'}"]
    run = tmp_path / "run.zarr"
    assert run_analyze("record", folder / f"{name}.pt", *data, "-o", run, "--quiet")[0] == 0
    (nodes,) = RecordingFile(run).batches(10, 10)
    layer = nodes["conv_neuron"]
    u = layer[schema.MEMBRANE_POTENTIAL].values.astype(np.float64)
    threshold = np.array(THRESHOLDS)[:, None, None]
    fires = u >= threshold
    np.testing.assert_array_equal(layer[schema.SPIKE].values, fires)
    assert 0 < fires[:, :, 0].mean() < 1
    assert not fires[:, :, 3].any()
    potentials, errors = (
        results.potentials["conv_neuron"],
        results.quantization_errors["conv_neuron"],
    )
    centres, width = potentials[schema.BIN_CENTRE].values, potentials.attrs[schema.BIN_WIDTH]
    for channel, level in enumerate(THRESHOLDS):
        own = u[:, 2, channel].ravel()
        edges = np.append(centres - width / 2, centres[-1] + width / 2) + level
        expected = np.histogram(own, edges)[0]
        here = potentials.isel(time=2, channel=channel)
        np.testing.assert_array_equal(here[schema.HISTOGRAM], expected)
        assert float(here[schema.VARIANCE]) == pytest.approx(own.var(), rel=1e-9)
        scaled = ((own - level * (own >= level)) ** 2).mean()
        assert float(errors[schema.QE_SCALED][2, channel]) == pytest.approx(scaled)
    code, said, _ = run_analyze(
        "membrane-potential", run, "--out", tmp_path / "out", "--bin-width", 0.03125
    )
    assert code == 0
    assert "0.125 to 8" in said
    assert "too wide for PTD" not in said
    code, said, _ = run_analyze("info", folder / f"{name}.pt")
    assert "fires at >= 0.125 to 8 (a threshold per channel)" in said


def test_bins_too_wide_for_a_channels_threshold_are_told(results_of, tmp_path):
    name = "thresholds, multi-step"
    path, data = results_of(name).parent.with_suffix(".pt"), results_of(name).parent
    code, said, _ = run_analyze(
        *("membrane-potential", path, "--data", f"frames:{data}.npz", "--bin-width", 1),
        *("--out", tmp_path),
    )
    assert code == 0
    assert "conv_neuron: bins of 1 are wider than the least threshold, 0.125" in said


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (
            lambda n: n.conv2.conv.weight[0, 0, 0].fill_(float("nan")),
            "weight conv2.conv.weight has",
        ),
        (lambda n: n.conv3.conv.bias[:1].fill_(float("inf")), "weight conv3.conv.bias has"),
        (lambda n: n.fc2.linear.bias[:1].fill_(float("-inf")), "weight fc2.linear.bias has"),
    ],
)
def test_weights_that_are_no_numbers(folder, tmp_path, edit, told):
    path = save_network(tmp_path / "broken.pt", edit)
    data = save_frames(tmp_path / "toy.npz", ToyDataset(6))
    for command in (["spike-features"], ["energy"], ["figure", "6"], ["record"]):
        code, said, err = run_analyze(*command, path, *data, "--out", tmp_path / "out.zarr")
        assert (code, said) == (1, "")
        assert f"{told} values that are not finite (NaN or infinite)" in err
        assert sorted(p.name for p in tmp_path.iterdir()) == ["broken.pt", "toy.npz"]
    # What was computed of the other network is not lost.
    good = save_network(tmp_path / "good.pt")
    code, _, err = run_analyze("compare", good, path, *data, "--out", tmp_path / "out")
    assert (code, told in err) == (1, True)
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["good.nc"]


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_data_without_events_or_without_background(tmp_path, value):
    toy = ToyDataset(4)
    toy.frames[:] = value
    data = save_frames(tmp_path / "toy.npz", toy)
    path = save_network(tmp_path / "net.pt")
    code, said, err = run_analyze("membrane-potential", path, *data, "--out", tmp_path / "out")
    assert (code, err) == (0, "")
    assert next(line.split()[-1] for line in said.splitlines() if "conv1" in line) == "–"
    table = pd.read_csv(tmp_path / "out" / "membrane_potential.csv", keep_default_na=False)
    assert set(table["pattern_spatial"]) == {"null", "undecided"}
    assert "noise" in set(table["pattern_potential"])
    arguments = ["figure", "6", tmp_path / "out" / "results.nc", "--rule", "spatial"]
    code, _, err = run_analyze(*arguments)
    assert code == 2
    assert "has neither noise nor normal channels by the spatial rule; name the channels" in err
    assert run_analyze(*arguments, "--channel", 3)[0] == 0
