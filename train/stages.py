"""What the stages share: seeded data, frozen inputs, and settings that several of them have."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from torch import nn

from agents.checkpoint_config import GO_AGENT, ROBOT_AGENT, robot_world
from agents.videoworld.config import DynamicsConfig, TokenizerConfig
from envs.errors import UserError
from train.data.video import FrameSpec, VideoConfig, frame_spec_from, kinds_of

if TYPE_CHECKING:
    from torch import Tensor

    from agents.checkpoint import Checkpoint
    from agents.videoworld.dynamics import LatentDynamicsModel
    from agents.videoworld.tokenizer import FrameTokenizer

# Where each stage's network lies in an agent's model
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
    pixellm: str | None = None

    def folder(self, stage: str) -> Path:
        """The checkpoint folder of an earlier stage; UserError if it was not given."""
        value = getattr(self, stage)
        if value is None:
            raise UserError(f"this stage builds on the stage {stage}: give inputs.{stage}=runs/{stage}/checkpoint")
        return Path(value)


@dataclass
class StageConfig:
    """Settings all stages have."""

    data: VideoConfig
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


def sized(config: C, data: VideoConfig) -> C:
    """Settings of a tokenizer or dynamics model for the frames that `data` draws; or UserError."""
    height, width = data.frame_spec.frame_shape
    try:
        return replace(config, frame_size=height if height == width else (height, width))
    except ValueError as error:
        raise UserError(f"{data.frame_spec.words} do not fit: {error}; {data.cure}") from error


def load_part(inputs: Inputs, stage: str, world: str = "") -> Checkpoint:
    """The checkpoint of a stage: config {kind, model, ...} and tensors. An agent's folder gives its part for the stage.

    world: of a robot agent's heads for inverse dynamics, the one of that world.

    Raises:
        UserError: no folder was given, or what is there is neither.
    """
    from agents.checkpoint import Checkpoint, load_checkpoint

    checkpoint = load_checkpoint(inputs.folder(stage))
    config, folder = _part_config(checkpoint.config, stage, checkpoint.folder, world), checkpoint.folder
    if config is checkpoint.config:
        return checkpoint
    prefix = AGENT_PARTS[stage] + (f"{world}." if stage == "inverse_dynamics" and "worlds" in checkpoint.config else "")
    tensors = {key[len(prefix) :]: value for key, value in checkpoint.tensors.items() if key.startswith(prefix)}
    metrics = checkpoint.metrics.get(prefix.removesuffix(".") if prefix.startswith(stage) else stage)
    return Checkpoint(config, tensors, metrics if isinstance(metrics, dict) else {}, folder)


def _part_config(config: dict[str, Any], stage: str, folder: Path, world: str = "") -> dict[str, Any]:
    """What a checkpoint's config says of one stage: itself, or an agent's part for the stage."""
    kind = config.get("kind")
    if kind in (GO_AGENT, ROBOT_AGENT):
        try:
            if kind == ROBOT_AGENT and stage == "inverse_dynamics":
                part = robot_world(config, folder, world)
                return {"kind": stage, "model": part[stage], "frames": part["frames"], "replan": part.get("replan")}
            if kind == ROBOT_AGENT:
                frames = {"canvases": [part["frames"] for part in config["worlds"].values()]}
                return {"kind": stage, "model": config[stage], "frames": frames}
            return {"kind": stage, "model": config[stage], "frames": config["frames"]}
        except (LookupError, TypeError, AttributeError) as error:
            raise _not_described(folder, stage, error) from error
    if kind != stage:
        raise UserError(f"{folder} holds a {kind!r} checkpoint: give inputs.{stage} one of that stage or of an agent")
    return config


def _has_part(config: dict[str, Any], stage: str, world: str) -> bool:
    """Whether a checkpoint has what a stage can begin with: a robot agent's heads are those of the worlds it knows."""
    worlds = config.get("worlds")
    heads = config.get("kind") == ROBOT_AGENT and stage == "inverse_dynamics"
    return not (heads and isinstance(worlds, dict) and worlds and world not in worlds)


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


