"""Go: rules for one game and for many, coordinates, game records, engines, pictures and the Gymnasium environment.

The names below are imported when they are first used: compiled rules take longer to load than a GTP engine may take to
answer its first command.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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
_BATCH = ("BatchedGo", "Positions", "apply_moves", "replay", "transform")


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module("envs.go.batch" if name in _BATCH else "envs.go.rules"), name)
