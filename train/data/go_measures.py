"""How well Go frames were rebuilt, and how much codes tell of moves."""

from __future__ import annotations

import numpy as np

from envs.go.renderer import BoardGeometry, read_board


def boards_exact(frames: np.ndarray, rebuilt: np.ndarray, geometry: BoardGeometry) -> np.ndarray:
    """bool (N,): a rebuilt frame shows every stone, mark and the turn as the original. Both uint8 (N, S, S, 3)."""
    before, after = read_board(frames, geometry), read_board(rebuilt, geometry)
    same = [np.asarray(a == b).reshape(len(frames), -1).all(1) for a, b in zip(before, after, strict=True)]
    return np.logical_and.reduce(same)


def commonest_share(keys: np.ndarray, values: np.ndarray) -> float:
    """Share of pairs whose value is the commonest one of their key: 1 where a key tells its value."""
    pairs, counts = np.unique(np.stack([keys, values]), axis=1, return_counts=True)
    best: dict[int, int] = {}
    for key, count in zip(pairs[0], counts, strict=True):
        best[int(key)] = max(best.get(int(key), 0), int(count))
    return sum(best.values()) / len(keys)
