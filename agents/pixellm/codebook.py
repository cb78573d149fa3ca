"""The segmentation codebook: a group of tokens says which pixels are meant; and how a group becomes queries.

A target's group is scales x tokens tokens in ascending order, scale by scale, coarse (deep features) to fine. As
published, the state of a token is that of the slot before it, the one that foretells it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from agents.pixellm.config import PixelLMConfig


class Codebook(nn.Module):
    """Vectors of the codebook's tokens: as inputs of the language model, and as rows of its head."""

    def __init__(self, scales: int, tokens: int, dim: int) -> None:
        super().__init__()
        self.embeddings = nn.Parameter(torch.randn(scales, tokens, dim) * 0.02)
        self.heads = nn.Parameter(torch.randn(scales, tokens, dim) * 0.02)

    @property
    def inputs(self) -> Tensor:
        """(group, dim), in the order of the ids."""
        return self.embeddings.flatten(0, 1)

    def logits(self, hidden: Tensor) -> Tensor:
        """(..., dim) -> (..., group)."""
        return hidden @ self.heads.flatten(0, 1).T

    def gather(self, hidden: Tensor, samples: Tensor, starts: Tensor) -> Tensor:
        """States of M groups, (M, scales, tokens, dim).

        hidden: (B, L, dim). samples, starts: int64 (M,), the sample of each group and the slot of its first token.
        """
        scales, tokens, _ = self.embeddings.shape
        before = torch.arange(scales * tokens, device=starts.device) - 1
        states = hidden[samples[:, None], starts[:, None] + before]  # (M, group, dim)
        return states.unflatten(1, (scales, tokens))


class Fusion(nn.Module):
    """The states of a group -> one query for each feature scale, through the text head.

    However it is learned, it begins as the mean over the tokens of a scale.
    """

    def __init__(self, c: PixelLMConfig) -> None:
        super().__init__()
        width = c.decoder_width
        self.features = len(c.features)
        self.text = nn.Sequential(nn.Linear(c.dim, c.dim), nn.ReLU(), nn.Linear(c.dim, width))
        self.linears = nn.ModuleList()
        self.weights: nn.Parameter | None = None
        if c.fusion == "linear":
            linears = [nn.Linear(c.tokens * width, width) for _ in range(c.scales)]
            self.linears = nn.ModuleList(linears)
            for linear in linears:
                nn.init.zeros_(linear.bias)
                with torch.no_grad():
                    linear.weight.copy_(torch.eye(width).repeat(1, c.tokens) / c.tokens)
        elif c.fusion == "weights":
            self.weights = nn.Parameter(torch.full((c.scales, c.tokens), 1 / c.tokens))

    def forward(self, states: Tensor) -> Tensor:
        """(M, scales, tokens, dim) -> (M, features, decoder width); a single scale of tokens serves all features."""
        x = self.text(states)
        if self.weights is not None:
            fused = (x * self.weights[..., None]).sum(2)
        elif self.linears:
            fused = torch.stack([linear(x[:, scale].flatten(1)) for scale, linear in enumerate(self.linears)], 1)
        else:
            fused = x.mean(2)
        return fused.expand(-1, self.features, -1)


class Writer:
    """One answer as it is written: what comes next, and the states that its groups left.

    After the first token of a group the rest of it is fed unasked, so that a group is always whole.
    """

    def __init__(self, codebook: list[int], end: int, pad: int, limit: int) -> None:
        self.codebook, self.end, self.pad, self.limit = codebook, end, pad, limit
        self.ids: list[int] = []
        self.queue: list[int] = []  # chosen and not fed yet
        self.groups: list[list[Tensor]] = []  # of each target, its states so far (dim,)
        self.located: list[Tensor] = []  # of each target, logits (n,) of the cells it covers; for a model with looks
        self.done = False

    @property
    def has_room(self) -> bool:
        """Whether another group fits, and an end marker behind it."""
        return self.limit - len(self.ids) > len(self.codebook)

    @property
    def chooses(self) -> bool:
        """Whether the next word is the model's choice."""
        return not self.done and not self.queue

    def choose(self, number: int, state: Tensor) -> None:
        """Write the id that was chosen by `state` (dim,), and what has to follow it."""
        said = [number]
        if number == self.codebook[0]:
            self.groups.append([state])
            said = list(self.codebook)
        self.ids += said
        self.done = number == self.end or len(self.ids) >= self.limit
        self.queue = said if not self.done or len(said) > 1 else []

    def feed(self, count: int) -> list[int]:
        """The next `count` ids to be read; padding where there is nothing left to say."""
        fed, self.queue = self.queue[:count], self.queue[count:]
        return fed + [self.pad] * (count - len(fed))

    def took(self, fed: list[int], states: Tensor, named: Tensor | None = None) -> None:
        """Keep the states (n, dim) behind the ids that were fed, as far as a group needs them.

        named: (n, cells), logits of the cells of what each id names, where it names something.
        """
        for number, state in zip(fed, states, strict=True):
            if self.groups and number in self.codebook[:-1]:
                self.groups[-1].append(state)
        if named is not None:
            self.located += [cells for number, cells in zip(fed, named, strict=True) if number == self.codebook[0]]
