"""The language model: image tokens and words in, hidden states out, with a key-value cache."""

from __future__ import annotations

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

    def logits(self, hidden: Tensor) -> Tensor:
        """(..., dim) -> (..., vocabulary + group)."""
        return torch.cat([self.head(hidden), self.codebook.logits(hidden)], -1)
