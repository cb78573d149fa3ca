"""Blunders on small boards that a person can judge, and the count over a folder of records."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import blunders
from benchmarks.blunders import Blunder, count
from envs.go.coords import gtp_to_point
from envs.go.rules import BLACK, WHITE, GoGame
from envs.go.sgf import read_sgf, write_sgf


def game(black: str, white: str, *moves: str, size: int = 5) -> GoGame:
    """Stones on the board, then moves by GTP vertices, Black first."""
    board = GoGame(size)
    stones = [[gtp_to_point(vertex, size) for vertex in text.split()] for text in (black, white)]
    board.place_stones(*stones)
    for number, vertex in enumerate(moves):
        board.play(gtp_to_point(vertex, size), (BLACK, WHITE)[number % 2])
    return board


@pytest.mark.parametrize(
    ("board", "found"),
    [
        # B1 C1 have one liberty, D1; Black plays far away and loses them.
        (game("B1 C1", "A1 B2 C2", "E5", "D1"), [Blunder("ignored atari", 0, 2)]),
        # The same, but no move helps: D1 leads to E1 alone.
        (game("B1 C1", "A1 A2 B2 C2 D2 E2", "E5", "D1"), []),
        # White has something better to do.
        (game("B1 C1", "A1 B2 C2", "E5", "E4"), []),
        # Black took a stone elsewhere instead.
        (game("B1 C1 D5", "A1 B2 C2 E5", "E4", "D1"), []),
        # C1 runs into D1 and is taken with it.
        (game("C1", "B1 C2 D2 E2", "D1", "E1"), [Blunder("self-atari", 0, 2)]),
        # One stone may be given away.
        (game("", "C2 B1", "C1", "D1"), []),
        # White's C1 D1 could be taken at E1, then at E2 with one stone more, and live on.
        (
            game("B1 C2 D2", "C1 D1", "A5", "E1", "A4", "E2"),
            [Blunder("missed capture", 0, 2), Blunder("missed capture", 2, 3)],
        ),
        # They are taken later.
        (game("B1 C2 D2", "C1 D1", "A5", "A1", "E1"), []),
        # The corner is Black's own eye.
        (game("A2 B1 B2", "", "A1"), [Blunder("filled eye", 0, 1)]),
    ],
)
def test_blunders(board: GoGame, found: list[Blunder], tmp_path: Path) -> None:
    record = read_sgf(write_sgf(board, tmp_path / "game.sgf"))
    assert list(blunders.blunders(record, BLACK)) == found


def test_counted_over_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lost = game("C1", "B1 C2 D2 E2", "D1", "E1")
    (tmp_path / "sgf").mkdir()
    for number, result in enumerate(("W+3.0", "B+1.0")):
        write_sgf(lost, tmp_path / "sgf" / f"{number}.sgf", black="agent", white="other", result=result)
    write_sgf(lost, tmp_path / "sgf" / "more.sgf", black="x", white="other")
    found = count(tmp_path, "agent")
    assert found["games"] == 2 and found["results"] == {"lost": 1, "won": 1, "with a blunder, lost": 1}
    assert found["kinds"]["self-atari"] == {"times": 2, "games": 2, "cost": 4, "lost_games": 1}
    assert count(tmp_path, "other")["kinds"]["self-atari"]["times"] == 0
    assert blunders.main([str(tmp_path), "agent"]) in (0, None)
    assert "2 (100 %)" in capsys.readouterr().out
    assert blunders.main([str(tmp_path), "nobody"]) == 2
    assert "no game of 'nobody'" in capsys.readouterr().err
