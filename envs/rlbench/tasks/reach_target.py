"""Bring the tip to the ball of a colour."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from envs.rlbench.sight import Condition, Thing, TipNear
from envs.rlbench.situation import Situation
from envs.rlbench.task import COLOURS, Script, Stage, Task, Words, coloured
from envs.rlbench.world import OPEN
from envs.tabletop.solids import Link, ball

RADIUS, REACHED = 0.0225, 0.03  # m; of a ball, and how near the tip has to come to its middle
APART = 0.20  # m between balls
BOX = ((0.08, -0.28, 0.82), (0.42, 0.28, 1.20))  # m; corners of where they may be
NAMES = ("target", "distractor_1", "distractor_2")
TRIES = 1000


class ReachTarget(Task):
    """Twenty colours; solved when the tip is at the ball of that colour, beside which there are two others."""

    name = "reach_target"
    words = coloured(
        Words(
            "reach the COLOUR target",
            (
                "go to the COLOUR ball",
                "move the hand to the COLOUR ball",
                "touch the COLOUR ball",
                "bring the gripper to the COLOUR target",
                "reach for the COLOUR ball",
                "move to where the COLOUR ball is",
            ),
            ("let the hand go to the COLOUR one of the balls", "the COLOUR ball is the place to go to"),
        ),
        tuple(COLOURS),
    )

    def make(self) -> Sequence[Thing]:
        """Three balls that the arm goes through."""
        return [Thing(name, [Link(name, ball((0, 0, 0), RADIUS, solid=False))]) for name in NAMES]

    def begin(self, stage: Stage, variation: int, random: np.random.Generator) -> None:
        """Scatter the balls in the air; two in colours other than the target's."""
        names = list(COLOURS)
        others = [name for name in names if name != names[variation]]
        colours = [names[variation], *(str(name) for name in random.choice(others, 2, replace=False))]
        for name, place, colour in zip(NAMES, _places(random), colours, strict=True):
            stage.place(name, place)
            stage.paint(name, name, COLOURS[colour])

    def conditions(self, variation: int) -> Sequence[Condition]:
        """The tip at the target."""
        return [TipNear("target", REACHED)]

    def script(self, see: Situation) -> Script:
        """Go there."""
        spread = [see.near(0.0, 0.006) for _ in range(3)]
        yield see.to(see.position("target") + spread, OPEN, speed=see.near(1.0, 0.1), wait=2)


def _places(random: np.random.Generator) -> np.ndarray:
    """Where the balls are, (3, 3) m."""
    for _ in range(TRIES):
        places = random.uniform(*BOX, size=(3, 3))
        gaps = [np.linalg.norm(places[i] - places[j]) for i, j in ((0, 1), (0, 2), (1, 2))]
        if min(gaps) >= APART:
            return places
    raise RuntimeError("the balls found no places apart from each other")


TASK = ReachTarget()
