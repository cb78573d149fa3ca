"""Stage 4: a small labelled subset teaches which moves or motions latent codes stand for."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from agents.checkpoint import as_values, save_checkpoint
from agents.videoworld.config import InverseDynamicsConfig, InverseMotionConfig
from agents.videoworld.dynamics import LatentDynamicsModel
from agents.videoworld.inverse_dynamics import InverseDynamics, InverseMotion
from agents.videoworld.motion import MotionCodes
from agents.videoworld.tokenizer import FrameTokenizer
from envs.errors import UserError
from train.data.video import Clips
from train.stages import (
    StageConfig,
    begin_with,
    check_frames,
    frozen,
    generator,
    load_dynamics,
    load_tokenizer,
    minibatches,
)


@dataclass(kw_only=True)
class InverseDynamicsStageConfig(StageConfig):
    """Settings of stage 4."""

    model: InverseDynamicsConfig | InverseMotionConfig
    # Labelled clips: all the actions that any part of the agent is ever told
    labels: int = 5000

    def __post_init__(self) -> None:
        super().__post_init__()
        self.at_least("labels", 1)


class Learner(nn.Module):
    """A head behind frozen models: (frames, what was done) -> loss."""

    head: InverseDynamics | InverseMotion

    def train(self, mode: bool = True) -> Learner:
        """Only the head has a training mode."""
        super().train(mode)
        for name, child in self.named_children():
            if name != "head":
                child.eval()
        return self

    @abstractmethod
    def logits(self, frames: Tensor) -> Tensor:
        """What the head says of clips uint8 (B, H+1, h, w, 3)."""

    @abstractmethod
    def figures(self, said: Tensor, done: Tensor) -> dict[str, float]:
        """How right the head is."""


class MoveLearner(Learner):
    """The head for moves, behind the frozen tokenizer and dynamics model."""

    def __init__(self, tokenizer: FrameTokenizer, dynamics: LatentDynamicsModel, config: InverseDynamicsConfig) -> None:
        super().__init__()
        self.tokenizer, self.dynamics = frozen(tokenizer), frozen(dynamics)
        what_levels = tuple(dynamics.config.levels)
        self.head: InverseDynamics = InverseDynamics(
            replace(config, places=dynamics.n_where, what_levels=what_levels, frame_levels=len(tokenizer.levels))
        )

    def logits(self, frames: Tensor) -> Tensor:
        """Move logits of the last change (B, actions)."""
        codes = self.dynamics.encode(frames[:, -2:])[:, -1]  # (B, 1)
        vectors = self.tokenizer.vectors(self.tokenizer.encode(frames[:, -2:-1])).flatten(1, 3)
        return self.head(codes, self.head.tokens_at(vectors, codes))[:, 0]

    def forward(self, batch: tuple[Tensor, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Cross-entropy of the moves behind the clips."""
        frames, moves = batch
        logits = self.logits(frames)
        loss = F.cross_entropy(logits.float(), moves)
        return loss, {"accuracy": (logits.argmax(-1) == moves).float().mean()}

    def figures(self, said: Tensor, done: Tensor) -> dict[str, float]:
        """move_accuracy: share of changes whose move is read off their code."""
        return {"move_accuracy": float((said.argmax(-1) == done).float().mean())}


