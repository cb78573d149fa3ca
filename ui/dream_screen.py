"""The dream in the window: the board is the frame that the model draws; clicks and keys become the dream's verbs."""

from __future__ import annotations

from collections.abc import Callable

import pygame

from envs.go.coords import point_to_gtp
from envs.go.rules import NO_POINT
from ui.dream import Dream
from ui.dream_panel import DreamPanel, DriftChart
from ui.keymap import DREAM_KEYS
from ui.layout import lay_out
from ui.messages import INFO, WARNING
from ui.screen import Pointed, Surroundings, draw_status
from ui.side_panel import dots
from ui.widgets import draw_box, draw_ring, draw_text, frame_surface


class DreamScreen(Pointed):
    """Shows one dream. `actions` are its verbs; the window adds its own."""

    bindings = DREAM_KEYS
    typing = False

    def __init__(self, dream: Dream, surroundings: Surroundings, do: Callable[[str], None]) -> None:
        """`do` carries out the actions of the panel's buttons."""
        self.dream, self.surroundings, self.do = dream, surroundings, do
        self.panel, self.chart = DreamPanel(), DriftChart()
        self.status = self.board = self.frame = pygame.Rect(0, 0, 1, 1)  # the board: the frame and its coordinates
        self._text = 14
        self._named = True  # whether there is room for the coordinates
        self._laid_out: tuple[int, int] | None = None
        self._frames_heard = len(dream.frames)
        self.actions: dict[str, Callable[[], object]] = {
            "pass": dream.pass_turn,
            "undo": dream.undo,
            "redo": dream.redo,
            "new": dream.new_dream,
            "save": dream.save_film,
            "marks": self._toggle_rings,
        }

    # Input

    def handle(self, event: pygame.event.Event) -> bool:
        """See `Screen`."""
        if event.type == pygame.DROPFILE:
            self.tell("Wake up first (Escape): games are looked at outside the dream.", WARNING)
            return True
        return super().handle(event)

    def _click(self, position: tuple[int, int]) -> None:
        action = self.panel.action_at(position)
        if action is not None:
            self.do(action)
        elif (point := self.point_at(position)) != NO_POINT:
            self.dream.play(point)

    def _hovered(self) -> object:
        hovered = self.chart.change_at(self.pointer)
        return self.panel.action_at(self.pointer), hovered, self.point_at(self.pointer)

    def point_at(self, position: tuple[int, int]) -> int:
        """The point of the board that a pixel of the window shows; -1 off the board and while there is none."""
        geometry = self.dream.geometry
        if geometry is None or not self.frame.collidepoint(position):
            return NO_POINT
        column = int((position[0] - self.frame.left) / self._cell)
        row = int((position[1] - self.frame.top) / self._cell)
        return row * geometry.size + column if row < geometry.size and column < geometry.size else NO_POINT

    def centre(self, point: int) -> tuple[int, int]:
        """The pixel of the window at the middle of a point."""
        assert self.dream.geometry is not None
        row, column = divmod(point, self.dream.geometry.size)
        return (
            round(self.frame.left + (column + 0.5) * self._cell),
            round(self.frame.top + (row + 0.5) * self._cell),
        )

    @property
    def _cell(self) -> float:
        """Pixels of the window from point to point."""
        geometry = self.dream.geometry
        return self.frame.width * geometry.cell / geometry.frame_size if geometry is not None else 1.0

    def _toggle_rings(self) -> None:
        settings = self.surroundings.settings
        settings.rings = not settings.rings
        settings.save()

    def tell(self, text: str, kind: str = INFO) -> None:
        """See `Screen`."""
        self.dream.tell(text, kind)

    # What happens by itself

    def poll(self) -> bool:
        """See `Screen`."""
        changed = self.dream.poll()
        frames = len(self.dream.frames)
        if changed and frames > self._frames_heard:
            self.surroundings.sounds.stone()
        self._frames_heard = frames
        return changed

    def moves(self) -> bool:
        """See `Screen`."""
        return self.dream.imagining

    # Picture

    def draw(self, surface: pygame.Surface, seconds: float) -> None:
        """See `Screen`."""
        theme = self.surroundings.theme
        self._lay_out(surface.get_size())
        surface.fill(theme.background)
        self._draw_board(surface, seconds)
        self.chart.draw(surface, self.dream, self.pointer, theme)
        self.panel.draw(surface, self.dream, self.pointer, seconds, theme)
        draw_status(surface, self.status, self.dream.status, "H: keys", theme, self._text)

    def _draw_board(self, surface: pygame.Surface, seconds: float) -> None:
        """The frame with its coordinates, the points that broke a rule, and the one under the pointer."""
        dream, theme = self.dream, self.surroundings.theme
        draw_box(surface, self.board, theme.panel, max(4, self._text // 2), theme.edge)
        now, geometry = dream.now, dream.geometry
        if now is None or geometry is None:
            words = f"falling asleep{dots(seconds)}"
            draw_text(surface, words, self.board.center, self._text + 2, theme.muted, anchor="center")
            return
        surface.blit(frame_surface(dream.frames[-1], self.frame.width), self.frame)
        if self._named:
            self._draw_coordinates(surface, geometry.size)
        width = max(2, round(self._cell / 14))
        if self.surroundings.settings.rings:
            for point in {point for change in now.info["changes"] for point in change.wrong}:
                draw_ring(surface, self.centre(point), round(self._cell * 0.5), width, theme.differs)
        point = self.point_at(self.pointer)
        if point != NO_POINT and dream.can_play:
            spot = pygame.Rect(0, 0, round(self._cell), round(self._cell))
            spot.center = self.centre(point)
            pygame.draw.rect(surface, theme.differs, spot, width=width, border_radius=max(2, spot.width // 10))

    def _draw_coordinates(self, surface: pygame.Surface, size: int) -> None:
        """Letters above and numbers at the left."""
        gap, text = self.frame.left - self.board.left, max(8, self._text - 2)
        for index in range(size):
            x, y = self.centre(index * (size + 1))
            name = point_to_gtp(index * (size + 1), size)
            muted = self.surroundings.theme.muted
            draw_text(surface, name[0], (x, self.frame.top - gap // 2), text, muted, anchor="center")
            draw_text(surface, name[1:], (self.frame.left - gap // 2, y), text, muted, anchor="center")

    def _lay_out(self, size: tuple[int, int]) -> None:
        """Put everything where it belongs, if the window has another size than before."""
        if self._laid_out == size:
            return
        self._laid_out = size
        places = lay_out(size)
        self._text, self.status, self.board = places.text, places.status, places.board
        edge = max(1, self._text // 3)
        self._named = self.board.width > 24 * self._text
        names = round(1.7 * self._text) if self._named else edge
        side = max(1, self.board.width - names - edge)
        self.frame = pygame.Rect(self.board.left + names, self.board.top + names, side, side)
        self.chart.place(places.graph, places.text)
        self.panel.place(places.panel, places.text)
