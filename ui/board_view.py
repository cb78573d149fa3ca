"""The Go board on the screen: wood, grid, stones and marks. It draws a game and finds the point under the pointer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pygame

from agents.agent import Candidate
from envs.go.coords import GTP_COLUMNS
from envs.go.rules import BLACK, EMPTY, NO_POINT, WHITE, GoGame
from envs.go.tiles import star_points
from ui.theme import Colour, Theme
from ui.widgets import board_surface, disc_surface, draw_ring, draw_text, shadow_surface, stone_surface, text_surface

_LEAST_HEAT = 0.002  # moves below this probability leave the board as it is
_LEAST_EXPECTED = 0.1  # so do points that are hardly surer to be one side's


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
        if rect.size != self.rect.size:
            self._background = None
        self.rect = rect
        # Half a cell of wood and half a cell of coordinates on every side.
        self.cell = rect.width / (self.size + 1.1)

    def resize(self, size: int) -> None:
        """Show a board of `size` points from now on."""
        if size != self.size:
            self.size, self._background = size, None
            self.place(self.rect)

    def restyle(self, theme: Theme) -> None:
        """Draw in another theme from now on."""
        self.theme, self._background = theme, None

    def centre(self, point: int) -> tuple[int, int]:
        """Return the pixel of a point of the board."""
        row, col = divmod(point, self.size)
        edge = (self.rect.width - (self.size - 1) * self.cell) / 2
        return round(self.rect.left + edge + col * self.cell), round(self.rect.top + edge + row * self.cell)

    @property
    def points_rect(self) -> pygame.Rect:
        """The square of all points, half a cell around the outermost ones included."""
        left, top = self.centre(0)
        side = round(self.size * self.cell)
        return pygame.Rect(round(left - self.cell / 2), round(top - self.cell / 2), side, side)

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
        heat: np.ndarray | None = None,
        numbers: bool = False,
        dead: Iterable[int] = (),
        owners: np.ndarray | None = None,
        expected: np.ndarray | None = None,
    ) -> None:
        """Draw the game.

        Args:
            surface: what to draw on.
            game: the position.
            ghost: a point that shows the stone of the side to move, half there.
            candidates: moves to mark with their probabilities.
            heat: probabilities (N*N + 1,) of all moves, to tint the board with.
            numbers: number the stones in the order they were played.
            dead: stones to show as dead.
            owners: int8 (N, N), whose area each point is; marks it, for the count at the end.
            expected: float (N, N) in [-1, 1], how surely each point will be Black's (1) or White's (-1); marks it.
        """
        if self._background is None:
            self._background = self._draw_background()
        surface.blit(self._background, self.rect)
        stones = game.stones.reshape(-1)
        gone = frozenset(dead)
        most = 0.0
        if heat is not None:
            here = np.where(stones == EMPTY, heat[: stones.size], 0.0)
            most = float(here.max())
            self._tint(surface, here, most)
        self._draw_stones(surface, stones, gone)
        if owners is not None:
            self._mark_area(surface, stones, owners.reshape(-1), gone)
        if expected is not None and expected.shape == game.stones.shape:
            self._mark_expected(surface, stones, expected.reshape(-1))
        for candidate in candidates:
            if candidate.point < game.area and stones[candidate.point] == EMPTY:
                self._mark_candidate(surface, candidate, None if heat is None else most)
        if owners is None and 0 <= game.ko_point < game.area:
            side = round(self.cell * 0.36)
            square = pygame.Rect(0, 0, side, side)
            square.center = self.centre(game.ko_point)
            pygame.draw.rect(surface, self.theme.line, square, width=max(1, side // 9))
        if numbers:
            self._number(surface, game, stones)
        elif 0 <= game.last_move < game.area and stones[game.last_move] != EMPTY:
            colour = self._on(stones[game.last_move] == BLACK)
            self.ring(surface, game.last_move, colour, 0.24)
        if ghost != NO_POINT:
            self._stone(surface, ghost, game.to_move == BLACK, 130)

    def ring(self, surface: pygame.Surface, point: int, colour: Colour, radius: float) -> None:
        """Draw a ring around a point, its radius in cells."""
        width = max(2, round(self.cell * 0.05))
        draw_ring(surface, self.centre(point), round(self.cell * radius), width, colour)

    def _draw_stones(self, surface: pygame.Surface, stones: np.ndarray, gone: frozenset[int]) -> None:
        diameter = max(4, round(self.cell * 0.96))
        shadow, offset = shadow_surface(diameter), round(diameter * 0.06)
        there = [int(point) for point in np.flatnonzero(stones != EMPTY)]
        for point in there:
            if point not in gone:
                x, y = self.centre(point)
                surface.blit(shadow, shadow.get_rect(center=(x + offset, y + 2 * offset)))
        for point in there:
            self._stone(surface, point, int(stones[point]) == BLACK, 95 if point in gone else 255)

    def _stone(self, surface: pygame.Surface, point: int, black: bool, alpha: int) -> None:
        image = stone_surface(max(4, round(self.cell * 0.96)), black, self.theme.rimmed and not black)
        if alpha < 255:
            image = image.copy()
            image.set_alpha(alpha)
        surface.blit(image, image.get_rect(center=self.centre(point)))

    def _on(self, black: bool) -> Colour:
        """The colour of marks on a stone."""
        return self.theme.mark_on_black if black else self.theme.mark_on_white

    def _number(self, surface: pygame.Surface, game: GoGame, stones: np.ndarray) -> None:
        """The number of its move on every stone; the last one in the colour of warnings."""
        latest = {move.point: number for number, move in enumerate(game.history, 1) if move.point < game.area}
        for point, number in latest.items():
            if stones[point] != EMPTY:
                last = number == len(game.history)
                size = max(8, round(self.cell * (0.42 if number < 100 else 0.34)))
                colour = self.theme.differs if last else self._on(stones[point] == BLACK)
                if last and stones[point] == BLACK:
                    colour = self.theme.warning if not self.theme.rimmed else (255, 150, 130)
                draw_text(surface, str(number), self.centre(point), size, colour, anchor="center", bold=last)

    def _tint(self, surface: pygame.Surface, heat: np.ndarray, most: float) -> None:
        """A patch on every point, the fuller the more probable; the square root lets rare moves show."""
        side = max(3, round(self.cell * 0.94))
        for point in np.flatnonzero(heat >= _LEAST_HEAT):
            patch = pygame.Surface((side, side), pygame.SRCALPHA)
            fill = (*self.theme.candidate, _heat_alpha(float(heat[point]), most))
            pygame.draw.rect(patch, fill, patch.get_rect(), border_radius=max(1, side // 5))
            surface.blit(patch, patch.get_rect(center=self.centre(int(point))))

    def _mark_area(self, surface: pygame.Surface, stones: np.ndarray, owners: np.ndarray, gone: frozenset[int]) -> None:
        for point, owner in enumerate(owners):
            if owner != EMPTY and (stones[point] == EMPTY or point in gone):
                self._square(surface, point, bool(owner == BLACK), 0.28)

    def _mark_expected(self, surface: pygame.Surface, stones: np.ndarray, expected: np.ndarray) -> None:
        """A square on every point that is not a living stone of its owner, the larger the surer."""
        for point, share in enumerate(expected):
            black = bool(share > 0)
            if abs(share) >= _LEAST_EXPECTED and stones[point] != (BLACK if black else WHITE):
                self._square(surface, point, black, 0.34 * float(abs(share)) ** 0.5)

    def _square(self, surface: pygame.Surface, point: int, black: bool, share: float) -> None:
        """A square in a side's colour, `share` of a cell wide."""
        side = max(3, round(self.cell * share))
        square = pygame.Rect(0, 0, side, side)
        square.center = self.centre(point)
        fill = self.theme.mark_on_white if black else self.theme.mark_on_black
        pygame.draw.rect(surface, fill, square, border_radius=max(1, side // 6))
        if self.theme.rimmed and not black:
            pygame.draw.rect(surface, self.theme.line, square, width=1, border_radius=max(1, side // 6))

    def _mark_candidate(self, surface: pygame.Surface, candidate: Candidate, most: float | None) -> None:
        """A disc, the fuller the more probable, with the probability in percent.

        On a tinted board, whose fullest patch stands for `most`, the number alone.
        """
        centre, share = self.centre(candidate.point), min(1.0, candidate.probability)
        colour = self.theme.mark_on_black
        if most is None:
            disc = disc_surface(max(5, round(self.cell * 0.36)), self.theme.candidate, round(155 + 100 * share))
            surface.blit(disc, disc.get_rect(center=centre))
        elif _heat_alpha(share, most) < 130:
            colour = self.theme.mark_on_white
        percent = f"{100 * candidate.probability:.0f}"
        size = max(8, round(self.cell * 0.27))
        draw_text(surface, percent, centre, size, colour, anchor="center", bold=True)

    def _draw_background(self) -> pygame.Surface:
        extent = self.rect.width
        board = board_surface(extent, self.theme)
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
            dot = disc_surface(max(2, round(self.cell * 0.075)), self.theme.line)
            board.blit(dot, dot.get_rect(center=self.centre(point)))
        self._draw_coordinates(board)
        self.rect = place
        return _rounded(board, max(4, extent // 70))

    def _draw_coordinates(self, board: pygame.Surface) -> None:
        size = max(9, round(self.cell * 0.23))
        if self.cell < 20:
            return  # letters would run into each other
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


def _heat_alpha(probability: float, most: float) -> int:
    return round(30 + 205 * (probability / max(most, 1e-9)) ** 0.5)


def _rounded(image: pygame.Surface, radius: int) -> pygame.Surface:
    """The image with round corners."""
    mask = pygame.Surface(image.get_size(), pygame.SRCALPHA)
    pygame.draw.rect(mask, (255, 255, 255, 255), mask.get_rect(), border_radius=radius)
    result = image.convert_alpha()
    result.blit(mask, (0, 0), special_flags=pygame.BLEND_RGBA_MULT)
    return result
