"""What can be played: who may sit where, under which settings, and the match or dream that comes of it. No pixels."""

from __future__ import annotations

import functools
import math
import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from agents.checkpoint_config import checkpoint_frames
from agents.contestants import HELP, Contestant, parse_contestant
from agents.players import BackgroundPlayer, Player
from envs.errors import UserError
from envs.go.engines import gnugo_command, katago_command, pachi_command
from envs.go.renderer import STYLE_WITH_TURN, check_shows_turn
from envs.go.rules import BLACK, KO_RULES, WHITE, GoGame, check_size, fixed_handicap
from ui.asker import Asker
from ui.dream import Dream
from ui.match import Match
from ui.record import GameRecord

if TYPE_CHECKING:  # Gymnasium, behind it, is left to the dream's worker
    from envs.dream import Dreamer, DreamGoEnv

HUMAN, AGENT = "human", "agent"
HUMAN_LABEL = "You"
AUTOMATIC = "automatic"  # ko rule: the engines' where one plays
EVEN_KOMI, HANDICAP_KOMI = 7.0, 0.5
HANDICAPS = (0, 2, 3, 4, 5, 6, 7, 8, 9)
SIZES = (5, 7, 9, 13, 19)  # that are offered; a player's own comes to them
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
        size: points per side; None takes the agent's.
        komi: points for White; None leaves it to the handicap.
        handicap: Black's stones at the start.
        ko_rule: one of KO_RULES, or AUTOMATIC: "simple" with engines, which know no other, else "positional", so
            that every game ends.
        seconds: how long engines that know time settings may think about a move; None leaves it to them.
        temperature, symmetries, lookahead: the agent's (see `GoAgent`).
    """

    black: str = HUMAN
    white: str = AGENT
    size: int | None = None
    komi: float | None = None
    handicap: int = 0
    ko_rule: str = AUTOMATIC
    seconds: float | None = None
    temperature: float = 0.0
    symmetries: int = 1
    lookahead: int = 0

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
    """Makes matches, and dreams on boards of the agent's size.

    Attributes:
        size: of the boards that the agent has learned.
        blind: why the agent cannot look ahead, a sentence; "" if it can.
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
        make_asker: Callable[[], Asker] = Asker,
        style: str = STYLE_WITH_TURN,
        blind: str = "",
        agent_name: str = "VideoWorld",
        seed: int = 0,
        sgf: Path | None = None,
    ) -> None:
        """Nothing is loaded yet.

        Args:
            size: see above.
            load_agent: loads the agent with a setup's temperature, symmetries and lookahead; is called in a thread.
            load_dreamer: the same for what dreams; None where there is nothing to dream with.
            make_asker: gives each match what answers questions about it.
            style: of the agent's frames.
            blind: why the agent cannot look ahead, a sentence; "" if it can.
            agent_name: see above.
            seed: of all chance.
            sgf: where the first game is saved; later ones get a number. Copies go to its folder.
        """
        self.size, self.blind = size, blind
        self.agent_name = agent_name
        self.record: GameRecord | None = None
        self.last_dream: Dream | None = None
        self._load_agent, self._load_dreamer, self._style = load_agent, load_dreamer, style
        self._make_asker = make_asker
        self._seed, self._sgf = seed, sgf
        self._ready: tuple[Setup, BackgroundPlayer] | None = None

    def preload(self, setup: Setup) -> None:
        """Begin to load the agent, so that it is there when the first game starts."""
        self._ready = (setup, self._agent(setup))

    def seats(self) -> list[Seat]:
        """Everybody who may play, with the reason where an engine is not installed."""
        found = [Seat(HUMAN, HUMAN_LABEL), Seat(AGENT, self.agent_name)]
        for word, (label, command) in _ENGINES.items():
            try:
                command()
                reason = ""
            except UserError as error:
                reason = f"{label}: {error}"
            found.append(Seat(word, label, reason))
        found.insert(3, Seat("random", "Random"))
        return found

    def name_of(self, word: str) -> str:
        """What the player behind a word of a setup is called until it is there."""
        try:
            contestant = _contestant(word)
        except UserError:
            return Path(word).name or word
        if contestant is None:
            return HUMAN_LABEL if word == HUMAN else self.agent_name
        return contestant.name

    def about(self, word: str) -> str:
        """One sentence on a player, for people who type it; UserError if it cannot be had. Starts and loads nothing."""
        contestant = self._player(word)
        if contestant is None or contestant.kind == "random":
            return f"The seat goes to {self.name_of(word)}."
        if contestant.is_engine:
            return f"{contestant.name} is an engine, started as {shlex.join(contestant.argv(0))}."
        learned = f" that has learned {contestant.size}x{contestant.size}" if contestant.size else ""
        return f"{contestant.name} is a checkpoint{learned}."

    def size_of(self, setup: Setup) -> int:
        """The size that is played on."""
        return self.size if setup.size is None else setup.size

    def sizes(self, setup: Setup) -> list[tuple[int, str]]:
        """The sizes to choose from, with the reason where a player of `setup` has not learned one."""
        learned = self._learned(setup)
        offered = sorted({*SIZES, self.size, self.size_of(setup), *(size for _, size in learned)})
        return [(size, next((_only(name, own) for name, own in learned if own != size), "")) for size in offered]

    def handicaps(self, size: int) -> list[tuple[int, str]]:
        """The handicaps to choose from, with the reason where a board of `size` has no such."""
        return [(stones, _why_no_handicap(size, stones)) for stones in HANDICAPS]

    def fitted(self, setup: Setup) -> tuple[Setup, str]:
        """`setup` on the only size that its players have learned, with a handicap of that board; and what changed."""
        told, size = [], self.size_of(setup)
        learned = self._learned(setup)
        if len({own for _, own in learned}) == 1 and learned[0][1] != size:
            name, size = learned[0]
            told.append(f"The board is {size}x{size} now, the size that {name} has learned.")
        stones = max(n for n, why in self.handicaps(size) if not why and n <= setup.handicap)
        if stones != setup.handicap:
            told.append(f"The handicap is {stones or 'none'} now; {size}x{size} has no {setup.handicap} stones.")
        return replace(setup, size=size, handicap=stones), " ".join(told)

    def new_game(self, setup: Setup) -> GoGame:
        """The board at the start of a game; UserError if there is no such game."""
        size = check_size(self.size_of(setup))
        if not math.isfinite(setup.points) or abs(setup.points) > size**2:
            most = size**2
            board = f"a {size}x{size} board"
            raise UserError(f"komi {setup.points:g} does not fit {board}; give -{most} to {most}")
        rule = setup.ko_rule
        if rule == AUTOMATIC:
            engines = any(c is not None and c.is_engine for c in self._contestants(setup))
            rule = "simple" if engines else "positional"
        if rule not in KO_RULES:
            raise UserError(f"ko rule {rule!r} is unknown; choose {AUTOMATIC} or one of {', '.join(KO_RULES)}")
        return GoGame(size, komi=setup.points, ko_rule=rule, handicap=setup.handicap)

    def check(self, setup: Setup) -> None:
        """Raise UserError if no match can come of `setup`; asks no engine and loads nothing."""
        for word in (setup.black, setup.white):
            self._player(word)
        size, learned = self.size_of(setup), self._learned(setup)
        if len({own for _, own in learned}) > 1:
            (one, its), (other, others) = learned
            raise UserError(f"{one} has learned {its}x{its} and {other} {others}x{others}; choose players of one size")
        for name, own in learned:
            if own != size:
                sizes = f"{own}x{own}, not {size}x{size}"
                raise UserError(f"{name} has learned {sizes}; choose that size or other players")
        self.new_game(setup)

    def open(self, setup: Setup) -> Match:
        """Start a match; UserError as in `check`. The players are loaded meanwhile."""
        self.check(setup)
        size, silence = self.size_of(setup), ""
        agent = self._take_agent(setup) if size == self.size else None
        if agent is None:
            silence = f"{self.agent_name} has learned {self.size}x{self.size} and has no thoughts on {size}x{size}."
        words = {BLACK: setup.black, WHITE: setup.white}
        seats: dict[int, Player | None] = {}
        for number, (colour, word) in enumerate(words.items()):
            contestant = _contestant(word)
            if contestant is not None:
                seats[colour] = self._invite(contestant, self._seed + number, setup.seconds)
            else:
                seats[colour] = agent if word == AGENT else None
        self.record = GameRecord(self._sgf)
        copies = self._sgf.parent if self._sgf is not None else Path()
        new_game = functools.partial(self.new_game, setup)
        asker = self._make_asker()
        return Match(new_game, seats, record=self.record, adviser=agent, silence=silence, asker=asker, copies=copies)

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
        return self.new_game(replace(setup, black=HUMAN, white=AGENT, size=self.size))

    def _contestants(self, setup: Setup) -> list[Contestant | None]:
        return [_contestant(word) for word in (setup.black, setup.white)]

    def _player(self, word: str) -> Contestant | None:
        """As `_contestant`; UserError also for an engine that is not installed and a folder without a checkpoint."""
        contestant = _contestant(word)
        if contestant is not None and contestant.is_engine:
            contestant.argv(0)
        elif contestant is not None and contestant.kind == "checkpoint":
            checkpoint_frames(contestant.target)
        return contestant

    def _learned(self, setup: Setup) -> list[tuple[str, int]]:
        """(name, size) of the players that have learned one size; those that cannot be had are left out."""
        found = []
        for word in (setup.black, setup.white):
            try:
                contestant = _contestant(word)
                size = self.size if word == AGENT else contestant.size if contestant is not None else None
            except UserError:
                continue
            if size is not None:
                found.append((self.name_of(word), size))
        return found

    def _invite(self, contestant: Contestant, seed: int, seconds: float | None) -> Player:
        if contestant.kind == "random":
            return contestant.make(seed)
        load = functools.partial(contestant.make, seed, seconds, restart=True)
        return BackgroundPlayer(contestant.name, load, again=UserError)

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


def _only(name: str, size: int) -> str:
    return f"{name} has learned {size}x{size}; other sizes are for games without it."


def _why_no_handicap(size: int, stones: int) -> str:
    """Why a board has no such handicap, a sentence; "" if it has."""
    try:
        if stones:
            fixed_handicap(size, stones)
    except UserError as error:
        return f"{error}."
    return ""


def _how_it_plays(setup: Setup) -> tuple[float, int, int]:
    return setup.temperature, setup.symmetries, setup.lookahead


def _contestant(word: str) -> Contestant | None:
    """The contestant that a word of a setup describes; None for the human and the agent."""
    if word in (HUMAN, AGENT):
        return None
    if not word.strip():
        raise UserError(f"a player has no name; give human or one of: {HELP}")
    try:
        contestant = parse_contestant(word)
    except UserError as error:
        if re.fullmatch(r"\w+", word) and word not in _ENGINES:
            raise UserError(f"{word!r} is no player; give human or one of: {HELP}") from error
        raise
    if word in _ENGINES:
        contestant.name = _ENGINES[word][0]
    elif word == "random":
        contestant.name = "Random"
    return contestant
