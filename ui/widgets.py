"""Small drawing parts for the windows: text, buttons, stones, wood and enlarged frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pygame
from numpy.typing import NDArray

from ui.theme import Colour, Theme, load_font

_TEXTURE = 512  # pixels along the edge of the wood before it is scaled to the board


@lru_cache(maxsize=512)
def text_surface(text: str, size: int, colour: Colour, bold: bool = False) -> pygame.Surface:
    """Return `text` on a transparent surface; lines that repeat from frame to frame are kept."""
    return load_font(size, bold).render(text, True, colour)


def draw_text(
    surface: pygame.Surface,
    text: str,
    position: tuple[float, float],
    size: int,
    colour: Colour,
    *,
    anchor: str = "topleft",
    bold: bool = False,
    width: int | None = None,
) -> pygame.Rect:
    """Draw one line with `anchor` (a `pygame.Rect` attribute) at `position`, cut with an ellipsis to `width` pixels."""
    if width is not None:
        text = shorten(text, size, width, bold)
    image = text_surface(text, size, colour, bold)
    rect = image.get_rect(**{anchor: (round(position[0]), round(position[1]))})
    surface.blit(image, rect)
    return rect


def shorten(text: str, size: int, width: int, bold: bool = False) -> str:
    """Return `text`, its end replaced by an ellipsis where it is wider than `width` pixels."""
    font = load_font(size, bold)
    if font.size(text)[0] <= width:
        return text
    keep = len(text)
    while keep > 0 and font.size(text[:keep].rstrip() + "…")[0] > width:
        keep -= 1
    return text[:keep].rstrip() + "…" if keep else ""


def fitting(texts: Sequence[str], size: int, width: int, bold: bool = False) -> str:
    """Return the first of `texts`, the longest first, that is not wider than `width` pixels; the last if none is."""
    font = load_font(size, bold)
    return next((text for text in texts if font.size(text)[0] <= width), texts[-1])


def wrap(text: str, size: int, width: int) -> list[str]:
    """Return `text` broken at blanks into lines of at most `width` pixels; a longer word stands alone."""
    font = load_font(size)
    lines: list[str] = []
    for word in text.split():
        if lines and font.size(f"{lines[-1]} {word}")[0] <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


@dataclass
class Button:
    """A labelled rectangle that stands for an action of the keymap; `chosen` shows it as the one of several."""

    action: str
    label: str
    rect: pygame.Rect
    enabled: bool = True
    chosen: bool = False

    def draw(self, surface: pygame.Surface, theme: Theme, pointer: tuple[int, int]) -> None:
        """Draw the button, brighter while `pointer` is over it."""
        over = self.enabled and self.rect.collidepoint(pointer)
        radius = max(3, self.rect.height // 5)
        fill = theme.accent if self.chosen else theme.hovered if over else theme.raised if self.enabled else theme.panel
        draw_box(surface, self.rect, fill, radius, None if self.enabled else theme.edge)
        size = max(8, round(self.rect.height * 0.45))
        colour = theme.on_accent if self.chosen else theme.text if self.enabled else theme.muted
        room = max(1, self.rect.width - 4)
        while size > 8 and load_font(size).size(self.label)[0] > room:
            size -= 1
        draw_text(surface, self.label, self.rect.center, size, colour, anchor="center", width=room)


def place_buttons(buttons: Sequence[Button], rect: pygame.Rect, text: int) -> pygame.Rect:
    """Put buttons with words `text` pixels high at the lower end of `rect`; returns the part they take."""
    gap, height, count = max(2, text // 2), round(2.2 * text), len(buttons)
    rows = -(-count // max(1, min(count, round(rect.width // (6.4 * text)))))
    columns = -(-count // rows)
    height = max(1, min(height, (rect.height - (rows - 1) * gap) // rows))
    taken = pygame.Rect(rect.left, 0, rect.width, rows * (height + gap) - gap)
    taken.bottom = rect.bottom
    for index, button in enumerate(buttons):
        row, col = divmod(index, columns)
        in_row = min(columns, count - row * columns)
        width = (rect.width - (in_row - 1) * gap) / in_row
        left = rect.left + round(col * (width + gap))
        button.rect = pygame.Rect(left, taken.top + row * (height + gap), round(width), height)
    return taken


@lru_cache(maxsize=32)
def stone_surface(diameter: int, black: bool, rimmed: bool = False) -> pygame.Surface:
    """Return an anti-aliased, softly lit stone of `diameter` pixels on a transparent square, `rimmed` with an edge."""
    extent = max(4, diameter)
    centre = (np.arange(extent) + 0.5) / extent * 2 - 1
    x, y = np.meshgrid(centre, centre)
    distance = np.hypot(x, y)
    coverage = np.clip((1 - distance) * extent / 2, 0, 1)  # one pixel of soft edge
    height = np.sqrt(np.clip(1 - distance**2, 0, 1))
    light = np.clip((-0.45 * x - 0.55 * y + 0.75 * height) / 1.03, 0, 1)
    gleam = np.exp(-((x + 0.36) ** 2 + (y + 0.42) ** 2) / 0.09)
    if black:
        shade = 22 + 38 * light + 62 * gleam
        tint = np.array([0.97, 0.99, 1.04])
    else:
        shade = 196 + 50 * light + 16 * gleam
        tint = np.array([1.0, 0.99, 0.965])
    if rimmed:
        inside = np.clip((1 - distance) * extent / 2 - max(1.0, extent / 32), 0, 1)
        shade = 40 + (shade - 40) * inside
    return _rgba(shade[..., None] * tint, coverage * 255)


@lru_cache(maxsize=8)
def shadow_surface(diameter: int) -> pygame.Surface:
    """Return the soft shadow of a stone, a little wider than the stone itself."""
    extent = max(4, round(diameter * 1.24))
    centre = (np.arange(extent) + 0.5) / extent * 2 - 1
    x, y = np.meshgrid(centre, centre)
    fall = np.clip((1 - np.hypot(x, y)) / 0.34, 0, 1)
    return _rgba(np.zeros((extent, extent, 3)), 105 * fall * fall * (3 - 2 * fall))


@lru_cache(maxsize=2)
def _wood_texture(light: Colour, dark: Colour) -> pygame.Surface:
    rng = np.random.default_rng(7)
    rows, cols = np.mgrid[0:_TEXTURE, 0:_TEXTURE] / _TEXTURE
    # Grain runs upwards: lines of the column, bent a little by slow waves of the row.
    bend = 0.035 * np.sin(2.3 * rows * np.pi + 1.0) + 0.012 * np.sin(7.1 * rows * np.pi + cols * 4)
    across = (cols + bend) * 60
    rings = 0.5 + 0.5 * np.sin(across + 2.2 * np.sin(across * 0.13))
    fibre = np.repeat(rng.normal(0, 1, (_TEXTURE // 64, _TEXTURE)), 64, axis=0)
    fibre = 0.5 * (fibre + np.roll(fibre, 32, axis=0))
    mix = np.clip(0.30 + 0.34 * rings + 0.07 * fibre, 0, 1)[..., None]
    rgb = (1 - mix) * np.array(light) + mix * np.array(dark)
    return _rgba(rgb, np.full(rgb.shape[:2], 255.0))


def board_surface(extent: int, theme: Theme) -> pygame.Surface:
    """Return a bare square of the theme's board material, `extent` pixels wide."""
    if not theme.grain:
        plain = pygame.Surface((extent, extent))
        plain.fill(theme.board_light)
        return plain
    return pygame.transform.smoothscale(_wood_texture(theme.board_light, theme.board_dark), (extent, extent))


