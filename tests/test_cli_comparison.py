"""Networks side by side on the command line: compare, and figures of two networks."""

import signal
import time

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from redundancy import schema
from redundancy.comparison import compare
from redundancy.results import Results
from redundancy.results_file import load_results
from tests.command_line import (
    remember_results,
    run_analyze,
    save_frames,
    save_network,
    sketch_figures,
    start_analyze,
)
from tests.toy import ToyDataset

NAMES = ("vanilla", "asa")
TABLES = {"headline", "layers", "channels", "energies"}
PAPER = {"table_1_firing_rate", "table_3_energy", "table_4_quantization_error"}
SIZE = (16, 16)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with frames, a vanilla and an ASA checkpoint."""
    folder = tmp_path_factory.mktemp("comparison")
    save_frames(folder / "toy.npz", ToyDataset(12, size=SIZE))
    save_frames(folder / "long.npz", ToyDataset(12, n_timesteps=7, size=SIZE))
    save_network(folder / "vanilla.pt", size=SIZE)
    save_network(folder / "asa.pt", seed=1, attention="asa-1", size=SIZE)
    return folder


@pytest.fixture(scope="module")
def data(folder):
    return ["--data", f"frames:{folder / 'toy.npz'}"]


@pytest.fixture(scope="module")
def compared(folder, data):
    """What compare said, and wrote to ``folder/compared``."""
    code, said, err = run_analyze(
        *("compare", *(folder / f"{name}.pt" for name in NAMES), *data),
        *("--out", folder / "compared"),
    )
    assert (code, err) == (0, "")
    return said


@pytest.fixture(scope="module")
def files(folder, compared):
    """The results files that compare wrote."""
    return [folder / "compared" / f"{name}.nc" for name in NAMES]


@pytest.fixture(scope="module", autouse=True)
def remembered():
    with pytest.MonkeyPatch.context() as patch:
        remember_results(patch)
        sketch_figures(patch)
        yield


@pytest.fixture
def drawn(monkeypatch):
    """Collect what is written on figures, by the figures' names, instead of saving them."""
    texts = {}

    def collect(figure, path, formats):
        found = [
            text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text"))
        ]
        texts[path.name] = " ".join(found)
        return []

    monkeypatch.setattr("redundancy.plots.save_figure", collect)
    return texts


def read(folder):
    """Return the comparison's tables as they were written, by name."""
    return {
        name: pd.read_csv(folder / f"compare_{name}.csv", keep_default_na=False, na_values=[""])
        for name in TABLES
    }


def test_compare_writes_everything(folder, compared):
    tables = {f"compare_{name}.csv" for name in TABLES}
    tables |= {f"{name}.{suffix}" for name in PAPER for suffix in ("csv", "md", "tex")}
    figures = {"ptd_scatter", "figure_6_spike_patterns", "quantization_error", "energy"}
    written = {path.name for path in (folder / "compared").iterdir()}
    assert written == tables | {f"{n}.png" for n in figures} | {f"{n}.nc" for n in NAMES}
    assert all(name in compared for name in written)
    assert "95 % interval" in compared
    assert "nan" not in compared
    for name in PAPER:
        assert r"\toprule" in (folder / "compared" / f"{name}.tex").read_text()
        rows = pd.read_csv(folder / "compared" / f"{name}.csv")
        assert list(rows["attention"]) == ["none", "asa-1"]


def test_its_tables_are_those_of_the_package(folder, files):
    networks = {name: load_results(file) for name, file in zip(NAMES, files, strict=True)}
    for name, table in compare(networks).tables.items():
        text = (folder / "compared" / f"compare_{name}.csv").read_text()
        assert text == table.to_csv(index=False)
    rates = [float(results.network_firing_rate[schema.NASFR]) for results in networks.values()]
    table = pd.read_csv(folder / "compared" / "table_1_firing_rate.csv")
    np.testing.assert_allclose(table["nasfr"], rates)
    assert table["nasfr_change_percent"][1] == pytest.approx(100 * (rates[1] / rates[0] - 1))


