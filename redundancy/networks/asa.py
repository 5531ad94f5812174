"""Advance Spatial Attention (ASA) of "Inherent Redundancy in Spiking Neural Networks"."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from redundancy.errors import UsageError

MASKS = ("per-sample", "batch-union", "straight-through")


def top_k_mask(importance: Tensor, k: int, dim: int) -> Tensor:
    """Mark the `k` largest entries of `importance` along `dim`.

    Parameters
    ----------
    importance : Tensor
    k : int
        How many entries to select of each slice along `dim`.
    dim : int

    Returns
    -------
    Tensor of bool
        Of the shape of `importance`, True at the selected entries.
    """
    selected = importance.topk(k, dim=dim, sorted=False).indices
    return torch.zeros_like(importance, dtype=torch.bool).scatter_(dim, selected, True)


def soft_top_k(importance: Tensor, k: int, dim: int) -> Tensor:
    """Return a differentiable stand-in for :func:`top_k_mask`, in (0, 1).

    A sigmoid of what `importance` lies above the middle between the least selected and
    the greatest other entry, so that it is at least 0.5 exactly where the entry is
    selected. Only its gradient is of use.

    Parameters
    ----------
    importance : Tensor
    k : int
        Less than the length of `dim`.
    dim : int

    Returns
    -------
    Tensor
        Of the shape of `importance`; all 0 for `k` = 0, which selects nothing.
    """
    if k == 0:
        return torch.zeros_like(importance)
    limits = importance.topk(k + 1, dim=dim).values.narrow(dim, k - 1, 2)
    return torch.sigmoid(importance - limits.mean(dim, keepdim=True))


class AdvanceSpatialAttention(nn.Module):
    """ASA: rank features by their importance, attend to each group on its own.

    Equations 5 to 10 of Yao et al., ICCV 2023. The input is pooled in space to one
    importance per (timestep, channel). Features that exactly one of the two top-k
    selections (over channels, over time) picks form the first group, all others the
    second; each group gets its own spatial attention map, shared by its features.

    Parameters
    ----------
    n_timesteps : int
        T, the length of the time axis.
    importance : nn.Module
        Maps what is pooled, (sample, channel, time), to the importance.
    mask : {"per-sample", "batch-union", "straight-through"}, default "per-sample"
        Where a feature's group comes from. Per sample, as the paper defines it: an
        output never depends on the other samples of its batch. As the union of both
        selections over the batch, as in the published implementation, whose trained
        networks expect it. Straight-through, the forward pass is that of the masks per
        sample; backwards, a sigmoid about the limit of each selection stands in for
        it, so that the importance and its two weights are trained.
    kernel_size : int, default 3
        Of the two spatial attention convolutions.
    top_share : float, default 0.5
        Which share of the channels, and of the timesteps, top-k selects; the paper
        takes one half. The published implementation also divides the means of the two
        groups by this share and its complement, which eq. 10 does not have; so does this.

    Notes
    -----
    The sigmoid of eq. 6 is left out: it is monotone and only the order of the
    importance is used. Top-k has no gradient, so that, but for straight-through, neither
    the importance nor its two weights are trained (the published code has the same
    property).
    """

    def __init__(
        self,
        n_timesteps: int,
        importance: nn.Module,
        *,
        mask: str = "per-sample",
        kernel_size: int = 3,
        top_share: float = 0.5,
    ) -> None:
        super().__init__()
        if mask not in MASKS:
            raise UsageError(f"ASA's mask must be one of {', '.join(MASKS)}, got {mask!r}")
        if not 0.0 < top_share < 1.0:
            raise UsageError(f"ASA's top_share must lie in (0, 1), got {top_share}")
        self.n_timesteps = n_timesteps
        self.mask = mask
        self.top_share = top_share
        self.average_weight = nn.Parameter(torch.tensor([0.5]))
        self.maximum_weight = nn.Parameter(torch.tensor([0.5]))
        self.importance = importance
        padding = kernel_size // 2
        self.first_attention = nn.Conv2d(2, 1, kernel_size, padding=padding, bias=False)
        self.second_attention = nn.Conv2d(2, 1, kernel_size, padding=padding, bias=False)

    def feature_importance(self, x: Tensor) -> Tensor:
        """Return the importance M of every feature (eqs 5, 6), shape (time, sample, channel)."""
        average, maximum = x.mean(dim=(-2, -1)), x.amax(dim=(-2, -1))
        pooled = (
            0.5 * (average + maximum)
            + self.average_weight * average
            + self.maximum_weight * maximum
        )
        along_time = self.importance(pooled.movedim(0, -1))
        return cast(Tensor, along_time.movedim(-1, 0))

    def group_mask(self, x: Tensor) -> Tensor:
        """Return True where a feature belongs to the first group (eqs 7, 8).

        Of shape (time, sample, channel); with straight-through masks as 1.0 and 0.0,
        which carry gradients.
        """
        n_timesteps, _, n_channels = x.shape[:3]
        ks = {2: int(n_channels * self.top_share), 0: int(n_timesteps * self.top_share)}
        importance = self.feature_importance(x)
        by_channel, by_time = (top_k_mask(importance, k, dim) for dim, k in ks.items())
        if self.mask == "batch-union":
            by_channel = by_channel.any(1, keepdim=True).expand_as(by_channel)
            by_time = by_time.any(1, keepdim=True).expand_as(by_time)
        hard = by_channel ^ by_time
        if self.mask != "straight-through":
            return hard
        p, q = (soft_top_k(importance, k, dim) for dim, k in ks.items())
        soft = p + q - 2 * p * q
        # Taking soft - soft first adds an exact zero to the forward pass.
        return hard.to(x.dtype) + (soft - soft.detach())

    def forward(self, x: Tensor) -> Tensor:
        """Weigh input currents in space.

        Parameters
        ----------
        x : Tensor, shape (time, sample, channel, y, x)

        Returns
        -------
        Tensor of the same shape
        """
        if x.dim() != 5 or x.shape[0] != self.n_timesteps:
            raise UsageError(
                f"ASA was built for {self.n_timesteps} timesteps and maps of shape "
                f"(time, sample, channel, y, x), got {tuple(x.shape)}"
            )
        in_first = self.group_mask(x)[..., None, None]
        in_second = 1 - in_first if in_first.is_floating_point() else ~in_first
        first = self._attention_map(x, in_first, self.top_share, self.first_attention)
        second = self._attention_map(x, in_second, 1 - self.top_share, self.second_attention)
        # The groups are disjoint, so the sum of the two masked products is one product.
        if in_first.is_floating_point():
            return x * (in_first * first + in_second * second)
        return x * torch.where(in_first, first, second)

    @staticmethod
    def _attention_map(x: Tensor, mask: Tensor, share: float, conv: nn.Module) -> Tensor:
        """Return one group's attention map, shape (sample, 1, y, x) (eqs 9, 10).

        Masked zeros take part in both pools, as in the published implementation.
        """
        masked = x * mask if mask.is_floating_point() else torch.where(mask, x, 0.0)
        pooled = torch.stack([masked.mean(dim=(0, 2)) / share, masked.amax(dim=(0, 2))], dim=1)
        return torch.sigmoid(conv(pooled))


class ASA1(AdvanceSpatialAttention):
    """ASA-1: the importance is mapped along time by a small network.

    Parameters
    ----------
    n_timesteps : int
        T, the length of the time axis the importance is mapped along.
    reduction : int, default 1
        r; the hidden width of the importance network is T // r. With r = 1 it is a
        single T x T layer, as in the published implementation and as the paper's
        parameter count (+10,914 for three layers at T = 60) needs.
    mask, kernel_size, top_share
        See :class:`AdvanceSpatialAttention`.
    """

    def __init__(
        self,
        n_timesteps: int,
        *,
        reduction: int = 1,
        mask: str = "per-sample",
        kernel_size: int = 3,
        top_share: float = 0.5,
    ) -> None:
        if not 1 <= reduction <= n_timesteps:
            raise UsageError(
                f"ASA's reduction must lie between 1 and n_timesteps = {n_timesteps}, "
                f"got {reduction}"
            )
        importance: nn.Module
        if reduction == 1:
            importance = nn.Linear(n_timesteps, n_timesteps, bias=False)
        else:
            hidden = n_timesteps // reduction
            importance = nn.Sequential(
                nn.Linear(n_timesteps, hidden, bias=False),
                nn.ReLU(),
                nn.Linear(hidden, n_timesteps, bias=False),
            )
        super().__init__(
            n_timesteps, importance, mask=mask, kernel_size=kernel_size, top_share=top_share
        )


class ASA2(AdvanceSpatialAttention):
    """ASA-2: the pooled features are the importance themselves, M = M'.

    Parameters
    ----------
    n_timesteps : int
    mask, kernel_size, top_share
        See :class:`AdvanceSpatialAttention`.
    """

    def __init__(
        self,
        n_timesteps: int,
        *,
        mask: str = "per-sample",
        kernel_size: int = 3,
        top_share: float = 0.5,
    ) -> None:
        super().__init__(
            n_timesteps, nn.Identity(), mask=mask, kernel_size=kernel_size, top_share=top_share
        )
