"""Kinematics of the Panda arm without a simulator: joints to pose, and the joints near given ones that reach a pose."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from envs.errors import UserError
from envs.tabletop.arm import ARM_JOINTS, FLANGE_TO_TCP, LOWER, UPPER
from envs.tabletop.panda import joint_frames
from envs.tabletop.solids import Vector, rotation

ROUNDS = 30
EXACT = 1e-6  # m and rad
DAMPING = 1e-4


def forward(joints: Sequence[float] | np.ndarray, base: Vector) -> tuple[np.ndarray, np.ndarray]:
    """Position (3,) m and matrix (3, 3) of the tool centre point in the world; joints: (7,) rad."""
    position, turn, _ = _chain(np.asarray(joints, np.float64), base)
    return position, turn


def joints_near(
    joints: Sequence[float] | np.ndarray, position: np.ndarray, turn: np.ndarray, base: Vector
) -> np.ndarray:
    """The joints (7,) rad near the given ones at which the tool centre point has a position and a matrix (3, 3).

    Raises:
        UserError: none within the joints' limits.
    """
    found = np.array(joints, np.float64)
    for _ in range(ROUNDS):
        at, now, jacobian = _chain(found, base)
        error = np.concatenate([position - at, _rotation_vector(turn @ now.T)])
        if np.abs(error).max() < EXACT and (found >= LOWER).all() and (found <= UPPER).all():
            return found
        step = jacobian.T @ np.linalg.solve(jacobian @ jacobian.T + DAMPING * np.eye(6), error)
        found = np.clip(found + step, LOWER, UPPER)
    place = ", ".join(f"{value:.3g}" for value in position)
    raise UserError(f"the pose at ({place}) is out of the arm's reach from these joints; choose one nearer to them")


def _chain(joints: np.ndarray, base: Vector) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Position and matrix of the tool centre point, and how they change with each joint, (6, 7)."""
    position, turn = np.array(base, np.float64), np.eye(3)
    origins, axes = np.zeros((ARM_JOINTS, 3)), np.zeros((ARM_JOINTS, 3))
    for number, (origin, rpy) in enumerate(joint_frames()):
        position = position + turn @ origin
        turn = turn @ rotation(rpy)
        origins[number], axes[number] = position, turn[:, 2]
        turn = turn @ rotation((0.0, 0.0, float(joints[number])))
    position = position + FLANGE_TO_TCP * turn[:, 2]
    jacobian = np.concatenate([np.cross(axes, position - origins), axes], axis=1).T
    return position, turn @ rotation((0.0, 0.0, -np.pi / 4)), jacobian


def _rotation_vector(turn: np.ndarray) -> np.ndarray:
    """Axis times angle (rad) of a matrix that turns by less than pi."""
    sine = 0.5 * np.array([turn[2, 1] - turn[1, 2], turn[0, 2] - turn[2, 0], turn[1, 0] - turn[0, 1]])
    size = float(np.linalg.norm(sine))
    angle = np.arctan2(size, (np.trace(turn) - 1) / 2)
    return sine * (angle / size if size > 1e-12 else 1.0)