def frame_spec_of(part: Checkpoint) -> FrameSpec:
    """The frames a checkpoint was trained on; CheckpointError if it does not say."""
    try:
        spec = frame_spec_from(part.config["frames"] if "frames" in part.config else part.config["data"])
        size = part.config["model"].get("frame_size", spec.frame_shape)
        shape = (size, size) if isinstance(size, int) else tuple(size)
        if shape != spec.frame_shape:
            raise ValueError(f"frames of {shape} px for {spec.words}, which have {spec.frame_shape}")
        return spec
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise _not_described(part.folder, part.config["kind"], error) from error


def require_frames(part: Checkpoint, wanted: FrameSpec, asker: str, cure: str, *, some: bool = False) -> None:
    """UserError "X knows 8x8 boards ..., but ASKER 9x9 boards ...: CURE" if a checkpoint was trained on others.

    The size of the frames would not tell: boards of 8 and 9 points have the same. some: it is enough that it knows some
    of them, if all have one size.
    """
    known = frame_spec_of(part)
    common = kinds_of(wanted) & kinds_of(known)
    if common != kinds_of(wanted) and not (some and common and known.frame_shape == wanted.frame_shape):
        raise UserError(f"{part.folder} knows {known.words}, but {asker} {wanted.words}: {cure}")


def check_frames(config: StageConfig, own: str, *stages: str) -> None:
    """UserError if a checkpoint given for one of these stages knows other frames than `config.data` draws.

    own: the stage that is about to run, whose checkpoint it begins with: that one may learn of further worlds.
    """
    from agents.checkpoint import Checkpoint, load_config

    world = getattr(config.data, "world", "")
    for stage in (*stages, own):
        if getattr(config.inputs, stage) is not None:
            folder = config.inputs.folder(stage)
            if not _has_part(told := load_config(folder), stage, world):
                continue
            part = Checkpoint(_part_config(told, stage, folder, world), {}, folder=folder)
            cure = f"give another inputs.{stage}, or other data"
            require_frames(part, config.data.frame_spec, "this run draws", cure, some=stage == own)


def begin_with(module: nn.Module, inputs: Inputs, stage: str, world: str = "") -> None:
    """Copy the weights of `inputs.STAGE` into the stage's own module, if given; a transformer may grow by them.

    world: as in `load_part`; an agent that does not know it has no head to begin with.
    """
    from agents.checkpoint import load_config, load_into
    from agents.videoworld.transformer import VideoTransformer

    if getattr(inputs, stage) is not None and _has_part(load_config(inputs.folder(stage)), stage, world):
        part = load_part(inputs, stage, world)
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


class Figures:
    """Figures of many frames, collected batch by batch."""

    def __init__(self) -> None:
        self._parts: dict[str, list[np.ndarray]] = {}

    def add(self, figures: dict[str, np.ndarray]) -> None:
        """More figures (N,) by name."""
        for name, values in figures.items():
            self._parts.setdefault(name, []).append(np.asarray(values, float))

    def means(self) -> dict[str, float]:
        """The mean of each over all frames."""
        return {name: float(np.concatenate(parts).mean()) for name, parts in self._parts.items()}


def forward_flops(model: nn.Module, data: VideoConfig, length: int) -> float:
    """Arithmetic of one forward pass over a clip of `length` frames."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    clip = torch.zeros(1, length, *data.frame_spec.frame_shape, 3, device=next(model.parameters()).device)
    with FlopCounterMode(display=False) as counter:
        model(clip)
    return float(counter.get_total_flops())


def minibatches(frames: Tensor, size: int = 250) -> list[Tensor]:
    """Cut along the first dimension, for evaluation in bounded memory."""
    return list(frames.split(size))
