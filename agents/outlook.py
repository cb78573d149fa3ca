"""How a game is expected to end: whose every point will be, and what that is worth."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

KOMI = 7.0  # where nobody says: no frame shows it
SPREAD, FLOOR = 2.2, 2.0  # variance of a final score: points of it for each undecided point of the board, and at least
MARGIN = 0.1  # of the value is about winning by more points, the rest about winning
MARGIN_POINTS = 10.0


@dataclass(frozen=True)
class Outlook:
    """How a game is expected to end.

    owners: float32 (N, N) in [-1, 1], 1 where a point will be Black's for sure, -1 where it will be White's. komi:
    points that White gets on top.
    """

    owners: NDArray[np.float32]
    komi: float = KOMI

    @property
    def lead(self) -> float:
        """Points that Black is expected to be ahead, komi counted."""
        return float(self.owners.sum()) - self.komi

    @property
    def black_wins(self) -> float:
        """Chance 0..1 that Black wins: the final score is taken to be normal around `lead`."""
        undecided = float((1 - self.owners.astype(np.float64) ** 2).sum())
        return 0.5 * (1 + math.erf(self.lead / math.sqrt(2 * (SPREAD * undecided + FLOOR))))

    @property
    def value(self) -> float:
        """What it is worth to Black, in [-1, 1]: mostly the chance of winning, a little the points."""
        return (1 - MARGIN) * (2 * self.black_wins - 1) + MARGIN * math.tanh(self.lead / MARGIN_POINTS)
