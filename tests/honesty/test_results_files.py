"""Results files: one changed bit, part or size gives the same numbers or one sentence."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
import xarray as xr
from spikingjelly.activation_based import layer, neuron
from torch import nn

from redundancy import schema
from redundancy.analysis import analyze
from redundancy.checksums import attribute_checksum, variable_checksum
from redundancy.errors import LimitError, ResultsError, UsageError
from redundancy.limits import VARIABLE
from redundancy.nodes import CONTENTS
from redundancy.observation import AnalysisOptions
from redundancy.results import Results
from redundancy.results_file import load_results
from tests.command_line import run_analyze
from tests.toy import ToyDataset

LAYER, N_SAMPLES, N_TIMESTEPS = "1", 6, 4
Edit = Callable[[h5py.File], object]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of a network of one layer."""
    torch.manual_seed(0)
    network = nn.Sequential(
        layer.Conv2d(2, 3, 3, step_mode="m"),
        neuron.LIFNode(v_threshold=0.3, step_mode="m"),
        layer.Flatten(step_mode="m"),
    )
    path = tmp_path_factory.mktemp("honest") / "results.nc"
    options = AnalysisOptions(n_replicates=5)
    analyze(network, ToyDataset(N_SAMPLES, N_TIMESTEPS, (5, 6)), options=options).save(path)
    return path


def edited(whole: Path, path: Path, edit: Edit, *, older: bool = False) -> Path:
    """Copy a results file with a change; an older one lists its contents without checksums."""
    path.write_bytes(whole.read_bytes())
    with h5py.File(path, "a") as file:
        edit(file)
        if older:
            listed = json.loads(file.attrs[CONTENTS])
            file.attrs[CONTENTS] = json.dumps({node: list(names) for node, names in listed.items()})
    return path


def refusal(path: Path) -> str:
    with pytest.raises(ResultsError) as error:
        load_results(path)
    assert "\n" not in str(error.value)
    return str(error.value)


def same(one: Results, other: Results) -> bool:
    return bool(one.tree.identical(other.tree))


def put(name: str, value: object, place: object = ...) -> Edit:
    def edit(file: h5py.File) -> None:
        file[name][place] = value

    return edit


def put_attribute(node: str, name: str, value: object) -> Edit:
    return lambda file: file[node].attrs.__setitem__(name, value)


def swap(one: str, other: str) -> Edit:
    def edit(file: h5py.File) -> None:
        for old, new in ((one, "swapped"), (other, one), ("swapped", other)):
            file.move(old, new)

    return edit


def as_type(name: str, dtype: str) -> Edit:
    """Write a variable anew in another data type."""

    def edit(file: h5py.File) -> None:
        old = file[name]
        file.create_dataset("new", data=old[...].astype(dtype))
        for key, value in old.attrs.items():
            if key != "_Netcdf4Coordinates":
                file["new"].attrs[key] = value
        for place, dimension in enumerate(old.dims):
            file["new"].dims[place].attach_scale(dimension[0])
        del file[name]
        file.move("new", name)

    return edit


def cut_to_one_timestep(file: h5py.File) -> None:
    """Cut an axis everywhere, as a copy with another tool would."""
    for group in (file[LAYER], file[schema.INPUT_NODE]):
        for dim in (schema.TIME, schema.OTHER_TIME):
            for name in list(group):
                old = group[name]
                dims = [d[0].name.rpartition("/")[2] if len(d) else "" for d in old.dims]
                if dim not in dims or name == dim:
                    continue
                part = tuple(slice(0, 3) if d == dim else slice(None) for d in dims)
                values, attributes = old[part], dict(old.attrs)
                del group[name]
                new = group.create_dataset(name, data=values)
                new.attrs.update({k: v for k, v in attributes.items() if k[0].islower()})
                for place, other in enumerate(dims):
                    if other != dim:
                        new.dims[place].attach_scale(group[other])
                    else:
                        new.attrs[f"cut {place}"] = dim
            if dim in group:
                del group[dim]
                scale = group.create_dataset(dim, data=np.zeros(3, ">f4"))
                scale.make_scale("This is a netCDF dimension but not a netCDF variable.         3")
                for name in list(group):
                    for place in range(group[name].ndim):
                        if group[name].attrs.get(f"cut {place}") == dim:
                            group[name].dims[place].attach_scale(scale)
                            del group[name].attrs[f"cut {place}"]


