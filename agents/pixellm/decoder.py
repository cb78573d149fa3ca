"""The light pixel decoder: feature maps and a target's queries -> logits of its mask and a score.

From the deepest scale to the finest: the tokens of a target and the pixels attend to one another both ways, and the
mask is an inner product. Each finer map is brightened where the mask before it lies, and at the end the masks of all
scales are added up with learned weights. Where words look (see looking.py), they locate a target cell by cell before
its mask is drawn; a guided decoder has those pixels marked, as prompts are in Kirillov et al. 2023.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from agents.pixellm.config import PixelLMConfig
from agents.pixellm.vision import Projector
from agents.videoworld.attention import attend
from agents.videoworld.layers import PositionNorm


class Attention(nn.Module):
    """Multi-head attention with an inner width of its own."""

    def __init__(self, width: int, inner: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q, self.k, self.v = (nn.Linear(width, inner) for _ in range(3))
        self.out = nn.Linear(inner, width)

    def forward(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
        """(M, n, width), (M, m, width) twice -> (M, n, width)."""
        q, k, v = (
            project(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for project, x in ((self.q, q), (self.k, k), (self.v, v))
        )
        return self.out(attend(q, k, v, mask).transpose(1, 2).flatten(2))


class TwoWayLayer(nn.Module):
    """Tokens among themselves, tokens to pixels, an MLP on the tokens, pixels to tokens (Kirillov et al. 2023)."""

    def __init__(self, width: int, heads: int, mlp: int) -> None:
        super().__init__()
        self.own = Attention(width, width, heads)
        self.to_pixels = Attention(width, width // 2, heads)
        self.mlp = nn.Sequential(nn.Linear(width, mlp), nn.ReLU(), nn.Linear(mlp, width))
        self.to_tokens = Attention(width, width // 2, heads)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(4))

    def forward(
        self, x: Tensor, pixels: Tensor, names: Tensor | float, places: Tensor, mask: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """x (M, t, width) and pixels (M, n, width), as they are after the layer.

        names, places: what tells tokens and pixels apart, added to every query and key; 0 for no names.
        """
        own = x + names
        x = self.norms[0](x + self.own(own, own, x))
        x = self.norms[1](x + self.to_pixels(x + names, pixels + places, pixels, mask))
        x = self.norms[2](x + self.mlp(x))
        pixels = self.norms[3](pixels + self.to_tokens(pixels + places, x + names, x))
        return x, pixels


class TwoWay(nn.Module):
    """Two-way layers, and a last look of the tokens at the pixels."""

    def __init__(self, c: PixelLMConfig) -> None:
        super().__init__()
        width, heads = c.decoder_width, c.decoder_heads
        self.layers = nn.ModuleList(TwoWayLayer(width, heads, c.decoder_mlp) for _ in range(c.decoder_layers))
        self.last = Attention(width, width // 2, heads)
        self.norm = nn.LayerNorm(width)

    def forward(self, tokens: Tensor, pixels: Tensor, places: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
        """tokens (M, t, width), pixels (M, n, width), places (n, width), mask bool (M, 1, 1, n) or None."""
        x, names = tokens, tokens
        for number, layer in enumerate(self.layers):
            x, pixels = layer(x, pixels, names if number else 0.0, places, mask)
        x = self.norm(x + self.last(x + names, pixels + places, pixels, mask))
        return x, pixels


class FourierPlaces(nn.Module):
    """Random Fourier features of the places on a grid (Tancik et al. 2020)."""

    directions: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("directions", torch.randn(2, width // 2))

    def forward(self, side: int) -> Tensor:
        """(side * side, width)."""
        middles = (torch.arange(side, device=self.directions.device) + 0.5) / side * 2 - 1
        rows, columns = torch.meshgrid(middles, middles, indexing="ij")
        angles = 2 * math.pi * torch.stack([columns, rows], -1).flatten(0, 1) @ self.directions
        return torch.cat([angles.sin(), angles.cos()], -1)


class Neck(nn.Sequential):
    """1x1 and 3x3 convolutions, each with a norm over the channels."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__(
            nn.Conv2d(inputs, width, 1, bias=False),
            PositionNorm(width),
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            PositionNorm(width),
        )


def _doubled(inputs: int, outputs: int) -> list[nn.Module]:
    """Twice the side, by a transposed convolution."""
    return [nn.ConvTranspose2d(inputs, outputs, 2, stride=2), PositionNorm(outputs), nn.GELU()]


