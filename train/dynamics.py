"""Stage 2: the latent dynamics model learns codes for what changes between frames, from frames alone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from agents.checkpoint import as_values, save_checkpoint
from agents.videoworld.config import DynamicsConfig
from agents.videoworld.dynamics import LatentDynamicsModel
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
class DynamicsStageConfig(StageConfig):
    """Settings of stage 2."""

    model: DynamicsConfig


class DynamicsStage:
    """Clips in, codes and the same clips out."""

    name = "dynamics"

    def __init__(self, config: DynamicsStageConfig) -> None:
        self.config = config = replace(config, model=sized(config.model, config.data))
        check_frames(config, self.name)
        self.model: nn.Module = LatentDynamicsModel(config.model)
        begin_with(self.model, config.inputs, self.name)
        self.train = config.data.video("train")
        self.validation = config.data.video("validation")

    def batch(self, step: int, micro: int, rank: int, world_size: int, batch_size: int) -> Clips:
        """`batch_size` clips."""
        return self.train.sample(generator(self.config.seed, step, micro, rank), batch_size)

    def to_device(self, batch: Clips, device: torch.device) -> Tensor:
        """uint8 (B, H+1, h, w, 3)."""
        return batch.frames(device)

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """How much codes tell of what was done, which training never sees, and how well the clip's end is painted."""
        assert isinstance(model, LatentDynamicsModel)
        clips, done = self.validation.sweep(self.config.evaluate_clips)
        device = next(model.parameters()).device
        codes, figures = [], Figures()
        for frames in minibatches(clips.frames()):
            said = model.encode(frames.to(device))
            painted = model.decode(frames[:, 0].to(device), said)[:, -1].cpu()
            codes.append(said.cpu().numpy())
            figures.add(self.validation.compare(frames[:, -1], painted))
        return self.validation.compare_codes(np.concatenate(codes), done) | figures.means()

    def flops_per_sample(self) -> float:
        """Forward and backward of one clip."""
        return 3.0 * forward_flops(self.model, self.config.data, self.config.data.horizon + 1)

    def export(self, model: nn.Module, folder: Path, metrics: dict[str, float]) -> None:
        """A checkpoint that `train.stages.load_dynamics` reads."""
        config = {
            "kind": "dynamics",
            "model": as_values(self.config.model),
            "data": as_values(self.config.data),
        }
        save_checkpoint(folder, config, model.state_dict(), metrics=metrics)
