"""How the play table's tasks are done by hand: waypoints, worked out from what stands where as they are needed.

Each script is a generator that yields the next waypoint. It is asked for that only once the arm has done the one
before, so it goes by the state of that moment and can try again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple, TypeAlias

import numpy as np

from envs.calvin.layouts import BLOCK_LENGTHS, BLOCK_SIDE, Layout
from envs.calvin.play_table import ROBOT_BASE
from envs.calvin.table import ALONG, SWITCH_TRAVEL
from envs.calvin.tasks import COLOURS
from envs.tabletop.arm import CLOSED, OPEN, beyond_reach
from envs.tabletop.waypoints import Waypoint, pointing_down

Script: TypeAlias = Iterator[Waypoint]

ACROSS = 1.5  # yaw at home, near pi / 2: the fingers open along x
TIP = 0.015  # m that the fingers reach beyond the tool centre point
FINGERS = 0.027  # m; half of two closed fingers, in the direction in which they open
TRAVEL = 0.56  # z of ways over the table; whatever stands on it is lower
TRIES = 3
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


def push_block(see: Situation, colour: str, sign: int) -> Script:
    """Set the closed fingers beside the block and push it along x."""
    begin = see.block(colour).position[0]
    far = see.near(0.120, 0.010)
    for _ in range(TRIES):
        block = see.block(colour)
        yaw = block.face_yaw()
        aside = see.near(0.0, 0.005)
        behind = block.position[0] - sign * (block.reach(1, 0) + FINGERS + see.near(0.020, 0.008))
        y, low = block.position[1] + aside, see.near(0.463, 0.003)
        lean = (0.0, 0.35 * float(np.clip((y + 0.07) / 0.04, 0, 1)))  # keeps the hand off the door's handle
        yield see.to(behind, y, see.near(TRAVEL, 0.02), CLOSED, yaw=yaw, lean=lean, through=0.03, steady=0)
        yield see.to(behind, y, low, CLOSED, yaw=yaw, lean=lean)
        speed = see.near(0.6, 0.12)
        for _ in range(30):  # a short way each, so that the hand follows where the block goes
            block = see.block(colour)
            left = sign * (begin + sign * far - block.position[0])
            gone = sign * (see.hand[0] - block.position[0])
            if left < 0 or gone > 0 or abs(see.hand[1] - block.position[1]) > 0.04:
                break
            x = see.hand[0] + sign * 0.045
            yield see.to(x, block.position[1] + aside, low, CLOSED, yaw=yaw, lean=lean, speed=speed, through=0.03)
        yield see.to(see.hand[0] - sign * 0.02, see.hand[1] - 0.02, TRAVEL, CLOSED, yaw=yaw, lean=lean)
        if sign * (see.block(colour).position[0] - begin) > 0.1:
            return


def _handle(see: Situation) -> tuple[float, float]:
    """y of the drawer's bar, and a place on it."""
    return -0.25 - see.drawer, see.near(see.layout.drawer, 0.05)


def open_drawer(see: Situation) -> Script:
    """Take the bar from above and pull."""
    for _ in range(TRIES):
        y, x = _handle(see)
        yaw, low = see.near(0.12, 0.12), see.near(0.374, 0.003)
        yield see.to(x, y - 0.008, see.near(0.47, 0.02), OPEN, yaw=yaw, through=0.02, steady=0)
        yield see.to(x, y - 0.008, low, OPEN, yaw=yaw)
        yield see.to(x, y, low, CLOSED, yaw=yaw, wait=3)
        pull = see.near(0.18, 0.02)
        yield see.to(see.near(x, 0.005), y - pull, low, CLOSED, yaw=yaw, speed=0.8)
        yield see.to(x, see.hand[1], low, OPEN, yaw=yaw, wait=2)
        yield see.to(x, see.hand[1], 0.47, OPEN, yaw=yaw)
        if see.drawer > 0.12:
            return


