"""The reproduction: networks trained, analysed and told about, on data small enough for a test."""

import dataclasses
import re
import shutil

import numpy as np
import pytest

from redundancy.reproduction import networks
from redundancy.reproduction.document import write_document
from redundancy.reproduction.networks import VARIANTS, Task, Workshop, tasks
from redundancy.reproduction.observations import (
    _correlation,
    _mean_in_cells,
    _probability_above,
    observations,
)
from tests.toy import ToyDataset


@dataclasses.dataclass(frozen=True)
class ToyTask(Task):
    """Events in memory in place of a dataset's."""

    def dataset(self, split, progress=None):
        return ToyDataset(24 if split == "train" else 12, seed=len(split), split=split)


TASK = ToyTask("toy", "toy bands", "toy", {}, {"epochs": 1})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("reproduction")


@pytest.fixture
def workshop(folder, monkeypatch):
    monkeypatch.setattr(networks, "_NETWORK", {"widths": (4, 6, 6), "hidden": 8})
    seen = []
    shop = Workshop(folder / "seeds", folder / "reproduction", lambda *what: seen.append(what))
    return shop, seen


@pytest.fixture
def runs(workshop):
    shop, _ = workshop
    return {(variant, seed): results for variant, seed, results in shop.analysed(TASK, 2)}


def test_missing_networks_are_trained_once_and_analysed_once(workshop, folder):
    shop, seen = workshop
    first = {(variant, seed): results for variant, seed, results in shop.analysed(TASK, 2)}
    assert set(first) == {(variant, seed) for variant in VARIANTS for seed in (0, 1)}
    names = {path.name for path in (folder / "seeds").glob("*-?.pt")}
    assert names == {f"toy-{variant}-{seed}.pt" for variant, seed in first}
    assert any(what.startswith("training toy-asa-1, 1 epochs") for what, *_ in seen)
    seen.clear()
    again = {(variant, seed): results for variant, seed, results in shop.analysed(TASK, 2)}
    assert not [what for what, *_ in seen if what.startswith(("training", "analysing"))]
    for key, results in first.items():
        assert again[key].summary() == results.summary()


def test_results_are_made_again_for_another_checkpoint(workshop, folder):
    shop, seen = workshop
    list(shop.analysed(TASK, 2))
    path = folder / "seeds" / "toy-vanilla-0.pt"
    kept = path.read_bytes()
    shutil.copy(folder / "seeds" / "toy-vanilla-1.pt", path)
    seen.clear()
    list(shop.analysed(TASK, 2))
    path.write_bytes(kept)
    assert {what for what, *_ in seen if "analysing" in what} == {"analysing toy-vanilla-0"}


def test_damaged_results_are_made_again(workshop, folder):
    shop, seen = workshop
    list(shop.analysed(TASK, 2))
    (folder / "reproduction" / "toy-asa-1.nc").write_bytes(b"\x89HDF\r\n\x1a\n and no more")
    seen.clear()
    list(shop.analysed(TASK, 2))
    assert {what for what, *_ in seen if "analysing" in what} == {"analysing toy-asa-1"}


def test_the_document_tells_every_claim_and_shows_every_picture(runs, folder):
    path, *pictures = write_document([TASK], {"toy": runs}, folder)
    text = path.read_text()
    claims = [line for line in text.splitlines() if re.match(r"\| (Obs|Table|Section)", line)]
    assert len(claims) == 10
    assert all("seen" in claim for claim in claims)
    for number in range(1, 6):
        assert text.count(f"### Observation {number}\n") == 1
    for number in (1, 3, 4):
        assert text.count(f"### Table {number}\n") == 1
    shown = set(re.findall(r"\(reproduction/(.+?)\)", text))
    assert shown == {picture.name for picture in pictures}
    assert all((folder / "reproduction" / name).stat().st_size > 1000 for name in shown)
    assert "12 test samples" in text
    assert "N-MNIST\n\nNot done" in text


def test_a_verdict_follows_from_its_numbers(runs):
    vanilla = [results for (variant, _), results in runs.items() if variant == "vanilla"]
    for seen in observations(vanilla):
        assert all(len(values) == 2 for values in seen.numbers.values())
        if seen.number == 2:
            variation = np.mean(seen.numbers["variation of T-SFR"])
            assert seen.seen == (variation < 0.1)
            rate = vanilla[0].network_firing_rate["t_sfr"].values
            assert seen.numbers["variation of T-SFR"][0] == pytest.approx(rate.std() / rate.mean())
        if seen.number == 4:
            told = np.mean(seen.numbers["probability by distance"])
            assert seen.seen == (told >= 0.8)


def test_without_recordings_only_the_generated_data_are_used(tmp_path):
    assert [task.key for task in tasks(None)] == ["gait"]
    assert [task.key for task in tasks(tmp_path)] == ["gait", "nmnist"]


def test_the_probability_of_ranking_above():
    assert _probability_above(np.array([2.0, 3.0]), np.array([1.0, 1.5])) == 1.0
    assert _probability_above(np.array([1.0, 3.0]), np.array([2.0])) == 0.5
    assert _probability_above(np.array([1.0]), np.array([1.0])) == 0.5


def test_means_in_cells_and_correlations():
    frame = np.arange(10.0).reshape(1, 2, 5)
    np.testing.assert_allclose(
        _mean_in_cells(frame, (1, 2)), [[[(0 + 1 + 5 + 6) / 4, (2 + 3 + 4 + 7 + 8 + 9) / 6]]]
    )
    maps = np.array([[[1.0, 2.0]], [[2.0, 1.0]], [[3.0, 3.0]]])
    found = _correlation(maps, np.array([[5.0, 9.0]]))
    np.testing.assert_allclose(found, [1.0, -1.0, np.nan])
