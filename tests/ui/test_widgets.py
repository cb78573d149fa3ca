"""Small drawing parts."""

from __future__ import annotations

from collections.abc import Iterator

import pygame
import pytest

from ui.theme import load_font
from ui.widgets import fitting


@pytest.fixture(autouse=True)
def fonts() -> Iterator[None]:
    pygame.font.init()
    load_font.cache_clear()  # fonts of an earlier pygame.font are gone with it
    yield


def test_the_longest_text_that_fits_is_taken() -> None:
    texts = ("seen and imagined at move 6", "seen at move 6", "seen")
    widths = [load_font(12).size(text)[0] for text in texts]
    assert [fitting(texts, 12, width) for width in (1000, *widths)] == [texts[0], *texts]
    assert fitting(texts, 12, widths[1] - 1) == "seen" and fitting(texts, 12, 1) == "seen"
