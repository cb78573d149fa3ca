"""What a question costs, part by part: floating-point operations, counted on the meta device for models of any size."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from torch.utils.flop_counter import FlopCounterMode

from agents.pixellm.batch import prompt_ids
from agents.pixellm.model import PixelLM


@dataclass(frozen=True)
class QueryFlops:
    """Operations of one question and its answer: a multiplication and an addition count as two.

    vision: the tower.
    language: image projector and language model with its looks; the answer's tokens one after another with a cache,
    each as if it came right after the question.
    decoder: text head, fusion, the decoder's projector and necks, and all targets' masks.
    """

    vision: int
    language: int
    decoder: int

    @property
    def total(self) -> int:
        """All of them."""
        return self.vision + self.language + self.decoder

    @property
    def decoder_share(self) -> float:
        """The decoder's part, in 0..1."""
        return self.decoder / self.total


@torch.no_grad()
def query_flops(model: PixelLM, *, targets: int = 1, question: int = 12, words: int = 16) -> QueryFlops:
    """Cost of a question of `question` tokens, answered in `words` tokens of text and `targets` groups."""
    model = copy.deepcopy(model).to("meta").eval()
    c = model.config
    with FlopCounterMode(display=False) as vision:
        frames = torch.zeros(1, c.frame_size, c.frame_size, 3, dtype=torch.uint8, device="meta")
        seen = model.see(frames, torch.tensor([[c.frame_size] * 2], device="meta"))
    prompt = len(prompt_ids([0] * question, model.words))
    with FlopCounterMode(display=False) as reading:
        x, present = model.embed(seen, torch.zeros(1, prompt, dtype=torch.long, device="meta"))
        asking = torch.arange(x.shape[1], device="meta")[None] >= x.shape[1] - prompt
        _, memory = model.language(x, present, sight=model.sight(seen), words=asking)

    def step(count: int) -> int:
        """Of feeding `count` tokens and choosing the next one."""
        with FlopCounterMode(display=False) as counter:
            ids = torch.zeros(1, count, dtype=torch.long, device="meta")
            grown = torch.cat([present, present.new_ones(1, count)], 1)
            hidden, _ = model.language(model.language.embed(ids), grown, copy.deepcopy(memory), ids=ids)
            model.language.logits(hidden[:, -1])
        return int(counter.get_total_flops())

    with FlopCounterMode(display=False) as decoder:
        samples = torch.zeros(targets, dtype=torch.long, device="meta")
        located = torch.zeros(targets, c.grid**2, device="meta")
        model.segment(seen, samples, torch.zeros(targets, c.scales, c.tokens, c.dim, device="meta"), located)
    saying = words * step(1) + (targets * step(c.group) if targets else 0)
    return QueryFlops(
        vision=int(vision.get_total_flops()),
        language=int(reading.get_total_flops()) + saying,
        decoder=int(decoder.get_total_flops()),
    )
