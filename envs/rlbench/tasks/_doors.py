"""How doors with upright hinges are pushed shut."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from envs.rlbench.situation import Situation
from envs.rlbench.task import Script
from envs.rlbench.world import CLOSED

FINGERS = 0.027  # m; the most that closed fingers reach from the tip's axis
STEP = 0.22  # rad of the door between waypoints
TRIES = 3


def push_door(see: Situation, joint: str, outside: Callable[[float, float, float], np.ndarray]) -> Script:
    """Come down outside the door and push it round its hinge until it is nearly shut.

    outside: (angle of the door in rad, m away from its outer face, m up from its upper edge) -> place in the world.
    """
    low, left = see.near(-0.035, 0.006), see.near(0.16, 0.08)
    for _ in range(TRIES):
        angle = see.joint(joint)
        clear = FINGERS + see.near(0.045, 0.012)
        yield see.to(outside(angle, clear, see.near(0.10, 0.02)), CLOSED, through=0.03, steady=0)
        yield see.to(outside(angle, clear, low), CLOSED, through=0.01)
        speed = see.near(0.8, 0.12)
        while angle > left:
            angle = max(angle - STEP, left - 0.01)
            yield see.to(outside(angle, 0.012, low), CLOSED, speed=speed, through=0.03)
        yield see.to(outside(angle, clear + 0.02, low), CLOSED, through=0.02)
        yield see.to(outside(angle, clear + 0.04, 0.12), CLOSED, through=0.03)
        if see.joint(joint) < left + 0.25:
            return
