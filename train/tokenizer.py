"""Stage 1: the frame tokenizer learns to rebuild single frames from a grid of ids."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from agents.checkpoint import save_checkpoint
from agents.videoworld.config import TokenizerConfig
from agents.videoworld.tokenizer import FrameTokenizer
from envs.go.renderer import read_board
from train.data.go_games import BoardClips, GoVideo
from train.stages import StageConfig, begin_with, check_boards, generator, minibatches, plain, sized


@dataclass(kw_only=True)
class TokenizerStageConfig(StageConfig):
    """Settings of stage 1."""

    model: TokenizerConfig


def boards_exact(frames: Tensor, rebuilt: Tensor, geometry: Any) -> np.ndarray:
    """bool (N,): a rebuilt frame shows every stone, mark and the turn as the original. Both uint8 (N, S, S, 3)."""
    before, after = read_board(frames.numpy(), geometry), read_board(rebuilt.numpy(), geometry)
    same = [np.asarray(a == b).reshape(len(frames), -1).all(1) for a, b in zip(before, after, strict=True)]
    return np.logical_and.reduce(same)


class TokenizerStage:
    """Frames in, frames out."""

    name = "tokenizer"

    def __init__(self, config: TokenizerStageConfig) -> None:
        self.config = config = replace(config, model=sized(config.model, config.data))
        check_boards(config, self.name)
        self.model: nn.Module = FrameTokenizer(config.model)
        begin_with(self.model, config.inputs, self.name)
        self.train = GoVideo(config.data, "train")
        self.validation = GoVideo(config.data, "validation")

    def batch(self, step: int, micro: int, rank: int, world_size: int, batch_size: int) -> BoardClips:
        """`batch_size` clips; every frame of them counts as a sample of its own."""
        return self.train.sample(generator(self.config.seed, step, micro, rank), batch_size)

    def to_device(self, batch: BoardClips, device: torch.device) -> Tensor:
        """uint8 (B, T, S, S, 3)."""
        return batch.frames(device)

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Share of held-out frames whose board reads back exactly, and the pixel error."""
        assert isinstance(model, FrameTokenizer)
        clips, _ = self.validation.sweep(self.config.evaluate_clips)
        device = next(model.parameters()).device
        exact, error = [], []
        for frames in minibatches(clips.frames()[:, -1]):
            rebuilt = model.decode(model.encode(frames[:, None].to(device)))[:, 0].cpu()
            exact.append(boards_exact(frames, rebuilt, self.train.geometry))
            error.append((frames.float() - rebuilt.float()).abs().mean().item())
        return {"boards_exact": float(np.concatenate(exact).mean()), "pixel_error": float(np.mean(error))}

    def flops_per_sample(self) -> float:
        """Forward and backward of one clip."""
        size = self.config.model.frame_size
        with FlopCounterMode(display=False) as counter:
            self.model(
                torch.zeros(1, self.config.data.horizon + 1, size, size, 3, device=next(self.model.parameters()).device)
            )
        return 3.0 * counter.get_total_flops()

    def export(self, model: nn.Module, folder: Path, metrics: dict[str, float]) -> None:
        """A checkpoint that `train.stages.load_tokenizer` reads."""
        config = {
            "kind": "tokenizer",
            "model": plain(asdict(self.config.model)),
            "data": plain(asdict(self.config.data)),
        }
        save_checkpoint(folder, config, model.state_dict(), metrics=metrics)
