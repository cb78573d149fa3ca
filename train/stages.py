"""What the stages share: seeded data, frozen inputs, and settings that several of them have."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from torch import nn

from agents.videoworld.config import DynamicsConfig, TokenizerConfig
from envs.errors import UserError
from train.data.go_games import GoDataConfig

if TYPE_CHECKING:
    from torch import Tensor

    from agents.checkpoint import Checkpoint
    from agents.videoworld.dynamics import LatentDynamicsModel
    from agents.videoworld.tokenizer import FrameTokenizer

# Where each stage's network lies in a GoModel
AGENT_PARTS = {
    "tokenizer": "world.tokenizer.",
    "dynamics": "world.dynamics.",
    "world": "world.transformer.",
    "inverse_dynamics": "inverse_dynamics.",
}
M = TypeVar("M", bound=nn.Module)
C = TypeVar("C", TokenizerConfig, DynamicsConfig)


@dataclass
class Inputs:
    """Checkpoint folders of other stages, or of whole agents; an experiment fills them in.

    A stage builds on those before it. Given a folder of its own, it begins with the weights there.
    """

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


def sized(config: C, data: GoDataConfig) -> C:
    """Settings of a tokenizer or dynamics model for the frames that `data` draws; or UserError."""
    try:
        return replace(config, frame_size=data.geometry.frame_size)
    except ValueError as error:
        raise UserError(f"{data.size}x{data.size} boards with data.cell={data.cell} do not fit: {error}") from error


def load_part(inputs: Inputs, stage: str) -> Checkpoint:
    """The checkpoint of a stage: config {kind, model, ...} and tensors. An agent's folder gives its part for the stage.

    Raises:
        UserError: no folder was given, or what is there is neither.
    """
    from agents.checkpoint import Checkpoint, load_checkpoint
    from agents.go_agent import KIND

    checkpoint = load_checkpoint(inputs.folder(stage))
    kind = checkpoint.config.get("kind")
    if kind == KIND:
        prefix = AGENT_PARTS[stage]
        tensors = {key[len(prefix) :]: value for key, value in checkpoint.tensors.items() if key.startswith(prefix)}
        config = {"kind": stage, "model": checkpoint.config[stage], "geometry": checkpoint.config["frames"]}
        return Checkpoint(config, tensors, checkpoint.metrics.get(stage, {}), checkpoint.folder)
    if kind != stage:
        raise UserError(
            f"{checkpoint.folder} holds a {kind!r} checkpoint: give inputs.{stage} one of that stage or of an agent"
        )
    return checkpoint


def begin_with(module: nn.Module, inputs: Inputs, stage: str) -> None:
    """Copy the weights of `inputs.STAGE` into the stage's own module, if given."""
    from agents.checkpoint import load_into

    if getattr(inputs, stage) is not None:
        part = load_part(inputs, stage)
        load_into(module, part.tensors, source=part.folder)


def load_tokenizer(inputs: Inputs) -> FrameTokenizer:
    """The tokenizer of an earlier stage, frozen."""
    from agents.checkpoint import load_into
    from agents.videoworld.tokenizer import FrameTokenizer

    part = load_part(inputs, "tokenizer")
    model = FrameTokenizer(TokenizerConfig(**part.config["model"]))
    load_into(model, part.tensors, source=part.folder)
    return frozen(model)


def load_dynamics(inputs: Inputs) -> LatentDynamicsModel:
    """The latent dynamics model of an earlier stage, frozen."""
    from agents.checkpoint import load_into
    from agents.videoworld.dynamics import LatentDynamicsModel

    part = load_part(inputs, "dynamics")
    model = LatentDynamicsModel(DynamicsConfig(**part.config["model"]))
    load_into(model, part.tensors, source=part.folder)
    return frozen(model)


def minibatches(frames: Tensor, size: int = 250) -> list[Tensor]:
    """Cut along the first dimension, for evaluation in bounded memory."""
    return list(frames.split(size))


def plain(values: dict[str, Any]) -> dict[str, Any]:
    """Tuples as lists, so that YAML stays plain."""
    return {key: list(value) if isinstance(value, tuple) else value for key, value in values.items()}
