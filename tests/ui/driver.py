"""A window without a screen and the hands in front of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pygame

from envs.go.coords import gtp_to_point
from ui.board_window import BoardWindow
from ui.dream import Dream
from ui.dream_screen import DreamScreen
from ui.game_screen import GameScreen
from ui.keymap import parse_chord
from ui.match import Match
from ui.start_pages import ListPage, PlayerPage
from ui.start_rows import OTHER
from ui.start_screen import StartScreen
from ui.widgets import Button

Open = Callable[..., "Driver"]  # what the fixtures that open windows are

# Of windows, from such as show hardly more than the board to such as are larger than most screens.
SIZES = [(200, 150), (320, 240), (400, 300), (480, 800), (800, 480), (1600, 500), (2400, 1600), (4000, 3000)]


def at(name: str) -> int:
    """The point of a 9x9 board that GTP calls `name`."""
    return gtp_to_point(name, 9)


def played(driver: Driver, *names: str) -> None:
    """Click on points one after the other, and wait for the answers."""
    for name in names:
        driver.click(name)
        driver.until(lambda: driver.match.human_to_move and not driver.match.thinking)


class Driver:
    """Posts events and looks at what comes of them."""

    def __init__(self, match: Match | None = None, size: tuple[int, int] = (1000, 700), **options: Any) -> None:
        self.window = BoardWindow(match, size=size, **options)
        self.window.step()

    @property
    def match(self) -> Match:
        assert self.window.match is not None
        return self.window.match

    @property
    def screen(self) -> GameScreen:
        assert isinstance(self.window.screen, GameScreen)
        return self.window.screen

    @property
    def start(self) -> StartScreen:
        assert isinstance(self.window.screen, StartScreen)
        return self.window.screen

    @property
    def page(self) -> ListPage:
        assert self.start.page is not None
        return self.start.page

    @property
    def field(self) -> PlayerPage:
        assert isinstance(self.start.page, PlayerPage)
        return self.start.page

    @property
    def komi_place(self) -> pygame.Rect:
        """Where the komi is typed."""
        start = self.start
        return start._layout.choices[[row.name for row in start.rows].index("komi")][0]

    @property
    def dream(self) -> Dream:
        assert self.window.dream is not None
        return self.window.dream

    @property
    def asleep(self) -> DreamScreen:
        assert isinstance(self.window.screen, DreamScreen)
        return self.window.screen

    def post(self, kind: int, **values: Any) -> bool:
        pygame.event.post(pygame.event.Event(kind, **values))
        return self.window.step()

    def key(self, name: str, text: str = "") -> bool:
        chord = parse_chord(name)
        held = (pygame.KMOD_CTRL if chord.ctrl else 0) | (pygame.KMOD_SHIFT if chord.shift else 0)
        return self.post(pygame.KEYDOWN, key=pygame.key.key_code(chord.key), mod=held, unicode=text)

    def type(self, text: str) -> None:
        for letter in text:
            self.post(pygame.KEYDOWN, key=ord(letter), mod=0, unicode=letter)

    def move(self, position: tuple[int, int]) -> None:
        self.post(pygame.MOUSEMOTION, pos=position, rel=(0, 0), buttons=(0, 0, 0))

    def click(self, where: str | tuple[int, int]) -> bool:
        if isinstance(where, str):
            where = self.screen.board.centre(gtp_to_point(where, self.screen.board.size))
        return self.post(pygame.MOUSEBUTTONDOWN, pos=where, button=1)

    def press(self, action: str) -> bool:
        """Click a button of the panel."""
        screen = self.window.screen
        assert isinstance(screen, (GameScreen, DreamScreen))
        button = next(button for button in screen.panel.buttons if button.action == action)
        return self.click(button.rect.center)

    def choose(self, row: str, value: object) -> bool:
        """Click a choice of the start screen."""
        return self.click(self.choice(row, value).rect.center)

    def choice(self, row: str, value: object) -> Button:
        choices = next(r for r in self.start.rows if r.name == row).choices
        return self.start.buttons[row, [choice.value for choice in choices].index(value)]

    def take(self, row: str, description: str) -> None:
        """Type a player into a row of the start screen."""
        self.choose(row, OTHER)
        self.field.write("")
        self.type(description)
        self.key("return")

    def do(self, action: str) -> bool:
        """Click a button of the start screen."""
        button = next(b for (name, _), b in self.start.buttons.items() if name == "do" and b.action == action)
        return self.click(button.rect.center)

    def until(self, condition: Callable[[], object], seconds: float = 20.0) -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, "waited in vain"
            self.window.step()
            time.sleep(0.002)

    def resize(self, size: tuple[int, int]) -> None:
        pygame.display.set_mode(size, pygame.RESIZABLE)
        self.post(pygame.VIDEORESIZE, size=size, w=size[0], h=size[1])

    def picture(self, rect: pygame.Rect | None = None) -> np.ndarray:
        self.window.draw()
        pixels = pygame.surfarray.array3d(self.window.surface)
        return pixels if rect is None else pixels[rect.left : rect.right, rect.top : rect.bottom]
