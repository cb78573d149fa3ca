"""The language model: image tokens and words in, hidden states out, with a key-value cache.

Where whole answers are known, all questions about a frame stand in one sequence behind its image tokens, which are read
once; each of them sees these and itself alone, as if it stood right behind them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from agents.pixellm.codebook import Codebook
from agents.pixellm.config import PixelLMConfig
from agents.pixellm.looking import Left, Looking, Sight
from agents.videoworld.llama import Llama


def causal_mask(present: Tensor, rows: int) -> Tensor:
    """Who sees whom: bool (B, 1, rows, L) for the last `rows` of L slots. Every slot sees those before it and itself.

    present: bool (B, L), False for padding, which nobody else sees.
    """
    slots = torch.arange(present.shape[1], device=present.device)
    own = slots[-rows:, None]
    return ((slots <= own) & present[:, None] | (slots == own))[:, None]


FRAMES, NOBODYS = -1, -2  # whose a slot is, where it is no question's
_EVEN = 32  # sequences side by side are a multiple of it long: products of odd sizes take three times as long on CPUs


@dataclass(frozen=True)
class Layout:
    """Where B questions of up to T tokens stand in the sequences of F frames.

    Attributes:
        places: int64 (B, T), the slot of each token in its frame's sequence; that of padding is of no meaning.
        owners: int64 (F, L), which question each slot belongs to, or FRAMES, or NOBODYS.
        positions: int64 (F, L), where each slot counts as standing: a question begins right behind the image.
    """

    places: Tensor
    owners: Tensor
    positions: Tensor

    @property
    def mask(self) -> Tensor:
        """Who sees whom: bool (F, 1, L, L). A slot sees its own question's and the frame's before it, and itself."""
        slots = torch.arange(self.owners.shape[1], device=self.owners.device)
        before, own = slots <= slots[:, None], slots == slots[:, None]
        theirs, mine = self.owners[:, None], self.owners[:, :, None]
        return (before & ((theirs == FRAMES) | (theirs == mine) & (mine != NOBODYS)) | own)[:, None]


def side_by_side(held: Tensor, pictures: Tensor, present: Tensor) -> Layout:
    """Questions about the same frame behind one another.

    held: bool (B, T), False for padding, which is on the right. pictures: int64 (B,), the frame of each question.
    present: bool (F, P), which of a frame's own slots, P of them in the beginning, show something.
    """
    (count, slots), (frames, before) = held.shape, present.shape
    lengths, numbers = held.sum(1), torch.arange(count, device=held.device)
    shared = pictures == pictures[:, None]
    offsets = ((shared & (numbers < numbers[:, None])) * lengths).sum(1)
    longest = before + int((shared * lengths).sum(1).max())
    longest += -longest % _EVEN
    steps = torch.arange(slots, device=held.device)
    places = before + offsets[:, None] + steps  # (B, T)
    rows, columns = pictures[:, None].expand_as(held)[held], places[held]
    owners = torch.full((frames, longest), NOBODYS, device=held.device)
    owners[:, :before] = torch.where(present, FRAMES, NOBODYS)
    owners[rows, columns] = numbers[:, None].expand_as(held)[held]
    positions = torch.arange(longest, device=held.device).repeat(frames, 1)
    positions[rows, columns] = before + steps.expand_as(held)[held]
    return Layout(places, owners, positions)


@dataclass(frozen=True)
class Telling:
    """How far answers have got: a state for the beginning of each of B questions, then one behind each of N targets.

    Attributes:
        questions: int64 (B + N,), whose each state is.
        numbers: int64 (B + N,), the how manieth of its frame's states it is.
        before: bool (B + N, N), which targets have been named in it.
        states: bool (F, L, R), in which of its frame's states each of L slots is; padding is in any.
    """

    questions: Tensor
    numbers: Tensor
    before: Tensor
    states: Tensor

    @classmethod
    def of(cls, layout: Layout, start: int, pictures: Tensor, whose: Tensor, begun: Tensor) -> Telling:
        """Of the slots behind `start`.

        pictures: int64 (B,), as for `side_by_side`. whose, begun: int64 (N,), ascending, which question each target is
        of, and the slot that its group begins in.
        """
        owners = layout.owners[:, start:].clamp(min=0)  # (F, L)
        count, device = len(pictures), owners.device
        questions = torch.cat([torch.arange(count, device=device), whose])
        frames = pictures[questions]
        order = torch.arange(len(frames), device=device)
        numbers = ((frames == frames[:, None]) & (order < order[:, None])).sum(1)
        targets = torch.arange(len(whose), device=device)
        behind = torch.cat([torch.full((count,), -1, device=device), targets])  # which target each state is behind
        before = (questions[:, None] == whose) & (targets <= behind[:, None])
        steps = torch.arange(start, start + owners.shape[1], device=device)
        passed = ((owners[..., None] == whose) & (steps[:, None] >= begun)).sum(-1)  # (F, L)
        named = count + torch.searchsorted(whose, owners) + passed - 1
        state = numbers[torch.where(passed > 0, named, owners)]
        return cls(questions, numbers, before, F.one_hot(state, int(numbers.max()) + 1).bool())


@dataclass(frozen=True)
class Memory:
    """What going on with answers needs: the net's own cache and, for a model with looks, what there is to look at.

    sight: the cells of each question's frame. asked, told: (B, 1, maps, n), as for `Looking`. named: (B, slots, n),
    logits of the cells that targets cover, of the slots read last, where a group begins in one of them.
    """

    net: Any
    sight: Sight | None = None
    asked: Tensor | None = None
    told: Tensor | None = None
    named: Tensor | None = None


@dataclass(frozen=True)
class Read:
    """Whole questions as they were read.

    hidden: states (B, T, dim). asked: logits (B, maps, n) of what each question asks for; named: (N, maps, n), of what
    each target of its answer is; sight: the frames' cells; all None for a model without looks.
    """

    hidden: Tensor
    asked: Tensor | None = None
    named: Tensor | None = None
    sight: Sight | None = None


class Language(nn.Module):
    """A causal language model over words and the codebook's tokens.

    Ids below `vocabulary` are words, with a table of inputs and a head; the codebook brings the rows of its own tokens.
    """

    def __init__(self, c: PixelLMConfig, vocabulary: int, net: nn.Module | None = None) -> None:
        """net: another backbone, called as Llama; the `config` says how wide it is."""
        super().__init__()
        self.vocabulary = vocabulary
        self.embedding = nn.Embedding(vocabulary, c.dim)
        self.codebook = Codebook(c.scales, c.tokens, c.dim)
        self.net = Llama(c.dim, c.layers, c.heads, c.mlp) if net is None else net
        self.looking = Looking(c) if c.looks else None
        self.head = nn.Linear(c.dim, vocabulary, bias=False)
        for table in (self.embedding, self.head):
            nn.init.normal_(table.weight, std=0.02)

    def embed(self, ids: Tensor) -> Tensor:
        """Ids (...) -> (..., dim)."""
        return F.embedding(ids, torch.cat([self.embedding.weight, self.codebook.inputs]))

    def forward(
        self,
        x: Tensor,
        present: Tensor,
        memory: Memory | None = None,
        *,
        sight: Sight | None = None,
        words: Tensor | None = None,
        ids: Tensor | None = None,
    ) -> tuple[Tensor, Memory]:
        """Hidden states of the slots of x (B, n, dim), which follow those in `memory`, and the memory grown by them.

        present: bool (B, L), of all slots so far, those of x included. The rest is for a model with looks. sight,
        words: along with the questions, which end in the last slot: each one's cells, and bool (B, n), which slots are
        a question's. ids: int64 (B, n), what x was made from, along with all that comes behind.
        """
        seeing = causal_mask(present, x.shape[1])
        if self.looking is None:
            hidden, cache = self.net(x, seeing, memory.net if memory else None)
            return hidden, Memory(cache)
        looking = self.looking
        seen, asked, told = (memory.sight, memory.asked, memory.told) if memory else (sight, None, None)
        named: Tensor | None = None
        assert seen is not None and (words if memory is None else ids) is not None

        def mark(x: Tensor) -> Left:
            nonlocal asked, told, named
            if asked is None or told is None:
                asked = looking.ask(x[:, -1:], seen.specs)
                told = torch.zeros_like(asked)
            begins = None if ids is None else ids == self.vocabulary
            if begins is not None and (begins.is_meta or begins.any()):  # in most steps no target is named
                located = looking.locate(x, seen.specs)
                told = told + (looking.telling(located) * begins[..., None, None]).cumsum(1)
                named = located[:, :, 0]
            return Left(looking.left(asked, told))

        between = looking.between(seen, mark, words=words)
        hidden, cache = self.net(x, seeing, memory.net if memory else None, None, between)
        return hidden, Memory(cache, seen, asked, None if told is None else told[:, -1:], named)

    def together(
        self,
        prefix: Tensor,
        present: Tensor,
        ids: Tensor,
        held: Tensor,
        pictures: Tensor,
        *,
        sight: Sight | None = None,
        prompts: Tensor | None = None,
    ) -> Read:
        """Whole questions about F frames with their answers, all at once.

        prefix: (F, P, dim), what the frames' sequences begin with; the rest as for `side_by_side`. States of padding
        are of no meaning. sight, prompts: for a model with looks, the frames' cells, and int64 (B,), of how many tokens
        each question is, before its answer.
        """
        layout = side_by_side(held, pictures, present)
        embedded = self.embed(ids)
        x = embedded.new_zeros(*layout.owners.shape, embedded.shape[-1])
        x[:, : prefix.shape[1]] = prefix.to(x.dtype)
        x[pictures[:, None].expand_as(held)[held], layout.places[held]] = embedded[held]
        asked: Tensor | None = None
        named: Tensor | None = None
        if self.looking is None:
            hidden, _ = self.net(x, layout.mask, None, layout.positions)
        else:
            assert sight is not None and prompts is not None
            looking, seen, start = self.looking, sight, prefix.shape[1]
            ends = layout.places.gather(1, prompts[:, None] - 1)[:, 0]
            whose, groups = (ids == self.vocabulary).nonzero().unbind(1)  # of the N targets
            begun = layout.places[whose, groups]
            telling = Telling.of(layout, start, pictures, whose, begun)

            def mark(x: Tensor) -> Left:
                nonlocal asked, named
                asked = looking.ask(x[pictures, ends][:, None], seen.specs, pictures)[:, 0]
                named = looking.locate(x[pictures[whose], begun][:, None], seen.specs, pictures[whose])[:, 0]
                added = looking.telling(named).flatten(1)
                told = telling.before.to(added.dtype) @ added
                left = looking.left(asked[telling.questions], told.unflatten(1, asked.shape[1:]))
                likely = left.new_zeros(*telling.states.shape[::2], *left.shape[1:])
                likely[pictures[telling.questions], telling.numbers] = left
                return Left(likely, telling.states)

            between = looking.between(seen, mark, start)
            hidden, _ = self.net(x, layout.mask, None, layout.positions, between)
        return Read(hidden[pictures[:, None], layout.places.clamp(max=x.shape[1] - 1)], asked, named, sight)

    def logits(self, hidden: Tensor) -> Tensor:
        """(..., dim) -> (..., vocabulary + group)."""
        return torch.cat([self.head(hidden), self.codebook.logits(hidden)], -1)
