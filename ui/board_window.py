"""The window: opens and closes it, turns keys into actions, and shows one screen after the other."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pygame

from envs.errors import UserError
from ui.dream import Dream
from ui.dream_screen import DreamScreen
from ui.game_screen import GameScreen
from ui.keymap import POINTER, Binding, chords
from ui.lobby import Lobby, Setup
from ui.match import Match
from ui.messages import WARNING, Message
from ui.screen import Screen, Surroundings, draw_help
from ui.settings import Settings
from ui.sound import Sounds
from ui.start_pages import sentence
from ui.start_screen import StartScreen
from ui.theme import DESIGN_SIZE, scale_of
from ui.thought_panel import STRIP

WATCHING_PACE = 0.6  # seconds between the moves of a game to watch, at least
_TICKS = 30  # how often a second events and answers are looked after
_MOVING = 0.2  # seconds between pictures in which only dots move
_WHILE_READING = ("help", "leave", "quit")  # what acts while the help is open: nobody resigns by trying what it lists


class NoDisplayError(UserError):
    """Raised when no window can be opened."""


class BoardWindow:
    """A resizable window for matches, with a screen to choose them, or a dream, if it has a lobby.

    `run` is the whole life of the window; `step` is one round of it, for tests and for embedding.

    Attributes:
        screen: what is shown now.
        match: the match that is played or waits behind the start screen or a dream; None before the first.
        dream: the dream that is shown, if one is.
        bindings: the keys that mean something on the screen.
    """

    def __init__(
        self,
        match: Match | None = None,
        *,
        lobby: Lobby | None = None,
        setup: Setup | None = None,
        settings: Settings | None = None,
        size: tuple[int, int] | None = DESIGN_SIZE,
        title: str = "VideoWorld Go",
    ) -> None:
        """Open the window; raises NoDisplayError where there is no display.

        Args:
            match: what is played first; without it the start screen is shown.
            lobby: makes further matches; without it "new game" starts the same kind of game again.
            setup: what the start screen begins with.
            settings: what was remembered; None remembers nothing.
            size: in pixels; None makes it fit the display.
            title: of the window.
        """
        if match is None and lobby is None:
            raise ValueError("a window needs a match or a lobby")
        settings = settings or Settings()
        self.surroundings = Surroundings(settings, Sounds(settings))
        self.lobby = lobby
        self.setup = setup or Setup()
        self.match: Match | None = None
        self.dream: Dream | None = None
        try:
            pygame.display.init()
            pygame.font.init()
            size = size or _fitting_size()
            self.surface = pygame.display.set_mode(size, pygame.RESIZABLE)
        except pygame.error as error:
            pygame.display.quit()
            raise NoDisplayError(f"no window can be opened ({error}); use --ui terminal") from error
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
        self.screen: Screen
        if match is not None:
            self.show(match)
        else:
            self.ask()

    def run(self) -> None:
        """Serve the window until it is closed and save what was played; raises the failure that ended it, if any."""
        clock = pygame.time.Clock()
        try:
            while self.step():
                clock.tick(_TICKS)
        finally:
            self.close()
        for played in (self.match, self.dream):
            if played is not None and played.failure is not None:
                raise played.failure

    def step(self) -> bool:
        """Take in events and answers and draw what changed; returns whether the window stays open."""
        for event in pygame.event.get():
            self._handle(event)
        match = self.match
        if self.screen.poll() or (match is not None and not isinstance(self.screen, GameScreen) and match.poll()):
            self._dirty = True
        for played in (match, self.dream):
            if played is not None and played.failure is not None:
                self._give_up(played)
        if self._open and (self._dirty or (time.monotonic() - self._drawn_at >= _MOVING and self.screen.moves())):
            self.draw()
        return self._open

    def close(self) -> None:
        """Save the game and the film and take the window away."""
        self._open = False
        for played in (self.match, self.dream):
            if played is not None:
                played.close()
        self.surroundings.sounds.close()
        pygame.display.quit()

    # Screens

    def show(self, match: Match) -> None:
        """Play `match` from now on; the one before is saved and let go."""
        if self.match is not None and self.match is not match:
            self.match.close(wait=False)
        self._end_dream()
        match.pace, match.foresight = WATCHING_PACE, STRIP
        self.match = match
        self._enter_game()

    def ask(self) -> None:
        """Show the start screen; the game on the board, if there is one, waits behind it."""
        assert self.lobby is not None
        if self.match is None:
            self.lobby.preload(self.setup)
        back = self._enter_game if self.match is not None else None
        dream = self._dream_of if self.lobby.can_dream else None
        self._enter(
            StartScreen(
                self.lobby,
                self.setup,
                self.surroundings,
                start=self._start,
                open_game=self._open_game,
                dream=dream,
                back=back,
            )  # fmt: skip
        )

    def show_dream(self, dream: Dream) -> None:
        """Dream from now on; the match on the board, if there is one, waits behind it."""
        self._end_dream()
        self.dream = dream
        screen = DreamScreen(dream, self.surroundings, self.do)
        screen.actions["leave"] = self._wake_up
        self._enter(screen)

    def _wake_up(self) -> None:
        """Leave the dream for the match that waits, or for the start screen."""
        told = self._end_dream()
        if self.match is not None:
            self._enter_game()
        else:
            self.ask()
        if told is not None:
            self.screen.tell(told.text, told.kind)

    def _end_dream(self) -> Message | None:
        """Let the dream go, if there is one; returns what became of its film."""
        dream, self.dream = self.dream, None
        return dream.close() if dream is not None else None

    def _give_up(self, played: Match | Dream) -> None:
        """Go on without what cannot: a mistake, such as a broken checkpoint, is told elsewhere, a bug ends all."""
        error, lobby = played.failure, self.lobby
        if lobby is None or not isinstance(error, UserError):
            self._open = False
            return
        if played is self.dream:
            self._wake_up()
        elif self.match is not None:
            self.match.close(wait=False)
            self.match = None
            if self.dream is None:
                self.ask()
        self.screen.tell(sentence(error), WARNING)

    def _enter(self, screen: Screen) -> None:
        self.screen, self._dirty = screen, True
        known = {*self.actions, *screen.actions}
        self.bindings = [b for b in screen.bindings if b.keys[0] in POINTER or b.action in known]
        self.keys = {(pygame.key.key_code(c.key), c.ctrl, c.shift): name for c, name in chords(self.bindings).items()}

    def _enter_game(self) -> None:
        assert self.match is not None
        screen = GameScreen(self.match, self.surroundings, self.do)
        if self.lobby is not None:
            screen.actions["new"] = self.ask
        self._enter(screen)

    def _start(self, setup: Setup) -> None:
        assert self.lobby is not None
        try:
            match = self.lobby.open(setup)
        except UserError as error:
            self.screen.tell(str(error), WARNING)
            return
        self.setup = setup
        self.show(match)

    def _dream_of(self, setup: Setup) -> None:
        assert self.lobby is not None
        self.setup = setup
        self.show_dream(self.lobby.dream(setup))

    def _open_game(self, path: Path) -> None:
        """Look at a record, behind which stands the match there is, or a new one."""
        if self.match is None:
            self._start(self.setup)
        else:
            self._enter_game()
        if self.match is not None:
            self.match.open_record(path)

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
        if self.screen.typing and not ctrl and not self.help and self.screen.handle(event):
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
