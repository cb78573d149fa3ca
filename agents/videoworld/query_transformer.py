"""The published read-out of latent codes: one learned query per step looks at all frames up to its own."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

HEADS = 4


class CrossAttention(nn.Module):
    """Attention of one query over the keys, at half the width inside."""

    def __init__(self, channels: int):
        super().__init__()
        inner = channels // 2
        self.q, self.k, self.v = (nn.Linear(channels, inner) for _ in range(3))
        self.out = nn.Linear(inner, channels)

    def forward(self, query: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        q, k, v = (
            layer(x).unflatten(-1, (HEADS, -1)).transpose(1, 2)  # (B, heads, length, inner / heads)
            for layer, x in ((self.q, query), (self.k, keys), (self.v, values))
        )
        return self.out(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


class QueryBlock(nn.Module):
    """Cross-attention and MLP, each followed by LayerNorm (post-norm)."""

    def __init__(self, channels: int):
        super().__init__()
        self.attention = CrossAttention(channels)
        self.norm1 = nn.LayerNorm(channels)
        self.mlp = nn.Sequential(nn.Linear(channels, channels), nn.ReLU(), nn.Linear(channels, channels))
        self.norm2 = nn.LayerNorm(channels)

    def forward(self, query: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        query = self.norm1(query + self.attention(query, keys, values))
        return self.norm2(query + self.mlp(query))


class QueryTransformer(nn.Module):
    """Two blocks and a last attention for one query: (B, 1, C), keys and values (B, L, C) -> (B, 1, C)."""

    def __init__(self, channels: int):
        super().__init__()
        self.blocks = nn.ModuleList(QueryBlock(channels) for _ in range(2))
        self.last = CrossAttention(channels)
        self.norm = nn.LayerNorm(channels)

    def forward(self, query: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        for block in self.blocks:
            query = block(query, keys, values)
        return self.norm(query + self.last(2 * query, keys, values))  # as published, the query is added to itself


class QueryReadout(nn.Module):
    """Features (B, C, 1 + N, h, w) -> one vector per step (B, N, C); step k reads frames 0..k.

    Keys carry a fixed random Fourier code of their place, the same in every frame; time has none.
    """

    directions: Tensor

    def __init__(self, channels: int, steps: int):
        super().__init__()
        self.queries = nn.Parameter(torch.randn(steps, channels))
        self.transformers = nn.ModuleList(QueryTransformer(channels) for _ in range(steps))
        self.register_buffer("directions", torch.randn(2, channels // 2))

    def forward(self, features: Tensor) -> Tensor:
        batch, _, length, height, width = features.shape
        values = features.flatten(3).permute(0, 2, 3, 1)  # (B, 1 + N, h*w, C)
        keys = (values + self._places(height, width)).flatten(1, 2)  # (B, (1 + N) * h*w, C)
        values = values.flatten(1, 2)
        outs = []
        for k in range(1, length):
            seen = (k + 1) * height * width
            query = self.queries[k - 1].expand(batch, 1, -1)
            outs.append(self.transformers[k - 1](query, keys[:, :seen], values[:, :seen]))
        return torch.cat(outs, dim=1)

    def _places(self, height: int, width: int) -> Tensor:
        """Fourier code (h*w, C) of the cells' centres, x and y in [-1, 1]."""
        y, x = (2 * (torch.arange(n, device=self.directions.device) + 0.5) / n - 1 for n in (height, width))
        xy = torch.stack([x.expand(height, -1), y[:, None].expand(-1, width)], dim=-1).flatten(0, 1)
        angles = 2 * math.pi * xy @ self.directions
        return torch.cat([angles.sin(), angles.cos()], dim=-1)
