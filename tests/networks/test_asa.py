"""ASA-1 against its equations, written out in loops, and against the published code."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor, nn

from redundancy.errors import UsageError
from redundancy.networks.asa import (
    ASA1,
    ASA2,
    AdvanceSpatialAttention,
    soft_top_k,
    top_k_mask,
)
from tests.toy import oracle_file

Array = NDArray[np.float64]


def sigmoid(z: Array) -> Array:
    return 1.0 / (1.0 + np.exp(-z))


def convolve(maps: Array, kernel: Array) -> Array:
    """Cross-correlate maps (map, y, x) with one kernel (map, y, x), zeros around them."""
    reach = kernel.shape[-1] // 2
    padded = np.pad(maps, [(0, 0), (reach, reach), (reach, reach)])
    result = np.zeros(maps.shape[1:])
    for y in range(result.shape[0]):
        for x in range(result.shape[1]):
            window = padded[:, y : y + kernel.shape[1], x : x + kernel.shape[2]]
            result[y, x] = (window * kernel).sum()
    return result


def select_top(values: Array, k: int) -> NDArray[np.bool_]:
    chosen = np.zeros(len(values), dtype=bool)
    for index in sorted(range(len(values)), key=lambda i: -values[i])[:k]:
        chosen[index] = True
    return chosen


def reference_importance(x: Array, weights: dict[str, Array]) -> Array:
    """Return M of one sample (time, channel, y, x): eqs 5 and 6 without the sigmoid."""
    n_timesteps, n_channels = x.shape[:2]
    pooled = np.zeros((n_timesteps, n_channels))
    for t in range(n_timesteps):
        for c in range(n_channels):
            average, maximum = x[t, c].mean(), x[t, c].max()
            pooled[t, c] = (
                0.5 * (average + maximum)
                + weights["average_weight"][0] * average
                + weights["maximum_weight"][0] * maximum
            )
    if not any(name.startswith("importance") for name in weights):
        return pooled
    if "importance.weight" in weights:
        return weights["importance.weight"] @ pooled
    hidden = np.maximum(weights["importance.0.weight"] @ pooled, 0.0)
    return weights["importance.2.weight"] @ hidden


def reference_sample(x: Array, weights: dict[str, Array], top_share: float) -> Array:
    """Return ASA-1 of one sample (time, channel, y, x): eqs 5 to 10."""
    n_timesteps, n_channels = x.shape[:2]
    importance = sigmoid(reference_importance(x, weights))
    by_channel = np.stack(
        [select_top(importance[t], int(n_channels * top_share)) for t in range(n_timesteps)]
    )
    by_time = np.stack(
        [select_top(importance[:, c], int(n_timesteps * top_share)) for c in range(n_channels)],
        axis=1,
    )
    first = by_channel != by_time
    output = np.zeros_like(x)
    for group, share, name in (
        (first, top_share, "first_attention"),
        (~first, 1.0 - top_share, "second_attention"),
    ):
        masked = x * group[:, :, None, None]
        pools = np.stack([masked.mean(axis=(0, 1)) / share, masked.max(axis=(0, 1))])
        output += masked * sigmoid(convolve(pools, weights[f"{name}.weight"][0]))
    return output


def make_module(n_timesteps: int, seed: int, **arguments: float | str) -> ASA1:
    """Return a module in float64 whose own weights have moved from their start."""
    torch.manual_seed(seed)
    module = ASA1(n_timesteps, **arguments).double()  # type: ignore[arg-type]
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
        if isinstance(module.importance, nn.Sequential):
            # One hidden unit stays alive: with all of them at 0 every importance is 0, and
            # the equations do not say which of equal ones top-k takes.
            first = module.importance[0].weight
            first[0] = first[0].abs()
    return module


def weights_of(module: nn.Module) -> dict[str, Array]:
    return {key: tensor.numpy() for key, tensor in module.state_dict().items()}


def apply(module: nn.Module, x: Tensor) -> Tensor:
    with torch.no_grad():
        result: Tensor = module(x)
    return result


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


def test_groups_have_the_sizes_of_two_halves() -> None:
    module = make_module(6, seed=0)
    x = torch.randn(6, 3, 8, 4, 4, dtype=torch.float64)
    with torch.no_grad():
        importance = module.feature_importance(x)
        mask = module.group_mask(x)
    assert importance.shape == mask.shape == (6, 3, 8)
    by_channel, by_time = top_k_mask(importance, 4, dim=2), top_k_mask(importance, 3, dim=0)
    assert (by_channel.sum(2) == 4).all()
    assert (by_time.sum(0) == 3).all()
    assert torch.equal(mask, by_channel != by_time)


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


@settings(deadline=None, max_examples=30)
@given(
    shape=st.tuples(*[st.integers(1, 6)] * 3, st.integers(1, 3), st.integers(1, 3)),
    seed=st.integers(0, 2**16),
    top_share=st.sampled_from([0.5, 0.2, 0.8]),
)
def test_batch_masks_are_the_union_of_both_selections(
    shape: tuple[int, ...], seed: int, top_share: float
) -> None:
    module = make_module(shape[0], seed, mask="batch-union", top_share=top_share)
    x = torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    with torch.no_grad():
        importance = module.feature_importance(x).numpy()
        mask = module.group_mask(x).numpy()
    for t in range(shape[0]):
        for c in range(shape[2]):
            channels, times = (int(size * top_share) for size in (shape[2], shape[0]))
            in_channels = any(select_top(importance[t, n], channels)[c] for n in range(shape[1]))
            in_times = any(select_top(importance[:, n, c], times)[t] for n in range(shape[1]))
            assert (mask[t, :, c] == (in_channels != in_times)).all()


def test_batch_masks_of_one_sample_are_its_own() -> None:
    union, own = make_module(6, seed=1, mask="batch-union"), make_module(6, seed=1)
    x = torch.randn(6, 4, 8, 3, 3, dtype=torch.float64)
    for n in range(4):
        torch.testing.assert_close(apply(union, x[:, [n]]), apply(own, x[:, [n]]))
    assert (apply(union, x) - apply(own, x)).abs().max() > 1e-3


@settings(deadline=None, max_examples=30)
@given(
    shape=st.tuples(*[st.integers(1, 6)] * 3, st.integers(1, 3), st.integers(1, 3)),
    seed=st.integers(0, 2**16),
    top_share=st.sampled_from([0.5, 0.2, 0.8]),
    dtype=st.sampled_from([torch.float32, torch.float64]),
)
def test_straight_through_is_forward_what_the_paper_says(
    shape: tuple[int, ...], seed: int, top_share: float, dtype: torch.dtype
) -> None:
    learns = make_module(shape[0], seed, mask="straight-through", top_share=top_share).to(dtype)
    paper = make_module(shape[0], seed, top_share=top_share).to(dtype)
    x = torch.randn(shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))
    with torch.no_grad():
        assert torch.equal(learns.group_mask(x), paper.group_mask(x).to(dtype))
    # The same sums, but for the order of summation that the memory's layout gives.
    torch.testing.assert_close(apply(learns, x), apply(paper, x))


@pytest.mark.parametrize("reduction", [None, 1, 2])
def test_straight_through_lets_the_importance_learn(reduction: int | None) -> None:
    torch.manual_seed(0)
    module: AdvanceSpatialAttention
    if reduction is None:
        module = ASA2(6, mask="straight-through")
    else:
        module = ASA1(6, reduction=reduction, mask="straight-through")
    x = torch.randn(6, 4, 8, 3, 3)
    target = torch.randn(6, 4, 8, 3, 3)
    optimizer = torch.optim.SGD(module.parameters(), lr=1.0)
    before = {name: weight.detach().clone() for name, weight in module.named_parameters()}
    (module(x) - target).square().sum().backward()
    for name, weight in module.named_parameters():
        assert weight.grad is not None, name
        assert weight.grad.abs().max() > 0, name
    optimizer.step()
    assert all(not torch.equal(before[name], weight) for name, weight in module.named_parameters())


def test_the_gradient_that_is_passed_through_is_that_of_the_soft_selections() -> None:
    module = make_module(5, seed=2, mask="straight-through")
    x = torch.randn(5, 2, 6, 3, 3, dtype=torch.float64)
    factors = torch.randn(5, 2, 6, dtype=torch.float64)
    weight = module.importance.weight
    (straight,) = torch.autograd.grad((module.group_mask(x) * factors).sum(), weight)
    importance = module.feature_importance(x)
    p, q = soft_top_k(importance, 3, 2), soft_top_k(importance, 2, 0)
    (soft,) = torch.autograd.grad(((p * (1 - q) + q * (1 - p)) * factors).sum(), weight)
    torch.testing.assert_close(straight, soft)


@settings(deadline=None, max_examples=50)
@given(
    shape=st.tuples(st.integers(1, 6), st.integers(1, 3)),
    dim=st.integers(0, 1),
    seed=st.integers(0, 2**16),
    data=st.data(),
)
def test_soft_selections_lean_to_what_is_selected(
    shape: tuple[int, int], dim: int, seed: int, data: st.DataObject
) -> None:
    k = data.draw(st.integers(0, shape[dim] - 1))
    values = torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    assert torch.equal(soft_top_k(values, k, dim) > 0.5, top_k_mask(values, k, dim))


def test_an_unknown_mask_is_refused() -> None:
    with pytest.raises(UsageError, match="mask must be one of per-sample, batch-union, straight"):
        ASA2(6, mask="batch")


def test_top_k_marks_the_largest() -> None:
    values = torch.tensor([[3.0, 1.0, 2.0], [-1.0, -3.0, -2.0]])
    assert top_k_mask(values, 2, dim=1).tolist() == [[True, False, True], [True, False, True]]
    assert top_k_mask(values, 1, dim=0).tolist() == [[True, True, True], [False, False, False]]
    assert not top_k_mask(values, 0, dim=1).any()


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
