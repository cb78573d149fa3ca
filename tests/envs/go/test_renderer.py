"""Positions as pictures and back, in both styles."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from envs.errors import UserError
from envs.go.batch import Positions, apply_moves, replay, transform
from envs.go.renderer import (
    BoardGeometry,
    BoardRenderer,
    positions_from_games,
    read_board,
    read_move,
    renderer_for,
    turn_frames,
)
from envs.go.rules import BLACK, WHITE, GoGame
from tests.envs.go.reference import play
from tests.go_games import random_moves, random_positions

GEOMETRIES = [
    BoardGeometry(2),
    BoardGeometry(3, cell=5),
    BoardGeometry(5),
    BoardGeometry(9),
    BoardGeometry(13, cell=7),
    BoardGeometry(19, cell=4),
    BoardGeometry(9, "paper"),
    BoardGeometry(5, "paper"),
]
MODERN = [geometry for geometry in GEOMETRIES if geometry.style == "modern"]


def name(geometry: BoardGeometry) -> str:
    return f"{geometry.style}-{geometry.size}-{geometry.cell}"


def one(stones: np.ndarray, to_move: int = BLACK, last: int = -1, ko: int = -1) -> Positions:
    """A single position."""
    return Positions(
        stones[None].astype(np.int8), np.array([to_move], np.int8), np.array([last], np.int16), np.array([ko], np.int16)
    )


# -- drawing ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("geometry", GEOMETRIES, ids=name)
def test_numpy_and_torch_draw_the_same_bytes(geometry: BoardGeometry) -> None:
    positions = random_positions(40, geometry.size)
    drawn = BoardRenderer(geometry)(positions)
    assert drawn.dtype == np.uint8
    assert drawn.shape == (len(positions.to_move), geometry.frame_size, geometry.frame_size, 3)
    tensors = [torch.from_numpy(field) for field in positions]
    before = [tensor.clone() for tensor in tensors]
    assert np.array_equal(renderer_for(geometry).torch(*tensors).numpy(), drawn)
    assert all(torch.equal(a, b) for a, b in zip(tensors, before, strict=True)), "drawing changes nothing"


def test_frame_sizes() -> None:
    assert [BoardGeometry(n).frame_size for n in (3, 5, 9, 13, 19)] == [32, 48, 80, 112, 160]
    assert BoardGeometry(9, "paper").frame_size == 256
    assert BoardGeometry(5, "paper").frame_size == 256 - 4 * 29
    assert all(geometry.cells % 2 == 0 for geometry in MODERN), "2x2-cell tokens cover the frame"


def test_render_game_is_the_current_position() -> None:
    game = GoGame(5)
    play(game, "C3", "D3", "pass")
    renderer = renderer_for(BoardGeometry(5))
    drawn = renderer.render_game(game)
    assert np.array_equal(drawn, renderer(positions_from_games([game]))[0])
    back = read_board(drawn[None], renderer.geometry)
    assert (back.to_move[0], back.last_move[0]) == (WHITE, 25)
    assert (back.stones[0] == game.stones).all()


def test_nothing_to_draw() -> None:
    positions = random_positions(4, 5).take(slice(0))
    assert renderer_for(BoardGeometry(5))(positions).shape == (0, 48, 48, 3)


def test_a_board_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="9x9"):
        renderer_for(BoardGeometry(9))(random_positions(2, 5))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"style": "baroque"}, "unknown board style 'baroque'"),
        ({"size": 1}, "board size 1"),
        ({"size": 26}, "board size 26"),
        ({"cell": 3}, "cell of 3 px"),
        ({"cell": 65}, "cell of 65 px"),
    ],
)
def test_impossible_geometries(settings: dict[str, int | str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        BoardGeometry(**settings)  # type: ignore[arg-type]


# -- geometry --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("geometry", GEOMETRIES, ids=name)
def test_every_centre_lies_on_its_own_point(geometry: BoardGeometry) -> None:
    for point in range(geometry.size**2):
        y, x = geometry.centre(point)
        assert geometry.point_at(y, x) == point
        assert 0 <= y < geometry.frame_size and 0 <= x < geometry.frame_size
    for y, x in ((-20, 20), (20, -20), (geometry.size * geometry.pitch, 5), (5, geometry.size * geometry.pitch)):
        assert geometry.point_at(y, x) == -1


def test_stones_stand_at_their_centres() -> None:
    geometry = BoardGeometry(5)
    stones = np.zeros((5, 5), np.int8)
    stones[1, 3], stones[4, 0] = BLACK, WHITE
    frame = renderer_for(geometry)(one(stones))[0]
    for point, bright in ((8, False), (20, True)):
        y, x = (int(value) for value in geometry.centre(point))
        assert (frame[y, x].mean() > 200) == bright
        assert (frame[y, x].mean() < 50) != bright


# -- the published picture -------------------------------------------------------------------------------------------

PAPER_LINES = [12 + 29 * i for i in range(9)]
ORANGE = (255, 165, 0)


def paper(stones: np.ndarray | None = None) -> np.ndarray:
    board = np.zeros((9, 9), np.int8) if stones is None else stones
    return renderer_for(BoardGeometry(9, "paper"))(one(board))[0]


def test_paper_background_and_lines() -> None:
    frame = paper().astype(int)
    assert frame.shape == (256, 256, 3)
    assert (frame[0] == ORANGE).all() and (frame[:, 255] == ORANGE).all(), "the margin"
    assert (frame[26, 26] == ORANGE).all() and (frame[110, 85] == ORANGE).all()
    for line in PAPER_LINES:
        assert (frame[line, 12:245] == 0).all() and (frame[12:245, line] == 0).all()
    # beside a line, far from crossings
    for line in PAPER_LINES:
        for side in (-1, 1):
            assert abs(frame[line + side, 26] - (205, 132, 0)).max() <= 2
            assert abs(frame[26, line + side] - (205, 132, 0)).max() <= 2
    assert (frame[PAPER_LINES, 9] == ORANGE).all() and (frame[PAPER_LINES, 247] == ORANGE).all(), "lines end"
    assert (frame == frame.swapaxes(0, 1)).all()


@pytest.mark.parametrize(("row", "column"), [(4, 4), (0, 0), (8, 8), (0, 8), (6, 1)])
@pytest.mark.parametrize(("colour", "grey"), [(BLACK, 0), (WHITE, 255)])
def test_paper_stones_are_discs(row: int, column: int, colour: int, grey: int) -> None:
    stones = np.zeros((9, 9), np.int8)
    stones[row, column] = colour
    empty, frame = paper(), paper(stones)
    y, x = np.mgrid[0:256, 0:256]
    disc = (y - PAPER_LINES[row]) ** 2 + (x - PAPER_LINES[column]) ** 2 <= 13.5**2
    assert (frame[disc] == grey).all()
    assert (frame[~disc] == empty[~disc]).all()
    if (row, column) == (4, 4):
        assert disc.sum() == 577  # 27 px across


def test_paper_stones_are_clipped_at_the_edges() -> None:
    stones = np.zeros((9, 9), np.int8)
    stones[0, 4], stones[8, 4], stones[4, 0], stones[4, 8] = WHITE, WHITE, WHITE, WHITE
    frame = paper(stones)
    middle = PAPER_LINES[4]
    assert (frame[0, middle] == 255).all() and (frame[middle, 0] == 255).all()
    assert (frame[255, middle] == 255).all() and (frame[middle, 255] == 255).all()
    # the disc is 2 * 6 + 1 px wide 12 px above its centre (top row), 2 * 7 + 1 px wide 11 px below it (bottom row)
    assert (frame[0] == 255).all(-1).sum() == 13 and (frame[255] == 255).all(-1).sum() == 15


def test_paper_stones_have_the_published_measures() -> None:
    """27 px across, radius 13.5, pure white with hard edges, about 1.5 px cut off at the edges of the frame."""
    stones = np.zeros((9, 9), np.int8)
    points = [(4, 4), (0, 4), (8, 4), (4, 0), (4, 8)]
    for row, column in points:
        stones[row, column] = WHITE
    changed = (paper(stones) != paper()).any(-1)
    assert (paper(stones)[changed] == 255).all(), "no soft edges"
    extents = {}
    for row, column in points:
        top, left = (max(0, 12 + 29 * i - 16) for i in (row, column))
        y, x = np.nonzero(changed[top : 29 * row + 28, left : 29 * column + 28])
        extents[row, column] = (y.min() + top, y.max() + top, x.min() + left, x.max() + left, len(y))
    first, last, left, right, pixels = extents[4, 4]
    assert last - first + 1 == right - left + 1 == 27
    assert (first + last) / 2 == (left + right) / 2 == 12 + 29 * 4, "the middle is the line's pixel"
    assert abs(pixels - np.pi * 13.5**2) < 6
    # At an edge the frame shows less of the 27 px.
    cut = [27 - (end - start + 1) for start, end in (extents[0, 4][:2], extents[8, 4][:2])]
    cut += [27 - (end - start + 1) for start, end in (extents[4, 0][2:4], extents[4, 8][2:4])]
    assert cut == [1, 2, 1, 2] and np.mean(cut) == 1.5


def test_paper_shows_neither_marks_nor_turn() -> None:
    stones = np.zeros((9, 9), np.int8)
    stones[2, 2], stones[3, 3] = BLACK, WHITE
    plain, marked = (renderer_for(BoardGeometry(9, "paper"))(p) for p in (one(stones), one(stones, WHITE, 20, 40)))
    assert np.array_equal(plain, marked)


# -- reading ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("geometry", GEOMETRIES, ids=name)
def test_reading_inverts_drawing(geometry: BoardGeometry) -> None:
    positions = random_positions(60, geometry.size, seed=1)
    back = read_board(renderer_for(geometry)(positions), geometry)
    assert [field.dtype for field in back] == [field.dtype for field in positions]
    assert np.array_equal(back.stones, positions.stones)
    if geometry.style == "modern":
        area = geometry.size**2
        assert (positions.last_move == area).any() and (positions.last_move < area).any(), "both are tried"
        for read, drawn in zip(back[1:], positions[1:], strict=True):
            assert np.array_equal(read, drawn)
    else:
        assert (back.to_move == BLACK).all() and (back.last_move == -1).all() and (back.ko == -1).all()


def test_reading_a_ko() -> None:
    game = GoGame(5)
    play(game, "B3", "C3", "C4", "D4", "C2", "D2", "pass", "E3", "D3")
    assert game.ko_point == 12, "C3 was taken"
    geometry = BoardGeometry(5)
    back = read_board(renderer_for(geometry).render_game(game)[None], geometry)
    assert (back.ko[0], back.last_move[0], back.to_move[0]) == (12, 13, WHITE)


@pytest.mark.parametrize("geometry", [BoardGeometry(5), BoardGeometry(5, "paper")], ids=name)
def test_reading_bears_noise(geometry: BoardGeometry) -> None:
    positions = random_positions(30, 5)
    frames = renderer_for(geometry)(positions).astype(int)
    noisy = frames + np.random.default_rng(0).integers(-25, 26, frames.shape)
    assert np.array_equal(read_board(noisy.clip(0, 255).astype(np.uint8), geometry).stones, positions.stones)


@pytest.mark.parametrize("geometry", MODERN[1:4], ids=name)
def test_moves_are_read_from_two_frames(geometry: BoardGeometry) -> None:
    size = geometry.size
    moves, lengths = random_moves(6, 2 * size * size, size, seed=2)
    positions, offsets = replay(moves, lengths, size)
    frames = renderer_for(geometry)(positions)
    before = np.concatenate([np.arange(a, b - 1) for a, b in zip(offsets[:-1], offsets[1:], strict=True)])
    read = read_move(frames[before], frames[before + 1], geometry)
    played = np.concatenate([row[:length] for row, length in zip(moves, lengths, strict=True)])
    assert read.dtype == np.int64 and np.array_equal(read, played)
    stones = (positions.stones != 0).sum((1, 2))
    assert (played == size * size).any() and (stones[before + 1] < stones[before]).any(), (
        "passes and captures are tried"
    )


def test_paper_reads_black_moves_with_captures() -> None:
    geometry = BoardGeometry(5, "paper")
    moves, lengths = random_moves(8, 40, 5, seed=3)
    positions, _ = replay(moves, lengths, 5)
    black = positions.take(positions.to_move == BLACK)
    points = np.random.default_rng(0).integers(0, 25, len(black.to_move))
    after, legal = apply_moves(black, points)
    render = renderer_for(geometry)
    read = read_move(render(black.take(legal)), render(after.take(legal)), geometry)
    assert np.array_equal(read, points[legal]) and legal.sum() > 20


def test_no_move_is_minus_one() -> None:
    geometry = BoardGeometry(5)
    positions = random_positions(20, 5)
    frames = renderer_for(geometry)(positions)
    assert (read_move(frames, frames, geometry) == -1).all()
    vanished = renderer_for(geometry)(positions._replace(stones=np.zeros_like(positions.stones)))
    assert (read_move(frames, vanished, geometry) == -1).all()


def test_of_two_new_stones_the_clearer_one_is_the_move() -> None:
    geometry = BoardGeometry(5)
    render = renderer_for(geometry)
    empty, both = np.zeros((5, 5), np.int8), np.zeros((5, 5), np.int8)
    both[1, 1], both[3, 3] = BLACK, BLACK
    before, after = render(one(empty)), render(one(both, WHITE, 18)).copy()
    after[:, 8:16, 8:16] = (after[:, 8:16, 8:16] * 0.8 + before[:, 8:16, 8:16] * 0.2).astype(np.uint8)
    assert read_board(after, geometry).stones[0, 1, 1] == BLACK, "the paler one still reads as a stone"
    assert read_move(before, after, geometry)[0] == 18


# -- turning ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("symmetry", range(8))
@pytest.mark.parametrize("geometry", MODERN, ids=name)
def test_a_turned_frame_is_the_turned_position(geometry: BoardGeometry, symmetry: int) -> None:
    positions = random_positions(20, geometry.size)
    frames = renderer_for(geometry)(positions)
    kept = frames.copy()
    turned = turn_frames(frames, symmetry, geometry)
    assert np.array_equal(frames, kept)
    assert np.array_equal(turned, renderer_for(geometry)(transform(positions, symmetry)))


@pytest.mark.parametrize("symmetry", range(8))
@pytest.mark.parametrize("size", [5, 9])
def test_a_turned_paper_frame_is_the_turned_position(size: int, symmetry: int) -> None:
    """But for the outermost pixels: the published picture ends one pixel earlier on its far sides."""
    geometry = BoardGeometry(size, "paper")
    positions = random_positions(20, size)
    turned = turn_frames(renderer_for(geometry)(positions), symmetry, geometry)
    expected = renderer_for(geometry)(transform(positions, symmetry))
    assert turned.shape == expected.shape
    assert np.array_equal(turned[:, 1:, 1:], expected[:, 1:, 1:])
    assert (turned != expected).any(-1).mean() < 0.001
