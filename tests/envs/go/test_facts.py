"""What is said of a position, held against positions made by hand and against games."""

from __future__ import annotations

import numpy as np

from envs.go.coords import gtp_to_point, point_to_gtp
from envs.go.facts import BLACK, WHITE, BoardFacts
from envs.go.rules import GoGame, IllegalMoveError
from tests.go_games import random_positions

LETTERS = {".": 0, "X": 1, "O": 2}


def board(*rows: str, to_move: int = BLACK, ko: int = -1) -> BoardFacts:
    return BoardFacts(np.array([[LETTERS[letter] for letter in row] for row in rows], np.int8), to_move, ko=ko)


def names(facts: BoardFacts, points: tuple[int, ...]) -> list[str]:
    return [point_to_gtp(point, facts.size) for point in points]


POSITION = (
    ".X.O.",
    "XX.OO",
    ".OX..",
    "..O.X",
    "X.X..",
)


def test_chains_and_liberties_by_hand() -> None:
    facts = board(*POSITION)
    found = {point_to_gtp(chain.points[0], 5): (chain.colour, len(chain.points)) for chain in facts.chains}
    assert found == {
        "B5": (BLACK, 3), "D5": (WHITE, 3), "B3": (WHITE, 1), "C3": (BLACK, 1), "C2": (WHITE, 1), "E2": (BLACK, 1),
        "A1": (BLACK, 1), "C1": (BLACK, 1),
    }  # fmt: skip
    liberties = {point_to_gtp(c.points[0], 5): names(facts, c.liberties) for c in facts.chains}
    assert liberties["B5"] == ["A5", "C5", "C4", "A3"]
    assert liberties["B3"] == ["A3", "B2"]
    assert liberties["C3"] == ["C4", "D3"]
    assert liberties["A1"] == ["A2", "B1"]


def test_captures_by_hand() -> None:
    facts = board(
        ".XO..",
        "XO...",
        "O....",
        ".....",
        ".....",
    )
    corner = gtp_to_point("A5", 5)
    taken = facts.captures(corner, WHITE)
    assert taken is not None and [names(facts, chain.points) for chain in taken] == [["B5"], ["A4"]]
    assert facts.captures(corner, BLACK) is None, "that fills the last liberty of three of its own stones"
    assert facts.capturing_points(WHITE) == (corner,) and facts.capturing_points(BLACK) == ()
    assert facts.captures(gtp_to_point("B5", 5), BLACK) is None, "taken"


def test_ko_and_suicide_are_no_captures() -> None:
    rows = (
        ".XO..",
        "XO.O.",
        ".XO..",
        ".....",
        ".....",
    )
    point = gtp_to_point("C4", 5)
    assert [len(c.points) for c in board(*rows).captures(point, BLACK) or ()] == [1]
    forbidden = board(*rows, to_move=BLACK, ko=point)
    assert forbidden.captures(point, BLACK) is None and point not in forbidden.capturing_points(BLACK)
    assert board(*rows, to_move=WHITE, ko=point).captures(point, BLACK) is not None, "the ko binds who is to move"
    assert board("X.X", ".X.", "XX.").captures(1, WHITE) is None, "suicide"


def test_cut_points_by_hand() -> None:
    facts = board(
        ".X.X.",
        "..O..",
        ".X...",
        ".....",
        "XX.XX",
    )
    assert names(facts, facts.cut_points(BLACK)) == ["C5", "B4", "B2", "C1"]
    assert facts.cut_points(WHITE) == ()
    eye = board("X.X", ".X.", "XX.")
    assert 1 not in eye.cut_points(BLACK), "White may not play there"


def test_territory_by_hand() -> None:
    facts = board(
        ".X...",
        "XX.OO",
        "...O.",
        "...OO",
        ".....",
    )
    assert names(facts, facts.territory(BLACK)) == ["A5"]
    assert names(facts, facts.territory(WHITE)) == ["E3"]
    assert [region.owner for region in facts.regions] == [BLACK, 0, WHITE]


def test_facts_agree_with_games() -> None:
    positions = random_positions(60, 5, seed=1)
    seen = 0
    for index in range(len(positions.to_move)):
        facts = BoardFacts.of(positions, index)
        game = GoGame(5)
        flat = positions.stones[index].reshape(-1)
        game.place_stones(np.flatnonzero(flat == BLACK), np.flatnonzero(flat == WHITE), to_move=facts.to_move)
        assert [sorted(chain) for chain in game.chains()] == [list(chain.points) for chain in facts.chains]
        owners = game.area_owner()
        for colour in (BLACK, WHITE):
            owned = (owners == colour) & (game.stones == 0)
            assert facts.territory(colour) == tuple(np.flatnonzero(owned))
            for point in range(25):
                taken = facts.captures(point, colour)
                after = game.copy()
                try:
                    after.play(point, colour)
                except IllegalMoveError:
                    assert taken is None
                    continue
                if taken is None:
                    assert point == facts.ko and colour == facts.to_move, "the game set up by hand knows no ko"
                    continue
                gone = sorted(np.flatnonzero((game.stones != 0) & (after.stones == 0)))
                assert gone == sorted(p for chain in taken for p in chain.points)
                seen += bool(gone)
    assert seen > 50
