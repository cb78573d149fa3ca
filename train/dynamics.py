"""Stage 2: the latent dynamics model learns codes for what changes between frames, from frames alone."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from agents.checkpoint import save_checkpoint
from agents.videoworld.config import DynamicsConfig
from agents.videoworld.dynamics import LatentDynamicsModel
from train.data.go_games import BoardClips, GoVideo
from train.stages import StageConfig, begin_with, check_boards, generator, minibatches, plain, sized
from train.tokenizer import boards_exact


@dataclass(kw_only=True)
class DynamicsStageConfig(StageConfig):
    """Settings of stage 2."""

    model: DynamicsConfig


class DynamicsStage:
    """Clips in, codes and the same clips out."""

    name = "dynamics"

    def __init__(self, config: DynamicsStageConfig) -> None:
        self.config = config = replace(config, model=sized(config.model, config.data))
        check_boards(config, self.name)
        self.model: nn.Module = LatentDynamicsModel(config.model)
        begin_with(self.model, config.inputs, self.name)
        self.train = GoVideo(config.data, "train")
        self.validation = GoVideo(config.data, "validation")

    def batch(self, step: int, micro: int, rank: int, world_size: int, batch_size: int) -> BoardClips:
        """`batch_size` clips."""
        return self.train.sample(generator(self.config.seed, step, micro, rank), batch_size)

    def to_device(self, batch: BoardClips, device: torch.device) -> Tensor:
        """uint8 (B, H+1, S, S, 3)."""
        return batch.frames(device)

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """How well a code stands for its move, measured with the moves that training never sees.

        code_to_move: share of held-out clips whose move is the commonest one of their code; move_to_code: the reverse;
        boards_exact: share whose last frame, painted from the first frame and the codes, reads back exactly.
        """
        assert isinstance(model, LatentDynamicsModel)
        clips, moves = self.validation.sweep(self.config.evaluate_clips)
        device = next(model.parameters()).device
        codes, exact = [], []
        for frames in minibatches(clips.frames()):
            said = model.encode(frames.to(device))
            painted = model.decode(frames[:, 0].to(device), said)[:, -1].cpu()
            codes.append(said[:, -1, 0].cpu().numpy())
            exact.append(boards_exact(frames[:, -1], painted, self.train.geometry))
        said_codes = np.concatenate(codes)
        return {
            "code_to_move": commonest_share(said_codes, moves),
            "move_to_code": commonest_share(moves, said_codes),
            "codes_used": float(len(np.unique(said_codes))),
            "boards_exact": float(np.concatenate(exact).mean()),
        }

    def flops_per_sample(self) -> float:
        """Forward and backward of one clip."""
        size = self.config.model.frame_size
        clip = torch.zeros(1, self.config.data.horizon + 1, size, size, 3, device=next(self.model.parameters()).device)
        with FlopCounterMode(display=False) as counter:
            self.model(clip)
        return 3.0 * counter.get_total_flops()

    def export(self, model: nn.Module, folder: Path, metrics: dict[str, float]) -> None:
        """A checkpoint that `train.stages.load_dynamics` reads."""
        config = {
            "kind": "dynamics",
            "model": plain(asdict(self.config.model)),
            "data": plain(asdict(self.config.data)),
        }
        save_checkpoint(folder, config, model.state_dict(), metrics=metrics)


def commonest_share(keys: np.ndarray, values: np.ndarray) -> float:
    """Share of pairs whose value is the commonest one of their key: 1 where a key tells its value."""
    pairs, counts = np.unique(np.stack([keys, values]), axis=1, return_counts=True)
    best: dict[int, int] = {}
    for key, count in zip(pairs[0], counts, strict=True):
        best[int(key)] = max(best.get(int(key), 0), int(count))
    return sum(best.values()) / len(keys)
