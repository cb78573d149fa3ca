"""The dream window: the board is the frame that the model draws, with a meter of what the rules say to it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pygame

from envs.dream import Change
from envs.go.rules import BLACK, NO_POINT, WHITE, colour_name
from ui.board_window import NoDisplayError
from ui.dream import Dream, film_path, move_text
from ui.keymap import CLOSE_KEY, Binding, keys_text
from ui.overlays import MARGIN, draw_keys, draw_status
from ui.theme import Theme
from ui.widgets import Button, draw_text, frame_surface, wrap

BINDINGS: tuple[Binding, ...] = (
    Binding("play", ("click",), "D4", "dream a move", "The model imagines it, whatever the rules say, and its answer."),
    Binding("pass", ("p",), "pass", "pass", "Two passes in a row end the dream."),
    Binding("undo", ("u", "backspace"), "undo", "undo", "Back to the frame before your last move."),
    Binding("new", ("n",), "new", "new dream", "From the empty board."),
    Binding("marks", ("m",), "", "marks", "Rings where the frame breaks the rules, on or off."),
    Binding("film", ("s",), "film", "save film", "All frames so far as an animated GIF."),
    Binding("help", ("h", "f1"), "help", "help", "Shows or hides this table."),
    Binding("quit", ("q",), "quit", "quit", "The film is saved if the dream had begun."),
)
_BUTTONS = (("pass", "Pass"), ("undo", "Undo"), ("new", "New dream"), ("film", "Save film"), ("help", "Help"))
_TICKS = 30
_GAP = 14
_MOVING = 0.3  # seconds between frames in which only dots move


class DreamWindow:
    """A resizable window for one dream; `step` is one round of it, for tests."""

    def __init__(self, dream: Dream, *, size: tuple[int, int] = (1100, 760), films: Path | None = None) -> None:
        """Open the window, `size` in pixels; films go to the folder `films`. NoDisplayError without a display."""
        self.dream, self.films, self.theme = dream, films, Theme()
        try:
            pygame.display.init()
            pygame.font.init()
            pygame.display.set_mode(size, pygame.RESIZABLE)
        except pygame.error as error:
            pygame.display.quit()
            raise NoDisplayError(f"no window can be opened ({error}); use --ui terminal") from error
        pygame.display.set_caption("VideoWorld dream")
        self._keys = {pygame.key.key_code(key): b.action for b in BINDINGS for key in b.keys if key != "click"}
        self._actions: dict[str, Callable[[], object]] = {
            "pass": dream.pass_turn,
            "undo": dream.undo,
            "new": self._new,
            "marks": self._toggle_marks,
            "film": self._film,
            "help": self._toggle_help,
            "quit": self._quit,
        }
        self._buttons = [Button(action, label, pygame.Rect(0, 0, 1, 1)) for action, label in _BUTTONS]
        self._board = self._panel = self._bar = pygame.Rect(0, 0, 1, 1)
        self._pointer = (-1, -1)
        self._marks, self._help, self._open = True, False, True
        self._dirty, self._drawn_at = True, 0.0

    def run(self) -> None:
        """Serve the window until it is closed; raises the dream's failure, if it has one."""
        clock = pygame.time.Clock()
        try:
            while self.step():
                clock.tick(_TICKS)
        finally:
            self.close()
        if self.dream.failure is not None:
            raise self.dream.failure

    def step(self) -> bool:
        """Take in events and what was imagined, and draw what changed; returns whether the window stays open."""
        for event in pygame.event.get():
            self._handle(event)
        if self.dream.poll():
            self._dirty = True
        if self.dream.failure is not None:
            self._open = False
        waiting = self.dream.imagining and time.monotonic() - self._drawn_at >= _MOVING
        if self._open and (self._dirty or waiting):
            self.draw()
        return self._open

    def close(self) -> None:
        """Save the film, if frames were imagined since the last one, and take the window away."""
        self._open = False
        if self.dream.unfilmed:
            self._film()
        self.dream.close()
        pygame.display.quit()

    # Input

    def _handle(self, event: pygame.event.Event) -> None:
        if event.type == pygame.QUIT:
            self._quit()
        elif event.type == pygame.KEYDOWN:
            self._press(event.key)
        elif event.type == pygame.MOUSEMOTION:
            self._pointer = event.pos
            self._dirty = True
        elif event.type == pygame.MOUSEBUTTONDOWN and event.button == 1:
            self._pointer = event.pos
            self._click(event.pos)
        elif event.type in (pygame.WINDOWEXPOSED, pygame.WINDOWRESIZED, pygame.WINDOWSIZECHANGED, pygame.VIDEORESIZE):
            self._dirty = True

    def _press(self, key: int) -> None:
        if key == pygame.key.key_code(CLOSE_KEY):
            self._help = False
        elif (action := self._keys.get(key)) is not None and (not self._help or action in ("help", "quit")):
            self._actions[action]()
        self._dirty = True

    def _click(self, position: tuple[int, int]) -> None:
        self._dirty = True
        if self._help:
            self._help = False
            return
        for button in self._buttons:
            if button.enabled and button.rect.collidepoint(position):
                self._actions[button.action]()
                return
        point = self.point_at(position)
        if point != NO_POINT:
            self.dream.play(point)

    def point_at(self, position: tuple[int, int]) -> int:
        """The point of the board that a pixel of the window shows; -1 off the board."""
        geometry = self.dream.geometry
        if geometry is None or not self._board.collidepoint(position):
            return NO_POINT
        cell = self._board.width / geometry.frame_size * geometry.cell
        column, row = int((position[0] - self._board.left) / cell), int((position[1] - self._board.top) / cell)
        return row * geometry.size + column if row < geometry.size and column < geometry.size else NO_POINT

    def _new(self) -> None:
        if self.dream.unfilmed:
            self._film()
        self.dream.new_dream()

    def _film(self) -> None:
        self.dream.save_film(film_path(self.films))

    def _toggle_marks(self) -> None:
        self._marks = not self._marks

    def _toggle_help(self) -> None:
        self._help = not self._help

    def _quit(self) -> None:
        self._open = False

    # Picture

    def draw(self) -> None:
        """Draw the whole window and show it."""
        surface = pygame.display.get_surface()
        assert surface is not None
        self._lay_out(surface.get_size())
        surface.fill(self.theme.background)
        self._draw_frame(surface)
        self._draw_panel(surface)
        draw_status(surface, self._bar, self.dream.status, "H: keys", self.theme)
        if self._help:
            draw_keys(surface, [(keys_text(b), b.short, b.detail) for b in BINDINGS], self.theme)
        pygame.display.flip()
        self._drawn_at, self._dirty = time.monotonic(), False

    def _lay_out(self, size: tuple[int, int]) -> None:
        """The frame and the panel side by side in a wide window, one above the other in a narrow one."""
        width, height = size
        bar = max(34, min(46, height // 16))
        self._bar = pygame.Rect(0, height - bar, width, bar)
        room = pygame.Rect(MARGIN, MARGIN, max(1, width - 2 * MARGIN), max(1, height - bar - 2 * MARGIN))
        if width >= height * 1.05:
            panel = max(220, min(460, round(room.width * 0.36)))
            side = max(1, min(room.height, room.width - panel - MARGIN))
            self._board = pygame.Rect(room.left, room.top + (room.height - side) // 2, side, side)
            left = self._board.right + MARGIN
            self._panel = pygame.Rect(left, room.top, max(1, min(460, room.right - left)), room.height)
        else:
            side = max(1, min(room.width, round(room.height * 0.66)))
            self._board = pygame.Rect(room.left + (room.width - side) // 2, room.top, side, side)
            top = self._board.bottom + MARGIN
            self._panel = pygame.Rect(room.left, top, room.width, max(1, room.bottom - top))

    def _draw_frame(self, surface: pygame.Surface) -> None:
        frames, geometry = self.dream.frames, self.dream.geometry
        if not frames or geometry is None:
            pygame.draw.rect(surface, self.theme.panel, self._board, border_radius=8)
            text = "falling asleep" + "." * (1 + int(time.monotonic() * 2.5) % 3)
            draw_text(surface, text, self._board.center, 18, self.theme.muted, anchor="center")
            return
        surface.blit(frame_surface(frames[-1], self._board.width), self._board)
        cell = self._board.width / geometry.frame_size * geometry.cell
        now = self.dream.now
        latest: tuple[Change, ...] = now.info["changes"] if now is not None else ()
        if self._marks:
            for point in {point for change in latest for point in change.wrong}:
                row, column = divmod(point, geometry.size)
                centre = (self._board.left + (column + 0.5) * cell, self._board.top + (row + 0.5) * cell)
                pygame.draw.circle(surface, self.theme.warning, centre, cell * 0.55, width=max(2, round(cell / 12)))
        point = self.point_at(self._pointer)
        if point != NO_POINT and not self.dream.imagining and not self.dream.is_over and not self._help:
            row, column = divmod(point, geometry.size)
            spot = pygame.Rect(0, 0, round(cell), round(cell))
            spot.topleft = (round(self._board.left + column * cell), round(self._board.top + row * cell))
            pygame.draw.rect(surface, self.theme.accent, spot, width=max(2, round(cell / 16)), border_radius=4)

    def _draw_panel(self, surface: pygame.Surface) -> None:
        rect, theme = self._panel, self.theme
        text = max(11, min(18, rect.width // 24, max(1, rect.height // 26)))
        line = text + 9
        bottom = self._place_buttons(rect, text) - _GAP
        top = (
            draw_text(surface, f"A dream of {self.dream.name}", rect.topleft, text + 2, theme.text, bold=True).bottom
            + 6
        )
        now = self.dream.now
        if now is not None:
            own = now.info["agent_color"]
            what = f"You dream as {colour_name(own)}; it imagines every frame, and {colour_name(3 - own)}'s moves."
            for words in wrap(what, text - 1, rect.width):
                draw_text(surface, words, (rect.left, top), text - 1, theme.muted)
                top += line - 4
            top = self._draw_meters(surface, pygame.Rect(rect.left, top + 6, rect.width, bottom - top - 6), text) + _GAP
            self._draw_changes(surface, pygame.Rect(rect.left, top, rect.width, max(0, bottom - top)), text)
        for button in self._buttons:
            button.enabled = button.action == "help" or (now is not None and not self.dream.imagining)
            button.draw(surface, theme, self._pointer)

    def _draw_meters(self, surface: pygame.Surface, rect: pygame.Rect, text: int) -> int:
        """The drift, change by change, and the figures below it; returns where they end."""
        theme, changes, now = self.theme, self.dream.changes, self.dream.now
        assert now is not None
        if rect.height < 6 * text:
            return rect.top
        info = now.info
        draw_text(surface, "Drift", rect.topleft, text, theme.text, bold=True)
        drift = info["drift"]
        told = f"{drift} wrong {'point' if drift == 1 else 'points'} in {len(changes)} changes"
        draw_text(surface, told, rect.topright, text - 2, theme.muted, anchor="topright")
        chart = pygame.Rect(rect.left, rect.top + text + 8, rect.width, max(20, min(90, rect.height // 5)))
        pygame.draw.rect(surface, theme.panel, chart, border_radius=6)
        width = chart.width / max(40, len(changes))
        for number, change in enumerate(changes):
            # A sound change is a low line; a broken mark without a wrong stone counts like one point
            share = 0.06 if change.sound else min(1.0, 0.2 + 0.16 * max(1, len(change.wrong)))
            height = max(2, round(share * (chart.height - 8)))
            bar = pygame.Rect(
                chart.left + round(number * width), chart.bottom - 4 - height, max(2, round(width) - 1), height
            )
            pygame.draw.rect(surface, theme.muted if change.sound else theme.warning, bar)
        top = chart.bottom + 6
        figures = f"{100 * info['sound']:.0f} % of the changes keep the rules; blur {info['blur']:.2f} of 255"
        for words in wrap(figures, text - 2, rect.width):
            draw_text(surface, words, (rect.left, top), text - 2, theme.muted)
            top += text + 4
        return top

    def _draw_changes(self, surface: pygame.Surface, rect: pygame.Rect, text: int) -> None:
        """The latest changes, newest first, with what was wrong in them."""
        theme, changes, geometry = self.theme, self.dream.changes, self.dream.geometry
        if rect.height < 3 * text or geometry is None:
            return
        draw_text(surface, "What it imagined", rect.topleft, text, theme.text, bold=True)
        top, line = rect.top + text + 10, text + 7
        for number in range(len(changes) - 1, -1, -1):
            if top + line > rect.bottom:
                return
            change = changes[number]
            dot = (rect.left + text // 2, top + text // 2 + 2)
            pygame.draw.circle(surface, {BLACK: (20, 20, 22), WHITE: (240, 238, 230)}[change.colour], dot, text // 2)
            pygame.draw.circle(surface, theme.edge, dot, text // 2, width=1)
            words = f"{number + 1}  {move_text(change, geometry.size)}"
            right = draw_text(surface, words, (rect.left + text + 8, top), text - 1, theme.text).right
            sentence = "; ".join(change.broken)
            if sentence:
                left = right + 10
                draw_text(surface, sentence, (left, top + 1), text - 2, theme.warning, width=max(10, rect.right - left))
            top += line

    def _place_buttons(self, rect: pygame.Rect, text: int) -> int:
        """Put the buttons at the lower end of the panel; returns where they begin."""
        height, columns = max(26, 2 * text + 6), 5 if rect.width > 27 * text else 3
        rows = -(-len(self._buttons) // columns)
        top = rect.bottom - rows * (height + 7) + 7
        for index, button in enumerate(self._buttons):
            row, column = divmod(index, columns)
            count = min(columns, len(self._buttons) - row * columns)
            width = (rect.width - (count - 1) * 7) / count
            left = rect.left + round(column * (width + 7))
            button.rect = pygame.Rect(left, top + row * (height + 7), round(width), height)
        return top
