"""The commands that analyse one network, or several each for itself, as a user would try them."""

import numpy as np
import pandas as pd
import pytest

from redundancy import schema
from redundancy.results_file import load_results
from redundancy.stats import pattern_shares
from redundancy.tables import energy_rows, ghost_table, quantization_error_table
from tests.command_line import remember_results, run_analyze, save_frames, save_network
from tests.toy import ToyDataset

LAYERS = [f"{name}.neuron" for name in ("conv1", "conv2", "conv3", "fc1", "fc2")]
# What each command writes, beside the results file.
TABLES = {
    "spike-features": ["firing_rates.csv"],
    "membrane-potential": ["membrane_potential.csv", "spike_patterns.csv"],
    "ghost-features": ["ghost_features.csv"],
    "quantization-error": ["quantization_error.csv", "table_4_quantization_error.csv"],
    "energy": ["energy.csv"],
}
FIGURES = {
    "spike-features": {
        *("figure_2_spike_features", "t_sfr", "layer_rates", "channel_rates", "event_frames"),
    },
    "membrane-potential": {
        *("figure_6_spike_patterns", "membrane_potentials", "membrane_potential_over_time"),
        *("ptd_scatter", "pattern_shares"),
    },
    "ghost-features": {
        *("ghost_similarity", "ghost_groups", "ghost_ratio"),
        *("temporal_similarity", "temporal_redundancy"),
    },
    "quantization-error": {"quantization_error"},
    "energy": {"energy"},
}
SINGLE = ("spike-features", "membrane-potential", "ghost-features")


