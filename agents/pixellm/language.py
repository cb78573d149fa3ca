"""The language model: image tokens and words in, hidden states out, with a key-value cache.

Where whole answers are known, all questions about a frame stand in one sequence behind its image tokens, which are read
once; each of them sees these and itself alone, as if it stood right behind them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from agents.pixellm.codebook import Codebook
from agents.pixellm.config import PixelLMConfig
from agents.videoworld.llama import Llama


def causal_mask(present: Tensor, rows: int) -> Tensor:
    """Who sees whom: bool (B, 1, rows, L) for the last `rows` of L slots. Every slot sees those before it and itself.

    present: bool (B, L), False for padding, which nobody else sees.
    """
    slots = torch.arange(present.shape[1], device=present.device)
    own = slots[-rows:, None]
    return ((slots <= own) & present[:, None] | (slots == own))[:, None]


FRAMES, NOBODYS = -1, -2  # whose a slot is, where it is no question's


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
    steps = torch.arange(slots, device=held.device)
    places = before + offsets[:, None] + steps  # (B, T)
    rows, columns = pictures[:, None].expand_as(held)[held], places[held]
    owners = torch.full((frames, longest), NOBODYS, device=held.device)
    owners[:, :before] = torch.where(present, FRAMES, NOBODYS)
    owners[rows, columns] = numbers[:, None].expand_as(held)[held]
    positions = torch.arange(longest, device=held.device).repeat(frames, 1)
    positions[rows, columns] = before + steps.expand_as(held)[held]
    return Layout(places, owners, positions)


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
        self.head = nn.Linear(c.dim, vocabulary, bias=False)
        for table in (self.embedding, self.head):
            nn.init.normal_(table.weight, std=0.02)

    def embed(self, ids: Tensor) -> Tensor:
        """Ids (...) -> (..., dim)."""
        return torch.nn.functional.embedding(ids, torch.cat([self.embedding.weight, self.codebook.inputs]))

    def forward(self, x: Tensor, present: Tensor, cache: Any = None) -> tuple[Tensor, Any]:
        """Hidden states of the slots of x (B, n, dim), which follow those in `cache`, and the cache grown by them.

        present: bool (B, L), of all slots so far, those of x included.
        """
        hidden, cache = self.net(x, causal_mask(present, x.shape[1]), cache)
        return hidden, cache

    def together(self, prefix: Tensor, present: Tensor, ids: Tensor, held: Tensor, pictures: Tensor) -> Tensor:
        """Hidden states (B, T, dim) of whole questions about F frames, all at once.

        prefix: (F, P, dim), what the frames' sequences begin with; the rest as for `side_by_side`. States of padding
        are of no meaning.
        """
        layout = side_by_side(held, pictures, present)
        words = self.embed(ids)
        x = words.new_zeros(*layout.owners.shape, words.shape[-1])
        x[:, : prefix.shape[1]] = prefix.to(x.dtype)
        x[pictures[:, None].expand_as(held)[held], layout.places[held]] = words[held]
        hidden, _ = self.net(x, layout.mask, None, layout.positions)
        return hidden[pictures[:, None], layout.places.clamp(max=x.shape[1] - 1)]

    def logits(self, hidden: Tensor) -> Tensor:
        """(..., dim) -> (..., vocabulary + group)."""
        return torch.cat([self.head(hidden), self.codebook.logits(hidden)], -1)
