"""The agent's frames: what came above, and below it what it had foreseen; to the right what it foresees now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pygame
from numpy.typing import NDArray

from ui.robot_rig import Look
from ui.theme import Theme
from ui.widgets import draw_box, draw_text, wrap

_NOTHING = "Here the frames appear that the agent foresees while it acts."
_KEPT = 64  # frames, and pairs of them
_LEAST = 24  # px; frames lower than that show nothing


class Pair(NamedTuple):
    """A look's frame uint8 (H, W, 3) and the one that had been foreseen for it, each None where there is none."""

    when: str
    came: NDArray[np.uint8] | None
    foreseen: NDArray[np.uint8] | None


def foreseen_for(looks: Sequence[Look], place: int, pitch: int) -> NDArray[np.uint8] | None:
    """The frame that the last look but this one foresaw for the moment of this one; None where none did.

    pitch: steps between the frames that are foreseen.
    """
    for earlier in reversed(looks[:place]):
        ahead, odd = divmod(looks[place].step - earlier.step, pitch)
        imagined = earlier.thought.imagined
        if not odd and imagined is not None and 0 < ahead <= len(imagined):
            return imagined[ahead - 1]
    return None


def pairs_of(looks: Sequence[Look], pitch: int, past: int, future: int) -> list[Pair]:
    """The last `past` looks and `future` frames ahead."""
    pairs = []
    for place in range(max(0, len(looks) - past), len(looks)):
        look = looks[place]
        words = f"step {look.step}"
        pairs.append(Pair(words, look.thought.frame, foreseen_for(looks, place, pitch)))
    imagined = looks[-1].thought.imagined if looks else None
    for ahead in range(future if imagined is not None else 0):
        assert imagined is not None
        frame = imagined[ahead] if ahead < len(imagined) else None
        pairs.append(Pair(f"+{(ahead + 1) * pitch}", None, frame))
    return pairs


def difference(pair: Pair) -> float | None:
    """How far apart the two frames are on average, in grey levels of 255."""
    if pair.came is None or pair.foreseen is None:
        return None
    return float(np.abs(pair.came.astype(np.int16) - pair.foreseen).mean())


class FutureStrip:
    """Two rows of frames in a box."""

    def __init__(self) -> None:
        self.rect = pygame.Rect(0, 0, 0, 0)
        self.text = 14
        # By where their pixels lie, which stays theirs as long as they are kept here.
        self._scaled: dict[tuple[int, int, int], tuple[NDArray[np.uint8], pygame.Surface]] = {}
        self._off: dict[tuple[int, int], tuple[Pair, float | None]] = {}

    def place(self, rect: pygame.Rect, text: int) -> None:
        """Take `rect`, with words `text` pixels high."""
        self.rect, self.text = rect, text

    def draw(self, surface: pygame.Surface, looks: Sequence[Look], pitch: int, theme: Theme) -> None:
        """Draw the frames around the last look; pitch: steps between those that are foreseen."""
        rect, small = self.rect, max(8, self.text - 3)
        line, pad = round(1.35 * small), max(3, self.text // 2)
        height = (rect.height - 2 * pad - 2 * line) // 2
        if height < _LEAST:
            return
        draw_box(surface, rect, theme.panel, max(3, self.text // 2))
        labels = 5 * small
        left, top = rect.left + pad, rect.top + pad + line
        if not looks:
            told = wrap(_NOTHING, small + 1, rect.width - 4 * pad)
            for number, words in enumerate(told):
                centre = (rect.centerx, rect.centery + round((number - (len(told) - 1) / 2) * 1.4 * small))
                draw_text(surface, words, centre, small + 1, theme.muted, anchor="center", width=rect.width - 2 * pad)
            return
        shape = looks[-1].thought.frame.shape
        width = round(height * shape[1] / shape[0])
        count = max(2, (rect.width - 2 * pad - labels + pad) // (width + pad))
        future = min(4, max(1, count // 2))
        pairs = pairs_of(looks, pitch, count - future, future)
        below = top + height + line
        for words, middle in (("came", top + height // 2), ("foreseen", below + height // 2)):
            draw_text(surface, words, (left, middle), small, theme.muted, anchor="midleft", width=labels)
        left += labels
        pitch_px = min(1.3 * (width + pad), (rect.right - left) / count)
        for number, pair in enumerate(pairs[-count:]):
            x, now = left + round(number * pitch_px), pair.came is looks[-1].thought.frame
            where = (x + width // 2, rect.top + pad)
            colour = theme.accent if now else theme.muted
            draw_text(surface, pair.when, where, small, colour, anchor="midtop", width=width, bold=now)
            upper, lower = pygame.Rect(x, top, width, height), pygame.Rect(x, below, width, height)
            for frame, place in ((pair.came, upper), (pair.foreseen, lower)):
                if frame is not None:
                    surface.blit(self._small(frame, place.size), place)
                elif pair.came is None and place is upper:
                    continue
                else:
                    pygame.draw.rect(surface, theme.edge, place, width=1)
            if now:
                pygame.draw.rect(surface, theme.accent, upper.inflate(2, 2), width=2)
            off = self._difference(pair)
            if off is not None:
                between = (x + width // 2, upper.bottom + line // 2)
                draw_text(surface, f"off by {off:.1f}", between, small, theme.muted, anchor="center", width=width)
            elif pair.came is None and number == len(pairs[-count:]) - future:
                between = (x, upper.bottom + line // 2)
                draw_text(surface, "steps ahead", between, small, theme.muted, anchor="midleft", width=2 * width)

    def _small(self, frame: NDArray[np.uint8], size: tuple[int, int]) -> pygame.Surface:
        key = (_place(frame), *size)
        if key not in self._scaled:
            if len(self._scaled) >= _KEPT:
                self._scaled.clear()
            self._scaled[key] = frame, scaled(frame, size)
        return self._scaled[key][1]

    def _difference(self, pair: Pair) -> float | None:
        key = (_place(pair.came), _place(pair.foreseen))
        if key not in self._off:
            if len(self._off) >= _KEPT:
                self._off.clear()
            self._off[key] = pair, difference(pair)
        return self._off[key][1]


def _place(frame: NDArray[np.uint8] | None) -> int:
    return 0 if frame is None else int(frame.ctypes.data)


def scaled(picture: NDArray[np.uint8], size: tuple[int, int]) -> pygame.Surface:
    """A camera's picture uint8 (H, W, 3), smoothly scaled to a width and height."""
    height, width = picture.shape[:2]
    image = pygame.image.frombuffer(np.ascontiguousarray(picture).tobytes(), (width, height), "RGB")
    return pygame.transform.smoothscale(image, size)
