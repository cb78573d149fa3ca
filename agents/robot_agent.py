"""RobotAgent: what a robot's cameras see and a sentence in, the arm's actions out, through VideoWorld alone."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from agents.agent import Frame
from agents.checkpoint import (
    CheckpointError,
    as_values,
    halved,
    load_checkpoint,
    load_into,
    save_checkpoint,
)
from agents.checkpoint_config import ROBOT_AGENT, robot_world
from agents.sentences import KnownSentences
from agents.videoworld.config import DynamicsConfig, InverseMotionConfig, TokenizerConfig, WorldConfig
from agents.videoworld.dynamics import LatentDynamicsModel
from agents.videoworld.inverse_dynamics import InverseMotion
from agents.videoworld.motion import MotionCodes
from agents.videoworld.sampling import Sampler
from agents.videoworld.tokenizer import FrameTokenizer
from agents.videoworld.transformer import VideoTransformer
from agents.videoworld.world import VideoWorld
from envs.errors import UserError
from envs.tabletop.canvas import CameraCanvas

_SENTENCES = "sentences."  # where their vectors stand among a checkpoint's tensors
_HEAD = "inverse_dynamics."  # and the heads, one for each world


class RobotModel(nn.Module):
    """All networks of a robot agent in one world, the canvas it looks at there and the sentences it knows.

    Frames are uint8 (B, H, W, 3), canvases of `canvas.frame_shape`; instructions float32 (B, D). replan: how many of
    the planned actions it had best carry out before it looks again; None: all.
    """

    def __init__(
        self,
        world: VideoWorld,
        head: InverseMotion,
        canvas: CameraCanvas,
        sentences: KnownSentences,
        replan: int | None = None,
    ) -> None:
        super().__init__()
        if replan is not None and not 1 <= replan <= head.config.steps:
            raise ValueError(f"replan {replan} of {head.config.steps} actions")
        self.replan = replan
        self.world, self.inverse_dynamics, self.canvas, self.sentences = world, head, canvas, sentences

    @property
    def steps(self) -> int:
        """Actions that make a change, and so lie between a frame and the next one it foresees."""
        return self.inverse_dynamics.config.steps

    @torch.inference_mode()
    def plan(
        self,
        frames: Tensor,
        instructions: Tensor | None,
        sampler: Sampler,
        generator: torch.Generator | None = None,
        *,
        with_frames: bool = False,
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """Actions float32 (B, steps, 7) to do next, the codes' probabilities (B, K), and if wanted the next frames.

        The probabilities are the model's own, whatever the sampler makes of them. Without codes the frames come first,
        and the dynamics model says what moved between them; the probabilities are (B, 0) then.
        """
        dynamics, foretold = self.world.dynamics, self.world.config.codes > 0
        assert dynamics is not None and isinstance(dynamics.net, MotionCodes)
        seen = self.world.predict(
            frames[:, None], instructions, sampler=sampler, with_frames=with_frames or not foretold, generator=generator
        )
        following = None if seen.frames is None else seen.frames[:, 0]
        sure = seen.distribution.gather(-1, seen.codes[:, 0, :, None])[..., 0].exp()
        if foretold:
            codes = seen.codes[:, 0]
        else:
            assert following is not None
            codes = dynamics.encode(torch.stack([frames, following], 1))[:, 0]
        return self.inverse_dynamics.actions(dynamics.net.vectors(codes), frames), sure, following

    @torch.inference_mode()
    def imagine(self, frames: Tensor, instructions: Tensor | None, changes: int) -> Tensor:
        """The next frames (B, changes, H, W, 3), each `steps` actions after the one before, on the model's own."""
        return self.world.imagine(frames[:, None], instructions, steps=changes)


