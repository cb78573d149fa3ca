"""What the stages share: seeded data, frozen inputs, and settings that several of them have."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from torch import nn

from envs.errors import UserError
from train.data.go_games import GoDataConfig

if TYPE_CHECKING:
    from torch import Tensor

    from agents.videoworld.dynamics import LatentDynamicsModel
    from agents.videoworld.tokenizer import FrameTokenizer

M = TypeVar("M", bound=nn.Module)


@dataclass
class Inputs:
    """Checkpoint folders of the stages before; an experiment fills them in."""

    tokenizer: str | None = None
    dynamics: str | None = None
    world: str | None = None
    inverse_dynamics: str | None = None

    def folder(self, stage: str) -> Path:
        """The checkpoint folder of an earlier stage; UserError if it was not given."""
        value = getattr(self, stage)
        if value is None:
            raise UserError(f"this stage builds on the stage {stage}: give inputs.{stage}=runs/{stage}/checkpoint")
        return Path(value)


@dataclass
class StageConfig:
    """Settings all stages have."""

    data: GoDataConfig
    inputs: Inputs = field(default_factory=Inputs)
    seed: int = 0
    # Held-out clips measured at an evaluation
    evaluate_clips: int = 2000


def generator(seed: int, step: int, micro: int, rank: int) -> np.random.Generator:
    """The random numbers of one micro step: a function of its place in the run alone."""
    return np.random.default_rng([seed, step, micro, rank])


def frozen(module: M) -> M:
    """The module without gradients, in eval mode."""
    return module.eval().requires_grad_(False)


def load_tokenizer(inputs: Inputs) -> FrameTokenizer:
    """The tokenizer of an earlier stage, frozen."""
    from agents.checkpoint import load_checkpoint, load_into
    from agents.videoworld.config import TokenizerConfig
    from agents.videoworld.tokenizer import FrameTokenizer

    checkpoint = load_checkpoint(inputs.folder("tokenizer"))
    model = FrameTokenizer(TokenizerConfig(**checkpoint.config["model"]))
    load_into(model, checkpoint.tensors, source=checkpoint.folder)
    frozen(model)
    return model


def load_dynamics(inputs: Inputs) -> LatentDynamicsModel:
    """The latent dynamics model of an earlier stage, frozen."""
    from agents.checkpoint import load_checkpoint, load_into
    from agents.videoworld.config import DynamicsConfig
    from agents.videoworld.dynamics import LatentDynamicsModel

    checkpoint = load_checkpoint(inputs.folder("dynamics"))
    model = LatentDynamicsModel(DynamicsConfig(**checkpoint.config["model"]))
    load_into(model, checkpoint.tensors, source=checkpoint.folder)
    frozen(model)
    return model


def minibatches(frames: Tensor, size: int = 250) -> list[Tensor]:
    """Cut along the first dimension, for evaluation in bounded memory."""
    return list(frames.split(size))


def plain(values: dict[str, Any]) -> dict[str, Any]:
    """Tuples as lists, so that YAML stays plain."""
    return {key: list(value) if isinstance(value, tuple) else value for key, value in values.items()}
