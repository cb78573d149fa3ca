"""Colours, fonts and measures of the windows, in one place."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import pygame

Colour = tuple[int, int, int]

# The first of these that the system has; pygame's own font is bold and comes last.
_FONTS = "dejavusans,notosans,segoeui,helveticaneue,arial,liberationsans,freesans"


@dataclass(frozen=True)
class Theme:
    """Colours as (red, green, blue) in 0..255."""

    background: Colour = (31, 34, 38)
    panel: Colour = (41, 45, 50)
    raised: Colour = (56, 61, 68)
    hovered: Colour = (72, 78, 87)
    edge: Colour = (66, 71, 79)
    text: Colour = (236, 231, 221)
    muted: Colour = (158, 157, 151)
    accent: Colour = (232, 171, 76)
    warning: Colour = (242, 122, 101)
    wood_light: Colour = (227, 186, 119)
    wood_dark: Colour = (201, 150, 84)
    line: Colour = (74, 51, 25)
    label: Colour = (96, 68, 36)
    candidate: Colour = (28, 94, 140)
    mark_on_black: Colour = (240, 236, 228)
    mark_on_white: Colour = (40, 40, 44)


@lru_cache(maxsize=64)
def load_font(size: int, bold: bool = False) -> pygame.font.Font:
    """Return the interface font at `size` pixels; pygame.font must be initialised."""
    path = pygame.font.match_font(_FONTS, bold=bold)
    return pygame.font.Font(path, max(8, size))