@dataclass(frozen=True)
class RobotThought:
    """What a robot agent saw, foresaw and chose.

    Attributes:
        frame: uint8 (H, W, 3), the canvas of what its cameras saw.
        imagined: uint8 (T, H, W, 3), canvases it expects, each `steps` actions after the one before; may be absent.
        instruction: what it was told to do.
        actions: float32 (steps, 7), the relative actions it chose.
        confidence: mean probability that the model gives the codes it chose, in 0..1.
        milliseconds: wall time spent.
    """

    frame: Frame
    imagined: Frame | None
    instruction: str
    actions: NDArray[np.float32]
    confidence: float
    milliseconds: float


class RobotAgent:
    """Follows an instruction, looking anew every `replan` actions.

    Args:
        model: the networks.
        temperature: 0 takes the likeliest codes; 1 samples them.
        replan: actions carried out between two looks, at most `model.steps`; None: as many as the model says.
        seed: of the sampling.
    """

    def __init__(
        self, model: RobotModel, *, temperature: float = 0.0, replan: int | None = None, seed: int = 0
    ) -> None:
        if not 0 <= temperature < float("inf"):
            raise UserError(f"temperature is {temperature}: give 0 (always the likeliest code) or more")
        if replan is not None and not 1 <= replan <= model.steps:
            raise UserError(f"replan is {replan}: this agent plans {model.steps} actions, so give 1 to {model.steps}")
        self.model, self.sampler = model.eval(), Sampler(temperature=temperature)
        self.replan = replan or model.replan or model.steps
        self._seed = seed
        self.reset("wait")

    @classmethod
    def load(cls, folder: str | Path, world: str, **options: Any) -> RobotAgent:
        """The agent of a checkpoint folder in a world ("calvin", "rlbench"); UserError as `load_robot_model`."""
        return cls(load_robot_model(folder, world), **options)

    def reset(self, instruction: str, seed: int | None = None) -> None:
        """Begin to follow an instruction; what was planned is forgotten. UserError where nobody can embed it."""
        self.instruction = instruction
        self._told: Tensor | None = None
        self._plan: list[np.ndarray] = []
        self._generator = torch.Generator().manual_seed(self._seed if seed is None else seed)
        self.thought: RobotThought | None = None

    def act(self, pictures: Mapping[str, np.ndarray], *, imagine: int = 0) -> NDArray[np.float32]:
        """The next relative action (7,), in [-1, 1]; `thought` tells of the plan it is a part of.

        Args:
            pictures: uint8 (h, w, 3) of each camera on the canvas, in any size.
            imagine: how many changes ahead to imagine when it plans.
        """
        if not self._plan:
            self.thought = self.think(pictures, imagine=imagine)
            self._plan = list(self.thought.actions[: self.replan])
        return self._plan.pop(0)

    def think(self, pictures: Mapping[str, np.ndarray], *, imagine: int = 0) -> RobotThought:
        """Look, and plan; nothing is carried out."""
        start = time.perf_counter()
        frame = self.model.canvas.draw(pictures)
        if self._told is None and self.model.world.config.instruction_dim:
            self._told = torch.from_numpy(self.model.sentences([self.instruction]))
        frames = torch.from_numpy(frame[None])
        actions, sure, following = self.model.plan(
            frames, self._told, self.sampler, self._generator, with_frames=imagine > 0
        )
        imagined = None
        if following is not None:
            further = [self.model.imagine(following, self._told, imagine - 1)[0]] if imagine > 1 else []
            imagined = torch.cat([following, *further]).numpy()
        return RobotThought(
            frame=frame,
            imagined=imagined,
            instruction=self.instruction,
            actions=actions[0].numpy(),
            confidence=float(sure.mean()) if sure.numel() else 1.0,
            milliseconds=1000 * (time.perf_counter() - start),
        )

    def foresee(self, thought: RobotThought, changes: int) -> RobotThought:
        """The thought with at least `changes` imagined frames; those it has stay. Its plan is not touched."""
        seen = thought.frame[None] if thought.imagined is None else thought.imagined
        have = 0 if thought.imagined is None else len(seen)
        if have >= changes:
            return thought
        told = None
        if self.model.world.config.instruction_dim:
            told = torch.from_numpy(self.model.sentences([thought.instruction]))
        further = self.model.imagine(torch.from_numpy(seen[-1:]), told, changes - have)[0].numpy()
        return replace(thought, imagined=np.concatenate([seen[:have], further]))


