"""The Go window: draws a match, turns clicks and keys into its verbs, and never waits for a player."""

from __future__ import annotations

import time
from collections.abc import Callable

import pygame

from envs.errors import UserError
from envs.go.rules import NO_POINT
from ui.board_view import BoardView
from ui.keymap import BINDINGS, CLOSE_KEY, keymap_rows
from ui.match import INFO, RESULT, WARNING, Match
from ui.side_panel import SidePanel
from ui.theme import Theme
from ui.widgets import draw_text, wrap

_MARGIN = 16
_TICKS = 30  # how often a second events and answers are looked after
_MOVING = 0.2  # seconds between frames in which only dots and imagined steps move
_SHOWN_CANDIDATES = 5
_WHILE_READING = ("help", "quit")  # the keys that act while the help is open: nobody resigns by trying what it lists
_LEAST_SHOWN = 0.01  # candidates below this probability are not marked on the board


class NoDisplayError(UserError):
    """Raised when no window can be opened."""


class BoardWindow:
    """A resizable window for one match.

    `run` is the whole life of the window; `step` is one round of it, for tests and for embedding.
    """

    def __init__(self, match: Match, *, size: tuple[int, int] = (1100, 760), title: str = "VideoWorld Go") -> None:
        """Open the window, `size` in pixels; raises NoDisplayError where there is no display."""
        self.match = match
        self.theme = Theme()
        try:
            pygame.display.init()
            pygame.font.init()
            self.surface = pygame.display.set_mode(size, pygame.RESIZABLE)
        except pygame.error as error:
            pygame.display.quit()
            raise NoDisplayError(f"no window can be opened ({error}); use --ui terminal") from error
        pygame.display.set_caption(title)
        pygame.key.set_repeat()
        self._windowed_size = size
        self._board = BoardView(match.game.size, self.theme)
        self._panel = SidePanel(self.theme, watching=match.human is None)
        self._laid_out: tuple[int, int] | None = None
        self._status = pygame.Rect(0, 0, 1, 1)
        self._pointer = (-1, -1)
        self._show_help = False
        self._show_candidates = True
        self._open = True
        self._drawn_at = 0.0
        self._dirty = True
        self._keys = {pygame.key.key_code(key): b.action for b in BINDINGS for key in b.keys if key != "click"}
        self._actions: dict[str, Callable[[], object]] = {
            "pass": match.pass_turn,
            "undo": match.undo,
            "resign": match.resign,
            "new": match.new_game,
            "pause": match.toggle_pause,
            "candidates": self._toggle_candidates,
            "help": self._toggle_help,
            "fullscreen": self._toggle_fullscreen,
            "quit": self._quit,
        }

    def run(self) -> None:
        """Serve the window until it is closed and save the game; raises the match's failure, if it has one."""
        clock = pygame.time.Clock()
        try:
            while self.step():
                clock.tick(_TICKS)
        finally:
            self.close()
        if self.match.failure is not None:
            raise self.match.failure

    def step(self) -> bool:
        """Take in events and answers and draw what changed; returns whether the window stays open."""
        for event in pygame.event.get():
            self._handle(event)
        if self.match.poll():
            self._dirty = True
        if self.match.failure is not None:
            self._open = False
        if self._open and (self._dirty or (time.monotonic() - self._drawn_at >= _MOVING and self._moves())):
            self.draw()
        return self._open

    def close(self) -> None:
        """Save the game and take the window away."""
        self._open = False
        self.match.close()
        pygame.display.quit()

    # Input

    def _handle(self, event: pygame.event.Event) -> None:
        if event.type == pygame.QUIT:
            self._quit()
        elif event.type == pygame.KEYDOWN:
            self._press(event.key)
        elif event.type == pygame.MOUSEMOTION:
            before, self._pointer = self._hovered(), event.pos
            self._dirty = self._dirty or self._hovered() != before
        elif event.type == pygame.MOUSEBUTTONDOWN and event.button == 1:
            self._pointer = event.pos
            self._click(event.pos)
        elif event.type == pygame.WINDOWLEAVE:
            self._pointer = (-1, -1)
            self._dirty = True
        elif event.type in (pygame.WINDOWEXPOSED, pygame.WINDOWRESIZED, pygame.WINDOWSIZECHANGED, pygame.VIDEORESIZE):
            self._dirty = True

    def _press(self, key: int) -> None:
        if key == pygame.key.key_code(CLOSE_KEY):
            self._show_help = False
        elif (action := self._keys.get(key)) is not None and (not self._show_help or action in _WHILE_READING):
            self._actions[action]()
        self._dirty = True

    def _click(self, position: tuple[int, int]) -> None:
        self._dirty = True
        if self._show_help:
            self._show_help = False
            return
        action = self._panel.action_at(position)
        if action is not None:
            self._actions[action]()
            return
        point = self._board.point_at(position)
        if point != NO_POINT:
            self.match.play(point)

    def _hovered(self) -> object:
        """What the pointer is on, as far as it changes the picture."""
        return self._panel.action_at(self._pointer) or self._board.point_at(self._pointer)

    def _toggle_candidates(self) -> None:
        self._show_candidates = not self._show_candidates

    def _toggle_help(self) -> None:
        self._show_help = not self._show_help

    def _toggle_fullscreen(self) -> None:
        if self.surface.get_flags() & pygame.FULLSCREEN:
            self.surface = pygame.display.set_mode(self._windowed_size, pygame.RESIZABLE)
        else:
            self._windowed_size = self.surface.get_size()
            self.surface = pygame.display.set_mode((0, 0), pygame.FULLSCREEN)

    def _quit(self) -> None:
        self._open = False

    # Picture

    def draw(self) -> None:
        """Draw the whole window and show it."""
        surface = pygame.display.get_surface()
        assert surface is not None
        self.surface = surface
        if surface.get_size() != self._laid_out:
            self._lay_out(surface.get_size())
        match, now = self.match, time.monotonic()
        surface.fill(self.theme.background)
        played = match.last_decision
        marked = played is not None and self._show_candidates and not match.is_over
        candidates = played.decision.thought.candidates[:_SHOWN_CANDIDATES] if played is not None and marked else ()
        self._board.draw(
            surface,
            match.game,
            ghost=self._ghost(),
            candidates=[candidate for candidate in candidates if candidate.probability >= _LEAST_SHOWN],
            dead=match.dead,
            owners=match.game.area_owner(match.dead) if match.counting else None,
        )
        self._panel.draw(surface, match, self._pointer, now)
        self._draw_status(surface)
        if self._show_help:
            self._draw_help(surface)
        pygame.display.flip()
        self._drawn_at, self._dirty = now, False

    def _moves(self) -> bool:
        """Whether something in the picture moves by itself."""
        played = self.match.last_decision
        imagined = played.decision.thought.imagined if played is not None else None
        return self.match.thinking or self.match.loading or (imagined is not None and len(imagined) > 1)

    def _ghost(self) -> int:
        """The point under the pointer if the human may play there now."""
        match = self.match
        point = self._board.point_at(self._pointer)
        if point == NO_POINT or self._show_help or not match.human_to_move or not match.prepared:
            return NO_POINT
        return point if match.game.why_illegal(point) is None else NO_POINT

    def _lay_out(self, size: tuple[int, int]) -> None:
        """Board and panel side by side in a wide window, one above the other in a narrow one; status line below."""
        self._laid_out = size
        width, height = size
        bar = max(34, min(46, height // 16))
        self._status = pygame.Rect(0, height - bar, width, bar)
        room = pygame.Rect(_MARGIN, _MARGIN, max(1, width - 2 * _MARGIN), max(1, height - bar - 2 * _MARGIN))
        if width >= height * 1.05:
            panel_width = max(220, min(460, round(room.width * 0.36)))
            side = max(1, min(room.height, room.width - panel_width - _MARGIN))
            board = pygame.Rect(room.left, room.top + (room.height - side) // 2, side, side)
            left = board.right + _MARGIN
            panel_width = min(460, room.right - left)
            # Both together stand in the middle of a very wide window.
            shift = (room.right - left - panel_width) // 2
            board.x += shift
            panel = pygame.Rect(left + shift, room.top, panel_width, room.height)
        else:
            side = max(1, min(room.width, round(room.height * 0.68)))
            board = pygame.Rect(room.left + (room.width - side) // 2, room.top, side, side)
            top = board.bottom + _MARGIN
            panel = pygame.Rect(room.left, top, room.width, max(1, room.bottom - top))
        self._board.place(board)
        self._panel.place(panel)

    def _draw_status(self, surface: pygame.Surface) -> None:
        """The sentence of the moment, on two smaller lines where one is too long, and a hint at the right."""
        bar, message = self._status, self.match.status
        pygame.draw.rect(surface, self.theme.panel, bar)
        mark = {INFO: self.theme.muted, WARNING: self.theme.warning, RESULT: self.theme.accent}[message.kind]
        pygame.draw.rect(surface, mark, (bar.left, bar.top, 5, bar.height))
        size = max(12, min(17, bar.height * 2 // 5))
        hint = "click dead stones   H: keys" if self.match.counting else "H: keys"
        right = bar.right - _MARGIN
        if bar.width >= 640:
            muted = self.theme.muted
            right = draw_text(surface, hint, (right, bar.centery), size - 3, muted, anchor="midright").left - _MARGIN
        left = bar.left + _MARGIN
        lines = wrap(message.text, size, right - left)
        if len(lines) > 1:
            size = max(10, min(size, bar.height * 3 // 10 + 1))
            lines = wrap(message.text, size, right - left)
            lines = [lines[0], " ".join(lines[1:])] if len(lines) > 1 else lines
        pitch = size + 4
        top = bar.centery - (len(lines) - 1) * pitch // 2
        colour = self.theme.text if message.kind == INFO else mark
        for index, line in enumerate(lines):
            middle = (left, top + index * pitch)
            draw_text(surface, line, middle, size, colour, anchor="midleft", width=right - left)

    def _draw_help(self, surface: pygame.Surface) -> None:
        """The keymap over the darkened board."""
        veil = pygame.Surface(surface.get_size(), pygame.SRCALPHA)
        veil.fill((*self.theme.background, 205))
        surface.blit(veil, (0, 0))
        width, height = surface.get_size()
        box = pygame.Rect(0, 0, min(720, width - 2 * _MARGIN), 0)
        text = max(10, min(15, box.width // 40, height // 32))
        keys_width, short_width = 11 * text, 9 * text
        detail_width = box.width - keys_width - short_width - 3 * _MARGIN
        rows = [(keys, short, wrap(detail, text - 1, detail_width)) for keys, _, short, detail in keymap_rows()]
        line = text + 7
        text_lines = 3 + sum(max(1, len(lines)) for _, _, lines in rows)
        box.height = min(height - 2 * _MARGIN, text_lines * line + 5 * len(rows))
        box.center = (width // 2, height // 2)
        pygame.draw.rect(surface, self.theme.panel, box, border_radius=12)
        pygame.draw.rect(surface, self.theme.edge, box, width=1, border_radius=12)
        left, top = box.left + _MARGIN, box.top + _MARGIN
        draw_text(surface, "Keys", (left, top), text + 3, self.theme.accent, bold=True)
        top += 2 * line
        for keys, short, lines in rows:
            draw_text(surface, keys, (left, top), text, self.theme.text, bold=True, width=keys_width)
            draw_text(surface, short, (left + keys_width, top), text, self.theme.text, width=short_width)
            for detail in lines:
                draw_text(surface, detail, (left + keys_width + short_width, top), text - 1, self.theme.muted)
                top += line
            top += 5 if lines else line + 5
