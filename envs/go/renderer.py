"""Go positions as pictures, many at once, and pictures read back as positions.

A board is drawn as a mosaic: every point is one of a few tiles, chosen by what stands on it and where it lies on the
board. One `BoardGeometry` serves the renderer and the readers, so that nobody else knows a pixel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numba import njit

from envs.errors import UserError
from envs.go.batch import Positions
from envs.go.rules import BLACK, EMPTY, WHITE, GoGame
from envs.go.tiles import (
    BLACK_LAST,
    BLACK_STONE,
    EMPTY_POINT,
    KO_POINT,
    PAPER_FRAME,
    PAPER_MARGIN,
    PAPER_PITCH,
    POINT_KINDS,
    STRIP_KINDS,
    WHITE_LAST,
    WHITE_STONE,
    modern_tiles,
    paper_tiles,
    strip_tiles,
)

if TYPE_CHECKING:
    import torch

STYLES = ("modern", "paper")
STYLE_WITH_TURN = "modern"


def check_shows_turn(style: str) -> None:
    """Raise UserError for frames without the turn: nobody could dream with them."""
    if style != STYLE_WITH_TURN:
        raise UserError(f"frames of style {style!r} do not show whose turn it is; dream with a checkpoint of another")


@dataclass(frozen=True)
class BoardGeometry:
    """Where things lie in a frame.

    size: points per side, 2 to 25. cell: pixels per point (style "modern"; an even number of cells per side, so that
    2x2-cell tokens cover whole points; the rows and columns behind the board are the status strip). style "paper" is
    the published picture: 9x9 only gives 256 px; other sizes keep its pitch of 29 px and its margin.
    """

    size: int = 9
    style: str = "modern"
    cell: int = 8

    def __post_init__(self) -> None:
        if self.style not in STYLES:
            raise UserError(f"unknown board style {self.style!r}: choose one of {', '.join(STYLES)}")
        if not 2 <= self.size <= 25:
            raise UserError(f"board size {self.size} is outside 2 to 25")
        if not 4 <= self.cell <= 64:
            raise UserError(f"a cell of {self.cell} px is outside 4 to 64")

    @property
    def frame_shape(self) -> tuple[int, int]:
        """Height and width of a frame, px."""
        return self.frame_size, self.frame_size

    @property
    def words(self) -> str:
        """For people. Geometries with the same words draw the same frames."""
        return f"{self.size}x{self.size} boards of style {self.style} with {self.pitch} px a point"

    @classmethod
    def of_frame(cls, frame_size: int, size: int) -> BoardGeometry:
        """The geometry of frames `frame_size` px wide that show `size` points a side; UserError if there is none."""
        paper = cls(size, "paper")
        return paper if paper.frame_size == frame_size else cls(size, cell=frame_size // cls(size).cells)

    @classmethod
    def within(cls, side: int, size: int) -> BoardGeometry:
        """The geometry of style "modern" with the largest frames of at most `side` px; UserError if there is none."""
        return cls(size, cell=side // cls(size).cells)

    @property
    def cells(self) -> int:
        """Tiles per side."""
        return self.size if self.style == "paper" else 2 * (self.size // 2 + 1)

    @property
    def pitch(self) -> int:
        """Pixels per tile."""
        return PAPER_PITCH if self.style == "paper" else self.cell

    @property
    def offset(self) -> int:
        """Pixels of the first tile that fall outside the frame."""
        return PAPER_PITCH // 2 - PAPER_MARGIN if self.style == "paper" else 0

    @property
    def frame_size(self) -> int:
        """Side of the square frame in pixels."""
        if self.style == "paper":
            return PAPER_FRAME + PAPER_PITCH * (self.size - 9)
        return self.cells * self.cell

    def board_part(self, picture: np.ndarray) -> np.ndarray:
        """What of a picture or mask (S, S, ...) shows the points of the board, of style "modern": N cells a side."""
        assert self.style == "modern", "the published picture cuts the outermost points"
        side = self.size * self.pitch
        return picture[:side, :side]

    def centre(self, point: int) -> tuple[float, float]:
        """(y, x) pixel coordinates of a board point's centre; whole numbers are pixel centres."""
        row, column = divmod(point, self.size)
        half = (self.pitch - 1) / 2 - self.offset
        return row * self.pitch + half, column * self.pitch + half

    @cached_property
    def point_map(self) -> np.ndarray:
        """The board point whose tile holds each pixel, or -1 outside the board: int16 (S, S), read-only."""
        lines = (np.arange(self.frame_size) + self.offset) // self.pitch
        rows, columns = lines[:, None], lines[None]
        points = np.where((rows < self.size) & (columns < self.size), rows * self.size + columns, -1).astype(np.int16)
        points.flags.writeable = False
        return points

    def point_at(self, y: float, x: float) -> int:
        """The board point whose tile holds pixel (y, x), or -1 outside the board."""
        row, column = int((y + self.offset) // self.pitch), int((x + self.offset) // self.pitch)
        return row * self.size + column if 0 <= row < self.size and 0 <= column < self.size else -1


@njit(cache=True)
def _lay(atlas: np.ndarray, first: np.ndarray, kinds: np.ndarray, words: int, out: np.ndarray) -> None:
    """Copy tile `first[cell] + kinds[frame, cell]` to its place in every frame. out: (P, pixels rows, row words)."""
    frames, cells = kinds.shape[0], kinds.shape[1]
    rows = atlas.shape[1]
    for p in range(frames):
        for i in range(cells):
            for j in range(cells):
                tile = first[i, j] + kinds[p, i, j]
                for r in range(rows):
                    for w in range(words):
                        out[p, i * rows + r, j * words + w] = atlas[tile, r, w]


@njit(cache=True)
def _kinds(stones: np.ndarray, to_move: np.ndarray, last: np.ndarray, ko: np.ndarray, cells: int) -> np.ndarray:
    """Kind of every tile. (P, cells, cells) uint8."""
    frames, size = stones.shape[0], stones.shape[1]
    kinds = np.empty((frames, cells, cells), np.uint8)
    for p in range(frames):
        strip = to_move[p] - 1
        for i in range(cells):
            for j in range(cells):
                kinds[p, i, j] = stones[p, i, j] if i < size and j < size else strip
        if last[p] == size * size:
            if cells > size:
                kinds[p, size, size] = strip + 2
        elif last[p] >= 0:
            i, j = last[p] // size, last[p] % size
            if stones[p, i, j] != 0:
                kinds[p, i, j] = stones[p, i, j] + 2
        if ko[p] >= 0:
            kinds[p, ko[p] // size, ko[p] % size] = 5
    return kinds


class BoardRenderer:
    """Draws positions as frames: uint8 (P, S, S, 3) with S = geometry.frame_size.

    Calling it renders on the CPU from numpy arrays; `torch` does the same on any device from tensors. Both give the
    same bytes.
    """

    def __init__(self, geometry: BoardGeometry | None = None) -> None:
        self.geometry = g = geometry or BoardGeometry()
        make = paper_tiles if g.style == "paper" else modern_tiles
        tiles: list[np.ndarray] = []
        self.first = np.zeros((g.cells, g.cells), np.int64)  # atlas index of the first kind of every cell
        for i in range(g.size):
            for j in range(g.size):
                self.first[i, j] = len(tiles)
                tiles += make(g, i, j)
        if g.cells > g.size:
            self.first[g.size :, :] = self.first[:, g.size :] = len(tiles)
            tiles += strip_tiles(g)
        # (tiles, side, side, 3)
        self.atlas = np.ascontiguousarray(np.stack(tiles).round().clip(0, 255).astype(np.uint8))

    @cached_property
    def _words(self) -> np.ndarray:
        """The atlas in the widest machine words that divide a tile row: copies are then a few moves long."""
        flat = self.atlas.reshape(*self.atlas.shape[:2], -1)
        for dtype in (np.uint64, np.uint32, np.uint16):
            if flat.shape[2] % np.dtype(dtype).itemsize == 0:
                return flat.view(dtype)
        return flat

    def __call__(self, positions: Positions) -> np.ndarray:
        """Positions of P boards of the geometry's size -> frames uint8 (P, S, S, 3)."""
        g, atlas = self.geometry, self._words
        if positions.stones.shape[1:] != (g.size, g.size):
            raise ValueError(f"positions are {positions.stones.shape[1:]}, but this renderer draws {g.size}x{g.size}")
        kinds = _kinds(positions.stones, positions.to_move, positions.last_move, positions.ko, g.cells)
        side = g.cells * g.pitch
        canvas = np.empty((len(kinds), side, g.cells * atlas.shape[2]), atlas.dtype)
        _lay(atlas, self.first, kinds, atlas.shape[2], canvas)
        frames = canvas.view(np.uint8).reshape(-1, side, side, 3)
        if g.style == "modern":
            return frames
        return np.ascontiguousarray(frames[:, g.offset : g.offset + g.frame_size, g.offset : g.offset + g.frame_size])

    def torch(
        self, stones: torch.Tensor, to_move: torch.Tensor, last_move: torch.Tensor, ko: torch.Tensor
    ) -> torch.Tensor:
        """The same for tensors on one device: stones (P, N, N), the others (P,), integers -> uint8 (P, S, S, 3)."""
        import torch

        g, device, count = self.geometry, stones.device, len(stones)
        kinds = torch.zeros(count, g.cells, g.cells, dtype=torch.long, device=device)
        kinds[:] = (to_move.long() - 1)[:, None, None]
        flat = stones.reshape(count, -1).long().clone()
        rows = torch.arange(count, device=device)
        area = g.size**2
        last, ko = last_move.long(), ko.long()
        marked = rows[(last >= 0) & (last < area)]
        here = flat[marked, last[marked]]
        flat[marked, last[marked]] = torch.where(here > 0, here + 2, here)
        kos = rows[ko >= 0]
        flat[kos, ko[kos]] = KO_POINT
        kinds[:, : g.size, : g.size] = flat.view(count, g.size, g.size)
        if g.cells > g.size:
            kinds[:, g.size, g.size] += 2 * (last == area)
        atlas = torch.from_numpy(self.atlas).to(device)
        tiles = atlas[kinds + torch.from_numpy(self.first).to(device)]  # (P, cells, cells, side, side, 3)
        side = g.cells * g.pitch
        frames = tiles.permute(0, 1, 3, 2, 4, 5).reshape(count, side, side, 3)
        return frames[:, g.offset : g.offset + g.frame_size, g.offset : g.offset + g.frame_size].contiguous()

    def stone_ids(self, positions: Positions) -> np.ndarray:
        """The id buffer: at each pixel that shows a stone the point it stands on, else -1. int16 (P, S, S).

        A pixel belongs to a stone if a stone there, black or white, changes the picture of the empty point: a black one
        covers black lines as well.
        """
        g = self.geometry
        kinds = _kinds(positions.stones, positions.to_move, positions.last_move, positions.ko, g.cells)
        side = g.cells * g.pitch
        covered = self._stone_pixels[self.first + kinds].transpose(0, 1, 3, 2, 4).reshape(-1, side, side)
        inside = slice(g.offset, g.offset + g.frame_size)
        return np.where(covered[:, inside, inside], g.point_map, np.int16(-1))

    @cached_property
    def _stone_pixels(self) -> np.ndarray:
        """Which pixels of a tile its stone covers, bool (tiles, side, side); none where there is no stone."""
        changed = np.zeros(self.atlas.shape[:3], np.bool_)
        for first in self.first[: self.geometry.size, : self.geometry.size].reshape(-1):
            empty = self.atlas[first + EMPTY_POINT]
            stone = np.any([self.atlas[first + kind] != empty for kind in (BLACK_STONE, WHITE_STONE)], axis=(0, -1))
            changed[[first + kind for kind in (BLACK_STONE, WHITE_STONE, BLACK_LAST, WHITE_LAST)]] = stone
        return changed

    def render_game(self, game: GoGame) -> np.ndarray:
        """The current position of one game -> uint8 (S, S, 3)."""
        return self(positions_from_games([game]))[0]


@lru_cache(maxsize=8)
def renderer_for(geometry: BoardGeometry) -> BoardRenderer:
    """One renderer per geometry; they hold no state."""
    return BoardRenderer(geometry)


def positions_from_games(games: Sequence[GoGame]) -> Positions:
    """Current positions of games of one size as arrays."""
    return Positions(
        stones=np.stack([game.stones for game in games]).astype(np.int8),
        to_move=np.array([game.to_move for game in games], np.int8),
        last_move=np.array([game.last_move for game in games], np.int16),
        ko=np.array([game.ko_point for game in games], np.int16),
    )


def turn_frames(frames: np.ndarray, symmetry: int, geometry: BoardGeometry) -> np.ndarray:
    """Frames (P, S, S, 3) with their boards turned as `envs.go.batch.transform` turns positions.

    The status strip stays. The same as drawing the turned position, but from the picture alone (paper style: up to
    a few pixels in the outermost row and column).
    """
    side = (
        geometry.size * geometry.pitch - 2 * geometry.offset
        if geometry.style == "paper"
        else geometry.size * geometry.cell
    )
    board = frames[:, :side, :side]
    cut = side - board.shape[1]  # pixels of the published picture's far edges that lie outside the frame
    board = np.pad(board, ((0, 0), (0, cut), (0, cut), (0, 0)), mode="edge") if cut else board
    board = board[:, ::-1] if symmetry & 1 else board
    board = board[:, :, ::-1] if symmetry & 2 else board
    board = board.swapaxes(1, 2) if symmetry & 4 else board
    turned = frames.copy()
    turned[:, :side, :side] = board[:, : side - cut, : side - cut]
    return turned


def _nearest_kinds(frames: np.ndarray, geometry: BoardGeometry) -> tuple[np.ndarray, np.ndarray]:
    """Kind of every tile by smallest squared distance: (P, cells, cells) int64, and that distance (float32)."""
    g, renderer = geometry, renderer_for(geometry)
    side = g.cells * g.pitch
    canvas = np.zeros((len(frames), side, side, 3), np.float32)
    mask = np.zeros((side, side, 1), np.float32)
    inside = slice(g.offset, g.offset + g.frame_size)
    canvas[:, inside, inside], mask[inside, inside] = frames, 1
    kinds = np.zeros((len(frames), g.cells, g.cells), np.int64)
    error = np.zeros((len(frames), g.cells, g.cells), np.float32)
    for i in range(g.cells):
        for j in range(g.cells):
            rows, columns = slice(i * g.pitch, (i + 1) * g.pitch), slice(j * g.pitch, (j + 1) * g.pitch)
            known = mask[rows, columns]
            on_board = i < g.size and j < g.size
            count = (3 if g.style == "paper" else POINT_KINDS) if on_board else STRIP_KINDS
            tiles = renderer.atlas[renderer.first[i, j] :][:count].astype(np.float32) * known
            seen = (canvas[:, rows, columns] * known).reshape(len(frames), -1)
            flat = tiles.reshape(count, -1)
            distance = (seen**2).sum(1)[:, None] - 2 * seen @ flat.T + (flat**2).sum(1)  # (P, kinds)
            kinds[:, i, j], error[:, i, j] = distance.argmin(1), distance.min(1)
    return kinds, error


def read_board(frames: np.ndarray, geometry: BoardGeometry) -> Positions:
    """Frames uint8 (P, S, S, 3), drawn or imagined, read back tile by tile (nearest tile wins).

    The paper style shows neither turn, last move nor ko: there `to_move` is Black's, the others are -1.
    """
    kinds, _ = _nearest_kinds(frames, geometry)
    size, count = geometry.size, len(frames)
    board = kinds[:, :size, :size]
    stones = np.select([np.isin(board, (1, 3)), np.isin(board, (2, 4))], [BLACK, WHITE], EMPTY).astype(np.int8)
    flat = board.reshape(count, -1)
    to_move, last, ko = np.full(count, BLACK, np.int8), np.full(count, -1, np.int16), np.full(count, -1, np.int16)
    if geometry.style == "modern":
        strip = kinds[:, size:, :].reshape(count, -1)
        to_move = np.where((strip % 2).mean(1) > 0.5, WHITE, BLACK).astype(np.int8)
        marked = (flat == BLACK_LAST) | (flat == WHITE_LAST)
        passed = np.where(kinds[:, size, size] >= 2, size * size, -1)
        last = np.where(marked.any(1), marked.argmax(1), passed).astype(np.int16)
        ko = np.where((flat == KO_POINT).any(1), (flat == KO_POINT).argmax(1), -1).astype(np.int16)
    return Positions(stones, to_move, last, ko)


def read_move(current: np.ndarray, predicted: np.ndarray, geometry: BoardGeometry) -> np.ndarray:
    """The move between two frames, read from pixels alone: where a stone appears.

    current, predicted: uint8 (P, S, S, 3). Returns int64 (P,): a point, N*N for a pass (nothing new, the turn changes),
    or -1 where the pictures show no move. If several stones appear, the one whose pixels changed most is the move.
    """
    before, after = read_board(current, geometry), read_board(predicted, geometry)
    count, area = len(current), geometry.size**2
    if geometry.style == "paper":
        mover = np.full(count, BLACK, np.int8)  # the published agent plays Black only
    else:
        mover = before.to_move
    appears = (before.stones == EMPTY) & (after.stones == mover[:, None, None])
    g, side = geometry, geometry.cells * geometry.pitch
    change = np.zeros((count, side, side), np.float32)
    inside = slice(g.offset, g.offset + g.frame_size)
    change[:, inside, inside] = np.abs(current.astype(np.float32) - predicted.astype(np.float32)).sum(-1)
    tiles = change.reshape(count, g.cells, g.pitch, g.cells, g.pitch).sum((2, 4))[:, : g.size, : g.size]
    score = np.where(appears, tiles + 1, 0).reshape(count, area)
    moves = np.where(score.max(1) > 0, score.argmax(1), -1)
    if geometry.style == "modern":
        passed = (moves < 0) & (after.to_move != before.to_move) & (after.last_move == area)
        moves = np.where(passed, area, moves)
    return moves
