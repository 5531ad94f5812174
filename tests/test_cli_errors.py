"""Misuse and failure of the command: one sentence each, an exit code, and nothing written."""

from pathlib import Path

import numpy as np
import pytest

from tests.command_line import save_frames, save_network, write_foreign
from tests.toy import ToyDataset


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a frames file and two networks for it."""
    folder = tmp_path_factory.mktemp("errors")
    save_frames(folder / "toy.npz", ToyDataset(30))
    save_network(folder / "vanilla.pt")
    save_network(folder / "asa.pt", attention="asa-1")
    return folder


MISUSE = {
    "a mistyped command": (["spike-featurs", "{f}/vanilla.pt"], "Did you mean 'spike-features'"),
    "a mistyped option": (["spike-features", "{f}/vanilla.pt", "--sample", "3"], "--samples"),
    "a missing file": (["spike-features", "{f}/vanila.pt"], "Did you mean {f}/vanilla.pt"),
    "a folder": (["spike-features", "{f}"], "is a folder; expected a checkpoint"),
    "no data": (["spike-features", "{f}/foreign.pth"], "--data"),
    "unknown data": (["spike-features", "{f}/vanilla.pt", "--data", "nmist:x"], "'nmnist'"),
    "missing data": (["spike-features", "{f}/vanilla.pt", "--data", "nmnist:{f}/no"], "{f}/no"),
    "an unknown layer": (
        ["spike-features", "{f}/vanilla.pt", "{d}", "--layer", "conv9.neuron"],
        "the layers are conv1.neuron",
    ),
    "a timestep out of range": (
        ["spike-features", "{f}/vanilla.pt", "{d}", "--time", "5"],
        "timesteps 0 to 4",
    ),
    "an unknown format": (
        ["spike-features", "{f}/vanilla.pt", "{d}", "--format", "gif"],
        "not as 'gif'",
    ),
    "no samples": (["spike-features", "{f}/vanilla.pt", "{d}", "--samples", "0"], "1<=x<="),
    "an unknown device": (
        ["spike-features", "{f}/vanilla.pt", "{d}", "--device", "tpu"],
        "auto, cpu or cuda",
    ),
    "a wrong network argument": (
        ["spike-features", "{f}/vanilla.pt", "{d}", "--network-arg", "hiden=3"],
        "Did you mean 'hidden'",
    ),
    "not key=value": (
        ["spike-features", "{f}/vanilla.pt", "{d}", "--network-arg", "hidden"],
        "--network-arg takes key=value",
    ),
    "a checkpoint format that is not known": (
        ["info", "{f}/vanilla.pt", "--checkpoint-format", "asa"],
        "known: asa-snn",
    ),
    "frames of another size": (
        ["spike-features", "{f}/vanilla.pt", "--data", "frames:{f}/large.npz"],
        "takes frames of 2 x 8 x 8",
    ),
    "another T for attention": (
        ["spike-features", "{f}/asa.pt", "--data", "frames:{f}/long.npz"],
        "was built for 5 timesteps",
    ),
    "training without data": (["train", "-o", "{f}/x.pt"], "--data"),
    "training onto a checkpoint": (
        ["train", "--data", "frames:{f}/toy.npz", "-o", "{f}/vanilla.pt"],
        "--overwrite",
    ),
    "results and data": (
        ["spike-features", "{f}/results.nc", "--samples", "3", "{d}"],
        "leave out --data, --samples",
    ),
    "recording over something else": (
        ["record", "{f}/vanilla.pt", "{d}", "-o", "{f}", "--overwrite"],
        "is not a recording; name another folder",
    ),
    "unknown quantities": (
        ["record", "{f}/vanilla.pt", "{d}", "-o", "{f}/x.zarr", "--quantities", "volts"],
        "quantities must be of",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", MISUSE)
def test_misuse_is_one_sentence_and_exit_code_2(analyze, folder, what):
    large, long = ToyDataset(3, size=(12, 12)), ToyDataset(3, n_timesteps=7)
    np.savez(folder / "large.npz", frames=large.frames, labels=large.labels)
    np.savez(folder / "long.npz", frames=long.frames, labels=long.labels)
    if not (folder / "foreign.pth").exists():
        write_foreign(folder / "foreign.pth")
    (folder / "results.nc").touch()
    arguments, expected = MISUSE[what]
    filled = []
    for argument in arguments:
        argument = {"{d}": "--data=frames:{f}/toy.npz"}.get(argument, argument)
        filled.append(argument.replace("{f}", str(folder)))
    before = sorted(folder.rglob("*"))
    code, out, err = analyze(*filled)
    assert code == 2, err
    assert out == ""
    assert expected.replace("{f}", str(folder)) in " ".join(err.split())
    assert sorted(folder.rglob("*")) == before
    assert list(Path.cwd().iterdir()) == []


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "is empty"),
        (b"hello, this is text", "not a file of weights"),
    ],
)
def test_failure_is_one_sentence_and_exit_code_1(analyze, tmp_path, content, expected):
    (tmp_path / "broken.pt").write_bytes(content)
    code, _, err = analyze("spike-features", tmp_path / "broken.pt", "--out", tmp_path / "out")
    assert code == 1
    assert err.count("\n") == 1
    assert expected in err or "damaged" in err
    assert [path.name for path in tmp_path.iterdir()] == ["broken.pt"]
