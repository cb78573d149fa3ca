"""What each point of a board is, for a model to be told cell by cell: its name, stone, chain and owner."""

from __future__ import annotations

import numpy as np

from envs.go.facts import BLACK, WHITE, BoardFacts
from envs.go.rules import EMPTY

MOST_LIBERTIES = 6  # more count as so many
_NAME = ("column", "tens", "units")  # what tells a point
# Each label with its classes. A row's number is told digit by digit, as it is written
LABELS = {
    "column": 19,
    "tens": 2,
    "units": 10,
    "stone": 3,
    "liberties": MOST_LIBERTIES + 1,
    "first": 2,
    "black takes": 2,
    "white takes": 2,
    "cuts black": 2,
    "cuts white": 2,
    "owner": 3,
    "last": 2,
    "first column": 19,
    "first tens": 2,
    "first units": 10,
}
SIDES = {"above": (-1, 0), "below": (1, 0), "left": (0, -1), "right": (0, 1)}
LABELS |= {f"{side} {name}": LABELS[name] for side in SIDES for name in _NAME}


def point_labels(facts: BoardFacts) -> np.ndarray:
    """Labels of a board's points, int8 (N*N, len(LABELS)), in the order of LABELS.

    liberties: of the stone's chain, -1 for an empty point. first: whether answers call a chain or a surrounded area by
    this point. X takes: whether X's move here takes something. cuts X: whether it is a cut point between groups of X.
    owner: who surrounds an empty point. first column, tens and units: the name that answers call its chain or its area
    by; -1 for a point that is neither's. above column and so on: the same of the stone on that side of an empty point,
    which is a liberty of its chain; -1 where there is none.
    """
    size, points = facts.size, np.arange(facts.size**2)
    row = size - points // size
    found = {name: np.zeros(size**2, np.int8) for name in LABELS}
    found["column"][:], found["tens"][:], found["units"][:] = points % size, row // 10, row % 10
    for name in _NAME:
        found[f"first {name}"][:] = -1
    found["liberties"][:] = -1
    found["stone"][:] = np.select([facts.board == BLACK, facts.board == WHITE], [1, 2], 0)
    for chain in facts.chains:
        found["liberties"][list(chain.points)] = min(len(chain.liberties), MOST_LIBERTIES)
        found["first"][chain.points[0]] = 1
        _call(found, chain.points)
    for region in facts.regions:
        if region.owner != EMPTY:
            found["owner"][list(region.points)] = 1 if region.owner == BLACK else 2
            found["first"][region.points[0]] = 1
            _call(found, region.points)
    for colour, who in ((BLACK, "black"), (WHITE, "white")):
        found[f"{who} takes"][list(facts.capturing_points(colour))] = 1
        found[f"cuts {who}"][list(facts.cut_points(colour))] = 1
    if 0 <= facts.last_move < size**2:
        found["last"][facts.last_move] = 1
    stones = facts.board.reshape(size, size) != EMPTY
    for side, step in SIDES.items():
        for name in _NAME:
            found[f"{side} {name}"][:] = _shifted(found[f"first {name}"].reshape(size, size), stones, step).flatten()
    return np.stack([found[name] for name in LABELS], 1)


def _call(found: dict[str, np.ndarray], points: tuple[int, ...]) -> None:
    """Label points with the name of the first."""
    for name in _NAME:
        found[f"first {name}"][list(points)] = found[name][points[0]]


def _shifted(names: np.ndarray, stones: np.ndarray, step: tuple[int, int]) -> np.ndarray:
    """For empty points, the names (N, N) of the stones one `step` (rows, columns) away; -1 elsewhere."""
    around = np.pad(np.where(stones, names, -1), 1, constant_values=-1)
    (down, right), (rows, columns) = step, names.shape
    beside = around[1 + down : 1 + down + rows, 1 + right : 1 + right + columns]
    return np.where(stones, -1, beside)
