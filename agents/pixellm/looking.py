"""Looks at the frame while an answer is written: which cells a question is about, and words that attend to these.

Image tokens come before the question and know nothing of it. So where a question ends, its state says which of the
tower's cells it asks for, and its words attend to all cells, the asked ones marked. Where a target's group begins, its
state says which cells that target is, and the words behind it see the mark gone from them: what is left is what has yet
to be told. Which cells targets cover is known in training, so both are taught cell by cell (`losses.look_loss`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from agents.pixellm.config import PixelLMConfig
from agents.pixellm.vision import Projector
from agents.videoworld.llama import RMSNorm

_SPEC = 128  # width in which a question and cells are compared
_LEANING = 4.0  # by how much a marked cell's score is higher in the beginning
_RARE = -4.0  # the logit of a cell to be asked for, in the beginning


@dataclass(frozen=True)
class Sight:
    """The n cells of F frames as they are looked at.

    Attributes:
        specs: (F, n, spec), what questions are compared with.
        keys, values: (F, n, dim), of each look.
        cells: bool (F, n), which hold a part of the picture; None: all.
    """

    specs: Tensor
    keys: tuple[Tensor, ...]
    values: tuple[Tensor, ...]
    cells: Tensor | None

    def of(self, pictures: Tensor) -> Sight:
        """The same for questions, each with the frame of its number in `pictures`, int64 (B,)."""
        keys, values = (tuple(part[pictures] for part in parts) for parts in (self.keys, self.values))
        return Sight(self.specs[pictures], keys, values, None if self.cells is None else self.cells[pictures])


class Look(nn.Module):
    """One cross-attention of words to cells, which adds nothing to the words in the beginning."""

    def __init__(self, c: PixelLMConfig) -> None:
        super().__init__()
        self.heads = c.heads
        self.norm = RMSNorm(c.dim)
        self.q, self.out = nn.Linear(c.dim, c.dim), nn.Linear(c.dim, c.dim, bias=False)
        self.k, self.v = nn.Linear(c.vision_width, c.dim), nn.Linear(c.vision_width, c.dim)
        size = c.dim // c.heads
        marks = F.normalize(torch.randn(c.heads, size), dim=-1).flatten() * (_LEANING * size**0.5) ** 0.5
        self.key_marks, self.value_marks = nn.Parameter(marks), nn.Parameter(torch.zeros(c.dim))
        nn.init.zeros_(self.out.weight)
        with torch.no_grad():
            self.q.bias.copy_(marks)

    def forward(self, x: Tensor, keys: Tensor, values: Tensor, marked: Tensor, cells: Tensor | None) -> Tensor:
        """x (F, L, dim), keys and values (F, n, dim), marked 0..1 (F, L or 1, n), cells bool (F, n) -> (F, L, dim)."""
        q, k, v = (
            part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in (self.q(self.norm(x)), keys, values)
        )
        key_marks, value_marks = (
            marks.view(self.heads, 1, -1).to(q.dtype) for marks in (self.key_marks, self.value_marks)
        )
        leaning = (q * key_marks).sum(-1, keepdim=True)  # (F, heads, L, 1)
        scores = (q @ k.transpose(-1, -2) + leaning * marked[:, None].to(q.dtype)) * q.shape[-1] ** -0.5
        if cells is not None:
            scores = scores.masked_fill(~cells[:, None, None], torch.finfo(scores.dtype).min)
        weights = scores.softmax(-1)
        on_marked = (weights * marked[:, None].to(weights.dtype)).sum(-1, keepdim=True)
        mixed = weights @ v + on_marked * value_marks
        return self.out(mixed.transpose(1, 2).flatten(2))


class Looking(nn.Module):
    """What questions ask for, where named targets are, and the looks behind the language model's blocks `looks`."""

    def __init__(self, c: PixelLMConfig) -> None:
        super().__init__()
        self.blocks = c.looks
        self.looks = nn.ModuleList(Look(c) for _ in c.looks)
        self.norm = RMSNorm(c.dim)
        self.question, self.target = Projector(c.dim, _SPEC), Projector(c.dim, _SPEC)
        self.cells = Projector(c.vision_width, _SPEC)
        self.bias = nn.Parameter(torch.full((2,), _RARE))

    def sight(self, features: Tensor, cells: Tensor | None) -> Sight:
        """Of the tower's deepest features (F, width, grid, grid); cells: bool (F, grid, grid), or None for all."""
        x = features.flatten(2).transpose(1, 2)
        keys, values = (tuple(getattr(look, name)(x) for look in self.looks) for name in ("k", "v"))
        return Sight(self.cells(x), keys, values, None if cells is None else cells.flatten(1))

    def ask(self, states: Tensor, specs: Tensor) -> Tensor:
        """Logits (B, n) of the cells that questions are about: states (B, dim) of their ends, their frames' specs."""
        return self._compared(self.question(self.norm(states)), specs) + self.bias[0]

    def locate(self, states: Tensor, specs: Tensor) -> Tensor:
        """Logits (..., n) of the cells that targets are: states (..., dim) where groups begin, specs (..., n, spec)."""
        return self._compared(self.target(self.norm(states)), specs) + self.bias[1]

    def _compared(self, wanted: Tensor, specs: Tensor) -> Tensor:
        return (specs @ wanted[..., None])[..., 0] * _SPEC**-0.5

    def left(self, asked: Tensor, told: Tensor) -> Tensor:
        """How likely cells are asked for and have not been told yet, 0..1, in the arguments' shape.

        asked: logits (...). told: (...), the sum of `-log(1 - p)` of the targets named before, where p is how likely a
        cell is one of theirs.
        """
        return asked.float().sigmoid() * torch.exp(-told.float())

    def between(
        self, sight: Sight, mark: Callable[[Tensor], Tensor], start: int = 0, words: Tensor | None = None
    ) -> Callable[[int, Tensor], Tensor]:
        """The looks as a language model calls them between its blocks (see `Llama`).

        mark: what was asked for and is left, as `left` gives it, from the states (F, L, dim) behind the first of them.
        start: slots before it see nothing. words: bool (F, L - start), which others do; None: all.
        """
        marks: list[Tensor] = []

        def look(number: int, x: Tensor) -> Tensor:
            if number not in self.blocks:
                return x
            if not marks:
                marks.append(mark(x))
            added = self(number, x[:, start:], sight, marks[0])
            if words is not None:
                added = added * words[..., None]
            return torch.cat([x[:, :start], x[:, start:] + added], 1) if start else x + added

        return look

    def forward(self, number: int, x: Tensor, sight: Sight, left: Tensor) -> Tensor:
        """What the look behind block `number` adds to words x (F, L, dim); left: (F, L or 1, n), as `left` gives it."""
        place = self.blocks.index(number)
        return self.looks[place](x, sight.keys[place], sight.values[place], left, sight.cells)
