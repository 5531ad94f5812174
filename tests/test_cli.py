"""The real command, as a new user would try it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from redundancy.results_file import load_results
from tests.command_line import start_analyze, write_foreign
from tests.toy import ToyDataset

TINY = ["--network-arg", "widths=4,4,6", "--network-arg", "hidden=12"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a frames file and two checkpoints trained on it by the command."""
    folder = tmp_path_factory.mktemp("cli")
    toy = ToyDataset(30)
    np.savez(folder / "toy.npz", frames=toy.frames, labels=toy.labels)
    for name, attention in (("vanilla", "none"), ("asa", "asa-1")):
        arguments = [
            "train", "--data", f"frames:{folder / 'toy.npz'}", *TINY, "--network-arg",
            f"attention={attention}", "--epochs", "2", "--out", folder / f"{name}.pt", "--quiet",
            "--device", "cpu", "--network-arg", "surrogate_gradient=arctan",
        ]  # fmt: skip
        subprocess.run(
            [sys.executable, "-m", "analysis_cli", *map(str, arguments)], check=True, timeout=120
        )
    return folder


def data(folder):
    return ["--data", f"frames:{folder / 'toy.npz'}"]


def test_help_names_every_command(analyze):
    code, out, _ = analyze("--help")
    assert code == 0
    for command in ("spike-features", "record", "train", "info", "list"):
        assert command in out
        assert analyze(command, "--help")[0] == 0


def test_version(analyze):
    assert analyze("--version")[1].startswith("analyze, version ")


def test_training_leaves_a_checkpoint_and_its_record(folder):
    record = json.loads((folder / "vanilla.training.json").read_text())
    assert record["command"].startswith("analyze train --data frames:")
    assert len(record["epochs"]) == 2
    assert (folder / "vanilla.best.pt").exists()
    assert not (folder / "vanilla.last.pt").exists()
    torch.load(folder / "vanilla.pt", weights_only=True)


@pytest.mark.parametrize(("name", "figure"), [("vanilla", 2), ("asa", 5)])
def test_spike_features_writes_everything(analyze, folder, tmp_path, name, figure):
    out = tmp_path / "out"
    code, text, err = analyze(
        "spike-features", folder / f"{name}.pt", *data(folder), "--out", out,
        "--format", "png,pdf,svg", "--batch-size", 7,
    )  # fmt: skip
    assert (code, err) == (0, "")
    assert "accuracy" in text
    assert "NASFR" in text
    assert "conv3.neuron" in text
    names = {path.name for path in out.iterdir()}
    pictures = [
        f"figure_{figure}_spike_features",
        "t_sfr",
        "layer_rates",
        "channel_rates",
        "event_frames",
    ]
    expected = {f"{p}.{suffix}" for p in pictures for suffix in ("png", "pdf", "svg")}
    assert names == expected | {"results.nc", "summary.json", "firing_rates.csv"}
    summary = json.loads((out / "summary.json").read_text())
    assert summary["n_samples"] == 30
    assert len(summary["t_sfr"]) == summary["n_timesteps"] == 5
    assert 0 <= summary["accuracy"] <= 1
    assert len(summary["checkpoint_sha256"]) == 64
    assert next(layer["name"] for layer in summary["layers"]) == "conv1.neuron"
    header, first, *_ = (out / "firing_rates.csv").read_text().splitlines()
    assert header == "layer,time,channel,c_sfr"
    assert first.startswith("conv1.neuron,0,0,")


def test_results_are_drawn_again_without_computing(analyze, folder, tmp_path):
    out = tmp_path / "out"
    assert analyze("spike-features", folder / "vanilla.pt", *data(folder), "--out", out)[0] == 0
    before = (out / "results.nc").read_bytes()
    code, text, _ = analyze(
        "spike-features", out / "results.nc", "--layer", "conv1.neuron", "--time", 0,
        "--channel", 3, "--out", tmp_path / "again",
    )  # fmt: skip
    assert code == 0
    assert {p.suffix for p in (tmp_path / "again").iterdir()} == {".png", ".csv"}
    assert (out / "results.nc").read_bytes() == before
    assert "written to" in text


def test_a_recording_takes_a_checkpoints_place(analyze, folder, tmp_path):
    run = tmp_path / "run.zarr"
    code, text, _ = analyze("record", folder / "asa.pt", *data(folder), "-o", run, "--samples", 9)
    assert code == 0
    assert "9 samples written" in text
    for source, out in ((run, "a"), (folder / "asa.pt", "b")):
        options = [] if source == run else data(folder)
        code, *_ = analyze(
            "spike-features", source, *options, "--samples", 9, "--out", tmp_path / out
        )
        assert code == 0
    recorded, direct = (load_results(tmp_path / out / "results.nc").summary() for out in "ab")
    # How a network was read is known of the network alone.
    for name in (
        *("calling_convention", "output_axes", "draws_random_numbers", "random_seed"),
        *("spike_sources", "verified_batches"),
    ):
        recorded.pop(name), direct.pop(name)
    assert recorded == direct
    assert "recording of lif-snn-3" in analyze("info", run)[1]
    code, _, err = analyze("record", folder / "asa.pt", *data(folder), "-o", run)
    assert code == 2
    assert "--overwrite" in err


