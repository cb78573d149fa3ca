"""Many Go games at once, compiled: for training data, symmetries and arenas. Rules as in `GoGame` with simple ko.

Shapes: G games, T plies, P positions, N points along an edge. Points are `row * N + col`, row 0 on top; N*N is the pass
and -1 no point.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from envs.errors import UserError
from envs.go import kernels
from envs.go.coords import point_to_gtp
from envs.go.kernels import BLACK, NO_POINT, neighbour_table
from envs.go.rules import check_size

SYMMETRIES = 8
# A flip undoes itself; a quarter turn (one flip, then the transpose) is undone by the other one.
INVERSE_SYMMETRY = np.array([0, 1, 2, 3, 4, 6, 5, 7], dtype=np.int64)


class Positions(NamedTuple):
    """P positions of one board size, as arrays; everything a frame shows and the next move depends on."""

    stones: np.ndarray  # int8 (P, N, N): EMPTY, BLACK, WHITE
    to_move: np.ndarray  # int8 (P,)
    last_move: np.ndarray  # int16 (P,): -1 none, N*N pass
    ko: np.ndarray  # int16 (P,): the point the side to move may not take, or -1

    @property
    def size(self) -> int:
        """Points along an edge."""
        return int(self.stones.shape[-1])

    def take(self, index: np.ndarray | slice) -> Positions:
        """Return the positions at `index`: copies for integers or a boolean mask, views for a slice."""
        return Positions(*(field[index] for field in self))


class BatchedGo:
    """`n` games played side by side on boards of one size, all arrays indexed by game.

    Attributes:
        stones: int8 (n, N, N).
        to_move: int8 (n,).
        ko: int16 (n,), the point the side to move may not take, or -1.
        last_move: int16 (n,), -1 before the first move, N*N for a pass.
        passes: int8 (n,), passes in a row.
        ply: int16 (n,), moves so far.
    """

    def __init__(self, n: int, size: int = 9, komi: float = 7.0) -> None:
        """Start `n` empty boards; raises UserError for a size outside 2..25."""
        self.n = n
        self.size = check_size(size)
        self.komi = komi
        self.stones = np.empty((n, self.size, self.size), dtype=np.int8)
        self.to_move = np.empty(n, dtype=np.int8)
        self.ko = np.empty(n, dtype=np.int16)
        self.last_move = np.empty(n, dtype=np.int16)
        self.passes = np.empty(n, dtype=np.int8)
        self.ply = np.empty(n, dtype=np.int16)
        self._neighbours = neighbour_table(self.size)
        self.reset()

    def reset(self, which: ArrayLike | None = None) -> None:
        """Empty the boards of the games in `which` (indices or a boolean mask; default all)."""
        games = slice(None) if which is None else np.asarray(which)
        self.stones[games] = 0
        self.to_move[games] = BLACK
        self.ko[games] = NO_POINT
        self.last_move[games] = NO_POINT
        self.passes[games] = 0
        self.ply[games] = 0

    @property
    def done(self) -> np.ndarray:
        """bool (n,): the last two moves were passes."""
        return self.passes >= 2

    @property
    def positions(self) -> Positions:
        """The boards now, as views that follow the games; copy them to keep them."""
        return Positions(self.stones, self.to_move, self.last_move, self.ko)

    def play(self, points: ArrayLike) -> np.ndarray:
        """Play one move in each game.

        Args:
            points: int (n,); N*N passes and -1 leaves that game alone.

        Returns:
            bool (n,): the move was legal and has been played. Other games, finished ones among them, are unchanged.
        """
        moves = np.where(self.done, NO_POINT, _as_points(points, self.n))
        played = kernels.play_each(self._flat, self.to_move, self.last_move, self.ko, moves, self._neighbours)
        passed = played & (moves == self.size * self.size)
        self.passes[played & ~passed] = 0
        self.passes[passed] += 1
        self.ply[played] += 1
        return played

    def legal_mask(self) -> np.ndarray:
        """Return bool (n, N*N + 1); the pass is always True, and the only move of a finished game."""
        mask = np.empty((self.n, self.size * self.size + 1), dtype=np.bool_)
        kernels.mark_legal_each(self._flat, self.to_move, self.ko, self._neighbours, mask)
        mask[self.done, :-1] = False
        return mask

    def area_score(self) -> np.ndarray:
        """Return float32 (n,): Black's area minus White's minus komi, every stone counted as alive."""
        return kernels.area_each(self._flat, self._neighbours).astype(np.float32) - np.float32(self.komi)

    def area_owners(self) -> np.ndarray:
        """Return int8 (n, N, N): whose area each point is (0: nobody's), every stone counted as alive."""
        owners = np.empty_like(self.stones)
        for board, owner in zip(self._flat, _flatten(owners), strict=True):
            kernels.mark_owners(board, self._neighbours, owner)
        return owners

    @property
    def _flat(self) -> np.ndarray:
        return _flatten(self.stones)


def replay(moves: np.ndarray, lengths: np.ndarray, size: int = 9) -> tuple[Positions, np.ndarray]:
    """Replay whole games from the empty board, Black first, and return every position.

    Args:
        moves: integer (G, T), points or passes; entries from `lengths[g]` on are padding and not read.
        lengths: integer (G,), plies of each game, at most T.
        size: points along an edge.

    Returns:
        The positions before each ply and after the last, `lengths[g] + 1` for game g, and int64 (G + 1,) offsets: game
        g owns positions `offsets[g]:offsets[g + 1]`, in order.

    Raises:
        UserError: a game has an illegal move, or the shapes do not fit.
    """
    size = check_size(size)
    moves, lengths = np.asarray(moves, dtype=np.int64), np.asarray(lengths, dtype=np.int64)
    if moves.ndim != 2 or lengths.shape != moves.shape[:1]:
        raise UserError(f"moves {moves.shape} and lengths {lengths.shape} do not fit; give (G, T) and (G,)")
    if lengths.size and not 0 <= lengths.min() <= lengths.max() <= moves.shape[1]:
        raise UserError(f"a length of {lengths.min()} or {lengths.max()} does not fit moves {moves.shape}; give 0 to T")
    offsets = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.cumsum(lengths + 1, out=offsets[1:])
    count = int(offsets[-1])
    stones = np.empty((count, size, size), dtype=np.int8)
    to_move = np.empty(count, dtype=np.int8)
    last_move = np.empty(count, dtype=np.int16)
    ko = np.empty(count, dtype=np.int16)
    flat = stones.reshape(count, size * size)
    game, ply = kernels.replay_all(moves, offsets, neighbour_table(size), flat, to_move, last_move, ko)
    if game >= 0:
        point = int(moves[game, ply])
        name = point_to_gtp(point, size) if 0 <= point <= size * size else f"point {point}"
        raise UserError(f"game {game} has an illegal move {name} at ply {ply} on {size}x{size}; leave that game out")
    return Positions(stones, to_move, last_move, ko), offsets


def apply_moves(positions: Positions, points: ArrayLike) -> tuple[Positions, np.ndarray]:
    """Play one move in each position and return the new positions; the given ones are not changed.

    Args:
        positions: P positions.
        points: integer (P,); N*N passes.

    Returns:
        The next positions, and bool (P,): the move was legal. Where it was not, the position is returned as it was.
    """
    after = Positions(*(np.array(field, order="C") for field in positions))
    flat = _flatten(after.stones)
    moves = _as_points(points, len(flat))
    legal = kernels.play_each(flat, after.to_move, after.last_move, after.ko, moves, neighbour_table(positions.size))
    return after, legal


def legal_moves(positions: Positions) -> np.ndarray:
    """Return bool (P, N*N + 1): the moves of the side to move that are legal; the pass is always True."""
    stones = _flatten(positions.stones)
    mask = np.empty((len(stones), stones.shape[1] + 1), dtype=np.bool_)
    kernels.mark_legal_each(stones, positions.to_move, positions.ko, neighbour_table(positions.size), mask)
    return mask


@cache
def symmetry_table(size: int) -> np.ndarray:
    """Return int16 (8, size*size + 2): where each symmetry sends each point; the pass stays, and so does -1 (last)."""
    area = size * size
    table = np.empty((SYMMETRIES, area + 2), dtype=np.int16)
    table[:, area] = area
    table[:, -1] = NO_POINT
    for symmetry in range(SYMMETRIES):
        source = _turn(np.arange(area).reshape(size, size), symmetry).reshape(-1)
        table[symmetry, source] = np.arange(area)
    table.flags.writeable = False
    return table


def transform(positions: Positions, symmetry: ArrayLike) -> Positions:
    """Return the positions turned and mirrored, each by its own symmetry.

    Symmetry s in 0..7 flips the rows (up-down) if s & 1, then flips the columns if s & 2, then transposes if s & 4. One
    number serves all positions; otherwise `symmetry` is integer (P,). `INVERSE_SYMMETRY[s]` undoes s.
    """
    symmetry = np.ascontiguousarray(np.broadcast_to(_as_symmetry(symmetry), positions.to_move.shape))
    size = positions.size
    flat = _flatten(positions.stones)
    turned = np.empty_like(flat)
    kernels.scatter_each(flat, symmetry, symmetry_table(size), turned)
    return Positions(
        turned.reshape(positions.stones.shape),
        positions.to_move.copy(),
        transform_points(positions.last_move, symmetry, size),
        transform_points(positions.ko, symmetry, size),
    )


def transform_points(points: ArrayLike, symmetry: ArrayLike, size: int) -> np.ndarray:
    """Return int16 points after the symmetry, which broadcasts against them; the pass and -1 stay what they are."""
    return symmetry_table(size)[_as_symmetry(symmetry), np.asarray(points)]


def _turn(board: np.ndarray, symmetry: int) -> np.ndarray:
    """The definition of the symmetries, on one board."""
    board = board[::-1] if symmetry & 1 else board
    board = board[:, ::-1] if symmetry & 2 else board
    return board.T if symmetry & 4 else board


def _flatten(stones: np.ndarray) -> np.ndarray:
    """(P, N, N) -> (P, N*N), a view where possible; -1 would not do for P = 0."""
    return np.ascontiguousarray(stones).reshape(len(stones), stones.shape[1] * stones.shape[2])


def _as_symmetry(symmetry: ArrayLike) -> np.ndarray:
    values = np.asarray(symmetry, dtype=np.int64)
    if values.size and not 0 <= values.min() <= values.max() < SYMMETRIES:
        raise UserError(f"symmetry {values.min()} or {values.max()} does not exist; give 0 to {SYMMETRIES - 1}")
    return values


def _as_points(points: ArrayLike, n: int) -> np.ndarray:
    moves = np.asarray(points, dtype=np.int64)
    if moves.shape != (n,):
        raise UserError(f"{moves.shape} moves do not fit {n} games; give one point for each")
    return moves
