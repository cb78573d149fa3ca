"""What every screen of the window is given and gives: the surroundings, the status bar, the table of keys."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import pygame

from ui.keymap import Binding, key_label, keys_text
from ui.messages import INFO, RESULT, WARNING, Message
from ui.settings import Settings
from ui.sound import Sounds
from ui.theme import Theme, load_font
from ui.widgets import draw_box, draw_text, wrap


@dataclass
class Surroundings:
    """What belongs to the window and not to one of its screens."""

    settings: Settings
    sounds: Sounds

    @property
    def theme(self) -> Theme:
        """The colours now."""
        return self.settings.colours


class Screen(Protocol):
    """One picture that fills the window, such as the game. The window's thread calls everything.

    `bindings` is its table of keys; `actions` are the verbs of it that it knows besides the window's own.
    """

    bindings: tuple[Binding, ...]
    actions: dict[str, Callable[[], object]]

    @property
    def typing(self) -> bool:
        """Whether keys are letters now."""
        ...

    def handle(self, event: pygame.event.Event) -> bool:
        """Take in what the window does not; returns whether the picture changes."""
        ...

    def tell(self, text: str, kind: str = INFO) -> None:
        """Say something in the status line until something else happens."""
        ...

    def poll(self) -> bool:
        """Look after what happens by itself; returns whether the picture changes."""
        ...

    def moves(self) -> bool:
        """Whether something in the picture moves by itself."""
        ...

    def draw(self, surface: pygame.Surface, seconds: float) -> None:
        """Draw everything; `seconds` is a running clock."""
        ...


class Pointed:
    """A screen that follows the mouse; it says itself what is under the pointer and what a click does.

    Attributes:
        pointer: the pixel of the window that the mouse is on; off the window where it has left.
    """

    pointer: tuple[int, int] = (-1, -1)

    def handle(self, event: pygame.event.Event) -> bool:
        """See `Screen`."""
        if event.type == pygame.MOUSEMOTION:
            before, self.pointer = self._hovered(), event.pos
            return self._hovered() != before
        if event.type == pygame.WINDOWLEAVE:
            self.pointer = (-1, -1)
        elif event.type == pygame.MOUSEBUTTONDOWN and event.button == 1:
            self.pointer = event.pos
            self._click(event.pos)
        else:
            return False
        return True

    def _hovered(self) -> object:
        """What the pointer is on, as far as it changes the picture."""
        raise NotImplementedError

    def _click(self, position: tuple[int, int]) -> None:
        """The left button went down."""
        raise NotImplementedError


def draw_status(
    surface: pygame.Surface, bar: pygame.Rect, message: Message, hint: str, theme: Theme, text: int
) -> None:
    """The sentence of the moment, on two smaller lines where one is too long, and a hint at the right."""
    pygame.draw.rect(surface, theme.panel, bar)
    mark = {INFO: theme.muted, WARNING: theme.warning, RESULT: theme.accent}[message.kind]
    pygame.draw.rect(surface, mark, (bar.left, bar.top, max(3, text // 3), bar.height))
    right = bar.right - text
    if bar.width >= 42 * text:
        right = draw_text(surface, hint, (right, bar.centery), text - 2, theme.muted, anchor="midright").left - text
    left = bar.left + text
    size, lines = text + 1, wrap(message.text, text + 1, right - left)
    if len(lines) > 1:
        size = max(8, min(text, bar.height * 2 // 5))
        lines = wrap(message.text, size, right - left)
        lines = [lines[0], " ".join(lines[1:])] if len(lines) > 1 else lines
    pitch = round(size * 1.25)
    top = bar.centery - (len(lines) - 1) * pitch // 2
    for index, line in enumerate(lines):
        colour = theme.text if message.kind == INFO else mark
        middle = (left, top + index * pitch)
        draw_text(surface, line, middle, size, colour, anchor="midleft", width=max(1, right - left))


def draw_veil(surface: pygame.Surface, theme: Theme) -> None:
    """Push what is drawn so far into the background."""
    veil = pygame.Surface(surface.get_size(), pygame.SRCALPHA)
    veil.fill((*theme.background, 215))
    surface.blit(veil, (0, 0))


def draw_help(surface: pygame.Surface, bindings: Sequence[Binding], theme: Theme, text: int) -> None:
    """A table of keys over the darkened picture: with sentences where there is room, else in columns without."""
    draw_veil(surface, theme)
    width, height = surface.get_size()
    margin = max(4, text)
    sizes = range(text, 7, -1)
    readable = [size for size in sizes if size >= 0.75 * text and size >= 10]
    choices = [(size, columns, True) for size in readable for columns in (1, 2)]
    choices += [(size, columns, False) for size in sizes for columns in (1, 2, 3)]
    tables = (_HelpTable(bindings, *choice, width - 2 * margin) for choice in choices)
    table = next((table for table in tables if table.fits(height - 2 * margin)), None)
    (table or _HelpTable(bindings, 8, 1, False, width - 2 * margin)).draw(surface, theme)


class _HelpTable:
    """Keys at one size of letters, in one or more columns, with or without the sentences."""

    def __init__(self, bindings: Sequence[Binding], size: int, columns: int, details: bool, width: int) -> None:
        self.size, self.columns, self.details = size, columns, details
        self.line = round(size * 1.55)
        bold, plain = load_font(size, bold=True), load_font(size)
        rows = [(keys_text(b) if details else key_label(b.keys[0]), b.short, b.detail) for b in bindings]
        self.keys = max(bold.size(keys)[0] for keys, _, _ in rows) + size
        self.short = max(plain.size(short)[0] for _, short, _ in rows) + size
        wanted = (self.keys + self.short + (24 * size if details else 0)) * columns + 2 * size * (columns + 1)
        self.width = min(width, wanted)
        self.column = (self.width - 2 * size * (columns + 1)) // columns
        room = max(1, self.column - self.keys - self.short)
        self.narrow = room < 15 * size if details else self.column < self.keys + self.short - size
        self.rows = [
            (keys, short, wrap(detail, max(8, size - 1), room) if details else [""]) for keys, short, detail in rows
        ]
        self.parts = self._split()

    def _split(self) -> list[list[tuple[str, str, list[str]]]]:
        """The rows, column by column, of about the same height."""
        total = sum(len(lines) for _, _, lines in self.rows)
        parts: list[list[tuple[str, str, list[str]]]] = [[] for _ in range(self.columns)]
        done = 0
        for row in self.rows:
            parts[min(self.columns - 1, done * self.columns // total)].append(row)
            done += len(row[2])
        return parts

    @property
    def height(self) -> int:
        most = max(sum(len(lines) for _, _, lines in part) + 0.25 * len(part) for part in self.parts)
        return round((most + 2.2) * self.line) + 2 * self.size

    def fits(self, height: int) -> bool:
        return self.height <= height and not self.narrow

    def draw(self, surface: pygame.Surface, theme: Theme) -> None:
        size, line = self.size, self.line
        box = pygame.Rect(0, 0, self.width, min(self.height, surface.get_height() - 4))
        box.center = surface.get_rect().center
        draw_box(surface, box, theme.panel, size, theme.edge)
        surface.set_clip(box)  # a window too small for it all shows the beginning
        start = (box.left + 2 * size, box.top + size)
        draw_text(surface, "Keys", start, size + 3, theme.accent, bold=True)
        for index, part in enumerate(self.parts):
            left = box.left + 2 * size + index * (self.column + 2 * size)
            top = float(box.top + size + 2 * line)
            for keys, short, lines in part:
                draw_text(surface, keys, (left, top), size, theme.text, bold=True, width=self.keys)
                draw_text(surface, short, (left + self.keys, top), size, theme.text, width=self.short)
                for detail in lines:
                    beside = (left + self.keys + self.short, top)
                    draw_text(surface, detail, beside, max(8, size - 1), theme.muted)
                    top += line
                top += 0.25 * line
        surface.set_clip(None)
