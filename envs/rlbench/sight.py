"""What the states of a task say: where its things are, how its joints stand, where the tip is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

import numpy as np

from envs.rlbench.robot import Tip
from envs.tabletop.solids import Link
from envs.tabletop.turns import matrix_of


class Hold(NamedTuple):
    """What holds a joint where it is: friction in N or N m; springs come back to 0 with it instead."""

    force: float
    spring: bool = False


class Thing(NamedTuple):
    """A body of a task: its links with the base first, and its joints by name.

    The base's frame stands on the table: x and y along it, z up.
    """

    name: str
    links: Sequence[Link]
    joints: Mapping[str, Hold] = {}


def state_size(things: Sequence[Thing]) -> int:
    """How many numbers `Sight` reads: 7 of each thing's pose, then 1 of each of its joints."""
    return sum(7 + len(thing.joints) for thing in things)


class Sight:
    """The states of a moment, (7,) gripper_pose and (n,) task_low_dim_state, by name."""

    def __init__(self, things: Sequence[Thing]) -> None:
        self._poses: dict[str, int] = {}
        self._joints: dict[str, int] = {}
        begin = 0
        for thing in things:
            self._poses[thing.name] = begin
            self._joints.update({joint: begin + 7 + number for number, joint in enumerate(thing.joints)})
            begin += 7 + len(thing.joints)
        self.values = np.zeros(begin)
        self.tip = Tip(np.zeros(3), np.eye(3))

    def look(self, states: Mapping[str, np.ndarray]) -> None:
        """Take over a world's states."""
        self.values = np.array(states["task_low_dim_state"], np.float64)
        pose = np.array(states["gripper_pose"], np.float64)
        self.tip = Tip(pose[:3], matrix_of(pose[3:]))

    def joint(self, name: str) -> float:
        """How a joint stands, m or rad."""
        return float(self.values[self._joints[name]])

    def position(self, thing: str) -> np.ndarray:
        """Where a thing's frame is, (3,) m."""
        begin = self._poses[thing]
        return self.values[begin : begin + 3]

    def turn(self, thing: str) -> np.ndarray:
        """How a thing's frame is turned, (3, 3)."""
        begin = self._poses[thing]
        return matrix_of(self.values[begin + 3 : begin + 7])

    def point(self, thing: str, place: Sequence[float] | np.ndarray) -> np.ndarray:
        """A place in a thing's frame, in the world's, (3,) m."""
        return self.position(thing) + self.turn(thing) @ np.asarray(place, float)


class Condition(Protocol):
    """A part of a task's success."""

    def met(self, start: Sight, now: Sight) -> bool:
        """Whether it holds now, in an episode that began as `start`."""
        ...


class JointChange(NamedTuple):
    """A joint has moved by more than `by` (m or rad) since the start, in either direction."""

    joint: str
    by: float

    def met(self, start: Sight, now: Sight) -> bool:
        """Whether it has."""
        return abs(now.joint(self.joint) - start.joint(self.joint)) > self.by


class TipNear(NamedTuple):
    """The tip is within `distance` (m) of a thing's origin."""

    thing: str
    distance: float

    def met(self, start: Sight, now: Sight) -> bool:
        """Whether it is."""
        return float(np.linalg.norm(now.tip.position - now.position(self.thing))) < self.distance
