"""Many games at once give what one game gives, and an independent board agrees."""

from __future__ import annotations

import numpy as np
import pytest

from envs.errors import UserError
from envs.go.batch import (
    INVERSE_SYMMETRY,
    SYMMETRIES,
    BatchedGo,
    Positions,
    apply_moves,
    legal_moves,
    replay,
    symmetry_table,
    transform,
    transform_points,
)
from envs.go.rules import BLACK, NO_POINT, WHITE, GoGame
from tests.envs.go.reference import Reference


def random_games(count: int, plies: int, size: int = 9, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return moves int16 (count, plies), padded with 255, and lengths; legal games with an occasional pass."""
    rng = np.random.default_rng(seed)
    batch = BatchedGo(count, size)
    moves = np.full((count, plies), 255, dtype=np.int16)
    lengths = np.zeros(count, dtype=np.int64)
    wanted = rng.integers(0, plies + 1, count)
    for ply in range(plies):
        mask = batch.legal_mask()
        mask[:, -1] = rng.random(count) < 0.02
        mask[~mask.any(axis=1), -1] = True
        chosen = (rng.random(mask.shape) * mask).argmax(axis=1)
        chosen[batch.done | (wanted <= ply)] = NO_POINT
        played = batch.play(chosen)
        moves[played, ply] = chosen[played]
        lengths += played
    return moves, lengths


@pytest.fixture(scope="module")
def games() -> tuple[np.ndarray, np.ndarray]:
    return random_games(300, 90)


@pytest.mark.parametrize("size", [2, 3, 5, 9, 19])
def test_a_batch_plays_as_single_games_do(size: int) -> None:
    rng = np.random.default_rng(size)
    count = 25
    batch = BatchedGo(count, size, komi=5.5)
    singles = [GoGame(size, komi=5.5) for _ in range(count)]
    for _ in range(60):
        points = rng.integers(-1, size**2 + 2, count)  # some illegal, some off the board, some skipped
        expected = [p >= 0 and game.why_illegal(int(p)) is None for game, p in zip(singles, points, strict=True)]
        assert batch.play(points).tolist() == expected
        for game, point, legal in zip(singles, points, expected, strict=True):
            if legal:
                game.play(int(point))
        assert np.array_equal(batch.stones, [game.stones for game in singles])
        assert batch.to_move.tolist() == [game.to_move for game in singles]
        assert batch.ko.tolist() == [game.ko_point for game in singles]
        assert batch.last_move.tolist() == [game.last_move for game in singles]
        assert batch.ply.tolist() == [len(game.history) for game in singles]
        assert batch.done.tolist() == [game.is_over for game in singles]
        assert np.array_equal(batch.legal_mask(), [game.legal_mask() for game in singles])
        assert batch.area_score().tolist() == [game.area_score() for game in singles]


def test_replay_gives_every_position_of_single_games(games: tuple[np.ndarray, np.ndarray]) -> None:
    moves, lengths = (array[:60] for array in games)
    positions, offsets = replay(moves, lengths)
    assert offsets.tolist() == [0, *np.cumsum(lengths + 1)]
    for number, length in enumerate(lengths):
        game = GoGame(9)
        for ply in range(length + 1):
            at = offsets[number] + ply
            assert np.array_equal(positions.stones[at], game.stones)
            assert positions.to_move[at] == game.to_move
            assert positions.last_move[at] == game.last_move
            assert positions.ko[at] == game.ko_point
            if ply < length:
                game.play(int(moves[number, ply]))


def test_replay_agrees_with_the_reference(games: tuple[np.ndarray, np.ndarray]) -> None:
    moves, lengths = games
    positions, offsets = replay(moves, lengths)
    for number, length in enumerate(lengths):
        reference = Reference(9)
        for move in moves[number, :length]:
            reference.play(int(move))
        assert np.array_equal(positions.stones[offsets[number + 1] - 1], reference.stones)
        assert positions.ko[offsets[number + 1] - 1] == reference.ko_point


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int64])
def test_replay_takes_any_integer_type_and_keeps_the_promised_ones(dtype: type) -> None:
    positions, offsets = replay(np.array([[40, 81, 255]], dtype=dtype), np.array([2], dtype=np.uint8))
    assert [field.dtype for field in positions] == [np.int8, np.int8, np.int16, np.int16]
    assert [field.shape for field in positions] == [(3, 9, 9), (3,), (3,), (3,)]
    assert offsets.dtype == np.int64
    assert positions.last_move.tolist() == [-1, 40, 81]
    assert positions.to_move.tolist() == [BLACK, WHITE, BLACK]


def test_replay_of_nothing() -> None:
    positions, offsets = replay(np.zeros((0, 5), dtype=np.uint8), np.zeros(0, dtype=np.uint8))
    assert positions.stones.shape == (0, 9, 9)
    assert offsets.tolist() == [0]
    positions, offsets = replay(np.zeros((2, 0), dtype=np.uint8), np.zeros(2, dtype=np.uint8))
    assert len(positions.stones) == 2
    assert not positions.stones.any()


def test_replay_names_the_illegal_move() -> None:
    moves = np.array([[0, 1, 2], [5, 40, 40]])
    with pytest.raises(UserError, match="game 1 has an illegal move E5 at ply 2 on 9x9"):
        replay(moves, np.array([3, 3]))
    with pytest.raises(UserError, match="game 0 has an illegal move point 255 at ply 0"):
        replay(np.array([[255]], dtype=np.uint8), np.array([1]))
    with pytest.raises(UserError, match="do not fit"):
        replay(moves, np.array([3]))
    with pytest.raises(UserError, match="does not fit"):
        replay(moves, np.array([3, 4]))


def test_apply_moves_is_one_step_of_replay(games: tuple[np.ndarray, np.ndarray]) -> None:
    moves, lengths = games
    positions, offsets = replay(moves, lengths)
    before = np.concatenate([np.arange(a, b - 1) for a, b in zip(offsets[:-1], offsets[1:], strict=True)])
    played = np.concatenate([row[:length] for row, length in zip(moves, lengths, strict=True)])
    untouched = positions.stones.copy()
    after, legal = apply_moves(positions.take(before), played)
    assert legal.all()
    for got, expected in zip(after, positions.take(before + 1), strict=True):
        assert np.array_equal(got, expected)
        assert got.dtype == expected.dtype
    assert np.array_equal(positions.stones, untouched)


def test_apply_moves_reports_illegal_moves_and_leaves_those_positions(games: tuple[np.ndarray, np.ndarray]) -> None:
    positions, _ = replay(*games)
    points = np.random.default_rng(1).integers(0, 82, len(positions.stones))
    after, legal = apply_moves(positions, points)
    assert np.array_equal(legal, legal_moves(positions)[np.arange(len(points)), points])
    assert 0 < legal.mean() < 1
    for got, given in zip(after, positions, strict=True):
        assert np.array_equal(got[~legal], given[~legal])
    _, off_board = apply_moves(positions.take(slice(0, 2)), [-1, 82])
    assert not off_board.any()


def test_legal_moves_know_the_ko() -> None:
    moves = np.array([[1, 2, 9, 12, 19, 20, 11, 10]])  # White takes at 10; the stone at 11 is gone
    positions, _ = replay(moves, np.array([8]))
    assert positions.ko[-1] == 11
    assert not legal_moves(positions)[-1, 11]
    assert legal_moves(positions)[-1, 81]


def test_reset_starts_some_games_anew() -> None:
    batch = BatchedGo(3, 5)
    batch.play([12, 12, 25])
    batch.play([25, 13, 25])
    assert batch.done.tolist() == [False, False, True]
    assert batch.legal_mask().sum(axis=1).tolist() == [25, 24, 1]
    assert batch.play([0, 0, 0]).tolist() == [True, True, False]
    batch.reset(np.array([False, True, True]))
    assert batch.ply.tolist() == [3, 0, 0]
    assert batch.stones.reshape(3, -1).any(axis=1).tolist() == [True, False, False]
    batch.reset([0])
    assert not batch.stones.any()
    assert batch.last_move.tolist() == [-1, -1, -1]


def test_wrong_numbers_of_moves_are_refused() -> None:
    with pytest.raises(UserError, match=r"\(2,\) moves do not fit 3 games"):
        BatchedGo(3).play([0, 0])
    with pytest.raises(UserError, match="board size 26"):
        BatchedGo(1, 26)


# Symmetries


def turned(board: np.ndarray, symmetry: int) -> np.ndarray:
    """The contract, word by word."""
    if symmetry & 1:
        board = np.flipud(board)
    if symmetry & 2:
        board = np.fliplr(board)
    if symmetry & 4:
        board = np.transpose(board)
    return board


@pytest.mark.parametrize("size", [2, 5, 9, 25])
def test_transform_turns_boards_and_points_alike(size: int) -> None:
    rng = np.random.default_rng(0)
    count = 64
    points = rng.integers(0, size**2, count)
    positions = Positions(
        rng.integers(0, 3, (count, size, size)).astype(np.int8),
        rng.integers(1, 3, count).astype(np.int8),
        points.astype(np.int16),
        np.where(rng.random(count) < 0.5, NO_POINT, points[::-1]).astype(np.int16),
    )
    symmetry = np.arange(count) % SYMMETRIES
    result = transform(positions, symmetry)
    for index in range(count):
        assert np.array_equal(result.stones[index], turned(positions.stones[index], symmetry[index]))
        marked = np.zeros((size, size), dtype=bool)
        marked.flat[points[index]] = True
        assert turned(marked, symmetry[index]).flat[result.last_move[index]]
    assert np.array_equal(result.ko == NO_POINT, positions.ko == NO_POINT)
    assert np.array_equal(result.to_move, positions.to_move)
    for field, expected in zip(transform(result, INVERSE_SYMMETRY[symmetry]), positions, strict=True):
        assert np.array_equal(field, expected)
        assert field.dtype == expected.dtype


def test_a_transformed_game_is_the_game_of_the_transformed_moves(games: tuple[np.ndarray, np.ndarray]) -> None:
    moves, lengths = games
    positions, _ = replay(moves, lengths)
    for symmetry in range(SYMMETRIES):
        padding = moves == 255
        moved = np.where(padding, 255, transform_points(np.where(padding, 0, moves), symmetry, 9))
        for got, expected in zip(replay(moved, lengths)[0], transform(positions, symmetry), strict=True):
            assert np.array_equal(got, expected)


def test_transform_points_broadcasts_and_keeps_pass_and_no_point() -> None:
    points = np.array([0, 8, 80, 81, -1])
    table = transform_points(points, np.arange(SYMMETRIES)[:, None], 9)
    assert table.shape == (SYMMETRIES, 5)
    assert table.dtype == np.int16
    assert table[0].tolist() == points.tolist()
    assert table[1].tolist() == [72, 80, 8, 81, -1]
    assert table[4].tolist() == [0, 72, 80, 81, -1]
    assert (table[:, 3:] == [81, -1]).all()


def test_the_eight_symmetries_differ_and_their_inverses_undo_them() -> None:
    table = symmetry_table(3)
    assert len({tuple(row) for row in table.tolist()}) == SYMMETRIES
    for symmetry in range(SYMMETRIES):
        points = np.arange(-1, 10)
        there = transform_points(points, symmetry, 3)
        assert np.array_equal(transform_points(there, INVERSE_SYMMETRY[symmetry], 3), points)


@pytest.mark.parametrize("symmetry", [8, -1])
def test_other_symmetries_are_refused(symmetry: int) -> None:
    with pytest.raises(UserError, match="does not exist; give 0 to 7"):
        transform_points([0], symmetry, 9)
