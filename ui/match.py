"""A game between two seats, without a pixel: whose turn it is, who thinks, what may be taken back, what to tell people.

One thread, the front end's, owns the match: it calls `poll` (or `wait`) and the verbs, and reads the rest. Players
think in the worker of a `Thinker`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from agents.agent import RESIGN, Decision
from agents.players import BackgroundPlayer, Player
from envs.errors import UserError
from envs.go.rules import GoGame, IllegalMoveError, colour_name, opponent
from ui.counting import dead_region, result_sentence, winner_of
from ui.record import GameRecord
from ui.thinker import Answer, Thinker

INFO, WARNING, RESULT = "info", "warning", "result"


@dataclass(frozen=True)
class Message:
    """A sentence for the status line; `kind` is INFO, WARNING or RESULT."""

    text: str
    kind: str = INFO


class Played(NamedTuple):
    """A decision that was played: the move's index in the history, its colour, the player's name and the decision."""

    ply: int
    colour: int
    name: str
    decision: Decision


class Match:
    """One board, two seats and their games, one after the other.

    Attributes:
        game: the game on the board; read it, change it through the verbs.
        seats: colour -> player, None for the human.
        paused: whether the players rest: a watched game that was halted, or a player that could not go on.
        trouble: why a player could not go on, until it is asked again; None while all is well.
        dead: points marked dead after two passes.
        failure: why the match cannot go on at all (a model that does not load, a bug); front ends leave and raise it.
    """

    def __init__(
        self,
        new_game: Callable[[], GoGame],
        seats: Mapping[int, Player | None],
        *,
        record: GameRecord | None = None,
        human_name: str = "You",
        pace: float = 0.0,
        max_moves: int | None = None,
    ) -> None:
        """Start the first game.

        Args:
            new_game: makes the board of each game.
            seats: BLACK and WHITE -> player, or None for the human.
            record: saves each game after every move; None saves nothing.
            human_name: what the human is called.
            pace: seconds between the moves of a watched game at least, so that people can follow.
            max_moves: a watched game is stopped and counted after so many moves; default 4 * N * N.
        """
        self._new_game = new_game
        self.seats = dict(seats)
        self.human_name = human_name
        self.pace = pace
        self.record = record
        self.failure: Exception | None = None
        self._closed = False
        self._thinker = Thinker(lambda: _compile_rules(new_game()))
        self._begin()
        self.max_moves = max_moves if max_moves is not None else 4 * self.game.area
        self._ask()

    def _begin(self) -> None:
        self.game = self._new_game()
        self.dead: frozenset[int] = frozenset()
        self.message: Message | None = None
        self.paused = False
        self.trouble: UserError | None = None
        self._stopped = False  # at the move limit
        self._early: int | None = None  # the human's move while the rules were still being compiled
        self._held: Answer | None = None  # an answer that came before its time
        self._played: list[Played] = []
        self._last_move_at = time.monotonic()

    # What there is to see

    @property
    def names(self) -> dict[int, str]:
        """Colour -> the name of who sits there."""
        return {colour: self.human_name if seat is None else seat.name for colour, seat in self.seats.items()}

    @property
    def human(self) -> int | None:
        """The human's colour, None in a game to watch."""
        return next((colour for colour, seat in self.seats.items() if seat is None), None)

    @property
    def is_over(self) -> bool:
        """Whether the game on the board has ended."""
        return self.game.is_over or self._stopped

    @property
    def counting(self) -> bool:
        """Whether the board is being counted: the game has ended, and not by resignation."""
        return self.is_over and self.game.resigned is None

    @property
    def human_to_move(self) -> bool:
        """Whether a move of the human is awaited."""
        return not self.is_over and self.seats[self.game.to_move] is None

    @property
    def can_undo(self) -> bool:
        """Whether there is something for `undo` to take back."""
        return self.game.resigned is not None or self._early is not None or self._plies_to_undo() > 0

    @property
    def winner(self) -> int | None:
        """BLACK or WHITE once the game has a winner, EMPTY after a draw, None while it goes on."""
        return winner_of(self.game, self.dead) if self.is_over else None

    @property
    def prepared(self) -> bool:
        """Whether the rules are compiled; until then asking the game about legal moves would take seconds."""
        return self._thinker.prepared

    @property
    def thinking(self) -> bool:
        """Whether a player's answer is awaited."""
        return self._thinker.busy or self._held is not None

    @property
    def loading(self) -> bool:
        """Whether a player is still being loaded."""
        return any(isinstance(seat, BackgroundPlayer) and seat.loading for seat in self.seats.values())

    @property
    def last_decision(self) -> Played | None:
        """The latest decision still on the board whose player shows what it thought."""
        for played in reversed(self._played):
            if played.decision.thought.frame is not None or played.decision.thought.candidates:
                return played
        return None

    @property
    def result(self) -> str | None:
        """The result as SGF writes it ("B+3.5", "W+R", "0"), None while the game goes on."""
        return self.game.result_text(self.dead) if self.is_over else None

    @property
    def status(self) -> Message:
        """The sentence of the moment: the last message, else how the game stands."""
        if self.message is not None:
            return self.message
        if self.is_over:
            return Message(result_sentence(self.game, self.names, self.dead, self._stopped), RESULT)
        colour = self.game.to_move
        seat, name = self.seats[colour], self.names[colour]
        if self.paused:
            return Message("The game is paused.")
        if seat is None:
            return Message(f"Your turn: you play {colour_name(colour)}.")
        if isinstance(seat, BackgroundPlayer) and seat.loading:
            return Message(f"Loading {name}, which moves next as {colour_name(colour)}.")
        return Message(f"{name} ({colour_name(colour)}) is thinking.")

    # What people do; each returns whether anything changed, and leaves the reason in `message` if it could not be done

    def play(self, point: int) -> bool:
        """Play the human's stone, or a pass; while the board is counted, mark the group at `point` dead or alive."""
        if self.counting and point != self.game.area:
            return self._toggle_dead(point)
        if self.is_over:
            return self._refuse("The game is over; take a move back or start a new game.")
        if self.human is None:
            return self._refuse("You are watching this game; the players move by themselves.")
        if not self.human_to_move:
            return self._refuse(f"It is {self.names[self.game.to_move]}'s turn; wait for its move or take yours back.")
        if not self.prepared:
            self._early = point
            self.message = Message("One moment, the board is being made ready; your move follows at once.")
            return True
        try:
            self.game.play(point)
        except IllegalMoveError as error:
            return self._refuse(str(error))
        self._moved()
        return True

    def pass_turn(self) -> bool:
        """Pass for the human."""
        return self.play(self.game.area)

    def resign(self) -> bool:
        """Give the game up for the human, whoever's turn it is."""
        if self.human is None:
            return self._refuse("You are watching this game; nobody resigns for the players.")
        if self.is_over:
            return self._refuse("The game is over already.")
        self._forget()
        self.game.resign(self.human)
        self.message = None
        self._save()
        return True

    def undo(self) -> bool:
        """Take back the human's last move and the answer to it, or a resignation.

        In a watched game the last two moves go, and it rests.
        """
        if self.game.resigned is not None:
            self.game.undo()
            self._after_undo("The resignation is taken back.")
            return True
        if self._early is not None:
            self._early = None
            self.message = Message("Your move is taken back.")
            return True
        plies = self._plies_to_undo()
        if plies == 0:
            return self._refuse("There is nothing to take back.")
        for _ in range(plies):
            self.game.undo()
        self._after_undo("One move is taken back." if plies == 1 else f"{plies} moves are taken back.")
        return True

    def new_game(self) -> bool:
        """Save the game on the board and start another."""
        self._forget()
        self._save()
        if self.record is not None:
            self.record.next_game()
        self._begin()
        self._ask()
        return True

    def toggle_pause(self) -> bool:
        """Let a watched game rest or go on, or ask a player again that could not go on."""
        if self.human is not None and not self.paused:
            return self._refuse("Only a game that you watch can rest; this one waits for you anyway.")
        if self.is_over:
            return self._refuse("The game is over; start a new one.")
        self.paused = not self.paused
        self.message = self.trouble = None
        self._ask()
        return True

    # What happens by itself

    def poll(self, timeout: float = 0.0) -> bool:
        """Take in what the worker has found, waiting up to `timeout` seconds; returns whether anything changed."""
        if self._early is not None and self.prepared:
            point, self._early = self._early, None
            return self.play(point) or True  # refused or not, the status line changes
        if self._held is None:
            self._held = self._thinker.take(timeout)
        if self._held is None or (self.human is None and time.monotonic() - self._last_move_at < self.pace):
            return False
        answer, self._held = self._held, None
        self._take(answer)
        return True

    def wait(self, timeout: float | None = None) -> bool:
        """Poll until no answer and no early move is awaited, at most `timeout` seconds; returns whether none is."""
        until = None if timeout is None else time.monotonic() + timeout
        while (self.thinking or self._early is not None) and self.failure is None:
            if until is not None and time.monotonic() >= until:
                return False
            if not self.poll(0.02) and self._held is not None:
                time.sleep(0.01)
        return True

    def close(self) -> None:
        """Save the game and let the players go; once is enough, twice does no harm."""
        if self._closed:
            return
        self._closed = True
        self._forget()
        self._save()
        self._thinker.close()
        for seat in {id(seat): seat for seat in self.seats.values()}.values():
            if seat is not None:
                seat.close()

    def _take(self, answer: Answer) -> None:
        colour = self.game.to_move
        seat = self.seats[colour]
        if answer.decision is None:
            assert answer.error is not None
            self._fail(seat, answer.error)
            return
        assert seat is not None
        played = Played(len(self.game.history), colour, seat.name, answer.decision)
        try:
            if answer.decision.action == RESIGN:
                self.game.resign(colour)
            else:
                self.game.play(answer.decision.action)
        except IllegalMoveError as error:
            self._fail(seat, error)
            return
        self._played.append(played)
        self._moved()

    def _fail(self, seat: Player | None, error: Exception) -> None:
        """A player that cannot be loaded ends the match; other trouble is told, and the players rest."""
        if seat is None or not isinstance(error, UserError) or (isinstance(seat, BackgroundPlayer) and seat.error):
            self.failure = error
            return
        self.paused = True
        self.trouble = UserError(f"{seat.name} cannot go on: {error}")
        self.message = Message(str(self.trouble), WARNING)

    def _moved(self) -> None:
        self.message = None
        self.dead = frozenset()
        self._last_move_at = time.monotonic()
        self._stopped = self.human is None and not self.game.is_over and len(self.game.history) >= self.max_moves
        mover = opponent(self.game.to_move)
        if not self.is_over and self.game.last_move == self.game.area and self.seats[mover] is not None:
            cure = " Pass as well to end the game, or play on." if self.human_to_move else ""
            self.message = Message(f"{self.names[mover]} passes.{cure}")
        self._save()
        self._ask()

    def _ask(self) -> None:
        """Ask whose turn it is for a move, unless that is the human or the players rest."""
        seat = self.seats[self.game.to_move]
        if seat is not None and not (self.is_over or self.paused or self.thinking):
            self._thinker.ask(seat, self.game)

    def _forget(self) -> None:
        """Whatever is being thought about is of an old game from now on."""
        self._thinker.forget()
        self._held = self._early = None

    def _plies_to_undo(self) -> int:
        if self.human is None:
            return min(2, len(self.game.history))
        mine = [index for index, move in enumerate(self.game.history) if move.colour == self.human]
        return len(self.game.history) - mine[-1] if mine else 0

    def _after_undo(self, text: str) -> None:
        self._forget()
        self._stopped = False
        self.dead = frozenset()
        self._played = [played for played in self._played if played.ply < len(self.game.history)]
        self.paused = self.human is None
        self.trouble = None
        self.message = Message(text)
        self._save()
        self._ask()

    def _toggle_dead(self, point: int) -> bool:
        group = dead_region(self.game, point)
        if not group:
            return self._refuse("The game is over: click a stone to mark its group dead, or start a new game.")
        self.dead = self.dead - group if point in self.dead else self.dead | group
        self.message = None
        self._save()
        return True

    def _refuse(self, text: str) -> bool:
        self.message = Message(text, WARNING)
        return False

    def _save(self) -> None:
        trouble = self.record.save(self.game, self.names, self.result) if self.record is not None else ""
        if trouble:
            self.message = Message(trouble, WARNING)


def _compile_rules(scratch: GoGame) -> None:
    """Use every rule once on a board nobody sees: the first use compiles it, in seconds on a fresh machine."""
    scratch.play(scratch.area)
    scratch.legal_mask()
    scratch.area_score()
