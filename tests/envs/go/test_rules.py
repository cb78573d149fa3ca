"""One game: agreement with an independent board over thousands of random games; turns, setup, undo and counting."""

from __future__ import annotations

import numpy as np
import pytest

from envs.errors import UserError
from envs.go.coords import gtp_to_point, point_to_gtp
from envs.go.rules import (
    BLACK,
    EMPTY,
    WHITE,
    GoGame,
    IllegalMoveError,
    Move,
    check_size,
    fixed_handicap,
    opponent,
    own_eyes,
)
from tests.envs.go.reference import Reference, game_from_text, picture, play, shown, text_from_stones

# Agreement with an independent implementation


@pytest.mark.parametrize(
    ("sizes", "games", "most_plies"), [((2, 3, 4, 5), 1600, 40), ((6, 7, 9), 400, 90), ((13, 19, 25), 6, 250)]
)
def test_random_games_agree_with_the_reference(sizes: tuple[int, ...], games: int, most_plies: int) -> None:
    rng = np.random.default_rng(games)
    for number in range(games):
        size = sizes[number % len(sizes)]
        game, reference = GoGame(size, komi=0.5), Reference(size)
        for ply in range(most_plies):
            if game.is_over:
                break
            mask = game.legal_mask()
            if ply % 8 == 0:
                tried = int(rng.integers(size * size))
                assert game.why_illegal(tried) == reference.why_illegal(tried)
                assert mask[tried] == (reference.why_illegal(tried) is None)
            legal = np.flatnonzero(mask)
            move = int(legal[rng.integers(len(legal))])
            game.play(move)
            reference.play(move)
            assert game.ko_point == reference.ko_point
            assert np.array_equal(game.stones, reference.stones)
        assert game.area_score() == reference.area() - 0.5


@pytest.mark.parametrize("ko_rule", ["simple", "positional"])
def test_every_legal_mask_of_small_games_agrees_with_the_reference(ko_rule: str) -> None:
    rng = np.random.default_rng(7)
    repeats = 0
    for number in range(60):
        size = 2 + number % 4
        game, reference = GoGame(size, ko_rule=ko_rule), Reference(size)
        for _ in range(50):
            reasons = [reference.why_illegal(point, superko=ko_rule == "positional") for point in range(size**2 + 1)]
            repeats += reasons.count("superko")
            assert [game.why_illegal(point) for point in range(size**2 + 1)] == reasons
            assert game.legal_mask().tolist() == [reason is None for reason in reasons]
            stones = np.flatnonzero(game.legal_mask()[:-1])
            move = int(rng.choice(stones)) if len(stones) else game.area
            game.play(move)
            reference.play(move)
            if game.is_over:
                break
    assert (repeats > 0) == (ko_rule == "positional")


def test_undo_retraces_a_game_exactly() -> None:
    rng = np.random.default_rng(3)
    game = GoGame(5, ko_rule="positional")
    trail = []
    for _ in range(60):
        trail.append(
            (shown(game), game.to_move, game.ko_point, game.captures, game.last_move, game.legal_mask().tolist())
        )
        game.play(int(rng.choice(np.flatnonzero(game.legal_mask()[:-1]))) if game.legal_mask()[:-1].any() else 25)
        if game.is_over:
            break
    assert any(captures != {BLACK: 0, WHITE: 0} for _, _, _, captures, _, _ in trail)
    for state in reversed(trail):
        game.undo()
        assert state == (
            shown(game), game.to_move, game.ko_point, game.captures, game.last_move, game.legal_mask().tolist()
        )  # fmt: skip
    with pytest.raises(UserError, match="no move to undo"):
        game.undo()


# Turns, ends, setup


def test_illegal_moves_leave_the_game_alone_and_say_why() -> None:
    game = GoGame(9)
    play(game, "E5")
    for point, reason in ((40, "occupied"), (82, "off board"), (-1, "off board"), (5000, "off board")):
        with pytest.raises(IllegalMoveError) as caught:
            game.play(point)
        assert caught.value.reason == reason
    assert game.history == [Move(BLACK, 40)]
    assert game.to_move == WHITE


