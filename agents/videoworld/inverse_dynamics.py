"""The small heads that say which actions latent codes stand for. The only parts that see labels."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from agents.videoworld.config import InverseDynamicsConfig, InverseMotionConfig
from agents.videoworld.layers import to_float
from agents.videoworld.transformer import split_digits


class InverseDynamics(nn.Module):
    """(code, what the frame shows at the code's place) -> action logits.

    Codes int64 (...) in [0, places * whats); tokens: FSQ vectors (..., frame_levels) in [-1, 1] of the known frame's
    token at the code's place (for codes without a place, of the first token). Returns (..., actions).
    """

    def __init__(self, config: InverseDynamicsConfig):
        super().__init__()
        self.config = c = config
        self.whats = math.prod(c.what_levels)
        self.place = nn.Embedding(c.places, c.width)
        self.rest = nn.Linear(sum(c.what_levels) + c.frame_levels, c.width)
        self.inner = nn.Linear(c.width, c.width)
        self.outer = nn.Linear(c.width, c.actions)

    def forward(self, codes: Tensor, tokens: Tensor) -> Tensor:
        """Action logits (..., actions)."""
        digits = split_digits(codes % self.whats, self.config.what_levels)
        what = [F.one_hot(digit, size) for digit, size in zip(digits, self.config.what_levels, strict=True)]
        x = torch.cat([*what, tokens], -1).to(self.rest.weight.dtype)
        x = F.silu(self.rest(x) + self.place(codes // self.whats))
        return self.outer(F.silu(self.inner(x)) + x)

    def tokens_at(self, vectors: Tensor, codes: Tensor) -> Tensor:
        """FSQ vectors (B, h*w, levels) and codes (B, n) -> the vectors at the codes' places (B, n, levels)."""
        c = self.config
        where = codes // self.whats if c.places > 1 else torch.zeros_like(codes)
        width, tokens = math.isqrt(c.places), math.isqrt(vectors.shape[1])  # both grids are square
        fineness = max(1, width // tokens)
        where = where // width // fineness * tokens + where % width // fineness
        return vectors.gather(1, where[..., None].expand(-1, -1, vectors.shape[-1]))

    @torch.no_grad()
    def move_distribution(self, logprobs: Tensor, vectors: Tensor, keep: int | None = None) -> Tensor:
        """Probabilities of actions (B, actions) under a distribution over codes (B, code_size, log probabilities).

        Sums over the `keep` likeliest codes (None: all) what each means; what they leave out is shared out in
        proportion.
        """
        size = logprobs.shape[-1]
        scores, codes = logprobs.topk(size if keep is None else min(keep, size))  # (B, keep)
        meaning = self(codes, self.tokens_at(vectors, codes)).softmax(-1)  # (B, keep, actions)
        return (scores.softmax(-1)[..., None] * meaning).sum(1)


class MotionReader(nn.Module):
    """What is known of a change, float (B, numbers) -> the mean action during it, (B, 7)."""

    def __init__(self, numbers: int, width: int):
        super().__init__()
        self.first = nn.Linear(numbers, width)
        self.inner = nn.Linear(width, width)
        self.outer = nn.Linear(width, 7)

    def forward(self, x: Tensor) -> Tensor:
        """The action; its last number is a logit."""
        x = F.silu(self.first(x))
        return self.outer(F.silu(self.inner(x)) + x)


class Eye(nn.Module):
    """A frame uint8 (B, H, W, 3) -> what matters in it, (B, size)."""

    def __init__(self, frame_shape: tuple[int, int], channels: int, dropout: float, size: int):
        super().__init__()
        rows, columns = ((side // 8 + 1) // 2 for side in frame_shape)
        self.layers = nn.Sequential(
            nn.AvgPool2d(2), nn.Conv2d(3, channels, 4, stride=4), nn.SiLU(),
            nn.Conv2d(channels, 2 * channels, 3, stride=2, padding=1), nn.SiLU(), nn.Flatten(), nn.Dropout(dropout),
            nn.Linear(2 * channels * rows * columns, size), nn.SiLU(),
        )  # fmt: skip

    def forward(self, frames: Tensor) -> Tensor:
        """What was seen."""
        pixels = to_float(frames).permute(0, 3, 1, 2)
        return self.layers(pixels.to(next(self.parameters()).dtype))


class InverseMotion(nn.Module):
    """Code vectors of a change, and the frame it begins with -> the robot's mean action during it.

    Vectors float (B, numbers) in [-1, 1]; frames uint8 (B, H, W, 3). Returns (B, 7): six relative motions, in units of
    an action, and the logit of the gripper's being told to open. As in Ren et al. 2025 the frame is looked at too: it
    shows whether the gripper is closed, and which way what moves in it turns the hand. But from a frame alone one can
    also guess where demonstrations go on to from there, whatever was asked for. So a second reader knows the codes
    only, and where the hand moves to is the mean of what the two say.
    """

    def __init__(self, config: InverseMotionConfig):
        super().__init__()
        self.config = c = config
        self.blind = MotionReader(c.numbers, c.width)
        self.eye, self.seeing = None, None
        if c.look:
            self.eye = Eye(c.frame_shape, c.look, c.dropout, 4 * c.look)
            self.seeing = MotionReader(c.numbers + 4 * c.look, c.width)

    def readings(self, vectors: Tensor, frames: Tensor) -> list[Tensor]:
        """What each reader says, (B, 7): the blind one, and behind it the seeing one if there is one."""
        said = [self.blind(vectors)]
        if self.eye is not None and self.seeing is not None:
            said.append(self.seeing(torch.cat([vectors, self.eye(frames).to(vectors.dtype)], -1)))
        return said

    def forward(self, vectors: Tensor, frames: Tensor) -> Tensor:
        """What the action was."""
        said = self.readings(vectors, frames)
        return torch.cat([torch.stack(said)[..., :3].mean(0), said[-1][..., 3:]], -1)

    @torch.no_grad()
    def actions(self, vectors: Tensor, frames: Tensor) -> Tensor:
        """Actions float32 (B, steps, 7) in [-1, 1] that make the change, the gripper's either -1 or 1."""
        said = self(vectors, frames).float()
        action = torch.cat([said[..., :6].clamp(-1, 1), torch.where(said[..., 6:] > 0, 1.0, -1.0)], -1)
        return action[..., None, :].expand(*action.shape[:-1], self.config.steps, -1)
