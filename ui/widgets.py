"""Small drawing parts for the windows: text, buttons, stones, wood and enlarged frames."""

from __future__ import annotations

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
    """A labelled rectangle that stands for an action of the keymap."""

    action: str
    label: str
    rect: pygame.Rect
    enabled: bool = True

    def draw(self, surface: pygame.Surface, theme: Theme, pointer: tuple[int, int]) -> None:
        """Draw the button, brighter while `pointer` is over it."""
        over = self.enabled and self.rect.collidepoint(pointer)
        pygame.draw.rect(surface, theme.hovered if over else theme.raised, self.rect, border_radius=7)
        size = max(11, min(15, self.rect.height - 14))
        colour = theme.text if self.enabled else theme.muted
        draw_text(surface, self.label, self.rect.center, size, colour, anchor="center", width=self.rect.width - 6)


@lru_cache(maxsize=32)
def stone_surface(diameter: int, black: bool) -> pygame.Surface:
    """Return an anti-aliased, softly lit stone of `diameter` pixels on a transparent square."""
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
    return _rgba(shade[..., None] * tint, coverage * 255)


@lru_cache(maxsize=8)
def shadow_surface(diameter: int) -> pygame.Surface:
    """Return the soft shadow of a stone, a little wider than the stone itself."""
    extent = max(4, round(diameter * 1.24))
    centre = (np.arange(extent) + 0.5) / extent * 2 - 1
    x, y = np.meshgrid(centre, centre)
    fall = np.clip((1 - np.hypot(x, y)) / 0.34, 0, 1)
    return _rgba(np.zeros((extent, extent, 3)), 105 * fall * fall * (3 - 2 * fall))


@lru_cache(maxsize=1)
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


def wood_surface(extent: int, theme: Theme) -> pygame.Surface:
    """Return a square of wood of `extent` pixels."""
    return pygame.transform.smoothscale(_wood_texture(theme.wood_light, theme.wood_dark), (extent, extent))


def frame_surface(frame: NDArray[np.uint8], extent: int) -> pygame.Surface:
    """Return a frame, uint8 (S, S, 3), as a square of `extent` pixels in which its own pixels stay visible.

    It is enlarged by a whole factor with hard edges, then made smaller smoothly, so that all its pixels come out
    equally large whatever `extent` is.
    """
    height, width = frame.shape[:2]
    image = pygame.image.frombuffer(np.ascontiguousarray(frame).tobytes(), (width, height), "RGB")
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
