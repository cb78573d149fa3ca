"""Where the board, what stands below and beside it, and the status line are: the same on every screen with a board."""

from __future__ import annotations

from dataclasses import dataclass

import pygame

from ui.theme import scale_of


@dataclass(frozen=True)
class Layout:
    """Places in a window.

    Attributes:
        text: height of the normal words, in pixels.
        status: the line at the bottom.
        board: a square.
        graph: the bar below the board; without height where there is no room.
        panel: what is left beside or below; None in a window too small for more than the board.
    """

    text: int
    status: pygame.Rect
    board: pygame.Rect
    graph: pygame.Rect
    panel: pygame.Rect | None


def lay_out(size: tuple[int, int]) -> Layout:
    """Board and panel side by side in a wide window, one above the other in a narrow one; status line below."""
    width, height = size
    scale = scale_of(size)
    text = max(8, round(14 * scale))
    margin = max(4, round(16 * scale))
    bar = max(round(2.6 * text), 22)
    status = pygame.Rect(0, height - bar, width, bar)
    room = pygame.Rect(margin, margin, max(1, width - 2 * margin), max(1, height - bar - 2 * margin))
    graph = max(30, round(78 * scale)) if height >= 300 else 0
    below = graph + (margin * 3 // 4 if graph else 0)  # what the graph takes of the height
    wide, panel = width >= height * 1.05, None
    if height < 200 or width < (160 if height >= 1.5 * width else 280):
        side = max(1, min(room.width, room.height))
        board = pygame.Rect(room.left + (room.width - side) // 2, room.top, side, side)
        graph = 0
    elif wide:
        panel_width = max(min(220, room.width * 2 // 5), min(round(460 * scale), round(room.width * 0.36)))
        side = max(1, min(room.height - below, room.width - panel_width - margin))
        top = room.top + (room.height - below - side) // 2
        panel_width = min(round(460 * scale), room.width - side - margin)
        # Both together stand in the middle of a very wide window.
        shift = (room.width - side - margin - panel_width) // 2
        board = pygame.Rect(room.left + shift, top, side, side)
        panel = pygame.Rect(board.right + margin, room.top, panel_width, room.height)
    else:
        side = max(1, min(room.width, round(room.height * 0.6) - below))
        board = pygame.Rect(room.left + (room.width - side) // 2, room.top, side, side)
        top = board.bottom + below + margin
        panel = pygame.Rect(room.left, top, room.width, max(1, room.bottom - top))
    across = board if wide else room
    under = pygame.Rect(across.left, board.bottom + margin * 3 // 4, across.width, graph)
    return Layout(text, status, board, under, panel)
