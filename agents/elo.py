"""What games say about strength: shares, and a Bradley-Terry fit on the Elo scale, with intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

PRIOR = 0.5  # games that either side of a pair is given as won; keeps ratings finite where one side won all
SCALE = 400 / math.log(10)  # Elo points per unit of log odds


@dataclass(frozen=True)
class Rating:
    """Elo against the anchor and share of points (a draw is half a one), each with a 95 % interval; and games.

    elo, low and high are nan for a player not linked with the anchor through games, low and high also without samples.
    """

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
        points: float (n, n), `points[i, j]` is what i took from j: 1 a win, 0.5 a draw. Both sides of a pair that has
            met need more than nothing, and everybody has to be linked with the anchor.
        anchor: whose rating is 0.

    The model is that of Bradley and Terry (1952): i beats j with probability 1 / (1 + 10 ** ((elo_j - elo_i) / 400)).
    """
    import choix  # takes a second, and intervals of shares need none of it

    logs = choix.ilsr_pairwise_dense(points)
    return np.asarray(SCALE * (logs - logs[anchor]))


def rate(
    results: Sequence[tuple[int, int, float]], players: int, anchor: int, *, samples: int = 500, seed: int = 0
) -> list[Rating]:
    """Ratings of players 0..n-1.

    Args:
        results: (i, j, points of i out of 1) for every game.
        players: their number.
        anchor: whose rating is 0, with no interval.
        samples: of the Bayesian bootstrap (Rubin 1981), which weighs the games of each pair anew, the prior's too. To
            draw games instead would find no doubt at all in a player that has won every one.
    """
    games = np.array(results, dtype=float).reshape(-1, 3)
    first, second, points = games[:, 0].astype(int), games[:, 1].astype(int), games[:, 2]
    taken, met = np.zeros((players, players)), np.zeros((players, players))
    np.add.at(taken, (first, second), points)
    np.add.at(taken, (second, first), 1 - points)
    np.add.at(met, (first, second), 1)
    met += met.T
    known = np.flatnonzero(_linked(met, anchor))
    inner, own = np.ix_(known, known), int(np.flatnonzero(known == anchor)[0])
    elo = np.full(players, np.nan)
    elo[known] = fit(taken[inner] + PRIOR * (met[inner] > 0), own)
    rng = np.random.default_rng(seed)
    draws = np.full((samples, players), np.nan)
    for row in draws:
        weights = rng.exponential(size=len(games))
        drawn = rng.gamma(PRIOR, size=met.shape) * (met > 0)
        np.add.at(drawn, (first, second), weights * points)
        np.add.at(drawn, (second, first), weights * (1 - points))
        drawn *= (met + 2 * PRIOR) / np.where(met > 0, drawn + drawn.T, 1)  # each pair counts as much as it has games
        row[known] = fit(drawn[inner], own)
    low, high = np.percentile(draws, [2.5, 97.5], axis=0) if samples else (np.full(players, np.nan),) * 2
    ratings = []
    for player in range(players):
        total, count = float(taken[player].sum()), int(met[player].sum())
        share = total / count if count else math.nan
        interval = wilson(total, count)
        ratings.append(Rating(float(elo[player]), float(low[player]), float(high[player]), count, share, *interval))
    return ratings


def _linked(met: np.ndarray, anchor: int) -> np.ndarray:
    """Whom games link with the anchor, directly or through others: bool (n,)."""
    linked = np.arange(len(met)) == anchor
    for _ in met:
        linked |= (met[linked] > 0).any(0)
    return linked
