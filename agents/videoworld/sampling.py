"""How one of several possibilities is chosen."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Sampler:
    """temperature 0: always the likeliest. top_k: of the k likeliest only (0: all). top_p: of the likeliest that
    together hold this probability (1: all)."""

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.temperature < float("inf"):
            raise ValueError(f"temperature is {self.temperature}: give 0 (always the likeliest) or more")
        if self.top_k < 0:
            raise ValueError(f"top_k is {self.top_k}: give 0 (all) or more")
        if not 0 < self.top_p <= 1:
            raise ValueError(f"top_p is {self.top_p}: give a share above 0, up to 1")

    def distribution(self, logits: Tensor) -> Tensor:
        """Log probabilities (..., n) that samples are drawn from."""
        if self.temperature == 0:
            best = torch.full_like(logits, -torch.inf)
            return best.scatter_(-1, logits.argmax(-1, keepdim=True), 0.0)
        logits = logits.float() / self.temperature
        if self.top_k and self.top_k < logits.shape[-1]:
            least = logits.topk(self.top_k).values[..., -1:]
            logits = logits.masked_fill(logits < least, -torch.inf)
        if self.top_p < 1:
            ordered, order = logits.sort(descending=True)
            before = ordered.softmax(-1).cumsum(-1) - ordered.softmax(-1)
            logits = logits.masked_fill((before >= self.top_p).scatter(-1, order, before >= self.top_p), -torch.inf)
        return logits.log_softmax(-1)

    def draw(self, logits: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """Logits (..., n) -> choices (...) int64 and their log probabilities (...) under `distribution`."""
        scores = self.distribution(logits)
        if self.temperature == 0:  # what leaves nothing to chance takes no random numbers from others
            choice = scores.argmax(-1)
            return choice, scores.gather(-1, choice[..., None])[..., 0]
        flat = scores.flatten(0, -2).exp()
        choice = torch.multinomial(flat, 1, generator=generator).view(logits.shape[:-1])
        return choice, scores.gather(-1, choice[..., None])[..., 0]


GREEDY = Sampler(temperature=0.0)