def test_a_colour_may_move_twice_in_a_row() -> None:
    game = GoGame(5)
    game.play(0, WHITE)
    game.play(1, WHITE)
    assert game.to_move == BLACK
    assert game.history == [Move(WHITE, 0), Move(WHITE, 1)]


def test_two_passes_end_the_game_until_it_is_resumed_or_undone() -> None:
    game = GoGame(5)
    play(game, "C3", "pass")
    assert not game.is_over
    play(game, "pass")
    assert game.is_over
    assert game.legal_mask().tolist() == [False] * 25 + [True]
    for point in (0, 25):
        with pytest.raises(IllegalMoveError, match="the game is over") as caught:
            game.play(point)
        assert caught.value.reason == "game over"
    game.undo()
    assert not game.is_over
    play(game, "pass")
    game.resume()
    play(game, "A1")
    assert game.stones[4, 0] == WHITE


def test_resigning_ends_the_game_and_can_be_taken_back() -> None:
    game = GoGame(5)
    play(game, "C3")
    game.resign()
    assert (game.is_over, game.resigned, game.result_text()) == (True, WHITE, "B+R")
    with pytest.raises(UserError, match="White cannot resign"):
        game.resign()
    game.undo()
    assert not game.is_over
    assert len(game.history) == 1


def test_the_board_that_was_shown_does_not_change_and_cannot_be_changed() -> None:
    game = GoGame(5)
    before = game.stones
    play(game, "C3")
    assert not before.any()
    with pytest.raises(ValueError, match="read-only"):
        game.stones[0, 0] = BLACK


def test_copies_are_independent() -> None:
    game = GoGame(5, komi=1.5, ko_rule="positional", handicap=0)
    play(game, "C3")
    twin = game.copy()
    play(twin, "C4")
    twin.resign()
    assert len(game.history) == 1
    assert not game.is_over
    assert twin.komi == 1.5
    assert twin.ko_rule == "positional"


HANDICAPS = [
    (19, 2, "D4 Q16"),
    (19, 4, "D4 Q16 D16 Q4"),
    (19, 5, "D4 Q16 D16 Q4 K10"),
    (19, 6, "D4 Q16 D16 Q4 D10 Q10"),
    (19, 7, "D4 Q16 D16 Q4 D10 Q10 K10"),
    (19, 9, "D4 Q16 D16 Q4 D10 Q10 K4 K16 K10"),
    (13, 3, "D4 K10 D10"),
    (9, 4, "C3 G7 C7 G3"),
    (9, 8, "C3 G7 C7 G3 C5 G5 E3 E7"),
    (8, 4, "C3 F6 C6 F3"),
    (7, 2, "C3 E5"),
]


@pytest.mark.parametrize(("size", "n", "names"), HANDICAPS, ids=lambda value: str(value)[:5])
def test_fixed_handicap(size: int, n: int, names: str) -> None:
    assert [point_to_gtp(point, size) for point in fixed_handicap(size, n)] == names.split()
    game = GoGame(size, handicap=n)
    assert (game.to_move, game.history, len(game.handicap_stones)) == (WHITE, [], n)
    assert (game.stones == BLACK).sum() == n
    with pytest.raises(UserError, match="no move to undo"):
        game.undo()


@pytest.mark.parametrize(("size", "n"), [(6, 2), (7, 5), (8, 5), (19, 10), (19, 1), (9, -1)])
def test_handicaps_that_do_not_fit_are_refused(size: int, n: int) -> None:
    with pytest.raises(UserError, match=f"{n} handicap stones do not fit a {size}x{size} board; "):
        fixed_handicap(size, n)


def test_setup_stones_join_and_decide_who_moves() -> None:
    game = GoGame(5)
    game.place_stones([0], [24], to_move=WHITE)
    game.place_stones([1])
    assert shown(game) == picture("XX... / ..... / ..... / ..... / ....O".replace("/", "\n"))
    assert game.to_move == WHITE
    play(game, "C3")
    assert (game.initial_stones != EMPTY).sum() == 3
    game.undo()
    assert np.array_equal(game.stones, game.initial_stones)


