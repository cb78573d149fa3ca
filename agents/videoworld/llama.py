"""Llama decoder blocks (Touvron et al. 2023), on inputs that are embedded elsewhere and under any attention mask.

The names of parameters are those of the transformers library, so weights go over as they are; a test holds the two
side by side. The library's own class serves too, but importing it takes longer than everything else an agent does
before its first move.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from agents.videoworld.attention import attend


@dataclass(frozen=True)
class KVCache:
    """Keys and values (B, heads, length, dim / heads) of every layer. Growing makes a new cache: branches are free."""

    keys: tuple[Tensor, ...]
    values: tuple[Tensor, ...]

    def __len__(self) -> int:
        return self.keys[0].shape[2]


class RMSNorm(nn.Module):
    """x / rms(x) over the last dimension, times a learned weight; the mean is taken in float32."""

    def __init__(self, dim: int, eps: float = 1e-6):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        wide = x.float()
        return self.weight * (wide * (wide.square().mean(-1, keepdim=True) + self.eps).rsqrt()).to(x.dtype)


def rotation(positions: Tensor, size: int, dtype: torch.dtype, theta: float = 10_000.0) -> tuple[Tensor, Tensor]:
    """Cosines and sines (..., size) of rotary embeddings (Su et al. 2021) for positions (...)."""
    frequencies = theta ** -(torch.arange(0, size, 2, device=positions.device, dtype=torch.float32) / size)
    angles = positions[..., None] * frequencies
    angles = torch.cat([angles, angles], -1)
    return angles.cos().to(dtype), angles.sin().to(dtype)


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn the pairs (i, i + size / 2) of x (..., count, size)."""
    first, second = x.chunk(2, -1)
    return x * cos + torch.cat([-second, first], -1) * sin


class Attention(nn.Module):
    """Multi-head self-attention with rotary positions."""

    def __init__(self, dim: int, heads: int, bias: bool):
        super().__init__()
        self.heads = heads
        self.q_proj = nn.Linear(dim, dim, bias)
        self.k_proj = nn.Linear(dim, dim, bias)
        self.v_proj = nn.Linear(dim, dim, bias)
        self.o_proj = nn.Linear(dim, dim, bias)

    def forward(
        self, x: Tensor, turn: tuple[Tensor, Tensor], mask: Tensor, past: tuple[Tensor, Tensor] | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """x (B, L, dim) -> output (B, L, dim), and all keys and values, those of `past` included."""
        q, k, v = (
            project(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for project in (self.q_proj, self.k_proj, self.v_proj)
        )
        q, k = rotate(q, *turn), rotate(k, *turn)
        if past is not None:
            k, v = torch.cat([past[0], k], 2), torch.cat([past[1], v], 2)
        mixed = attend(q, k, v, mask)
        return self.o_proj(mixed.transpose(1, 2).flatten(2)), k, v


class GatedMLP(nn.Module):
    """SwiGLU (Shazeer 2020)."""

    def __init__(self, dim: int, width: int):
        super().__init__()
        self.gate_proj = nn.Linear(dim, width, bias=False)
        self.up_proj = nn.Linear(dim, width, bias=False)
        self.down_proj = nn.Linear(width, dim, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Block(nn.Module):
    """Attention and MLP, each on a normalised residual stream."""

    def __init__(self, dim: int, heads: int, mlp: int, bias: bool):
        super().__init__()
        self.input_layernorm = RMSNorm(dim)
        self.self_attn = Attention(dim, heads, bias)
        self.post_attention_layernorm = RMSNorm(dim)
        self.mlp = GatedMLP(dim, mlp)

    def forward(
        self, x: Tensor, turn: tuple[Tensor, Tensor], mask: Tensor, past: tuple[Tensor, Tensor] | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """As Attention."""
        mixed, keys, values = self.self_attn(self.input_layernorm(x), turn, mask, past)
        x = x + mixed
        return x + self.mlp(self.post_attention_layernorm(x)), keys, values


class Llama(nn.Module):
    """`layers` blocks and a final norm: inputs (B, L, dim) -> outputs (B, L, dim)."""

    def __init__(self, dim: int, layers: int, heads: int, mlp: int, bias: bool = False):
        super().__init__()
        self.size = dim // heads
        self.layers = nn.ModuleList(Block(dim, heads, mlp, bias) for _ in range(layers))
        self.norm = RMSNorm(dim)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=0.02)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(
        self,
        x: Tensor,
        mask: Tensor,
        cache: KVCache | None = None,
        positions: Tensor | None = None,
        between: Callable[[int, Tensor], Tensor] | None = None,
    ) -> tuple[Tensor, KVCache]:
        """Outputs of the slots of x, and the cache grown by them.

        Args:
            x: (B, L, dim), the slots that follow those in `cache`.
            mask: additive, or bool with True where attention is allowed; broadcast to (B, heads, L, len(cache) + L).
            cache: of the slots before.
            positions: int64 (B, L), where the slots count as standing; None: in order, behind the cache.
            between: given a block's number, from 1, and what it made of x: what goes on in its place.
        """
        start = len(cache) if cache else 0
        slots = torch.arange(start, start + x.shape[1], device=x.device) if positions is None else positions[:, None]
        turn = rotation(slots, self.size, x.dtype)  # (L, size), or (B, 1, L, size)
        keys, values = [], []
        for number, block in enumerate(self.layers):
            past = (cache.keys[number], cache.values[number]) if cache else None
            x, key, value = block(x, turn, mask, past)
            x = between(number + 1, x) if between else x
            keys.append(key)
            values.append(value)
        return self.norm(x), KVCache(tuple(keys), tuple(values))
