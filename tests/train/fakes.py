"""A stage of a few numbers: linear regression on made-up points, with dropout so that random states matter.

And what several tests ask of clips and errors.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from agents.checkpoint import load_checkpoint, save_checkpoint
from envs.errors import UserError
from train.data.go_games import BoardClips


@dataclass
class FakeConfig:
    """Width of the input, pause per batch in seconds, and what a later stage would read."""

    width: int = 4
    pause: float = 0.0
    seed: int = 0
    source: str | None = None
    diverge_at: int | None = None
    # The export that finds no room any more
    full_at: int | None = None
    dropout: float = 0.5


class FakeModel(nn.Module):
    """(x, y) -> mean squared error; by default half of the hidden values are dropped."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(width, 8), nn.LayerNorm(8), nn.Dropout(dropout), nn.Linear(8, 1))
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))

    def forward(self, batch: tuple[Tensor, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        x, y = batch
        if self.training:
            self.seen += 1  # type: ignore[operator, assignment]
        error = (self.layers(x) - y).square().mean()
        return error, {"mae": (self.layers(x) - y).abs().mean()}


class FakeStage:
    """Follows `train.trainer.Stage`."""

    name = "fake"
    tokens_per_sample = 3

    def __init__(self, config: FakeConfig) -> None:
        self.config = config
        if config.source is not None:
            load_checkpoint(config.source)
        torch.manual_seed(config.seed)
        self.model: nn.Module = FakeModel(config.width, config.dropout)
        self.exports = 0
        self.ranks: list[tuple[int, int, int, int]] = []
        self.shares: list[float] = []

    def batch(self, step: int, micro: int, rank: int, world_size: int, batch_size: int) -> tuple[Tensor, Tensor]:
        self.ranks.append((step, micro, rank, world_size))
        time.sleep(self.config.pause)
        place = micro * world_size + rank  # two ranks with one micro step see what one rank with two sees
        generator = torch.Generator().manual_seed(hash((self.config.seed, step, place)) % 2**31)
        x = torch.randn(batch_size, self.config.width, generator=generator)
        if step == self.config.diverge_at:
            x = x * float("nan")
        return x, x.sum(1, keepdim=True)

    def to_device(self, batch: tuple[Tensor, Tensor], device: torch.device) -> tuple[Tensor, Tensor]:
        return batch[0].to(device), batch[1].to(device)

    def on_progress(self, share: float) -> None:
        self.shares.append(share)

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        assert not model.training and not torch.is_grad_enabled()
        torch.rand(3)  # an evaluation that draws numbers must not change the training
        return {"eval_loss": float(model(self.batch(10**6, 0, 0, 1, 64))[0])}

    def flops_per_sample(self) -> float:
        device = next(self.model.parameters()).device  # running the model to count must not change the training
        self.model((torch.zeros(2, self.config.width, device=device), torch.zeros(2, 1, device=device)))
        return 6.0 * (8 * self.config.width + 8)

    def export(self, model: nn.Module, folder: Path, metrics: dict[str, Any]) -> None:
        self.exports += 1
        if self.exports == self.config.full_at:
            raise UserError("no room for the checkpoint")
        save_checkpoint(folder, asdict(self.config), model.state_dict(), metrics=metrics)


def same(a: BoardClips, b: BoardClips) -> bool:
    """Whether two batches show the same positions."""
    pairs = zip(a.steps, b.steps, strict=True)
    return all(np.array_equal(x, y) for one, other in pairs for x, y in zip(one, other, strict=True))


def one_line(error: pytest.ExceptionInfo[UserError]) -> str:
    """What a person gets to read."""
    text = str(error.value)
    assert "\n" not in text
    return text
