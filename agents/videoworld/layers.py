"""Layers that the tokenizer and the dynamics model share. Channels come second; channels-last memory is fine."""

from __future__ import annotations

import math
from contextlib import AbstractContextManager, nullcontext

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def to_float(frames: Tensor) -> Tensor:
    """uint8 frames to float32 in [-1, 1]; float frames pass as they are."""
    return frames.float().div_(127.5).sub_(1) if frames.dtype == torch.uint8 else frames


def to_uint8(pixels: Tensor) -> Tensor:
    """Floats in [-1, 1] (clamped) to uint8, rounded."""
    return ((pixels.float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)


def full_precision(x: Tensor) -> AbstractContextManager[object]:
    """Autocast off on the device of `x` (the meta device knows no autocast)."""
    return nullcontext() if x.is_meta else torch.autocast(x.device.type, enabled=False)


class Whiten(nn.Module):
    """(..., C) -> mean 0, covariance 1 over the training data, by running statistics, which carry no gradient.

    Before a quantizer this keeps its dimensions from all saying the same: what one has said is taken out of the next,
    and the rest, however faint, is amplified until it crosses the steps between the levels.
    """

    mean: Tensor
    covariance: Tensor
    updates: Tensor

    def __init__(self, channels: int):
        super().__init__()
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("covariance", torch.eye(channels))
        self.register_buffer("updates", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self._update(x.detach().flatten(0, -2))
        return (x - self.mean) @ torch.linalg.inv(self._factor()).T

    def _update(self, x: Tensor) -> None:
        self.updates += 1
        rate = (1 / self.updates).clamp(min=0.01)
        self.mean.lerp_(x.mean(0), rate)
        centred = x - self.mean
        self.covariance.lerp_(centred.T @ centred / len(x), rate)

    def _factor(self) -> Tensor:
        """Lower triangular square root of the covariance, kept away from singular."""
        floor = 1e-4 * self.covariance.diagonal().mean() + 1e-8
        return torch.linalg.cholesky_ex(self.covariance + floor * torch.eye(len(self.mean), device=self.mean.device))[0]


class Quantizer(nn.Module):
    """Finite scalar quantizer (Mentzer et al. 2023, section 3.1): Linear in, bounded and rounded vector, Linear out.

    A dimension with L levels is bounded to (L - 1) / 2 on either side and rounded, then scaled to [-1, 1]; an even L is
    shifted by half a level. Ids are mixed radix, the first level the least significant. It always runs in float32,
    whatever autocast is active.

    Not published: `whiten` decorrelates the vectors before they are bounded, and for the first `anneal` training steps
    noise that grows to the width of a level stands in for the rounding. Codes can then drift apart before they freeze.
    """

    sizes: Tensor
    basis: Tensor
    updates: Tensor

    def __init__(self, levels: tuple[int, ...], dim: int, *, whiten: bool = False, anneal: int = 0):
        super().__init__()
        self.levels, self.anneal = tuple(levels), anneal
        self.size = math.prod(self.levels)  # how many ids there are
        n = len(self.levels)
        self.project_in: nn.Module = nn.Linear(dim, n) if dim != n else nn.Identity()
        self.project_out: nn.Module = nn.Linear(n, dim) if dim != n else nn.Identity()
        self.register_buffer("sizes", torch.tensor(self.levels), persistent=False)
        basis = [math.prod(self.levels[:i]) for i in range(n)]
        self.register_buffer("basis", torch.tensor(basis), persistent=False)
        self.whiten = Whiten(n) if whiten else nn.Identity()
        if anneal:
            self.register_buffer("updates", torch.zeros(()))

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """z (..., dim) -> quantized (..., dim), straight-through gradients, and ids (...) int64."""
        with full_precision(z):
            bounded = self.bounded(self.whiten(self.project_in(z.float())))
            half = self.sizes // 2
            rounded = bounded.round()
            ids = self.ids(rounded / half)
            vectors = (bounded + (rounded - bounded).detach()) / half
            if self.training and self.anneal:
                self.updates += 1
                loudness = self.updates / self.anneal
                noisy = (bounded + loudness * (torch.rand_like(bounded) - 0.5)) / half
                vectors = torch.where(loudness < 1, noisy, vectors)
            return self.project_out(vectors), ids

    def bounded(self, z: Tensor) -> Tensor:
        """Between the outermost levels, in units of a level, 0 in the middle; whole numbers are levels."""
        half = (self.sizes - 1) * (1 + 1e-3) / 2
        offset = torch.where(self.sizes % 2 == 0, 0.5, 0.0)
        return torch.tanh(z + torch.atanh(offset / half)) * half - offset

    def ids(self, vectors: Tensor) -> Tensor:
        """Code vectors (..., n_levels) -> ids (...) int64."""
        half = self.sizes // 2
        return ((vectors * half + half).round().long() * self.basis).sum(-1)

    def vectors(self, ids: Tensor) -> Tensor:
        """Ids (...) -> code vectors (..., n_levels) float32 in [-1, 1]."""
        half = self.sizes // 2
        return (ids[..., None] // self.basis % self.sizes - half) / half

    def lookup(self, ids: Tensor) -> Tensor:
        """Ids (...) -> what `forward` gives for them (..., dim)."""
        with full_precision(ids):
            return self.project_out(self.vectors(ids))


class PositionNorm(nn.Module):
    """LayerNorm over the channels of every position by itself: unlike GroupNorm it lets no position see another."""

    def __init__(self, channels: int):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        x = x.movedim(1, -1)
        return F.layer_norm(x, x.shape[-1:], self.weight, self.bias, eps=1e-6).movedim(-1, 1)


def norm(channels: int, groups: int) -> nn.Module:
    """GroupNorm, or PositionNorm for 0 groups."""
    return nn.GroupNorm(groups, channels, eps=1e-6) if groups else PositionNorm(channels)


class Residual(nn.Module):
    """x + conv(silu(norm(conv(silu(norm(x)))))), with a 1x1 shortcut where the width changes."""

    def __init__(self, inputs: int, outputs: int, *, kernel: int, groups: int):
        super().__init__()
        self.norm1 = norm(inputs, groups)
        self.conv1 = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2)
        self.norm2 = norm(outputs, groups)
        self.conv2 = nn.Conv2d(outputs, outputs, kernel, padding=kernel // 2)
        self.shortcut = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv1(F.silu(self.norm1(x)))
        return self.shortcut(x) + self.conv2(F.silu(self.norm2(y)))


class Attention(nn.Module):
    """One-head self-attention over all positions, residual, without position embedding."""

    def __init__(self, channels: int, groups: int):
        super().__init__()
        self.norm = norm(channels, groups)
        self.attention = nn.MultiheadAttention(channels, num_heads=1, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(x).flatten(2).transpose(1, 2)  # (N, h*w, C)
        y = self.attention(y, y, y, need_weights=False)[0]
        return x + y.transpose(1, 2).unflatten(2, x.shape[2:])


class Down(nn.Module):
    """Half the resolution: 3x3 conv with padding on the right and below only, or 2x2 conv for kernel 1."""

    def __init__(self, channels: int, kernel: int):
        super().__init__()
        self.pad = int(kernel > 1)
        self.conv = nn.Conv2d(channels, channels, 2 + self.pad, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.pad(x, (0, self.pad, 0, self.pad)))


class Up(nn.Module):
    """Twice the resolution: nearest neighbour and 3x3 conv, or a 2x2 transposed conv for kernel 1."""

    def __init__(self, channels: int, kernel: int):
        super().__init__()
        self.conv: nn.Module
        if kernel > 1:
            self.conv = nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv2d(channels, channels, 3, padding=1))
        else:
            self.conv = nn.ConvTranspose2d(channels, channels, 2, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x)
