"""Stage 1: the frame tokenizer learns to rebuild single frames from a grid of ids."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from agents.checkpoint import as_values, save_checkpoint
from agents.videoworld.config import TokenizerConfig
from agents.videoworld.tokenizer import FrameTokenizer
from train.data.video import Clips
from train.stages import (
    Figures,
    StageConfig,
    begin_with,
    check_frames,
    forward_flops,
    generator,
    minibatches,
    sized,
)


@dataclass(kw_only=True)
class TokenizerStageConfig(StageConfig):
    """Settings of stage 1."""

    model: TokenizerConfig


class TokenizerStage:
    """Frames in, frames out."""

    name = "tokenizer"

    def __init__(self, config: TokenizerStageConfig) -> None:
        self.config = config = replace(config, model=sized(config.model, config.data))
        check_frames(config, self.name)
        self.model: nn.Module = FrameTokenizer(config.model)
        begin_with(self.model, config.inputs, self.name)
        self.train = config.data.video("train")
        self.validation = config.data.video("validation")

    def batch(self, step: int, micro: int, rank: int, world_size: int, batch_size: int) -> Clips:
        """`batch_size` clips; every frame of them counts as a sample of its own."""
        return self.train.sample(generator(self.config.seed, step, micro, rank), batch_size)

    def to_device(self, batch: Clips, device: torch.device) -> Tensor:
        """uint8 (B, T, H, W, 3)."""
        return batch.frames(device)

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """The pixel error (0 to 255) on held-out frames, and what their kind of video tells of rebuilt ones."""
        assert isinstance(model, FrameTokenizer)
        clips, _ = self.validation.sweep(self.config.evaluate_clips)
        device = next(model.parameters()).device
        figures = Figures()
        for frames in minibatches(clips.frames()[:, -1]):
            rebuilt = model.decode(model.encode(frames[:, None].to(device)))[:, 0].cpu()
            figures.add(self.validation.compare(frames, rebuilt))
            figures.add({"pixel_error": (frames.float() - rebuilt.float()).abs().mean((1, 2, 3)).numpy()})
        return figures.means()

    def flops_per_sample(self) -> float:
        """Forward and backward of one clip."""
        return 3.0 * forward_flops(self.model, self.config.data, self.config.data.horizon + 1)

    def export(self, model: nn.Module, folder: Path, metrics: dict[str, float]) -> None:
        """A checkpoint that `train.stages.load_tokenizer` reads."""
        config = {
            "kind": "tokenizer",
            "model": as_values(self.config.model),
            "data": as_values(self.config.data),
        }
        save_checkpoint(folder, config, model.state_dict(), metrics=metrics)
