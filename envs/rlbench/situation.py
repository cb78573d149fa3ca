"""What a task's script goes by: its states in words, waypoints for the tip, and the jitter between demonstrations."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from envs.rlbench.sight import Sight, Thing
from envs.tabletop.turns import rotation_vector, turn_by
from envs.tabletop.waypoints import Waypoint

STEADY = 0.8
DOWN = np.array([0.0, 0.0, -1.0])
# The tip points straight down and its fingers open along y, nearly as at home. Waypoints tell turns by the rotation
# vector from here, which is far from any place where such a vector would jump.
UPRIGHT = np.array([[-1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, -1.0]])


def as_vector(turn: np.ndarray) -> np.ndarray:
    """A matrix of the tip as the rotation vector (3,) that waypoints hold."""
    return rotation_vector(turn @ UPRIGHT.T)


def as_turn(vector: np.ndarray) -> np.ndarray:
    """The way back from `as_vector`."""
    return turn_by(vector) @ UPRIGHT


def pointing(forward: Sequence[float] | np.ndarray, opening: Sequence[float] | np.ndarray = (0, 1, 0)) -> np.ndarray:
    """The tip's matrix (3, 3) that points `forward` and opens its fingers along `opening`.

    Of the two that do, the one nearer to `UPRIGHT`; what of `opening` goes along `forward` is left out.
    """
    z = np.asarray(forward, float) / np.linalg.norm(forward)
    y = np.asarray(opening, float)
    y = y - (y @ z) * z
    y = y / np.linalg.norm(y)
    turns = [np.column_stack([np.cross(sign * y, z), sign * y, z]) for sign in (1, -1)]
    return max(turns, key=lambda turn: float(np.trace(turn @ UPRIGHT.T)))


class Situation(Sight):
    """The states of a moment, and what a script makes of them."""

    def __init__(self, things: Sequence[Thing], variation: int, random: np.random.Generator, noise: float) -> None:
        super().__init__(things)
        self.variation, self.random, self.noise = variation, random, noise

    def near(self, value: float, spread: float) -> float:
        """A value near the given one, at most `spread` away."""
        return value + self.noise * float(self.random.uniform(-spread, spread))

    def to(
        self,
        position: np.ndarray,
        gripper: int,
        turn: np.ndarray = UPRIGHT,
        *,
        speed: float = 1.0,
        through: float = 0.0,
        wait: int = 0,
        steady: float = STEADY,
    ) -> Waypoint:
        """A waypoint for the tip, at a place (3,) in the world with a matrix (3, 3)."""
        pose = np.concatenate([position, as_vector(turn)])
        return Waypoint(pose, gripper, speed=speed, through=through, wait=wait, steady=steady)
