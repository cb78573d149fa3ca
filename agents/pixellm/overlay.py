"""Answers as pictures: every target's pixels in a colour of its own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Colour = tuple[int, int, int]

# Told apart on wood, slate, tabletops and both colours of stones; the first are the furthest apart
TINTS: tuple[Colour, ...] = (
    (230, 25, 75), (0, 130, 200), (60, 180, 75), (240, 50, 230), (245, 130, 48), (70, 240, 240), (145, 30, 180),
    (255, 225, 25), (0, 128, 128), (170, 110, 40), (210, 245, 60), (128, 0, 0), (220, 190, 255), (128, 128, 0),
    (250, 190, 212), (0, 0, 128), (170, 255, 195), (255, 215, 180), (128, 128, 128), (255, 250, 200),
)  # fmt: skip
FILL = 0.5  # how much of the picture the tint covers within a target


def tint_of(number: int) -> Colour:
    """The colour of target `number`, counted from 0; from the twentieth on they come again."""
    return TINTS[number % len(TINTS)]


def ink_on(colour: Colour) -> Colour:
    """Black or white, whichever is the more readable on a colour."""
    red, green, blue = colour
    return (0, 0, 0) if 299 * red + 587 * green + 114 * blue > 140_000 else (255, 255, 255)


def edge_of(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The pixels of a mask bool (H, W) that have a neighbour outside it; what lies beyond the picture is outside."""
    wide = np.pad(mask, 1)
    inside = wide[:-2, 1:-1] & wide[2:, 1:-1] & wide[1:-1, :-2] & wide[1:-1, 2:]
    return np.asarray(mask & ~inside)


def overlay(image: NDArray[np.uint8], masks: Sequence[NDArray[np.bool_]] | NDArray[np.bool_]) -> NDArray[np.uint8]:
    """A picture uint8 (H, W, 3) with K masks bool (H, W) tinted and their edges drawn, uint8 (H, W, 3)."""
    picture = image.astype(np.float32)
    for number, mask in enumerate(masks):
        tint = np.array(tint_of(number), np.float32)
        picture[mask] = (1 - FILL) * picture[mask] + FILL * tint
        picture[edge_of(mask)] = tint
    return picture.round().astype(np.uint8)
