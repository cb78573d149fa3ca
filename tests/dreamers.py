"""Dreamers for tests: one that knows the rules, and one that draws what it is told."""

from __future__ import annotations

import numpy as np

from envs.go.batch import apply_moves, legal_moves
from envs.go.renderer import BoardGeometry, read_board, renderer_for

GEOMETRY = BoardGeometry(5, "modern", 8)


class PerfectDreamer:
    """Draws exactly what the rules make of a legal move, and imagines no other. It answers with the first legal one."""

    def __init__(self, geometry: BoardGeometry = GEOMETRY) -> None:
        self.geometry = geometry

    def probabilities(self, frame: np.ndarray) -> np.ndarray:
        legal = legal_moves(read_board(frame[None], self.geometry))[0]
        wanted = legal / np.arange(1, len(legal) + 1) ** 4
        return wanted / wanted.sum()

    def imagine(self, frame: np.ndarray, steps: int, *, action: int | None = None) -> np.ndarray:
        assert steps == 1 and action is not None
        after, legal = apply_moves(read_board(frame[None], self.geometry), [action])
        return renderer_for(self.geometry)(after) if legal[0] else frame[None][:0]


class Painter(PerfectDreamer):
    """Draws what it is told: a frame for each change in turn."""

    def __init__(self, *frames: np.ndarray) -> None:
        super().__init__()
        self.frames = list(frames)

    def imagine(self, frame: np.ndarray, steps: int, *, action: int | None = None) -> np.ndarray:
        return self.frames.pop(0)[None]
