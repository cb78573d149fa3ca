"""The published dynamics model's video networks: causal 3-D convolutions over a clip, no stride in time.

Clips are (B, C, T, H, W). Before the stem every clip gets `LEAD_IN` zero frames, so T' = T + LEAD_IN below.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from agents.videoworld.config import DynamicsConfig

LEAD_IN = 3  # zero frames before the clip
FRAME_GROUPS = 4  # of the per-frame norms


class CausalConv3d(nn.Conv3d):
    """Cubic convolution that pads time in front only, space on both sides; `stride` is spatial."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1):
        pad = kernel // 2
        super().__init__(inputs, outputs, kernel, stride=(1, stride, stride), padding=(0, pad, pad))

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(F.pad(x, (0, 0, 0, 0, self.kernel_size[0] - 1, 0)))


class PerFrameNorm(nn.Module):
    """GroupNorm of every frame by itself, with its own scale and shift for every (time, channel).

    The parameters belong to one clip length T'; a shorter clip uses the first of them.
    """

    def __init__(self, channels: int, length: int):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(length * channels))  # time major
        self.bias = nn.Parameter(torch.zeros(length * channels))

    def forward(self, x: Tensor) -> Tensor:
        channels, length = x.shape[1:3]
        y = F.group_norm(x.transpose(1, 2).flatten(0, 1), FRAME_GROUPS)  # (B*T', C, H, W)
        affine = [v.view(-1, channels)[:length, :, None, None] for v in (self.weight, self.bias)]
        return (y.unflatten(0, (-1, length)) * affine[0] + affine[1]).transpose(1, 2)


class Residual3d(nn.Module):
    """As Residual in layers.py. `length` T' picks per-frame norms, 0 GroupNorms that pool over time."""

    def __init__(self, inputs: int, outputs: int, groups: int, length: int = 0):
        super().__init__()
        self.norm1 = PerFrameNorm(inputs, length) if length else nn.GroupNorm(groups, inputs)
        self.conv1 = CausalConv3d(inputs, outputs, 3)
        self.norm2 = PerFrameNorm(outputs, length) if length else nn.GroupNorm(groups, outputs)
        self.conv2 = CausalConv3d(outputs, outputs, 3)
        self.shortcut = CausalConv3d(inputs, outputs, 1) if inputs != outputs else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv1(F.silu(self.norm1(x)))
        return self.shortcut(x) + self.conv2(F.silu(self.norm2(y)))


def stack(inputs: int, outputs: int, c: DynamicsConfig, length: int = 0) -> nn.Sequential:
    """`c.blocks` residual blocks, the first of which changes the width."""
    return nn.Sequential(*(Residual3d(outputs if i else inputs, outputs, c.groups, length) for i in range(c.blocks)))


class ClipEncoder(nn.Module):
    """Clip (B, 3, T, H, W) in [-1, 1] -> features (B, C, T, h, w) and the decoder's lead-in (B, C, LEAD_IN + 1, h, w).

    The lead-in (zero frames and first frame, before the last norm) depends on the first frame alone. The features do
    not keep time apart strictly: as published, the last GroupNorm pools its statistics over the whole clip.
    """

    def __init__(self, c: DynamicsConfig):
        super().__init__()
        widths, length = c.widths, c.horizon + 1 + LEAD_IN
        layers: list[nn.Module] = [CausalConv3d(3, widths[0], 7)]
        for i, width in enumerate(widths):
            layers.append(stack(widths[max(i - 1, 0)], width, c, length))
            if i < len(widths) - 1:
                layers.append(CausalConv3d(width, width, 3, stride=2))
        layers.append(stack(widths[-1], widths[-1], c, length))
        self.layers = nn.Sequential(*layers)
        last = widths[-1]
        self.head = nn.Sequential(nn.GroupNorm(c.groups, last), nn.SiLU(), CausalConv3d(last, last, 1))

    def forward(self, clip: Tensor) -> tuple[Tensor, Tensor]:
        x = self.layers(F.pad(clip, (0, 0, 0, 0, LEAD_IN, 0)))  # (B, C, T', h, w)
        return self.head(x)[:, :, LEAD_IN:], x[:, :, : LEAD_IN + 1]

    def lead_in(self, first: Tensor) -> Tensor:
        """First frame (B, 3, 1, H, W) -> the lead-in of every clip that starts with it."""
        return self.layers(F.pad(first, (0, 0, 0, 0, LEAD_IN, 0)))


class AdaptiveNorm(nn.Module):
    """GroupNorm whose scale and shift come from the mean of the whole decoder input."""

    def __init__(self, channels: int, context: int, groups: int):
        super().__init__()
        self.groups = groups
        self.affine = nn.Linear(context, 2 * channels)

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        scale, shift = self.affine(context)[:, :, None, None, None].chunk(2, dim=1)
        return F.group_norm(x, self.groups) * (1 + scale) + shift


class Up3d(nn.Module):
    """Twice the spatial resolution: convolution to four times the channels, SiLU, pixel shuffle."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv = CausalConv3d(channels, 4 * channels, 3)

    def forward(self, x: Tensor) -> Tensor:
        return F.pixel_shuffle(F.silu(self.conv(x)).transpose(1, 2), 2).transpose(1, 2)


class ClipDecoder(nn.Module):
    """Lead-in (B, C, LEAD_IN + 1, h, w) and quantized codes (B, N, C) -> clip (B, 3, 1 + N, H, W), not clamped.

    A published state dict also holds a last norm (GroupNorm(32, 128)) that its forward pass never runs: left out here.
    """

    def __init__(self, c: DynamicsConfig):
        super().__init__()
        widths = c.widths[::-1]
        self.stem = stack(widths[0], widths[0], c)
        befores = [widths[0], *widths[:-1]]
        self.ups = nn.ModuleList([nn.Identity(), *(Up3d(before) for before in befores[1:])])
        self.norms = nn.ModuleList(AdaptiveNorm(before, widths[0], c.groups) for before in befores)
        self.stacks = nn.ModuleList(stack(before, width, c) for before, width in zip(befores, widths, strict=True))
        self.head = CausalConv3d(widths[-1], 3, 1)

    def forward(self, lead_in: Tensor, codes: Tensor) -> Tensor:
        tiles = codes.transpose(1, 2)[..., None, None].expand(-1, -1, -1, *lead_in.shape[3:])
        x = torch.cat([lead_in, tiles], dim=2)  # (B, C, LEAD_IN + 1 + N, h, w)
        context = x.mean((2, 3, 4))
        x = self.stem(x)
        for up, norm, blocks in zip(self.ups, self.norms, self.stacks, strict=True):
            x = blocks(norm(up(x), context))
        return self.head(x)[:, :, LEAD_IN:]
