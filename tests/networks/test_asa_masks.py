"""The two groups of ASA: who selects, over which samples, and how the selection learns."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from redundancy.errors import UsageError
from redundancy.networks.asa import ASA1, ASA2, AdvanceSpatialAttention, soft_top_k, top_k_mask
from tests.networks.asa_reference import apply, make_module, select_top


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