def test_every_kind_of_source_gives_the_same_numbers(folder, data, files, drawn, tmp_path):
    run = tmp_path / "asa.zarr"
    assert run_analyze("record", folder / "asa.pt", *data, "-o", run, "--quiet")[0] == 0
    cases = [([files[0], run], []), ([folder / "vanilla.pt", files[1]], [*data, "--samples", 12])]
    for number, (sources, options) in enumerate(cases):
        out = tmp_path / str(number)
        code, _, err = run_analyze("compare", *sources, *options, "--out", out)
        assert (code, err) == (0, "")
        for name, table in read(folder / "compared").items():
            pd.testing.assert_frame_equal(read(out)[name], table, check_exact=True)
        kept = {name for name, source in zip(NAMES, sources, strict=True) if source not in files}
        assert {path.stem for path in out.glob("*.nc")} == kept


def test_a_second_comparison_does_not_replace_the_first_unasked(folder, data, compared):
    before = {path: path.stat().st_mtime_ns for path in (folder / "compared").iterdir()}
    for first in ("vanilla", "asa"):
        code, _, err = run_analyze(
            *("compare", folder / f"{first}.pt", folder / "toy.npz", *data),
            *("--out", folder / "compared"),
        )
        assert code == 2
        assert f"holds results of {first} already; name those files instead" in err
    assert {path: path.stat().st_mtime_ns for path in (folder / "compared").iterdir()} == before


def test_a_source_is_read_before_it_is_replaced(folder, data, files, drawn, tmp_path):
    (tmp_path / "vanilla.nc").write_bytes(files[1].read_bytes())
    code, _, err = run_analyze(
        *("compare", folder / "vanilla.pt", tmp_path / "vanilla.nc", *data),
        *("--out", tmp_path, "--overwrite"),
    )
    assert (code, err) == (0, "")
    headline = read(tmp_path)["headline"].set_index(["network", "quantity"])["value"]
    ours = read(folder / "compared")["headline"].set_index(["network", "quantity"])["value"]
    assert headline["vanilla", "nasfr"] == ours["vanilla", "nasfr"]
    assert headline["vanilla-2", "nasfr"] == ours["asa", "nasfr"]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--samples", 7], "number of samples 12 and 7"),
        (["--data", "frames:{folder}/long.npz"], "number of timesteps 5 and 7"),
        (["--quantity", "input"], "option quantity pre-fire and input"),
    ],
)
def test_other_data_are_compared_only_by_force(folder, data, files, drawn, tmp_path, options, told):
    options = [str(option).format(folder=folder) for option in options]
    if "--data" not in options:
        options += data
    other = tmp_path / "other" / "results.nc"
    assert run_analyze("energy", folder / "vanilla.pt", *options, "--out", other.parent)[0] == 0
    arguments = ["compare", files[0], other, "--out", tmp_path / "out"]
    code, said, err = run_analyze(*arguments)
    assert (code, said) == (2, "")
    assert told in err
    assert err.strip().endswith("compare them all the same with --force")
    assert not (tmp_path / "out").exists()
    code, said, err = run_analyze(*arguments, "--force")
    assert (code, err) == (0, "")
    assert told in " ".join(said.split())
    # Replicates drew other samples, so there is nothing to pair.
    assert read(tmp_path / "out")["headline"]["change_low"].isna().all()


def test_options_for_a_checkpoint_must_be_those_of_the_results_beside_it(
    folder, data, files, tmp_path
):
    for options, told in ((["--samples", 7], "--samples"), (["--range", 0, 1], "--range")):
        code, said, err = run_analyze(
            "compare", files[0], folder / "asa.pt", *data, *options, "--out", tmp_path / "out"
        )
        assert (code, said) == (2, "")
        assert f"vanilla.nc was analysed with another {told}; ask for the same" in err
        assert not (tmp_path / "out").exists()


