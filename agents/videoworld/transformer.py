"""The autoregressive transformer: frame ids and latent codes in, the coming codes and the next frame's ids out.

The backbone is a Llama, fed with embeddings of our own. A few convolution blocks (the stem) first mix
neighbouring tokens of every known frame. Codes are read either at the frame tokens where they apply (spatial) or at
the last position, as published.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from agents.videoworld.config import WorldConfig
from agents.videoworld.layers import Residual
from agents.videoworld.llama import KVCache, Llama
from agents.videoworld.sequence import MARKERS, Kind, Layout, lay_out

_OUTWARD = re.compile(r"\.(o_proj|down_proj|conv2)\.")  # what writes to the residual stream


class DigitEmbedding(nn.Module):
    """FSQ ids (...) -> (..., dim): one-hot digits through an MLP, so that similar codes share what is learned."""

    def __init__(self, levels: tuple[int, ...], width: int, dim: int):
        super().__init__()
        self.levels = levels
        self.inner = nn.Linear(sum(levels), width)
        self.outer = nn.Linear(width, dim, bias=False)

    def forward(self, ids: Tensor) -> Tensor:
        digits = [
            F.one_hot(digit, size) for digit, size in zip(split_digits(ids, self.levels), self.levels, strict=True)
        ]
        return self.outer(F.silu(self.inner(torch.cat(digits, -1).to(self.inner.weight.dtype))))


def split_digits(ids: Tensor, levels: tuple[int, ...]) -> list[Tensor]:
    """Digits of FSQ ids, least significant first, each of the shape of `ids`."""
    digits = []
    for size in levels:
        digits.append(ids % size)
        ids = ids // size
    return digits


def join_digits(digits: list[Tensor], levels: tuple[int, ...]) -> Tensor:
    """The inverse of split_digits."""
    ids = torch.zeros_like(digits[0])
    for digit, size in zip(reversed(digits), reversed(levels), strict=True):
        ids = ids * size + digit
    return ids


class Stem(nn.Module):
    """3x3 residual convolutions over a known frame's tokens, on a grid `stem_scale` times finer. (N, h, w, dim)."""

    def __init__(self, c: WorldConfig):
        super().__init__()
        self.scale, self.width = c.stem_scale, c.stem_width
        self.spread = nn.Linear(c.dim, c.stem_width * c.stem_scale**2)
        blocks = [Residual(c.stem_width, c.stem_width, kernel=3, groups=0) for _ in range(c.stem_blocks)]
        self.blocks = nn.Sequential(*blocks)
        for block in blocks:
            nn.init.zeros_(block.conv2.weight)  # every block starts as the identity
        self.gather = nn.Linear(c.stem_width * c.stem_scale**2, c.dim)

    def forward(self, x: Tensor) -> Tensor:
        n, h, w, _ = x.shape
        s, width = self.scale, self.width
        y = self.spread(x).view(n, h, w, s, s, width).transpose(2, 3).reshape(n, h * s, w * s, width)
        y = self.blocks(y.movedim(-1, 1)).movedim(1, -1)  # channels last in memory throughout
        y = y.reshape(n, h, s, w, s, width).transpose(2, 3).reshape(n, h, w, s * s * width)
        return x + self.gather(y)


@dataclass
class Encoded:
    """A sequence that has been read up to a step's codes.

    stem: (B, h*w, dim) the last known frame after the stem. hidden: (B, L, dim) outputs so far. cache: the backbone's
    keys and values of those L slots.
    """

    stem: Tensor
    hidden: Tensor
    cache: KVCache

    def row(self, number: int) -> Encoded:
        """The state of one of the B sequences, B = 1."""
        rows = slice(number, number + 1)
        cache = KVCache(
            tuple(keys[rows] for keys in self.cache.keys), tuple(values[rows] for values in self.cache.values)
        )
        return Encoded(self.stem[rows], self.hidden[rows], cache)

    @classmethod
    def join(cls, parts: Sequence[Encoded]) -> Encoded:
        """States of equally long sequences, one behind another."""
        keys = zip(*(part.cache.keys for part in parts), strict=True)
        values = zip(*(part.cache.values for part in parts), strict=True)
        return cls(
            torch.cat([part.stem for part in parts]),
            torch.cat([part.hidden for part in parts]),
            KVCache(tuple(map(torch.cat, keys)), tuple(map(torch.cat, values))),
        )


