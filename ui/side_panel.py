"""What stands beside the board: the players, what the agent thinks, and the buttons."""

from __future__ import annotations

import pygame

from envs.go.rules import BLACK, WHITE, colour_name
from ui.standing import Standing
from ui.theme import Theme
from ui.thought_panel import ThoughtPanel
from ui.widgets import Button, draw_box, draw_text, place_buttons, stone_surface

PLAYING, WATCHING, REVIEWING, WAITING = "playing", "watching", "reviewing", "waiting"
_BUTTONS = {
    PLAYING: (
        ("pass", "Pass"), ("undo", "Undo"), ("redo", "Redo"), ("resign", "Resign"),
        ("play_for_me", "Move for me"), ("ask", "Ask"), ("new", "New game"), ("help", "Help"),
    ),
    WATCHING: (
        ("pause", "Pause"), ("undo", "Undo"), ("redo", "Redo"), ("ask", "Ask"), ("new", "New game"), ("help", "Help"),
    ),
    REVIEWING: (
        ("first", "Start"), ("previous", "Back"), ("next", "On"), ("last", "End"),
        ("play_on", "Play on here"), ("leave", "To the game"), ("ask", "Ask"), ("new", "New game"), ("help", "Help"),
    ),
    WAITING: (
        ("pause", "Ask again"), ("undo", "Undo"), ("redo", "Redo"), ("resign", "Resign"),
        ("ask", "Ask"), ("new", "New game"), ("help", "Help"),
    ),
}  # fmt: skip


def mode_of(match: Standing) -> str:
    """Which buttons a match needs; it waits where a player cannot go on."""
    if match.review is not None:
        return REVIEWING
    if match.human is None:
        return WATCHING
    return WAITING if match.paused else PLAYING


class SidePanel:
    """Lays itself out in a tall rectangle (beside the board) or a wide one (below it)."""

    def __init__(self, theme: Theme) -> None:
        """Attribute `room`: what the thoughts have, for something else to stand there."""
        self.theme = theme
        self.room = pygame.Rect(0, 0, 0, 0)
        self.thoughts = ThoughtPanel(theme)
        self.buttons: list[Button] = []
        self.mode = ""
        self.text = 14  # pixels of the normal line
        self._players = pygame.Rect(0, 0, 1, 1)

    def restyle(self, theme: Theme) -> None:
        """Draw in another theme from now on."""
        self.theme = self.thoughts.theme = theme

    def place(self, rect: pygame.Rect, text: int, mode: str) -> None:
        """Divide `rect` among the parts, with words `text` pixels high; parts without room are left out."""
        self.text, self.mode = text, mode
        self.buttons = [Button(action, label, pygame.Rect(0, 0, 1, 1)) for action, label in _BUTTONS[mode]]
        gap = round(text * 0.9)
        bar = place_buttons(self.buttons, rect, text)
        room = pygame.Rect(rect.left, rect.top, rect.width, max(0, bar.top - gap - rect.top))
        row = round(2.7 * text)
        players = 2 * row + gap // 2
        if rect.height > rect.width * 1.05:
            self._players = pygame.Rect(room.left, room.top, room.width, players)
            top = self._players.bottom + gap
            least = 4 * round(text * 1.7)  # that the candidates need
            frames = pygame.Rect(room.left, top, room.width, max(0, room.bottom - top - least - gap))
            self.thoughts.place(frames, frames, text)
            top += self.thoughts.used_height + gap
            candidates = pygame.Rect(room.left, top, room.width, max(0, room.bottom - top))
            self.room = frames.union(candidates)
        else:
            columns = 3 if room.width >= 45 * text else 2
            width = (room.width - (columns - 1) * gap) // columns
            left, middle, right = (
                pygame.Rect(room.left + index * (width + gap), room.top, width, room.height) for index in range(3)
            )
            self._players = pygame.Rect(left.left, left.top, width, min(left.height, players))
            if columns == 3:
                frames, candidates = middle, right
            else:
                frames = left.inflate(0, -players - gap)
                frames.bottom = left.bottom
                candidates = middle
            self.room = candidates.union(frames) if columns == 3 else candidates
        if self._players.bottom > room.bottom:
            self._players = pygame.Rect(0, 0, 0, 0)
        self.thoughts.place(frames, candidates, text)

    def hide(self) -> None:
        """Take no room: the window is too small for more than the board."""
        nowhere = pygame.Rect(0, 0, 0, 0)
        self.mode, self.buttons, self._players, self.room = "", [], nowhere, nowhere
        self.thoughts.place(nowhere, nowhere, self.text)

    def action_at(self, position: tuple[int, int]) -> str | None:
        """Return the action of the button under a pixel, if there is one and it can be pressed."""
        return next((b.action for b in self.buttons if b.enabled and b.rect.collidepoint(position)), None)

    def draw(
        self,
        surface: pygame.Surface,
        match: Standing,
        pointer: tuple[int, int],
        seconds: float,
        *,
        thoughts: bool = True,
    ) -> None:
        """Draw everything, the thoughts if asked for; `seconds` is a running clock, for what moves."""
        if not self.mode:
            return
        if self._players.height:
            self._draw_players(surface, match, seconds)
        if thoughts:
            self.thoughts.draw(surface, match, pointer)
        for button in self.buttons:
            if button.action == "pause":
                button.label = "Ask again" if match.trouble is not None else "Go on" if match.paused else "Pause"
            button.enabled = _can(button.action, match)
            button.draw(surface, self.theme, pointer)

    def _draw_players(self, surface: pygame.Surface, match: Standing, seconds: float) -> None:
        shown, over = match.shown, match.is_over and match.review is None
        for colour, row in zip((BLACK, WHITE), player_rows(self._players, self.text), strict=True):
            turn = not over and shown.to_move == colour
            komi = f", komi {shown.komi:g}" if colour == WHITE else ""
            below = f"{colour_name(colour)}, {shown.captures[colour]} captured{komi}"
            said = _turn_text(match, colour, turn, seconds)
            draw_player(surface, row, self.theme, self.text, colour, match.shown_names[colour], below, turn, said)


