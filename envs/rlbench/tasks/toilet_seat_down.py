"""Put a toilet's seat down."""

from __future__ import annotations

from collections.abc import Sequence
from math import pi

import numpy as np

from envs.rlbench.sight import Condition, Hold, JointChange, Thing
from envs.rlbench.situation import DOWN, Situation, pointing
from envs.rlbench.task import Place, Script, Stage, Task, Words
from envs.rlbench.tasks._lids import swing_lid
from envs.tabletop.solids import Joint, Link, between, loft, named

RIM, HINGE = 0.16, 0.075  # m; height of the bowl's rim, x of the hinge behind it; the bowl's front is at -x
SEAT, THICK, WIDE = 0.20, 0.014, 0.17  # m; the seat's length, thickness and width
TANK = (0.145, 0.225, 0.30)  # m; x of its front and back, height
OPEN = 1.87  # rad; the seat leans back towards the tank


def _oval(front: float, back: float, width: float, z: float) -> np.ndarray:
    """Ten corners (10, 3) of a bowl's outline, round in front."""
    half = width / 2
    angles = np.linspace(pi / 2, 3 * pi / 2, 8)
    middle = front + half
    arc = [(middle + half * np.cos(angle), half * np.sin(angle)) for angle in angles]
    outline = [*arc, (back, -half), (back, half)]
    return np.array([(x, y, z) for x, y in outline])


def _links() -> tuple[Link, Link]:
    front, back = HINGE - SEAT, HINGE + 0.01
    toilet = Link(
        "toilet",
        (
            loft(_oval(front + 0.06, back, 0.10, 0.0), _oval(front + 0.05, back, 0.10, 0.07), "white"),
            loft(_oval(front + 0.05, back, 0.11, 0.07), _oval(front, back, WIDE, RIM - 0.004), "white"),
            loft(
                _oval(front + 0.02, back - 0.03, WIDE - 0.04, RIM - 0.004),
                _oval(front + 0.02, back - 0.03, WIDE - 0.04, RIM - 0.003),
                "blue",
            ),
            between((back, -0.05, 0.0), (TANK[0], 0.05, RIM - 0.01), "white"),
            *named(
                "tank",
                between((TANK[0], -0.10, 0.08), (TANK[1], 0.10, TANK[2] - 0.015), "white"),
                between((TANK[0] - 0.006, -0.106, TANK[2] - 0.015), (TANK[1] + 0.006, 0.106, TANK[2]), "silver"),
            ),
            between((TANK[0], -0.05, 0.0), (TANK[1] - 0.02, 0.05, 0.08), "white"),
        ),
    )
    seat = Link(
        "seat",
        (loft(_oval(-SEAT, 0.0, WIDE, 0.0), _oval(-SEAT, 0.0, WIDE, THICK), "cream"),),
        Joint("seat_joint", "toilet", "revolute", at=(HINGE, 0, RIM), axis=(0, 1, 0), limits=(0.0, OPEN)),
        mass=0.3,
        centre=(-SEAT / 2, 0, THICK / 2),
    )
    return toilet, seat


class ToiletSeatDown(Task):
    """One variation; solved when the seat has moved by 1.7 rad."""

    name = "toilet_seat_down"
    place = Place(x=(0.16, 0.36), y=(-0.04, 0.14), yaw=pi / 4, heading=pi / 2)
    checked = 12
    words = (
        Words(
            "toilet seat down",
            (
                "put the toilet seat down",
                "lower the seat of the toilet",
                "close the toilet",
                "fold the toilet seat down",
                "the toilet seat is up, put it down",
                "bring the seat down onto the bowl",
            ),
            ("let the toilet's seat down again", "tip the raised seat over so that it lies on the toilet"),
        ),
    )

    def make(self) -> Sequence[Thing]:
        """A toilet with its tank, and a seat."""
        return [Thing("toilet", _links(), {"seat_joint": Hold(0.05)})]

    def begin(self, stage: Stage, variation: int, random: np.random.Generator) -> None:
        """The seat leans back."""
        stage.set_joint("seat_joint", OPEN)

    def conditions(self, variation: int) -> Sequence[Condition]:
        """The change of the seat's angle."""
        return [JointChange("seat_joint", 1.7)]

    def script(self, see: Situation) -> Script:
        """Go behind the seat's upper edge, above the tank, and push it over and down."""
        aside = see.near(0.0, 0.025)
        turn = pointing(DOWN, see.turn("toilet")[:, 1])

        def place(along: float, up: float) -> np.ndarray:
            return see.point("toilet", (HINGE - along, aside, RIM + up))

        yield from swing_lid(see, "seat_joint", place, turn, length=SEAT, thickness=THICK)


TASK = ToiletSeatDown()
