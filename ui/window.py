"""A window: opens and closes it, turns keys into actions, and shows the screen of the moment."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Protocol

import pygame

from envs.errors import UserError
from ui.keymap import POINTER, Binding, chords
from ui.screen import Screen, Surroundings, draw_help
from ui.settings import Settings
from ui.sound import Sounds
from ui.theme import DESIGN_SIZE, scale_of

_MOVING = 0.2  # seconds between pictures in which only dots move
_WHILE_READING = ("help", "leave", "quit")  # what acts while the help is open: nobody resigns by trying what it lists


class NoDisplayError(UserError):
    """Raised when no window can be opened."""


class Played(Protocol):
    """What a window shows and keeps: a match, a dream, a robot at work."""

    failure: Exception | None

    def close(self) -> object:
        """Save what is to be kept and let the workers go."""
        ...


class Window:
    """A resizable window that shows one screen at a time; kinds of windows say which.

    `run` is the whole life of the window; `step` is one round of it, for tests and for embedding.

    Attributes:
        screen: what is shown now.
        bindings: the keys that mean something on the screen.
        ticks: how often a second events and answers are looked after.
        without_display: what to do where no window can be opened.
    """

    screen: Screen
    ticks = 30
    without_display = "use --ui terminal"

    def __init__(self, settings: Settings | None, size: tuple[int, int] | None, title: str) -> None:
        """Open the window; raises NoDisplayError where there is no display.

        Args:
            settings: what was remembered; None remembers nothing.
            size: in pixels; None makes it fit the display.
            title: of the window.
        """
        settings = settings or Settings()
        self.surroundings = Surroundings(settings, Sounds(settings))
        try:
            pygame.display.init()
            pygame.font.init()
            size = size or _fitting_size()
            self.surface = pygame.display.set_mode(size, pygame.RESIZABLE)
        except pygame.error as error:
            pygame.display.quit()
            raise NoDisplayError(f"no window can be opened ({error}); {self.without_display}") from error
        pygame.display.set_caption(title)
        pygame.key.set_repeat()  # a key that is held is one press: nobody resigns by leaning on it
        self.help = False
        self.bindings: list[Binding] = []
        self.keys: dict[tuple[int, bool, bool], str] = {}
        self.actions: dict[str, Callable[[], object]] = {
            "theme": self.surroundings.settings.next_theme,
            "sound": self._toggle_sound,
            "help": self._toggle_help,
            "fullscreen": self._toggle_fullscreen,
            "quit": self._quit,
        }
        self._windowed_size = size
        self._open = True
        self._drawn_at = 0.0
        self._dirty = True

    def played(self) -> Iterable[Played]:
        """What is to be closed with the window, and ends it when it fails."""
        return ()

    def give_up(self, played: Played) -> None:
        """What cannot go on ends the window."""
        self._open = False

    def attend(self) -> bool:
        """Look after what happens by itself; returns whether the picture changes."""
        return self.screen.poll()

    def run(self) -> None:
        """Serve the window until it is closed and save what was played; raises the failure that ended it, if any."""
        clock = pygame.time.Clock()
        try:
            while self.step():
                clock.tick(self.ticks)
        finally:
            self.close()
        for played in self.played():
            if played.failure is not None:
                raise played.failure

    def step(self) -> bool:
        """Take in events and answers and draw what changed; returns whether the window stays open."""
        for event in pygame.event.get():
            self._handle(event)
        if self.attend():
            self._dirty = True
        for played in tuple(self.played()):
            if played.failure is not None:
                self.give_up(played)
        if self._open and (self._dirty or (time.monotonic() - self._drawn_at >= _MOVING and self.screen.moves())):
            self.draw()
        return self._open

    def close(self) -> None:
        """Save what was played and take the window away."""
        self._open = False
        for played in self.played():
            played.close()
        self.surroundings.sounds.close()
        pygame.display.quit()

    def enter(self, screen: Screen) -> None:
        """Show a screen, with its keys."""
        self.screen, self._dirty = screen, True
        known = {*self.actions, *screen.actions}
        self.bindings = [b for b in screen.bindings if b.keys[0] in POINTER or b.action in known]
        self.keys = {(pygame.key.key_code(c.key), c.ctrl, c.shift): name for c, name in chords(self.bindings).items()}

    # Input

    def _handle(self, event: pygame.event.Event) -> None:
        if event.type == pygame.QUIT:
            self._quit()
        elif event.type == pygame.KEYDOWN:
            self._press(event)
        elif event.type == pygame.MOUSEBUTTONDOWN and self.help:
            self.help, self._dirty = False, True
        elif event.type in (pygame.WINDOWEXPOSED, pygame.WINDOWRESIZED, pygame.WINDOWSIZECHANGED, pygame.VIDEORESIZE):
            self._dirty = True
        elif not (self.help and event.type in (pygame.MOUSEMOTION, pygame.MOUSEWHEEL)):
            self._dirty = self.screen.handle(event) or self._dirty

    def _press(self, event: pygame.event.Event) -> None:
        held = getattr(event, "mod", 0)
        # AltGr, with which some keyboards type @ or \, comes as Ctrl and Alt.
        ctrl = bool(held & (pygame.KMOD_CTRL | pygame.KMOD_META)) and not held & pygame.KMOD_ALT
        shift = bool(held & pygame.KMOD_SHIFT)
        action = self.keys.get((event.key, ctrl, shift)) or self.keys.get((event.key, ctrl, False))
        self._dirty = True
        # While somebody types, Ctrl-V is the only key of the table that is held with another
        typed = not ctrl or action != "paste"
        if self.screen.typing and typed and not self.help and self.screen.handle(event):
            return
        if action is None:
            self.screen.handle(event)
        elif not self.help or action in _WHILE_READING:
            self.do(action)

    def do(self, action: str) -> None:
        """Carry out an action of the keymap, if it means anything now."""
        if action == "leave" and self.help:
            self.help = False
        elif (verb := self.actions.get(action) or self.screen.actions.get(action)) is not None:
            verb()
        self._dirty = True

    def _toggle_sound(self) -> None:
        audible = self.surroundings.sounds.toggle()
        on = self.surroundings.sounds.on
        self.screen.tell("Sound is on." if audible else "There is no sound device." if on else "Sound is off.")

    def _toggle_help(self) -> None:
        self.help = not self.help

    def _toggle_fullscreen(self) -> None:
        if self.surface.get_flags() & pygame.FULLSCREEN:
            self.surface = pygame.display.set_mode(self._windowed_size, pygame.RESIZABLE)
        else:
            self._windowed_size = self.surface.get_size()
            self.surface = pygame.display.set_mode((0, 0), pygame.FULLSCREEN)

    def _quit(self) -> None:
        self._open = False

    # Picture

    def draw(self) -> None:
        """Draw the whole window and show it."""
        surface = pygame.display.get_surface()
        assert surface is not None
        self.surface = surface
        now = time.monotonic()
        self.screen.draw(surface, now)
        if self.help:
            text = max(8, round(15 * scale_of(surface.get_size())))
            draw_help(surface, self.bindings, self.surroundings.theme, text)
        pygame.display.flip()
        self._drawn_at, self._dirty = now, False


def _fitting_size() -> tuple[int, int]:
    """The design's size, larger on displays with many pixels, and never larger than the display."""
    sizes = pygame.display.get_desktop_sizes() or [(1920, 1080)]
    width, height = sizes[0]
    factor = max(1.0, height / 1080)
    return (
        max(200, min(round(DESIGN_SIZE[0] * factor), round(width * 0.92))),
        max(150, min(round(DESIGN_SIZE[1] * factor), round(height * 0.86))),
    )