def test_names_are_never_twice_the_same(folder, files, drawn, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "results.nc").write_bytes(files[0].read_bytes())
    sources = ["first/results.nc", "second/results.nc", files[0], files[0]]
    code, said, err = run_analyze("energy", *sources)
    assert (code, err) == (0, "")
    table = pd.read_csv(tmp_path / "figures" / "first-and-3-others" / "energy.csv")
    assert list(dict.fromkeys(table["network"])) == ["first", "second", "vanilla", "vanilla-2"]
    assert "eq. 11, vanilla-2 against first: MACs added 0" in said
    monkeypatch.chdir(tmp_path / "first")
    assert run_analyze("compare", "results.nc", "../second/results.nc")[0] == 0
    headline = read(tmp_path / "first" / "figures" / "first-and-second")["headline"]
    assert (headline[headline["network"] == "second"]["change"] == 0).all()


@pytest.mark.parametrize("number", ["1", "6"])
def test_figures_1_and_6_show_one_network_or_two(files, drawn, tmp_path, number):
    assert run_analyze("figure", number, files[0], "--out", tmp_path)[0] == 0
    alone = drawn.pop(f"figure_{number}")
    assert "vanilla" in alone
    assert "(b)  asa" not in alone
    code, said, err = run_analyze("figure", number, *files, "--out", tmp_path)
    assert (code, err) == (0, "")
    both = drawn.pop(f"figure_{number}")
    assert all(name in both for name in NAMES)
    assert both.count("PTD") == 2 * alone.count("PTD")
    assert both.count("noise") > alone.count("noise")
    assert f"figure {number} of vanilla, asa" in said


def test_figures_2_and_5_are_drawn_for_each_network(files, drawn, tmp_path):
    for number in ("2", "5"):
        arguments = ["figure", number, *files, "--layer", "conv2.neuron", "--out", tmp_path]
        assert run_analyze(*arguments)[0] == 0
        assert [drawn.pop(f"figure_{number}_{name}").count("conv2.neuron") for name in NAMES] > [
            0,
            0,
        ]
    assert not drawn


def test_a_layer_that_one_network_lacks(files, drawn, tmp_path):
    tree = load_results(files[1]).tree
    nodes = {
        node.path.replace("conv3.neuron", "last.neuron"): node.dataset for node in tree.subtree
    }
    Results(xr.DataTree.from_dict(nodes)).save(tmp_path / "renamed.nc")
    for number in ("1", "6"):
        code, said, err = run_analyze(
            "figure", number, files[0], tmp_path / "renamed.nc", "--out", tmp_path
        )
        assert (code, said) == (2, "")
        assert "renamed has no layer 'conv3.neuron' as vanilla has; name one" in err
    code, said, _ = run_analyze("compare", files[0], tmp_path / "renamed.nc", "--out", tmp_path)
    assert code == 0
    assert "Layer last.neuron of renamed is taken to be conv3.neuron" in " ".join(said.split())
    assert "figure_6_spike_patterns" not in drawn


def test_ctrl_c_half_way_leaves_nothing_half_written(folder, tmp_path):
    data = save_frames(tmp_path / "many.npz", ToyDataset(150, size=SIZE))
    out = tmp_path / "out"
    arguments = [
        *("compare", folder / "vanilla.pt", folder / "asa.pt", *data, "--out", out),
        *("--batch-size", 2, "--device", "cpu"),
    ]
    running = start_analyze(*arguments)
    deadline = time.monotonic() + 90
    while not (out / "vanilla.nc").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    running.send_signal(signal.SIGINT)
    said, err = running.communicate(timeout=60)
    assert (running.returncode, said) == (130, "")
    assert "error: interrupted" in err
    assert "Traceback" not in err
    # What was finished is whole, and can be gone on from.
    assert [path.name for path in out.iterdir()] == ["vanilla.nc"]
    assert load_results(out / "vanilla.nc").attributes[schema.N_SAMPLES] == 150
