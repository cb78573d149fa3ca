"""Waypoints, and a follower that turns them into small, smooth steps of the end effector.

Scripts of any tabletop yield waypoints; the follower glides from one to the next with ramps of speed, watches where the
arm really is, and adds what makes two runs differ.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

import numpy as np

from envs.tabletop.arm import MAX_ANGLE_STEP, MAX_POSITION_STEP
from envs.tabletop.solids import fixed_angles, rotation

CRUISE, TURN = 0.0125, 0.045  # m and rad a step at speed 1; relative actions allow 0.02 and 0.05
RAMP, TURN_RAMP = 0.0022, 0.008  # how much faster or slower a step may be than the one before
LAG = 2  # steps by which the arm comes after its target
CORRECTION = 0.10  # share of the arm's error that is made up for in a step
MOST_CORRECTED = np.array([0.03, 0.03, 0.03, 0.15, 0.15, 0.15])  # m, rad; more would press against what is in the way
NEAR, NEARLY_TURNED = 0.008, 0.10  # m, rad; the arm has arrived
PATIENCE = 12  # steps that a waypoint waits for an arm that does not arrive
WOBBLE = np.array([0.006, 0.006, 0.006, 0.02, 0.02, 0.02])  # m, rad; standard deviations on free ways
MEMORY = 0.9  # of the wobble, from step to step


class Waypoint(NamedTuple):
    """A pose on the way, and how to get there.

    pose: (6,) xyz in m and fixed-axis angles in rad, of the tool centre point in the world. gripper: +1 open, -1
    closed, from the first step towards it. speed: of the usual one. through: passed at this distance (m) without a
    stop, or as early as a turn of the way takes; 0 stops. wait: steps to stay. steady: 0 wobbles as on free ways, 1 not
    at all.
    """

    pose: np.ndarray
    gripper: int
    speed: float = 1.0
    through: float = 0.0
    wait: int = 0
    steady: float = 0.0


def pointing_down(yaw: float, lean: tuple[float, float] = (0.0, 0.0)) -> np.ndarray:
    """Fixed-axis angles (3,) rad of a gripper that points down; its fingers open along x at a yaw of pi / 2.

    lean: how far the direction it points in leans towards x and y, in m for each m down.
    """
    down, towards = np.array([0.0, 0.0, -1.0]), np.array([*lean, -1.0])
    towards /= np.linalg.norm(towards)
    axis = np.cross(down, towards)
    x, y, z = axis
    skew = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    tilt = np.eye(3) + skew + skew @ skew / (1 + down @ towards)
    return fixed_angles(tilt @ rotation((np.pi, 0.0, yaw)))


def wrapped(angles: np.ndarray) -> np.ndarray:
    """Angles brought into -pi to pi."""
    return (np.asarray(angles) + np.pi) % (2 * np.pi) - np.pi


class Follower:
    """Steps of the target pose that lead an arm along waypoints.

    The target glides with ramps of speed and never jumps. What the arm stays behind it for good (inverse kinematics are
    not exact, and other hands may have left an offset) is added to the target bit by bit.
    """

    def __init__(self, random: np.random.Generator, *, noise: float = 1.0, speed: float = 1.0) -> None:
        """noise: share of the usual wobble; speed: of the usual one."""
        self.random, self.noise, self.speed = random, noise, speed
        self._path = self._sent = self._bias = np.zeros(6)
        self._velocity = np.zeros(6)
        self._wobble = np.zeros((2, 6))  # noise, and the noise made smooth
        self._steadiness = 1.0
        self._wanted: deque[np.ndarray] = deque(maxlen=LAG + 1)
        self._stood = 0

    def begin(self, measured: np.ndarray) -> None:
        """Start at rest where the arm is, (6,)."""
        self._path, self._sent = measured.copy(), measured.copy()

    def step(self, goal: Waypoint, measured: np.ndarray) -> np.ndarray:
        """The next step (6,) of the target, in m and rad, within what relative actions allow."""
        ahead = goal.pose - self._path
        ahead[3:] = wrapped(ahead[3:])
        pace = self.speed * goal.speed
        for part, cruise, ramp in ((slice(0, 3), CRUISE, RAMP), (slice(3, 6), TURN, TURN_RAMP)):
            passing = goal.through > 0 and part.start == 0  # turns always come to their end
            self._velocity[part] = _glide(ahead[part], self._velocity[part], cruise * pace, ramp, passing)
        self._path = self._path + self._velocity
        wobble = self._next_wobble(1 - goal.steady)
        self._wanted.append(self._path + wobble)
        if len(self._wanted) > LAG:
            error = self._wanted[0] - measured
            error[3:] = wrapped(error[3:])
            self._bias = np.clip(self._bias + CORRECTION * error, -MOST_CORRECTED, MOST_CORRECTED)
        limits = np.repeat([MAX_POSITION_STEP, MAX_ANGLE_STEP], 3)
        change = np.clip(self._path + wobble + self._bias - self._sent, -limits, limits)
        self._sent = self._sent + change
        return change

    def arrived(self, goal: Waypoint, measured: np.ndarray) -> bool:
        """Whether the waypoint is done; asked once a step, before `step`."""
        ahead = goal.pose - self._path
        ahead[3:] = wrapped(ahead[3:])
        if goal.through > 0:
            turning = float(np.sum(self._velocity[:3] ** 2)) / (2 * RAMP)  # m that a turn of the way takes
            return bool(np.linalg.norm(ahead[:3]) < max(goal.through, turning))
        if np.linalg.norm(ahead[:3]) > NEAR / 2 or np.linalg.norm(ahead[3:]) > NEARLY_TURNED / 2:
            return False
        self._stood += 1
        error = goal.pose - measured
        there = np.linalg.norm(error[:3]) < NEAR and np.linalg.norm(wrapped(error[3:])) < NEARLY_TURNED
        done = self._stood > goal.wait and bool(there or self._stood > goal.wait + PATIENCE)
        if done:
            self._stood = 0
        return done

    def _next_wobble(self, share: float) -> np.ndarray:
        """Noise that goes slowly to and fro."""
        fresh = self.noise * WOBBLE * self.random.normal(size=6) * np.sqrt(1 - MEMORY**2)
        self._wobble[0] = MEMORY * self._wobble[0] + fresh
        self._wobble[1] += 0.25 * (self._wobble[0] - self._wobble[1])
        self._steadiness += 0.2 * (share - self._steadiness)
        return self._steadiness * self._wobble[1]


def _glide(ahead: np.ndarray, velocity: np.ndarray, cruise: float, ramp: float, passing: bool) -> np.ndarray:
    """The velocity of the next step: faster or slower by at most `ramp`, and slow in time to stop at `ahead`."""
    distance = float(np.linalg.norm(ahead))
    if distance < 1e-9:
        return np.zeros_like(velocity)
    stopping = np.sqrt(2 * ramp * distance + ramp**2 / 4) - ramp / 2  # speeds fall by `ramp` a step
    speed = min(cruise, distance) if passing else min(cruise, stopping, distance)
    change = ahead / distance * speed - velocity
    size = float(np.linalg.norm(change))
    return velocity + change * min(1.0, ramp / size) if size > 0 else velocity
