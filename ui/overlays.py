"""What every window has: the status line below and the keys over the darkened picture."""

from __future__ import annotations

from collections.abc import Iterable

import pygame

from ui.match import INFO, RESULT, WARNING, Message
from ui.theme import Theme
from ui.widgets import draw_text, wrap

MARGIN = 16


def draw_status(surface: pygame.Surface, bar: pygame.Rect, message: Message, hint: str, theme: Theme) -> None:
    """The sentence of the moment, on two smaller lines where one is too long, and a hint at the right."""
    pygame.draw.rect(surface, theme.panel, bar)
    mark = {INFO: theme.muted, WARNING: theme.warning, RESULT: theme.accent}[message.kind]
    pygame.draw.rect(surface, mark, (bar.left, bar.top, 5, bar.height))
    size = max(12, min(17, bar.height * 2 // 5))
    right = bar.right - MARGIN
    if bar.width >= 640:
        right = draw_text(surface, hint, (right, bar.centery), size - 3, theme.muted, anchor="midright").left - MARGIN
    left = bar.left + MARGIN
    lines = wrap(message.text, size, right - left)
    if len(lines) > 1:
        size = max(10, min(size, bar.height * 3 // 10 + 1))
        lines = wrap(message.text, size, right - left)
        lines = [lines[0], " ".join(lines[1:])] if len(lines) > 1 else lines
    pitch = size + 4
    top = bar.centery - (len(lines) - 1) * pitch // 2
    colour = theme.text if message.kind == INFO else mark
    for index, line in enumerate(lines):
        middle = (left, top + index * pitch)
        draw_text(surface, line, middle, size, colour, anchor="midleft", width=right - left)


def draw_keys(surface: pygame.Surface, rows: Iterable[tuple[str, str, str]], theme: Theme) -> None:
    """The keymap, rows of (keys, short, detail), over the darkened window."""
    veil = pygame.Surface(surface.get_size(), pygame.SRCALPHA)
    veil.fill((*theme.background, 205))
    surface.blit(veil, (0, 0))
    width, height = surface.get_size()
    box = pygame.Rect(0, 0, min(720, width - 2 * MARGIN), 0)
    text = max(10, min(15, box.width // 40, height // 32))
    keys_width, short_width = 11 * text, 9 * text
    detail_width = box.width - keys_width - short_width - 3 * MARGIN
    table = [(keys, short, wrap(detail, text - 1, detail_width)) for keys, short, detail in rows]
    line = text + 7
    text_lines = 3 + sum(max(1, len(lines)) for _, _, lines in table)
    box.height = min(height - 2 * MARGIN, text_lines * line + 5 * len(table))
    box.center = (width // 2, height // 2)
    pygame.draw.rect(surface, theme.panel, box, border_radius=12)
    pygame.draw.rect(surface, theme.edge, box, width=1, border_radius=12)
    left, top = box.left + MARGIN, box.top + MARGIN
    draw_text(surface, "Keys", (left, top), text + 3, theme.accent, bold=True)
    top += 2 * line
    for keys, short, lines in table:
        draw_text(surface, keys, (left, top), text, theme.text, bold=True, width=keys_width)
        draw_text(surface, short, (left + keys_width, top), text, theme.text, width=short_width)
        for detail in lines:
            draw_text(surface, detail, (left + keys_width + short_width, top), text - 1, theme.muted)
            top += line
        top += 5 if lines else line + 5
