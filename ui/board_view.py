"""The Go board on the screen: wood, grid, stones and marks. It draws a game and finds the point under the pointer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pygame

from agents.agent import Candidate
from envs.go.coords import GTP_COLUMNS
from envs.go.renderer import star_points
from envs.go.rules import BLACK, EMPTY, NO_POINT, GoGame
from ui.theme import Theme
from ui.widgets import draw_text, shadow_surface, stone_surface, text_surface, wood_surface


class BoardView:
    """A board of `size` points drawn into a square; `place` comes before anything else."""

    def __init__(self, size: int, theme: Theme) -> None:
        self.size = size
        self.theme = theme
        self.rect = pygame.Rect(0, 0, 1, 1)
        self.cell = 1.0  # pixels from line to line
        self._background: pygame.Surface | None = None

    def place(self, rect: pygame.Rect) -> None:
        """Lay the board into the square `rect`; the background is drawn anew if its size changed."""
        if self._background is None or rect.size != self.rect.size:
            self._background = None
        self.rect = rect
        # Half a cell of wood and half a cell of coordinates on every side.
        self.cell = rect.width / (self.size + 1.1)

    def centre(self, point: int) -> tuple[int, int]:
        """Return the pixel of a point of the board."""
        row, col = divmod(point, self.size)
        edge = (self.rect.width - (self.size - 1) * self.cell) / 2
        return round(self.rect.left + edge + col * self.cell), round(self.rect.top + edge + row * self.cell)

    def point_at(self, position: tuple[int, int]) -> int:
        """Return the point of the board nearest to a pixel, or -1 if the pixel is off the board."""
        edge = (self.rect.width - (self.size - 1) * self.cell) / 2
        col = round((position[0] - self.rect.left - edge) / self.cell)
        row = round((position[1] - self.rect.top - edge) / self.cell)
        if 0 <= row < self.size and 0 <= col < self.size and self.rect.collidepoint(position):
            return row * self.size + col
        return NO_POINT

    def draw(
        self,
        surface: pygame.Surface,
        game: GoGame,
        *,
        ghost: int = NO_POINT,
        candidates: Sequence[Candidate] = (),
        dead: Iterable[int] = (),
        owners: np.ndarray | None = None,
    ) -> None:
        """Draw the game.

        Args:
            surface: what to draw on.
            game: the position.
            ghost: a point that shows the stone of the side to move, half there.
            candidates: moves to mark with their probabilities.
            dead: stones to show as dead.
            owners: int8 (N, N), whose area each point is; marks it, for the count at the end.
        """
        if self._background is None:
            self._background = self._draw_background()
        surface.blit(self._background, self.rect)
        stones = game.stones.reshape(-1)
        diameter = max(4, round(self.cell * 0.96))
        shadow = shadow_surface(diameter)
        gone = frozenset(dead)
        offset = round(diameter * 0.06)
        for point in np.flatnonzero(stones != EMPTY):
            if int(point) not in gone:
                x, y = self.centre(int(point))
                surface.blit(shadow, shadow.get_rect(center=(x + offset, y + 2 * offset)))
        for point in np.flatnonzero(stones != EMPTY):
            self._stone(surface, int(point), int(stones[point]) == BLACK, 95 if int(point) in gone else 255)
        if owners is not None:
            self._mark_area(surface, stones, owners.reshape(-1), gone)
        for candidate in candidates:
            if candidate.point < game.area and stones[candidate.point] == EMPTY:
                self._mark_candidate(surface, candidate)
        if owners is None and 0 <= game.ko_point < game.area:
            side = round(self.cell * 0.36)
            square = pygame.Rect(0, 0, side, side)
            square.center = self.centre(game.ko_point)
            pygame.draw.rect(surface, self.theme.line, square, width=max(1, side // 9))
        if 0 <= game.last_move < game.area and stones[game.last_move] != EMPTY:
            on_black = stones[game.last_move] == BLACK
            colour = self.theme.mark_on_black if on_black else self.theme.mark_on_white
            _ring(
                surface, self.centre(game.last_move), round(self.cell * 0.24), max(2, round(self.cell * 0.05)), colour
            )
        if ghost != NO_POINT:
            self._stone(surface, ghost, game.to_move == BLACK, 130)

    def _stone(self, surface: pygame.Surface, point: int, black: bool, alpha: int) -> None:
        image = stone_surface(max(4, round(self.cell * 0.96)), black)
        if alpha < 255:
            image = image.copy()
            image.set_alpha(alpha)
        surface.blit(image, image.get_rect(center=self.centre(point)))

    def _mark_area(self, surface: pygame.Surface, stones: np.ndarray, owners: np.ndarray, gone: frozenset[int]) -> None:
        side = max(3, round(self.cell * 0.28))
        for point, owner in enumerate(owners):
            if owner != EMPTY and (stones[point] == EMPTY or point in gone):
                square = pygame.Rect(0, 0, side, side)
                square.center = self.centre(point)
                fill = self.theme.mark_on_white if owner == BLACK else self.theme.mark_on_black
                pygame.draw.rect(surface, fill, square, border_radius=max(1, side // 6))

    def _mark_candidate(self, surface: pygame.Surface, candidate: Candidate) -> None:
        """A blue disc, the fuller the more probable, with the probability in percent."""
        radius = max(5, round(self.cell * 0.36))
        disc = pygame.Surface((4 * radius, 4 * radius), pygame.SRCALPHA)
        alpha = round(110 + 140 * min(1.0, candidate.probability))
        pygame.draw.circle(disc, (*self.theme.candidate, alpha), (2 * radius, 2 * radius), 2 * radius - 2)
        disc = pygame.transform.smoothscale(disc, (2 * radius, 2 * radius))
        centre = self.centre(candidate.point)
        surface.blit(disc, disc.get_rect(center=centre))
        percent = f"{100 * candidate.probability:.0f}"
        size = max(8, round(self.cell * 0.27))
        draw_text(surface, percent, centre, size, self.theme.mark_on_black, anchor="center", bold=True)

    def _draw_background(self) -> pygame.Surface:
        extent = self.rect.width
        board = wood_surface(extent, self.theme)
        place = self.rect
        self.rect = pygame.Rect(0, 0, extent, extent)
        last = self.size * self.size - 1
        left, top = self.centre(0)
        right, bottom = self.centre(last)
        width = max(1, round(self.cell / 46))
        for index in range(self.size):
            x, y = self.centre(index * (self.size + 1))
            pygame.draw.line(board, self.theme.line, (x, top), (x, bottom), width)
            pygame.draw.line(board, self.theme.line, (left, y), (right, y), width)
        frame = pygame.Rect(left, top, right - left + 1, bottom - top + 1).inflate(2, 2)
        pygame.draw.rect(board, self.theme.line, frame, width=width + 1)
        for point in star_points(self.size):
            _disc(board, self.centre(point), max(2, round(self.cell * 0.075)), self.theme.line)
        self._draw_coordinates(board)
        self.rect = place
        return _rounded(board, max(4, extent // 70))

    def _draw_coordinates(self, board: pygame.Surface) -> None:
        size = max(9, round(self.cell * 0.23))
        # Midway between the edge of the wood and the outermost stones.
        gap = max(size * 0.62, (self.centre(0)[0] - self.cell * 0.48) / 2 + size * 0.1)
        extent = self.rect.width
        for index in range(self.size):
            x, y = self.centre(index * (self.size + 1))
            letter, number = GTP_COLUMNS[index], str(self.size - index)
            for text, where in (
                (letter, (x, gap)),
                (letter, (x, extent - gap)),
                (number, (gap, y)),
                (number, (extent - gap, y)),
            ):
                image = text_surface(text, size, self.theme.label)
                board.blit(image, image.get_rect(center=(round(where[0]), round(where[1]))))


def _disc(surface: pygame.Surface, centre: tuple[int, int], radius: int, colour: tuple[int, int, int]) -> None:
    """A smooth disc: drawn four times as large and scaled down."""
    extent = 2 * radius + 2
    big = pygame.Surface((4 * extent, 4 * extent), pygame.SRCALPHA)
    pygame.draw.circle(big, colour, (2 * extent, 2 * extent), 4 * radius)
    small = pygame.transform.smoothscale(big, (extent, extent))
    surface.blit(small, small.get_rect(center=centre))


def _ring(
    surface: pygame.Surface, centre: tuple[int, int], radius: int, width: int, colour: tuple[int, int, int]
) -> None:
    extent = 2 * radius + 4
    big = pygame.Surface((4 * extent, 4 * extent), pygame.SRCALPHA)
    big.fill((*colour, 0))
    pygame.draw.circle(big, colour, (2 * extent, 2 * extent), 4 * radius, width=4 * width)
    small = pygame.transform.smoothscale(big, (extent, extent))
    surface.blit(small, small.get_rect(center=centre))


def _rounded(image: pygame.Surface, radius: int) -> pygame.Surface:
    """The image with round corners."""
    mask = pygame.Surface(image.get_size(), pygame.SRCALPHA)
    pygame.draw.rect(mask, (255, 255, 255, 255), mask.get_rect(), border_radius=radius)
    result = image.convert_alpha()
    result.blit(mask, (0, 0), special_flags=pygame.BLEND_RGBA_MULT)
    return result
