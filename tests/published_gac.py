"""Networks whose modules hold one another as those of the published GAC code do.

Only names and nesting matter here: they decide the keys of a state_dict, and with them
which weights stand in it several times.
"""

import torch
from torch import nn


def fire(x, threshold, decay, axis):
    potential, spikes = 0.0, []
    for current in x.unbind(axis):
        potential = decay * potential + current
        spikes.append((potential > threshold).float())
        potential = potential * (1 - spikes[-1])
    return torch.stack(spikes, axis)


class OverTime(nn.Module):
    def __init__(self, module):
        super().__init__()
        self.module = module

    def forward(self, x):
        return self.module(x.flatten(0, 1)).unflatten(0, x.shape[:2])


class NormTwice(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.bn = nn.BatchNorm2d(channels)
        self.seqbn = OverTime(self.bn)

    def forward(self, x):
        return self.seqbn(x)


class LayerAndNorm(nn.Module):
    def __init__(self, layer, bn=None):
        super().__init__()
        self.layer, self.bn = OverTime(layer), bn

    def forward(self, x):
        x = self.layer(x)
        return x if self.bn is None else self.bn(x)


class Part(nn.Module):
    def __init__(self, layers):
        super().__init__()
        self.sharedMLP = layers


class Gate(nn.Module):
    """Keys ``TA.sharedMLP.0.weight`` (1x1x1 convolutions over time) and ``SCA....``."""

    def __init__(self, n_timesteps, channels, kernel):
        super().__init__()
        half = n_timesteps // 2
        self.TA = Part(
            nn.Sequential(
                nn.Conv3d(n_timesteps, half, 1, bias=False),
                nn.ReLU(),
                nn.Conv3d(half, n_timesteps, 1, bias=False),
            )
        )
        self.SCA = Part(
            nn.Sequential(
                nn.Conv2d(channels, channels, kernel, padding="same", bias=False),
                nn.ReLU(),
                nn.Conv2d(channels, channels, kernel, padding="same", bias=False),
            )
        )

    def forward(self, x):
        over_time = self.TA.sharedMLP(x.mean((2, 3, 4), keepdim=True)) + self.TA.sharedMLP(
            x.amax((2, 3, 4), keepdim=True)
        )
        return torch.sigmoid(over_time * OverTime(self.SCA.sharedMLP)(x))


class CIFARBlock(nn.Module):
    def __init__(self, before, after, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, stride, 1, bias=False)
        self.bn1 = NormTwice(after)
        self.conv2 = nn.Conv2d(after, after, 3, 1, 1, bias=False)
        self.bn2 = NormTwice(after)
        self.downsample = None
        if stride > 1 or before != after:
            conv = nn.Conv2d(before, after, 1, stride, bias=False)
            self.downsample = LayerAndNorm(conv, NormTwice(after))
        self.conv1_s = LayerAndNorm(self.conv1, self.bn1)
        self.conv2_s = LayerAndNorm(self.conv2, self.bn2)

    def forward(self, x):
        out = self.conv1_s(fire(x, 1.0, 0.5, 1))
        out = self.conv2_s(fire(out, 1.0, 0.5, 1))
        return out + (x if self.downsample is None else self.downsample(x))


class CIFARNetwork(nn.Module):
    def __init__(self, widths, n_classes, n_timesteps, encoder=True):
        super().__init__()
        self.n_timesteps = n_timesteps
        self.conv1 = nn.Conv2d(3, widths[0], 3, 1, 1, bias=False)
        self.bn1 = NormTwice(widths[0])
        self.conv1_s = LayerAndNorm(self.conv1, self.bn1)
        for n, (blocks, stride) in enumerate(((3, 1), (3, 2), (2, 2)), 1):
            stage = [CIFARBlock(widths[n - 1], widths[n], stride)]
            stage += [CIFARBlock(widths[n], widths[n], 1) for _ in range(blocks - 1)]
            setattr(self, f"layer{n}", nn.Sequential(*stage))
        self.fc1 = nn.Linear(widths[-1], n_classes)
        self.fc1_s = LayerAndNorm(self.fc1)
        self.encoding = Gate(n_timesteps, widths[0], 4) if encoder else None

    def forward(self, image):
        x = self.conv1_s(image.unsqueeze(1).repeat(1, self.n_timesteps, 1, 1, 1))
        if self.encoding is not None:
            x = self.encoding(x) * fire(x, 1.0, 0.5, 1)
        x = fire(self.layer3(self.layer2(self.layer1(x))), 1.0, 0.5, 1)
        return self.fc1_s(x.mean((-2, -1))).mean(1)


class NormOfVolumes(nn.Module):
    """Key ``bn.weight``; normalises (time, sample, channel, y, x) as volumes."""

    def __init__(self, channels):
        super().__init__()
        self.bn = nn.BatchNorm3d(channels)

    def forward(self, x):
        return self.bn(x.permute(1, 2, 0, 3, 4)).permute(2, 0, 1, 3, 4)


class TimedConv(nn.Conv2d):
    def forward(self, x):
        return super().forward(x.flatten(0, 1)).unflatten(0, x.shape[:2])


class ImageNetBlock(nn.Module):
    def __init__(self, before, after, stride):
        super().__init__()
        self.conv1 = TimedConv(before, after, 3, stride, 1, bias=False)
        self.bn1 = NormOfVolumes(after)
        self.conv2 = TimedConv(after, after, 3, 1, 1, bias=False)
        self.bn2 = NormOfVolumes(after)
        self.shortcut = nn.Sequential()
        if stride > 1 or before != after:
            conv = TimedConv(before, after, 1, stride, bias=False)
            self.shortcut = nn.Sequential(conv, NormOfVolumes(after))

    def forward(self, x):
        out = self.bn1(self.conv1(fire(x, 0.5, 0.25, 0)))
        return self.bn2(self.conv2(fire(out, 0.5, 0.25, 0))) + self.shortcut(x)


class ImageNetNetwork(nn.Module):
    def __init__(self, widths, blocks, n_classes, n_timesteps, kernel=4):
        super().__init__()
        self.n_timesteps = n_timesteps
        conv = TimedConv(3, widths[0], 7, 2, 3, bias=False)
        self.conv1 = nn.Sequential(conv, NormOfVolumes(widths[0]))
        self.encoding = Gate(n_timesteps, widths[0], kernel)
        for n, n_blocks in enumerate(blocks, 1):
            stage = [ImageNetBlock(widths[n - 1], widths[n], 2)]
            stage += [ImageNetBlock(widths[n], widths[n], 1) for _ in range(n_blocks - 1)]
            setattr(self, f"conv{n + 1}_x", nn.Sequential(*stage))
        self.fc1 = nn.Linear(widths[-1], n_classes)
        self.fc1_s = LayerAndNorm(self.fc1)

    def forward(self, image):
        x = self.conv1(image.repeat(self.n_timesteps, 1, 1, 1, 1))
        gate = self.encoding(x.transpose(0, 1)).transpose(0, 1)
        x = gate * fire(x, 0.5, 0.25, 0)
        for n in range(2, 6):
            x = getattr(self, f"conv{n}_x")(x)
        return self.fc1_s(fire(x, 0.5, 0.25, 0).mean((-2, -1))).mean(0)
