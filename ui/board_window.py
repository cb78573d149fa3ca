"""The window for Go: the start screen, games and dreams, one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from envs.errors import UserError
from ui.dream import Dream
from ui.dream_screen import DreamScreen
from ui.game_screen import GameScreen
from ui.lobby import Lobby, Setup
from ui.match import Match
from ui.messages import WARNING, Message, sentence
from ui.settings import Settings
from ui.start_screen import StartScreen
from ui.theme import DESIGN_SIZE
from ui.thought_panel import STRIP
from ui.window import NoDisplayError, Played, Window

__all__ = ["WATCHING_PACE", "BoardWindow", "NoDisplayError"]

WATCHING_PACE = 0.6  # seconds between the moves of a game to watch, at least


class BoardWindow(Window):
    """A resizable window for matches, with a screen to choose them, or a dream, if it has a lobby.

    Attributes:
        match: the match that is played or waits behind the start screen or a dream; None before the first.
        dream: the dream that is shown, if one is.
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
        super().__init__(settings, size, title)
        self.lobby = lobby
        self.setup = setup or Setup()
        self.match: Match | None = None
        self.dream: Dream | None = None
        if match is not None:
            self.show(match)
        else:
            self.ask()

    def played(self) -> Iterator[Match | Dream]:
        """See `Window`."""
        yield from (played for played in (self.match, self.dream) if played is not None)

    def attend(self) -> bool:
        """See `Window`; a match goes on behind another screen."""
        behind = self.match if not isinstance(self.screen, GameScreen) else None
        return self.screen.poll() or (behind is not None and behind.poll())

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
        self.enter(
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
        self.enter(screen)

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

    def give_up(self, played: Played) -> None:
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

    def _enter_game(self) -> None:
        assert self.match is not None
        screen = GameScreen(self.match, self.surroundings, self.do)
        if self.lobby is not None:
            screen.actions["new"] = self.ask
        self.enter(screen)

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
