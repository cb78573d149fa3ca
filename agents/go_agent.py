"""GoAgent: a board's picture in, a move out, through VideoWorld alone."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from agents.agent import Candidate, Decision, Rejection, Thought
from agents.checkpoint import CheckpointError, as_values, halved, load_checkpoint, load_into, save_checkpoint
from agents.checkpoint_config import GO_AGENT
from agents.videoworld.config import DynamicsConfig, InverseDynamicsConfig, TokenizerConfig, WorldConfig
from agents.videoworld.dynamics import LatentDynamicsModel
from agents.videoworld.inverse_dynamics import InverseDynamics
from agents.videoworld.sampling import GREEDY
from agents.videoworld.tokenizer import FrameTokenizer
from agents.videoworld.transformer import Encoded, VideoTransformer
from agents.videoworld.world import VideoWorld
from envs.errors import UserError
from envs.go.batch import INVERSE_SYMMETRY, symmetry_table
from envs.go.renderer import BoardGeometry, read_move, turn_frames

READERS = ("codes", "frames")
CANDIDATES = 10  # shown in a thought
CODES_MEANT = 64  # likeliest codes whose meanings make up the move distribution in play
CODES_READ = 1024  # likeliest codes among which the one that means a given move is sought
VIEWS_POWER = 0.25  # of the mean that joins several views of a board
FRAMES_READ = 16  # likeliest codes whose frames the frame reader looks at


class GoModel(nn.Module):
    """All networks behind a Go agent, and the frames they know."""

    def __init__(
        self,
        tokenizer: FrameTokenizer,
        dynamics: LatentDynamicsModel,
        transformer: VideoTransformer,
        inverse_dynamics: InverseDynamics,
        geometry: BoardGeometry,
    ) -> None:
        super().__init__()
        self.world = VideoWorld(tokenizer, transformer, dynamics)
        self.inverse_dynamics = inverse_dynamics
        self.geometry = geometry

    @torch.inference_mode()
    def code_logprobs(self, frames: Tensor) -> Tensor:
        """Frames uint8 (B, S, S, 3) -> log probabilities of the coming change's code (B, code_size)."""
        return self.world.predict(frames[:, None], with_frames=False).distribution[:, 0]

    @torch.inference_mode()
    def move_probabilities(self, frames: Tensor, reader: str = "codes", *, keep: int | None = CODES_MEANT) -> Tensor:
        """Frames uint8 (B, S, S, 3) -> probabilities (B, N*N + 1) of the move that is played next.

        reader "codes": the inverse dynamics say what each code means. "frames": no labels at all; the frames that
        follow under the likeliest codes are drawn, and a move is where a stone appears in them.
        keep: how many of the likeliest codes are asked for their meaning (None: all); drawn are FRAMES_READ at most.
        """
        if reader == "codes":
            vectors = self.world.tokenizer.vectors(self.world.tokenizer.encode(frames)).flatten(1, 2)
            return self.inverse_dynamics.move_distribution(self.code_logprobs(frames), vectors, keep)
        encoded, codes = self.read(frames), self.world.config.codes
        if codes:
            scores, likeliest = self.logits(encoded).log_softmax(-1).topk(FRAMES_READ)
            weights = scores.softmax(-1).double().cpu().numpy()  # (B, FRAMES_READ)
            drawn = [self._follow(encoded, likeliest[:, i]) for i in range(FRAMES_READ)]
        else:
            weights = np.ones((len(frames), 1))
            drawn = [self._follow(encoded, None)]
        seen = frames.cpu().numpy()
        moves = np.stack([read_move(seen, after.cpu().numpy(), self.geometry) for after in drawn], axis=1)
        probabilities = np.zeros((len(frames), self.geometry.size**2 + 2))
        # -1, no move, falls into the last column
        np.add.at(probabilities, (np.arange(len(frames))[:, None], moves), weights)
        return torch.from_numpy(probabilities[:, :-1]).float()

    def read(self, frames: Tensor) -> Encoded:
        """The transformer's state after one known frame a board."""
        ids = self.world.tokenizer.encode(frames[:, None])
        none = torch.zeros(len(frames), 0, self.world.config.codes, dtype=torch.long, device=frames.device)
        return self.world.transformer.read(ids, none)

    def logits(self, encoded: Encoded) -> Tensor:
        """Code logits (B, code_size) after `read`."""
        return self.world.sample_codes(replace(encoded), 1, GREEDY)[2][:, 0]

    @torch.inference_mode()
    def imagine_change(self, frames: Tensor, moves: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Frames uint8 (B, S, S, 3) -> the next moves int64 (B,), and the frames that follow them.

        moves: those to imagine (default: the likeliest). Where none of the likelier codes means the move, -1 comes
        back, and the frame that follows is that of the likeliest code.
        """
        encoded = self.read(frames)
        logits = self.logits(encoded)
        codes = logits.topk(min(CODES_READ, logits.shape[-1])).indices  # (B, CODES_READ)
        head = self.inverse_dynamics
        vectors = self.world.tokenizer.vectors(self.world.tokenizer.encode(frames)).flatten(1, 2)
        meanings = head(codes, head.tokens_at(vectors, codes)).argmax(-1)  # (B, CODES_READ)
        meant = meanings == (meanings[:, :1] if moves is None else moves[:, None])
        first = meant.int().argmax(1)
        rows = torch.arange(len(frames), device=frames.device)
        found = torch.where(meant[rows, first], meanings[rows, first], -1)
        return found, self._follow(encoded, codes[rows, first])

    @torch.inference_mode()
    def following(self, frames: Tensor, codes: Tensor) -> Tensor:
        """The frames uint8 (B, S, S, 3) that follow `frames` under `codes` (B,), as the world model foresees them.

        Of several codes, `codes` are the first; the others are the likeliest.
        """
        return self._follow(self.read(frames), codes)

    def _follow(self, encoded: Encoded, codes: Tensor | None) -> Tensor:
        """`following` after `read`, as often as one likes; None for a model without codes."""
        encoded = replace(encoded)  # another future of the same past
        if codes is None:
            every = torch.zeros(len(encoded.hidden), 0, dtype=torch.long, device=encoded.hidden.device)
        else:
            every = self.world.complete_codes(encoded, 1, codes)
        return self.world.tokenizer.decode(self.world.next_frame(encoded, 1, every)[:, None])[:, 0]


class GoAgent:
    """Plays either colour from frames. `legal` only crosses out moves the rules forbid; nothing is searched.

    Args:
        model: the networks.
        temperature: 0 plays the likeliest move; 1 samples from the move distribution.
        symmetries: 1, or 8 to look at the board under all its symmetries (of the picture); see `join_views`.
        reader: "codes" (inverse dynamics) or "frames" (label-free, from imagined pixels).
        seed: of the sampling.
        name: shown to people.
    """

    def __init__(
        self,
        model: GoModel,
        *,
        temperature: float = 0.0,
        symmetries: int = 1,
        reader: str = "codes",
        seed: int = 0,
        name: str = "VideoWorld",
    ) -> None:
        if not 0 <= temperature < float("inf"):
            raise UserError(f"temperature is {temperature}: give 0 (always the likeliest move) or more")
        if symmetries not in (1, 8):
            raise UserError(f"symmetries is {symmetries}: give 1 or 8")
        if reader not in READERS:
            raise UserError(f"unknown reader {reader!r}: choose one of {', '.join(READERS)}")
        self.model = model.eval()
        self.temperature, self.symmetries, self.reader, self.name = temperature, symmetries, reader, name
        self._rng = np.random.default_rng(seed)

    @classmethod
    def load(cls, folder: str | Path, **options: Any) -> GoAgent:
        """The agent of a checkpoint folder; CheckpointError (a UserError) if the folder does not hold one."""
        return cls(load_go_model(folder), **options)

    @property
    def size(self) -> int:
        """Points per side of the boards it plays on."""
        return self.geometry.size

    @property
    def geometry(self) -> BoardGeometry:
        """The frames it looks at."""
        return self.model.geometry

    def probabilities(self, frame: np.ndarray) -> np.ndarray:
        """Frame uint8 (S, S, 3) -> probability of every move (N*N + 1,), of all symmetries together."""
        turns = range(self.symmetries)
        frames = np.concatenate([turn_frames(frame[None], turn, self.geometry) for turn in turns])
        moves = self.model.move_probabilities(torch.from_numpy(frames), self.reader).numpy()
        return join_views(moves, self.size)

    def decide(self, frame: np.ndarray, *, legal: np.ndarray | None = None, imagine: bool = True) -> Decision:
        """Choose a move for the side whose turn the frame shows; see `agents.agent.Agent`."""
        start = time.perf_counter()
        size = self.geometry.frame_size
        if frame.shape != (size, size, 3):
            raise ValueError(f"the frame is {frame.shape}, but this agent looks at ({size}, {size}, 3)")
        wanted = self.probabilities(frame)
        allowed = np.ones(len(wanted), bool) if legal is None else legal
        masked = np.where(allowed, wanted, 0.0)
        if masked.sum() <= 0:
            masked = np.where(np.arange(len(wanted)) == len(wanted) - 1, 1.0, 0.0)  # nothing it wants is allowed: pass
        masked = masked / masked.sum()
        action = self._choose(masked)
        order = np.argsort(-wanted, kind="stable")
        refused = [int(point) for point in order[: int(np.argmax(allowed[order]))] if wanted[point] > 0]
        imagined = self.imagine(frame, 1, action=action) if imagine else None
        best = np.argsort(-masked, kind="stable")[:CANDIDATES]
        thought = Thought(
            frame=frame,
            imagined=imagined if imagined is not None and len(imagined) else None,
            candidates=tuple(Candidate(int(p), float(masked[p])) for p in best if masked[p] > 0),
            probabilities=masked,
            rejected=tuple(Rejection(point) for point in refused[:CANDIDATES]),
            confidence=float(masked[action]),
            milliseconds=1000 * (time.perf_counter() - start),
            note="",
        )
        return Decision(action, thought)

    def _choose(self, probabilities: np.ndarray) -> int:
        if self.temperature == 0:
            return int(probabilities.argmax())
        # relative to the likeliest, so that no small temperature rounds all of them to 0
        ratios = np.maximum(probabilities / probabilities.max(), 1e-30)
        weights = np.where(probabilities > 0, np.exp(np.log(ratios) / self.temperature), 0.0)
        return int(self._rng.choice(len(weights), p=weights / weights.sum()))

    def imagine(self, frame: np.ndarray, steps: int, *, action: int | None = None) -> np.ndarray:
        """The next frames under the likeliest codes, the first under one that means `action`; see `Agent`."""
        moves = None if action is None else torch.tensor([action])
        found, following = self.model.imagine_change(torch.from_numpy(frame[None]), moves)
        if steps < 1 or found[0] < 0:
            return frame[None][:0]
        if steps == 1:
            return following.numpy()
        later = self.model.world.imagine(following[:, None], steps=steps - 1)[0]
        return torch.cat([following, later]).numpy()


def join_views(moves: np.ndarray, size: int) -> np.ndarray:
    """Probabilities of moves (V, ..., N*N + 1) on one board seen under its first V symmetries -> (..., N*N + 1).

    One view comes back as it is. Several are turned back and joined by their power mean with exponent VIEWS_POWER: near
    the geometric mean, so that a move has to look good from most sides, but no single view forbids one. What a view
    lacks to 1, its unreadable answers, counts as one more move.
    """
    if len(moves) == 1:
        return moves[0]
    total = np.zeros((*moves.shape[1:-1], moves.shape[-1] + 1))
    for turn, view in enumerate(np.asarray(moves, np.float64)):
        places = symmetry_table(size)[INVERSE_SYMMETRY[turn]][:-1]  # where each turned point belongs
        total[..., places] += view**VIEWS_POWER
        total[..., -1] += np.maximum(1.0 - view.sum(-1), 0.0) ** VIEWS_POWER
    joined = (total / len(moves)) ** (1 / VIEWS_POWER)
    return (joined / joined.sum(-1, keepdims=True))[..., :-1]


def load_go_model(folder: str | Path) -> GoModel:
    """The networks of a Go checkpoint folder, in eval mode on the CPU."""
    checkpoint = load_checkpoint(folder)
    config = checkpoint.config
    if config.get("kind") != GO_AGENT:
        raise CheckpointError(
            f"{folder} holds a {config.get('kind', 'foreign')!r} checkpoint, not a Go agent; give another folder"
        )
    try:
        tokenizer = FrameTokenizer(TokenizerConfig(**config["tokenizer"]))
        dynamics = LatentDynamicsModel(DynamicsConfig(**config["dynamics"]))
        transformer = VideoTransformer(WorldConfig(**config["world"]))
        head = InverseDynamics(InverseDynamicsConfig(**config["inverse_dynamics"]))
        geometry = BoardGeometry(**config["frames"])
        if geometry.frame_size != tokenizer.config.frame_size:
            raise ValueError(f"frames of {geometry.frame_size} px for a tokenizer of {tokenizer.config.frame_size} px")
    except (KeyError, TypeError, ValueError, ArithmeticError, RuntimeError) as error:
        raise CheckpointError(
            f"{folder}/config.yaml does not describe a Go agent ({error}): copy the checkpoint anew"
        ) from error
    model = GoModel(tokenizer, dynamics, transformer, head, geometry)
    load_into(model, checkpoint.tensors, source=folder)
    return model.eval().requires_grad_(False)


def save_go_model(
    model: GoModel, folder: str | Path, *, metrics: dict[str, Any] | None = None, readme: str | None = None
) -> Path:
    """Write the checkpoint folder that `load_go_model` reads; the transformer's weights are stored as float16."""
    parts = {
        "tokenizer": model.world.tokenizer.config,
        "dynamics": model.world.dynamics.config if model.world.dynamics is not None else None,
        "world": model.world.config,
        "inverse_dynamics": model.inverse_dynamics.config,
        "frames": model.geometry,
    }
    config: dict[str, Any] = {"kind": GO_AGENT}
    for name, part in parts.items():
        config[name] = as_values(part) if part is not None else {}
    return save_checkpoint(folder, config, halved(model.state_dict()), metrics=metrics, readme=readme)
