"""What each point of a board is, for a model to be told cell by cell: its name, stone, chain and owner."""

from __future__ import annotations

import numpy as np

from envs.go.facts import BLACK, WHITE, BoardFacts
from envs.go.rules import EMPTY

MOST_LIBERTIES = 6  # more count as so many
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


def point_labels(facts: BoardFacts) -> np.ndarray:
    """Labels of a board's points, int8 (N*N, len(LABELS)), in the order of LABELS.

    liberties: of the stone's chain, 0 for an empty point. first: whether answers call a chain or a surrounded area by
    this point. X takes: whether X's move here takes something. cuts X: whether it is a cut point between groups of X.
    owner: who surrounds an empty point. first column, tens and units: the name that answers call its chain or its area
    by; -1 for a point that is neither's.
    """
    size, points = facts.size, np.arange(facts.size**2)
    row = size - points // size
    found = {name: np.zeros(size**2, np.int8) for name in LABELS}
    found["column"][:], found["tens"][:], found["units"][:] = points % size, row // 10, row % 10
    for name in ("column", "tens", "units"):
        found[f"first {name}"][:] = -1
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
    return np.stack([found[name] for name in LABELS], 1)


def _call(found: dict[str, np.ndarray], points: tuple[int, ...]) -> None:
    """Label points with the name of the first."""
    for name in ("column", "tens", "units"):
        found[f"first {name}"][list(points)] = found[name][points[0]]
