"""GoModel: all networks behind a Go agent; pictures of boards in, likely moves and imagined pictures out."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from agents.checkpoint import CheckpointError, as_values, halved, load_checkpoint, load_into, save_checkpoint
from agents.checkpoint_config import GO_AGENT
from agents.videoworld.config import DynamicsConfig, InverseDynamicsConfig, TokenizerConfig, WorldConfig
from agents.videoworld.dynamics import LatentDynamicsModel
from agents.videoworld.inverse_dynamics import InverseDynamics
from agents.videoworld.sampling import GREEDY
from agents.videoworld.sequence import lay_out
from agents.videoworld.tokenizer import FrameTokenizer
from agents.videoworld.transformer import Encoded, VideoTransformer, split_digits
from agents.videoworld.world import VideoWorld
from envs.go.batch import BatchedGo
from envs.go.renderer import BoardGeometry, read_move, renderer_for
from envs.go.rules import BLACK, WHITE

READERS = ("codes", "frames")
CODES_MEANT = 64  # likeliest codes whose meanings make up the move distribution in play
CODES_READ = 1024  # likeliest codes among which the one that means a given move is sought
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
        return self.look(self.world.tokenizer.encode(frames))

    def logits(self, encoded: Encoded) -> Tensor:
        """Code logits (B, code_size) after `read`."""
        return self.world.sample_codes(replace(encoded), 1, GREEDY)[2][:, 0]

    def look(self, ids: Tensor) -> Encoded:
        """`read` for frames that are given by their token ids int64 (B, h, w)."""
        none = torch.zeros(len(ids), 0, self.world.config.codes, dtype=torch.long, device=ids.device)
        return self.world.transformer.read(ids[:, None], none)

    def moves_and_codes(self, ids: Tensor, encoded: Encoded, keep: int | None = CODES_MEANT) -> tuple[Tensor, Tensor]:
        """What is likely to be played after frames with token ids (B, h, w), and the codes that stand for it.

        keep: how many of the likeliest codes are asked for their meaning (None: all).

        Returns probabilities (B, N*N + 1), and for each move the code int64 (B, N*N + 1) that most probably is it;
        where a move's probability is 0 its code means nothing.
        """
        logprobs = self.logits(encoded).float().log_softmax(-1)
        vectors = self.world.tokenizer.vectors(ids).flatten(1, 2)
        head = self.inverse_dynamics
        scores, codes = logprobs.topk(min(keep or logprobs.shape[-1], logprobs.shape[-1]))  # (B, keep)
        meaning = head(codes, head.tokens_at(vectors, codes)).softmax(-1)  # (B, keep, moves)
        joint = scores.softmax(-1)[..., None] * meaning
        return joint.sum(1), codes.gather(1, joint.argmax(1))

    def next_ids(self, encoded: Encoded, codes: Tensor) -> Tensor:
        """Token ids int64 (B, h, w) of the frames that follow under `codes` (B,); of several the first."""
        encoded = replace(encoded)  # another future of the same past
        return self.world.next_frame(encoded, 1, self.world.complete_codes(encoded, 1, codes))

    @property
    def has_outlook(self) -> bool:
        """Whether `end` can be asked for."""
        return self._colours is not None

    def end(self, encoded: Encoded) -> tuple[Tensor, Tensor]:
        """How the film ends that `encoded` has read one frame of.

        Films of games end with the counted board, on which a stone stands on every point that is somebody's, and with
        the winner's shade in the strip. A token is made of one code for each cell, and each of its digits says how much
        rather Black's than White's is foreseen there; what counts is their mean.

        Returns:
            Whose each point will be, float32 (B, N, N), 1 Black's for sure, -1 White's; and how surely the strip shows
            Black as the winner, float32 (B,) in 0..1, 0.5 where frames have no strip.

        Raises:
            ValueError: the model has no outlook, or its tokens have no part for each cell.
        """
        if self._colours is None:
            raise ValueError("an end is foreseen by a model with an outlook whose tokens have a part for each cell")
        tokenizer, size = self.world.tokenizer, self.geometry.size
        digits = self.world.transformer.read_outlook(encoded.hidden, lay_out(self.world.config, 1), 0)
        ahead, differ = [], []
        for logits, black, white in zip(digits, *self._colours, strict=True):
            logits = logits[:, 0].float()  # (B, h*w, size of the digit)
            rows = torch.arange(logits.shape[1], device=logits.device)
            ahead.append(logits[:, rows, black] - logits[:, rows, white])  # 0 where the colours share the digit
            differ.append(black != white)
        parts = tokenizer.config.parts**2
        total = torch.stack(ahead).unflatten(0, (parts, -1)).sum(1).movedim(0, 1)  # (B, parts, h*w)
        count = torch.stack(differ).unflatten(0, (parts, -1)).sum(1).clamp(min=1)
        cells = F.pixel_shuffle((total / count).unflatten(-1, tokenizer.grid), tokenizer.config.parts)[:, 0]
        strip = torch.cat([cells[:, size:].flatten(1), cells[:, :size, size:].flatten(1)], 1)
        winner = strip.mean(1) if strip.shape[1] else strip.new_zeros(len(strip))
        return torch.tanh(cells[:, :size, :size] / 2), winner.sigmoid()

    @cached_property
    def _colours(self) -> tuple[list[Tensor], list[Tensor]] | None:
        """Digits of every token (h*w,) of a film's end that is all Black's, and of one that is all White's."""
        tokenizer, size = self.world.tokenizer, self.geometry.size
        if not self.world.config.outlook or tokenizer.config.code_grid[0] != self.geometry.cells:
            return None
        boards = BatchedGo(2, size)
        boards.stones[0], boards.stones[1] = BLACK, WHITE
        boards.to_move[:] = BLACK, WHITE
        frames = torch.from_numpy(renderer_for(self.geometry)(boards.positions))
        ids = tokenizer.encode(frames).flatten(1)
        black, white = (split_digits(row, self.world.config.frame_levels) for row in ids)
        return black, white

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
