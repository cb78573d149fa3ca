"""What the start screen shows in place of its rows: the saved games, and the field for a player by name."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path

import pygame

from envs.errors import UserError
from ui.lobby import Lobby
from ui.messages import INFO, WARNING, Message, sentence
from ui.text_field import TextField
from ui.theme import Theme
from ui.widgets import Button, draw_text, wrap

_TOLD = re.compile(rb"(PB|PW|RE)\[((?:[^\]\\]|\\.){0,60})\]")


class ListPage:
    """A heading and lines to pick from, with the pointer or with the arrows and Enter.

    Attributes:
        heading: one sentence.
        lines: a button each; one that is not enabled has its reason in `reasons`.
        marked: the line that the arrows have come to, -1 before the first.
        message: what the status line says.
        takes: the word on the button that does what Enter does; "" for none.
        typing: whether keys are letters.
    """

    takes = ""
    typing = False

    def __init__(self, heading: str, lines: Sequence[tuple[str, str]], pick: Callable[[int], None]) -> None:
        """`lines` are words and why they cannot be picked, "" where they can; `pick` is called with a line's number."""
        self.heading = heading
        self.reasons = [reason for _, reason in lines]
        self.lines = [Button("", words, pygame.Rect(0, 0, 1, 1), enabled=not reason) for words, reason in lines]
        self.marked = -1
        choosing = "Up, Down and Enter choose, or a click; " if lines else ""
        self.message = Message(f"{choosing}Escape goes back.")
        self._pick = pick
        self._text = 14
        self._rect = pygame.Rect(0, 0, 1, 1)

    def place(self, rect: pygame.Rect, text: int) -> None:
        """Take a rectangle, with words `text` pixels high."""
        self._rect, self._text = rect, text
        self._place_lines(rect.top + 2 * text)

    def _place_lines(self, top: int) -> None:
        text, rect = self._text, self._rect
        pitch = max(4, min(round(2.2 * text), (rect.bottom - top) // max(1, len(self.lines))))
        for place, line in enumerate(self.lines):
            line.rect = pygame.Rect(rect.left, top + place * pitch, rect.width, max(3, pitch - max(2, text // 3)))

    def draw(self, surface: pygame.Surface, theme: Theme, pointer: tuple[int, int]) -> None:
        """Draw everything."""
        rect, text = self._rect, self._text
        draw_text(surface, self.heading, rect.topleft, text, theme.text, width=rect.width)
        for number, line in enumerate(self.lines):
            line.chosen = number == self.marked
            line.draw(surface, theme, pointer)

    def reason_at(self, position: tuple[int, int]) -> str:
        """Why the line under a pixel cannot be picked; "" if it can or there is none."""
        return next((why for b, why in zip(self.lines, self.reasons, strict=True) if b.rect.collidepoint(position)), "")

    def click(self, position: tuple[int, int]) -> None:
        """Pick the line under a pixel."""
        for number, line in enumerate(self.lines):
            if line.enabled and line.rect.collidepoint(position):
                self._pick(number)
                return

    def press(self, event: pygame.event.Event) -> bool:
        """Take a key that is a letter; returns whether it means anything here."""
        return False

    def step(self, step: int) -> None:
        """To the next line, up or down, that can be picked."""
        place = self.marked + step
        while 0 <= place < len(self.lines):
            if self.lines[place].enabled:
                self.marked = place
                return
            place += step

    def accept(self) -> None:
        """Pick the marked line."""
        if self.marked >= 0:
            self._pick(self.marked)


class PlayerPage(ListPage):
    """A field for whom `agents.contestants` knows by description, and those that were typed before."""

    takes = "Take the seat"
    typing = True

    def __init__(self, lobby: Lobby, seat: str, text: str, earlier: Sequence[str], take: Callable[[str], None]) -> None:
        """`seat` is "Black" or "White", `text` what stands in the field; `take` is called with a player that exists."""
        self.earlier = list(earlier)
        lines = [(words, self._why_not(lobby, words)) for words in self.earlier]
        super().__init__(f"Who plays {seat}?", lines, lambda number: self.write(self.earlier[number]))
        self.lobby = lobby
        self.field = TextField(text)
        self.field.fresh = bool(text)
        self.message = Message("Type, paste or drop a player here; Enter takes it, Escape goes back.")
        self._take = take
        self._help: list[str] = []
        self._place = pygame.Rect(0, 0, 1, 1)

    @staticmethod
    def _why_not(lobby: Lobby, words: str) -> str:
        try:
            lobby.about(words)
        except UserError as error:
            return sentence(error)
        return ""

    def place(self, rect: pygame.Rect, text: int) -> None:
        """See `ListPage`; the field stands below the heading, and what it takes below that where there is room."""
        self._rect, self._text = rect, text
        self._place = pygame.Rect(rect.left, rect.top + round(1.8 * text), rect.width, max(12, round(2.2 * text)))
        words = (
            "A checkpoint's folder, gnugo,level=5, or the command of any program that speaks GTP, such as "
            "gnugo --mode gtp. A folder or a program may also be dropped on the window."
        )
        self._help = wrap(words, self._small, rect.width)
        top = self._place.bottom + text // 2
        least = len(self.lines) * round(1.5 * text)
        if top + (len(self._help) + 2) * round(1.4 * text) + least > rect.bottom:
            self._help = []
        self._heading = top + len(self._help) * round(1.4 * text) + text // 2
        self._place_lines(self._heading + round(1.6 * text))

    @property
    def _small(self) -> int:
        return max(8, self._text - 2)

    def draw(self, surface: pygame.Surface, theme: Theme, pointer: tuple[int, int]) -> None:
        """See `ListPage`."""
        super().draw(surface, theme, pointer)
        wrong = self.message.kind == WARNING
        self.field.draw(surface, self._place, theme, self._text, active=True, wrong=wrong)
        top = self._place.bottom + self._text // 2
        for line in self._help:
            draw_text(surface, line, (self._rect.left, top), self._small, theme.muted)
            top += round(1.4 * self._text)
        if self.lines:
            place = (self._rect.left, self._heading)
            draw_text(surface, "Typed before:", place, self._text, theme.text, width=self._rect.width)

    def click(self, position: tuple[int, int]) -> None:
        """Put the caret into the text, or an earlier player into the field."""
        if self._place.collidepoint(position):
            self.field.point(position[0])
        super().click(position)

    def press(self, event: pygame.event.Event) -> bool:
        """See `ListPage`."""
        before = self.field.text
        taken = self.field.press(event)
        if self.field.text != before:
            self.check()
        return taken

    def write(self, text: str) -> None:
        """Put a description in place of what stands in the field."""
        self.field.write(text)
        self.check()

    def paste(self, text: str) -> None:
        """Put a text at the caret."""
        self.field.insert(text)
        self.check()

    def drop(self, path: Path) -> None:
        """Put a checkpoint's folder or a program into the field."""
        self.write(str(path) if path.is_dir() else shlex.quote(str(path)))

    def step(self, step: int) -> None:
        """Put the next of the earlier players into the field."""
        super().step(step)
        if self.marked >= 0:
            self.write(self.earlier[self.marked])

    @property
    def description(self) -> str:
        """What is typed, without blanks around it; a folder is named in full, so that it is found from anywhere."""
        text = os.path.expanduser(self.field.text.strip())
        return os.path.abspath(text) if os.sep in text and os.path.isdir(text) else text

    def check(self) -> bool:
        """Say who the player is, or why there is no such; returns whether there is one."""
        try:
            self.message = Message(self.lobby.about(self.description), INFO)
        except UserError as error:
            self.message = Message(sentence(error), WARNING)
            return False
        return True

    def accept(self) -> None:
        """Take the player, if there is such a one."""
        if self.check():
            self._take(self.description)


def describe_game(path: Path) -> str:
    """A saved game in one line: when, who, and the result, as far as the beginning of the file says."""
    try:
        with path.open("rb") as file:
            told = {key: value.decode("utf-8", "replace") for key, value in _TOLD.findall(file.read(2000))}
    except OSError:
        told = {}
    players = f"{told.get(b'PB', '?')} - {told.get(b'PW', '?')}" if told else ""
    words = [path.stem, players, told.get(b"RE", "")]
    return "   ".join(word for word in words if word)
