"""Kinematics of the Panda arm without a simulator: joints to pose, and the joints near given ones that reach a pose."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from envs.errors import UserError
from envs.tabletop.arm import ARM_JOINTS, FLANGE_TO_TCP, LOWER, UPPER
from envs.tabletop.panda import joint_frames
from envs.tabletop.solids import Vector, rotation
from envs.tabletop.turns import rotation_vector

ROUNDS = 30
EXACT = 1e-6  # m and rad
DAMPING = 1e-4
REST_PULL = 0.05  # share of the way to the joints at rest that a round makes where the pose leaves it open

_FRAMES = [(np.array(origin, np.float64), rotation(rpy)) for origin, rpy in joint_frames()]


def forward(
    joints: Sequence[float] | np.ndarray, base: Vector, tool: float = FLANGE_TO_TCP
) -> tuple[np.ndarray, np.ndarray]:
    """Position (3,) m and matrix (3, 3) of the tool centre point in the world; joints: (7,) rad.

    tool: m from the last wrist axis to the tool centre point.
    """
    position, turn, _ = _chain(np.asarray(joints, np.float64), base, tool)
    return position, turn


def towards(
    joints: np.ndarray, position: np.ndarray, turn: np.ndarray, base: Vector, tool: float, rest: np.ndarray, rounds: int
) -> tuple[np.ndarray, float]:
    """The joints (7,) rad, from given ones, that come nearest to a pose in so many rounds, and what is left (m or rad).

    Where the pose leaves a choice they stay near those at `rest`.
    """
    found, left = np.array(joints, np.float64), np.inf
    best = found
    for _ in range(rounds + 1):
        at, now, jacobian = _chain(found, base, tool)
        error = np.concatenate([position - at, rotation_vector(turn @ now.T)])
        size = float(np.abs(error).max())
        if size < left:
            best, left = found, size
        if size < EXACT:
            break
        inverse = jacobian.T @ np.linalg.inv(jacobian @ jacobian.T + DAMPING * np.eye(6))
        spare = REST_PULL * (rest - found)
        found = np.clip(found + inverse @ (error - jacobian @ spare) + spare, LOWER, UPPER)
    return best, left


def joints_near(
    joints: Sequence[float] | np.ndarray, position: np.ndarray, turn: np.ndarray, base: Vector
) -> np.ndarray:
    """The joints (7,) rad near the given ones at which the tool centre point has a position and a matrix (3, 3).

    Raises:
        UserError: none within the joints' limits.
    """
    found = np.array(joints, np.float64)
    for _ in range(ROUNDS):
        at, now, jacobian = _chain(found, base, FLANGE_TO_TCP)
        error = np.concatenate([position - at, rotation_vector(turn @ now.T)])
        if np.abs(error).max() < EXACT and (found >= LOWER).all() and (found <= UPPER).all():
            return found
        step = jacobian.T @ np.linalg.solve(jacobian @ jacobian.T + DAMPING * np.eye(6), error)
        found = np.clip(found + step, LOWER, UPPER)
    place = ", ".join(f"{value:.3g}" for value in position)
    raise UserError(f"the pose at ({place}) is out of the arm's reach from these joints; choose one nearer to them")


def _chain(joints: np.ndarray, base: Vector, tool: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Position and matrix of the tool centre point, and how they change with each joint, (6, 7)."""
    position, turn = np.array(base, np.float64), np.eye(3)
    origins, axes = np.zeros((ARM_JOINTS, 3)), np.zeros((ARM_JOINTS, 3))
    for number, (origin, frame) in enumerate(_FRAMES):
        position = position + turn @ origin
        turn = turn @ frame
        origins[number], axes[number] = position, turn[:, 2]
        cosine, sine = np.cos(joints[number]), np.sin(joints[number])
        turn = turn @ np.array([[cosine, -sine, 0.0], [sine, cosine, 0.0], [0.0, 0.0, 1.0]])
    position = position + tool * turn[:, 2]
    jacobian = np.concatenate([np.cross(axes, position - origins), axes], axis=1).T
    return position, turn @ _HAND, jacobian


_HAND = rotation((0.0, 0.0, -np.pi / 4))
