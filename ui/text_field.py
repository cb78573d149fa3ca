"""A line of text to type into, in a box."""

from __future__ import annotations

import pygame

from ui.theme import Theme, load_font
from ui.widgets import draw_box

_CLIPBOARD = ("text/plain;charset=utf-8", pygame.SCRAP_TEXT)  # what SDL and older platforms call text
_MOVES = {pygame.K_HOME: -1_000_000, pygame.K_LEFT: -1, pygame.K_RIGHT: 1, pygame.K_END: 1_000_000}


def clipboard_text() -> str:
    """What was copied last, as one line; "" where there is no clipboard or no text in it."""
    try:
        pygame.scrap.init()
        found = next((data for data in map(pygame.scrap.get, _CLIPBOARD) if data), b"")
    except (pygame.error, NotImplementedError):
        return ""
    text = found.partition(b"\0")[0].decode("utf-8", "replace")
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


class TextField:
    """What is typed, with a caret; keys that are no text are left to others.

    Attributes:
        text: what stands there.
        most: how many letters fit in.
        fresh: what is typed next takes the place of all of it.
    """

    def __init__(self, text: str = "", most: int = 300) -> None:
        self.most = most
        self.fresh = False
        self.write(text)
        self._shown = pygame.Rect(0, 0, 1, 1)  # where the text was drawn, for clicks
        self._letters = 14

    def write(self, text: str) -> None:
        """Put `text` in place of what stands there."""
        self.text = text[: self.most]
        self.caret = len(self.text)
        self.fresh = False

    def insert(self, text: str) -> None:
        """Put `text` at the caret."""
        before, behind = ("", "") if self.fresh else (self.text[: self.caret], self.text[self.caret :])
        text = text[: self.most - len(before) - len(behind)]
        self.text, self.caret, self.fresh = before + text + behind, len(before + text), False

    def press(self, event: pygame.event.Event) -> bool:
        """Take a key; returns whether it means anything here."""
        if event.key in _MOVES:
            self.caret = max(0, min(self.caret + _MOVES[event.key], len(self.text)))
        elif event.key in (pygame.K_BACKSPACE, pygame.K_DELETE):
            start = self.caret - (event.key == pygame.K_BACKSPACE)
            if self.fresh:
                self.write("")
            elif start >= 0:
                self.text = self.text[:start] + self.text[start + 1 :]
                self.caret = start
        elif event.unicode and event.unicode.isprintable():
            self.insert(event.unicode)
            return True
        else:
            return False
        self.fresh = False
        return True

    def point(self, x: int) -> None:
        """Put the caret where the pointer is."""
        font = load_font(self._letters)
        places = [abs(self._shown.left + font.size(self.text[:n])[0] - x) for n in range(len(self.text) + 1)]
        self.caret = places.index(min(places))

    def draw(
        self, surface: pygame.Surface, rect: pygame.Rect, theme: Theme, size: int, *, active: bool, wrong: bool = False
    ) -> None:
        """Draw the box and as much of the text around the caret as it has room for, in letters of `size` pixels."""
        edge = theme.warning if wrong else theme.accent if active else theme.edge
        draw_box(surface, rect, theme.panel, max(3, rect.height // 5), edge)
        font, inside = load_font(size), rect.inflate(-size, -2)
        words = font.render(self.text, True, theme.text)
        caret = font.size(self.text[: self.caret])[0]
        shift = max(0, caret + 2 - inside.width) if active else 0
        self._letters, self._shown = size, words.get_rect(midleft=(inside.left - shift, rect.centery))
        surface.set_clip(inside)
        if active and self.fresh and self.text:
            pygame.draw.rect(surface, theme.hovered, self._shown)
        surface.blit(words, self._shown)
        if active:
            line = pygame.Rect(self._shown.left + caret, 0, max(1, size // 10), round(size * 1.3))
            line.centery = rect.centery
            pygame.draw.rect(surface, theme.accent, line)
        surface.set_clip(None)
