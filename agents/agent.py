"""What an agent is: something that looks at a frame and decides, and can show what it thought.

The same `Thought` feeds the window, the terminal board and the GTP engine.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from agents.outlook import KOMI, Outlook

Frame = NDArray[np.uint8]

RESIGN = -2
"""`Decision.action` of a player that gives up. Agents that learned from video never do; engines may."""


@dataclass(frozen=True)
class Candidate:
    """One move the agent considered: `point` in 0..N*N (N*N is a pass), `probability` in 0..1."""

    point: int
    probability: float


@dataclass(frozen=True)
class Rejection:
    """A move the agent wanted and could not have, with the reason in words ("occupied", "ko", ...).

    An agent, which knows no rules, leaves the reason empty; the player around it fills it in.
    """

    point: int
    reason: str = ""


@dataclass(frozen=True)
class Thought:
    """What an agent saw, imagined and weighed for one decision. Every part may be absent.

    Attributes:
        frame: uint8 `(S, S, 3)`, the frame the agent was shown.
        imagined: uint8 `(T, S, S, 3)`, the next frames as the agent expects them, nearest first.
        imagined_boards: int8 `(T, N, N)`, the stones that the imagined frames show; agents leave it to their player.
        candidates: playable moves, most probable first.
        probabilities: float `(N*N+1,)`, how likely each playable move is.
        rejected: moves it wanted and could not have, in the order they were tried.
        confidence: probability of the chosen move in 0..1 (this is not a chance of winning).
        milliseconds: wall time spent on the decision.
        outlook: how the game is expected to end, seen from the frame.
        note: one sentence for people, may be empty.
    """

    frame: Frame | None = None
    imagined: Frame | None = None
    imagined_boards: NDArray[np.int8] | None = None
    candidates: tuple[Candidate, ...] = ()
    probabilities: NDArray[np.float64] | None = None
    rejected: tuple[Rejection, ...] = ()
    confidence: float | None = None
    milliseconds: float = 0.0
    outlook: Outlook | None = None
    note: str = ""


@dataclass(frozen=True)
class Decision:
    """The chosen action (a point of the board, N*N for a pass, or `RESIGN`) and the thought behind it."""

    action: int
    thought: Thought = field(default_factory=Thought)


class Agent(Protocol):
    """Looks at one frame and decides. It never sees the game behind the frame."""

    name: str

    def decide(
        self,
        frame: Frame,
        *,
        legal: NDArray[np.bool_] | None = None,
        imagine: bool = True,
        komi: float = KOMI,
        seconds: float | None = None,
    ) -> Decision:
        """Choose an action for the player whose turn the frame shows.

        Args:
            frame: uint8 `(S, S, 3)`.
            legal: bool `(N*N+1,)`, the actions allowed now; None allows all.
            imagine: False skips decoding the imagined frames (faster; `Thought.imagined` is then None).
            komi: points White gets, which the frame does not show.
            seconds: after which an agent that looks ahead looks no further; None: as far as it is set to.
        """
        ...

    def imagine(self, frame: Frame, steps: int, *, action: int | None = None) -> Frame:
        """Foresee the frames after `frame`, each on top of the one foreseen before.

        Args:
            frame: uint8 `(S, S, 3)`.
            steps: how many.
            action: what happens first; None lets the agent foresee that too.

        Returns uint8 `(steps, S, S, 3)`, or no frame, `(0, S, S, 3)`, where the agent cannot picture `action`.
        """
        ...
