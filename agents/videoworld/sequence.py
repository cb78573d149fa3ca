"""Token layout: the one place that knows where frame tokens, latent codes and queries stand, and who may see whom.

A clip of frames 0..H and the codes between them becomes one sequence, step by step:

    [instruction] frame 0 | codes 1 | next frame 1 | frame 1 | codes 2 | next frame 2 | ...

`frame k` holds the h*w tokens of a known frame. `codes k` holds the latent codes of the next K changes, of which the
first leads from frame k-1 to frame k. `next frame k` holds h*w queries that are read as frame k all at once (parallel
decoding); later tokens do not see them. With causal decoding, as published, there are no queries: every token of frame
k is read from the token before it. Markers, as published, stand around frames and codes.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache

import torch
from torch import Tensor

from agents.videoworld.config import WorldConfig


class Kind(IntEnum):
    """What stands in a slot of the sequence."""

    INSTRUCTION = 0
    FRAME = 1
    CODE = 2
    QUERY = 3
    FRAME_START = 4
    FRAME_END = 5
    CODE_START = 6
    CODE_END = 7


MARKERS = (Kind.FRAME_START, Kind.FRAME_END, Kind.CODE_START, Kind.CODE_END)


@dataclass(frozen=True)
class Layout:
    """The slots of a sequence of `steps` changes; L slots, n = h*w tokens a frame, K codes a step.

    kinds: int64 (L,). mask: bool (L, L), True where a row's slot sees a column's slot.
    frames: int64 (frames, n) slots of known frames. codes: int64 (steps, K) slots of codes. queries: int64 (steps, n)
    or empty.
    code_reads: int64 (steps, R): the slots whose output gives the codes: all n tokens of the frame before (spatial), or
    the slot before each code (R = K).
    frame_reads: int64 (steps, n): the slots whose output gives the next frame's tokens.
    prefixes: for every step the length of the sequence up to its first code, from which the codes are predicted.
    """

    kinds: Tensor
    mask: Tensor
    frames: Tensor
    codes: Tensor
    queries: Tensor
    code_reads: Tensor
    frame_reads: Tensor
    prefixes: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.kinds)


@lru_cache(maxsize=32)
@torch.inference_mode(False)  # whoever comes first, the layout is kept for training too
def lay_out(config: WorldConfig, steps: int, closing_frame: bool = False) -> Layout:
    """The layout of `steps` changes. closing_frame: the last frame stands in it too (causal decoding needs that)."""
    tokens = config.frame_tokens
    kinds: list[int] = []
    places: dict[str, list[list[int]]] = {"frames": [], "codes": [], "queries": []}
    prefixes: list[int] = []

    def add(kind: Kind, count: int = 1) -> list[int]:
        kinds.extend([int(kind)] * count)
        return list(range(len(kinds) - count, len(kinds)))

    def add_frame() -> None:
        if config.markers:
            add(Kind.FRAME_START)
        places["frames"].append(add(Kind.FRAME, tokens))
        if config.markers:
            add(Kind.FRAME_END)

    causal = config.frame_decoding == "causal"
    if config.instruction_dim:
        add(Kind.INSTRUCTION)
    code_before = []
    frame_before = []
    for _ in range(steps):
        add_frame()
        if config.markers and config.codes:
            add(Kind.CODE_START)
        prefixes.append(len(kinds))
        code_before.append([len(kinds) - 1 + i for i in range(config.codes)])
        places["codes"].append(add(Kind.CODE, config.codes))
        if config.markers and config.codes:
            add(Kind.CODE_END)
        if not causal:
            places["queries"].append(add(Kind.QUERY, tokens))
        first = len(kinds) - 1 + config.markers  # causal: the slot before the next frame's first token
        frame_before.append([first + i for i in range(tokens)])
    if causal or closing_frame:
        add_frame()

    length = len(kinds)
    mask = torch.ones(length, length).tril().bool()
    if config.frame_attention == "full":
        for slots in places["frames"]:
            mask[slots[0] : slots[-1] + 1, slots[0] : slots[-1] + 1] = True
    for slots in places["queries"]:
        mask[slots[-1] + 1 :, slots[0] : slots[-1] + 1] = False
        mask[slots[0] : slots[-1] + 1, slots[0] : slots[-1] + 1] = True
    table = {name: _table(rows) for name, rows in places.items()}
    spatial = config.code_readout == "spatial"
    return Layout(
        kinds=torch.tensor(kinds),
        mask=mask,
        frames=table["frames"],
        codes=table["codes"],
        queries=table["queries"],
        code_reads=table["frames"][:steps] if spatial else _table(code_before),
        frame_reads=_table(frame_before) if causal else table["queries"],
        prefixes=tuple(prefixes),
    )


def _table(rows: list[list[int]]) -> Tensor:
    """Rows of equal length, possibly none, as int64 (len(rows), length)."""
    return torch.tensor(rows, dtype=torch.long).reshape(len(rows), len(rows[0]) if rows else 0)
