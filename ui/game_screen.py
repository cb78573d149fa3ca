"""The game in the window: board, graph, panel and status line; clicks and keys become the match's verbs."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pygame

from agents.pixellm.config import FRAME_SIDE
from envs.go.renderer import BoardGeometry
from envs.go.rules import NO_POINT
from ui.ask_box import AskBox
from ui.board_view import BoardView
from ui.keymap import GAME_KEYS
from ui.layout import lay_out
from ui.match import Match
from ui.messages import INFO, WARNING
from ui.reviewing import PAGE
from ui.screen import Pointed, Surroundings, draw_status
from ui.side_panel import SidePanel, mode_of
from ui.text_field import clipboard_text
from ui.thought_panel import compare, ring_points
from ui.thoughts import Considered
from ui.timeline import Timeline
from ui.widgets import draw_box, draw_text, fitting, frame_surface

_SHOWN_CANDIDATES = 5
_LEAST_SHOWN = 0.01  # candidates below this probability are not marked on the board
_EXAMPLES = (
    "Which white groups are in atari?",
    "How many liberties does the group at E5 have?",
    "Where is Black's territory?",
    "What would White capture at E5?",
)
_RESIGN_SECONDS = 3.0  # within which the second press has to come


class GameScreen(Pointed):
    """Shows one match. `actions` are its verbs; the window adds its own."""

    bindings = GAME_KEYS

    def __init__(self, match: Match, surroundings: Surroundings, do: Callable[[str], None] | None = None) -> None:
        """`do` carries out the actions of the panel's buttons; by default only the match's own are known."""
        self.match = match
        self.do = do or (lambda action: self.actions.get(action, lambda: None)())
        self.surroundings = surroundings
        self.board = BoardView(match.shown.size, surroundings.theme)
        self.panel = SidePanel(surroundings.theme)
        self.timeline = Timeline(surroundings.theme)
        self.ask = AskBox(match.asker, match.ask, _EXAMPLES)
        self.status = pygame.Rect(0, 0, 1, 1)
        self.enlarged: int | None = None  # the imagined frame that is shown in place of the board
        self._text = 14
        self._laid_out: tuple[object, ...] = ()
        self._resign_at = -_RESIGN_SECONDS
        self._stones_heard = len(match.game.history)
        self.actions: dict[str, Callable[[], object]] = {
            "pass": match.pass_turn,
            "undo": match.undo,
            "redo": match.redo,
            "play_for_me": match.play_for_me,
            "resign": self._resign,
            "pause": match.toggle_pause,
            "new": match.new_game,
            "previous": match.look_back,
            "next": match.look_on,
            "earlier": lambda: match.look_back(PAGE),
            "later": lambda: match.look_on(PAGE),
            "first": match.look_first,
            "last": match.look_last,
            "play_on": match.play_on_here,
            "leave": self._leave,
            "ask": self._open_ask,
            "paste": lambda: self.ask.paste(clipboard_text()),
            "save": match.save_as,
            "marks": self._next_marks,
            "numbers": self._toggle_numbers,
        }

    @property
    def typing(self) -> bool:
        """See `Screen`."""
        return self.ask.typing

    # Input

    def handle(self, event: pygame.event.Event) -> bool:
        """See `Screen`."""
        if event.type == pygame.KEYDOWN:
            return self.ask.typing and self.ask.press(event)
        if event.type == pygame.MOUSEWHEEL and event.y:
            look = self.match.look_back if event.y > 0 else self.match.look_on
            look(1)
        elif event.type == pygame.DROPFILE:
            self.match.open_record(Path(event.file))
        else:
            return super().handle(event)
        return True

    def _click(self, position: tuple[int, int]) -> None:
        action = self.panel.action_at(position)
        step = self.panel.thoughts.step_at(position)
        ply = self.timeline.ply_at(position)
        if self.ask.shown and self._ask_place().collidepoint(position):
            self.ask.click(position)
        elif action is not None:
            self.do(action)
        elif step is not None and self._imagined(step):
            self.enlarged = None if self.enlarged == step else step
        elif ply is not None:
            self.match.look(ply)
        elif self.enlarged is not None:
            if self.board.rect.collidepoint(position):
                self.enlarged = None
        elif (point := self.board.point_at(position)) != NO_POINT:
            self.match.play(point)

    def _hovered(self) -> object:
        return (
            self.panel.action_at(self.pointer),
            self.panel.thoughts.step_at(self.pointer),
            self.timeline.ply_at(self.pointer),
            self.board.point_at(self.pointer),
        )

    def _resign(self) -> None:
        match, now = self.match, time.monotonic()
        may = match.review is None and match.human is not None and not match.is_over
        if may and now - self._resign_at > _RESIGN_SECONDS:
            self._resign_at = now
            match.tell("Press R once more within three seconds to give the game up.", WARNING)
        else:
            self._resign_at = -_RESIGN_SECONDS
            match.resign()

    def _open_ask(self) -> None:
        self.enlarged = None
        self.ask.open()

    def _ask_place(self) -> pygame.Rect:
        window = pygame.Rect(0, 0, self.status.width, self.status.top)
        return self.ask.place_in(self.panel.room, window, self._text)

    def _leave(self) -> None:
        if self.match.dismiss_answer():
            self.match.message = None
        elif self.enlarged is not None:
            self.enlarged = None
        else:
            self.match.leave_review()

    def _next_marks(self) -> None:
        self.surroundings.settings.next_marks()

    def _toggle_numbers(self) -> None:
        settings = self.surroundings.settings
        settings.numbers = not settings.numbers
        settings.save()

    def _imagined(self, step: int) -> Considered | None:
        """The thought shown, if it holds the imagined frame `step`."""
        considered = self.match.considered
        imagined = considered.decision.thought.imagined if considered is not None else None
        return considered if imagined is not None and step < len(imagined) else None

    def tell(self, text: str, kind: str = INFO) -> None:
        """See `Screen`."""
        self.match.tell(text, kind)

    # What happens by itself

    def poll(self) -> bool:
        """See `Screen`."""
        changed = self.match.poll()
        moves = len(self.match.game.history)
        if moves == self._stones_heard + 1 and self.match.game.last_move < self.match.game.area:
            self.surroundings.sounds.stone()
        self._stones_heard = moves
        return changed

    def moves(self) -> bool:
        """See `Screen`."""
        return self.match.thinking or self.match.loading or self.match.asker.busy

    # Picture

    def draw(self, surface: pygame.Surface, seconds: float) -> None:
        """See `Screen`."""
        match, theme = self.match, self.surroundings.theme
        self._lay_out(surface.get_size())
        surface.fill(theme.background)
        step = self.enlarged
        considered = self._imagined(step) if step is not None else None
        if step is not None and considered is not None:
            self._draw_enlarged(surface, considered, step)
        else:
            self.enlarged = None
            self._draw_board(surface)
        self.timeline.draw(surface, match, self.pointer)
        self.panel.draw(surface, match, self.pointer, seconds, thoughts=not self.ask.shown)
        if self.ask.shown:
            self.ask.draw(surface, self._ask_place(), theme, self._text, seconds)
        draw_status(surface, self.status, self.ask.status(match.status), self._hint(), theme, self._text)

    def _hint(self) -> str:
        """What there is to do now, in a few words."""
        if self.ask.shown:
            return "F1: keys" if self.ask.typing else "Esc: back    H: keys"
        if self.match.review is not None:
            return "Esc: to the game    H: keys"
        if self.match.counting:
            return "click dead stones    H: keys"
        return "Space: ask again    H: keys" if self.match.paused and self.match.trouble is not None else "H: keys"

    def _draw_board(self, surface: pygame.Surface) -> None:
        match, settings = self.match, self.surroundings.settings
        considered = match.considered
        marked = considered is not None and settings.marks != "off" and not match.counting
        thought = considered.decision.thought if considered is not None and marked else None
        moves = thought is not None and settings.marks != "territory"
        candidates = thought.candidates[:_SHOWN_CANDIDATES] if thought is not None and moves else ()
        outlook = thought.outlook if thought is not None and settings.marks == "territory" else None
        self.board.draw(
            surface,
            match.shown,
            ghost=self.ghost(),
            candidates=[candidate for candidate in candidates if candidate.probability >= _LEAST_SHOWN],
            heat=thought.probabilities if thought is not None and settings.marks == "heat" else None,
            numbers=settings.numbers,
            dead=match.dead if match.counting else (),
            owners=match.game.area_owner(match.dead) if match.counting else None,
            expected=outlook.owners if outlook is not None else None,
        )
        geometry = BoardGeometry.within(FRAME_SIDE, match.shown.size)
        self.ask.draw_tints(surface, self.board.points_rect, geometry.board_part)

    def _draw_enlarged(self, surface: pygame.Surface, considered: Considered, step: int) -> None:
        """An imagined frame in place of the board, with what came differently ringed."""
        imagined, rect, theme = considered.decision.thought.imagined, self.board.rect, self.surroundings.theme
        assert imagined is not None
        bar = pygame.Rect(rect.left, rect.top, rect.width, round(2.2 * self._text))
        frame = pygame.Rect(0, 0, rect.height - bar.height, rect.height - bar.height)
        frame.midbottom = rect.midbottom
        draw_box(surface, rect, theme.panel, max(4, self._text // 2))
        surface.blit(frame_surface(imagined[step], frame.width), frame)
        moves = "1 move" if step == 0 else f"{step + 1} moves"
        choices = [f"imagined, {moves} ahead", f"{moves} ahead", f"+{step + 1}"]
        found = compare(self.match, considered, step)
        if found is not None:
            share = f"{100 * found[1]:.0f} %"
            ends = ("; {} of the points came that way", ", {} right", ": {}")
            choices = [words + end.format(share) for words, end in zip(choices, ends, strict=True)]
            ring_points(surface, frame, considered, found[0], theme.differs)
        left = (bar.left + self._text, bar.centery)
        right = draw_text(
            surface, "Esc: back", (bar.right - self._text, bar.centery), self._text, theme.muted, anchor="midright"
        ).left
        width = max(1, right - left[0] - self._text)
        words = fitting(choices, self._text, width, bold=True)
        draw_text(surface, words, left, self._text, theme.text, anchor="midleft", bold=True, width=width)

    def ghost(self) -> int:
        """The point under the pointer if the human may play there now."""
        match = self.match
        point = self.board.point_at(self.pointer)
        away = match.review is not None or self.enlarged is not None
        if point == NO_POINT or away or not match.human_to_move or not match.prepared:
            return NO_POINT
        return point if match.game.why_illegal(point) is None else NO_POINT

    def _lay_out(self, size: tuple[int, int]) -> None:
        """Put everything where it belongs, if the window or what it shows has changed."""
        mode, theme = mode_of(self.match), self.surroundings.theme
        if self._laid_out == (size, mode, theme.name, self.match.shown.size):
            return
        self._laid_out = (size, mode, theme.name, self.match.shown.size)
        self.board.resize(self.match.shown.size)
        if self.board.theme is not theme:
            self.board.restyle(theme)
            self.panel.restyle(theme)
            self.timeline.theme = theme
        places = lay_out(size)
        self._text, self.status = places.text, places.status
        self.board.place(places.board)
        self.timeline.place(places.graph, places.text)
        if places.panel is None:
            self.panel.hide()
        else:
            self.panel.place(places.panel, places.text, mode)
