"""What stands below and beside an imagined frame: how far the dream has drifted, and what was wrong when."""

from __future__ import annotations

import pygame

from envs.go.rules import BLACK, WHITE, colour_name
from ui.dream import Dream, Moment, move_text
from ui.side_panel import dots, draw_player, player_rows
from ui.theme import Theme
from ui.widgets import Button, draw_box, draw_text, place_buttons, stone_surface, text_surface, wrap

_BUTTONS = (
    ("pass", "Pass"), ("undo", "Undo"), ("redo", "Redo"), ("new", "New dream"),
    ("save", "Save film"), ("leave", "Wake up"), ("help", "Help"),
)  # fmt: skip
_LEAST_BARS = 40  # changes for which the chart has room at first
_FULL_BAR = 5  # wrong points that fill its height


class DriftChart:
    """A bar for each change: low and grey where it kept the rules, the higher the more points came out wrong."""

    def __init__(self) -> None:
        self.rect = self._graph = pygame.Rect(0, 0, 0, 0)
        self.text = 11
        self._worded = False
        self._length, self._shown = 0, _LEAST_BARS

    def place(self, rect: pygame.Rect, text: int) -> None:
        """Take `rect`, with words `text` pixels high."""
        self.rect, self.text = rect, text
        pad = max(4, text // 2)
        self._worded = rect.height >= 4 * text
        self._graph = rect.inflate(-4 * pad, -2 * pad)
        if self._worded:
            head = round(1.2 * text)
            self._graph.height, self._graph.top = self._graph.height - head, self._graph.top + head

    def change_at(self, position: tuple[int, int]) -> int | None:
        """Which change, counted from 0, a pixel stands for; None beside them."""
        if not self.rect.collidepoint(position):
            return None
        number = (position[0] - self._graph.left) * self._shown // max(1, self._graph.width)
        return number if 0 <= number < self._length else None

    def draw(self, surface: pygame.Surface, dream: Dream, pointer: tuple[int, int], theme: Theme) -> None:
        """Draw all changes so far, and in words the one under the pointer or what they add up to."""
        if self.rect.height < 16:
            return
        changes, graph = dream.changes, self._graph
        self._length, self._shown = len(changes), max(_LEAST_BARS, len(changes))
        draw_box(surface, self.rect, theme.panel, max(3, self.text // 2))
        pygame.draw.line(surface, theme.edge, graph.bottomleft, graph.bottomright)
        hovered = self.change_at(pointer)
        for number, change in enumerate(changes):
            left = graph.left + graph.width * number // self._shown
            right = graph.left + graph.width * (number + 1) // self._shown
            # A broken mark without a wrong stone counts like one point
            share = 0.08 if change.sound else min(1.0, max(1, len(change.wrong)) / _FULL_BAR)
            height = max(2, round(share * graph.height))
            bar = pygame.Rect(left, graph.bottom - height, max(1, right - left - 1), height)
            colour = theme.muted if change.sound else theme.warning
            pygame.draw.rect(surface, theme.accent if number == hovered else colour, bar)
        if self._worded:
            place = (graph.left, self.rect.top + max(3, self.text // 3))
            words = self._words(dream, hovered)
            draw_text(surface, words, place, max(8, self.text - 2), theme.muted, width=graph.width)

    @staticmethod
    def _words(dream: Dream, hovered: int | None) -> str:
        if hovered is not None and dream.geometry is not None:
            change = dream.changes[hovered]
            told = "; ".join(change.broken) or "as the rules have it"
            move = f"{colour_name(change.colour)} {move_text(change, dream.geometry.size)}"
            return f"Change {hovered + 1}, {move}: {told}"
        if dream.now is None or not dream.changes:
            return "Drift: how far each imagined change is from what the rules would draw."
        drift, count = dream.now.info["drift"], len(dream.changes)
        points = "1 wrong point" if drift == 1 else f"{drift} wrong points"
        return f"Drift: {points} in {count} {'change' if count == 1 else 'changes'}"


class DreamPanel:
    """The two sides, the figures, the latest changes and the buttons; what has no room is left out."""

    def __init__(self) -> None:
        self.text = 14
        self.buttons: list[Button] = []
        self._players = self._figures = self._changes = pygame.Rect(0, 0, 0, 0)

    def place(self, rect: pygame.Rect | None, text: int) -> None:
        """Take `rect`, or no room at all, with words `text` pixels high."""
        self.text = text
        self.buttons = []
        self._players = self._figures = self._changes = pygame.Rect(0, 0, 0, 0)
        if rect is None:
            return
        self.buttons = [Button(action, label, pygame.Rect(0, 0, 1, 1)) for action, label in _BUTTONS]
        gap = round(text * 0.9)
        bar = place_buttons(self.buttons, rect, text)
        room = pygame.Rect(rect.left, rect.top, rect.width, max(0, bar.top - gap - rect.top))
        tall = rect.height > rect.width * 1.05
        width = room.width if tall else (room.width - gap) // 2
        players = 2 * round(2.7 * text) + gap // 2
        if players <= room.height:
            self._players = pygame.Rect(room.left, room.top, width, players)
        top = room.top + players + gap
        figures = round(6.8 * text)  # a heading and three rows
        if top + figures <= room.bottom:
            self._figures = pygame.Rect(room.left, top, width, figures)
            top += figures + gap
        if tall:
            self._changes = pygame.Rect(room.left, top, width, max(0, room.bottom - top))
        else:
            self._changes = pygame.Rect(room.left + width + gap, room.top, width, room.height)

    def action_at(self, position: tuple[int, int]) -> str | None:
        """Return the action of the button under a pixel, if there is one and it can be pressed."""
        return next((b.action for b in self.buttons if b.enabled and b.rect.collidepoint(position)), None)

    def draw(
        self, surface: pygame.Surface, dream: Dream, pointer: tuple[int, int], seconds: float, theme: Theme
    ) -> None:
        """Draw everything; `seconds` is a running clock, for what moves."""
        now = dream.now
        if now is not None:
            if self._players.height:
                self._draw_players(surface, dream, now, seconds, theme)
            if self._figures.height:
                self._draw_figures(surface, now, theme)
            self._draw_changes(surface, dream, theme)
        for button in self.buttons:
            button.enabled = _can(button.action, dream)
            button.draw(surface, theme, pointer)

    def _draw_players(self, surface: pygame.Surface, dream: Dream, now: Moment, seconds: float, theme: Theme) -> None:
        own = now.info["agent_color"]
        for colour, row in zip((BLACK, WHITE), player_rows(self._players, self.text), strict=True):
            turn = now.info["to_move"] == colour and not dream.is_over
            name = "You" if colour == own else dream.name
            said = f"imagining{dots(seconds)}" if dream.imagining else "to move"
            below = colour_name(colour) + (f", komi {dream.komi:g}" if colour == WHITE else "")
            draw_player(surface, row, theme, self.text, colour, name, below, turn, said if turn else "")

    def _draw_figures(self, surface: pygame.Surface, now: Moment, theme: Theme) -> None:
        rect, text, info = self._figures, self.text, now.info
        draw_text(surface, "How far it has drifted", rect.topleft, text, theme.text, bold=True, width=rect.width)
        rows = (
            ("points with a wrong stone", str(info["drift"])),
            ("changes that keep the rules", f"{100 * info['sound']:.0f} %" if info["ply"] else "-"),
            ("blur, of 255 grey levels", f"{info['blur']:.2f}"),
        )
        top, small = rect.top + round(1.8 * text), max(8, text - 1)
        for words, figure in rows:
            left = draw_text(surface, figure, (rect.right, top), small, theme.text, anchor="topright").left
            draw_text(surface, words, (rect.left, top), small, theme.muted, width=max(1, left - rect.left - text))
            top += round(1.6 * text)

    def _draw_changes(self, surface: pygame.Surface, dream: Dream, theme: Theme) -> None:
        """The latest changes, newest first, with what was wrong in them."""
        rect, text, geometry = self._changes, self.text, dream.geometry
        if rect.height < 4 * text or geometry is None:
            return
        draw_text(surface, "What it imagined", rect.topleft, text, theme.text, bold=True, width=rect.width)
        top, small, line = rect.top + round(1.9 * text), max(8, text - 1), round(1.6 * text)
        if not dream.changes:
            words = "Nothing yet: click on a point, whether the rules allow it or not."
            for told in wrap(words, small, rect.width)[: (rect.bottom - top) // line]:
                draw_text(surface, told, (rect.left, top), small, theme.muted, width=rect.width)
                top += line
        left = rect.left + 2 * text
        for number in range(len(dream.changes), 0, -1):
            change = dream.changes[number - 1]
            move = text_surface(move_text(change, geometry.size), small, theme.text)
            beside = left + round(1.6 * text) + max(move.get_width() + text, 3 * text)
            lines = wrap("; ".join(change.broken), small, max(1, rect.right - beside)) or [""]
            if top + line * len(lines) > rect.bottom:
                return
            middle = top + line // 2
            draw_text(surface, str(number), (left - text // 2, middle), small, theme.muted, anchor="midright")
            stone = stone_surface(text, change.colour == BLACK, theme.rimmed and change.colour == WHITE)
            surface.blit(stone, stone.get_rect(midleft=(left, middle)))
            surface.blit(move, move.get_rect(midleft=(left + round(1.6 * text), middle)))
            for index, words in enumerate(lines):
                place, room = (beside, middle + index * line), max(1, rect.right - beside)
                draw_text(surface, words, place, small, theme.warning, anchor="midleft", width=room)
            top += line * len(lines)


def _can(action: str, dream: Dream) -> bool:
    if action == "pass":
        return dream.can_play
    if action == "new":
        return not dream.loading and not dream.imagining
    if action == "save":
        return len(dream.frames) > 1
    return dream.can_undo if action == "undo" else dream.can_redo if action == "redo" else True
