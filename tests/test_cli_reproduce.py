"""``analyze reproduce`` from networks that are not there to the document."""

import re

import pytest

from redundancy import schema
from redundancy.reproduction import networks
from redundancy.reproduction.networks import Task, Workshop
from redundancy.results_file import load_results
from tests.command_line import run_analyze, save_frames, save_network, sketch_figures
from tests.toy import ToyDataset


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with the frames of two stand-ins for the data sets."""
    folder = tmp_path_factory.mktemp("reproduce")
    save_frames(folder / "first.npz", ToyDataset(12))
    save_frames(folder / "second.npz", ToyDataset(8, seed=1))
    return folder


@pytest.fixture(scope="module", autouse=True)
def small(folder):
    """Let the reproduction be of small networks, on stand-ins that take an epoch each."""

    def tasks(nmnist):
        names = ["first"] if nmnist is None else ["first", "second"]
        return [
            Task(name, f"the {name} data", f"frames:{folder / name}.npz", {}, {"epochs": 1})
            for name in names
        ]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(networks, "_NETWORK", {"widths": (4, 6, 6), "hidden": 8})
        patch.setattr(networks, "tasks", tasks)
        sketch_figures(patch)
        yield


def reproduce(folder, *options):
    return run_analyze(
        *("reproduce", "--seeds", 1, "--checkpoints", folder / "seeds", "--out", folder / "out"),
        *options,
    )


@pytest.fixture(scope="module")
def said(folder):
    code, said, err = reproduce(folder, "--nmnist", folder)
    assert (code, err) == (0, "")
    return said


def test_the_document_is_written_with_all_that_it_shows(folder, said):
    text = (folder / "out" / "REPRODUCTION.md").read_text()
    shown = re.findall(r"!\[.*?\]\((.*?)\)", text)
    assert len(shown) == len(set(shown)) >= 10
    assert all((folder / "out" / name).stat().st_size > 0 for name in shown)
    pictures = {
        f"reproduction/{path.name}" for path in (folder / "out" / "reproduction").glob("*.png")
    }
    assert set(shown) == pictures
    assert f"REPRODUCTION.md and {len(shown)} pictures" in said
    rows = [line.split("|")[1:-1] for line in text.splitlines() if line.startswith("| ")]
    claims = [row for row in rows if re.match(" (Observation|Table|Section) ", row[0])]
    assert len(claims) == 10
    for _, *verdicts in claims:
        assert len(verdicts) == 2
        for verdict in verdicts:
            pattern = r"seen|\*\*not (seen|decided)\*\*( \(in 0 of 1 seeds\))?|seen in 1 of 1 seeds"
            assert re.fullmatch(pattern, verdict.strip())
    assert "the first data (12 test samples) and the second data (8 test samples)" in text
    assert "nan" not in text


def test_what_is_there_is_used_again(folder, said):
    trained = {path: path.stat().st_mtime_ns for path in (folder / "seeds").iterdir()}
    analysed = {path: path.stat().st_mtime_ns for path in (folder / "out").rglob("*.nc")}
    assert len([path for path in trained if re.fullmatch(r".*-\d\.pt", path.name)]) == 4
    assert len(analysed) == 4
    document = (folder / "out" / "REPRODUCTION.md").read_text()
    assert reproduce(folder, "--nmnist", folder)[0] == 0
    assert {path: path.stat().st_mtime_ns for path in (folder / "seeds").iterdir()} == trained
    assert {p: p.stat().st_mtime_ns for p in (folder / "out").rglob("*.nc")} == analysed
    assert (folder / "out" / "REPRODUCTION.md").read_text() == document


def test_other_data_are_analysed_again(folder, said):
    seen = []
    shop = Workshop(
        folder / "seeds", folder / "out" / "reproduction", lambda *what: seen.append(what)
    )
    (task,) = networks.tasks(None)
    other = Task(task.key, task.title, f"frames:{folder / 'second.npz'}", {}, {"epochs": 1})
    (_, _, results), *_ = shop.analysed(other, 1)
    assert results.attributes[schema.N_SAMPLES] == 8
    assert {what for what, *_ in seen if "analysing" in what} == {
        "analysing first-vanilla-0",
        "analysing first-asa-0",
    }


def test_networks_that_never_spike_decide_nothing(folder, tmp_path):
    def silence(network):
        for module in (network.conv1.bn, network.conv2.bn, network.conv3.bn):
            module.bias.fill_(-50.0)
        network.fc1.linear.bias.fill_(-50.0)
        network.fc2.linear.bias.fill_(-50.0)

    for variant, attention in (("vanilla", "none"), ("asa", "asa-1")):
        path = tmp_path / "seeds" / f"first-{variant}-0.pt"
        path.parent.mkdir(exist_ok=True)
        save_network(path, silence, attention=attention)
    code, _, err = reproduce(tmp_path)
    assert code == 0
    assert err.startswith("warning: the network never spikes")
    text = (tmp_path / "out" / "REPRODUCTION.md").read_text()
    assert text.count("**not decided**") == 5
    assert text.count("**Not decided.**") == 5
    assert "nan" not in text
    assert "– (–)" in text
    assert "N-MNIST\n\nNot done" in text


def test_missing_recordings_are_told_before_anything_is_trained(monkeypatch, tmp_path):
    monkeypatch.undo()
    real = networks.Task("nmnist", "N-MNIST", f"nmnist:{tmp_path / 'no'}", {"n_timesteps": 10})
    monkeypatch.setattr(networks, "tasks", lambda nmnist: [real])
    code, said, err = reproduce(tmp_path, "--nmnist", tmp_path / "no")
    assert (code, said) == (2, "")
    assert str(tmp_path / "no") in err
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_reproduction_goes_on(folder, tmp_path, monkeypatch):
    from redundancy import analysis

    calls = []

    def interrupted(*arguments, **options):
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(*arguments, **options)

    real = analysis.analyze
    monkeypatch.setattr(analysis, "analyze", interrupted)
    code, said, err = reproduce(tmp_path)
    assert (code, said) == (130, "")
    assert "interrupted" in err
    assert [path.name for path in (tmp_path / "out").rglob("*.*")] == ["first-vanilla-0.nc"]
    assert reproduce(tmp_path)[0] == 0
    # Of two networks one was left.
    assert len(calls) == 2 + 1
    load_results(tmp_path / "out" / "reproduction" / "first-asa-0.nc")
