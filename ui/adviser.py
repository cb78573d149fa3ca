"""Asks the agent, in a thread of its own, about positions that people look at and for the frames it imagines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from agents.agent import Decision
from agents.players import AgentPlayer, BackgroundPlayer, Player
from envs.errors import UserError
from envs.go.rules import GoGame
from ui.messages import WARNING
from ui.review import Review, rewound
from ui.thinker import Thinker
from ui.thoughts import Considered, ThoughtLog

if TYPE_CHECKING:
    from ui.reviewing import Reviewing


class Adviser:
    """Fills the logs of thoughts, one question after the other; the front end's thread calls everything."""

    def __init__(self, player: Player | None) -> None:
        """`player` judges positions; None leaves only what the seats' own players imagine."""
        self.player = player
        self.trouble: Exception | None = None  # why nothing more is asked
        self._thinker = Thinker("adviser")
        self._keep: Callable[[Decision], None] | None = None

    @property
    def busy(self) -> bool:
        """Whether an answer is awaited."""
        return self._thinker.busy

    def forget(self) -> None:
        """Drop the answer now awaited: the line it speaks of has changed."""
        self._thinker.forget()

    def close(self) -> None:
        """End the thread."""
        self._thinker.close()

    def attend(self, match: Reviewing) -> bool:
        """Take in an answer and ask for what the picture lacks; returns whether the picture has changed."""
        answer = self._thinker.take()
        if answer is not None and answer.error is not None:
            self.trouble = answer.error
            match.tell(f"The agent cannot judge positions: {answer.error}", WARNING)
        elif answer is not None and self._keep is not None:
            self._keep(answer.value)
        if not self.busy and self.trouble is None and match.prepared:
            self._seek(match)
        return answer is not None

    def _seek(self, match: Reviewing) -> None:
        review, steps = match.review, match.foresight
        if review is None:
            last = match.last_decision
            if last is not None and steps and not last.foreseen:
                self._foresee(match, match.thoughts, last, steps)
            return
        if self.player is None or not match.fits(review.game):
            return
        known = review.thoughts.telling(review.ply)
        if known is None:
            self._consider(review, review.shown, steps)
        elif steps and not known.foreseen:
            self._foresee(match, review.thoughts, known, steps)
        elif (ply := review.unknown()) is not None:
            self._consider(review, rewound(review.game, ply), 0)

    def _consider(self, review: Review, game: GoGame, steps: int) -> None:
        player, log, ply, colour = self.player, review.thoughts, len(game.history), game.to_move
        assert player is not None
        if game.is_over:  # a game that was won on the board may be played on
            game = game.copy()
            game.resume()

        def work() -> Decision:
            decision = player.choose(game)
            return _with_frames(player, decision, steps) if steps else decision

        def keep(decision: Decision) -> None:
            if log.telling(ply) is None:
                log.add(Considered(ply, colour, player.name, decision, played=False, foreseen=steps > 0))

        self._keep = keep
        self._thinker.ask(work)

    def _foresee(self, match: Reviewing, log: ThoughtLog, entry: Considered, steps: int) -> None:
        asked = [player for player in (self.player, *match.seats.values()) if player is not None]
        player = next((player for player in asked if player.name == entry.name), None)

        def keep(decision: Decision) -> None:
            known = log.at(entry.ply)
            if known is not None and known.decision is entry.decision:
                log.add(replace(known, decision=decision, foreseen=True))

        if player is None:
            keep(entry.decision)
            return
        self._keep = keep
        self._thinker.ask(lambda: _with_frames(player, entry.decision, steps))


def _with_frames(player: Player, decision: Decision, steps: int) -> Decision:
    """The decision with more frames imagined, where the player can."""
    if not isinstance(player, (AgentPlayer, BackgroundPlayer)):
        return decision
    try:
        return replace(decision, thought=player.foresee(decision, steps))
    except UserError:  # the move itself stands
        return decision
