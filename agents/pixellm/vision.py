"""The vision tower: a frame -> maps of features, from several depths. And the projectors that hand them on."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from agents.pixellm.config import PixelLMConfig
from agents.videoworld.attention import attend

# Of photographs, as the published model has them; pixels in 0..255
PIXEL_MEAN = (123.675, 116.28, 103.53)
PIXEL_STD = (58.395, 57.12, 57.375)


def normalised(frames: Tensor, sizes: Tensor) -> Tensor:
    """uint8 frames (B, S, S, 3), whose pictures are `sizes` (B, 2) high and wide -> float32 (B, 3, S, S), 0 beyond."""
    mean = torch.tensor(PIXEL_MEAN, device=frames.device)
    std = torch.tensor(PIXEL_STD, device=frames.device)
    return (((frames.float() - mean) / std) * inside(sizes, frames.shape[1])[..., None]).permute(0, 3, 1, 2)


def inside(sizes: Tensor, side: int, cell: int = 1) -> Tensor:
    """bool (B, side, side): which cells of `cell` px hold a part of a picture of `sizes` (B, 2) px, top left."""
    starts = torch.arange(side, device=sizes.device) * cell
    rows, columns = starts < sizes[:, :1], starts < sizes[:, 1:]  # (B, side) each
    return rows[:, :, None] & columns[:, None, :]


def wave_positions(grid: int, dim: int) -> Tensor:
    """Sines and cosines of rows and columns (grid * grid, dim), as ViTs begin with."""
    frequencies = 10_000.0 ** -(torch.arange(dim // 4) / (dim // 4))
    angles = torch.arange(grid)[:, None] * frequencies  # (grid, dim / 4)
    waves = torch.cat([angles.sin(), angles.cos()], 1)
    rows, columns = waves[:, None].expand(-1, grid, -1), waves[None].expand(grid, -1, -1)
    return torch.cat([rows, columns], -1).flatten(0, 1)


def resized_positions(table: Tensor, grid: int, prefix: int) -> Tensor:
    """A position table (prefix + n * n, D) for a grid of another side: (prefix + grid * grid, D).

    The first `prefix` rows belong to tokens that are no cells, such as the class token of CLIP, and stay as they are.
    """
    side = math.isqrt(len(table) - prefix)
    if side * side != len(table) - prefix:
        raise ValueError(f"{len(table)} positions, {prefix} of them for other tokens, are no square grid")
    if side == grid:
        return table
    cells = table[prefix:].T.unflatten(1, (side, side))[None].float()
    cells = F.interpolate(cells, size=(grid, grid), mode="bicubic", align_corners=False)
    return torch.cat([table[:prefix], cells[0].flatten(1).T.to(table.dtype)])


class VisionBlock(nn.Module):
    """Attention and MLP, each on a normalised residual stream."""

    def __init__(self, width: int, heads: int, mlp: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.inner, self.outer = nn.Linear(width, mlp), nn.Linear(mlp, width)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """x (B, n, width); mask: bool (B, 1, 1, n), which cells may be looked at, or None for all."""
        qkv = self.qkv(self.norm1(x)).unflatten(-1, (3, self.heads, -1))  # (B, n, 3, heads, size)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        mixed = attend(q, k, v, mask)
        x = x + self.out(mixed.transpose(1, 2).flatten(2))
        return x + self.outer(F.gelu(self.inner(self.norm2(x))))


class VisionTower(nn.Module):
    """A ViT without a class token: frames (B, 3, S, S) -> feature maps (B, width, grid, grid), one a scale."""

    def __init__(self, c: PixelLMConfig) -> None:
        super().__init__()
        self.config = c
        self.stem = _conv_stem(c) if c.stem == "conv" else nn.Conv2d(3, c.vision_width, c.patch, stride=c.patch)
        self.position = nn.Parameter(wave_positions(c.grid, c.vision_width))
        depth = max(c.features)  # blocks behind the last scale would do nothing
        blocks = [VisionBlock(c.vision_width, c.vision_heads, c.vision_mlp) for _ in range(depth)]
        self.blocks = nn.ModuleList(blocks)
        self.norms = nn.ModuleList(nn.LayerNorm(c.vision_width) for _ in c.features)
        for block in blocks:
            for layer in (block.out, block.outer):  # what writes to the residual stream
                nn.init.normal_(layer.weight, std=0.02 / math.sqrt(2 * depth))

    def forward(self, frames: Tensor, cells: Tensor | None = None) -> list[Tensor]:
        """frames: normalised. cells: bool (B, grid, grid), which hold a part of the picture; None: all."""
        x = self.stem(frames).flatten(2).transpose(1, 2) + self.position  # (B, n, width)
        mask = None if cells is None else cells.flatten(1)[:, None, None]
        outputs = {}
        for number, block in enumerate(self.blocks, start=1):
            x = block(x, mask)
            outputs[number] = x
        maps = [norm(outputs[number]) for norm, number in zip(self.norms, self.config.features, strict=True)]
        return [x.transpose(1, 2).unflatten(2, (self.config.grid, -1)) for x in maps]


def _conv_stem(c: PixelLMConfig) -> nn.Sequential:
    """Strided 3x3 convolutions down to the grid (Xiao et al. 2021), and a 1x1 one to the tower's width."""
    steps = int(math.log2(c.patch))
    widths = [max(16, c.vision_width // 2 ** (steps - number)) for number in range(steps)]
    layers: list[nn.Module] = []
    for inputs, outputs in zip([3, *widths], widths, strict=False):
        layers += [nn.Conv2d(inputs, outputs, 3, stride=2, padding=1), nn.GroupNorm(1, outputs), nn.GELU()]
    return nn.Sequential(*layers, nn.Conv2d(widths[-1] if widths else 3, c.vision_width, 1))


class Projector(nn.Sequential):
    """Two layers with a GELU between them, on the last dimension."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(nn.Linear(inputs, 2 * outputs), nn.GELU(), nn.Linear(2 * outputs, outputs))


class ImageTokens(nn.Module):
    """The deepest features, pooled and projected: what the language model sees of a frame."""

    def __init__(self, c: PixelLMConfig) -> None:
        super().__init__()
        self.pool, self.joins = c.pool, c.pooling == "join"
        self.projector = Projector(c.vision_width * (c.pool**2 if self.joins else 1), c.dim)

    def forward(self, features: Tensor) -> Tensor:
        """(B, width, grid, grid) -> (B, image tokens, dim), row by row."""
        if self.joins:
            x = F.pixel_unshuffle(features, self.pool)
            return self.projector(x.flatten(2).transpose(1, 2))
        # The published order: every cell is projected, then neighbours are averaged
        x = self.projector(features.flatten(2).transpose(1, 2)).transpose(1, 2)
        return F.avg_pool2d(x.unflatten(2, features.shape[2:]), self.pool).flatten(2).transpose(1, 2)