@pytest.fixture(scope="module", autouse=True)
def remembered():
    with pytest.MonkeyPatch.context() as patch:
        remember_results(patch)
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with frames, a checkpoint and a recording of all that can be recorded."""
    folder = tmp_path_factory.mktemp("analyses")
    data = save_frames(folder / "toy.npz", ToyDataset(12, size=(16, 16)))
    save_network(folder / "vanilla.pt", size=(16, 16))
    quantities = "spike,membrane_potential,input_current,post_reset_potential"
    code, _, err = run_analyze(
        *("record", folder / "vanilla.pt", *data, "-o", folder / "run.zarr"),
        *("--quantities", quantities),
    )
    assert (code, err) == (0, "")
    return folder


@pytest.fixture(scope="module")
def data(folder):
    return ["--data", f"frames:{folder / 'toy.npz'}"]


@pytest.fixture(scope="module")
def written(folder, data):
    """What each command wrote about the checkpoint, and said."""
    said = {}
    for command in TABLES:
        code, said[command], err = run_analyze(
            command, folder / "vanilla.pt", *data, "--out", folder / command
        )
        assert (code, err) == (0, ""), command
    return said


@pytest.fixture(scope="module")
def results(folder, written):
    return load_results(folder / "energy" / "results.nc")


@pytest.fixture
def no_figures(monkeypatch):
    """Draw nothing, where a test is about numbers."""
    monkeypatch.setattr("redundancy.report.output.draw_all", lambda *_, **__: [])


@pytest.mark.parametrize("command", TABLES)
def test_everything_is_written_and_named(folder, written, command):
    names = {path.name for path in (folder / command).iterdir()}
    others = {"results.nc"} | ({"summary.json"} if command in SINGLE else set())
    if command == "quantization-error":
        others |= {"table_4_quantization_error.md", "table_4_quantization_error.tex"}
    assert names == {f"{name}.png" for name in FIGURES[command]} | {*TABLES[command], *others}
    assert all((folder / command / name).stat().st_size > 0 for name in names)
    said = written[command]
    assert all(name in said.splitlines()[-1] for name in names)
    assert all(layer.removesuffix(".neuron") in said for layer in LAYERS)
    assert "nan" not in said


@pytest.mark.parametrize("command", TABLES)
@pytest.mark.parametrize("source", ["run.zarr", "spike-features/results.nc"])
def test_every_source_gives_the_same_numbers(
    folder, written, no_figures, tmp_path, command, source
):
    code, _, err = run_analyze(command, folder / source, "--out", tmp_path)
    assert (code, err) == (0, "")
    for name in TABLES[command]:
        first, again = (pd.read_csv(path / name) for path in (folder / command, tmp_path))
        # The name of a source is its own.
        first, again = (
            t.drop(columns=["network", "networks"], errors="ignore") for t in (first, again)
        )
        pd.testing.assert_frame_equal(first, again, check_exact=True)
    assert (tmp_path / "results.nc").exists() == (source == "run.zarr")


def test_potentials_in_the_table_are_those_of_the_results(folder, written, results):
    table = pd.read_csv(
        folder / "membrane-potential" / "membrane_potential.csv", keep_default_na=False
    )
    assert list(dict.fromkeys(table["layer"])) == LAYERS
    for layer, potentials in results.potentials.items():
        rows = table[table["layer"] == layer]
        for name in (schema.PTD, schema.MEAN, schema.VARIANCE, schema.MINIMUM, schema.MAXIMUM):
            shape = potentials[name].shape
            np.testing.assert_array_equal(
                rows[name].astype(float).to_numpy().reshape(shape), potentials[name].values
            )
    assert set(table["pattern_potential"]) == {"null", "noise", "normal"}
    vectors = table["layer"].isin(["fc1.neuron", "fc2.neuron"])
    assert set(table.loc[vectors, "pattern_spatial"]) == {"null", "undecided"}


def test_patterns_in_the_table_are_those_of_the_results(folder, written, results):
    table = pd.read_csv(folder / "membrane-potential" / "spike_patterns.csv", keep_default_na=False)
    for rule in ("potential", "spatial"):
        shares = pattern_shares(results.patterns(), rule)
        rows = table[table["rule"] == rule].set_index(["layer", "pattern"])
        for layer in LAYERS:
            for pattern in shares["pattern"].values:
                here = shares.sel(layer=layer, pattern=pattern)
                assert rows.loc[(layer, pattern), "spike_share"] == float(here["spike_share"])
                assert rows.loc[(layer, pattern), "n_features"] == int(here["n_features"])
        assert rows.loc["all layers", "spike_share"].sum() == pytest.approx(1)


def test_other_tables_are_those_of_the_results(folder, written, results):
    for path, table in (
        ("ghost-features/ghost_features.csv", ghost_table(results)),
        ("quantization-error/quantization_error.csv", quantization_error_table(results)),
        ("energy/energy.csv", energy_rows(results)),
    ):
        read = pd.read_csv(folder / path).drop(columns="network", errors="ignore")
        pd.testing.assert_frame_equal(read, table.reset_index(drop=True), check_dtype=False)


@pytest.mark.parametrize("command", [*TABLES, "figure"])
def test_a_second_run_does_not_replace_the_first_unasked(folder, data, written, command):
    out = folder / (command if command != "figure" else "energy")
    before = {path: path.stat().st_mtime_ns for path in out.iterdir()}
    number = ["6"] if command == "figure" else []
    arguments = [command, *number, folder / "vanilla.pt", *data, "--out", out]
    code, said, err = run_analyze(*arguments)
    assert (code, said) == (2, "")
    assert err.count("\n") == 1
    assert "holds results already" in err
    assert "--overwrite" in err
    assert {path: path.stat().st_mtime_ns for path in out.iterdir()} == before


def test_overwrite_replaces(folder, data, no_figures, tmp_path):
    (tmp_path / "results.nc").write_bytes(b"old")
    arguments = ["energy", folder / "vanilla.pt", *data, "--out", tmp_path, "--overwrite"]
    assert run_analyze(*arguments, "--quiet") == (0, "", "")
    assert load_results(tmp_path / "results.nc").n_spikes > 0


@pytest.mark.parametrize(
    ("source", "options", "told"),
    [
        ("energy/results.nc", ["--data", "frames:x.npz", "--samples", "3"], "--data, --samples"),
        ("energy/results.nc", ["--quantity", "input"], "--quantity"),
        ("energy/results.nc", ["--range", "0", "1", "--bin-width", "1"], "--bin-width, --range"),
        ("energy/results.nc", ["--seed", "1", "--replicates", "20"], "--replicates, --seed"),
        ("energy/results.nc", ["--split", "train"], "--split"),
        ("energy/results.nc", ["--network-arg", "hidden=3"], "--network-arg"),
        ("run.zarr", ["--data", "frames:x.npz", "--split", "test"], "--data, --split"),
        ("run.zarr", ["--data-arg", "binary=yes"], "--data-arg"),
    ],
)
@pytest.mark.parametrize("command", ["membrane-potential", "energy"])
def test_what_a_source_has_settled_is_refused(
    folder, written, tmp_path, command, source, options, told
):
    code, said, err = run_analyze(command, folder / source, *options, "--out", tmp_path / "out")
    assert (code, said) == (2, "")
    assert f"leave out {told}, or start from the checkpoint" in err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("quantity", "variable"),
    [("input", schema.INPUT_CURRENT), ("post-reset", schema.RESET_POTENTIAL)],
)
def test_other_quantities_from_end_to_end(folder, data, no_figures, tmp_path, quantity, variable):
    from redundancy.recordings import RecordingFile

    code, said, err = run_analyze(
        *("membrane-potential", folder / "vanilla.pt", *data, "--out", tmp_path / "a"),
        *("--quantity", quantity),
    )
    assert (code, err) == (0, "")
    assert f"membrane potentials: {quantity}" in said
    direct = load_results(tmp_path / "a" / "results.nc")
    (nodes,) = RecordingFile(folder / "run.zarr").batches(12, 12)
    for layer, potentials in direct.potentials.items():
        values = nodes[layer][variable].transpose("time", "channel", ...).values
        values = values.reshape(*potentials[schema.MEAN].shape, -1).astype(np.float64)
        np.testing.assert_allclose(potentials[schema.MEAN], values.mean(-1), atol=1e-6)
        np.testing.assert_allclose(potentials[schema.VARIANCE], values.var(-1), atol=1e-6)
    # What fires is told by U alone, so nothing is noise, and nothing is said to be none.
    table = pd.read_csv(tmp_path / "a" / "membrane_potential.csv", keep_default_na=False)
    assert set(table["pattern_potential"]) == {"null", "undecided"}
    assert said.splitlines()[-3].split()[2] == "–"
    code, _, err = run_analyze(
        *("membrane-potential", folder / "run.zarr", "--out", tmp_path / "b"),
        *("--quantity", quantity),
    )
    assert (code, err) == (0, "")
    names = [tmp_path / name / "membrane_potential.csv" for name in "ab"]
    assert names[0].read_text() == names[1].read_text()


def test_a_recording_without_the_quantity_says_how_to_record_it(folder, data, tmp_path):
    record = ["record", folder / "vanilla.pt", *data, "-o", tmp_path / "short.zarr", "--samples", 2]
    assert run_analyze(*record)[0] == 0
    code, _, err = run_analyze(
        "membrane-potential", tmp_path / "short.zarr", "--quantity", "input", "--out", tmp_path
    )
    assert code == 2
    assert "record it again with --quantities spike,membrane_potential,input_current" in err
