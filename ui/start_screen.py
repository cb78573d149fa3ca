"""Who plays, and how: what the window asks before a game."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pygame

from envs.errors import UserError
from ui.keymap import START_KEYS
from ui.lobby import AUTOMATIC, Lobby, Setup
from ui.messages import INFO, WARNING, Message
from ui.record import games_folder, saved_games
from ui.screen import Surroundings, draw_status
from ui.theme import scale_of
from ui.widgets import Button, draw_box, draw_text, stone_surface

KOMI = "komi"  # the row in which one types
_KO_RULES = ((AUTOMATIC, "Automatic"), ("simple", "Simple"), ("positional", "Superko"))
_TEMPERATURES = ((0.0, "Best move"), (0.25, "0.25"), (0.5, "0.5"), (1.0, "1, by chance"))
_SYMMETRIES = ((1, "1, quick"), (8, "8, stronger"))
_SHOWN_GAMES = 12
_TOLD = re.compile(rb"(PB|PW|RE)\[((?:[^\]\\]|\\.){0,60})\]")


class StartScreen:
    """Rows of choices for the next game. `start`, `dream` and `open_game` are called with what was chosen."""

    bindings = START_KEYS

    def __init__(
        self,
        lobby: Lobby,
        setup: Setup,
        surroundings: Surroundings,
        *,
        start: Callable[[Setup], None],
        open_game: Callable[[Path], None],
        dream: Callable[[Setup], None] | None = None,
        back: Callable[[], None] | None = None,
    ) -> None:
        """`dream` is None where there is none; `back` returns to the game one came from, if there is one."""
        self.lobby, self.setup, self.surroundings = lobby, setup, surroundings
        self.message = Message("")
        self.typing = False
        self._replaces = False  # what is typed next takes the place of the komi there
        self.komi = f"{setup.points:g}"
        self.games: list[tuple[Path, str]] | None = None  # the list of saved games, while it is open
        self.pointer = (-1, -1)
        self.rows = self._rows()
        self.row = 0
        self.buttons: dict[tuple[str, int], Button] = {}  # (row or "do", place in it)
        self._start, self._open_game, self._dream, self._back = start, open_game, dream, back
        self._own_komi = setup.komi is not None  # typed by a person, not that of the handicap
        self._laid_out: tuple[object, ...] = ()
        self._text = 14
        self._status = self._field = self._box = pygame.Rect(0, 0, 1, 1)
        self.actions: dict[str, Callable[[], object]] = {
            "play_on": self._begin,
            "leave": self._leave,
            "above": lambda: self._go(-1),
            "below": lambda: self._go(1),
            "previous": lambda: self._choose_beside(-1),
            "next": lambda: self._choose_beside(1),
        }
        if dream is not None:
            self.actions["dream"] = self._fall_asleep

    def _rows(self) -> list[tuple[str, str, list[tuple[object, str, str]]]]:
        """(field of the setup, label, choices as (value, label, why not))."""
        seats = [(seat.word, seat.label, seat.reason) for seat in self.lobby.seats()]
        for value in (self.setup.black, self.setup.white):
            if value not in [word for word, _, _ in seats]:
                seats.append((value, Path(value).name or value, ""))
        return [
            ("black", "Black", list(seats)),
            ("white", "White", list(seats)),
            ("handicap", "Handicap", [(n, str(n) if n else "none", "") for n in self.lobby.handicaps()]),
            (KOMI, "Komi", []),
            ("ko_rule", "Ko rule", [(value, label, "") for value, label in _KO_RULES]),
            ("temperature", "Agent plays", [(value, label, "") for value, label in _TEMPERATURES]),
            ("symmetries", "Agent's views", [(value, label, "") for value, label in _SYMMETRIES]),
        ]

    # Input

    def handle(self, event: pygame.event.Event) -> bool:
        """See `Screen`."""
        if event.type == pygame.MOUSEMOTION:
            self.pointer = event.pos
            self._explain(event.pos)
        elif event.type == pygame.MOUSEBUTTONDOWN and event.button == 1:
            self.pointer = event.pos
            self._click(event.pos)
        elif event.type == pygame.DROPFILE:
            self._open_game(Path(event.file))
        else:
            return event.type == pygame.KEYDOWN and self._press(event)
        return True

    def _press(self, event: pygame.event.Event) -> bool:
        """Take a key; returns whether it means anything here."""
        if self.typing and event.key == pygame.K_BACKSPACE:
            self._type(self.komi[:-1])
            self._replaces = False
        elif self.typing and event.unicode.isprintable() and event.unicode:
            self._type((("" if self._replaces else self.komi) + event.unicode)[:12])
            self._replaces = False
        else:
            return False
        return True

    def _go(self, step: int) -> None:
        """To another row."""
        if self.games is None:
            self.row = (self.row + step) % len(self.rows)
            self.typing = self._replaces = self.rows[self.row][0] == KOMI

    def _type(self, text: str) -> None:
        self.komi, self._own_komi = text, True
        self._check()

    def _click(self, position: tuple[int, int]) -> None:
        if self.games is not None:
            self._pick(position)
            return
        self.typing = self._replaces = self._field.collidepoint(position)
        if self.typing:
            self.row = next(i for i, row in enumerate(self.rows) if row[0] == KOMI)
        for (name, place), button in self.buttons.items():
            if not button.rect.collidepoint(position):
                continue
            if not button.enabled:
                self._explain(position)
            elif name == "do":
                self._do(button.action)
            else:
                self.row = next(i for i, row in enumerate(self.rows) if row[0] == name)
                self._choose(self.row, place)

    def _do(self, action: str) -> None:
        if action == "start":
            self._begin()
        elif action == "dream":
            self._fall_asleep()
        elif action == "open":
            self.games = [(path, describe(path)) for path in saved_games(games_folder(), _SHOWN_GAMES)]
            self._laid_out = ()
        elif action == "back":
            self._leave()

    def _pick(self, position: tuple[int, int]) -> None:
        games, self.games = self.games or [], None
        self._laid_out = ()
        for (name, place), button in self.buttons.items():
            if name == "game" and button.rect.collidepoint(position):
                self._open_game(games[place][0])

    def _choose(self, row: int, place: int) -> None:
        name, _, choices = self.rows[row]
        value, _, reason = choices[place]
        if reason:
            self.message = Message(reason, WARNING)
            return
        self.setup = replace(self.setup, **{name: value})  # type: ignore[arg-type]
        if name == "handicap" and not self._own_komi:
            self.komi = f"{self.setup.points:g}"
        self._check()

    def _choose_beside(self, step: int) -> None:
        """The next choice of the row that can be had."""
        name, _, choices = self.rows[self.row]
        if self.games is not None or not choices:
            return
        values = [value for value, _, _ in choices]
        place = values.index(getattr(self.setup, name)) if getattr(self.setup, name) in values else 0
        while 0 <= place + step < len(choices):
            place += step
            if not choices[place][2]:
                self._choose(self.row, place)
                return

    def _leave(self) -> None:
        if self.games is not None:
            self.games = None
            self._laid_out = ()
        elif self._back is not None:
            self._back()

    def _explain(self, position: tuple[int, int]) -> None:
        """Say why what is under the pointer cannot be had."""
        for (name, place), button in self.buttons.items():
            if name not in ("do", "game") and not button.enabled and button.rect.collidepoint(position):
                reason = next(choices for key, _, choices in self.rows if key == name)[place][2]
                self.message = Message(reason, WARNING)

    def chosen(self) -> Setup:
        """The setup as it stands; UserError if the komi is no number."""
        if not self._own_komi:
            return replace(self.setup, komi=None)
        try:
            komi = float(self.komi.replace(",", "."))
        except ValueError:
            raise UserError(f"komi {self.komi!r} is no number; give one such as 7 or 6.5") from None
        return replace(self.setup, komi=komi)

    def _check(self, check: Callable[[Setup], None] | None = None) -> bool:
        """Whether what is chosen passes the lobby's `check`, by default that for a game; tells why not."""
        try:
            (check or self.lobby.check)(self.chosen())
        except UserError as error:
            self.message = Message(f"{str(error)[:1].upper()}{str(error)[1:]}.", WARNING)
            return False
        self.message = Message("")
        return True

    def _begin(self) -> None:
        if self.games is None and self._check():
            self._start(self.chosen())

    def _fall_asleep(self) -> None:
        if self._dream is not None and self.games is None and self._check(self.lobby.check_dream):
            self._dream(self.chosen())

    def tell(self, text: str, kind: str = INFO) -> None:
        """See `Screen`."""
        self.message = Message(text, kind)

    # What happens by itself

    def poll(self) -> bool:
        """See `Screen`."""
        return False

    def moves(self) -> bool:
        """See `Screen`."""
        return False

    # Picture

    def draw(self, surface: pygame.Surface, seconds: float) -> None:
        """See `Screen`."""
        theme, text = self.surroundings.theme, self._lay_out(surface.get_size())
        surface.fill(theme.background)
        box = self._box
        size = self.lobby.size
        title = draw_text(surface, "VideoWorld Go", box.topleft, round(text * 1.8), theme.text, bold=True)
        about = f"{size}x{size}, the size that {self.lobby.agent_name} learned"
        if title.bottom + 2 + text < self._tops[0][0]:
            draw_text(surface, about, (box.left, title.bottom + 2), text, theme.muted, width=box.width)
        if self.games is not None:
            self._draw_games(surface)
        else:
            self._draw_rows(surface)
        for (name, place), button in self.buttons.items():
            if (name in ("do", "game")) or self.games is None:
                if name not in ("do", "game"):
                    key, _, choices = next(row for row in self.rows if row[0] == name)
                    button.chosen = choices[place][0] == getattr(self.setup, key)
                button.draw(surface, theme, self.pointer)
        message = self.message
        if not message.text:
            cure = " Escape goes back to the game." if self._back is not None else ""
            dream = ", D dreams" if self._dream is not None else ""
            message = Message(f"Enter starts{dream}, arrows choose; drop an SGF file here to look at it.{cure}")
        draw_status(surface, self._status, message, "H: keys", theme, text)

    def _draw_rows(self, surface: pygame.Surface) -> None:
        theme, text = self.surroundings.theme, self._text
        for index, (name, label, _) in enumerate(self.rows):
            top, height = self._tops[index]
            if index == self.row:
                mark = pygame.Rect(self._box.left - text, top, max(2, text // 4), height)
                pygame.draw.rect(surface, theme.accent, mark, border_radius=2)
            left = self._box.left
            if name in ("black", "white"):
                stone = stone_surface(round(text * 1.3), name == "black", theme.rimmed and name == "white")
                surface.blit(stone, stone.get_rect(midleft=(left, top + height // 2)))
                left += round(text * 1.8)
            width = max(1, self._field.left - left - 4)
            draw_text(surface, label, (left, top + height // 2), text, theme.text, anchor="midleft", width=width)
        field = self._field
        wrong = self.message.kind == WARNING
        edge = theme.warning if wrong and self.typing else theme.accent if self.typing else theme.edge
        draw_box(surface, field, theme.panel, max(3, field.height // 5), edge)
        place = (field.left + text // 2, field.centery)
        shown = f"{self.komi}|" if self.typing else self.komi
        draw_text(surface, shown, place, text, theme.text, anchor="midleft", width=max(1, field.width - text))
        beside = (field.right + text, field.centery)
        room = self._box.right - beside[0]
        if room > 8 * text:
            words = "points for White"
            draw_text(surface, words, beside, max(8, text - 2), theme.muted, anchor="midleft", width=room)

    def _draw_games(self, surface: pygame.Surface) -> None:
        theme, text = self.surroundings.theme, self._text
        top = self._tops[0][0]
        words = "The last games; click one to look at it." if self.games else f"No games are saved in {games_folder()}."
        draw_text(surface, words, (self._box.left, top), text, theme.text, width=self._box.width)

    def _lay_out(self, size: tuple[int, int]) -> int:
        """Rows in a box in the middle; returns the size of the letters."""
        key = (size, self.games is not None)
        if self._laid_out == key:
            return self._text
        self._laid_out = key
        width, height = size
        self._text = text = max(8, min(round(15 * scale_of(size)), height // 30))
        bar = max(round(2.6 * text), 22)
        self._status = pygame.Rect(0, height - bar, width, bar)
        box = pygame.Rect(0, 0, min(width - 3 * text, 56 * text), max(1, height - bar - 2 * text))
        box.midtop = (width // 2, text)
        label = min(9 * text, box.width // 4)
        do = 2 * text
        head, foot = round((4.6 if height >= 240 else 2.6) * text), do + text
        pitch = max(10, min(round(3.1 * text), (box.height - head - foot) // len(self.rows)))
        box.height = min(box.height, head + pitch * len(self.rows) + foot)
        box.top = max(text, (height - bar - box.height) // 2)
        self._box, row = box, max(8, round(pitch * 0.72))
        self._tops = [(box.top + head + index * pitch, row) for index in range(len(self.rows))]
        self.buttons = {}
        for index, (name, _, choices) in enumerate(self.rows):
            top, left = self._tops[index][0], box.left + label
            gap = max(2, text // 3)
            if name == KOMI:
                self._field = pygame.Rect(left, top, max(1, min(7 * text, box.right - left)), row)
            most = max(len(choices), 1)
            wide = min(round(7.4 * text), (box.right - left - (most - 1) * gap) // most)
            for place, (_, words, reason) in enumerate(choices):
                rect = pygame.Rect(left + place * (wide + gap), top, wide, row)
                self.buttons[name, place] = Button(name, words, rect, enabled=not reason)
        self._lay_out_below(box, do)
        return text

    def _lay_out_below(self, box: pygame.Rect, height: int) -> None:
        """The buttons at the lower end, and the list of games in place of the rows."""
        text = self._text
        if self.games is not None:
            self.buttons = {}
            top = self._tops[0][0] + 2 * text
            pitch = max(8, min(round(2.2 * text), (box.bottom - height - top) // max(1, len(self.games))))
            for place, (_, words) in enumerate(self.games):
                rect = pygame.Rect(box.left, top + place * pitch, box.width, max(6, pitch - max(2, text // 3)))
                self.buttons["game", place] = Button("game", words, rect)
        labels = [("back", "Back")]
        if self.games is None:
            dream, back = self._dream is not None, self._back is not None
            labels = [("start", "Start"), *[("dream", "Dream")] * dream, ("open", "Open SGF")]
            labels += [("back", "Back to the game")] * back
        wide = min(10 * text, (box.width - 2 * text) // len(labels))
        for place, (action, words) in enumerate(labels):
            rect = pygame.Rect(box.left + place * (wide + text), box.bottom - height, wide, height)
            self.buttons["do", place] = Button(action, words, rect, chosen=action == "start")


def describe(path: Path) -> str:
    """A saved game in one line: when, who, and the result, as far as the beginning of the file says."""
    try:
        with path.open("rb") as file:
            told = {key: value.decode("utf-8", "replace") for key, value in _TOLD.findall(file.read(2000))}
    except OSError:
        told = {}
    players = f"{told.get(b'PB', '?')} - {told.get(b'PW', '?')}" if told else ""
    words = [path.stem, players, told.get(b"RE", "")]
    return "   ".join(word for word in words if word)
