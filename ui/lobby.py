"""What can be played: who may sit where, under which settings, and the match or dream that comes of it. No pixels."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from agents.contestants import HELP, Contestant, parse_contestant
from agents.players import BackgroundPlayer, Player
from envs.errors import UserError
from envs.go.engines import EngineError, gnugo_command, katago_command, pachi_command
from envs.go.renderer import STYLE_WITH_TURN, check_shows_turn
from envs.go.rules import BLACK, KO_RULES, WHITE, GoGame
from ui.dream import Dream
from ui.match import Match
from ui.record import GameRecord

if TYPE_CHECKING:  # Gymnasium, behind it, is left to the dream's worker
    from envs.dream import Dreamer, DreamGoEnv

HUMAN, AGENT = "human", "agent"
AUTOMATIC = "automatic"  # ko rule: the engines' where one plays
EVEN_KOMI, HANDICAP_KOMI = 7.0, 0.5
HANDICAPS = (0, 2, 3, 4, 5, 6, 7, 8, 9)
_ENGINES: dict[str, tuple[str, Callable[[], list[str]]]] = {
    "gnugo": ("GNU Go", gnugo_command),
    "pachi": ("Pachi", pachi_command),
    "katago": ("KataGo", katago_command),
}


@dataclass(frozen=True)
class Setup:
    """How a game begins.

    Attributes:
        black, white: HUMAN, AGENT, or a contestant's description (see `agents.contestants.HELP`).
        komi: points for White; None leaves it to the handicap.
        handicap: Black's stones at the start.
        ko_rule: one of KO_RULES, or AUTOMATIC: "simple" with engines, which know no other, else "positional", so
            that every game ends.
        temperature, symmetries: the agent's.
    """

    black: str = HUMAN
    white: str = AGENT
    komi: float | None = None
    handicap: int = 0
    ko_rule: str = AUTOMATIC
    temperature: float = 0.0
    symmetries: int = 1

    @property
    def points(self) -> float:
        """The komi that is played with."""
        return self.komi if self.komi is not None else HANDICAP_KOMI if self.handicap else EVEN_KOMI


@dataclass(frozen=True)
class Seat:
    """Who may play: the word for it in a `Setup`, its name, and why it cannot be had, "" if it can."""

    word: str
    label: str
    reason: str = ""


class Lobby:
    """Makes matches and dreams on boards of one size, the agent's.

    Attributes:
        size: of the boards.
        agent_name: what the agent is called until it is loaded.
        record: the record of the last match that was opened.
        last_dream: the last dream that was begun.
    """

    def __init__(
        self,
        size: int,
        load_agent: Callable[[Setup], Player],
        *,
        load_dreamer: Callable[[Setup], Dreamer] | None = None,
        style: str = STYLE_WITH_TURN,
        agent_name: str = "VideoWorld",
        seed: int = 0,
        sgf: Path | None = None,
        seconds: float | None = None,
    ) -> None:
        """Nothing is loaded yet.

        Args:
            size: points per side.
            load_agent: loads the agent with a setup's temperature and symmetries; is called in a thread.
            load_dreamer: the same for what dreams; None where there is nothing to dream with.
            style: of the agent's frames.
            agent_name: see above.
            seed: of all chance.
            sgf: where the first game is saved; later ones get a number. Copies go to its folder.
            seconds: how long engines may think about a move.
        """
        self.size = size
        self.agent_name = agent_name
        self.record: GameRecord | None = None
        self.last_dream: Dream | None = None
        self._load_agent, self._load_dreamer, self._style = load_agent, load_dreamer, style
        self._seed, self._sgf, self._seconds = seed, sgf, seconds
        self._ready: tuple[Setup, BackgroundPlayer] | None = None

    def preload(self, setup: Setup) -> None:
        """Begin to load the agent, so that it is there when the first game starts."""
        self._ready = (setup, self._agent(setup))

    def seats(self) -> list[Seat]:
        """Everybody who may play, with the reason where an engine is not installed."""
        found = [Seat(HUMAN, "You"), Seat(AGENT, self.agent_name)]
        for word, (label, command) in _ENGINES.items():
            try:
                command()
                reason = ""
            except UserError as error:
                reason = f"{label}: {error}"
            found.append(Seat(word, label, reason))
        found.insert(3, Seat("random", "Random"))
        return found

    def handicaps(self) -> list[int]:
        """The handicaps that the board has, 0 included."""
        odd_and_large = self.size % 2 and self.size >= 9
        most = 9 if odd_and_large else 4 if self.size >= 7 else 0
        return [stones for stones in HANDICAPS if stones <= most]

    def new_game(self, setup: Setup) -> GoGame:
        """The board at the start of a game; UserError if there is no such game."""
        if not math.isfinite(setup.points) or abs(setup.points) > self.size**2:
            most = self.size**2
            board = f"a {self.size}x{self.size} board"
            raise UserError(f"komi {setup.points:g} does not fit {board}; give -{most} to {most}")
        rule = setup.ko_rule
        if rule == AUTOMATIC:
            engines = any(c is not None and c.is_engine for c in self._contestants(setup))
            rule = "simple" if engines else "positional"
        if rule not in KO_RULES:
            raise UserError(f"ko rule {rule!r} is unknown; choose {AUTOMATIC} or one of {', '.join(KO_RULES)}")
        return GoGame(self.size, komi=setup.points, ko_rule=rule, handicap=setup.handicap)

    def check(self, setup: Setup) -> None:
        """Raise UserError if no match can come of `setup`; asks no engine and loads nothing."""
        for contestant in self._contestants(setup):
            if contestant is None:
                continue
            if contestant.is_engine:
                contestant.argv(0)
            elif contestant.kind == "checkpoint" and not Path(contestant.target, "config.yaml").is_file():
                raise UserError(f"there is no checkpoint in {contestant.target} (no config.yaml); give its folder")
        self.new_game(setup)

    def open(self, setup: Setup) -> Match:
        """Start a match; UserError as in `check`. The players are loaded meanwhile."""
        self.check(setup)
        agent = self._take_agent(setup)
        words = {BLACK: setup.black, WHITE: setup.white}
        seats: dict[int, Player | None] = {}
        for number, (colour, word) in enumerate(words.items()):
            contestant = _contestant(word)
            if contestant is not None:
                seats[colour] = self._invite(contestant, self._seed + number)
            else:
                seats[colour] = agent if word == AGENT else None
        self.record = GameRecord(self._sgf)
        copies = self._sgf.parent if self._sgf is not None else Path()
        new_game = functools.partial(self.new_game, setup)
        return Match(new_game, seats, record=self.record, adviser=agent, copies=copies)

    @property
    def can_dream(self) -> bool:
        """Whether there is something to dream with."""
        return self._load_dreamer is not None

    def check_dream(self, setup: Setup) -> None:
        """Raise UserError if no dream can come of `setup`; loads nothing."""
        check_shows_turn(self._style)
        self._first_position(setup)

    def dream(self, setup: Setup) -> Dream:
        """Begin a dream with a setup's komi, handicap, temperature and views; UserError as in `check_dream`.

        The human's colour is that of their seat, and Black if they have none or both.
        """
        self.check_dream(setup)
        load = self._load_dreamer
        assert load is not None
        colour = "white" if setup.white == HUMAN != setup.black else "black"

        def make() -> DreamGoEnv:
            from envs.dream import DreamGoEnv

            return DreamGoEnv(load(setup), komi=setup.points, agent_color=colour, temperature=setup.temperature)

        self.last_dream = Dream(make, name=self.agent_name, game=self._first_position(setup), seed=self._seed)
        return self.last_dream

    def _first_position(self, setup: Setup) -> GoGame:
        """The board before the first move of a dream, in which nobody else plays."""
        return self.new_game(replace(setup, black=HUMAN, white=AGENT))

    def _contestants(self, setup: Setup) -> list[Contestant | None]:
        return [_contestant(word) for word in (setup.black, setup.white)]

    def _invite(self, contestant: Contestant, seed: int) -> Player:
        if contestant.kind == "random":
            return contestant.make(seed)

        def load() -> Player:
            if contestant.size not in (None, self.size):
                sizes = f"{contestant.size}x{contestant.size}, not {self.size}x{self.size}"
                raise UserError(f"{contestant.target} plays {sizes}; choose another opponent")
            return contestant.make(seed, self._seconds, restart=True)

        return BackgroundPlayer(contestant.name, load, again=EngineError)

    def _agent(self, setup: Setup) -> BackgroundPlayer:
        return BackgroundPlayer(self.agent_name, functools.partial(self._load_agent, setup))

    def _take_agent(self, setup: Setup) -> BackgroundPlayer:
        ready, self._ready = self._ready, None
        if ready is not None and _how_it_plays(ready[0]) == _how_it_plays(setup):
            return ready[1]
        return self._agent(setup)


def seats_for(opponent: str, own_colour: int) -> tuple[str, str]:
    """Who plays Black and White in `play.py go --vs OPPONENT --color OWN`.

    The colour is the human's where there is one, else the agent's.
    """
    if opponent == "self":
        return AGENT, AGENT
    own, other = (HUMAN, AGENT) if opponent == HUMAN else (AGENT, opponent)
    return (own, other) if own_colour == BLACK else (other, own)


def _how_it_plays(setup: Setup) -> tuple[float, int]:
    return setup.temperature, setup.symmetries


def _contestant(word: str) -> Contestant | None:
    """The contestant that a word of a setup describes; None for the human and the agent."""
    if word in (HUMAN, AGENT):
        return None
    if not word.strip():
        raise UserError(f"a player has no name; give human, self, or one of: {HELP}")
    try:
        contestant = parse_contestant(word)
    except UserError as error:
        if re.fullmatch(r"\w+", word) and word not in _ENGINES:
            raise UserError(f"{word!r} is no player; give human, self, or one of: {HELP}") from error
        raise
    if word in _ENGINES:
        contestant.name = _ENGINES[word][0]
    elif word == "random":
        contestant.name = "Random"
    return contestant
