"""How lids that stand open on a level hinge are swung shut."""

from __future__ import annotations

from collections.abc import Callable
from math import cos, pi, sin

import numpy as np

from envs.rlbench.situation import Situation
from envs.rlbench.task import Script
from envs.rlbench.world import CLOSED

DEPTH = 0.0105  # m; half of a finger across the direction it opens in
BEYOND = 0.013  # m; the fingers' ends beyond the tip
BELOW = 0.025  # m; how far below the lid's edge the tip pushes
STEP = 0.2  # rad of the lid between waypoints
TRIES = 3


def swing_lid(
    see: Situation,
    joint: str,
    place: Callable[[float, float], np.ndarray],
    turn: np.ndarray,
    *,
    length: float,
    thickness: float,
) -> Script:
    """Come down behind the lid's edge, push it over, follow it down and press it shut.

    The angle of `joint` is 0 where the lid lies, and pi / 2 where it stands upright. place: (m from the hinge in the
    direction in which the closed lid lies, m above the hinge) -> place in the world. turn: of the tip, which points
    down and opens along the hinge.
    """
    below, inside = see.near(BELOW, 0.004), length - see.near(0.035, 0.008)
    for _ in range(TRIES):
        angle = see.joint(joint)
        edge = length * cos(angle), length * sin(angle)
        if angle > pi / 2:
            gap = thickness + DEPTH + see.near(0.022, 0.005)
            up, high = see.near(0.07, 0.015), edge[1] - below
            yield see.to(place(edge[0] - gap, edge[1] + up), CLOSED, turn, through=0.02, steady=0)
            yield see.to(place(edge[0] - gap, high), CLOSED, turn)
        else:
            yield see.to(place(edge[0], edge[1] + 0.10), CLOSED, turn, through=0.02)
        speed = see.near(0.7, 0.1)
        while angle > -0.05:
            angle -= STEP
            if angle > pi / 2:  # the finger's side pushes the edge
                where = length * cos(angle) - DEPTH + 0.006, length * sin(angle) - below
            else:  # its end pushes what is the lid's upper face
                lies = max(angle, 0.0)
                off = thickness + (BEYOND - 0.008 if angle > 0 else BEYOND - 0.016)
                where = inside * cos(lies) - off * sin(lies), inside * sin(lies) + off * cos(lies)
            yield see.to(place(*where), CLOSED, turn, speed=speed, through=0.025 if angle > 0 else 0.0)
        yield see.to(place(inside, 0.10), CLOSED, turn, through=0.02)
        if see.joint(joint) < 0.1:
            return
