"""ASA against its equations and against the published code."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from redundancy.errors import UsageError
from redundancy.networks.asa import ASA1, ASA2
from tests.networks.asa_reference import apply, make_module, reference_sample, weights_of
from tests.toy import oracle_file


@pytest.mark.parametrize("shape", [(6, 3, 8, 5, 7), (5, 2, 7, 4, 4), (12, 2, 3, 6, 2)])
@pytest.mark.parametrize("reduction", [1, 2, 4])
@pytest.mark.parametrize("top_share", [0.5, 0.25, 0.8])
def test_it_is_what_the_equations_say(
    shape: tuple[int, ...], reduction: int, top_share: float
) -> None:
    module = make_module(shape[0], seed=sum(shape), reduction=reduction, top_share=top_share)
    x = torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1)) + 1.0
    weights = weights_of(module)
    expected = [reference_sample(x[:, n].numpy(), weights, top_share) for n in range(shape[1])]
    np.testing.assert_allclose(
        apply(module, x).numpy(), np.stack(expected, axis=1), rtol=1e-12, atol=1e-12
    )


@settings(deadline=None, max_examples=30)
@given(
    n_timesteps=st.integers(1, 7),
    reduction=st.integers(1, 3),
    n_channels=st.integers(1, 6),
    n_samples=st.integers(1, 4),
    size=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    seed=st.integers(0, 2**16),
    data=st.data(),
)
def test_a_sample_does_not_see_its_batch(
    n_timesteps: int,
    reduction: int,
    n_channels: int,
    n_samples: int,
    size: tuple[int, int],
    seed: int,
    data: st.DataObject,
) -> None:
    module = make_module(n_timesteps, seed, reduction=min(reduction, n_timesteps))
    random = torch.Generator().manual_seed(seed)
    x = torch.randn(
        (n_timesteps, n_samples, n_channels, *size), dtype=torch.float64, generator=random
    )
    together = apply(module, x)
    assert together.shape == x.shape
    order = data.draw(st.permutations(range(n_samples)))
    torch.testing.assert_close(apply(module, x[:, order]), together[:, order])
    for n in range(n_samples):
        torch.testing.assert_close(apply(module, x[:, [n]]), together[:, [n]])


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 2**16), n_timesteps=st.integers(1, 8), n_channels=st.integers(1, 8))
def test_attention_only_weakens(seed: int, n_timesteps: int, n_channels: int) -> None:
    module = make_module(n_timesteps, seed)
    x = torch.randn(
        (n_timesteps, 2, n_channels, 3, 3),
        dtype=torch.float64,
        generator=torch.Generator().manual_seed(seed),
    )
    share = (apply(module, x) / x).numpy()
    assert (share > 0.0).all()
    assert (share < 1.0).all()


@pytest.mark.parametrize("top_share", [0.5, 0.3])
def test_asa_2_ranks_by_what_is_pooled(top_share: float) -> None:
    torch.manual_seed(0)
    module = ASA2(6, top_share=top_share).double()
    with torch.no_grad():
        module.average_weight.fill_(-0.7)
    x = torch.randn(6, 3, 8, 5, 7, dtype=torch.float64)
    weights = weights_of(module)
    expected = [reference_sample(x[:, n].numpy(), weights, top_share) for n in range(3)]
    np.testing.assert_allclose(
        apply(module, x).numpy(), np.stack(expected, axis=1), rtol=1e-12, atol=1e-12
    )


def test_one_timestep_and_one_channel_leave_a_single_group() -> None:
    module = make_module(1, seed=3)
    x = torch.rand(1, 2, 1, 4, 4, dtype=torch.float64)
    weights = weights_of(module)
    expected = [reference_sample(x[:, n].numpy(), weights, 0.5) for n in range(2)]
    np.testing.assert_allclose(apply(module, x).numpy(), np.stack(expected, axis=1), rtol=1e-12)


def test_the_importance_is_not_trained_and_the_attention_is() -> None:
    module = make_module(4, seed=0)
    x = torch.randn(4, 2, 6, 3, 3, dtype=torch.float64, requires_grad=True)
    module(x).sum().backward()
    trained = {name for name, weight in module.named_parameters() if weight.grad is not None}
    assert trained == {"first_attention.weight", "second_attention.weight"}
    assert x.grad is not None
    assert torch.isfinite(x.grad).all()


@pytest.mark.parametrize("shape", [(5, 2, 8, 4, 4), (7, 2, 8, 4, 4), (6, 2, 8, 4), (6, 8)])
def test_another_number_of_timesteps_or_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match=r"built for 6 timesteps.*got") as caught:
        ASA1(6)(torch.zeros(shape))
    assert str(shape) in str(caught.value)


@pytest.mark.parametrize(
    "arguments",
    [{"reduction": 0}, {"reduction": 7}, {"top_share": 0.0}, {"top_share": 1.0}, {"top_share": 2}],
)
def test_arguments_out_of_range_are_refused(arguments: dict[str, float]) -> None:
    (name,) = arguments
    with pytest.raises(UsageError, match=rf"{name} must lie .* got"):
        ASA1(6, **arguments)  # type: ignore[arg-type]


PUBLISHED_NAMES = {
    "alpha": "average_weight",
    "beta": "maximum_weight",
    "fc": "importance",
    "conv1": "first_attention",
    "conv2": "second_attention",
}


def published_module(name: str, fields: Any, **arguments: Any) -> ASA1:
    """Return one module of the oracle with its weights."""
    state = {}
    for key in fields.files:
        if key.startswith(f"{name}_sd_"):
            head, _, rest = key.removeprefix(f"{name}_sd_").partition(".")
            state[".".join(filter(None, [PUBLISHED_NAMES[head], rest]))] = fields[key]
    n_timesteps = fields[f"{name}_x"].shape[1]
    hidden = state.get("importance.0.weight", state.get("importance.weight"))
    assert hidden is not None
    module = ASA1(
        n_timesteps,
        reduction=n_timesteps // len(hidden),
        top_share=0.25 if name == "m4" else 0.5,
        **arguments,
    )
    module.load_state_dict({key: torch.from_numpy(value) for key, value in state.items()})
    return module


@pytest.mark.parametrize("name", ["m0", "m1", "m2", "m3", "m4", "m5", "m6"])
@pytest.mark.parametrize(
    ("mask", "output"),
    [
        ("per-sample", "y_persample"),
        ("straight-through", "y_persample"),
        ("batch-union", "y_batch"),
    ],
)
def test_it_agrees_with_the_published_module(name: str, mask: str, output: str) -> None:
    fields = np.load(oracle_file("asa_modules.npz"))
    module = published_module(name, fields, mask=mask)
    x = torch.from_numpy(fields[f"{name}_x"]).transpose(0, 1)
    with torch.no_grad():
        importance = module.feature_importance(x).transpose(0, 1)
    np.testing.assert_allclose(importance.numpy(), fields[f"{name}_M"], rtol=0, atol=2e-6)
    np.testing.assert_allclose(
        apply(module, x).transpose(0, 1).numpy(), fields[f"{name}_{output}"], rtol=0, atol=2e-6
    )


@pytest.mark.parametrize("name", ["m0", "m1", "m2", "m3", "m4", "m5", "m6"])
def test_batch_masks_are_the_published_ones(name: str) -> None:
    fields = np.load(oracle_file("asa_modules.npz"))
    module = published_module(name, fields, mask="batch-union")
    x = torch.from_numpy(fields[f"{name}_x"]).transpose(0, 1)
    with torch.no_grad():
        mask = module.group_mask(x).transpose(0, 1)
    np.testing.assert_array_equal(mask.numpy(), fields[f"{name}_mask_batch"])
