"""Where things are in windows of any size."""

from __future__ import annotations

import pygame
import pytest

from ui.layout import lay_out

TALL_AND_NARROW = [(160, 500), (200, 400), (240, 900), (279, 450)]
SIZES = [*TALL_AND_NARROW, (300, 220), (360, 800), (640, 480), (900, 700), (1600, 300), (1920, 1080), (3840, 2160)]


@pytest.mark.parametrize("size", SIZES)
def test_nothing_overlaps_and_all_is_inside(size: tuple[int, int]) -> None:
    places = lay_out(size)
    parts = [part for part in (places.board, places.graph, places.panel, places.status) if part and part.height > 0]
    window = pygame.Rect(0, 0, *size)
    assert all(window.contains(part) for part in parts)
    assert not any(one.colliderect(other) for one in parts for other in parts if one is not other)
    assert places.board.width == places.board.height


@pytest.mark.parametrize("size", TALL_AND_NARROW)
def test_a_tall_window_has_its_panel_however_narrow_it_is(size: tuple[int, int]) -> None:
    places = lay_out(size)
    assert places.panel is not None and places.graph.height > 0
    assert places.board.width > 0.6 * size[0]


@pytest.mark.parametrize("size", [(240, 240), (150, 150), (150, 900), (900, 150), (1, 1)])
def test_a_small_window_is_all_board(size: tuple[int, int]) -> None:
    places = lay_out(size)
    assert places.panel is None and places.graph.height == 0 and places.board.width >= 1