def player_rows(rect: pygame.Rect, text: int) -> tuple[pygame.Rect, pygame.Rect]:
    """Black's row and White's in `rect`."""
    gap = max(2, text // 2)
    height = (rect.height - gap) // 2
    upper = pygame.Rect(rect.left, rect.top, rect.width, height)
    return upper, upper.move(0, height + gap)


def draw_player(
    surface: pygame.Surface,
    row: pygame.Rect,
    theme: Theme,
    text: int,
    colour: int,
    name: str,
    below: str,
    turn: bool,
    said: str,
) -> None:
    """A stone, a name with a line below it, and at the right what is `said`; the side to move stands out."""
    radius = max(3, text // 2)
    draw_box(surface, row, theme.raised if turn else theme.panel, radius)
    if turn:
        side = pygame.Rect(row.left, row.top + radius, max(3, text // 4), row.height - 2 * radius)
        pygame.draw.rect(surface, theme.accent, side, border_radius=2)
    stone = stone_surface(max(8, round(row.height * 0.62)), colour == BLACK, theme.rimmed and colour == WHITE)
    place = stone.get_rect(midleft=(row.left + text, row.centery))
    surface.blit(stone, place)
    small = max(8, round(text * 0.84))
    at = (row.right - round(text * 0.8), row.centery)
    told = draw_text(surface, said, at, small, theme.accent, anchor="midright")
    left = place.right + round(text * 0.8)
    width = max(1, told.left - left - 6)
    draw_text(surface, name, (left, row.centery), text, theme.text, anchor="bottomleft", bold=True, width=width)
    draw_text(surface, below, (left, row.centery + 1), small, theme.muted, width=width)


def dots(seconds: float) -> str:
    """One to three dots as wide as three, for what goes on."""
    return ("." * (1 + int(seconds * 2.5) % 3)).ljust(3, "\u2008")


def _can(action: str, match: Standing) -> bool:
    if action == "pass":
        return match.human_to_move
    if action == "play_for_me":
        return match.human_to_move and match.adviser is not None and not match.thinking
    if action in ("resign", "pause"):
        return not match.is_over
    if action in ("first", "previous"):
        return match.shown_ply > 0
    if action in ("next", "last"):
        return match.review is not None and match.shown_ply < match.review.length
    if action == "play_on":
        return match.fits(match.line)
    return match.can_undo if action == "undo" else match.can_redo if action == "redo" else True


def _turn_text(match: Standing, colour: int, turn: bool, seconds: float) -> str:
    if match.review is not None:
        return "to move" if turn else ""
    if match.winner == colour:
        return "wins"
    if not turn:
        return ""
    if match.paused:
        return "paused"
    if match.seats[colour] is None and not match.helping:
        return "to move"
    return ("loading" if match.loading else "thinking") + dots(seconds)
