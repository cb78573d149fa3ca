"""The paper preset is the published system to the parameter (counted on the meta device, so nothing is allocated)."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest
import torch
from torch import nn

from agents.videoworld.config import DynamicsConfig, TokenizerConfig, WorldConfig
from agents.videoworld.dynamics import LatentDynamicsModel, QueryCodes
from agents.videoworld.sequence import lay_out
from agents.videoworld.tokenizer import FrameTokenizer
from agents.videoworld.transformer import VideoTransformer


def millions(module: nn.Module) -> float:
    return sum(p.numel() for p in module.parameters()) / 1e6


@pytest.fixture(autouse=True)
def meta_device() -> Iterator[None]:
    with torch.device("meta"):
        yield


def test_tokenizer() -> None:
    tokenizer = FrameTokenizer(TokenizerConfig.preset("paper"))
    assert millions(tokenizer.encoder) == pytest.approx(41.84, abs=0.005)
    assert millions(tokenizer.decoder) == pytest.approx(60.01, abs=0.005)
    assert (len(tokenizer.encoder.state_dict()), len(tokenizer.decoder.state_dict())) == (168, 230)
    assert (tokenizer.grid, tokenizer.codebook_size) == ((4, 4), 64_000)
    ids = tokenizer.encode(torch.empty(1, 2, 256, 256, 3))
    assert ids.shape == (1, 2, 4, 4)
    assert tokenizer.decode(ids).shape == (1, 2, 256, 256, 3)


@pytest.mark.parametrize(("horizon", "encoder", "readout"), [(1, 148.0, 2.6), (9, 169.3, 23.7)], ids=["go", "calvin"])
def test_dynamics(horizon: int, encoder: float, readout: float) -> None:
    model = LatentDynamicsModel(DynamicsConfig.preset("paper", horizon=horizon))
    net = model.net
    assert isinstance(net, QueryCodes)
    assert millions(net.encoder) + millions(net.readout) == pytest.approx(encoder, abs=0.05)
    assert millions(net.readout) == pytest.approx(readout, abs=0.05)
    assert millions(net.decoder) == pytest.approx(191.6, abs=0.05)
    assert (model.codebook_size, model.config.grid) == (64_000, (16, 16))
    clip = torch.empty(1, horizon + 1, 128, 128, 3)
    codes = model.encode(clip)
    assert codes.shape == (1, horizon, 1)
    assert model.decode(clip[:, 0], codes).shape == clip.shape


def test_transformer() -> None:
    """24 layers of width 1024 with biased attention and a gated MLP of 2752, counted by formula."""
    model = VideoTransformer(WorldConfig.preset("paper"))
    c = model.config
    attention, mlp, norms = 4 * (1024 * 1024 + 1024), 3 * 1024 * 2752, 2 * 1024
    expected = 24 * (attention + mlp + norms) + 1024
    backbone = sum(parameter.numel() for parameter in model.backbone.parameters())
    assert backbone == expected == 303_711_232
    assert (c.code_size, math.prod(c.frame_levels), c.frame_tokens, c.codes) == (64_000, 64_000, 16, 3)
    assert model.code_head.weight.shape == model.frame_head.weight.shape == (64_000, 1024)
    # one vocabulary for all codes and one for frame ids
    assert model.code_embedding.weight.shape == model.frame_embedding.weight.shape == (64_000, 1024)
    layout = lay_out(c, 1)
    assert len(layout) == 41, "as published, without the end of the text"
    assert layout.prefixes == (19,)


@pytest.mark.parametrize(("part", "low", "high"), [("tokenizer", 30, 80), ("dynamics", 1, 60), ("world", 25, 60)])
def test_base_is_for_one_gpu(part: str, low: float, high: float) -> None:
    """Millions of parameters of the preset between the shipped one and the published one."""
    made: dict[str, nn.Module] = {
        "tokenizer": FrameTokenizer(TokenizerConfig.preset("base")),
        "dynamics": LatentDynamicsModel(DynamicsConfig.preset("base")),
        "world": VideoTransformer(WorldConfig.preset("base")),
    }
    assert low < millions(made[part]) < high
