"""Situations of Go by name: captures, snapback, suicide, ko and superko."""

from __future__ import annotations

import pytest

from envs.go.coords import gtp_to_point
from envs.go.rules import BLACK, WHITE, GoGame, IllegalMoveError
from tests.envs.go.reference import game_from_text, picture, play, shown

# Captures


@pytest.mark.parametrize(
    ("before", "move", "after"),
    [
        ("OX. / ... / ...", "A2", ".X. / X.. / ..."),
        (".X. / XOX / ...", "B1", ".X. / X.X / .X."),
        ("OOX / X.. / ...", "B2", "..X / XX. / ..."),
        ("OO. / XX. / ...", "C3", "..X / XX. / ..."),
    ],
    ids=["corner", "middle", "edge", "edge from the end"],
)
def test_captures(before: str, move: str, after: str) -> None:
    game = game_from_text(before.replace("/", "\n"))
    play(game, move)
    assert shown(game) == picture(after.replace("/", "\n"))


def test_merged_chains_live_and_die_together() -> None:
    game = game_from_text("""
        . O . . .
        O X . O .
        . O X O .
        . . O . .
        . . . . .""")
    play(game, "C4")  # one chain of three with one liberty
    assert game.captures == {BLACK: 0, WHITE: 0}
    play(game, "C5")
    assert game.captures == {BLACK: 0, WHITE: 3}
    assert shown(game) == picture("""
        . O O . .
        O . . O .
        . O . O .
        . . O . .
        . . . . .""")


def test_one_stone_captures_chains_on_all_sides() -> None:
    game = game_from_text("""
        . . X . .
        . X O X .
        X O . O X
        . X O X .
        . . X . .""")
    play(game, "C3")
    assert shown(game) == picture("""
        . . X . .
        . X . X .
        X . X . X
        . X . X .
        . . X . .""")
    assert game.captures == {BLACK: 4, WHITE: 0}
    assert game.ko_point == -1


