"""Boards to ask about: positions of real games on 9 lines, of random legal games on 13 and 19, and their pictures."""

from __future__ import annotations

from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np

from envs.go import kernels
from envs.go.batch import Positions, replay, transform
from envs.go.coords import point_to_gtp
from envs.go.facts import BoardFacts
from envs.go.kernels import BLACK, EMPTY, LEGAL, NO_POINT, neighbour_table
from envs.go.renderer import BoardGeometry, renderer_for
from envs.go.rules import opponent
from envs.tabletop.canvas import resize
from train.data.go_games import split_games
from train.data.go_records import ASSETS, GameRecords
from train.data.questions.go_labels import LABELS, point_labels
from train.data.questions.labels import with_all_labels
from train.data.questions.question import SIDE
from train.data.questions.splits import scene_random

HELD_OUT = 0.02  # of the games, in each of validation and test: as when the Go agents are trained
POOL = 2000  # random games of a size and split; a position is one of many in each
NEAR, LOCAL = 2, 0.6  # lines from the last move within which a random game goes on, and how often it does
SPAN = 2 * NEAR + 1
ATTEMPTS = 4  # for a point of the board, at a move in a random game


class Board:
    """A position, its facts and its picture.

    positions: one. size: points a side. style: of the renderer. shows_marks: whether the picture tells last move and
    turn.
    """

    def __init__(self, positions: Positions, style: str = "modern") -> None:
        self.positions, self.style = positions, style
        self.size = positions.size
        self.facts = BoardFacts.of(positions)
        self.shows_marks = style == "modern"
        modern = style == "modern"
        self._geometry = BoardGeometry.within(SIDE, self.size) if modern else BoardGeometry(self.size, style)

    @cached_property
    def image(self) -> np.ndarray:
        """The frame, uint8 (H, W, 3); published pictures are larger than a frame may be, and made smaller."""
        picture = renderer_for(self._geometry)(self.positions)[0]
        return picture if max(picture.shape) <= SIDE else resize(picture, (SIDE, SIDE))

    def mask(self, points: tuple[int, ...], *, stones: bool) -> np.ndarray:
        """Where the stones on some points are seen, or else the points' own squares: bool (H, W).

        In a picture that was made smaller what lies in the middle of a pixel counts.
        """
        return _within(np.isin(self._stone_ids if stones else self._geometry.point_map, points))

    def middle(self, point: int) -> tuple[float, float]:
        """x and y of a point in the picture, px."""
        return self._middles[point]

    @cached_property
    def _middles(self) -> list[tuple[float, float]]:
        places = _within(self._geometry.point_map)
        rows, columns = np.nonzero(places >= 0)
        points = places[rows, columns]
        counts = np.bincount(points, minlength=self.size**2)
        y, x = (np.bincount(points, axis, self.size**2) / counts + 0.5 for axis in (rows, columns))
        return list(zip(x.tolist(), y.tolist(), strict=True))

    @cached_property
    def labels(self) -> np.ndarray:
        """What each pixel's point is, int8 (H, W, labels of all sources); -1 beyond the points' squares."""
        places = _within(self._geometry.point_map)
        labels = np.concatenate([point_labels(self.facts), np.full((1, len(LABELS)), -1, np.int8)])
        shown = labels[places]  # the last row for -1
        return with_all_labels(dict(zip(LABELS, np.moveaxis(shown, -1, 0), strict=True)))

    def name(self, point: int) -> str:
        """A point's name, such as "C3"."""
        return point_to_gtp(point, self.size)

    @cached_property
    def _stone_ids(self) -> np.ndarray:
        return np.asarray(renderer_for(self._geometry).stone_ids(self.positions)[0])


def _within(pixels: np.ndarray) -> np.ndarray:
    """What belongs to a picture's pixels, (H, W), for the picture made no larger than a frame."""
    if len(pixels) <= SIDE:
        return pixels
    middles = ((np.arange(SIDE) + 0.5) * len(pixels) / SIDE).astype(int)
    return np.asarray(pixels[np.ix_(middles, middles)])


class BoardScenes:
    """The boards of a split, by number."""

    def __init__(
        self, split: str, *, seed: int, sizes: tuple[int, ...], shares: tuple[float, ...], paper: float
    ) -> None:
        """sizes: points a side, with the share of each; paper: share of pictures in the published style."""
        self.split, self.seed, self.paper = split, seed, paper
        self.sizes, self.shares = sizes, np.array(shares) / sum(shares)

    def board(self, number: int) -> Board:
        """Board `number`."""
        rng = scene_random(self.seed, self.split, "go", number)
        size = self.sizes[int(rng.choice(len(self.sizes), p=self.shares))]
        records = _records() if size == 9 else None
        if records is not None:
            games = _games_of(self.split)
            game = int(games[rng.integers(len(games))])
            moves = records.moves[game, : int(records.lengths[game])].astype(np.int64)
        else:
            moves = random_game(size, self.split, self.seed, int(rng.integers(POOL)))
        # Early positions have few stones to ask about, so they come less often.
        ply = int(round(len(moves) * np.sqrt(rng.random())))
        positions, _ = replay(moves[None, :ply], np.array([ply]), size)
        last = transform(positions.take(slice(ply, ply + 1)), int(rng.integers(8)))
        return Board(last, "paper" if rng.random() < self.paper else "modern")


@lru_cache(maxsize=1)
def _records() -> GameRecords:
    return GameRecords.load(Path(ASSETS) / "go9" / "games.npz")


@lru_cache(maxsize=3)
def _games_of(split: str) -> np.ndarray:
    return split_games(len(_records().lengths), HELD_OUT)[split]


@lru_cache(maxsize=8192)
def random_game(size: int, split: str, seed: int, number: int) -> np.ndarray:
    """The moves of a random legal game, int64 (T,): mostly near the last one, and never between own stones alone."""
    rng = scene_random(seed, split, f"random game {size}", number)
    neighbours, area = neighbour_table(size), size * size
    board, colour, ko = np.zeros(area, np.int8), BLACK, NO_POINT
    plies, moves = int(rng.integers(area // 4, area)), list[int]()
    for _ in range(ATTEMPTS * area):
        if len(moves) == plies:
            break
        point = int(rng.integers(area))
        if moves and rng.random() < LOCAL:
            row, column = moves[-1] // size + point % SPAN - NEAR, moves[-1] % size + point // SPAN % SPAN - NEAR
            point = min(max(row, 0), size - 1) * size + min(max(column, 0), size - 1)
        if board[point] != EMPTY or all(board[near] == colour for near in neighbours[point] if near >= 0):
            continue
        verdict, after, _ = kernels.play_move(board, neighbours, point, colour, ko)  # changes the board if it is legal
        if verdict == LEGAL:
            moves.append(point)
            colour, ko = opponent(colour), after
    return np.array(moves, np.int64)
