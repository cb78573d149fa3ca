"""Go: rules for one game and for many, coordinates, game records, engines, pictures and the Gymnasium environment."""

from __future__ import annotations

from envs.go.batch import BatchedGo, Positions, apply_moves, replay, transform
from envs.go.rules import BLACK, EMPTY, WHITE, GoGame, IllegalMoveError

__all__ = [
    "BLACK",
    "EMPTY",
    "WHITE",
    "BatchedGo",
    "GoGame",
    "IllegalMoveError",
    "Positions",
    "apply_moves",
    "replay",
    "transform",
]
