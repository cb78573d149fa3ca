"""Push the upper door of a fridge shut."""

from __future__ import annotations

from collections.abc import Sequence
from math import cos, pi, radians, sin

import numpy as np

from envs.rlbench.sight import Condition, Hold, JointChange, Thing
from envs.rlbench.situation import Situation
from envs.rlbench.task import Place, Script, Stage, Task, Words
from envs.rlbench.tasks._doors import push_door
from envs.tabletop.solids import Joint, Link, Solid, between, named, tube

DEPTH, WIDTH, HEIGHT = 0.22, 0.27, 0.44  # m; the front is at -x, the hinges at its +y end
SPLIT = 0.20  # m; where the lower door ends and the upper one begins
WALL, THICK = 0.02, 0.028  # m; walls, doors
FRONT, HINGE = -DEPTH / 2, WIDTH / 2
OPEN = (1.0, 1.5)  # rad
TINT = (0.66, 0.84, 0.90, 1.0)  # so that the white arm can be told from it


def _casing() -> Link:
    low = 0.02
    shelves = [
        between((FRONT + 0.02, -HINGE + WALL, z), (-FRONT - WALL, HINGE - WALL, z + 0.006), "silver")
        for z in (0.11, 0.31)
    ]
    food = (
        *named("bottle", tube((0.02, -0.05, SPLIT + 0.01), (0.02, -0.05, SPLIT + 0.09), 0.022, material="green")),
        *named("parcel", between((0.0, 0.02, SPLIT + 0.01), (0.06, 0.09, SPLIT + 0.06), "brass")),
    )
    return Link(
        "fridge",
        (
            between((FRONT, -HINGE, low), (-FRONT, HINGE, low + WALL), "white"),
            between((FRONT, -HINGE, SPLIT - 0.01), (-FRONT, HINGE, SPLIT + 0.01), "white"),
            between((FRONT, -HINGE, HEIGHT - WALL), (-FRONT, HINGE, HEIGHT), "white"),
            between((-FRONT - WALL, -HINGE, low + WALL), (-FRONT, HINGE, HEIGHT - WALL), "cream"),
            between((FRONT, HINGE - WALL, low + WALL), (-FRONT - WALL, HINGE, HEIGHT - WALL), "white"),
            between((FRONT, -HINGE, low + WALL), (-FRONT - WALL, -HINGE + WALL, HEIGHT - WALL), "white"),
            between((FRONT + 0.01, -HINGE + 0.02, 0), (-FRONT - 0.01, HINGE - 0.02, low), "graphite"),
            *shelves,
            *food,
        ),
        colour=TINT,
    )


def _door(name: str, low: float, high: float) -> Link:
    """In its hinge's frame, which is on the table: along -y, its inner face at x = 0."""
    end = -WIDTH + 0.003
    middle = (low + high) / 2
    solids: list[Solid] = [
        between((-THICK, end, low), (0, -0.003, high), "white"),
        between((-0.002, end + 0.03, low + 0.02), (0.004, -0.03, high - 0.02), "cream"),
    ]
    handle = [
        between((-THICK - 0.030, end + 0.014, middle - 0.06), (-THICK - 0.018, end + 0.028, middle + 0.06), "graphite"),
    ]
    for z in (middle - 0.06, middle + 0.045):
        handle.append(between((-THICK - 0.018, end + 0.014, z), (-THICK, end + 0.028, z + 0.015), "graphite"))
    solids += named("handle", *handle)
    return Link(
        f"{name}_door",
        tuple(solids),
        Joint(f"{name}_joint", "fridge", "revolute", at=(FRONT, HINGE, 0), axis=(0, 0, -1), limits=(0.0, 1.9)),
        mass=0.8,
        centre=(-THICK / 2, -WIDTH / 2, middle),
        colour=TINT,
    )


class CloseFridge(Task):
    """One variation; solved when the upper door has moved by 30 degrees."""

    name = "close_fridge"
    place = Place(x=(0.16, 0.28), y=(0.08, 0.18), yaw=pi / 4, heading=radians(112))
    words = (
        Words(
            "close fridge",
            (
                "close the fridge",
                "shut the door of the fridge",
                "push the upper fridge door until it is shut",
                "the fridge is open, close it",
                "swing the fridge door shut",
                "make sure that the fridge is closed",
            ),
            ("give the open fridge door a push so that it closes", "get the fridge shut"),
        ),
    )

    def make(self) -> Sequence[Thing]:
        """A fridge with two doors, one above the other."""
        doors = (_door("top", SPLIT + 0.006, HEIGHT - 0.002), _door("bottom", 0.024, SPLIT - 0.006))
        return [Thing("fridge", (_casing(), *doors), {"top_joint": Hold(0.3), "bottom_joint": Hold(2.0)})]

    def begin(self, stage: Stage, variation: int, random: np.random.Generator) -> None:
        """The upper door starts open."""
        stage.set_joint("top_joint", float(random.uniform(*OPEN)))

    def conditions(self, variation: int) -> Sequence[Condition]:
        """The change of the upper door's angle."""
        return [JointChange("top_joint", radians(30))]

    def script(self, see: Situation) -> Script:
        """Come down outside the door, near its upper edge, and push it round its hinge."""
        along = see.near(0.165, 0.02)

        def outside(angle: float, away: float, up: float) -> np.ndarray:
            """`away` from the outer face of the door as it stands at an angle, `up` from its upper edge."""
            x = FRONT - along * sin(angle) - (THICK + away) * cos(angle)
            y = HINGE - along * cos(angle) + (THICK + away) * sin(angle)
            return see.point("fridge", (x, y, HEIGHT + up))

        yield from push_door(see, "top_joint", outside)


TASK = CloseFridge()
