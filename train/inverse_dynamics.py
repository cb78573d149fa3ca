"""Stage 4: a small labelled subset teaches which move a latent code stands for."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from agents.checkpoint import save_checkpoint
from agents.videoworld.config import InverseDynamicsConfig
from agents.videoworld.dynamics import LatentDynamicsModel
from agents.videoworld.inverse_dynamics import InverseDynamics
from agents.videoworld.tokenizer import FrameTokenizer
from train.data.go_games import BoardClips, GoVideo
from train.stages import (
    StageConfig,
    begin_with,
    check_boards,
    frozen,
    generator,
    load_dynamics,
    load_tokenizer,
    minibatches,
    plain,
)


@dataclass(kw_only=True)
class InverseDynamicsStageConfig(StageConfig):
    """Settings of stage 4."""

    model: InverseDynamicsConfig
    # Labelled clips: all the moves that any part of the agent is ever told
    labels: int = 5000

    def __post_init__(self) -> None:
        super().__post_init__()
        self.at_least("labels", 1)


class InverseDynamicsLearner(nn.Module):
    """The head behind the frozen tokenizer and dynamics model: (frames, moves) -> loss."""

    def __init__(self, tokenizer: FrameTokenizer, dynamics: LatentDynamicsModel, config: InverseDynamicsConfig) -> None:
        super().__init__()
        self.tokenizer, self.dynamics = frozen(tokenizer), frozen(dynamics)
        what_levels = tuple(dynamics.config.levels)
        self.head = InverseDynamics(
            replace(config, places=dynamics.n_where, what_levels=what_levels, frame_levels=len(tokenizer.levels))
        )

    def train(self, mode: bool = True) -> InverseDynamicsLearner:
        """Only the head has a training mode."""
        super().train(mode)
        self.tokenizer.eval()
        self.dynamics.eval()
        return self

    def logits(self, frames: Tensor) -> Tensor:
        """Clips uint8 (B, H+1, S, S, 3) -> move logits of the last change (B, actions)."""
        codes = self.dynamics.encode(frames[:, -2:])[:, -1]  # (B, 1)
        vectors = self.tokenizer.vectors(self.tokenizer.encode(frames[:, -2:-1])).flatten(1, 3)
        return self.head(codes, self.head.tokens_at(vectors, codes))[:, 0]

    def forward(self, batch: tuple[Tensor, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Cross-entropy of the moves behind the clips."""
        frames, moves = batch
        logits = self.logits(frames)
        loss = F.cross_entropy(logits.float(), moves)
        return loss, {"accuracy": (logits.argmax(-1) == moves).float().mean()}


class InverseDynamicsStage:
    """Labelled clips in, the reader of codes out."""

    name = "inverse_dynamics"

    def __init__(self, config: InverseDynamicsStageConfig) -> None:
        self.config = config
        check_boards(config, "tokenizer", "dynamics", self.name)
        actions = config.data.size**2 + 1
        model = InverseDynamicsLearner(
            load_tokenizer(config.inputs), load_dynamics(config.inputs), replace(config.model, actions=actions)
        )
        begin_with(model.head, config.inputs, self.name)
        self.model: nn.Module = model
        self.train = GoVideo(config.data, "train")
        self.validation = GoVideo(config.data, "validation")

    def batch(
        self, step: int, micro: int, rank: int, world_size: int, batch_size: int
    ) -> tuple[BoardClips, np.ndarray]:
        """Clips with their moves, out of the labelled subset."""
        return self.train.sample_labelled(
            generator(self.config.seed, step, micro, rank), batch_size, self.config.labels
        )

    def to_device(self, batch: tuple[BoardClips, np.ndarray], device: torch.device) -> tuple[Tensor, Tensor]:
        """uint8 (B, H+1, S, S, 3) and int64 (B,)."""
        clips, moves = batch
        return clips.frames(device), torch.from_numpy(moves).to(device)

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Share of held-out changes whose move is read off their code."""
        assert isinstance(model, InverseDynamicsLearner)
        clips, moves = self.validation.sweep(self.config.evaluate_clips)
        device = next(model.parameters()).device
        read = torch.cat([model.logits(frames.to(device)).argmax(-1).cpu() for frames in minibatches(clips.frames())])
        return {
            "move_accuracy": float((read.numpy() == moves).mean()),
            "labels": float(min(self.config.labels, len(self.train))),
        }

    def flops_per_sample(self) -> float:
        """The frozen models forward; the head's own share is negligible."""
        size = self.config.data.geometry.frame_size
        frames = torch.zeros(1, 2, size, size, 3, dtype=torch.uint8, device=next(self.model.parameters()).device)
        with FlopCounterMode(display=False) as counter:
            self.model((frames, torch.zeros(1, dtype=torch.long, device=frames.device)))
        return float(counter.get_total_flops())

    def export(self, model: nn.Module, folder: Path, metrics: dict[str, float]) -> None:
        """The head alone."""
        assert isinstance(model, InverseDynamicsLearner)
        config = {
            "kind": "inverse_dynamics",
            "model": plain(asdict(model.head.config)),
            "data": plain(asdict(self.config.data)),
        }
        save_checkpoint(folder, config, model.head.state_dict(), metrics=metrics)
