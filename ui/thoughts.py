"""What was thought about each position of a game, and how it is told in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from agents.agent import Decision, Rejection
from agents.outlook import Outlook
from envs.go.coords import point_to_gtp
from envs.go.rules import BLACK, WHITE, GoGame, colour_name

COMMENTED = 5  # candidates in a record's comment
_LEAST = 0.005  # candidates below this probability would read "0 %"

_BECAUSE = {
    "occupied": "it is occupied",
    "suicide": "it would be suicide",
    "ko": "it would retake the ko at once",
    "superko": "it would repeat an earlier position",
    "game over": "the game is over",
}


@dataclass(frozen=True)
class Considered:
    """What a player thought about one position.

    Attributes:
        ply: the moves played before it, which is also the index of the move it led to.
        colour: the side to move.
        name: the player's.
        decision: what it chose, and why.
        played: whether the choice was then played.
        foreseen: whether the frames to come were imagined as far as they are shown.
    """

    ply: int
    colour: int
    name: str
    decision: Decision
    played: bool = True
    foreseen: bool = False


class ThoughtLog:
    """What was thought along one line of moves, at most one entry a position; taken-back moves keep theirs."""

    def __init__(self, entries: Iterator[Considered] | None = None) -> None:
        self._entries = {entry.ply: entry for entry in entries or ()}

    def __iter__(self) -> Iterator[Considered]:
        return (self._entries[ply] for ply in sorted(self._entries))

    def at(self, ply: int) -> Considered | None:
        """What was thought about the position after `ply` moves."""
        return self._entries.get(ply)

    def telling(self, ply: int) -> Considered | None:
        """The thought about that position if it shows anything; engines show nothing."""
        entry = self.at(ply)
        return entry if entry is not None and shows_something(entry.decision) else None

    def add(self, considered: Considered) -> None:
        """Keep a thought; a later one about the same position takes its place."""
        self._entries[considered.ply] = considered

    def cut(self, ply: int) -> None:
        """Forget what comes behind the position after `ply` moves, because another move follows now."""
        self._entries = {key: entry for key, entry in self._entries.items() if key <= ply}

    def up_to(self, ply: int) -> ThoughtLog:
        """A log of its own with the thoughts that led to the position after `ply` moves and those about it."""
        return ThoughtLog(entry for entry in self if entry.ply <= ply)

    def latest(self, moves: int) -> Considered | None:
        """The last thought that led to one of the first `moves` moves and that shows anything."""
        for ply in range(moves - 1, -1, -1):
            entry = self.telling(ply)
            if entry is not None and entry.played:
                return entry
        return None

    def comments(self, game: GoGame) -> list[str]:
        """A comment for each move of `game` that its player explained, "" for the others."""
        texts = []
        for ply, move in enumerate(game.history):
            entry = self._entries.get(ply)
            told = entry is not None and entry.played and entry.decision.action == move.point
            texts.append(comment_on(entry, game.size) if entry is not None and told else "")
        return texts


def shows_something(decision: Decision) -> bool:
    """Whether there is a thought behind the decision that people can look at."""
    return decision.thought.frame is not None or bool(decision.thought.candidates)


def comment_on(entry: Considered, size: int) -> str:
    """The candidates of a thought for a game record, such as "VideoWorld: D4 61 %, E5 12 %"; "" without any."""
    weighed = [
        f"{point_to_gtp(candidate.point, size)} {100 * candidate.probability:.0f} %"
        for candidate in entry.decision.thought.candidates[:COMMENTED]
        if candidate.probability >= _LEAST
    ]
    refused = [f"It {rejection_clause(wish, size)}." for wish in entry.decision.thought.rejected[:1]]
    outlook = entry.decision.thought.outlook
    expected = [f"It {expectation(outlook)}."] if outlook is not None else []
    return "\n".join([f"{entry.name}: {', '.join(weighed)}", *expected, *refused]) if weighed else ""


def rejection_clause(wish: Rejection, size: int) -> str:
    """Such as "wanted D4, but it is occupied"."""
    reason = _BECAUSE.get(wish.reason, wish.reason or "the rules forbid it")
    return f"wanted {point_to_gtp(wish.point, size)}, but {reason}"


def expectation(outlook: Outlook) -> str:
    """Such as "expects Black to win by 3.5 (72 %)"."""
    black, points = outlook.black_wins >= 0.5, abs(outlook.lead)
    chance = outlook.black_wins if black else 1 - outlook.black_wins
    # The mean of the score and the likelier winner may differ by a hair
    by = f" by {points:.1f}" if (outlook.lead > 0) == black and points >= 0.05 else ""
    return f"expects {colour_name(BLACK if black else WHITE)} to win{by} ({100 * chance:.0f} %)"


def differing_points(imagined: np.ndarray, real: np.ndarray) -> tuple[frozenset[int], float]:
    """The points at which two boards (N, N) differ, and the share of points that are equal."""
    differs = np.flatnonzero(imagined.reshape(-1) != real.reshape(-1))
    return frozenset(int(point) for point in differs), 1 - len(differs) / real.size
