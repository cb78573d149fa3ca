"""A plain window for the render mode "human" of the environments."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium.error import DependencyNotInstalled

from envs.errors import UserError


class Viewer:
    """Shows pictures, one after the other; closed by its user it stays closed until `close` is called."""

    def __init__(self, title: str) -> None:
        self.title = title
        self._window: Any = None
        self._clock: Any = None
        self._unwatched = False  # somebody closed the window

    def show(self, picture: np.ndarray, fps: float) -> None:
        """Show a picture uint8 (H, W, 3), waiting so that at most `fps` come in a second.

        Raises:
            UserError: there is no display. DependencyNotInstalled: there is no pygame.
        """
        if self._unwatched:
            return
        try:
            import pygame
        except ImportError as error:
            raise DependencyNotInstalled("render_mode 'human' needs pygame: run `pip install pygame`") from error
        try:
            if self._window is None:
                pygame.display.init()
                pygame.display.set_caption(self.title)
                self._window = pygame.display.set_mode(picture.shape[1::-1])
                self._clock = pygame.time.Clock()
            if pygame.event.get(pygame.QUIT):
                self._unwatched = True
                self._close()
                return
            self._window.blit(pygame.image.frombuffer(picture.tobytes(), picture.shape[1::-1], "RGB"), (0, 0))
            pygame.display.flip()
        except pygame.error as error:
            self._window = None
            raise UserError(
                f"render_mode 'human' cannot show its window ({error}); give it a display or choose 'rgb_array'"
            ) from error
        self._clock.tick(fps)

    def close(self) -> None:
        """Take the window away, if there is one; it may be opened again."""
        self._close()
        self._unwatched = False

    def _close(self) -> None:
        if self._window is not None:
            import pygame

            pygame.display.quit()
            self._window = None