# What is seen by the checksums, and, in files without, by the rules: the start of the phrase.
RULES: dict[str, tuple[Edit, str]] = {
    "a flipped bit of the correct samples": (
        put("n_correct", (1 << 17) + 2),
        "a count of n_correct is 131074, of 6 samples",
    ),
    "more correct than labelled": (
        lambda file: (put("n_correct", 5)(file), put("n_labelled", 4)(file)),
        "n_correct is greater than n_labelled",
    ),
    "fewer than none": (put("n_correct", -1), "a count of n_correct is -1"),
    "more spikes than samples": (
        put(f"{LAYER}/spike_count", 7, (0, 0, 0, 0)),
        "a count of spike_count of 1 is 7",
    ),
    "a spike that no potential reached": (
        lambda file: put(
            f"{LAYER}/spike_count", 6 - file[f"{LAYER}/spike_count"][0, 0, 0, 0], (0, 0, 0, 0)
        )(file),
        "the counts of histogram right of the threshold are not the spikes of 1",
    ),
    "another number of samples": (
        put_attribute("/", "n_samples", 7),
        "samples is 0:6 for 7 samples",
    ),
    "another number of samples, and which": (
        lambda file: file.attrs.update(n_samples=7, samples="0:7"),
        "n_samples of input_frames is 6, expected 7",
    ),
    "no samples": (put_attribute("/", "n_samples", 0), "n_samples is 0"),
    "another number of timesteps": (
        put_attribute("/", "n_timesteps", 3),
        "the axis time of input_frames is 4 long, expected 3",
    ),
    "a timestep cut off": (
        cut_to_one_timestep,
        "the axis time of input_frames is 3 long, expected 4",
    ),
    "a potential more": (
        lambda file: put(f"{LAYER}/histogram", file[f"{LAYER}/histogram"][0, 0, 0] + 1, (0, 0, 0))(
            file
        ),
        "histogram does not add up to its",
    ),
    "values of other neurons": (
        put(f"{LAYER}/n_values", 5, (0, 0)),
        "n_values does not add up to its",
    ),
    "errors of other neurons": (
        put(f"{LAYER}/n_errors", 5, (0, 0)),
        "n_errors does not add up to its",
    ),
    "a joint spike": (
        put(f"{LAYER}/spike_gram", 99, (0, 0, 0)),
        "spike_gram does not add up to the spikes",
    ),
    "a sum that is none": (
        put(f"{LAYER}/deviation_sum", np.nan, (0, 0)),
        "deviation_sum of 1 is not finite",
    ),
    "a least above the greatest": (
        put(f"{LAYER}/minimum", 1e9, (0, 0)),
        "minimum of 1 is greater than maximum",
    ),
    "more inputs than there are": (
        put(f"{schema.SYNAPSE_NODE}/input_nonzero", 1 << 60, 0),
        "input_nonzero of synaptic_layers is greater than input_elements",
    ),
    "more events than inputs": (
        put(f"{schema.INPUT_NODE}/nonzero_count", 1 << 40),
        "nonzero_count of input_frames is above its",
    ),
    "another number of bins": (
        put_attribute(LAYER, "n_bins_above", 1),
        "the axis bin of 1 is",
    ),
    "spikes as numbers of another type, and too many": (
        lambda file: (as_type("n_correct", "f8")(file), put("n_correct", 7.0)(file)),
        "a count of n_correct is 7.0",
    ),
}


@pytest.mark.parametrize("what", RULES)
def test_what_cannot_be_is_refused_with_and_without_checksums(
    whole: Path, tmp_path: Path, what: str
) -> None:
    edit, told = RULES[what]
    assert "is damaged: " in refusal(edited(whole, tmp_path / "new.nc", edit))
    assert f"is damaged: {told}" in refusal(edited(whole, tmp_path / "old.nc", edit, older=True))


# What could be, but is not what was saved.
CHANGED: dict[str, tuple[Edit, str]] = {
    "a threshold": (put_attribute(LAYER, "v_threshold", 0.4), "v_threshold of 1"),
    "a network": (put_attribute("/", "network", "other"), "network"),
    "a unit": (put_attribute(f"{LAYER}/deviation_sum", "units", "V"), "deviation_sum of 1"),
    "how it merges": (put_attribute(f"{LAYER}/minimum", "merge", "max"), "minimum of 1"),
    "a scale": (put_attribute(f"{LAYER}/spike_count", "scale_factor", 1.0), "spike_count of 1"),
    "a value for what is missing": (
        put_attribute(f"{LAYER}/spike_count", "missing_value", 0),
        "spike_count of 1",
    ),
    "a label": (put(f"{schema.SYNAPSE_NODE}/role", "attention", 0), "role of synaptic_layers"),
    "swapped variables": (
        swap(f"{LAYER}/squared_error_sum", f"{LAYER}/squared_error_scaled_sum"),
        "squared_error_s",
    ),
    "an energy": (
        put(f"{schema.SYNAPSE_NODE}/effective_operations", 1, 0),
        "effective_operations of synaptic_layers",
    ),
    "a narrower type": (as_type(f"{LAYER}/spike_count", "i4"), "spike_count of 1"),
    "floats for counts": (as_type("n_correct", "f8"), "n_correct"),
    "one variable more": (
        lambda file: file.copy(f"{LAYER}/minimum", f"{LAYER}/minimum2"),
        "minimum2 of 1",
    ),
    "one attribute more": (put_attribute(LAYER, "v_peak", 1.0), "v_peak of 1"),
    "one layer more": (lambda file: file.copy(LAYER, "2"), "2 is not what was saved"),
}


