"""A round button: its cap and how it is pressed."""

from __future__ import annotations

import numpy as np

from envs.rlbench.situation import UPRIGHT, Situation
from envs.rlbench.task import Script
from envs.rlbench.world import CLOSED
from envs.tabletop.solids import Joint, Link, Vector, tube

CAP, RADIUS, TRAVEL = 0.016, 0.026, 0.008  # m; height of the cap, its radius, how far it goes down
BEYOND = 0.013  # m; the fingers' ends beyond the tip
TRIES = 3


def button_cap(parent: str, at: Vector, name: str = "button_joint") -> Link:
    """The cap, on its parent at `at`."""
    return Link(
        "cap",
        (tube((0, 0, -TRAVEL), (0, 0, CAP), RADIUS, RADIUS - 0.003, sides=12),),
        Joint(name, parent, "prismatic", at=at, axis=(0, 0, -1), limits=(0.0, TRAVEL)),
        mass=0.02,
        centre=(0, 0, CAP / 2),
    )


def press(see: Situation, thing: str, at: Vector, joint: str, turn: np.ndarray = UPRIGHT) -> Script:
    """Press a cap at `at` in its thing's frame, with closed fingers from above."""
    top = np.array(at) + (0, 0, CAP + BEYOND)
    aside = np.array([see.near(0.0, 0.006), see.near(0.0, 0.006), 0.0])
    for _ in range(TRIES):
        place = see.point(thing, top + aside)
        yield see.to(place + (0, 0, see.near(0.07, 0.015)), CLOSED, turn, through=0.015, steady=0)
        yield see.to(place + (0, 0, -TRAVEL - 0.004), CLOSED, turn, speed=see.near(0.6, 0.1), wait=1)
        pressed = see.joint(joint)
        yield see.to(place + (0, 0, 0.06), CLOSED, turn, through=0.02)
        if pressed > 0.003:
            return
