"""The tiles that boards are drawn with: what a point or a piece of the status strip can show."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from envs.go.renderer import BoardGeometry

# What a tile of a board point can show; the status strip of the modern style adds the kinds below.
EMPTY_POINT, BLACK_STONE, WHITE_STONE, BLACK_LAST, WHITE_LAST, KO_POINT = range(6)
BLACK_TO_MOVE, WHITE_TO_MOVE, PASSED_BY_WHITE, PASSED_BY_BLACK = range(4)  # kinds of strip tiles
POINT_KINDS, STRIP_KINDS = 6, 4

WOOD = np.array([222, 184, 110], np.float32)
INK = np.array([60, 42, 20], np.float32)
BLACK_STONE_RGB = np.array([24, 24, 28], np.float32)
WHITE_STONE_RGB = np.array([240, 240, 236], np.float32)
LAST_RGB = np.array([226, 54, 44], np.float32)
KO_RGB = np.array([44, 92, 200], np.float32)
STRIP_RGB = (np.array([58, 58, 66], np.float32), np.array([206, 206, 202], np.float32))  # Black to move, White to move

PAPER_ORANGE = np.array([255, 165, 0], np.float32)
PAPER_MARGIN, PAPER_PITCH, PAPER_FRAME = 12, 29, 256  # px; the published 9x9 picture
PAPER_RADIUS = 13.5  # px
PAPER_LINE = 100 / 72  # px; one point at 100 dpi


def coverage(distance: np.ndarray) -> np.ndarray:
    """Share of a pixel inside a shape whose edge is `distance` px away (positive: inside), by a one-pixel ramp."""
    return np.clip(distance + 0.5, 0, 1)[..., None]


def blend(under: np.ndarray, colour: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    return under * (1 - alpha) + colour * alpha


def grid_tile(
    geometry: BoardGeometry, row: int, column: int, ground: np.ndarray, ink: np.ndarray, width: float
) -> np.ndarray:
    """One empty point: the lines leave it only towards neighbours that exist. (pitch, pitch, 3) float32."""
    side, last = geometry.pitch, geometry.size - 1
    centre = side // 2 if geometry.style == "paper" else (side - 1) / 2
    y, x = np.mgrid[0:side, 0:side].astype(np.float32)
    tile = np.broadcast_to(ground, (side, side, 3)).astype(np.float32)

    def across(d: np.ndarray) -> np.ndarray:
        """How much of a pixel, `d` px beside the line's middle, the line covers."""
        return np.clip(np.minimum(d + 0.5, width / 2) - np.maximum(d - 0.5, -width / 2), 0, 1)

    def along(d: np.ndarray, low: float | None, high: float | None) -> np.ndarray:
        """How much of a pixel lies within the line's ends; None where the line goes on."""
        end, start = np.inf if high is None else high, -np.inf if low is None else low
        return np.clip(np.minimum(d + 0.5, end) - np.maximum(d - 0.5, start), 0, 1)

    reach = width / 2  # square caps, as matplotlib draws them
    horizontal = across(y - centre) * along(
        x - centre, -reach if column == 0 else None, reach if column == last else None
    )
    vertical = across(x - centre) * along(y - centre, -reach if row == 0 else None, reach if row == last else None)
    return blend(blend(tile, ink, vertical[..., None]), ink, horizontal[..., None])


def star_points(size: int) -> frozenset[int]:
    """Points that carry a dot on a printed board."""
    if size < 7:
        return frozenset()
    edge = 2 if size < 13 else 3
    marks = {edge, size - 1 - edge} | ({size // 2} if size % 2 and size >= 9 else set())
    middle = size // 2
    points = {(r, c) for r in marks for c in marks}
    if size < 13:
        points = {(r, c) for r, c in points if (r == middle) == (c == middle)}
    return frozenset(r * size + c for r, c in points)


def modern_tiles(geometry: BoardGeometry, row: int, column: int) -> list[np.ndarray]:
    """The six kinds of a board point, in the order of their constants."""
    side = geometry.cell
    centre = (side - 1) / 2
    y, x = np.mgrid[0:side, 0:side].astype(np.float32) - centre
    radius = np.hypot(y, x)
    empty = grid_tile(geometry, row, column, WOOD, INK, max(1.0, side / 12))
    if row * geometry.size + column in star_points(geometry.size):
        empty = blend(empty, INK, coverage(side * 0.16 - radius))
    disc, dot = coverage(side * 0.47 - radius), coverage(side * 0.2 - radius)
    stones = [blend(empty, rgb, disc) for rgb in (BLACK_STONE_RGB, WHITE_STONE_RGB)]
    marked = [blend(stone, LAST_RGB, dot) for stone in stones]
    ko = blend(empty, KO_RGB, coverage(side * 0.27 - np.maximum(abs(y), abs(x))))
    return [empty, *stones, *marked, ko]


def strip_tiles(geometry: BoardGeometry) -> list[np.ndarray]:
    """The four kinds of a status-strip tile: whose turn it is, plain and (for the corner) after a pass."""
    side = geometry.cell
    y, x = np.mgrid[0:side, 0:side].astype(np.float32) - (side - 1) / 2
    plain = [np.broadcast_to(rgb, (side, side, 3)).astype(np.float32) for rgb in STRIP_RGB]
    bar = coverage(side * 0.3 - np.maximum(abs(y), abs(x)))
    return [*plain, *(blend(tile, LAST_RGB, bar) for tile in plain)]


def paper_tiles(geometry: BoardGeometry, row: int, column: int) -> list[np.ndarray]:
    """Published tiles: no marks, so a last move looks like any stone and a ko point like any empty one.

    What is known of the published stones (27 px across, hard edges, about 1.5 px cut off at the frame's edges) does not
    say whether they are centred on the pixel of a line or beside it. A width of 27 whole pixels speaks for the pixel:
    1 px is then cut off at the top and left, 2 px at the bottom and right.
    """
    y, x = np.mgrid[0:PAPER_PITCH, 0:PAPER_PITCH].astype(np.float32) - PAPER_PITCH // 2
    empty = grid_tile(geometry, row, column, PAPER_ORANGE, np.zeros(3, np.float32), PAPER_LINE)
    disc = (y * y + x * x <= PAPER_RADIUS**2)[..., None]
    black, white = np.where(disc, 0.0, empty), np.where(disc, 255.0, empty)
    return [empty, black, white, black, white, empty]
