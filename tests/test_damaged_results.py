"""Results files that are old, new, foreign, damaged or not whole."""

import h5py
import pytest
import xarray as xr

from redundancy import schema
from redundancy.errors import ResultsError
from redundancy.results_file import load_results
from tests.command_line import run_analyze, save_frames, save_network
from tests.toy import ToyDataset

NODES = ("/", "conv1.neuron", "fc2.neuron", schema.INPUT_NODE, schema.SYNAPSE_NODE)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A results file as it should be."""
    folder = tmp_path_factory.mktemp("damaged")
    data = save_frames(folder / "toy.npz", ToyDataset(4))
    path = save_network(folder / "net.pt")
    assert run_analyze("energy", path, *data, "--replicates", 10, "--out", folder)[0] == 0
    return folder / "results.nc"


def write_version(version):
    def write(path, content):
        path.write_bytes(content)
        with h5py.File(path, "a") as file:
            file.attrs[schema.VERSION] = version

    return write


def write_without(node, name):
    def write(path, content):
        path.write_bytes(content)
        with h5py.File(path, "a") as file:
            del file[node][name]

    return write


def write_foreign(path, content):
    path.unlink(missing_ok=True)
    xr.Dataset({"temperature": ("day", [1.0, 2.0])}).to_netcdf(path, engine="h5netcdf")


DAMAGED = {
    "an older version": (write_version(1), "written by an older version of redundancy (schema 1"),
    "a newer version": (write_version(99), "written by a newer version of redundancy (schema 99"),
    "a version in words": (write_version("two"), "written by an older version"),
    "cut short": (lambda path, content: path.write_bytes(content[: len(content) // 2]), "damaged"),
    "empty": (lambda path, content: path.write_bytes(b""), "damaged or not netCDF-4"),
    "text": (lambda path, content: path.write_text("hello"), "damaged or not netCDF-4"),
    "of something else": (write_foreign, "is not a results file of this project"),
    "without a variable": (
        write_without("conv2.neuron", schema.HISTOGRAM),
        "is not a complete results file (missing: histogram of conv2.neuron)",
    ),
    "without its synaptic layers": (
        write_without("/", schema.SYNAPSE_NODE),
        "is not a complete results file (missing: synaptic_layers)",
    ),
    "without a layer": (write_without("/", "conv3.neuron"), "(missing: conv3.neuron)"),
}


@pytest.mark.parametrize("what", DAMAGED)
def test_every_command_refuses_it_in_one_sentence(whole, tmp_path, what):
    write, told = DAMAGED[what]
    write(tmp_path / "bad.nc", whole.read_bytes())
    commands = [["membrane-potential"], ["energy"], ["figure", "6"], ["info"], ["compare", whole]]
    for command in commands if what == "an older version" else commands[:1]:
        out = [] if command == ["info"] else ["--out", tmp_path / "out"]
        code, said, err = run_analyze(*command, tmp_path / "bad.nc", *out)
        assert (code, said) == (1, "")
        assert err.count("\n") == 1
        assert told in err
        assert "analyse the checkpoint again" in err or what == "of something else"
        assert [path.name for path in tmp_path.iterdir()] == ["bad.nc"]


def parts(path):
    """Yield (node, kind, name) for a part of every kind of each kind of node."""
    with h5py.File(path) as file:
        for node in NODES:
            group = file[node]
            names = [name for name in group if isinstance(group[name], h5py.Dataset)]
            yield from ((node, "variable", name) for name in names)
            yield from ((node, "attribute", name) for name in group.attrs if name[0] != "_")


def test_no_part_may_be_missing(whole, tmp_path):
    content, path = whole.read_bytes(), tmp_path / "x.nc"
    found = list(parts(whole))
    assert {(node, kind) for node, kind, _ in found} >= {(node, "variable") for node in NODES}
    # Every 17th, of nodes of all kinds: what is checked is one list for all.
    for node, kind, name in found[::17]:
        path.write_bytes(content)
        with h5py.File(path, "a") as file:
            del (file[node] if kind == "variable" else file[node].attrs)[name]
        with pytest.raises(ResultsError) as error:
            load_results(path)
        # A dimension is missed by the reader itself, in its own words.
        assert name in str(error.value) or "cannot be read" in str(error.value), (node, name)


def test_a_whole_file_loads_and_saves_again_unchanged(whole, tmp_path):
    results = load_results(whole)
    results.save(tmp_path / "again.nc")
    again = load_results(tmp_path / "again.nc")
    xr.testing.assert_identical(again.tree, results.tree)
    assert again.attributes == results.attributes
    assert "contents" not in results.attributes