def frame_surface(frame: NDArray[np.uint8], extent: int) -> pygame.Surface:
    """Return a frame, uint8 (S, S, 3), as a square of `extent` pixels in which its own pixels stay visible.

    It is enlarged by a whole factor with hard edges, then made smaller smoothly, so that all its pixels come out
    equally large whatever `extent` is.
    """
    height, width = frame.shape[:2]
    return _enlarged(np.ascontiguousarray(frame).tobytes(), width, height, max(1, extent))


@lru_cache(maxsize=48)
def _enlarged(pixels: bytes, width: int, height: int, extent: int) -> pygame.Surface:
    image = pygame.image.frombuffer(pixels, (width, height), "RGB")
    factor = max(1, -(-extent // width))
    image = pygame.transform.scale(image, (width * factor, height * factor))
    return image if image.get_size() == (extent, extent) else pygame.transform.smoothscale(image, (extent, extent))


def draw_bar(surface: pygame.Surface, rect: pygame.Rect, share: float, colour: Colour, back: Colour) -> None:
    """Draw a horizontal bar filled to `share` (0..1)."""
    pygame.draw.rect(surface, back, rect, border_radius=2)
    filled = rect.copy()
    filled.width = max(2, round(rect.width * min(max(share, 0.0), 1.0)))
    pygame.draw.rect(surface, colour, filled, border_radius=2)


def _rgba(rgb: NDArray[np.float64], alpha: NDArray[np.float64]) -> pygame.Surface:
    """Return a surface from float colours (H, W, 3) and alpha (H, W), both 0..255."""
    pixels = np.dstack([np.clip(rgb, 0, 255), alpha]).astype(np.uint8)
    image = pygame.image.frombuffer(pixels.tobytes(), (pixels.shape[1], pixels.shape[0]), "RGBA")
    return image.convert_alpha()


def draw_ring(surface: pygame.Surface, centre: tuple[int, int], radius: int, width: int, colour: Colour) -> None:
    """Draw a smooth ring: four times as large, then scaled down."""
    image = _ring(max(1, radius), max(1, width), colour)
    surface.blit(image, image.get_rect(center=centre))


@lru_cache(maxsize=64)
def _ring(radius: int, width: int, colour: Colour) -> pygame.Surface:
    extent = 2 * radius + 4
    big = pygame.Surface((4 * extent, 4 * extent), pygame.SRCALPHA)
    big.fill((*colour, 0))
    pygame.draw.circle(big, colour, (2 * extent, 2 * extent), 4 * radius, width=4 * width)
    return pygame.transform.smoothscale(big, (extent, extent))


@lru_cache(maxsize=256)
def disc_surface(radius: int, colour: Colour, alpha: int = 255) -> pygame.Surface:
    """Return a smooth disc."""
    extent = 2 * radius + 2
    big = pygame.Surface((4 * extent, 4 * extent), pygame.SRCALPHA)
    big.fill((*colour, 0))
    pygame.draw.circle(big, (*colour, alpha), (2 * extent, 2 * extent), 4 * radius)
    return pygame.transform.smoothscale(big, (extent, extent))


def draw_box(surface: pygame.Surface, rect: pygame.Rect, fill: Colour, radius: int, edge: Colour | None = None) -> None:
    """Draw a rectangle with smooth round corners, with a thin `edge` if one is given."""
    if rect.width > 0 and rect.height > 0:
        surface.blit(_box(rect.size, fill, max(1, radius), edge), rect)


@lru_cache(maxsize=96)
def _box(size: tuple[int, int], fill: Colour, radius: int, edge: Colour | None) -> pygame.Surface:
    """Plain in the middle; the corners are drawn four times as large and scaled down."""
    radius = min(radius, size[0] // 2, size[1] // 2)
    box = pygame.Surface(size, pygame.SRCALPHA)
    box.fill((*fill, 255))
    if edge is not None:
        pygame.draw.rect(box, edge, box.get_rect(), width=1)
    if radius < 2:
        return box
    round_part = pygame.Surface((8 * radius, 8 * radius), pygame.SRCALPHA)
    round_part.fill((*(edge or fill), 0))
    pygame.draw.circle(round_part, edge or fill, (4 * radius, 4 * radius), 4 * radius)
    if edge is not None:
        pygame.draw.circle(round_part, fill, (4 * radius, 4 * radius), 4 * radius - 4)
    corners = pygame.transform.smoothscale(round_part, (2 * radius, 2 * radius))
    for right in (0, 1):
        for low in (0, 1):
            place = (right * (size[0] - radius), low * (size[1] - radius))
            box.fill((0, 0, 0, 0), (*place, radius, radius))
            box.blit(corners, place, (right * radius, low * radius, radius, radius))
    return box