def close_drawer(see: Situation) -> Script:
    """Push the bar from in front with closed fingers."""
    for _ in range(TRIES):
        y, x = _handle(see)
        low = see.near(0.368, 0.004)
        front = y - see.near(0.050, 0.008)
        yield see.to(x, front, see.near(0.47, 0.02), CLOSED, through=0.03, steady=0)
        yield see.to(x, front, low, CLOSED)
        yield see.to(see.near(x, 0.01), y + min(see.drawer, see.near(0.19, 0.01)) - 0.02, low, CLOSED, speed=0.8)
        yield see.to(x, see.hand[1] - 0.03, 0.44, CLOSED)
        if see.drawer < 0.1:
            return


def turn_led(see: Situation, on: bool) -> Script:
    """Press the button from above."""
    x, y = see.near(see.layout.button, 0.012), see.near(-0.12, 0.012)
    for _ in range(TRIES):
        yield see.to(x, y, see.near(0.545, 0.015), CLOSED, speed=0.8, through=0.01, steady=0)
        yield see.to(x, y, 0.478, CLOSED, speed=0.45)
        yield see.to(x, y, 0.54, CLOSED)
        if see.lit("led") == on:
            return


def turn_lightbulb(see: Situation, on: bool) -> Script:
    """Push the switch's bar along the panel: up from below, or down from above."""
    lean = (0.3 if see.layout.switch > 0 else 0.0, 0.35)
    for _ in range(TRIES):
        x = see.near(see.layout.switch, 0.025)

        def at(
            y: float,
            z: float,
            up: float,
            *,
            x: float = x,
            speed: float = 1.0,
            through: float = 0.0,
            steady: float = STEADY,
        ) -> Waypoint:
            """A waypoint `up` m further along the panel than given."""
            _, dy, dz = up * np.array(ALONG)
            return see.to(x, y + dy, z + dz, CLOSED, lean=lean, speed=speed, through=through, steady=steady)

        stands = float(see.scene[3])
        if on:
            yield at(-0.08, 0.515, stands, through=0.02, steady=0)
            yield at(0.0, 0.505, stands, through=0.005)
            yield at(0.0, 0.505, see.near(0.105, 0.005), speed=0.7)
            yield at(-0.06, 0.51, 0.10)
        else:
            yield at(0.03, 0.70, stands - SWITCH_TRAVEL, through=0.02, steady=0)
            yield at(0.065, 0.66, stands - SWITCH_TRAVEL, through=0.01)
            yield at(0.065, 0.66, see.near(-0.105, 0.005), speed=0.7)
            yield at(-0.01, 0.64, 0.0)
        if see.lit("lightbulb") == on:
            return


def move_door(see: Situation, sign: int) -> Script:
    """Take the door's handle from the front and slide it."""
    begin = see.door
    for _ in range(TRIES):
        x, y, z = see.door, see.near(0.012, 0.003), see.near(0.58, 0.005)
        yield see.to(x, see.near(-0.08, 0.02), see.near(0.60, 0.02), OPEN, through=0.02, steady=0)
        yield see.to(x, y, z, OPEN)
        yield see.to(x, y, z, CLOSED, wait=3)
        yield see.to(begin + sign * see.near(0.20, 0.02), y, z, CLOSED, speed=0.9)
        yield see.to(see.hand[0], y, z, OPEN, wait=2)
        yield see.to(see.hand[0], -0.09, 0.60, OPEN)
        if sign * (see.door - begin) > 0.15:
            return


def _scripts() -> dict[str, Callable[[Situation], Script]]:
    scripts: dict[str, Callable[[Situation], Script]] = {}
    for colour in COLOURS:
        for side, sign in (("right", 1), ("left", -1)):
            scripts[f"push_{colour}_block_{side}"] = partial(push_block, colour=colour, sign=sign)
    scripts["move_slider_left"] = partial(move_door, sign=-1)
    scripts["move_slider_right"] = partial(move_door, sign=1)
    scripts["open_drawer"] = open_drawer
    scripts["close_drawer"] = close_drawer
    for word, on in (("on", True), ("off", False)):
        scripts[f"turn_{word}_lightbulb"] = partial(turn_lightbulb, on=on)
        scripts[f"turn_{word}_led"] = partial(turn_led, on=on)
    return scripts


SCRIPTS = _scripts()