@pytest.mark.parametrize("what", CHANGED)
def test_what_was_changed_is_named(whole: Path, tmp_path: Path, what: str) -> None:
    edit, name = CHANGED[what]
    told = refusal(edited(whole, tmp_path / "x.nc", edit))
    assert f"{tmp_path}/x.nc is damaged: " in told
    assert name in told
    assert told.endswith("is not what was saved; analyse the checkpoint again")


def external_link(file: h5py.File) -> None:
    del file["n_correct"]
    file["n_correct"] = h5py.ExternalLink("other.nc", "/n_correct")


def soft_link(file: h5py.File) -> None:
    del file["n_correct"]
    file["n_correct"] = h5py.SoftLink("/n_labelled")


def hard_link(file: h5py.File) -> None:
    del file["n_correct"]
    file["n_correct"] = file["n_labelled"]


def virtual(file: h5py.File) -> None:
    shape = file[f"{LAYER}/minimum"].shape
    layout = h5py.VirtualLayout(shape=shape, dtype="f8")
    layout[...] = h5py.VirtualSource("other.nc", "minimum", shape=shape)
    file.create_virtual_dataset("minimum", layout)


def stored_elsewhere(file: h5py.File) -> None:
    file.create_dataset("x", (8,), "u1", external=[("/etc/hostname", 0, 8)])


LINKS: dict[str, tuple[Edit, str]] = {
    "an external link": (external_link, "n_correct is a link to another place"),
    "a soft link": (soft_link, "n_correct is a link to another place"),
    "two names of one variable": (hard_link, "is there under two names"),
    "a group in itself": (
        lambda file: file[LAYER].__setitem__("again", file[LAYER]),
        "1/again is there under two names",
    ),
    "a virtual array": (virtual, "the values of minimum lie in another file"),
    "external storage": (stored_elsewhere, "the values of x lie in another file"),
    "a named type": (
        lambda file: file.__setitem__("type", np.dtype("f8")),
        "type is neither a group nor an array",
    ),
}


@pytest.mark.parametrize("what", LINKS)
def test_nothing_lies_elsewhere(whole: Path, tmp_path: Path, what: str) -> None:
    edit, told = LINKS[what]
    assert told in refusal(edited(whole, tmp_path / "x.nc", edit))


def zeros(shape: tuple[int, ...]) -> Edit:
    """Add an array that is large in memory and nothing on the disk."""
    return lambda file: file.create_dataset("x", shape, "f8", chunks=(1,), compression="gzip")


BOMBS = {
    "an array": zeros((1 << 40,)),
    "a chunk": lambda file: file.create_dataset(
        "x", (1,), "f8", chunks=((1 << 28),), maxshape=(None,)
    ),
    "many arrays": lambda file: [
        file.create_dataset(f"x{k}", (1 << 24,), "f8", chunks=(1,)) for k in range(9)
    ],
}


@pytest.mark.parametrize("what", BOMBS)
def test_more_than_memory_is_refused_before_it_is_taken(
    whole: Path, tmp_path: Path, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "1")
    path = edited(whole, tmp_path / "x.nc", BOMBS[what])
    assert path.stat().st_size < 1 << 20
    with pytest.raises(LimitError, match=r"x.nc claims .* GiB of memory, more than the 1 GiB"):
        load_results(path)


def test_what_is_no_file_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "results.nc").symlink_to("/dev/zero")
    with pytest.raises(UsageError, match="is a device, expected a file"):
        load_results(tmp_path / "results.nc")
    with pytest.raises(UsageError, match="is a folder, expected a file"):
        load_results(tmp_path)


