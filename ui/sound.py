"""The click of a stone, made of numbers; silent wherever sound cannot be had."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

import numpy as np
import pygame

from ui.settings import Settings

logger = logging.getLogger(__name__)

_RATE = 44_100  # samples a second
_SECONDS = 0.09


def click_samples() -> np.ndarray:
    """Return a stone set on wood, int16 (samples,): a short knock over the board's dull ring."""
    t = np.arange(int(_RATE * _SECONDS)) / _RATE
    noise = np.random.default_rng(5).normal(0, 1, len(t))
    knock = noise * np.exp(-t / 0.0016)
    ring = np.sin(2 * np.pi * 1150 * t) * np.exp(-t / 0.010) + 0.7 * np.sin(2 * np.pi * 430 * t) * np.exp(-t / 0.022)
    wave = 0.35 * knock + 0.5 * ring
    wave *= np.minimum(1, np.arange(len(t)) / 20)  # no step at the start
    return (wave / np.abs(wave).max() * 0.55 * 32767).astype(np.int16)


class Sounds:
    """Plays the click, if the settings and the machine allow it."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._click: pygame.mixer.Sound | None = None
        self._tried = False

    @property
    def on(self) -> bool:
        """Whether stones click: as the settings say, by default where there is a sound device."""
        return _device_likely() if self.settings.sound is None else self.settings.sound

    def toggle(self) -> bool:
        """Switch the sound and remember it; returns whether it can be heard now."""
        self.settings.sound = not self.on
        self.settings.save()
        return self.on and self._open() is not None

    def stone(self) -> None:
        """Let a stone click."""
        if self.on and (click := self._open()) is not None:
            click.play()

    def close(self) -> None:
        """Let go of the device."""
        if self._click is not None:
            self._click = None
            pygame.mixer.quit()

    def _open(self) -> pygame.mixer.Sound | None:
        if not self._tried:
            self._tried = True
            try:
                pygame.mixer.init(_RATE, -16, 1, 512)
                self._click = pygame.mixer.Sound(buffer=_as_opened(click_samples()))
            except (pygame.error, NotImplementedError, ImportError) as error:  # no device, or built without a mixer
                logger.debug("no sound: %s", error)
        return self._click


def _as_opened(samples: np.ndarray) -> bytes:
    """The samples once for each channel that the device was opened with."""
    opened = pygame.mixer.get_init()
    return np.repeat(samples, opened[2] if opened else 1).tobytes()


def _device_likely() -> bool:
    """Whether a sound device is worth a try: opening one that is not there prints and takes time."""
    driver = os.environ.get("SDL_AUDIODRIVER", "")
    if driver:
        return driver not in ("dummy", "disk", "none")
    if not sys.platform.startswith("linux"):
        return True
    running = Path(os.environ.get("XDG_RUNTIME_DIR", "/nowhere"))
    return Path("/dev/snd").exists() or (running / "pulse").exists() or (running / "pipewire-0").exists()
