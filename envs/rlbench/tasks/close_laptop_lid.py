"""Fold a laptop's lid down."""

from __future__ import annotations

from collections.abc import Sequence
from math import pi

import numpy as np

from envs.rlbench.sight import Condition, Hold, JointChange, Thing
from envs.rlbench.situation import DOWN, Situation, pointing
from envs.rlbench.task import Place, Script, Stage, Task, Words
from envs.rlbench.tasks._lids import swing_lid
from envs.tabletop.solids import Joint, Link, between, named

LENGTH, WIDTH, BODY, LID = 0.17, 0.24, 0.018, 0.009  # m; along x, along y, and the two parts' thickness
OPEN = 1.95  # rad


def _links() -> tuple[Link, Link]:
    x, y = LENGTH / 2, WIDTH / 2
    keys = [
        between((-0.02 + 0.022 * row, -0.10, BODY), (-0.003 + 0.022 * row, 0.10, BODY + 0.0015), "black")
        for row in range(4)
    ]
    body = Link(
        "laptop",
        (
            between((-x, -y, 0), (x, y, BODY), "graphite"),
            *named("touchpad", between((-x + 0.012, -0.04, BODY), (-0.03, 0.04, BODY + 0.001), "silver")),
            *named("keys", *keys),
        ),
    )
    lid = Link(
        "laptop_lid",
        (
            between((-LENGTH, -y, 0), (0, y, LID), "silver"),
            *named("screen", between((-LENGTH + 0.012, -y + 0.012, -0.001), (-0.012, y - 0.012, 0), "blue")),
        ),
        Joint("lid_joint", "laptop", "revolute", at=(x, 0, BODY + 0.002), axis=(0, 1, 0), limits=(0.0, OPEN)),
        mass=0.25,
        centre=(-LENGTH / 2, 0, LID / 2),
    )
    return body, lid


class CloseLaptopLid(Task):
    """One variation; solved when the lid has moved by 1.79 rad."""

    name = "close_laptop_lid"
    place = Place(x=(0.14, 0.36), y=(-0.06, 0.16), yaw=pi / 4, heading=pi / 2)
    checked = 12
    words = (
        Words(
            "close laptop lid",
            (
                "close the laptop",
                "shut the lid of the laptop",
                "fold the laptop's lid down",
                "fold the screen down onto the keyboard",
                "the laptop is open, close it",
                "bring the lid of the laptop down",
            ),
            ("tip the screen over until the laptop is shut", "lay the laptop's screen on its keys"),
        ),
    )

    def make(self) -> Sequence[Thing]:
        """A laptop with a lid."""
        return [Thing("laptop", _links(), {"lid_joint": Hold(0.05)})]

    def begin(self, stage: Stage, variation: int, random: np.random.Generator) -> None:
        """The lid stands open as far as it goes."""
        stage.set_joint("lid_joint", OPEN)

    def conditions(self, variation: int) -> Sequence[Condition]:
        """The change of the lid's angle."""
        return [JointChange("lid_joint", 1.79)]

    def script(self, see: Situation) -> Script:
        """Go behind the lid's upper edge and push it over and down."""
        aside = see.near(0.0, 0.04)
        turn = pointing(DOWN, see.turn("laptop")[:, 1])

        def place(along: float, up: float) -> np.ndarray:
            return see.point("laptop", (LENGTH / 2 - along, aside, BODY + up))

        yield from swing_lid(see, "lid_joint", place, turn, length=LENGTH, thickness=LID)


TASK = CloseLaptopLid()
