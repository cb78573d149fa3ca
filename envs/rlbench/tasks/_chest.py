"""A chest of three drawers with knobs: its model and its handling, for the tasks that open and close one."""

from __future__ import annotations

from math import radians

import numpy as np

from envs.rlbench.sight import Hold, Thing
from envs.rlbench.situation import Situation, pointing
from envs.rlbench.task import Place, Words
from envs.tabletop.solids import Joint, Link, between, named

DRAWERS = ("bottom", "middle", "top")  # by variation
DEPTH, WIDTH = 0.24, 0.28  # m; the front is at -x
FRONT, SIDE = -DEPTH / 2, WIDTH / 2
FOOT, STOREY, BOARD = 0.02, 0.10, 0.012  # m; from the table, from one drawer to the next, a board's thickness
HEIGHT = FOOT + 3 * STOREY + BOARD
TRAVEL = 0.20  # m
STICKS_OUT = 0.055  # m; the knobs from the drawers' fronts
KNOB = 0.009  # m; half of a knob's side
LEAN = radians(48)  # of the hand from the vertical, towards the drawers
PLACE = Place(x=(0.34, 0.44), y=(0.10, 0.20), yaw=radians(22.5), heading=radians(78))


def joint_of(variation: int) -> str:
    """The name of a variation's joint."""
    return f"{DRAWERS[variation]}_drawer_joint"


def _drawer(number: int) -> Link:
    low, high = FOOT + number * STOREY + BOARD + 0.002, FOOT + (number + 1) * STOREY - 0.002
    side, front, back, middle = SIDE - BOARD - 0.003, FRONT, -FRONT - BOARD - 0.01, (low + high) / 2
    return Link(
        f"{DRAWERS[number]}_drawer",
        (
            between((front - BOARD, -SIDE + 0.002, low), (front, SIDE - 0.002, high), "wood"),
            between((front, -side, low), (back, side, low + 0.008), "cream"),
            between((front, -side, low + 0.008), (back, -side + 0.008, high - 0.02), "cream"),
            between((front, side - 0.008, low + 0.008), (back, side, high - 0.02), "cream"),
            between((back - 0.008, -side + 0.008, low + 0.008), (back, side - 0.008, high - 0.02), "cream"),
            *named(
                "knob",
                between(
                    (front - STICKS_OUT, -0.005, middle - 0.008), (front - BOARD, 0.005, middle + 0.008), "graphite"
                ),
                between(
                    (front - STICKS_OUT - KNOB, -KNOB, middle - 0.024),
                    (front - STICKS_OUT + KNOB, KNOB, middle + 0.024),
                    "graphite",
                ),
            ),
        ),
        Joint(joint_of(number), "chest", "prismatic", axis=(-1, 0, 0), limits=(0.0, TRAVEL)),
        mass=0.6,
        centre=(0, 0, middle),
        contact={"lateral_friction": 1.0},
    )


def make_chest() -> list[Thing]:
    """The chest; its frame is on the table, below its middle."""
    boards = [
        between((FRONT, -SIDE + BOARD, FOOT + n * STOREY), (-FRONT, SIDE - BOARD, FOOT + n * STOREY + BOARD), "wood")
        for n in range(3)
    ]
    case = Link(
        "chest",
        (
            between((FRONT, -SIDE, 0), (-FRONT, -SIDE + BOARD, HEIGHT - BOARD), "wood"),
            between((FRONT, SIDE - BOARD, 0), (-FRONT, SIDE, HEIGHT - BOARD), "wood"),
            between((-FRONT - BOARD, -SIDE + BOARD, FOOT), (-FRONT, SIDE - BOARD, HEIGHT - BOARD), "wood"),
            between((FRONT - 0.01, -SIDE - 0.008, HEIGHT - BOARD), (-FRONT + 0.005, SIDE + 0.008, HEIGHT), "wood"),
            *boards,
        ),
    )
    joints = {joint_of(number): Hold(2.5) for number in range(3)}
    return [Thing("chest", (case, *(_drawer(number) for number in range(3))), joints)]


def words_for(protocol: str, own: tuple[str, ...], held_out: tuple[str, ...]) -> tuple[Words, ...]:
    """The same words for each drawer, whose name takes the place of "WHICH"."""
    return tuple(
        Words(
            protocol.replace("WHICH", drawer),
            tuple(text.replace("WHICH", drawer) for text in own),
            tuple(text.replace("WHICH", drawer) for text in held_out),
        )
        for drawer in DRAWERS
    )


def knob(see: Situation, away: float = 0.0, up: float = 0.0) -> np.ndarray:
    """The knob of the variation's drawer as it stands now, or `away` m in front of it and `up` m above, (3,)."""
    number = see.variation
    middle = FOOT + number * STOREY + (BOARD + STOREY) / 2
    return see.point("chest", (FRONT - STICKS_OUT - see.joint(joint_of(number)) - away, 0.0, middle + up))


def hand(see: Situation) -> tuple[np.ndarray, np.ndarray]:
    """The tip's matrix that leans towards the drawers, its fingers beside the knob; and the way it points, (3,)."""
    turn = see.turn("chest")
    forward = np.sin(LEAN) * turn[:, 0] - np.cos(LEAN) * turn[:, 2]
    return pointing(forward, turn[:, 1]), forward