class MotionLearner(Learner):
    """The head for a robot's actions, behind the frozen dynamics model."""

    def __init__(self, dynamics: LatentDynamicsModel, config: InverseMotionConfig) -> None:
        super().__init__()
        if not isinstance(dynamics.net, MotionCodes):
            raise UserError(f"codes of readout {dynamics.config.readout!r} tell of no motion: train dynamics of motion")
        self.dynamics = frozen(dynamics)
        numbers = dynamics.n_codes * len(dynamics.config.levels)
        self.head: InverseMotion = InverseMotion(
            replace(config, numbers=numbers, frame_size=dynamics.config.frame_size)
        )

    def logits(self, frames: Tensor) -> Tensor:
        """The mean action of the first change: (B, 7)."""
        return self.head(*self._known(frames))

    def forward(self, batch: tuple[Tensor, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Smooth L1 of the motions and cross-entropy of the gripper, as published, of each reader by itself."""
        frames, actions = batch
        told = (actions[..., 6] > 0).float()
        motion = gripper = torch.zeros((), device=frames.device)
        for said in self.head.readings(*self._known(frames)):
            motion = motion + F.smooth_l1_loss(said[..., :6].float(), actions[..., :6], beta=0.1)
            gripper = gripper + F.binary_cross_entropy_with_logits(said[..., 6].float(), told)
        return motion + 0.1 * gripper, {"motion_loss": motion.detach(), "gripper_loss": gripper.detach()}

    def _known(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Code vectors of the first change, and the frame it begins with."""
        assert isinstance(self.dynamics.net, MotionCodes)
        return self.dynamics.net.vectors(self.dynamics.encode(frames[:, :2])[:, 0]), frames[:, 0]

    def figures(self, said: Tensor, done: Tensor) -> dict[str, float]:
        """motion_r2: share of the motions' variance that is explained; gripper_accuracy: of its commands."""
        rest = (said[..., :6] - done[..., :6]).square().mean()
        whole = (done[..., :6] - done[..., :6].mean(0)).square().mean()
        right = (said[..., 6] > 0) == (done[..., 6] > 0)
        return {"motion_r2": 1 - float(rest / whole), "gripper_accuracy": float(right.float().mean())}


class InverseDynamicsStage:
    """Labelled clips in, the reader of codes out."""

    name = "inverse_dynamics"

    def __init__(self, config: InverseDynamicsStageConfig) -> None:
        self.config = config
        check_frames(config, self.name, "tokenizer", "dynamics")
        self.train = config.data.video("train")
        self.validation = config.data.video("validation")
        # Labels are read from the data when they are first asked for: now, not in the minutes of the training
        self.train.sample_labelled(generator(config.seed, 0, 0, 0), 1, config.labels)
        self.validation.sweep(1)
        dynamics, actions = load_dynamics(config.inputs), config.data.actions
        model: Learner
        if isinstance(config.model, InverseMotionConfig):
            model = MotionLearner(dynamics, replace(config.model, steps=actions))
        else:
            model = MoveLearner(load_tokenizer(config.inputs), dynamics, replace(config.model, actions=actions))
        begin_with(model.head, config.inputs, self.name, getattr(config.data, "world", ""))
        self.model: nn.Module = model

    def batch(self, step: int, micro: int, rank: int, world_size: int, batch_size: int) -> tuple[Clips, np.ndarray]:
        """Clips with what was done in them, out of the labelled subset."""
        return self.train.sample_labelled(
            generator(self.config.seed, step, micro, rank), batch_size, self.config.labels
        )

    def to_device(self, batch: tuple[Clips, np.ndarray], device: torch.device) -> tuple[Tensor, Tensor]:
        """uint8 (B, H+1, h, w, 3), and moves int64 (B,) or mean actions float32 (B, 7)."""
        clips, done = batch
        return clips.frames(device), torch.from_numpy(done).to(device)

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """How right the head is on held-out changes, and how many labels it had."""
        assert isinstance(model, Learner)
        clips, done = self.validation.sweep(self.config.evaluate_clips)
        device = next(model.parameters()).device
        said = torch.cat([model.logits(frames.to(device)).cpu() for frames in minibatches(clips.frames())])
        labels = float(min(self.config.labels, len(self.train)))
        return {**model.figures(said, torch.from_numpy(done)), "labels": labels}

    def flops_per_sample(self) -> float:
        """The frozen models forward; the head's own share is negligible."""
        assert isinstance(self.model, Learner)
        shape = (1, 2, *self.config.data.frame_spec.frame_shape, 3)
        frames = torch.zeros(shape, dtype=torch.uint8, device=next(self.model.parameters()).device)
        with FlopCounterMode(display=False) as counter:
            self.model.logits(frames)
        return float(counter.get_total_flops())

    def export(self, model: nn.Module, folder: Path, metrics: dict[str, float]) -> None:
        """The head alone."""
        assert isinstance(model, Learner)
        config = {
            "kind": "inverse_dynamics",
            "model": as_values(model.head.config),
            "data": as_values(self.config.data),
        }
        save_checkpoint(folder, config, model.head.state_dict(), metrics=metrics)