def test_info_tells_layers_parameters_and_neurons(analyze, folder):
    code, out, _ = analyze("info", folder / "asa.pt")
    assert code == 0
    content = torch.load(folder / "asa.pt", weights_only=True)
    n_parameters = sum(
        tensor.numel() for key, tensor in content["state_dict"].items()
        if "running_" not in key and "num_batches" not in key
    )  # fmt: skip
    assert f"{n_parameters:,}" in out
    assert "fires at >= 0.3, reset to 0" in out
    assert "2 epochs" in out
    assert "conv2.attention.importance" in out


def test_lists(analyze):
    assert "lif-snn-3" in analyze("list", "networks")[1]
    out = analyze("list", "datasets")[1]
    assert all(name in out for name in ("synthetic-gait", "nmnist", "frames"))


def test_by_default_it_writes_to_figures(analyze, folder):
    assert analyze("spike-features", folder / "vanilla.pt", *data(folder))[0] == 0
    assert (Path("figures") / "vanilla" / "results.nc").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_said_before_computing(analyze, folder, tmp_path):
    tmp_path.chmod(0o500)
    code, _, err = analyze(
        "spike-features", folder / "vanilla.pt", *data(folder), "--out", tmp_path / "a" / "b"
    )
    tmp_path.chmod(0o700)
    assert code == 2
    assert f"{tmp_path} cannot be written to" in err


def test_existing_results_are_not_replaced_unasked(analyze, folder, tmp_path):
    (tmp_path / "results.nc").write_bytes(b"precious")
    arguments = ["spike-features", folder / "vanilla.pt", *data(folder), "--out", tmp_path]
    code, _, err = analyze(*arguments)
    assert code == 2
    assert "--overwrite" in err
    assert (tmp_path / "results.nc").read_bytes() == b"precious"
    assert analyze(*arguments, "--overwrite")[0] == 0


def test_training_on_its_own_test_data_is_said(analyze, folder, tmp_path):
    arguments = [
        "train", *data(folder), *TINY, "--epochs", 1, "--out", tmp_path / "x.pt", "--overwrite"
    ]  # fmt: skip
    _, _, err = analyze(*arguments)
    assert "has no test split, so test accuracy is taken on the training samples" in err
    other = ToyDataset(6, seed=5)
    np.savez(tmp_path / "test.npz", frames=other.frames, labels=other.labels)
    code, _, err = analyze(*arguments, "--test-data", f"frames:{tmp_path / 'test.npz'}")
    assert code == 0
    assert "no test split" not in err


def test_quiet_is_quiet(analyze, folder, tmp_path):
    code, out, err = analyze(
        "spike-features", folder / "vanilla.pt", *data(folder), "--out", tmp_path / "q", "--quiet"
    )
    assert (code, out, err) == (0, "", "")


def test_a_foreign_checkpoint_that_never_spikes_is_warned_of(analyze, folder, tmp_path):
    write_foreign(tmp_path / "foreign.pth")
    code, out, err = analyze(
        "spike-features", tmp_path / "foreign.pth", *data(folder), "--out", tmp_path / "out",
        "--checkpoint-format", "asa-snn",
    )  # fmt: skip
    assert code == 0
    assert "warning: the network never spikes in 30 samples" in err
    assert "NASFR     0.0000" in out


def test_ctrl_c_half_way_leaves_nothing_half_written(folder, tmp_path):
    toy = ToyDataset(60, n_timesteps=40, size=(32, 32))
    np.savez(tmp_path / "large.npz", frames=toy.frames, labels=toy.labels)
    data = f"frames:{tmp_path / 'large.npz'}"
    training = start_analyze(
        *("train", "--epochs", 500, "--data", data, "--out", tmp_path / "x.pt", *TINY)
    )
    deadline = time.monotonic() + 90
    files = [tmp_path / f"x.{kind}" for kind in ("last.pt", "best.pt", "training.json")]
    while not all(path.exists() for path in files) and time.monotonic() < deadline:
        time.sleep(0.2)
    training.send_signal(signal.SIGINT)
    _, err = training.communicate(timeout=60)
    assert training.returncode == 130
    assert "error: interrupted" in err
    assert "Traceback" not in err
    assert {p.name for p in tmp_path.iterdir()} == {
        "large.npz", "x.last.pt", "x.best.pt", "x.training.json",
    }  # fmt: skip


def test_help_needs_no_heavy_import():
    code = (
        "import sys; sys.argv = ['analyze', '--help']; import analysis_cli\n"
        "try: analysis_cli.main()\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'xarray', 'numpy', 'matplotlib', 'spikingjelly'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, timeout=60)


def test_a_closed_pipe_is_no_error(folder):
    shell = f"{sys.executable} -m analysis_cli list datasets | head -n 1"
    done = subprocess.run(
        ["bash", "-c", shell], capture_output=True, text=True, timeout=60, cwd=Path.cwd(),
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    assert "Traceback" not in done.stderr
