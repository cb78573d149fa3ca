"""What games say about strength: shares, and a Bradley-Terry fit on the Elo scale, with intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import choix
import numpy as np

PRIOR = 0.5  # games that either side of a pair is given as won; keeps ratings finite where one side won all
SCALE = 400 / math.log(10)  # Elo points per unit of log odds


@dataclass(frozen=True)
class Rating:
    """Elo against the anchor and share of points (a draw is half a one), each with a 95 % interval; and games."""

    elo: float
    low: float
    high: float
    games: int
    share: float
    share_low: float
    share_high: float


def wilson(successes: float, trials: int, z: float = 1.96) -> tuple[float, float]:
    """95 % interval of a proportion (Wilson 1927); (0, 1) without trials."""
    if trials == 0:
        return 0.0, 1.0
    share = successes / trials
    middle = (share + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials)) / (1 + z * z / trials)
    return max(0.0, middle - half), min(1.0, middle + half)


def fit(points: np.ndarray, anchor: int) -> np.ndarray:
    """Elo of n players, 0 for the anchor.

    Args:
        points: float (n, n), `points[i, j]` is what i took from j: 1 a win, 0.5 a draw. Everybody has to be linked
            with the anchor through games.
        anchor: whose rating is 0.

    The model is that of Bradley and Terry (1952): i beats j with probability 1 / (1 + 10 ** ((elo_j - elo_i) / 400)).
    """
    met = (points + points.T) > 0
    logs = choix.ilsr_pairwise_dense(points + PRIOR * met)
    return np.asarray(SCALE * (logs - logs[anchor]))


def rate(
    results: Sequence[tuple[int, int, float]], players: int, anchor: int, *, samples: int = 500, seed: int = 0
) -> list[Rating]:
    """Ratings of players 0..n-1.

    Args:
        results: (i, j, points of i out of 1) for every game.
        players: their number.
        anchor: whose rating is 0, with no interval.
        samples: of the bootstrap, which draws games anew within each pair.
    """
    games = np.array(results, dtype=float).reshape(-1, 3)
    first, second, points = games[:, 0].astype(int), games[:, 1].astype(int), games[:, 2]
    elo = fit(_table(first, second, points, players), anchor)
    rng = np.random.default_rng(seed)
    met = np.minimum(first, second) * players + np.maximum(first, second)
    pairs = [np.flatnonzero(met == pair) for pair in np.unique(met)]
    draws = np.empty((samples, players))
    for row in draws:
        drawn = np.concatenate([rng.choice(pair, len(pair)) for pair in pairs])
        row[:] = fit(_table(first[drawn], second[drawn], points[drawn], players), anchor)
    low, high = np.percentile(draws, [2.5, 97.5], axis=0) if samples else (elo, elo)
    ratings = []
    for player in range(players):
        own = np.concatenate([points[first == player], 1 - points[second == player]])
        share = float(own.mean()) if len(own) else float("nan")
        interval = wilson(float(own.sum()), len(own))
        ratings.append(Rating(float(elo[player]), float(low[player]), float(high[player]), len(own), share, *interval))
    return ratings


def _table(first: np.ndarray, second: np.ndarray, points: np.ndarray, players: int) -> np.ndarray:
    table = np.zeros((players, players))
    np.add.at(table, (first, second), points)
    np.add.at(table, (second, first), 1 - points)
    return table
