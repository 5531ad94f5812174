"""Options of the analysing commands: what they change, and what they refuse."""

import re

import click
import numpy as np
import pandas as pd
import pytest

from analysis_cli import cli
from redundancy import schema
from redundancy.results_file import load_results
from tests.command_line import remember_results, run_analyze, save_frames, save_network
from tests.toy import ToyDataset


@pytest.fixture(scope="module", autouse=True)
def remembered():
    with pytest.MonkeyPatch.context() as patch:
        remember_results(patch)
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with frames, a checkpoint and its results."""
    folder = tmp_path_factory.mktemp("options")
    data = save_frames(folder / "toy.npz", ToyDataset(12, size=(16, 16)))
    save_network(folder / "vanilla.pt", size=(16, 16))
    code, _, err = run_analyze("energy", folder / "vanilla.pt", *data, "--out", folder / "plain")
    assert (code, err) == (0, "")
    return folder


@pytest.fixture
def analyse(folder, tmp_path, monkeypatch):
    """Run a command on the checkpoint without figures; returns (what it said, its folder)."""
    monkeypatch.setattr("redundancy.report.output.draw_all", lambda *_, **__: [])

    def run(command, *options, source="vanilla.pt"):
        data = ["--data", f"frames:{folder / 'toy.npz'}"] if source == "vanilla.pt" else []
        out = tmp_path / str(len(list(tmp_path.iterdir())))
        code, said, err = run_analyze(command, folder / source, *data, *options, "--out", out)
        assert (code, err) == (0, "")
        return said, out

    return run


def test_bin_width_and_range(folder, analyse):
    _, out = analyse("membrane-potential", "--bin-width", 0.05, "--range", -1, 2)
    results, plain = load_results(out / "results.nc"), load_results(folder / "plain" / "results.nc")
    assert results.attributes[schema.STATISTICS]["bounds"] == [-1, 2]
    for layer, potentials in results.potentials.items():
        assert potentials.attrs[schema.BIN_WIDTH] == 0.05
        centres = potentials[schema.BIN_CENTRE].values + 0.3
        # The range, and not a bin more than rounding takes.
        assert -1.1 < centres[0] - 0.025 < -1 + 1e-9
        assert 2 - 1e-9 < centres[-1] + 0.025 < 2.1
        # The threshold is an edge, so spikes and what lies to its right are the same.
        above = potentials[schema.HISTOGRAM].isel(bin=(potentials[schema.BIN_CENTRE] > 0).values)
        n_spikes = int(results.layers[layer][schema.SPIKE_COUNT].sum())
        assert int(above.sum() + potentials[schema.OVERFLOW].sum()) == n_spikes
        # Moments know no bins.
        np.testing.assert_array_equal(
            potentials[schema.VARIANCE], plain.potentials[layer][schema.VARIANCE]
        )


def test_potentials_outside_the_range_are_counted_and_told(analyse):
    said, out = analyse("membrane-potential", "--range", -100, -50)
    potentials = load_results(out / "results.nc").potentials["conv1.neuron"]
    missed = int(potentials[schema.OVERFLOW].sum())
    assert missed > 0
    assert re.search(
        rf"conv1.neuron: [\d.]+ % .* outside the bins \(0 below, {missed} above\)", said
    )


def test_tolerance_decides_what_is_noise(analyse):
    patterns = {}
    for tolerance in (0, 1000):
        _, out = analyse("membrane-potential", "--tolerance", tolerance, source="plain/results.nc")
        table = pd.read_csv(out / "membrane_potential.csv", keep_default_na=False)
        patterns[tolerance] = table["pattern_potential"]
        distance = table[schema.PTD].astype(float)
        spikes = table["pattern_potential"] != "null"
        assert ((patterns[tolerance] == "noise") == (spikes & (distance >= -0.3 * tolerance))).all()
    assert set(patterns[1000]) == {"null", "noise"}
    assert set(patterns[0]) == {"null", "noise", "normal"}


def test_background_ratio_decides_what_is_noise_by_place(analyse):
    for ratio, expected in ((0, "noise"), (1e9, "normal")):
        _, out = analyse(
            "membrane-potential", "--background-ratio", ratio, source="plain/results.nc"
        )
        table = pd.read_csv(out / "membrane_potential.csv", keep_default_na=False)
        assert set(table[table["layer"] == "conv1.neuron"]["pattern_spatial"]) == {expected}


def test_ghost_threshold_and_similarity(folder, analyse):
    ratios = {}
    for threshold in (0.1, 0.999):
        said, out = analyse("ghost-features", "--threshold", threshold, source="plain/results.nc")
        assert f"similarity >= {threshold:g}" in said
        table = pd.read_csv(out / "ghost_features.csv")
        assert (table["threshold"] == threshold).all()
        ratios[threshold] = table["ghost_ratio_cosine"]
    assert ratios[0.1].sum() > ratios[0.999].sum()


def test_ghosts_of_vectors_are_told_by_their_spikes(folder, tmp_path):
    code, _, err = run_analyze(
        *("ghost-features", folder / "plain" / "results.nc", "--layer", "fc1.neuron"),
        *("--out", tmp_path),
    )
    assert (code, err) == (0, "")
    assert (tmp_path / "ghost_similarity.png").exists()
    assert not (tmp_path / "ghost_groups.png").exists()
    code, _, err = run_analyze(
        *("ghost-features", folder / "plain" / "results.nc", "--layer", "fc1.neuron"),
        *("--out", tmp_path, "--similarity", "cosine"),
    )
    assert code == 2
    assert "use jaccard" in err


def test_energy_conventions_and_prices(analyse):
    tables = {}
    for options in ((), ("--convention", "effective"), ("--e-mac", 9.2, "--e-ac", 1.8)):
        said, out = analyse("energy", *options, source="plain/results.nc")
        tables[options] = pd.read_csv(out / "energy.csv")
        assert said.startswith(f"convention {tables[options]['convention'][0]} (")
    plain, effective, dear = tables.values()
    assert dear["energy"].sum() == pytest.approx(2 * plain["energy"].sum())
    np.testing.assert_allclose(
        effective["macs"] + effective["acs"], effective["effective_operations"]
    )
    assert effective["acs"].sum() < plain["acs"].sum()


WRONG = {
    "an unknown convention": (["energy", "--convention", "foo"], "'foo' is not one of 'asa'"),
    "energies that are no number": (["energy", "--e-mac", "nan"], "nan is not a finite number"),
    "endless energies": (["compare", "{v}", "--e-ac", "inf"], "inf is not a finite number"),
    "negative energies": (["energy", "--e-ac", "-1"], "x>=0"),
    "an unknown rule": (["membrane-potential", "--rule", "loud"], "'loud' is not one of"),
    "a tolerance that is no number": (
        ["figure", "6", "--tolerance", "nan"],
        "nan is not a finite number",
    ),
    "a threshold that is no number": (
        ["ghost-features", "--threshold", "nan"],
        "nan is not a finite number",
    ),
    "a threshold beyond 1": (["ghost-features", "--threshold", "2"], "-1<=x<=1"),
    "an unknown similarity": (["ghost-features", "--similarity", "jacard"], "'jaccard'"),
    "an unknown quantity": (["energy", "--quantity", "volts"], "'volts' is not one of 'pre-fire'"),
    "bins without width": (["figure", "2", "--bin-width", "0"], "must be positive and finite"),
    "a width that is no number": (["energy", "--bin-width", "nan"], "nan is not a finite number"),
    "too many bins": (["energy", "--bin-width", "1e-9"], "widen the bins"),
    "a reversed range": (["membrane-potential", "--range", "1", "0"], "from low to high"),
    "half a range": (["membrane-potential", "--range", "1"], "--range"),
    "too few replicates": (["energy", "--replicates", "1"], "10<=x<="),
    "an endless seed": (["energy", "--seed", "9" * 30], "0<=x<="),
    "a figure that is not there": (["figure", "3"], "'3' is not one of '1', '2', '5', '6'"),
    "figure 1 of three networks": (["figure", "1", "{v}", "{v}"], "shows up to 2 networks"),
    "figure 6 of five networks": (["figure", "6", *["{v}"] * 4], "shows up to 4 networks"),
    "an unknown layer": (["figure", "6", "--layer", "conv9"], "the layers are conv1.neuron"),
    "an unknown layer to compare": (["compare", "{v}", "--layer", "conv9"], "the layers are"),
    "a late timestep": (["compare", "{v}", "--time", "5"], "timesteps 0 to 4"),
    "an unknown format": (["energy", "--format", "gif"], "not as 'gif'"),
    "a comparison of one": (["compare"], "a comparison needs at least two networks"),
}


@pytest.mark.parametrize("what", WRONG)
def test_misuse_is_told_before_anything_is_computed(folder, tmp_path, monkeypatch, what):
    monkeypatch.chdir(tmp_path)
    arguments, expected = WRONG[what]
    filled = [str(folder / "vanilla.pt") if a == "{v}" else a for a in arguments]
    # Sources come last, so that a number of a figure stays before them.
    code, said, err = run_analyze(
        *filled, folder / "vanilla.pt", "--data", f"frames:{folder / 'toy.npz'}"
    )
    assert (code, said) == (2, "")
    assert expected in " ".join(err.split())
    assert list(tmp_path.iterdir()) == []


def test_a_channel_that_is_not_there_costs_no_results(folder, tmp_path):
    data = ["--data", f"frames:{folder / 'toy.npz'}"]
    for command in (["membrane-potential"], ["figure", "6"]):
        out = tmp_path / command[0]
        code, said, err = run_analyze(
            *command, folder / "vanilla.pt", *data, "--channel", 99, "--out", out
        )
        assert (code, said) == (2, "")
        assert "channel 99 is out of range: layer 'conv3.neuron' has channels 0 to 5" in err
        assert f"What was computed is kept; go on by naming {out / 'results.nc'} instead" in err
        code, _, err = run_analyze(*command, out / "results.nc", "--channel", 3)
        assert (code, err) == (0, "")


@pytest.mark.parametrize("name", sorted(cli.commands))
def test_help_reads_well(name):
    code, text, _ = run_analyze(name, "--help")
    assert code == 0
    assert max(map(len, text.splitlines())) <= 100
    assert "\\b" not in text
    command = cli.commands[name]
    assert command.get_short_help_str(limit=200).endswith(".")
    for option in command.params:
        if isinstance(option, click.Option):
            assert max(option.opts, key=len) in text
            assert option.help is None or option.help.endswith(".")
            assert option.help is not None or option.show_default, option.name
    if name == "figure":
        assert "\n  2  spike features of a vanilla network\n" in text


def test_help_lists_what_the_package_knows():
    from redundancy.stats.energy_conventions import CONVENTIONS

    text = run_analyze("energy", "--help")[1]
    assert f"[{'|'.join(sorted(CONVENTIONS, key=text.index))}]" in text
    assert set(re.search(r"--quantity \[(.*?)\]", text)[1].split("|")) == set(
        schema.QUANTITY_VARIABLES
    )