def test_older_files_open_with_a_note_that_the_command_shows_once(
    whole: Path, tmp_path: Path
) -> None:
    path = edited(whole, tmp_path / "old.nc", lambda file: None, older=True)
    with pytest.warns(UserWarning, match="old.nc was saved by a version .* wrote no checksums"):
        results = load_results(path)
    assert same(results, load_results(whole))
    code, _, err = run_analyze("energy", path, "--out", tmp_path / "out")
    assert code == 0
    assert err.count("wrote no checksums") == 1
    # And saved again they have them.
    results.save(tmp_path / "again.nc")
    assert (tmp_path / "again.nc").read_bytes() == whole.read_bytes()


def test_the_command_says_it_in_one_sentence(whole: Path, tmp_path: Path) -> None:
    path = edited(whole, tmp_path / "x.nc", put("n_correct", 131074))
    code, out, err = run_analyze("spike-features", path, "--out", tmp_path / "out")
    assert (code, out) == (1, "")
    assert err.count("\n") == 1
    assert "n_correct is not what was saved" in err


DAMAGE = """
import random, sys, warnings
from pathlib import Path
from redundancy.errors import RedundancyError
from redundancy.results_file import load_results
warnings.simplefilter("ignore")
whole, path, seed = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
content, before, generator = whole.read_bytes(), load_results(whole).tree, random.Random(seed)
counts = [0, 0]
for _ in range(int(sys.argv[4])):
    changed = bytearray(content)
    for _ in range(generator.choice([1, 1, 2, 20])):
        changed[generator.randrange(len(changed))] ^= 1 << generator.randrange(8)
    if not generator.randrange(5):
        del changed[generator.randrange(len(changed)):]
    path.write_bytes(changed)
    try:
        after = load_results(path).tree
    except RedundancyError as error:
        assert "\\n" not in str(error), error
        counts[0] += 1
    else:
        assert after.identical(before)
        counts[1] += 1
print(*counts)
"""


def test_random_damage_gives_the_same_numbers_or_a_sentence(whole: Path, tmp_path: Path) -> None:
    # In a process of its own: HDF5 is a library in C.
    done = subprocess.run(
        [sys.executable, "-c", DAMAGE, str(whole), str(tmp_path / "x.nc"), "0", "30"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    refused, unchanged = map(int, done.stdout.split())
    assert refused + unchanged == 30
    assert refused > 8


def test_no_member_may_be_missing(whole: Path, tmp_path: Path) -> None:
    with h5py.File(whole) as file:
        names = [name for name in file[LAYER] if "merge" in file[LAYER][name].attrs]
    generator = random.Random(0)
    for name in generator.sample(names, 5):
        path = edited(whole, tmp_path / "x.nc", lambda file, n=name: file[LAYER].__delitem__(n))
        assert f"missing: {name} of 1" in refusal(path)
    assert "missing: 1" in refusal(
        edited(whole, tmp_path / "x.nc", lambda file: file.__delitem__(LAYER))
    )


@pytest.mark.parametrize(
    "change",
    [
        lambda v: v + 1,
        lambda v: v.astype("f4"),
        lambda v: v.rename(x="y") if hasattr(v, "rename") else xr.Variable(("y",), v, v.attrs),
        lambda v: v[:1],
        lambda v: xr.Variable(v.dims, v.values, {"units": "2"}),
        lambda v: xr.Variable(v.dims, v.values, {"unit": "1"}),
        lambda v: xr.Variable(("x", "y"), v.values[:, None], v.attrs),
        lambda v: xr.Variable(v.dims, np.array([0.0, -0.0]), v.attrs),
        lambda v: xr.Variable(v.dims, np.array(["0.0", "0.0"]), v.attrs),
    ],
)
def test_a_checksum_is_of_all_that_a_variable_is(change: Callable[[xr.Variable], object]) -> None:
    variable = xr.Variable(("x",), np.zeros(2), {"units": "1"})
    changed = change(variable)
    assert isinstance(changed, xr.Variable)
    assert variable_checksum(changed) != variable_checksum(variable)
    assert variable_checksum(variable, is_coordinate=True) != variable_checksum(variable)
    assert variable_checksum(variable.copy()) == variable_checksum(variable)


def test_a_checksum_is_of_what_a_file_gives_back() -> None:
    assert attribute_checksum(5) == attribute_checksum(np.array([5]))
    assert attribute_checksum("a") == attribute_checksum(np.array(["a"], object))
    assert attribute_checksum(5) != attribute_checksum(5.0) != attribute_checksum("5.0")
    quiet, other = np.uint64([0x7FF8000000000000, 0xFFF8000000000001]).view(np.float64)
    checksums = {variable_checksum(xr.Variable((), value)) for value in (quiet, other)}
    assert len(checksums) == 1
