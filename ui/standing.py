"""What there is to see of a match: whose turn it is, who sits where, how it stands, which position is shown."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from pathlib import Path

import numpy as np

from agents.players import BackgroundPlayer, Player
from envs.errors import UserError
from envs.go.rules import GoGame, Move
from ui.adviser import Adviser
from ui.asker import Asker
from ui.counting import winner_of
from ui.messages import Message, sentence_of
from ui.record import GameRecord
from ui.review import Review
from ui.thinker import Answer, Thinker
from ui.thoughts import Considered, ThoughtLog


class Standing:
    """The part of a match that changes nothing.

    Attributes:
        game: the game on the board; read it, change it through the verbs.
        thoughts: what was thought about its positions.
        seats: colour -> player, None for the human.
        adviser: the agent that moves for the human when asked and judges what is looked at; None: nobody does.
        asker: answers questions about the position that is shown.
        silence: why nobody judges the positions, a sentence; "" where there is no more to say about it.
        foresight: how many frames the agent imagines for people to see; 0 leaves it at those of its decisions.
        copies: the folder in which `save_as` puts copies.
        review: the look at another position that is shown now; None shows the game itself.
        paused: whether the players rest: a watched game that was halted, or a player that could not go on.
        trouble: why a player could not go on, until it is asked again; None while all is well.
        stopped: whether a watched game was ended at its limit of moves.
        dead: points marked dead after two passes.
        helping: whether the adviser is choosing the human's move.
        message: the last thing to tell, None where how the game stands says enough.
        failure: why the match cannot go on at all (a model that does not load, a bug); front ends let go of it.
    """

    game: GoGame
    thoughts: ThoughtLog
    seats: dict[int, Player | None]
    adviser: Player | None
    asker: Asker
    silence: str
    foresight: int
    copies: Path
    review: Review | None
    record: GameRecord | None
    human_name: str
    paused: bool
    trouble: UserError | None
    stopped: bool
    dead: frozenset[int]
    helping: bool
    message: Message | None
    failure: Exception | None
    _thinker: Thinker
    _files: Thinker
    _advice: Adviser
    _new_game: Callable[[], GoGame]
    _own_size: int
    _undone: list[list[Move]]
    _early: int | None
    _held: Answer | None

    @property
    def names(self) -> dict[int, str]:
        """Colour -> the name of who sits there."""
        return {colour: self.human_name if seat is None else seat.name for colour, seat in self.seats.items()}

    @property
    def human(self) -> int | None:
        """The colour of the human; that of the side to move where both are, None in a game to watch."""
        if self.seats[self.game.to_move] is None:
            return self.game.to_move
        return next((colour for colour, seat in self.seats.items() if seat is None), None)

    @property
    def is_over(self) -> bool:
        """Whether the game on the board has ended."""
        return self.game.is_over or self.stopped

    @property
    def counting(self) -> bool:
        """Whether the board is being counted: the game has ended, and not by resignation."""
        return self.review is None and self.is_over and self.game.resigned is None

    @property
    def human_to_move(self) -> bool:
        """Whether a move of the human is awaited."""
        return not self.is_over and self.seats[self.game.to_move] is None

    @property
    def can_undo(self) -> bool:
        """Whether there is something for `undo` to take back."""
        return self.game.resigned is not None or self._early is not None or self._plies_to_undo() > 0

    @property
    def can_redo(self) -> bool:
        """Whether there is something for `redo` to bring back."""
        return bool(self._undone)

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
        return any(isinstance(seat, BackgroundPlayer) and seat.loading for seat in (*self.seats.values(), self.adviser))

    @property
    def last_decision(self) -> Considered | None:
        """The latest decision still on the board whose player shows what it thought."""
        return self.thoughts.latest(len(self.game.history))

    @property
    def result(self) -> str | None:
        """The result as SGF writes it ("B+3.5", "W+R", "0"), None while the game goes on."""
        return self.game.result_text(self.dead) if self.is_over else None

    @property
    def status(self) -> Message:
        """The sentence of the moment: the last message, else how the game stands."""
        return self.message if self.message is not None else sentence_of(self)

    @property
    def opening(self) -> bool:
        """Whether a record is being read."""
        return self._files.busy

    @property
    def advising(self) -> bool:
        """Whether the agent is being asked about the position shown, or for what it imagines."""
        return self._advice.busy

    @property
    def shown(self) -> GoGame:
        """The position to show: the game's, or the one that is looked at."""
        return self.game if self.review is None else self.review.shown

    @property
    def shown_place(self) -> Hashable:
        """What stands for the position shown: equal for positions that look the same."""
        shown = self.shown
        return shown.size, shown.stones.tobytes(), shown.to_move, shown.last_move, shown.ko_point

    @property
    def line(self) -> GoGame:
        """The game that the position shown belongs to, to its end."""
        return self.game if self.review is None else self.review.game

    @property
    def shown_ply(self) -> int:
        """How many moves led to the position shown."""
        return len(self.shown.history)

    @property
    def shown_thoughts(self) -> ThoughtLog:
        """What was thought about the positions of the game that is shown."""
        return self.thoughts if self.review is None else self.review.thoughts

    @property
    def shown_names(self) -> dict[int, str]:
        """Colour -> who plays the game that is shown."""
        return self.names if self.review is None else dict(self.review.names)

    @property
    def considered(self) -> Considered | None:
        """The thought to show: that about the position that is looked at, else that behind the last decision."""
        return self.last_decision if self.review is None else self.review.thoughts.telling(self.review.ply)

    def fits(self, game: GoGame) -> bool:
        """Whether the players of this match, and the adviser, play on boards of this game's size."""
        return game.size == self._own_size

    def stones_after(self, ply: int) -> np.ndarray | None:
        """The stones (N, N) after `ply` moves of the game that is shown; None if it has not come so far."""
        return self.line.stones_after(ply) if 0 <= ply <= len(self.line.history) else None

    def _plies_to_undo(self) -> int:
        if self.human is None or all(seat is None for seat in self.seats.values()):
            return min(1 if self.human else 2, len(self.game.history))
        mine = [index for index, move in enumerate(self.game.history) if self.seats[move.colour] is None]
        return len(self.game.history) - mine[-1] if mine else 0
