"""Push an open microwave's door shut."""

from __future__ import annotations

from collections.abc import Sequence
from math import cos, pi, radians, sin

import numpy as np

from envs.rlbench.sight import Condition, Hold, JointChange, Thing
from envs.rlbench.situation import Situation
from envs.rlbench.task import Place, Script, Stage, Task, Words
from envs.rlbench.tasks._doors import push_door
from envs.tabletop.solids import Joint, Link, between, named, tube

DEPTH, WIDTH, HEIGHT = 0.26, 0.36, 0.23  # m; the front is at -x, the hinge at its +y end
WALL, THICK, PANEL = 0.015, 0.022, 0.085  # m; walls, door, panel with the knobs
DOOR = WIDTH - PANEL  # m; the door's length
FRONT, HINGE = -DEPTH / 2, WIDTH / 2
OPEN = (1.25, 1.65)  # rad


def _casing() -> Link:
    low, high = 0.012, HEIGHT
    feet = [tube((x, y, 0), (x, y, low), 0.014) for x in (-0.10, 0.10) for y in (-0.15, 0.15)]
    inner = HINGE - DOOR
    return Link(
        "microwave",
        (
            between((FRONT, -HINGE, low), (-FRONT, HINGE, low + WALL), "silver"),
            between((FRONT, -HINGE, high - WALL), (-FRONT, HINGE, high), "silver"),
            between((-FRONT - WALL, -HINGE, low + WALL), (-FRONT, HINGE, high - WALL), "graphite"),
            between((FRONT, HINGE - WALL, low + WALL), (-FRONT - WALL, HINGE, high - WALL), "silver"),
            between((FRONT, -HINGE, low + WALL), (-FRONT - WALL, inner, high - WALL), "silver"),
            between((FRONT - 0.004, -HINGE + 0.01, low + 0.02), (FRONT, inner - 0.01, high - 0.02), "black"),
            *named("lower knob", tube((FRONT - 0.02, -0.135, 0.075), (FRONT - 0.004, -0.135, 0.075), 0.02)),
            *named("upper knob", tube((FRONT - 0.02, -0.135, 0.145), (FRONT - 0.004, -0.135, 0.145), 0.02)),
            *named("plate", tube((0.0, 0.04, low + WALL), (0.0, 0.04, low + WALL + 0.006), 0.095, sides=12)),
            *feet,
        ),
    )


def _door() -> Link:
    """In the hinge's frame: along -y, its inner face at x = 0."""
    low, high = 0.014, HEIGHT - 0.002
    return Link(
        "microwave_door",
        (
            between((-THICK, -DOOR + 0.003, low), (0, -0.003, high), "white"),
            between((-THICK - 0.002, -DOOR + 0.06, low + 0.04), (-THICK, -0.04, high - 0.04), "black", seen=True),
            between((-0.001, -DOOR + 0.06, low + 0.04), (0.002, -0.04, high - 0.04), "graphite"),
            *named(
                "handle",
                between(
                    (-THICK - 0.030, -DOOR + 0.018, low + 0.03),
                    (-THICK - 0.018, -DOOR + 0.034, high - 0.03),
                    "graphite",
                ),
                between((-THICK - 0.018, -DOOR + 0.018, high - 0.05), (-THICK, -DOOR + 0.034, high - 0.03), "graphite"),
                between((-THICK - 0.018, -DOOR + 0.018, low + 0.03), (-THICK, -DOOR + 0.034, low + 0.05), "graphite"),
            ),
        ),
        Joint(
            "microwave_door_joint", "microwave", "revolute", at=(FRONT, HINGE, 0), axis=(0, 0, -1), limits=(0.0, 1.9)
        ),
        mass=0.6,
        centre=(-THICK / 2, -DOOR / 2, HEIGHT / 2),
    )


class CloseMicrowave(Task):
    """One variation; solved when the door has moved by 40 degrees."""

    name = "close_microwave"
    place = Place(x=(0.16, 0.30), y=(0.06, 0.18), yaw=pi / 8, heading=radians(108))
    words = (
        Words(
            "close microwave",
            (
                "close the microwave",
                "shut the microwave's door",
                "push the door of the microwave until it is shut",
                "the microwave stands open, close it",
                "swing the microwave door shut",
                "make sure that the microwave is closed",
            ),
            ("give the open microwave door a push so that it closes", "get the microwave shut"),
        ),
    )

    def make(self) -> Sequence[Thing]:
        """A microwave on feet, with a door, a panel and a plate."""
        return [Thing("microwave", (_casing(), _door()), {"microwave_door_joint": Hold(0.25)})]

    def begin(self, stage: Stage, variation: int, random: np.random.Generator) -> None:
        """The door starts wide open."""
        stage.set_joint("microwave_door_joint", float(random.uniform(*OPEN)))

    def conditions(self, variation: int) -> Sequence[Condition]:
        """The change of the door's angle."""
        return [JointChange("microwave_door_joint", radians(40))]

    def script(self, see: Situation) -> Script:
        """Come down outside the door, near its upper edge, and push it round its hinge."""
        along = see.near(0.17, 0.02)

        def outside(angle: float, away: float, up: float) -> np.ndarray:
            """`away` from the outer face of the door as it stands at an angle, `up` from its upper edge."""
            x = FRONT - along * sin(angle) - (THICK + away) * cos(angle)
            y = HINGE - along * cos(angle) + (THICK + away) * sin(angle)
            return see.point("microwave", (x, y, HEIGHT + up))

        yield from push_door(see, "microwave_door_joint", outside)


TASK = CloseMicrowave()
