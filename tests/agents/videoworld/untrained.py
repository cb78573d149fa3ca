"""Transformers and whole systems with random weights, in every configuration, and what to feed them."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from agents.videoworld.config import DynamicsConfig, TokenizerConfig, WorldConfig
from agents.videoworld.dynamics import LatentDynamicsModel
from agents.videoworld.tokenizer import FrameTokenizer
from agents.videoworld.transformer import VideoTransformer
from agents.videoworld.world import VideoWorld

# 2x2 tokens of three digits; 4x4 places, four to a token, three things to say at each.
TINY = WorldConfig.preset("tiny", grid=(2, 2), frame_levels=(3, 2, 4), places=16, whats=3)
CAUSAL = {"frame_attention": "causal", "frame_decoding": "causal", "stem_blocks": 0}
LAST = {"code_readout": "last", "places": 1, "whats": 7, "codes": 3, "frame_share": 1.0}
CONFIGS = {
    "spatial-parallel": TINY,
    "spatial-parallel-causal-frames": replace(TINY, frame_attention="causal"),
    "spatial-causal": replace(TINY, **CAUSAL),
    "two-codes": replace(TINY, codes=2),
    "last-parallel": replace(TINY, **LAST),
    "last-causal": replace(TINY, **LAST, **CAUSAL),
    "as-published": replace(TINY, **LAST, **CAUSAL, embedding="table", positions_2d=False, markers=True, bias=True),
    "markers-parallel": replace(TINY, markers=True),
    "outlook": replace(TINY, outlook=True),
    "instruction": replace(TINY, instruction_dim=5, markers=True),
    "no-codes": replace(TINY, codes=0),
    "no-codes-causal": replace(TINY, codes=0, **CAUSAL),
    "no-codes-causal-markers": replace(TINY, codes=0, markers=True, **CAUSAL),
}
every_config = pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS.keys())


def transformer(config: WorldConfig, seed: int = 0) -> VideoTransformer:
    """Untrained, but with weights large enough that all inputs matter."""
    torch.manual_seed(seed)
    model = VideoTransformer(config).eval().requires_grad_(False)
    for parameter in model.parameters():
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=0.3)
    return model


def clip(config: WorldConfig, steps: int, batch: int = 2, seed: int = 0) -> tuple[Tensor, Tensor, Tensor | None]:
    """Random frame ids (B, steps + 1, h, w), codes (B, steps, K) and an instruction where there is one."""
    g = torch.Generator().manual_seed(seed)
    ids = torch.randint(math.prod(config.frame_levels), (batch, steps + 1, *config.grid), generator=g)
    codes = torch.randint(config.code_size, (batch, steps, config.codes), generator=g)
    told = torch.randn(batch, config.instruction_dim, generator=g) if config.instruction_dim else None
    return ids, codes, told


def world(config: WorldConfig = TINY, seed: int = 0, **changes: Any) -> VideoWorld:
    """A whole untrained system for 32 px frames."""
    torch.manual_seed(seed)
    tokenizer, dynamics = (
        FrameTokenizer(TokenizerConfig.preset("tiny")),
        LatentDynamicsModel(DynamicsConfig.preset("tiny")),
    )
    spatial = config.code_readout == "spatial"
    fitting = replace(
        config,
        frame_levels=tokenizer.levels,
        grid=tokenizer.grid,
        places=dynamics.n_where if spatial else 1,
        whats=dynamics.n_what if spatial else dynamics.codebook_size,
        **changes,
    )
    return VideoWorld(tokenizer, transformer(fitting, seed), dynamics).eval()


def frames(count: int = 2, length: int = 1, seed: int = 0) -> Tensor:
    g = torch.Generator().manual_seed(seed)
    return torch.randint(256, (count, length, 32, 32, 3), generator=g, dtype=torch.uint8)
