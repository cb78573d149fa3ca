"""What a script of the play table goes by: the states of the moment in words, and waypoints within the arm's reach."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from envs.calvin.layouts import BLOCK_LENGTHS, BLOCK_SIDE, Layout
from envs.calvin.play_table import ROBOT_BASE
from envs.tabletop.arm import beyond_reach
from envs.tabletop.waypoints import Waypoint, pointing_down

ACROSS = 1.5  # yaw at home, near pi / 2: the fingers open along x
STEADY = 0.8
MOST_LEAN = 0.6  # m aside for each m down
SPARE = 0.02  # m of the arm's reach that is left, because the last of it is slow and inexact


class Block(NamedTuple):
    """A block: its centre (3,) m, its yaw in rad, its length along that in m."""

    position: np.ndarray
    yaw: float
    length: float

    def reach(self, x: float, y: float) -> float:
        """How far it reaches from its centre in the direction (x, y), of length 1."""
        along = abs(x * np.cos(self.yaw) + y * np.sin(self.yaw))
        aside = abs(y * np.cos(self.yaw) - x * np.sin(self.yaw))
        return float(along * self.length + aside * BLOCK_SIDE) / 2

    def face_yaw(self) -> float:
        """The yaw next to home at which the fingers are square to its faces."""
        return ACROSS + float((self.yaw - ACROSS + np.pi / 4) % (np.pi / 2) - np.pi / 4)

    def grip_yaw(self) -> float:
        """The yaw next to home at which the fingers close on its long sides."""
        return ACROSS + float((self.yaw - ACROSS + np.pi / 2) % np.pi - np.pi / 2)


class Situation:
    """What a script goes by: the states of this moment in words, and the jitter that makes demonstrations differ."""

    def __init__(self, layout: Layout, random: np.random.Generator, noise: float) -> None:
        self.layout, self.random, self.noise = layout, random, noise
        self.robot, self.scene = np.zeros(15), np.zeros(24)

    @property
    def hand(self) -> np.ndarray:
        """Position of the tool centre point, (3,)."""
        return self.robot[:3]

    @property
    def door(self) -> float:
        """x of the door's handle."""
        return self.layout.door - float(self.scene[0])

    @property
    def drawer(self) -> float:
        """How far the drawer is open."""
        return float(self.scene[1])

    def lit(self, light: str) -> bool:
        """Whether "lightbulb" or "led" is on."""
        return bool(self.scene[4 + ("lightbulb", "led").index(light)] > 0.5)

    def block(self, colour: str) -> Block:
        """The block of a colour."""
        begin = 6 + 6 * self.layout.order.index(colour)
        pose = self.scene[begin : begin + 6]
        return Block(pose[:3].copy(), float(pose[5]), BLOCK_LENGTHS[self.layout.sizes[colour]])

    def near(self, value: float, spread: float) -> float:
        """A value near the given one, at most `spread` away."""
        return value + self.noise * float(self.random.uniform(-spread, spread))

    def to(
        self,
        x: float,
        y: float,
        z: float,
        gripper: int,
        *,
        yaw: float = ACROSS,
        lean: tuple[float, float] = (0.0, 0.0),
        speed: float = 1.0,
        through: float = 0.0,
        wait: int = 0,
        steady: float = STEADY,
    ) -> Waypoint:
        """A waypoint with the gripper pointing down, or leaning as far outwards as it takes to get there."""
        outwards = np.array([x - ROBOT_BASE[0], y - ROBOT_BASE[1]])
        outwards /= np.linalg.norm(outwards)
        for more in np.arange(0.0, MOST_LEAN, 0.05):
            towards = (lean[0] + more * outwards[0], lean[1] + more * outwards[1])
            pose = np.array([x, y, z, *pointing_down(yaw, towards)])
            if beyond_reach(pose, ROBOT_BASE, SPARE) <= 0:
                break
        return Waypoint(pose, gripper, speed=speed, through=through, wait=wait, steady=steady)
