"""Parts of a dataset, analysed apart and merged, are the single analysis to the bit."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from redundancy import schema
from redundancy.errors import ResultsError, UsageError
from redundancy.results import Results
from redundancy.results_file import load_results
from redundancy.sharding.estimate import estimate
from redundancy.sharding.gathering import Gathered, Piece
from redundancy.sharding.merging import merge_results, samples_of, samples_text
from redundancy.sharding.plan import SHARD_BATCHES, Part, Plan, Shard
from redundancy.sharding.runners import Pilot
from tests.command_line import run_analyze, save_frames, save_network
from tests.toy import ToyDataset


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder with results of a whole dataset and of its three parts."""
    folder = tmp_path_factory.mktemp("merging")
    save_network(folder / "net.pt")
    save_network(folder / "other.pt", seed=1)
    save_frames(folder / "toy.npz", ToyDataset(31))
    for name, options in {
        "whole": [],
        "1": ["--part", "1/3"],
        "2": ["--part", "2/3"],
        "3": ["--part", "3/3"],
        "coarse": ["--part", "3/3", "--batch-size", "5"],
        "seed": ["--part", "3/3", "--seed", "1"],
    }.items():
        assert analyse(folder, name, *options) == (0, "")
    assert analyse(folder, "other", "--part", "3/3", network="other.pt") == (0, "")
    return folder


def analyse(folder, name, *options, network="net.pt"):
    code, _, err = run_analyze(
        *("energy", folder / network, "--data", f"frames:{folder / 'toy.npz'}", "--quiet"),
        *("--out", folder / name, "--batch-size", "4", *options),
    )
    return code, err


def files(folder, *names):
    return [folder / name / "results.nc" for name in names]


@pytest.mark.parametrize("order", ["123", "312", "231"])
def test_parts_make_the_whole_to_the_bit(folder, tmp_path, order):
    code, said, err = run_analyze("merge", *files(folder, *order), "-o", tmp_path / "a.nc")
    assert (code, err) == (0, "")
    assert said == f"31 samples of 3 parts written to {tmp_path / 'a.nc'}\n"
    assert (tmp_path / "a.nc").read_bytes() == files(folder, "whole")[0].read_bytes()


def test_merging_in_steps_changes_nothing(folder):
    one, two, three, whole = (load_results(f) for f in files(folder, "1", "2", "3", "whole"))
    assert one.tree.attrs[schema.SAMPLES] == "0:8"
    merged = merge_results({"a": two, "b": merge_results({"c": three, "d": one})})
    xr.testing.assert_identical(merged.tree, whole.tree)


def test_missing_parts_are_told(folder, tmp_path):
    code, _, err = run_analyze("merge", *files(folder, "3", "1"), "-o", tmp_path / "a.nc")
    assert code == 0
    assert err == ("note: parts are missing; the results hold samples 0 to 7, 20 to 30 only\n")
    assert load_results(tmp_path / "a.nc").attributes[schema.SAMPLES] == "0:8,20:31"


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["1", "whole"], "both hold samples 0 to 7"),
        (["1", "coarse"], "batch size 4 and 5"),
        (["1", "seed"], "options seed 0 and 1"),
        (["1", "other"], "checkpoint "),
        (["1", "1"], "is named twice"),
        (["1"], "at least two results files"),
    ],
)
def test_what_does_not_belong_together_is_refused(folder, tmp_path, names, expected):
    code, said, err = run_analyze("merge", *files(folder, *names), "-o", tmp_path / "a.nc")
    assert (code, said) == (2, "")
    assert err.count("\n") == 1
    assert expected in err
    assert list(tmp_path.iterdir()) == []


def edited(results, **attributes):
    tree = results.tree.copy()
    tree.attrs.update(attributes)
    return Results(tree)


def test_other_bins_devices_and_unknown_samples(folder):
    one, two = (load_results(f) for f in files(folder, "1", "2"))
    tree = two.tree.copy()
    tree["conv1.neuron"].attrs[schema.BIN_WIDTH] *= 2
    with pytest.raises(UsageError, match=r"bin_width of conv1\.neuron"):
        merge_results({"a": one, "b": Results(tree)})
    with pytest.warns(UserWarning, match=r"differ in device \(cpu and cuda:0\)"):
        merge_results({"a": one, "b": edited(two, **{schema.DEVICE: "cuda:0"})})
    with pytest.raises(ResultsError, match="do not say which samples"):
        merge_results({"a": one, "b": edited(two, **{schema.SAMPLES: "some"})})
    nameless = {schema.CHECKPOINT_SHA256: ""}
    with pytest.raises(UsageError, match="does not say which checkpoint"):
        merge_results({"a": edited(one, **nameless), "b": edited(two, **nameless)})


def test_files_are_not_lost(folder, tmp_path):
    (tmp_path / "a.nc").write_text("precious")
    for out, expected in ((tmp_path / "a.nc", "--overwrite"), (tmp_path / "a.csv", "*.nc")):
        code, _, err = run_analyze("merge", *files(folder, "1", "2"), "-o", out)
        assert code == 2
        assert expected in err
    assert (tmp_path / "a.nc").read_text() == "precious"


def test_other_samples_are_not_compared(folder):
    code, _, err = run_analyze("compare", *files(folder, "1", "2"), "--out", folder / "compared")
    assert code == 2
    assert "n_samples" in err or "samples" in err


