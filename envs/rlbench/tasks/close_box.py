"""Close the lid of a box that hangs open at its side."""

from __future__ import annotations

from collections.abc import Sequence
from math import pi

import numpy as np

from envs.rlbench.sight import Condition, Hold, JointChange, Thing
from envs.rlbench.situation import DOWN, Situation, pointing
from envs.rlbench.task import Place, Script, Stage, Task, Words
from envs.rlbench.tasks._lids import swing_lid
from envs.tabletop.solids import Joint, Link, between

LENGTH, WIDTH, HEIGHT = 0.24, 0.20, 0.11  # m along x, y, z; the hinge is the edge at -y
WALL, LID = 0.008, 0.010  # m
OPEN = 2.75  # rad; as far as the lid goes


def _links() -> tuple[Link, Link]:
    x, y = LENGTH / 2, WIDTH / 2
    case = Link(
        "box",
        (
            between((-x, -y, 0), (x, y, WALL), "brass"),
            between((-x, -y, WALL), (x, -y + WALL, HEIGHT), "brass"),
            between((-x, y - WALL, WALL), (x, y, HEIGHT), "brass"),
            between((-x, -y + WALL, WALL), (-x + WALL, y - WALL, HEIGHT), "brass"),
            between((x - WALL, -y + WALL, WALL), (x, y - WALL, HEIGHT), "brass"),
            between((-x + WALL, -y + WALL, WALL), (x - WALL, y - WALL, WALL + 0.002), "shade"),
        ),
    )
    lid = Link(
        "box_lid",
        (
            between((-x, 0, 0), (x, WIDTH, LID), "cream"),
            between((-x + 0.02, 0.02, LID), (x - 0.02, WIDTH - 0.02, LID + 0.0015), "blue"),
        ),
        Joint("box_joint", "box", "revolute", at=(0, -y, HEIGHT), axis=(1, 0, 0), limits=(0.0, OPEN)),
        mass=0.25,
        centre=(0, WIDTH / 2, LID / 2),
    )
    return case, lid


class CloseBox(Task):
    """One variation; solved when the lid has moved by 2.6 rad."""

    name = "close_box"
    place = Place(x=(0.12, 0.34), y=(-0.02, 0.16), yaw=pi / 8)
    checked = 14
    words = (
        Words(
            "close box",
            (
                "close the box",
                "shut the lid of the box",
                "put the lid down on the box",
                "fold the lid over until the box is shut",
                "the box is open, close it",
                "bring the box's lid all the way down",
            ),
            ("swing the lid over and shut the box with it", "cover the box with its lid"),
        ),
    )

    def make(self) -> Sequence[Thing]:
        """A box with a lid."""
        return [Thing("box", _links(), {"box_joint": Hold(0.04)})]

    def begin(self, stage: Stage, variation: int, random: np.random.Generator) -> None:
        """The lid hangs back as far as it goes."""
        stage.set_joint("box_joint", OPEN)

    def conditions(self, variation: int) -> Sequence[Condition]:
        """The change of the lid's angle."""
        return [JointChange("box_joint", 2.6)]

    def script(self, see: Situation) -> Script:
        """Push the lid's edge up from outside, and over."""
        aside = see.near(0.0, 0.03)
        turn = pointing(DOWN, see.turn("box")[:, 0])

        def place(along: float, up: float) -> np.ndarray:
            return see.point("box", (aside, along - WIDTH / 2, HEIGHT + up))

        yield from swing_lid(see, "box_joint", place, turn, length=WIDTH, thickness=LID)


TASK = CloseBox()
