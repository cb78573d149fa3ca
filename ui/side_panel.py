"""What stands beside the board: the players, what the agent saw and imagined, its candidate moves, and the buttons."""

from __future__ import annotations

import pygame

from agents.agent import Candidate, Frame, Thought
from envs.go.coords import point_to_gtp
from envs.go.rules import BLACK, WHITE, colour_name
from ui.match import Match
from ui.theme import Theme
from ui.thoughts import Considered
from ui.widgets import Button, draw_bar, draw_text, frame_surface, stone_surface, wrap

_BUTTONS_PLAYING = (("pass", "Pass"), ("undo", "Undo"), ("resign", "Resign"), ("new", "New game"), ("help", "Help"))
_BUTTONS_WATCHING = (("pause", "Pause"), ("undo", "Undo"), ("new", "New game"), ("help", "Help"))
_MAX_CANDIDATES = 6
_GAP, _ROW_GAP = 14, 7  # pixels between parts, and between rows of one part
_STEP_SECONDS = 0.8  # how long each imagined frame is shown when there are several


class SidePanel:
    """Lays itself out in a tall rectangle (beside the board) or a wide one (below it)."""

    def __init__(self, theme: Theme, watching: bool) -> None:
        """`watching`: nobody at the keyboard plays, so there is a pause instead of pass and resign."""
        self.theme = theme
        specs = _BUTTONS_WATCHING if watching else _BUTTONS_PLAYING
        self.buttons = [Button(action, label, pygame.Rect(0, 0, 1, 1)) for action, label in specs]
        self.text = 14  # pixels of the normal line
        self._players = self._frames = self._candidates = pygame.Rect(0, 0, 1, 1)

    def place(self, rect: pygame.Rect) -> None:
        """Divide `rect` among the parts; parts for which there is no room are left out."""
        tall = rect.height > rect.width * 1.05
        widest, highest = (rect.width // 24, rect.height // 38) if tall else (rect.width // 48, rect.height // 16)
        self.text = max(11, min(19, widest, highest))
        one_row = not tall or rect.width > 27 * self.text
        bar = self._place_buttons(rect, len(self.buttons) if one_row else 3)
        room = pygame.Rect(rect.left, rect.top, rect.width, max(0, bar.top - _GAP - rect.top))
        if tall:
            self._candidates = self._stack(room, room.height // 2)
        elif rect.width >= 760:
            column = (room.width - 2 * _GAP) // 3
            players, frames, self._candidates = (
                pygame.Rect(room.left + index * (column + _GAP), room.top, column, room.height) for index in range(3)
            )
            self._players = self._top_of(players)
            self._frames = frames
        else:
            column = (room.width - _GAP) // 2
            self._stack(pygame.Rect(room.left, room.top, column, room.height), room.height)
            self._candidates = pygame.Rect(room.left + column + _GAP, room.top, column, room.height)

    def _top_of(self, rect: pygame.Rect) -> pygame.Rect:
        """The part of `rect` that the two players take."""
        return pygame.Rect(rect.left, rect.top, rect.width, min(rect.height, 2 * (2 * self.text + 10) + _ROW_GAP))

    def _stack(self, rect: pygame.Rect, most: int) -> pygame.Rect:
        """Put the players and, below them, the frames, at most `most` pixels high; returns what is left of `rect`."""
        self._players = self._top_of(rect)
        top = self._players.bottom + _GAP
        height = max(0, min(most, rect.bottom - top, (rect.width - _GAP) // 2 + self._caption))
        self._frames = pygame.Rect(rect.left, top, rect.width, height)
        top = self._frames.bottom + _GAP
        return pygame.Rect(rect.left, top, rect.width, max(0, rect.bottom - top))

    @property
    def _caption(self) -> int:
        """Pixels that the words above and below the frames take."""
        return 2 * self.text + 22

    def _place_buttons(self, rect: pygame.Rect, columns: int) -> pygame.Rect:
        """Put the buttons at the lower end of `rect`; returns the part they take."""
        height = max(26, 2 * self.text + 6)
        rows = -(-len(self.buttons) // columns)
        taken = pygame.Rect(rect.left, 0, rect.width, rows * (height + _ROW_GAP) - _ROW_GAP)
        taken.bottom = rect.bottom
        for index, button in enumerate(self.buttons):
            row, col = divmod(index, columns)
            in_row = min(columns, len(self.buttons) - row * columns)
            width = (rect.width - (in_row - 1) * _ROW_GAP) / in_row
            left = rect.left + round(col * (width + _ROW_GAP))
            button.rect = pygame.Rect(left, taken.top + row * (height + _ROW_GAP), round(width), height)
        return taken

    def action_at(self, position: tuple[int, int]) -> str | None:
        """Return the action of the button under a pixel, if there is one and it can be pressed."""
        return next((b.action for b in self.buttons if b.enabled and b.rect.collidepoint(position)), None)

    def draw(self, surface: pygame.Surface, match: Match, pointer: tuple[int, int], seconds: float) -> None:
        """Draw everything; `seconds` is a running clock, for what moves."""
        self._draw_players(surface, match, seconds)
        played = match.last_decision
        self._draw_frames(surface, match, played, seconds)
        self._draw_candidates(surface, match, played)
        for button in self.buttons:
            if button.action == "pause":
                button.label = "Go on" if match.paused else "Pause"
            button.enabled = self._can(button.action, match)
            button.draw(surface, self.theme, pointer)

    @staticmethod
    def _can(action: str, match: Match) -> bool:
        if action == "pass":
            return match.human_to_move
        if action in ("resign", "pause"):
            return not match.is_over
        return match.can_undo if action == "undo" else True

    def _draw_players(self, surface: pygame.Surface, match: Match, seconds: float) -> None:
        rect, height = self._players, (self._players.height - _ROW_GAP) // 2
        if height < 2 * self.text:
            return
        for index, colour in enumerate((BLACK, WHITE)):
            row = pygame.Rect(rect.left, rect.top + index * (height + _ROW_GAP), rect.width, height)
            turn = not match.is_over and match.game.to_move == colour
            pygame.draw.rect(surface, self.theme.raised if turn else self.theme.panel, row, border_radius=8)
            if turn:
                pygame.draw.rect(
                    surface, self.theme.accent, (row.left, row.top + 7, 4, row.height - 14), border_radius=2
                )
            stone = stone_surface(max(8, height - 16), colour == BLACK)
            place = stone.get_rect(midleft=(row.left + 14, row.centery))
            surface.blit(stone, place)
            right = self._turn_text(match, colour, turn, seconds)
            shown = draw_text(
                surface, right, (row.right - 12, row.centery), self.text - 2, self.theme.accent, anchor="midright"
            )
            taken = match.game.captures[colour]
            komi = f", komi {match.game.komi:g}" if colour == WHITE else ""
            below = f"{colour_name(colour)}, {taken} captured{komi}"
            width = shown.left - place.right - 18
            left = place.right + 12
            draw_text(
                surface, match.names[colour], (left, row.centery), self.text, self.theme.text,
                anchor="bottomleft", bold=True, width=width,
            )  # fmt: skip
            draw_text(surface, below, (left, row.centery + 1), self.text - 3, self.theme.muted, width=width)

    @staticmethod
    def _turn_text(match: Match, colour: int, turn: bool, seconds: float) -> str:
        if match.winner == colour:
            return "wins"
        if not turn:
            return ""
        if match.paused:
            return "paused"
        if match.seats[colour] is None:
            return "to move"
        dots = "." * (1 + int(seconds * 2.5) % 3)
        return ("loading" if match.loading else "thinking") + dots.ljust(3, "\u2008")

    def _draw_frames(self, surface: pygame.Surface, match: Match, played: Considered | None, seconds: float) -> None:
        rect = self._frames
        side = min((rect.width - _GAP) // 2, rect.height - self._caption)
        if side < 32:
            return
        title = "What the agent sees and imagines"
        if played is not None:
            title = f"{played.name} at move {played.ply + 1}"
        draw_text(surface, title, rect.topleft, self.text, self.theme.text, bold=True, width=rect.width)
        top = rect.top + self.text + 10
        thought = played.decision.thought if played is not None else Thought()
        imagined, step = _imagined_now(thought, seconds)
        expects = "imagined next" if step is None else f"imagined, step {step + 1} of {len(thought.imagined or ())}"
        left_frame = pygame.Rect(rect.left, top, side, side)
        right_frame = left_frame.move(side + _GAP, 0)
        empty = "loading the model" if match.loading else "not yet" if played is None else "none"
        for place, frame, caption in ((left_frame, thought.frame, "it saw"), (right_frame, imagined, expects)):
            shown = self._draw_frame(surface, place, frame, empty)
            draw_text(surface, caption, (shown.left, shown.bottom + 5), self.text - 2, self.theme.muted, width=side)

    def _draw_frame(self, surface: pygame.Surface, place: pygame.Rect, frame: Frame | None, empty: str) -> pygame.Rect:
        if frame is None:
            pygame.draw.rect(surface, self.theme.panel, place, border_radius=6)
            draw_text(
                surface, empty, place.center, self.text - 2, self.theme.muted, anchor="center", width=place.width - 8
            )
            return place
        surface.blit(frame_surface(frame, place.width), place)
        pygame.draw.rect(surface, self.theme.edge, place, width=1)
        return place

    def _draw_candidates(self, surface: pygame.Surface, match: Match, played: Considered | None) -> None:
        rect, line, muted = self._candidates, self.text + 10, self.theme.muted
        if rect.height < 2 * line:
            return
        title = draw_text(surface, "Its candidates", rect.topleft, self.text, self.theme.text, bold=True)
        top = rect.top + line
        if played is None:
            for text in wrap("They appear here after its first move.", self.text - 1, rect.width):
                draw_text(surface, text, (rect.left, top), self.text - 1, muted)
                top += line - 4
            return
        thought, size = played.decision.thought, match.game.size
        spent, room = f"{thought.milliseconds:.0f} ms of thought", rect.right - title.right - 8
        draw_text(surface, spent, rect.topright, self.text - 2, muted, anchor="topright", width=room)
        for candidate in thought.candidates[: min(_MAX_CANDIDATES, (rect.bottom - top) // line)]:
            row = pygame.Rect(rect.left, top, rect.width, line)
            self._draw_candidate(surface, row, candidate, size, candidate.point == played.decision.action)
            top += line
        for note in _notes(thought, size):
            if top + line <= rect.bottom + 4:
                draw_text(surface, note, (rect.left, top + 3), self.text - 2, muted, width=rect.width)
                top += line

    def _draw_candidate(
        self, surface: pygame.Surface, row: pygame.Rect, candidate: Candidate, size: int, chosen: bool
    ) -> None:
        colour = self.theme.accent if chosen else self.theme.text
        name = point_to_gtp(candidate.point, size)
        draw_text(surface, name, row.midleft, self.text, colour, anchor="midleft", bold=chosen)
        left, right = row.left + 3 * self.text, row.right - 4 * self.text
        bar = pygame.Rect(left, row.centery - 4, max(10, right - left), 8)
        draw_bar(surface, bar, candidate.probability, colour if chosen else self.theme.muted, self.theme.panel)
        percent = f"{100 * candidate.probability:.1f} %"
        draw_text(surface, percent, row.midright, self.text - 1, colour, anchor="midright")


def _imagined_now(thought: Thought, seconds: float) -> tuple[Frame | None, int | None]:
    """Return the imagined frame to show at this moment, and which of several it is (None for a single one)."""
    frames = thought.imagined
    if frames is None or not len(frames):
        return None, None
    if len(frames) == 1:
        return frames[0], None
    step = int(seconds / _STEP_SECONDS) % len(frames)
    return frames[step], step


def _notes(thought: Thought, size: int) -> list[str]:
    notes = []
    if thought.rejected:
        wanted = ", ".join(f"{point_to_gtp(r.point, size)} ({r.reason})" for r in thought.rejected[:3])
        notes.append(f"could not have {wanted}")
    if thought.note:
        notes.append(thought.note)
    return notes