@given(n_samples=st.integers(1, 500), batch_size=st.integers(1, 40), count=st.integers(1, 9))
def test_parts_are_whole_batches_and_everything_once(n_samples, batch_size, count):
    class Dataset:
        frame_shape = (4, 2, 8, 8)

        def __len__(self):
            return n_samples

    n_batches = -(-n_samples // batch_size)
    if count > n_batches:
        with pytest.raises(UsageError, match="fewer parts"):
            Plan.of(Dataset(), batch_size, part=Part(1, count))
        return
    plans = [Plan.of(Dataset(), batch_size, part=Part(i + 1, count)) for i in range(count)]
    shards = [shard for plan in plans for shard in plan.missing([])]
    covered = [sample for shard in shards for sample in range(shard.start, shard.stop)]
    assert covered == list(range(n_samples))
    assert all(shard.start % batch_size == 0 for shard in shards)
    assert max(map(len, shards)) <= SHARD_BATCHES * batch_size
    sizes = [len(plan.batches(plan.samples)) for plan in plans]
    assert max(sizes) - min(sizes) <= 1
    for plan in plans:
        done = plan.missing([])[::2]
        left = plan.missing(done)
        assert sorted([*done, *left]) == plan.missing([])
        assert samples_text([*done, *left]) == f"{plan.samples.start}:{plan.samples.stop}"


@pytest.mark.parametrize("text", ["0/3", "4/3", "1", "a/b", "-1/2", "1/0", ""])
def test_parts_are_spelt_right(text):
    with pytest.raises(UsageError, match="a part is I/N"):
        Part.parse(text)
    assert Part.parse(" 2/8 ") == Part(2, 8)


@settings(max_examples=30)
@given(st.permutations(range(6)))
def test_pieces_are_gathered_in_any_order(order):
    def nodes(place):
        values = {"x": ((), np.int64(10**place), {schema.MERGE: "sum"})}
        first = {"y": ((), np.int64(place), {schema.MERGE: "first"})}
        return {"/": xr.Dataset({**values, **first})}

    gathered = Gathered(0)
    for place in order:
        gathered.add(Piece(Shard(place, place + 1), nodes(place)))
    assert gathered.merged.samples == Shard(0, 6)
    assert int(gathered.merged.nodes["/"]["x"]) == 111111
    assert int(gathered.merged.nodes["/"]["y"]) == 0
    assert gathered.waiting == []


def test_the_estimate_of_a_million_samples(monkeypatch):
    monkeypatch.setattr("redundancy.sharding.estimate.peak_bytes", lambda: 5 * 10**8)

    class Million:
        frame_shape = (4, 2, 8, 8)

        def __len__(self):
            return 1_000_000

    plan = Plan.of(Million(), 16)
    state = {"/": xr.Dataset({"x": ("y", np.zeros(1000))})}
    piece = Piece(Shard(0, 32), state)
    gathered = Gathered(0, merged=piece)
    pilot = Pilot({}, piece, 2.0, 10**9, "cpu")
    alone, shared = (estimate(plan, pilot, gathered, n) for n in (1, 4))
    assert alone.seconds == pytest.approx(2.0 * 999_968 / 16)
    assert shared.seconds == alone.seconds / 4
    assert (alone.memory_bytes, alone.disk_bytes) == (10**9 + 24_000, 24_000)
    # The process in front counts as well.
    assert shared.memory_bytes == 4 * 10**9 + 5 * 10**8 + 24_000
    assert alone.is_long
    few = estimate(Plan.of(ToyDataset(40), 16), pilot, gathered, 1)
    assert not few.is_long


def test_a_long_analysis_says_what_it_will_take(folder, tmp_path, monkeypatch):
    monkeypatch.setattr("redundancy.sharding.estimate.LONG_SECONDS", 0.0)
    for quiet in ([], ["--quiet"]):
        code, _, err = run_analyze(
            *("energy", folder / "net.pt", "--data", f"frames:{folder / 'toy.npz'}"),
            *("--out", tmp_path / str(len(quiet)), "--samples", "20", "--batch-size", "4", *quiet),
        )
        assert code == 0
        assert err.startswith("about ") != bool(quiet)
        assert ("8 samples, with" in err) != bool(quiet)


def test_samples_are_read_as_they_are_written(folder):
    results = load_results(files(folder, "2")[0])
    assert samples_of(results) == [Shard(8, 20)]
    assert samples_text([Shard(8, 12), Shard(0, 4), Shard(4, 8), Shard(16, 20)]) == "0:12,16:20"


def test_without_fused_kernels(folder, tmp_path):
    assert analyse(folder, "general", "--no-fused") == (0, "")
    fused, general = (load_results(f) for f in files(folder, "whole", "general"))
    assert analyse(folder, "general-3", "--no-fused", "--part", "3/3") == (0, "")
    code, _, err = run_analyze(
        "merge", *files(folder, "1", "2", "general-3"), "-o", tmp_path / "a.nc"
    )
    assert code == 2
    assert "fused path and on the general one; analyse both with --no-fused" in err
    for name, state in fused.layers.items():
        np.testing.assert_array_equal(
            state[schema.SPIKE_COUNT], general.layers[name][schema.SPIKE_COUNT]
        )
        assert {fused.layers[name].attrs["path"], general.layers[name].attrs["path"]} == {
            "fused",
            "general",
        }
