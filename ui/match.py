"""A game between two seats, without a pixel: whose turn it is, who thinks, what may be taken back, what to tell people.

One thread, the front end's, owns the match: it calls `poll` (or `wait`) and the verbs, and reads the rest. Players
think in the worker of a `Thinker`.
"""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from agents.agent import RESIGN, Decision
from agents.players import BackgroundPlayer, Player
from envs.errors import UserError
from envs.go.rules import GoGame, IllegalMoveError, Move, colour_name, opponent
from ui.adviser import Adviser
from ui.asker import Asker
from ui.counting import dead_region
from ui.messages import INFO, RESULT, WARNING, Message
from ui.record import GameRecord
from ui.reviewing import Reviewing
from ui.thinker import Answer, Thinker
from ui.thoughts import Considered, ThoughtLog

__all__ = ["INFO", "RESULT", "WARNING", "Match", "Message"]


class Match(Reviewing):
    """One board, two seats and their games, one after the other.

    What there is to see of it stands in `Standing`, looking back in `Reviewing`.
    """

    def __init__(
        self,
        new_game: Callable[[], GoGame],
        seats: Mapping[int, Player | None],
        *,
        record: GameRecord | None = None,
        adviser: Player | None = None,
        silence: str = "",
        asker: Asker | None = None,
        human_name: str = "You",
        pace: float = 0.0,
        foresight: int = 0,
        copies: Path = Path(),
        max_moves: int | None = None,
    ) -> None:
        """Start the first game.

        Args:
            new_game: makes the board of each game.
            seats: BLACK and WHITE -> player, or None for the human.
            record: saves each game after every move; None saves nothing.
            adviser: see above; it may sit at the board as well.
            silence: see above.
            asker: see above; None: nobody can be asked.
            human_name: what the human is called.
            pace: seconds between the moves of a watched game at least, so that people can follow.
            foresight: see above.
            copies: the folder in which `save_as` puts copies.
            max_moves: a watched game is stopped and counted after so many moves; default 4 * N * N.
        """
        super().__init__()
        self._new_game = new_game
        self.seats = dict(seats)
        self.adviser = adviser
        self.silence = silence
        self.human_name = human_name
        self.pace = pace
        self.foresight = foresight
        self.copies = copies
        self.record = record
        self.failure: Exception | None = None
        self._closed = False
        self._thinker = Thinker("player", lambda: _compile_rules(new_game()))
        self._advice = Adviser(adviser)
        self.asker = asker if asker is not None else Asker()
        self._begin(new_game(), ThoughtLog())
        self._own_size = self.game.size
        self.max_moves = max_moves if max_moves is not None else 4 * self.game.area
        self._ask()

    def _begin(self, game: GoGame, thoughts: ThoughtLog) -> None:
        self.game = game
        self.thoughts = thoughts
        self.review = None
        self.dead: frozenset[int] = frozenset()
        self.message: Message | None = None
        self.paused = False
        self.trouble: UserError | None = None
        self.helping = False
        self.stopped = False
        self._undone: list[list[Move]] = []  # what `undo` took back, the last first
        self._early: int | None = None  # the human's move while the rules were still being compiled
        self._held: Answer | None = None  # an answer that came before its time
        self._last_move_at = time.monotonic()

    # What people do; each returns whether anything changed, and leaves the reason in `message` if it could not be done

    def play(self, point: int) -> bool:
        """Play the human's stone, or a pass; while the board is counted, mark the group at `point` dead or alive."""
        if self._looks_elsewhere():
            return False
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
        self._forget()
        self._moved()
        return True

    def pass_turn(self) -> bool:
        """Pass for the human."""
        return self.play(self.game.area)

    def play_for_me(self) -> bool:
        """Let the adviser choose and play the human's move, this once."""
        if self._looks_elsewhere():
            return False
        if self.adviser is None:
            return self._refuse("There is no agent that could move for you.")
        if not self.human_to_move or not self.fits(self.game):
            why = "nobody here moves for you" if self.human_to_move else "it is not your turn"
            return self._refuse(f"{self.adviser.name} moves only for you and on its own board; now {why}.")
        if self.thinking:
            return self._refuse(f"{self.adviser.name} is at it already.")
        self.helping, self.message = True, None
        self._thinker.ask(functools.partial(self.adviser.choose, self.game.copy()))
        return True

    def resign(self) -> bool:
        """Give the game up for the human, whoever's turn it is."""
        if self._looks_elsewhere():
            return False
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
        if self._looks_elsewhere():
            return False
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
        self._undone.append(self.game.history[-plies:])
        for _ in range(plies):
            self.game.undo()
        self._after_undo("One move is taken back." if plies == 1 else f"{plies} moves are taken back.")
        return True

    def redo(self) -> bool:
        """Bring back what the last `undo` took."""
        if self._looks_elsewhere():
            return False
        if not self._undone:
            return self._refuse("There is nothing to bring back.")
        moves = self._undone.pop()
        for move in moves:
            self.game.play(move.point, move.colour)
        self._after_undo("One move is brought back." if len(moves) == 1 else f"{len(moves)} moves are brought back.")
        return True

    def new_game(self) -> bool:
        """Save the game on the board and start another."""
        self._start_over(self._new_game(), ThoughtLog())
        return True

    def toggle_pause(self) -> bool:
        """Let a watched game rest or go on, or ask a player again that could not go on."""
        if self._looks_elsewhere():
            return False
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
        """Take in what the workers have found, waiting up to `timeout` seconds; returns whether anything changed."""
        changed = self._poll_files() | self._advice.attend(self) | self._attend_asker()
        if self._early is not None and self.prepared:
            point, self._early = self._early, None
            return self.play(point) or True  # refused or not, the status line changes
        if self._held is None:
            self._held = self._thinker.take(timeout)
        if self._held is None or (self.human is None and time.monotonic() - self._last_move_at < self.pace):
            return changed
        answer, self._held = self._held, None
        self._take(answer)
        return True

    def wait(self, timeout: float | None = None) -> bool:
        """Poll until no answer and no early move is awaited, at most `timeout` seconds; returns whether none is."""
        until = None if timeout is None else time.monotonic() + timeout
        while (self.thinking or self.opening or self._early is not None) and self.failure is None:
            if until is not None and time.monotonic() >= until:
                return False
            if not self.poll(0.02) and (self._held is not None or not self.thinking):
                time.sleep(0.01)
        return True

    def close(self, wait: bool = True) -> None:
        """Save the game and let the players go, without `wait` in the background; twice does no harm."""
        if self._closed:
            return
        self._closed = True
        self._forget()
        self._save()
        leave = threading.Thread(target=self._let_go, name="leave", daemon=True)
        leave.start()
        if wait:
            leave.join()

    def _let_go(self) -> None:
        for worker in (self._thinker, self._advice, self._files, self.asker):
            worker.close()
        for player in {id(player): player for player in (*self.seats.values(), self.adviser)}.values():
            if player is not None:
                player.close()

    def _take(self, answer: Answer) -> None:
        colour, helping = self.game.to_move, self.helping
        seat = self.adviser if helping else self.seats[colour]
        self.helping = False
        if helping and isinstance(answer.error, UserError):
            self._refuse(f"{seat.name if seat is not None else 'The agent'} cannot move for you: {answer.error}")
            return
        if answer.error is not None:
            self._fail(seat, answer.error)
            return
        assert seat is not None
        decision: Decision = answer.value
        ply = len(self.game.history)
        try:
            if decision.action == RESIGN:
                self.game.resign(colour)
            else:
                self.game.play(decision.action)
        except IllegalMoveError as error:
            self._fail(seat, error)
            return
        self.thoughts.add(Considered(ply, colour, seat.name, decision))
        self._moved()

    def _fail(self, seat: Player | None, error: Exception) -> None:
        """A player that cannot be loaded ends the match; other trouble is told, and the players rest."""
        if seat is None or not isinstance(error, UserError) or (isinstance(seat, BackgroundPlayer) and seat.hopeless):
            self.failure = error
            return
        self.paused = not self.human_to_move
        self.trouble = UserError(f"{seat.name} cannot go on: {error}")
        self.message = Message(str(self.trouble), WARNING)

    def _moved(self) -> None:
        """After a move that was not there before."""
        self._undone.clear()
        self.thoughts.cut(len(self.game.history) - 1)
        self._advice.forget()
        self.message = None
        self.dead = frozenset()
        self.trouble = None
        self._last_move_at = time.monotonic()
        self.stopped = self.human is None and not self.game.is_over and len(self.game.history) >= self.max_moves
        mover = opponent(self.game.to_move)
        if not self.is_over and self.game.last_move == self.game.area:
            cure = " Pass as well to end the game, or play on." if self.human_to_move else ""
            name = self.names[mover] if self.seats[mover] is not None else colour_name(mover)
            self.message = Message(f"{name} passes.{cure}")
        self._save()
        self._ask()

    def _ask(self) -> None:
        """Ask whose turn it is for a move, unless that is the human or the players rest."""
        seat = self.seats[self.game.to_move]
        if seat is not None and not (self.is_over or self.paused or self.thinking):
            self._thinker.ask(functools.partial(seat.choose, self.game.copy(), self.game.to_move))

    def _forget(self) -> None:
        """Whatever is being thought about is of an old game from now on."""
        self._thinker.forget()
        self._held = self._early = None
        self.helping = False

    def _start_over(self, game: GoGame, thoughts: ThoughtLog) -> None:
        """Put another game on the board; the one that was there is saved, and stays as its file has it."""
        self._forget()
        self._advice.forget()
        self._save()
        if self.record is not None:
            self.record.next_game()
        self._begin(game, thoughts)
        self._ask()

    def _after_undo(self, text: str) -> None:
        self._forget()
        self._advice.forget()
        self.stopped = False
        self.dead = frozenset()
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

    def _save(self) -> None:
        if self.record is None:
            return
        comments = self.thoughts.comments(self.game)
        trouble = self.record.save(self.game, self.names, self.result, comments)
        if trouble:
            self.message = Message(trouble, WARNING)


def _compile_rules(scratch: GoGame) -> None:
    """Use every rule once on a board nobody sees: the first use compiles it, in seconds on a fresh machine."""
    scratch.play(scratch.area)
    scratch.legal_mask()
    scratch.area_score()
