"""Weights that are no plain real numbers are refused by name, wherever they come from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from redundancy.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from redundancy.errors import CheckpointError
from redundancy.networks import build_network, complete_arguments
from redundancy.weight_types import check_weight_types
from tests.published_asa import published_state
from tests.toy import small_network, tiny_network_arguments

KEY = "ConvAttLIFs.1.conv.0.weight"


def quantized(value: Tensor) -> Tensor:
    return torch.quantize_per_tensor(value, 0.1, 0, torch.qint8)


def with_value(number: float) -> Callable[[Tensor], Tensor]:
    def change(value: Tensor) -> Tensor:
        value = value.clone()
        value.view(-1)[3] = number
        return value

    return change


REFUSED: dict[str, tuple[Callable[[Tensor], Tensor], str]] = {
    "int8": (lambda w: (w * 100).to(torch.int8), "int8, expected float32"),
    "uint8": (lambda w: w.to(torch.uint8), "uint8, expected float32"),
    "int64": (lambda w: w.long(), "int64, expected float32"),
    "bool": (lambda w: w > 0, "bool, expected float32"),
    "complex": (lambda w: w.to(torch.complex64), "complex64, expected float32"),
    "float8": (lambda w: w.to(torch.float8_e4m3fn), "float8_e4m3fn, expected float32"),
    "quantized": (quantized, r"quantized \(qint8\), expected float32"),
    "sparse": (lambda w: w.to_sparse(), "sparse_coo float32, expected a dense float32 tensor"),
    "meta": (lambda w: w.to("meta"), "a meta tensor, which has no values"),
    "NaN": (with_value(float("nan")), "has values that are not finite"),
    "infinite": (with_value(-float("inf")), "has values that are not finite"),
    "large": (lambda w: with_value(1e300)(w.double()), "beyond the range of float32"),
}


@pytest.mark.parametrize("kind", REFUSED)
@pytest.mark.filterwarnings("ignore:.*quant", "ignore:TypedStorage")
def test_it_is_refused_by_name(tmp_path: Path, kind: str) -> None:
    change, message = REFUSED[kind]
    state = published_state()[1]
    torch.save({**state, KEY: change(state[KEY])}, tmp_path / "net.pth")
    for partial in (False, True):
        with pytest.raises(CheckpointError, match=rf"net\.pth.*{message}|{KEY}.*{message}"):
            load_checkpoint(tmp_path / "net.pth", partial=partial)


@pytest.mark.parametrize("kind", ["int8", "bool", "complex", "NaN"])
def test_it_is_refused_in_our_own_files_too(tmp_path: Path, kind: str) -> None:
    change, message = REFUSED[kind]
    arguments = tiny_network_arguments()
    state = build_network("lif-snn-3", **arguments).state_dict()
    state["fc1.linear.weight"] = change(state["fc1.linear.weight"])
    checkpoint = Checkpoint("lif-snn-3", complete_arguments("lif-snn-3", arguments), state)
    save_checkpoint(tmp_path / "net.pt", checkpoint)
    with pytest.raises(CheckpointError, match=rf"net\.pt: weight fc1\.linear\.weight .*{message}"):
        load_checkpoint(tmp_path / "net.pt")
    if "expected" in message:
        with pytest.raises(CheckpointError, match=message):
            checkpoint.build_network()


def test_a_variance_below_0_and_a_counter_of_floats_are_refused(tmp_path: Path) -> None:
    state = published_state()[1]
    key = "ConvAttLIFs.0.bn.0.running_var"
    torch.save({**state, key: state[key] - 2}, tmp_path / "net.pth")
    with pytest.raises(CheckpointError, match=rf"{key} has a variance below 0 \(-1\)"):
        load_checkpoint(tmp_path / "net.pth")
    key = "ConvAttLIFs.0.bn.0.num_batches_tracked"
    torch.save({**state, key: torch.tensor(1.5)}, tmp_path / "net.pth")
    with pytest.raises(CheckpointError, match=rf"{key} is float32, expected int64"):
        load_checkpoint(tmp_path / "net.pth")


@pytest.mark.parametrize(
    ("dtype", "note"),
    [
        (torch.float16, "stored as float16 and taken as float32"),
        (torch.bfloat16, "stored as bfloat16 and taken as float32"),
        (torch.float64, "stored as float64 and rounded to float32"),
        (torch.float32, None),
    ],
)
def test_other_floats_are_taken_with_a_note(
    tmp_path: Path, dtype: torch.dtype, note: str | None
) -> None:
    state = {
        key: value.to(dtype) if value.is_floating_point() else value
        for key, value in published_state()[1].items()
    }
    state[KEY] = (torch.rand(state[KEY].shape, dtype=torch.float64) / 3).to(dtype)
    torch.save(state, tmp_path / "net.pth")
    checkpoint = load_checkpoint(tmp_path / "net.pth")
    said = [text for text in checkpoint.notes if "stored as" in text]
    assert len(said) == (note is not None)
    assert all(str(note) in text for text in said)
    network = checkpoint.build_network()
    assert {value.dtype for value in network.parameters()} == {torch.float32}
    assert torch.equal(network.conv2.conv.weight, state[KEY].float())


def test_float64_that_float32_holds_needs_no_note(tmp_path: Path) -> None:
    state = {k: v.double() if v.is_floating_point() else v for k, v in published_state()[1].items()}
    torch.save(state, tmp_path / "net.pth")
    assert not any("stored as" in note for note in load_checkpoint(tmp_path / "net.pth").notes)


@pytest.mark.parametrize("shape", [(1,), (), (1, 1, 1, 1), (4, 4, 3, 1)])
def test_nothing_is_broadcast(tmp_path: Path, shape: tuple[int, ...]) -> None:
    state = published_state()[1]
    for key in ("ConvAttLIFs.1.conv.0.bias", "ConvAttLIFs.1.bn.0.running_mean", KEY):
        torch.save({**state, key: torch.ones(shape)}, tmp_path / "net.pth")
        with pytest.raises(CheckpointError, match=r"has shape|must have four dimensions"):
            load_checkpoint(tmp_path / "net.pth").build_network()


def test_networks_from_python_are_checked_by_the_same_function() -> None:
    network = small_network()
    check_weight_types([*network.named_parameters(), *network.named_buffers()])
    network.conv2.conv.weight = torch.nn.Parameter(network.conv2.conv.weight.to("meta"))
    with pytest.raises(CheckpointError, match=r"conv2\.conv\.weight is a meta tensor"):
        check_weight_types(network.named_parameters())
