"""How a game is expected to end: whose every point will be, who wins, and what that is worth."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

KOMI = 7.0  # where nobody says: no frame shows it; also that of the games most films are of
SPREAD, FLOOR = 2.2, 2.0  # variance of a final score: points of it for each undecided point of the board, and at least
TRUST = 0.9  # in the winner that is foreseen; the rest in the points
SURE = 1e-4  # no winner is surer than 1 - SURE
MARGIN = 0.1  # of the value is about winning by more points, the rest about winning
MARGIN_POINTS = 10.0
_NORMAL = NormalDist()


@dataclass(frozen=True)
class Outlook:
    """How a game is expected to end.

    owners: float32 (N, N) in [-1, 1], 1 where a point will be Black's for sure, -1 where it will be White's.
    black_shown: 0..1, how surely the end of the film shows Black as the winner, at the komi of the films. komi: points
    that White gets on top in this game.
    """

    owners: NDArray[np.float32]
    black_shown: float = 0.5
    komi: float = KOMI

    @cached_property
    def lead(self) -> float:
        """Points that Black is expected to be ahead, komi counted."""
        return float(self.owners.sum()) - self.komi

    @cached_property
    def black_wins(self) -> float:
        """Chance 0..1 that Black wins.

        Two opinions, in standard deviations of the final score: how far ahead the points put Black, and what the winner
        that is foreseen amounts to, moved by what the komi differs from the films'.
        """
        undecided = float((1 - self.owners.astype(np.float64) ** 2).sum())
        deviation = math.sqrt(SPREAD * undecided + FLOOR)
        shown = _NORMAL.inv_cdf(min(max(self.black_shown, SURE), 1 - SURE)) - (self.komi - KOMI) / deviation
        return _NORMAL.cdf(TRUST * shown + (1 - TRUST) * self.lead / deviation)

    @cached_property
    def value(self) -> float:
        """What it is worth to Black, in [-1, 1]: mostly the chance of winning, a little the points."""
        return (1 - MARGIN) * (2 * self.black_wins - 1) + MARGIN * math.tanh(self.lead / MARGIN_POINTS)