class VideoTransformer(nn.Module):
    """Predicts latent codes and frame ids over the layout of `sequence.py`.

    Shapes: B clips, H changes, h x w tokens a frame, K codes a step. Frame ids int64 (B, F, h, w); codes int64 (B, H,
    K), each in [0, places * whats). Code logits are (B, H, K, places * whats); frame logits are a list, one per FSQ
    digit, (B, H, h*w, size), or a single flat one for the table embedding.
    """

    def __init__(self, config: WorldConfig):
        super().__init__()
        self.config = c = config
        # Each part of a change has rows of its own, and so has each of the K codes that are read in one pass; changes
        # read one after another share theirs
        self.slots = max(c.codes, 1) if c.code_readout == "spatial" else c.parts
        self.code_embedding = nn.Embedding(c.said * self.slots, c.dim)
        self.frame_embedding: nn.Module
        if c.embedding == "digits":
            self.frame_embedding = DigitEmbedding(c.frame_levels, c.embedding_width, c.dim)
        else:
            self.frame_embedding = nn.Embedding(math.prod(c.frame_levels), c.dim)
        self.position = nn.Parameter(torch.randn(c.frame_tokens, c.dim) * 0.02) if c.positions_2d else None
        self.kind_embedding = nn.Embedding(len(Kind), c.dim)
        self.instruction = nn.Linear(c.instruction_dim, c.dim) if c.instruction_dim else None
        self.stem = Stem(c) if c.stem_blocks else None
        self.backbone = Llama(c.dim, c.layers, c.heads, c.mlp, c.bias)
        self.code_head = nn.Linear(c.dim, c.said * self.slots)
        outputs = sum(c.frame_levels) if c.embedding == "digits" else math.prod(c.frame_levels)
        self.frame_head = nn.Linear(c.dim, outputs)
        self.outlook_head = nn.Linear(c.dim, outputs) if c.outlook else None
        for part in (self.code_embedding, self.kind_embedding):
            nn.init.normal_(part.weight, std=0.02)
        for head in (self.code_head, self.frame_head, self.outlook_head):
            if head is None:
                continue
            nn.init.normal_(head.weight, std=0.02 / math.sqrt(2 * c.layers))
            nn.init.zeros_(head.bias)

    def adopt(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """Weights for this transformer from those of one that is shallower or has no outlook.

        The blocks and layers that it lacks stand behind its own and change nothing at first: what they add to the
        residual stream is zero (as in Net2Net, Chen et al. 2016). Nothing else is made up.
        """
        grown = dict(tensors)
        depths = {part: _depth(part, tensors) for part in ("backbone.layers.", "stem.blocks.")}
        for key, own in self.state_dict().items():
            part = next((part for part in depths if key.startswith(part)), None)
            if part is not None and depths[part] and int(key.removeprefix(part).partition(".")[0]) >= depths[part]:
                grown[key] = torch.zeros_like(own) if _OUTWARD.search(key) else own
            elif key.startswith("outlook_head."):
                grown.setdefault(key, own)
        return grown

    # -- pieces ------------------------------------------------------------------------------------------------------

    def embed_frames(self, ids: Tensor) -> Tensor:
        """Known frames (B, F, h, w) -> stem outputs (B, F, h*w, dim)."""
        b, f, h, w = ids.shape
        x = self.frame_embedding(ids.reshape(b * f, h * w))
        if self.position is not None:
            x = x + self.position
        if self.stem is not None:
            x = self.stem(x.view(b * f, h, w, -1)).reshape(b * f, h * w, -1)
        return x.view(b, f, h * w, -1)

    def locate(self, codes: Tensor) -> tuple[Tensor, Tensor]:
        """Codes (...) -> the frame token each belongs to, and what it says there, its place within it too."""
        c = self.config
        if c.places == 1:
            return torch.zeros_like(codes), codes
        place, what = codes // c.whats, codes % c.whats
        s, width = c.fineness, c.grid[1] * c.fineness
        row, column = place // width, place % width
        token = row // s * c.grid[1] + column // s
        return token, (row % s * s + column % s) * c.whats + what

    def embed_codes(self, codes: Tensor) -> Tensor:
        """Codes (B, H, K) -> (B, H, K, dim): what they say and, for spatial codes, where."""
        slots = torch.arange(codes.shape[-1], device=codes.device)
        return torch.stack([self.embed_code(codes[..., slot], slot) for slot in slots.tolist()], -2)

    def embed_code(self, codes: Tensor, slot: int) -> Tensor:
        """The `slot`-th codes (...) -> (..., dim)."""
        c = self.config
        token, said = self.locate(codes)
        x = self.code_embedding(said + (slot % self.slots) * c.said)
        return x + self.position[token] if c.places > 1 and self.position is not None else x

    def embed_queries(self, before: Tensor, codes: Tensor) -> Tensor:
        """Queries for the frame after `before` (B, H, h*w, dim): its tokens, with spatial codes put in their places."""
        if self.config.places == 1 or not self.config.codes:
            return before
        token, said = self.locate(codes)[0], self.embed_codes(codes)  # (B, H, K), (B, H, K, dim)
        return before.scatter_add(2, token[..., None].expand_as(said), said.to(before.dtype))

    def assemble(self, layout: Layout, stems: Tensor, codes: Tensor, instruction: Tensor | None, length: int) -> Tensor:
        """Inputs of the first `length` slots: (B, length, dim)."""
        b, device = len(stems), stems.device
        kinds = torch.stack([self.kind(kind) for kind in Kind])
        x = kinds[layout.kinds.to(device)].expand(b, -1, -1).to(stems.dtype).clone()
        x[:, layout.frames[: stems.shape[1]].flatten().to(device)] += stems.flatten(1, 2)
        if layout.codes.numel() and codes.shape[1]:
            slots = layout.codes.to(device)[: codes.shape[1]]
            x[:, slots.flatten()] += self.embed_codes(codes).flatten(1, 2).to(x.dtype)
            if len(layout.queries):
                slots = layout.queries.to(device)[: codes.shape[1]]
                x[:, slots.flatten()] += self.embed_queries(stems[:, : codes.shape[1]], codes).flatten(1, 2)
        elif len(layout.queries) and not self.config.codes:
            slots = layout.queries.to(device)
            x[:, slots.flatten()] += stems[:, : len(slots)].flatten(1, 2)
        if self.instruction is not None:
            if instruction is None:
                raise ValueError("this model follows an instruction: give its embedding (B, instruction_dim)")
            # Of length 1, its numbers would be faint
            x[:, 0] += self.instruction(instruction * math.sqrt(instruction.shape[-1])).to(x.dtype)
        return x[:, :length]

    def run(self, x: Tensor, layout: Layout, rows: slice, cache: KVCache | None = None) -> tuple[Tensor, KVCache]:
        """The backbone on the slots `rows`, behind those already in `cache`."""
        return self.backbone(x, layout.mask[rows, : rows.stop].to(x.device), cache)

    def read_codes(self, hidden: Tensor, layout: Layout, steps: slice) -> Tensor:
        """Outputs -> code logits (B, steps, K, places * whats)."""
        c = self.config
        reads = layout.code_reads[steps].to(hidden.device)
        picked = self.code_head(hidden[:, reads])  # (B, steps, R, ...)
        if c.code_readout == "last":
            return torch.stack([self.of_slot(picked[:, :, slot], slot) for slot in range(c.codes)], 2)
        b, h, (rows, columns), f = len(picked), picked.shape[1], c.grid, c.fineness
        picked = picked.view(b, h, rows, columns, c.codes, f, f, c.whats)
        # places row-major on the fine grid
        return picked.permute(0, 1, 4, 2, 5, 3, 6, 7).reshape(b, h, c.codes, c.code_size)

    def of_slot(self, logits: Tensor, slot: int) -> Tensor:
        """The logits (..., code_size) of the `slot`-th code among the code head's outputs, read one after another."""
        return logits.unflatten(-1, (self.slots, -1))[..., slot % self.slots, :]

    def read_frames(self, hidden: Tensor, layout: Layout, steps: slice) -> list[Tensor]:
        """Outputs -> frame logits per digit, each (B, steps, h*w, size)."""
        return self._digits(self.frame_head(hidden[:, layout.frame_reads[steps].to(hidden.device)]))

    def read_outlook(self, hidden: Tensor, layout: Layout, step: int) -> list[Tensor]:
        """Outputs -> logits per digit of the video's last frame, each (B, 1, h*w, size), read at known frame `step`."""
        assert self.outlook_head is not None
        return self._digits(self.outlook_head(hidden[:, layout.frames[step : step + 1].to(hidden.device)]))

    def _digits(self, logits: Tensor) -> list[Tensor]:
        return list(logits.split(self.config.frame_levels, -1)) if self.config.embedding == "digits" else [logits]

    def frame_targets(self, ids: Tensor) -> list[Tensor]:
        """Ids (...) -> target per digit, as `read_frames` splits them."""
        return split_digits(ids, self.config.frame_levels) if self.config.embedding == "digits" else [ids]

    # -- training -----------------------------------------------------------------------------------------------------

    def forward(
        self,
        ids: Tensor,
        codes: Tensor,
        last: Tensor,
        instruction: Tensor | None = None,
        end: Tensor | None = None,
        others: tuple[Tensor, Tensor] | None = None,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss of B clips of H changes.

        ids: int64 (B, H, h, w), all frames but the last. codes: (B, H, K). last: (n, h, w), the last frame of the first
        n clips; these n also learn to predict frames, the whole batch learns the codes. end: (B, h, w), the frame that
        each clip's video ends with, which a model with an outlook learns to foresee from the last known frame. others:
        what else the last change's codes might have been, (B, A, K), and how likely these and each of those are,
        (B, 1 + A): the codes' loss is the mean over all of them.
        """
        c, steps, count = self.config, ids.shape[1], len(last)
        layout = lay_out(c, steps)
        following = torch.cat([ids[:count, 1:], last[:, None]], 1)  # (n, H, h, w)
        known = torch.cat([ids[:count], last[:, None]], 1) if c.frame_decoding == "causal" else ids[:count]
        told = None if instruction is None else instruction[:count]
        x = self.assemble(layout, self.embed_frames(known), codes[:count], told, len(layout))
        hidden, _ = self.run(x, layout, slice(0, len(layout)))
        frame_loss, exact = self._frame_loss(self.read_frames(hidden, layout, slice(0, steps)), following.flatten(2))
        metrics = {"frame_loss": frame_loss.detach(), "frame_exact": exact}
        ends = [self.read_outlook(hidden, layout, steps - 1)] if c.outlook else []
        if not c.codes:
            return frame_loss, metrics
        parts = [(self.read_codes(hidden, layout, slice(0, steps)), codes[:count])]  # logits and targets
        if count < len(ids):
            behind = max(c.codes - 1, 0) if c.code_readout == "last" else 0  # codes that others are read from
            length = layout.prefixes[-1] + behind
            told = None if instruction is None else instruction[count:]
            given = codes[count:, : steps if behind else steps - 1]
            x = self.assemble(layout, self.embed_frames(ids[count:]), given, told, length)
            hidden, _ = self.run(x, layout, slice(0, length))
            parts.append((self.read_codes(hidden, layout, slice(0, steps)), codes[count:]))
            ends += [self.read_outlook(hidden, layout, steps - 1)] if c.outlook else []
        logits, targets = (torch.cat(column) for column in zip(*parts, strict=True))
        code_loss = _code_loss(logits.float(), targets, others)
        with torch.no_grad():
            metrics |= {"code_loss": code_loss.detach(), "code_top1": (logits.argmax(-1) == targets).float().mean()}
        loss = code_loss + c.frame_weight * frame_loss
        if c.outlook:
            if end is None:
                raise ValueError("this model learns to foresee the video's last frame: give its ids (B, h, w)")
            logits_of_end = [torch.cat(digit) for digit in zip(*ends, strict=True)]
            outlook_loss, _ = self._frame_loss(logits_of_end, end.flatten(1)[:, None])
            loss = loss + c.outlook_weight * outlook_loss
            metrics["outlook_loss"] = outlook_loss.detach()
        return loss, metrics

    def _frame_loss(self, digits: list[Tensor], targets: Tensor) -> tuple[Tensor, Tensor]:
        """Cross-entropy per token (B, H, h*w), and the share of frames whose tokens are all the likeliest ones."""
        losses, right = [], []
        for logits, target in zip(digits, self.frame_targets(targets), strict=True):
            losses.append(F.cross_entropy(logits.float().flatten(0, 2), target.flatten()))
            right.append(logits.detach().argmax(-1) == target)
        return torch.stack(losses).sum(), torch.stack(right).all(0).all(-1).float().mean()

    # -- serving ------------------------------------------------------------------------------------------------------

    @torch.no_grad()
    def read(self, ids: Tensor, codes: Tensor, instruction: Tensor | None = None) -> Encoded:
        """Read known frames (B, F, h, w) and the codes between them (B, F-1, K), up to where the next codes are due."""
        steps = ids.shape[1]
        layout = lay_out(self.config, steps)
        stems = self.embed_frames(ids)
        length = layout.prefixes[-1]
        x = self.assemble(layout, stems, codes, instruction, length)
        hidden, cache = self.run(x, layout, slice(0, length))
        return Encoded(stems[:, -1], hidden, cache)

    @torch.no_grad()
    def extend(self, encoded: Encoded, x: Tensor, steps: int, closing_frame: bool = False) -> Tensor:
        """Outputs (B, n, dim) of the next n slots with inputs x (B, n, dim); the cache grows by them."""
        layout = lay_out(self.config, steps, closing_frame)
        start = len(encoded.cache)
        hidden, encoded.cache = self.run(x, layout, slice(start, start + x.shape[1]), encoded.cache)
        return hidden

    def kind(self, kind: Kind) -> Tensor:
        """The embedding (dim,) of a slot's kind, which is all a marker says; with markers no other slot has one."""
        weight = self.kind_embedding.weight[kind]
        return weight * (not self.config.markers or kind in MARKERS)


def _code_loss(logits: Tensor, codes: Tensor, others: tuple[Tensor, Tensor] | None) -> Tensor:
    """Cross-entropy of logits (B, H, K, codes) with codes (B, H, K); others: as for `VideoTransformer.forward`."""
    if others is None:
        return F.cross_entropy(logits.flatten(0, -2), codes.flatten())
    different, chances = others
    surprise = -logits.log_softmax(-1)
    losses = surprise.gather(-1, codes[..., None])[..., 0]  # (B, H, K)
    told = surprise[:, -1:].expand(-1, different.shape[1], -1, -1).gather(-1, different[..., None])[..., 0]  # (B, A, K)
    every = torch.cat([losses[:, -1:], told], 1)  # (B, 1 + A, K)
    return torch.cat([losses[:, :-1], (every * chances[..., None]).sum(1, keepdim=True)], 1).mean()


def _depth(part: str, tensors: dict[str, Tensor]) -> int:
    """How many numbered modules stand under the name `part`."""
    numbers = [int(key.removeprefix(part).partition(".")[0]) for key in tensors if key.startswith(part)]
    return max(numbers, default=-1) + 1