def test_a_chain_as_large_as_the_board_is_captured_whole() -> None:
    size = 25
    border = [p for p in range(1, size**2) if p // size in (0, size - 1) or p % size in (0, size - 1)]
    inside = [p for p in range(1, size**2) if p not in border]
    game = GoGame(size, komi=0)
    game.place_stones(border, inside[1:])
    assert game.why_illegal(inside[0], WHITE) == "suicide"
    game.play(inside[0])
    assert game.captures == {BLACK: len(inside) - 1, WHITE: 0}
    assert game.area_score() == size**2


def test_snapback() -> None:
    game = game_from_text("""
        . . O X .
        O O O X .
        X X X X .
        . . . . .
        . . . . .""")
    play(game, "B5", "A5")  # thrown in, and taken
    assert game.captures == {BLACK: 0, WHITE: 1}
    assert game.ko_point == -1
    play(game, "B5")
    assert game.captures == {BLACK: 5, WHITE: 1}
    assert shown(game) == picture("""
        . X . X .
        . . . X .
        X X X X .
        . . . . .
        . . . . .""")


# Suicide


def test_suicide_of_one_stone_is_illegal() -> None:
    game = game_from_text("""
        . X . .
        X . X .
        . X . .
        . . . .""")
    for name in ("A4", "B3"):
        assert game.why_illegal(gtp_to_point(name, 4), WHITE) == "suicide"
        assert game.why_illegal(gtp_to_point(name, 4), BLACK) is None


def test_suicide_of_many_stones_is_illegal_and_capturing_them_is_not() -> None:
    game = game_from_text("""
        . X O . .
        X X O . .
        O O O . .
        . . . . .
        . . . . .""")
    with pytest.raises(IllegalMoveError, match="Black cannot play A5: the stone would have no liberty") as caught:
        play(game, "A5")
    assert (caught.value.reason, caught.value.point, caught.value.colour) == ("suicide", 0, BLACK)
    assert game.history == []
    game.play(0, WHITE)
    assert game.captures == {BLACK: 0, WHITE: 3}


# Ko and superko

KO = """
    . X O .
    X . X O
    . X O .
    . . . ."""


def test_a_ko_may_be_retaken_only_after_a_move_elsewhere() -> None:
    game = game_from_text(KO, to_move=WHITE)
    play(game, "B3")
    assert game.captures[WHITE] == 1
    assert game.ko_point == gtp_to_point("C3", 4)
    assert not game.legal_mask()[game.ko_point]
    with pytest.raises(IllegalMoveError, match="Black cannot play C3: it would retake the ko at once") as caught:
        play(game, "C3")
    assert caught.value.reason == "ko"
    play(game, "A1", "D1")
    assert game.ko_point == -1
    play(game, "C3")
    assert game.captures == {BLACK: 1, WHITE: 1}
    assert game.ko_point == gtp_to_point("B3", 4)


def test_the_ko_binds_only_the_side_that_lost_the_stone() -> None:
    game = game_from_text(KO, to_move=WHITE)
    play(game, "B3")
    assert game.why_illegal(game.ko_point, BLACK) == "ko"
    assert game.legal_mask(WHITE)[game.ko_point]
    game.play(game.ko_point, WHITE)
    assert shown(game).splitlines()[1] == "XOOO"


def test_a_pass_lifts_the_ko() -> None:
    game = game_from_text(KO, to_move=WHITE)
    play(game, "B3", "pass", "A1")
    assert game.why_illegal(gtp_to_point("C3", 4)) is None


def test_ko_in_the_corner() -> None:
    game = game_from_text("""
        . X O .
        X O . .
        . . . .
        . . . .""", to_move=WHITE)  # fmt: skip
    play(game, "A4")
    assert game.ko_point == gtp_to_point("B4", 4)
    assert game.why_illegal(game.ko_point) == "ko"


def test_taking_one_stone_after_losing_two_is_no_ko() -> None:
    game = game_from_text("""
        . X X O .
        X O O . .
        . . . . .
        . . . . .
        . . . . .""", to_move=WHITE)  # fmt: skip
    play(game, "A5")
    assert game.captures == {BLACK: 0, WHITE: 2}
    assert game.ko_point == -1
    play(game, "B5")
    assert game.captures == {BLACK: 1, WHITE: 2}
    assert game.ko_point == -1


def cycle_of_three_kos() -> tuple[str, list[int]]:
    """Three kos, of which White can take the outer two and Black the middle one, and six moves that restore them."""
    rows = [". X O . " * 3, "X . X O  X O . O  X . X O", ". X O . " * 3] + [". " * 12] * 9
    return "\n".join(rows), [12 + col for col in (1, 6, 9, 2, 5, 10)]


def test_a_triple_ko_goes_round_under_simple_ko() -> None:
    board, moves = cycle_of_three_kos()
    game = game_from_text(board, to_move=WHITE)
    for _ in range(2):
        for point in moves:
            game.play(point)
        assert shown(game) == picture(board)
    assert game.captures == {BLACK: 6, WHITE: 6}


def test_superko_stops_a_triple_ko() -> None:
    board, moves = cycle_of_three_kos()
    game = game_from_text(board, to_move=WHITE, ko_rule="positional")
    for point in moves[:-1]:
        game.play(point)
    assert game.ko_point not in (-1, moves[-1])
    assert not game.legal_mask()[moves[-1]]
    with pytest.raises(IllegalMoveError, match="it would repeat an earlier position of the whole board") as caught:
        game.play(moves[-1])
    assert caught.value.reason == "superko"
    game.play(143)  # a stone elsewhere makes the position a new one, and the cycle may begin again
    game.play(142)
    assert game.why_illegal(moves[-1]) is None


@pytest.mark.parametrize(("ko_rule", "reason"), [("simple", None), ("positional", "superko")])
def test_sending_two_and_returning_one_repeats_only_under_simple_ko(ko_rule: str, reason: str | None) -> None:
    board = """
        . X . O .
        X O O . .
        . . . . .
        . . . . .
        . . . . ."""
    game = game_from_text(board, to_move=WHITE, ko_rule=ko_rule)
    play(game, "pass", "C5", "A5")
    assert game.why_illegal(gtp_to_point("B5", 5)) == reason
    if reason is None:
        play(game, "B5")
        assert shown(game) == picture(board)


def test_superko_includes_simple_ko_and_never_forbids_a_pass() -> None:
    game = game_from_text(KO, to_move=WHITE, ko_rule="positional")
    play(game, "B3")
    assert game.why_illegal(game.ko_point) == "ko"
    play(game, "pass", "A1")
    assert game.why_illegal(gtp_to_point("C3", 4)) is None, "with A1 on the board the position is a new one"
    assert game.why_illegal(game.area) is None
