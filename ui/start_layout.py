"""Where the start screen's rows and buttons are, in letters as large as the window allows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pygame

from ui.start_rows import SEATS, Row
from ui.theme import load_font, scale_of

_SMALLEST = 8  # pixels of letters that can be read at all


@dataclass
class StartLayout:
    """Places in a window.

    Attributes:
        text: height of the normal words, in pixels.
        status: the line at the bottom.
        box: what all the rest lies in; the title stands at its top.
        body: the part of the box for the rows, or for what is shown in their place.
        below: where the last buttons stand.
        rows: the whole place of each row.
        choices: the buttons of each row; a row to type in has one place, for the text.
    """

    text: int
    status: pygame.Rect
    box: pygame.Rect
    body: pygame.Rect
    below: pygame.Rect
    rows: list[pygame.Rect] = field(default_factory=list)
    choices: list[list[pygame.Rect]] = field(default_factory=list)

    def place_below(self, count: int) -> list[pygame.Rect]:
        """Places for so many buttons side by side at the lower end."""
        gap = self.text
        wide = min(10 * self.text, (self.below.width - (count - 1) * gap) // count)
        return [
            pygame.Rect(self.below.left + n * (wide + gap), self.below.top, wide, self.below.height)
            for n in range(count)
        ]


def lay_out_start(size: tuple[int, int], rows: Sequence[Row]) -> StartLayout:
    """Letters as large as the window allows.

    A row takes one line where that costs little of their size, else as many as its words need. In a window too small
    for that the lines are low, and in one still smaller the words are cut.
    """
    largest = max(12, round(18 * scale_of(size)))
    least = max(11, round(0.75 * largest))
    tries = [(text, 1, False) for text in range(largest, least - 1, -1)]
    tries += [(text, len(rows), False) for text in range(largest, _SMALLEST - 1, -1)]
    tries += [(_SMALLEST, 2, True), (_SMALLEST, 0, True)]
    return next(layout for layout in (_at(size, rows, *how) for how in tries) if layout is not None)


def _at(size: tuple[int, int], rows: Sequence[Row], text: int, most_lines: int, low: bool) -> StartLayout | None:
    """The layout with letters of one size; None if the rows do not fit on so many lines each.

    `low` makes buttons hardly larger than their words. With 0 lines everything is made to fit.
    """
    width, height = size
    bar = max(round(2.6 * text), 22)
    status = pygame.Rect(0, height - bar, width, bar)
    box = pygame.Rect(0, 0, max(1, min(width - round(2.5 * text), 62 * text)), max(1, height - bar - 2 * text))
    font, gap = load_font(text), max(2, text // 3)
    labels = max(font.size(row.label)[0] + round((2.6 if row.name in SEATS else 0.8) * text) for row in rows)
    labels = labels if most_lines else min(labels, box.width // 4)
    room = box.width - labels
    if most_lines:
        widths = _widths(rows, room, gap, text, padding=round((0.5 if low else 1.2) * text))
        columns = [_columns(row, room, gap, wide) for row, wide in zip(rows, widths, strict=True)]
    else:
        columns = [_count(row) for row in rows]
        widths = [_shared(count, room, gap, text) for count in columns]
    if 0 in columns:
        return None
    lines = [-(-_count(row) // per_line) for row, per_line in zip(rows, columns, strict=True)]
    head = round((4.8 if height >= 300 else 2.6 if height >= 200 else 0) * text)
    foot, gaps = round(3.2 * text), (sum(lines) - len(lines)) * gap
    free = box.height - head - foot - gaps
    share = free / (sum(lines) + 0.4 * len(rows))  # a line's part, with the room between rows
    if most_lines and (max(lines) > most_lines or share < (1.2 if low else 1.65) * text):
        return None
    line = max(4, min(round(2.2 * text), int(share)))
    between = max(0.0, min(0.9 * text, (free - sum(lines) * line) / len(rows)))
    box.height = min(box.height, round(head + foot + gaps + sum(lines) * line + len(rows) * between))
    box.midtop = (width // 2, max(text, (height - bar - box.height) // 2))
    below = pygame.Rect(box.left, box.bottom - 2 * text, box.width, 2 * text)
    body = pygame.Rect(box.left, box.top + head, box.width, max(1, box.height - head - foot + text // 2))
    layout = StartLayout(text, status, box, body, below)
    top = float(body.top)
    for row, wide, per_line, needed in zip(rows, widths, columns, lines, strict=True):
        place = pygame.Rect(box.left, round(top), box.width, needed * line + (needed - 1) * gap)
        layout.rows.append(place)
        spots = [divmod(number, per_line) for number in range(_count(row))]
        left = box.left + labels
        layout.choices.append(
            [pygame.Rect(left + c * (wide + gap), place.top + r * (line + gap), wide, line) for r, c in spots]
        )
        top += place.height + between
    return layout


def _count(row: Row) -> int:
    """How many places a row has; a row to type in has one."""
    return max(1, len(row.choices))


def _shared(count: int, room: int, gap: int, text: int) -> int:
    """The width of each of `count` buttons on one line."""
    return max(1, min(round(7.4 * text), (room - (count - 1) * gap) // count))


def _widths(rows: Sequence[Row], room: int, gap: int, text: int, padding: int) -> list[int]:
    """How wide the buttons of each row are, by its longest word; alike for both players."""
    font = load_font(text)
    longest = {row.name: max((font.size(choice.label)[0] for choice in row.choices), default=0) for row in rows}
    longest |= dict.fromkeys(SEATS, max(longest[name] for name in SEATS))
    return [
        max(min(longest[row.name] + padding, 9 * text), _shared(_count(row), room, gap, text)) for row in rows
    ]  # fmt: skip


def _columns(row: Row, room: int, gap: int, wide: int) -> int:
    """How many of a row's buttons stand on a line, so that its lines are of about the same length; 0 if none can."""
    count = _count(row)
    fitting = min(count, (room + gap) // (wide + gap))
    return -(-count // -(-count // fitting)) if fitting > 0 else 0
