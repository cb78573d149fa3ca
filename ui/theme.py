"""Colours, fonts and measures of the windows, in one place."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import pygame

Colour = tuple[int, int, int]

# The first of these that the system has; pygame's own font is bold and comes last.
_FONTS = "dejavusans,notosans,segoeui,helveticaneue,arial,liberationsans,freesans"

DESIGN_SIZE = (1100, 760)  # the window, in pixels, at which the scale is 1


@dataclass(frozen=True)
class Theme:
    """Colours as (red, green, blue) in 0..255.

    `grain` draws the board as wood between its two colours, else it is plain `board_light`. `rimmed` gives white
    stones a dark edge, for boards that are nearly white themselves.
    """

    name: str = "wood"
    background: Colour = (31, 34, 38)
    panel: Colour = (41, 45, 50)
    raised: Colour = (56, 61, 68)
    hovered: Colour = (72, 78, 87)
    edge: Colour = (66, 71, 79)
    text: Colour = (236, 231, 221)
    muted: Colour = (158, 157, 151)
    accent: Colour = (232, 171, 76)
    on_accent: Colour = (32, 28, 20)
    warning: Colour = (242, 122, 101)
    board_light: Colour = (227, 186, 119)
    board_dark: Colour = (201, 150, 84)
    grain: bool = True
    rimmed: bool = False
    line: Colour = (74, 51, 25)
    label: Colour = (96, 68, 36)
    candidate: Colour = (28, 94, 140)
    differs: Colour = (214, 52, 40)
    mark_on_black: Colour = (240, 236, 228)
    mark_on_white: Colour = (40, 40, 44)


WOOD = Theme()
SLATE = Theme(
    name="slate",
    background=(24, 28, 34),
    panel=(33, 39, 47),
    raised=(48, 56, 67),
    hovered=(64, 74, 87),
    edge=(62, 71, 83),
    text=(226, 232, 238),
    muted=(148, 159, 171),
    accent=(102, 199, 187),
    on_accent=(14, 32, 31),
    board_light=(122, 138, 151),
    board_dark=(108, 124, 138),
    grain=False,
    line=(44, 54, 64),
    label=(36, 45, 54),
    candidate=(20, 74, 118),
    differs=(196, 36, 44),
)
PAPER = Theme(
    name="paper",
    background=(236, 234, 228),
    panel=(250, 249, 245),
    raised=(222, 219, 210),
    hovered=(205, 201, 190),
    edge=(140, 136, 126),
    text=(20, 20, 20),
    muted=(82, 80, 76),
    accent=(158, 44, 26),
    on_accent=(255, 252, 246),
    warning=(164, 20, 20),
    board_light=(253, 251, 244),
    board_dark=(253, 251, 244),
    grain=False,
    rimmed=True,
    line=(30, 30, 30),
    label=(30, 30, 30),
    candidate=(18, 82, 160),
)
THEMES = {theme.name: theme for theme in (WOOD, SLATE, PAPER)}


def scale_of(size: tuple[int, int]) -> float:
    """How much larger than at DESIGN_SIZE everything is drawn in a window of `size` pixels."""
    return max(0.62, min(6.0, size[0] / DESIGN_SIZE[0], size[1] / DESIGN_SIZE[1]))


@lru_cache(maxsize=4)
def _font_file(bold: bool) -> str | None:
    return pygame.font.match_font(_FONTS, bold=bold)


@lru_cache(maxsize=96)
def load_font(size: int, bold: bool = False) -> pygame.font.Font:
    """Return the interface font at `size` pixels; pygame.font must be initialised."""
    return pygame.font.Font(_font_file(bold), max(8, size))