@pytest.mark.parametrize(
    ("black", "white", "words"),
    [
        ([25], [], "point 25 is off the 5x5 board"),
        ([-1], [], "point -1 is off the 5x5 board"),
        ([3, 3], [], "D5 is given twice"),
        ([3], [3], "D5 is given twice"),
        ([1, 5], [0], "the stones at A5 without a liberty"),
    ],
)
def test_impossible_setups_are_refused(black: list[int], white: list[int], words: str) -> None:
    game = GoGame(5)
    with pytest.raises(UserError, match=words):
        game.place_stones(black, white)
    assert not game.stones.any()


def test_setup_after_the_first_move_is_refused() -> None:
    game = GoGame(5)
    play(game, "C3")
    with pytest.raises(UserError, match="cannot be set up after 1 moves"):
        game.place_stones([0])


@pytest.mark.parametrize("size", [1, 0, 26, -9, 9.5, "9", None, float("nan")])
def test_impossible_sizes_are_refused(size: object) -> None:
    with pytest.raises(UserError, match=r"board size .* is not supported; choose a whole number from 2 to 25"):
        check_size(size)  # type: ignore[arg-type]


def test_impossible_komi_and_ko_rules_are_refused() -> None:
    with pytest.raises(UserError, match="komi nan is not a number of points"):
        GoGame(komi=float("nan"))
    with pytest.raises(UserError, match="ko rule 'none' is unknown; choose one of simple, positional"):
        GoGame(ko_rule="none")


# Counting

DIVIDED = """
    O . X O .
    . . X O .
    X X . O .
    X . X O .
    . . X O O"""


def test_area_counts_stones_and_regions_of_one_colour() -> None:
    game = game_from_text(DIVIDED)
    assert text_from_stones(game.area_owner()) == picture("""
        O . X O O
        . . X O O
        X X . O O
        X X X O O
        X X X O O""")
    assert game.area_score() == 10 - 11
    game.komi = 0.5
    assert game.result_text() == "W+1.5"


def test_komi_is_never_minus_zero() -> None:
    game = GoGame(9, komi=-0.0)
    assert f"{game.komi:g} {game.copy().komi:g} {game!r}" == "0 0 GoGame(size=9, komi=0: 0 moves, Black to move)"
    game.komi = -0.0
    assert f"{game.komi:g}" == "0" and game.result_text() == "0"
    game.komi = -3
    assert game.komi == -3.0 and isinstance(game.komi, float)
    with pytest.raises(UserError, match="komi nan is not a number of points; give a plain number"):
        game.komi = float("nan")
    assert game.komi == -3.0


def test_dead_stones_are_taken_off_before_counting() -> None:
    game = game_from_text(DIVIDED)
    assert game.area_owner(dead=[0])[0, 0] == BLACK
    assert game.area_score(dead=[0]) == 14 - 10
    assert game.result_text(dead=[0]) == "B+4.0"
    assert game.stones[0, 0] == WHITE, "counting changes nothing"
    with pytest.raises(UserError, match="point 25 is off the 5x5 board"):
        game.area_score(dead=[25])


def test_an_empty_board_belongs_to_nobody() -> None:
    assert GoGame(9, komi=7).area_score() == -7


@pytest.mark.parametrize(("komi", "text"), [(0, "B+9.0"), (2.5, "B+6.5"), (9, "0"), (21, "W+12.0"), (6.25, "B+2.75")])
def test_result_texts(komi: float, text: str) -> None:
    game = GoGame(3, komi=komi)
    play(game, "B2")
    assert game.result_text() == text


def test_own_eyes() -> None:
    game = game_from_text("""
        . X . X O
        X X X O .
        . . X . X
        . X . X O
        . . X O .""")
    eyes = [point_to_gtp(int(point), 5) for point in np.flatnonzero(own_eyes(game, BLACK))]
    assert eyes == ["A5", "C2"], "C5 is false at the edge; one foreign corner does not hurt C2"
    game.play(gtp_to_point("B1", 5), WHITE)
    assert not own_eyes(game, BLACK)[3, 2]
    assert not own_eyes(game, WHITE).any()


def test_opponent() -> None:
    assert (opponent(BLACK), opponent(WHITE)) == (WHITE, BLACK)