class Quarters(nn.ConvTranspose2d):
    """Pixels in rows (..., s, inputs) -> their four quarters each (..., 4 s, outputs), row by row.

    A transposed convolution of kernel and stride 2 that keeps the channels last, as the norm and the activation behind
    it want them; between layouts that differ their way back is slow on CPUs (benchmarks/RESULTS.md).
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 2, stride=2)

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        """See the class."""
        assert self.bias is not None
        weight = self.weight.permute(2, 3, 1, 0).flatten(0, 2)
        return F.linear(x, weight, self.bias.repeat(4)).unflatten(-1, (4, -1)).flatten(-3, -2)


def _rows(level: Tensor) -> Tensor:
    """A map (B, width, side, side) as pixels in rows, (B, side * side, width)."""
    return level.flatten(2).transpose(1, 2)


def _each(pixels: Tensor, samples: Tensor) -> Tensor:
    """pixels[samples]; on CPUs its way back is a product and no sum of scattered rows, which takes longer."""
    if pixels.device.type != "cpu" or not torch.is_grad_enabled():
        return pixels[samples]
    chosen = F.one_hot(samples, len(pixels)).to(pixels.dtype)
    return (chosen @ pixels.flatten(1)).unflatten(1, pixels.shape[1:])


def _finer(grid: Tensor, doublings: int) -> Tensor:
    """Cells (B, side, side), each as 2 ** doublings by as many."""
    return grid.repeat_interleave(2**doublings, 1).repeat_interleave(2**doublings, 2)


def _three_layers(width: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, outputs)
    )


class PixelDecoder(nn.Module):
    """What both decoders share: projector, a neck and a place in the sum for each scale, the inner product.

    The score is a head's guess at the mask's true IoU, which it is taught (see losses.py).
    """

    def __init__(self, c: PixelLMConfig) -> None:
        super().__init__()
        self.config, width = c, c.decoder_width
        self.projector = Projector(c.vision_width, c.projector)
        self.necks = nn.ModuleList(Neck(c.projector, width) for _ in c.features)
        doublings = int(math.log2(c.growth))
        self.channels = max(8, width // 4)
        widths = [width] + [max(self.channels, width // 2 ** (step + 1)) for step in range(doublings - 1)]
        ends = [*widths[1:], self.channels]
        grown = [
            layer
            for before, behind in zip(widths, ends, strict=True)
            for layer in (Quarters(before, behind), nn.LayerNorm(behind, eps=1e-6), nn.GELU())
        ]
        # Pixels (..., n, 1, width) -> what they are split into, (..., n, growth ** 2, channels)
        self.upsample = nn.Sequential(*(grown if doublings else [nn.Linear(width, self.channels)]))
        self.filters = _three_layers(width, self.channels)
        self.score = _three_layers(width, 1)
        self.gamma = nn.Parameter(torch.full((len(c.features),), 1 / len(c.features)))
        # Map number k comes with 2 ** k times the side of the grid
        self.finer = nn.ModuleList(
            nn.Sequential(*(layer for _ in range(number) for layer in _doubled(width, width)))
            for number in range(len(c.features))
        )

    def maps(self, features: list[Tensor]) -> list[Tensor]:
        """The tower's features (B, vision width, grid, grid) -> maps (B, width, side, side), coarse to fine."""
        maps = []
        for feature, neck, finer in zip(features, self.necks, self.finer, strict=True):
            x = self.projector(feature.movedim(1, -1)).movedim(-1, 1)
            maps.append(finer(neck(x)))
        return maps

    def product(self, vectors: Tensor, grown: Tensor) -> Tensor:
        """Filters from vectors (M, width), applied to pixels in rows (M, side * side, growth ** 2, channels): logits.

        They are (M, growth * side, growth * side).
        """
        products = (grown.flatten(1, 2) @ self.filters(vectors)[..., None]).view(grown.shape[:3])
        side, doublings = math.isqrt(products.shape[1]), int(math.log2(self.config.growth))
        parts = products.unflatten(2, (2,) * 2 * doublings) if doublings else products[..., 0]
        parts = parts.unflatten(1, (side, side))
        rows, columns = range(1, parts.ndim, 2), range(2, parts.ndim, 2)
        return parts.permute(0, *rows, *columns).reshape(-1, side * self.config.growth, side * self.config.growth)

    def combined(self, masks: list[Tensor]) -> Tensor:
        """The scales' logits, on the side of the last one, times their learned weights: (M, side, side)."""
        side = self.config.mask_side
        scaled = [
            mask
            if mask.shape[-1] == side
            else F.interpolate(mask[:, None], size=(side, side), mode="bilinear", align_corners=False)[:, 0]
            for mask in masks
        ]
        return torch.stack([gamma * mask for gamma, mask in zip(self.gamma, scaled, strict=True)]).sum(0)


