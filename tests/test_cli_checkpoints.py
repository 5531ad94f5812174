"""The command on checkpoints of the published code, as a user of it would try them."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import analysis_cli
from redundancy.results_file import load_results
from tests.published_asa import misfitting_state, published_state, published_state_5
from tests.toy import ToyDataset

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def analyze(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> Command:
    """Run ``analyze`` in this process and an empty folder: (exit code, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: Any) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["analyze", *map(str, arguments)])
        code = 0
        try:
            analysis_cli.main()
        except SystemExit as exit_request:
            code = int(exit_request.code or 0)
        out, err = capfd.readouterr()
        assert "Traceback" not in err
        return code, out, err

    return run


def save(content: object) -> str:
    torch.save(content, "net.pth")
    toy = ToyDataset(6)
    np.savez("toy.npz", frames=toy.frames, labels=toy.labels)
    return "net.pth"


ON_TOYS = ("--data", "frames:toy.npz", "--device", "cpu", "--replicates", "10", "--out", "out")


@pytest.mark.parametrize(
    ("given", "mask", "note"),
    [
        ((), "batch-union", "masks are joined over each batch (mask=batch-union)"),
        (("--network-arg", "mask=per-sample"), "per-sample", "masks are taken per sample"),
    ],
)
def test_an_analysis_says_which_masks_it_took(
    analyze: Command, given: tuple[str, ...], mask: str, note: str
) -> None:
    path = save(published_state(attention="asa-1")[1])
    code, _, err = analyze("spike-features", path, *ON_TOYS, *given)
    assert code == 0
    assert f"note: ASA's {note}" in err
    attributes = load_results("out/results.nc").attributes
    assert attributes["network_arguments"]["mask"] == mask
    assert json.loads(Path("out/summary.json").read_text())["n_samples"] == 6


def test_what_does_not_fit_is_refused_or_left_out(analyze: Command) -> None:
    path = save(misfitting_state()[1])
    code, out, err = analyze("spike-features", path, *ON_TOYS)
    assert (code, out) == (1, "")
    assert "fc2.linear.bias is missing" in err
    assert "--partial" in err
    assert not Path("out/results.nc").exists()
    code, _, err = analyze("spike-features", path, *ON_TOYS, "--partial")
    assert code == 0
    assert "note: loaded in part: 3 weights do not fit" in err
    results = load_results("out/results.nc")
    assert results.attributes["checkpoint_format"] == "asa-snn, in part"
    code, _, err = analyze("spike-features", "out/results.nc", "--partial")
    assert code == 2
    assert "leave out --partial" in err


def test_info_knows_the_five_layers(analyze: Command) -> None:
    code, out, err = analyze("info", save(published_state_5("plif-snn-5", attention="asa-1")[1]))
    assert code == 0
    assert "plif-snn-5" in out
    assert "conv5.attention.importance" in out
    assert "mask=batch-union" in err


def test_the_new_networks_are_listed(analyze: Command) -> None:
    code, out, _ = analyze("list", "networks")
    assert code == 0
    for name in ("lif-snn-3", "lif-snn-5", "plif-snn-5", "sew-resnet-18"):
        assert name in out
