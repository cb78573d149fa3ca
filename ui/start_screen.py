"""Who plays, and how: what the window asks before a game."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pygame

from envs.errors import UserError
from ui.keymap import START_KEYS
from ui.lobby import Lobby, Setup
from ui.messages import INFO, WARNING, Message, sentence
from ui.record import games_folder, saved_games
from ui.screen import Surroundings, draw_status
from ui.start_layout import StartLayout, lay_out_start
from ui.start_pages import ListPage, PlayerPage, describe_game
from ui.start_rows import KOMI, OTHER, SEATS, Choice, Row, rows_of
from ui.text_field import TextField, clipboard_text
from ui.theme import DESIGN_SIZE, scale_of
from ui.widgets import Button, draw_text, stone_surface

_SHOWN_GAMES = 12


class StartScreen:
    """Rows of choices for the next game. `start`, `dream` and `open_game` are called with what was chosen.

    Attributes:
        setup: what is chosen, but for the komi.
        rows: what there is to choose from, and `row` the number of that for the arrow keys.
        komi: the field for it.
        page: what is shown in place of the rows, if anything is.
        message: what was told last; `status` is what the status line says.
        buttons: (name of the row or "do", place in it) -> button.
    """

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
        self.lobby, self.surroundings = lobby, surroundings
        self.setup = replace(setup, size=lobby.size_of(setup))
        self.message = Message("")
        self.komi = TextField(f"{setup.points:g}", most=12)
        self.page: ListPage | None = None
        self.pointer = (-1, -1)
        self.row = 0
        self.buttons: dict[tuple[str, int], Button] = {}
        self._start, self._open_game, self._dream, self._back = start, open_game, dream, back
        self._own_komi = setup.komi is not None  # typed by a person, not that of the handicap
        self._seats = lobby.seats()
        known = [seat.word for seat in self._seats]
        chosen = {name: str(getattr(setup, name)) for name in SEATS}
        self._typed = {name: word for name, word in chosen.items() if word not in known}
        self.rows: list[Row] = []
        self._asked: int | None = None  # the row whose sentence is shown
        self._hovered: int | None = None
        self._size = DESIGN_SIZE  # of the window, until it is drawn
        self._layout: StartLayout
        self._refresh()
        self.actions: dict[str, Callable[[], object]] = {
            "play_on": self._accept,
            "leave": self._leave,
            "above": lambda: self._go(-1),
            "below": lambda: self._go(1),
            "previous": lambda: self._choose_beside(-1),
            "next": lambda: self._choose_beside(1),
            "paste": self._paste,
        }
        if dream is not None:
            self.actions["dream"] = self._fall_asleep

    @property
    def typing(self) -> bool:
        """Whether keys are letters."""
        return self.page.typing if self.page is not None else self.rows[self.row].name == KOMI

    def _refresh(self) -> None:
        """What can be chosen depends on what is chosen."""
        self.rows = rows_of(self.lobby, self._seats, self.setup, self._typed)
        self._lay_out(self._size)

    # Input

    def handle(self, event: pygame.event.Event) -> bool:
        """See `Screen`."""
        if event.type == pygame.MOUSEMOTION:
            self.pointer = event.pos
            self._hover()
        elif event.type == pygame.MOUSEBUTTONDOWN and event.button == 1:
            self.pointer = event.pos
            self._click(event.pos)
        elif event.type == pygame.DROPFILE:
            self._drop(Path(event.file))
        else:
            return event.type == pygame.KEYDOWN and self._press(event)
        return True

    def _press(self, event: pygame.event.Event) -> bool:
        """Take a key; returns whether it means anything here."""
        if self.page is not None:
            return self.page.press(event)
        before = self.komi.text
        taken = self.typing and self.komi.press(event)
        if self.komi.text != before:
            self._type_komi()
        return taken

    def _paste(self) -> None:
        text = clipboard_text()
        if isinstance(self.page, PlayerPage):
            self.page.paste(text)
        elif self.typing and text:
            self.komi.insert(text)
            self._type_komi()

    def _type_komi(self) -> None:
        self._own_komi = True
        self._check()

    def _drop(self, path: Path) -> None:
        """Games are opened; a player's field takes what else there is."""
        if isinstance(self.page, PlayerPage) and path.suffix.lower() != ".sgf":
            self.page.drop(path)
        elif path.is_dir():
            self.tell(f"{path.name} is a folder; Other… in a player's row opens a field to drop an agent in.", WARNING)
        else:
            self._open_game(path)

    def _go(self, step: int) -> None:
        """To another row, or another line of the page."""
        if self.page is not None:
            self.page.step(step)
        else:
            self._select((self.row + step) % len(self.rows))
            self._asked = self.row

    def _select(self, row: int) -> None:
        self.row = row
        self.komi.fresh = self.typing

    def _click(self, position: tuple[int, int]) -> None:
        if self.page is not None:
            self.page.click(position)
        elif (row := self._row_at(position)) is not None:
            self._select(row)
            if self.typing:
                self.komi.point(position[0])
        for (name, place), button in self.buttons.items():
            if button.rect.collidepoint(position):
                if name == "do":
                    self._do(button.action)
                else:
                    self._choose(self.row, place)
                return

    def _do(self, action: str) -> None:
        if action == "start":
            self._begin()
        elif action == "take":
            self._accept()
        elif action == "dream":
            self._fall_asleep()
        elif action == "open":
            self._list_games()
        elif action == "back":
            self._leave()

    def _accept(self) -> None:
        """What Enter does: start, or take what the page offers."""
        if self.page is not None:
            self.page.accept()
        else:
            self._begin()

    def _leave(self) -> None:
        if self.page is not None:
            self._turn_to(None)
        elif self._back is not None:
            self._back()

    # Pages

    def _turn_to(self, page: ListPage | None) -> None:
        self.page, self._asked = page, None
        self._lay_out(self._size)

    def _list_games(self) -> None:
        games = saved_games(games_folder(), _SHOWN_GAMES)
        lines = [(describe_game(path), "") for path in games]
        words = "The last games." if games else f"No games are saved in {games_folder()}."
        self._turn_to(ListPage(words, lines, lambda number: self._open_game(games[number])))

    def _ask_player(self, row: Row) -> None:
        text, earlier = self._typed.get(row.name, ""), self.surroundings.settings.players

        def take(description: str) -> None:
            self._turn_to(None)
            if description not in [seat.word for seat in self._seats]:
                self._typed[row.name] = description
                self.surroundings.settings.remember_player(description)
            self._set(row.name, description)

        self._turn_to(PlayerPage(self.lobby, row.label, text, earlier, take))

    # Choosing

    def _choose(self, row: int, place: int) -> None:
        name, choice = self.rows[row].name, self.rows[row].choices[place]
        if choice.reason:
            self.message, self._asked = Message(choice.reason, WARNING), None
        elif choice.value == OTHER:
            self._ask_player(self.rows[row])
        else:
            self._set(name, choice.value)

    def _set(self, name: str, value: object) -> None:
        """Take a value into the setup, with what else has to change for it."""
        self.setup, told = self.lobby.fitted(replace(self.setup, **{name: value}))  # type: ignore[arg-type]
        if not self._own_komi:
            self.komi.write(f"{self.setup.points:g}")
        self._refresh()
        if self._check() and told:
            self.message = Message(told)

    def _choose_beside(self, step: int) -> None:
        """The next choice of the row that can be had; tells why where there is none."""
        row = self.rows[self.row]
        if self.page is not None or not row.choices:
            return
        chosen = getattr(self.setup, row.name)
        start = next((n for n, choice in enumerate(row.choices) if choice.value == chosen), 0)
        beside = range(start + step, len(row.choices) if step > 0 else -1, step)
        place = next((n for n in beside if not row.choices[n].reason), next(iter(beside), None))
        if place is not None:
            self._choose(self.row, place)

    def chosen(self) -> Setup:
        """The setup as it stands; UserError if the komi is no number."""
        if not self._own_komi:
            return replace(self.setup, komi=None)
        try:
            komi = float(self.komi.text.replace(",", "."))
        except ValueError:
            raise UserError(f"komi {self.komi.text!r} is no number; give one such as 7 or 6.5") from None
        return replace(self.setup, komi=komi)

    def _check(self, check: Callable[[Setup], None] | None = None) -> bool:
        """Whether what is chosen passes the lobby's `check`, by default that for a game; tells why not."""
        self._asked = None
        try:
            (check or self.lobby.check)(self.chosen())
        except UserError as error:
            self.message = Message(sentence(error), WARNING)
            return False
        self.message = Message("")
        return True

    def _begin(self) -> None:
        if self._check():
            self._start(self.chosen())

    def _fall_asleep(self) -> None:
        if self._dream is not None and self.page is None and self._check(self.lobby.check_dream):
            self._dream(self.chosen())

    def tell(self, text: str, kind: str = INFO) -> None:
        """See `Screen`."""
        self.message, self._asked = Message(text, kind), None

    # What there is to say

    def _row_at(self, position: tuple[int, int]) -> int | None:
        places = self._layout.rows if self.page is None else []
        return next((n for n, place in enumerate(places) if place.collidepoint(position)), None)

    def _hover(self) -> None:
        """Another row under the pointer tells about itself."""
        row = self._row_at(self.pointer)
        if row != self._hovered:
            self._hovered = self._asked = row

    def _reason(self) -> str:
        """Why what is under the pointer cannot be had, "" where it can."""
        if self.page is not None:
            return self.page.reason_at(self.pointer)
        button = next((key for key, b in self.buttons.items() if b.rect.collidepoint(self.pointer)), ("do", 0))
        return "" if button[0] == "do" else self._choice(*button).reason

    def _choice(self, name: str, place: int) -> Choice:
        return next(row for row in self.rows if row.name == name).choices[place]

    @property
    def status(self) -> Message:
        """The sentence of the moment."""
        if reason := self._reason():
            return Message(reason, WARNING)
        if self.page is not None:
            return self.page.message
        if self._asked is not None:
            return Message(self.rows[self._asked].about)
        if self.message.text:
            return self.message
        cure = " Escape goes back to the game." if self._back is not None else ""
        dream = ", D dreams" if self._dream is not None else ""
        return Message(f"Enter starts{dream}, arrows choose; drop an SGF file here to look at it.{cure}")

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
        if surface.get_size() != self._size:
            self._lay_out(surface.get_size())
        theme, layout = self.surroundings.theme, self._layout
        text, box = layout.text, layout.box
        surface.fill(theme.background)
        if layout.body.top > box.top:
            title = draw_text(surface, "VideoWorld Go", box.topleft, round(text * 1.8), theme.text, bold=True)
            about = f"{self.lobby.agent_name} learned {self.lobby.size}x{self.lobby.size} from video alone"
            if title.bottom + 2 + text < layout.body.top:
                draw_text(surface, about, (box.left, title.bottom + 2), text, theme.muted, width=box.width)
        if self.page is not None:
            self.page.draw(surface, theme, self.pointer)
        else:
            self._draw_rows(surface)
        for (name, place), button in self.buttons.items():
            if name != "do":
                button.chosen = self._choice(name, place).value == getattr(self.setup, name)
            button.draw(surface, theme, self.pointer)
        hint = "F1: keys" if self.typing else "H: keys"
        draw_status(surface, layout.status, self.status, hint, theme, round(14 * scale_of(surface.get_size())))

    def _draw_rows(self, surface: pygame.Surface) -> None:
        theme, layout, text = self.surroundings.theme, self._layout, self._layout.text
        for number, (row, place) in enumerate(zip(self.rows, layout.rows, strict=True)):
            if number == self.row:
                mark = pygame.Rect(place.left - text, place.top, max(2, text // 4), place.height)
                pygame.draw.rect(surface, theme.accent, mark, border_radius=2)
            first, last = layout.choices[number][0], layout.choices[number][-1]
            left = place.left
            if row.name in SEATS:
                stone = stone_surface(round(text * 1.3), row.name == "black", theme.rimmed and row.name == "white")
                surface.blit(stone, stone.get_rect(midleft=(left, first.centery)))
                left += round(text * 1.8)
            width = max(1, first.left - left - 4)
            draw_text(surface, row.label, (left, first.centery), text, theme.text, anchor="midleft", width=width)
            room = place.right - last.right - 2 * text
            if row.note and room > 8 * text:
                beside, small = (last.right + text, last.centery), max(8, text - 2)
                draw_text(surface, row.note, beside, small, theme.muted, anchor="midleft", width=room)
            if row.name == KOMI:
                wrong = self.typing and self.message.kind == WARNING
                self.komi.draw(surface, first, theme, text, active=self.typing, wrong=wrong)

    def _lay_out(self, size: tuple[int, int]) -> None:
        """Place everything anew: the window or what is in it has changed."""
        self._size, self._layout = size, lay_out_start(size, self.rows)
        layout = self._layout
        self.buttons = {}
        if self.page is not None:
            self.page.place(layout.body, layout.text)
            labels = [("take", self.page.takes)] * bool(self.page.takes) + [("back", "Back")]
        else:
            for row, places in zip(self.rows, layout.choices, strict=True):
                for number, choice in enumerate(row.choices):
                    button = Button(row.name, choice.label, places[number], enabled=not choice.reason)
                    self.buttons[row.name, number] = button
            labels = [("start", "Start"), *[("dream", "Dream")] * (self._dream is not None), ("open", "Open SGF")]
            labels += [("back", "Back to the game")] * (self._back is not None)
        for number, ((action, words), place) in enumerate(zip(labels, layout.place_below(len(labels)), strict=True)):
            self.buttons["do", number] = Button(action, words, place, chosen=number == 0 and action != "back")