class LightDecoder(PixelDecoder):
    """A two-way transformer for each scale, targets decoded independently of one another.

    A target's tokens are its score token, its mask token and its fused query, each told of the scale.
    """

    def __init__(self, c: PixelLMConfig) -> None:
        super().__init__(c)
        width = c.decoder_width
        self.token_embeddings = nn.Parameter(torch.randn(2, width))
        self.level_embeddings = nn.Parameter(torch.randn(len(c.features), width) * 0.02)
        # Added where a target is located, at each scale
        self.mark_embeddings = nn.Parameter(torch.zeros(len(c.features), width)) if c.guided else None
        self.places = FourierPlaces(width)
        self.transformers = nn.ModuleList(TwoWay(c) for _ in c.features)

    def forward(
        self,
        features: list[Tensor],
        samples: Tensor,
        queries: Tensor,
        cells: Tensor | None = None,
        located: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Logits (M, mask_side, mask_side) and scores' logits (M,) of M targets.

        features: as the tower gives them. samples: int64 (M,), whose frame each target is on. queries: (M, scales,
        width). cells: bool (B, grid, grid), which hold a part of the picture; None: all. located: (M, grid * grid),
        0..1, how likely a cell is the target's, for a guided decoder.
        """
        masks: list[Tensor] = []
        scores = queries.new_zeros(len(queries))
        for number, (level, transformer) in enumerate(zip(self.maps(features), self.transformers, strict=True)):
            side = level.shape[-1]
            pixels = _each(_rows(level), samples)  # (M, side * side, width)
            if masks:
                pixels = pixels * (masks[-1].sigmoid().flatten(1)[..., None] + 1)
            if self.mark_embeddings is not None:
                assert located is not None
                there = _finer(located.unflatten(1, (self.config.grid, -1)), number).flatten(1)[..., None]
                pixels = pixels + there.to(pixels.dtype) * self.mark_embeddings[number].to(pixels.dtype)
            mask = None
            if cells is not None:
                mask = _finer(cells, number)[samples].flatten(1)[:, None, None]
            own = self.token_embeddings.to(queries.dtype).expand(len(queries), -1, -1)
            tokens = torch.cat([own, queries[:, number, None]], 1) + self.level_embeddings[number]
            tokens, pixels = transformer(tokens, pixels, self.places(side), mask)
            masks.append(self._fitted(self.product(tokens[:, 1], self.upsample(pixels[:, :, None])), number))
            scores = self.score(tokens[:, 0])[:, 0]  # that of the finest scale counts
        return self.combined(masks), scores

    def _fitted(self, mask: Tensor, number: int) -> Tensor:
        """A scale's logits on the side of the map that comes next, which they brighten; the last as they are."""
        if number + 1 == len(self.necks):
            return mask
        side = self.config.grid * 2 ** (number + 1)
        if mask.shape[-1] == side:
            return mask
        return F.interpolate(mask[:, None], size=(side, side), mode="bilinear", align_corners=False)[:, 0]


class PlainDecoder(PixelDecoder):
    """For comparison: an inner product of each scale's query with every pixel; no attention, no modulation."""

    def forward(
        self,
        features: list[Tensor],
        samples: Tensor,
        queries: Tensor,
        cells: Tensor | None = None,
        located: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """As LightDecoder; pixels beyond the picture need no mask here, as none looks at another. It is not guided."""
        masks = []
        for number, level in enumerate(self.maps(features)):
            grown = self.upsample(_rows(level)[:, :, None])
            masks.append(self.product(queries[:, number], _each(grown, samples)))
        return self.combined(masks), self.score(queries.mean(1))[:, 0]


def pixel_decoder(c: PixelLMConfig) -> LightDecoder | PlainDecoder:
    """The decoder that the settings ask for."""
    return LightDecoder(c) if c.decoder == "light" else PlainDecoder(c)
