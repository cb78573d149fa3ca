"""Looks at the frame while an answer is written: which cells a question is about, and words that attend to these.

Image tokens come before the question and know nothing of it. So where a question ends, its state says which of the
tower's cells it asks for, and its words attend to all cells, the asked ones marked. Where a target's group begins, its
state says which cells that target is, and the words behind it see the mark gone from them: what is left is what has yet
to be told. Which cells targets cover is known in training, so both are taught cell by cell (`losses.look_loss`).

A second map, taught likewise, has one cell for each thing that a question is about: its place (see pointing.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from agents.pixellm.config import PixelLMConfig
from agents.pixellm.pointing import Places, Pointing
from agents.pixellm.vision import Projector
from agents.videoworld.llama import RMSNorm

_SPEC = 128  # width in which a question and cells are compared
_LEANING = 4.0  # by how much a marked cell's score is higher in the beginning
_RARE = -4.0  # the logit of a cell to be asked for, in the beginning
# What a map's logits are multiplied by where words see it: there are many cells that hardly are a place, and they must
# not add up to one
_SHARPNESS = (1.0, 2.0)


@dataclass(frozen=True)
class Sight:
    """The n cells of F frames as they are looked at.

    Attributes:
        specs: (F, maps, n, spec), what questions are compared with.
        keys, values: (F, n, dim), of each look.
        cells: bool (F, n), which hold a part of the picture; None: all.
        places: the cells as they are pointed at; None for a model that does not point.
    """

    specs: Tensor
    keys: tuple[Tensor, ...]
    values: tuple[Tensor, ...]
    cells: Tensor | None
    places: Places | None = None

    def of(self, pictures: Tensor) -> Sight:
        """The same for questions, each with the frame of its number in `pictures`, int64 (B,)."""
        keys, values = (tuple(part[pictures] for part in parts) for parts in (self.keys, self.values))
        cells = None if self.cells is None else self.cells[pictures]
        return Sight(self.specs[pictures], keys, values, cells, self.places.of(pictures) if self.places else None)


@dataclass(frozen=True)
class Left:
    """What is left to be told, as words see it.

    Attributes:
        likely: float32 (F, R, maps, n), 0..1, of each cell in R states of telling.
        states: (F, L, R), 1 for the state that each of L slots is in and 0 for others; None: R is L, or 1 for all.
    """

    likely: Tensor
    states: Tensor | None = None

    def at_slots(self, x: Tensor) -> Tensor:
        """What is known of states (F, R, size) -> of slots, (F, L, size)."""
        return x if self.states is None else self.states.to(x.dtype) @ x


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
    """What questions ask for, where named targets are, and the looks behind the language model's blocks `looks`.

    There are one or two maps: how much of a cell targets cover, and whether it is the place of something.
    """

    sharpness: Tensor

    def __init__(self, c: PixelLMConfig) -> None:
        super().__init__()
        self.blocks = c.looks
        self.looks = nn.ModuleList(Look(c) for _ in c.looks)
        self.norm = RMSNorm(c.dim)
        maps = 1 + c.pointing
        self.question, self.target, self.cells = (
            nn.ModuleList(Projector(width, _SPEC) for _ in range(maps)) for width in (c.dim, c.dim, c.vision_width)
        )
        self.bias = nn.Parameter(torch.full((2, maps, 1), _RARE))
        self.pointing = Pointing(c) if c.pointing else None
        self.register_buffer("sharpness", torch.tensor(_SHARPNESS[:maps])[:, None], persistent=False)

    def sight(self, features: Tensor, cells: Tensor | None) -> Sight:
        """Of the tower's deepest features (F, width, grid, grid); cells: bool (F, grid, grid), or None for all."""
        x = features.flatten(2).transpose(1, 2)
        keys, values = (tuple(getattr(look, name)(x) for look in self.looks) for name in ("k", "v"))
        specs = torch.stack([cells(x) for cells in self.cells], 1)
        shown = None if cells is None else cells.flatten(1)
        return Sight(specs, keys, values, shown, self.pointing.places(x) if self.pointing else None)

    def ask(self, states: Tensor, specs: Tensor, pictures: Tensor | None = None) -> Tensor:
        """Logits (B, L, maps, n) of what questions ask for: states (B, L, dim) of their ends, their frames' specs.

        pictures: int64 (B,), which of the frames that `specs` are of each row is about; None: its own. L is 1 then.
        """
        return self._compared(self.question, states, specs, pictures) + self.bias[0]

    def locate(self, states: Tensor, specs: Tensor, pictures: Tensor | None = None) -> Tensor:
        """The same of what targets are, of states where groups begin."""
        return self._compared(self.target, states, specs, pictures) + self.bias[1]

    def _compared(self, projectors: nn.ModuleList, states: Tensor, specs: Tensor, pictures: Tensor | None) -> Tensor:
        x = self.norm(states)
        wanted = torch.stack([projector(x) for projector in projectors], 1)  # (B, maps, L, spec)
        if pictures is not None and len(specs) > _SPEC:
            specs, pictures = specs[pictures], None
        if pictures is None:
            return (wanted @ specs.transpose(-1, -2)).transpose(1, 2) * _SPEC**-0.5
        # With all frames, of which one is taken: less than a copy of its specs for every row where frames are few
        everywhere = wanted[:, :, 0].transpose(0, 1) @ specs.transpose(0, 1).flatten(1, 2).transpose(-1, -2)
        rows = torch.arange(len(states), device=states.device)
        found = everywhere.unflatten(2, (len(specs), -1))[:, rows, pictures]  # (maps, B, n)
        return found.transpose(0, 1)[:, None] * _SPEC**-0.5

    def telling(self, named: Tensor) -> Tensor:
        """What naming a target adds to `told`, float32 of the shape of its logits (..., maps, n)."""
        return F.softplus(named.float() * self.sharpness)

    def left(self, asked: Tensor, told: Tensor) -> Tensor:
        """How likely cells are asked for and have not been told yet, 0..1, in the arguments' shape.

        asked: logits (..., maps, n). told: of that shape, the sum of `-log(1 - p)` of the targets named before, where p
        is how likely a cell is one of theirs.
        """
        return (asked.float() * self.sharpness).sigmoid() * torch.exp(-told.float())

    def between(
        self, sight: Sight, mark: Callable[[Tensor], Left], start: int = 0, words: Tensor | None = None
    ) -> Callable[[int, Tensor], Tensor]:
        """The looks as a language model calls them between its blocks (see `Llama`).

        mark: what was asked for and is left, from the states (F, L, dim) behind the first of them.
        start: slots before it see nothing. words: bool (F, L - start), which others do; None: all.
        """
        marks: list[Left] = []

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

    def forward(self, number: int, x: Tensor, sight: Sight, left: Left) -> Tensor:
        """What the look behind block `number` adds to words x (F, L, dim)."""
        place = self.blocks.index(number)
        marked = left.at_slots(left.likely[..., 0, :].to(x.dtype))
        added: Tensor = self.looks[place](x, sight.keys[place], sight.values[place], marked, sight.cells)
        if self.pointing is not None and place == 0:
            places = left.likely[..., 1, :]
            if sight.cells is not None:
                places = places * sight.cells[:, None]
            added = added + left.at_slots(self.pointing(places, sight.places))
        return added
