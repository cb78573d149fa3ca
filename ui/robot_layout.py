"""Where the robot's cameras, the bars, the imagined future, the panel and the status line are."""

from __future__ import annotations

from dataclasses import dataclass, field

import pygame

from ui.theme import scale_of

WRIST_SHARE = 0.42  # of the scene camera's side
PANEL_LINES = 30  # height of the panel with all its parts, in heights of words


def _nowhere() -> pygame.Rect:
    return pygame.Rect(0, 0, 0, 0)


@dataclass
class RobotLayout:
    """Places in a window; what has no room is empty.

    Attributes:
        text: height of the normal words, in pixels.
        status: the line at the bottom.
        head: the line of the instruction.
        scene, wrist: squares for the two cameras.
        bars: for the action.
        strip: for what came and what is foreseen.
        panel: for the rest.
    """

    text: int
    status: pygame.Rect
    head: pygame.Rect = field(default_factory=_nowhere)
    scene: pygame.Rect = field(default_factory=_nowhere)
    wrist: pygame.Rect = field(default_factory=_nowhere)
    bars: pygame.Rect = field(default_factory=_nowhere)
    strip: pygame.Rect = field(default_factory=_nowhere)
    panel: pygame.Rect = field(default_factory=_nowhere)


def lay_out_robot(size: tuple[int, int], foresees: bool = True) -> RobotLayout:
    """Panel beside the cameras in a wide window, below them in a narrow one; the strip if anybody `foresees`."""
    width, height = size
    scale = scale_of(size)
    text, gap = max(8, round(14 * scale)), max(4, round(12 * scale))
    bar = max(round(2.6 * text), 22)
    status = pygame.Rect(0, height - bar, width, bar)
    room = pygame.Rect(gap, gap, max(1, width - 2 * gap), max(1, height - bar - 2 * gap))
    layout = RobotLayout(text, status)
    if width < 280 or height < 200:
        side = max(1, min(room.height, round((room.width - gap) / (1 + WRIST_SHARE))))
        _cameras(layout, room.left, room.top, side, gap)
        layout.bars = _nowhere()
        return layout
    head = round(2.4 * text)
    layout.head = pygame.Rect(room.left, room.top, room.width, head)
    room.top, room.height = room.top + head + gap, max(1, room.height - head - gap)
    place = _wide if width >= height * 1.05 else _narrow
    place(layout, room, gap, foresees)
    return layout


def _cameras(layout: RobotLayout, left: int, top: int, side: int, gap: int) -> None:
    """The large picture, beside it the small one, and below that the bars."""
    wrist = round(WRIST_SHARE * side)
    layout.scene = pygame.Rect(left, top, side, side)
    layout.wrist = pygame.Rect(left + side + gap, top, wrist, wrist)
    layout.bars = pygame.Rect(layout.wrist.left, top + wrist + gap, wrist, max(0, side - wrist - gap))


def _wide(layout: RobotLayout, room: pygame.Rect, gap: int, foresees: bool) -> None:
    text = layout.text
    panel = min(max(round(0.3 * room.width), 15 * text), 28 * text, room.width // 2)
    strip = round(room.height * 0.27) if foresees and room.height >= 20 * text else 0
    above = room.height - (strip + gap if strip else 0)
    side = max(1, min(above, round((room.width - panel - 2 * gap) / (1 + WRIST_SHARE))))
    if strip:  # what the cameras leave of the height
        strip = min(room.height - side - gap, round(strip * 1.35))
    taken = side + gap + round(WRIST_SHARE * side)
    panel = min(28 * text, room.width - taken - gap)
    shift = (room.width - taken - gap - panel) // 2
    _cameras(layout, room.left + shift, room.top, side, gap)
    below = side >= PANEL_LINES * text  # the panel needs no more height than the cameras
    if strip:
        across = taken + (gap + panel if below else 0)
        layout.strip = pygame.Rect(layout.scene.left, room.top + side + gap, across, strip)
    layout.panel = pygame.Rect(layout.wrist.right + gap, room.top, panel, side if strip and below else room.height)


def _narrow(layout: RobotLayout, room: pygame.Rect, gap: int, foresees: bool) -> None:
    text = layout.text
    side = max(1, min(round(room.height * 0.4), round((room.width - gap) / (1 + WRIST_SHARE))))
    taken = side + gap + round(WRIST_SHARE * side)
    _cameras(layout, room.left + (room.width - taken) // 2, room.top, side, gap)
    top = room.top + side + gap
    strip = round(room.height * 0.2) if foresees and room.height >= 30 * text else 0
    if strip:
        layout.strip = pygame.Rect(room.left, top, room.width, strip)
        top += strip + gap
    layout.panel = pygame.Rect(room.left, top, room.width, max(0, room.bottom - top))
