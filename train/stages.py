"""What the stages share: seeded data, frozen inputs, and settings that several of them have."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from torch import nn

from agents.checkpoint_config import GO_AGENT
from agents.videoworld.config import DynamicsConfig, TokenizerConfig
from envs.errors import UserError
from envs.go.renderer import BoardGeometry
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

    def __post_init__(self) -> None:
        self.at_least("evaluate_clips", 1)
        self.at_least("seed", 0)

    def at_least(self, key: str, least: int) -> None:
        """UserError if a setting is smaller."""
        if getattr(self, key) < least:
            raise UserError(f"stage.{key} is {getattr(self, key)}; choose a whole number of at least {least}")


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
        boards = f"{data.size}x{data.size} boards of style {data.style} with data.cell={data.cell}"
        cure = "choose another data.cell, or data.style=paper for the published 256 px"
        raise UserError(f"{boards} do not fit: {error}; {cure}") from error


def load_part(inputs: Inputs, stage: str) -> Checkpoint:
    """The checkpoint of a stage: config {kind, model, ...} and tensors. An agent's folder gives its part for the stage.

    Raises:
        UserError: no folder was given, or what is there is neither.
    """
    from agents.checkpoint import Checkpoint, load_checkpoint

    checkpoint = load_checkpoint(inputs.folder(stage))
    config, folder = _part_config(checkpoint.config, stage, checkpoint.folder), checkpoint.folder
    if config is checkpoint.config:
        return checkpoint
    prefix = AGENT_PARTS[stage]
    tensors = {key[len(prefix) :]: value for key, value in checkpoint.tensors.items() if key.startswith(prefix)}
    metrics = checkpoint.metrics.get(stage)
    return Checkpoint(config, tensors, metrics if isinstance(metrics, dict) else {}, folder)


def _part_config(config: dict[str, Any], stage: str, folder: Path) -> dict[str, Any]:
    """What a checkpoint's config says of one stage: itself, or an agent's part for the stage."""
    kind = config.get("kind")
    if kind == GO_AGENT:
        try:
            return {"kind": stage, "model": config[stage], "geometry": config["frames"]}
        except KeyError as error:
            raise _not_described(folder, stage, error) from error
    if kind != stage:
        raise UserError(f"{folder} holds a {kind!r} checkpoint: give inputs.{stage} one of that stage or of an agent")
    return config


def _not_described(folder: Path, stage: str, error: Exception) -> UserError:
    from agents.checkpoint import CheckpointError

    reason = f"no {error}" if isinstance(error, KeyError) else error
    return CheckpointError(f"{folder}/config.yaml does not describe the stage {stage} ({reason}); copy it anew")


def restore(part: Checkpoint, settings: type[Any], network: Callable[[Any], M]) -> M:
    """The network a checkpoint holds: `network(settings(...))` with its weights.

    Raises:
        CheckpointError: the config is foreign or damaged, or does not fit the weights.
    """
    from agents.checkpoint import load_into

    try:
        module = network(settings(**part.config["model"]))
    except (LookupError, TypeError, ValueError, ArithmeticError, RuntimeError) as error:
        raise _not_described(part.folder, part.config["kind"], error) from error
    load_into(module, part.tensors, source=part.folder)
    return module


def geometry_of(part: Checkpoint) -> BoardGeometry:
    """The boards a checkpoint was trained on; CheckpointError if it does not say."""
    try:
        values = part.config["geometry"] if "geometry" in part.config else part.config["data"]
        geometry = BoardGeometry(values["size"], values["style"], values["cell"])
        pixels = part.config["model"].get("frame_size", geometry.frame_size)
        if pixels != geometry.frame_size:
            raise ValueError(f"frames of {pixels} px for boards of {geometry.frame_size} px")
        return geometry
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise _not_described(part.folder, part.config["kind"], error) from error


def require_boards(part: Checkpoint, wanted: BoardGeometry, asker: str, cure: str) -> None:
    """UserError "X knows 8x8 boards ..., but ASKER 9x9 boards ...: CURE" if a checkpoint was trained on others.

    The size of the frames would not tell: boards of 8 and 9 points have the same.
    """
    known = geometry_of(part)
    if (known.size, known.style, known.pitch) != (wanted.size, wanted.style, wanted.pitch):
        raise UserError(f"{part.folder} knows {_boards(known)}, but {asker} {_boards(wanted)}: {cure}")


def _boards(geometry: BoardGeometry) -> str:
    return f"{geometry.size}x{geometry.size} boards of style {geometry.style} with {geometry.pitch} px a point"


def check_boards(config: StageConfig, *stages: str) -> None:
    """UserError if a checkpoint given for one of these stages knows other boards than `config.data` draws."""
    from agents.checkpoint import Checkpoint, load_config

    for stage in stages:
        if getattr(config.inputs, stage) is not None:
            folder = config.inputs.folder(stage)
            part = Checkpoint(_part_config(load_config(folder), stage, folder), {}, folder=folder)
            cure = f"give another inputs.{stage}, or other data"
            require_boards(part, config.data.geometry, "this run draws", cure)


def begin_with(module: nn.Module, inputs: Inputs, stage: str) -> None:
    """Copy the weights of `inputs.STAGE` into the stage's own module, if given; a transformer may grow by them."""
    from agents.checkpoint import load_into
    from agents.videoworld.transformer import VideoTransformer

    if getattr(inputs, stage) is not None:
        part = load_part(inputs, stage)
        tensors = module.adopt(part.tensors) if isinstance(module, VideoTransformer) else part.tensors
        load_into(module, tensors, source=part.folder)


def load_tokenizer(inputs: Inputs) -> FrameTokenizer:
    """The tokenizer of an earlier stage, frozen."""
    from agents.videoworld.tokenizer import FrameTokenizer

    return frozen(restore(load_part(inputs, "tokenizer"), TokenizerConfig, FrameTokenizer))


def load_dynamics(inputs: Inputs) -> LatentDynamicsModel:
    """The latent dynamics model of an earlier stage, frozen."""
    from agents.videoworld.dynamics import LatentDynamicsModel

    return frozen(restore(load_part(inputs, "dynamics"), DynamicsConfig, LatentDynamicsModel))


def minibatches(frames: Tensor, size: int = 250) -> list[Tensor]:
    """Cut along the first dimension, for evaluation in bounded memory."""
    return list(frames.split(size))


def plain(values: dict[str, Any]) -> dict[str, Any]:
    """Tuples as lists, so that YAML stays plain."""
    return {key: list(value) if isinstance(value, tuple) else value for key, value in values.items()}
