"""Advance Spatial Attention (ASA) of "Inherent Redundancy in Spiking Neural Networks"."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from redundancy.errors import UsageError


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


class ASA1(nn.Module):
    """ASA-1: rank features by learned importance, attend to each group on its own.

    Equations 5 to 10 of Yao et al., ICCV 2023. The input is pooled in space to one
    importance per (timestep, channel). Features that exactly one of the two top-k
    selections (over channels, over time) picks form the first group, all others the
    second; each group gets its own spatial attention map, shared by its features.

    Parameters
    ----------
    n_timesteps : int
        T, the length of the time axis the importance is mapped along.
    reduction : int, default 1
        r; the hidden width of the importance network is T // r. With r = 1 it is a
        single T x T layer, as in the published implementation and as the paper's
        parameter count (+10,914 for three layers at T = 60) needs.
    kernel_size : int, default 3
        Of the two spatial attention convolutions.
    top_share : float, default 0.5
        Which share of the channels, and of the timesteps, top-k selects; the paper
        takes one half. The published implementation also divides the means of the two
        groups by this share and its complement, which eq. 10 does not have; so does this.

    Notes
    -----
    Masks are taken per sample, as the paper defines them, so an output never depends
    on the other samples of its batch. The sigmoid of eq. 6 is left out: it is monotone
    and only the order of the importance is used. Top-k has no gradient, so neither the
    importance layer nor its two weights are trained (the published code has the same
    property).
    """

    def __init__(
        self,
        n_timesteps: int,
        *,
        reduction: int = 1,
        kernel_size: int = 3,
        top_share: float = 0.5,
    ) -> None:
        super().__init__()
        if not 1 <= reduction <= n_timesteps:
            raise UsageError(
                f"ASA's reduction must lie between 1 and n_timesteps = {n_timesteps}, "
                f"got {reduction}"
            )
        if not 0.0 < top_share < 1.0:
            raise UsageError(f"ASA's top_share must lie in (0, 1), got {top_share}")
        self.n_timesteps = n_timesteps
        self.top_share = top_share
        self.average_weight = nn.Parameter(torch.tensor([0.5]))
        self.maximum_weight = nn.Parameter(torch.tensor([0.5]))
        self.importance: nn.Module
        if reduction == 1:
            self.importance = nn.Linear(n_timesteps, n_timesteps, bias=False)
        else:
            hidden = n_timesteps // reduction
            self.importance = nn.Sequential(
                nn.Linear(n_timesteps, hidden, bias=False),
                nn.ReLU(),
                nn.Linear(hidden, n_timesteps, bias=False),
            )
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
        """Return True where a feature belongs to the first group (eqs 7, 8)."""
        n_timesteps, _, n_channels = x.shape[:3]
        importance = self.feature_importance(x)
        by_channel = top_k_mask(importance, int(n_channels * self.top_share), dim=2)
        by_time = top_k_mask(importance, int(n_timesteps * self.top_share), dim=0)
        return by_channel ^ by_time

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
        first = self._attention_map(x, in_first, self.top_share, self.first_attention)
        second = self._attention_map(x, ~in_first, 1 - self.top_share, self.second_attention)
        # The groups are disjoint, so the sum of the two masked products is one product.
        return x * torch.where(in_first, first, second)

    @staticmethod
    def _attention_map(x: Tensor, mask: Tensor, share: float, conv: nn.Module) -> Tensor:
        """Return one group's attention map, shape (sample, 1, y, x) (eqs 9, 10).

        Masked zeros take part in both pools, as in the published implementation.
        """
        masked = torch.where(mask, x, 0.0)
        pooled = torch.stack([masked.mean(dim=(0, 2)) / share, masked.amax(dim=(0, 2))], dim=1)
        return torch.sigmoid(conv(pooled))