def load_robot_model(folder: str | Path, world: str) -> RobotModel:
    """The networks of a robot checkpoint folder for one of the worlds it knows, in eval mode on the CPU.

    Raises:
        UserError: the folder does not hold a robot agent, or one that does not know this world.
    """
    checkpoint = load_checkpoint(folder)
    config, tensors = checkpoint.config, dict(checkpoint.tensors)
    part = robot_world(config, folder, world)
    vectors = tensors.pop(f"{_SENTENCES}vectors", torch.zeros(0, 0))
    tensors = {_in_world(key, world): tensor for key, tensor in tensors.items() if _is_of(key, world)}
    try:
        tokenizer = FrameTokenizer(TokenizerConfig(**config["tokenizer"]))
        dynamics = LatentDynamicsModel(DynamicsConfig(**config["dynamics"]))
        transformer = VideoTransformer(WorldConfig(**config["world"]))
        head = InverseMotion(InverseMotionConfig(**part["inverse_dynamics"]))
        canvas = CameraCanvas(**part["frames"])
        told = config["sentences"]
        known = dict(zip(told["known"], vectors.float().numpy(), strict=True))
        sentences = KnownSentences(told["encoder"], known)
        if canvas.frame_shape != tokenizer.config.frame_shape:
            raise ValueError(f"frames of {canvas.frame_shape} px for a tokenizer of {tokenizer.config.frame_shape} px")
        model = RobotModel(VideoWorld(tokenizer, transformer, dynamics), head, canvas, sentences, part.get("replan"))
    except (KeyError, TypeError, ValueError, ArithmeticError, RuntimeError) as error:
        raise CheckpointError(
            f"{folder}/config.yaml does not describe a robot agent ({error}): copy the checkpoint anew"
        ) from error
    load_into(model, tensors, source=folder)
    return model.eval().requires_grad_(False)


def save_robot_model(
    models: Mapping[str, RobotModel],
    folder: str | Path,
    *,
    metrics: dict[str, Any] | None = None,
    readme: str | None = None,
) -> Path:
    """Write the checkpoint folder that `load_robot_model` reads, the sentences it knows included.

    models: world -> the agent in that world; all of them share their networks but for the inverse dynamics.
    """
    shared = next(iter(models.values()))
    dynamics, known = shared.world.dynamics, shared.sentences.known
    assert dynamics is not None and all(model.world is shared.world for model in models.values())
    config = {
        "kind": ROBOT_AGENT,
        "tokenizer": as_values(shared.world.tokenizer.config),
        "dynamics": as_values(dynamics.config),
        "world": as_values(shared.world.config),
        "worlds": {
            name: {
                "frames": as_values(model.canvas),
                "inverse_dynamics": as_values(model.inverse_dynamics.config),
                **({} if model.replan is None else {"replan": model.replan}),
            }
            for name, model in models.items()
        },
        "sentences": {"encoder": shared.sentences.encoder, "known": list(known)},
    }
    tensors = {key: tensor for key, tensor in shared.state_dict().items() if not key.startswith(_HEAD)}
    for name, model in models.items():
        tensors |= {f"{_HEAD}{name}.{key}": tensor for key, tensor in model.inverse_dynamics.state_dict().items()}
    tensors = halved(tensors)
    if known:
        tensors[f"{_SENTENCES}vectors"] = torch.from_numpy(np.stack(list(known.values()))).half()
    return save_checkpoint(folder, config, tensors, metrics=metrics, readme=readme)


def _is_of(key: str, world: str) -> bool:
    """Whether a checkpoint's tensor belongs to the agent of a world."""
    return not key.startswith(_HEAD) or key.startswith(f"{_HEAD}{world}.")


def _in_world(key: str, world: str) -> str:
    """Its name in that agent's model."""
    return key.replace(f"{_HEAD}{world}.", _HEAD, 1)
