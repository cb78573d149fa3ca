"""Actions of the play table's arm: spaces, CALVIN's other forms of the same, and what is wrong with them."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces

from envs.calvin.play_table import ROBOT_BASE
from envs.calvin.world import ACTION_KINDS, Command
from envs.errors import UserError
from envs.tabletop.arm import CLOSED, LOWER, OPEN, UPPER, beyond_reach

JOINT_STEP = 0.1  # rad; the largest joint_relative action
WORKSPACE = ((-1.0, -1.0, 0.0), (1.0, 1.0, 1.3))  # m; corners of the box of absolute positions

# The words of CALVIN's dict form.
_CALVIN_KINDS = {
    "cartesian_rel": "relative",
    "cartesian_abs": "absolute",
    "joint_rel": "joint_relative",
    "joint_abs": "joint_absolute",
}


# Kind of action -> the limits of all its values but the gripper's.
_LIMITS = {
    "relative": (-np.ones(6), np.ones(6)),
    "absolute": (np.array([*WORKSPACE[0], *[-np.pi] * 3]), np.array([*WORKSPACE[1], *[np.pi] * 3])),
    "joint_relative": (np.full(7, -JOINT_STEP), np.full(7, JOINT_STEP)),
    "joint_absolute": (LOWER, UPPER),
}


def action_space(kind: str) -> spaces.Box:
    """The space of a kind of action; the last value is the gripper's: above 0 open, else closed."""
    if kind not in ACTION_KINDS:
        raise UserError(f"actions {kind!r} are unknown; choose one of {', '.join(ACTION_KINDS)}")
    low, high = _LIMITS[kind]
    return spaces.Box(np.append(low, -1).astype(np.float32), np.append(high, 1).astype(np.float32), dtype=np.float32)


def read_action(action: Any, kind: str) -> Command:
    """Understand an action: an array of the given kind, or CALVIN's own forms, which say themselves what they are.

    These are {"type": "cartesian_rel" | "cartesian_abs" | "joint_rel" | "joint_abs", "action": array} and the
    absolute (position, angles or quaternion, gripper).

    Raises:
        UserError: a wrong shape, an unknown type, or a value that is not finite.
    """
    if isinstance(action, dict):
        word = action.get("type")
        if word not in _CALVIN_KINDS or "action" not in action:
            raise UserError(f"action type {word!r} is unknown; choose one of {', '.join(_CALVIN_KINDS)}")
        action, kind = action["action"], _CALVIN_KINDS[word]
    if isinstance(action, (tuple, list)) and len(action) == 3:
        action, kind = np.concatenate([np.ravel(part) for part in action]), "absolute"
    try:
        values = np.asarray(action, np.float64)
    except (TypeError, ValueError):
        raise UserError(f"the action is {action!r}; give numbers") from None
    wanted = 8 if kind.startswith("joint") else 7
    if kind == "absolute" and values.shape == (8,):
        values = np.concatenate([values[:3], _angles(values[3:7]), values[7:]])
    if values.shape != (wanted,):
        raise UserError(f"the action has shape {values.shape}, but {kind} actions have ({wanted},)")
    if not np.isfinite(values).all():
        raise UserError(f"the action holds {values[~np.isfinite(values)][0]}; give finite numbers")
    return Command(kind, values[:-1], OPEN if values[-1] > 0 else CLOSED)


def trouble_with(command: Command) -> str | None:
    """What is wrong with a command that can be carried out all the same, in words; None for nothing."""
    low, high = _LIMITS[command.kind]
    if command.kind == "absolute":  # angles may go round
        low, high = low[:3], high[:3]
    values = command.values[: len(low)]
    outside = np.flatnonzero((values < low - 1e-6) | (values > high + 1e-6))
    if len(outside):
        i = int(outside[0])
        return f"value {i} of the {command.kind} action is {values[i]:.4g}, outside {low[i]:.4g} to {high[i]:.4g}"
    if command.kind == "absolute":
        excess = beyond_reach(command.values, ROBOT_BASE)
        if excess > 0:
            place = ", ".join(f"{value:.3g}" for value in command.values[:3])
            return f"the pose at ({place}) is {100 * excess:.1f} cm beyond the arm's reach"
    return None


def _angles(quaternion: np.ndarray) -> np.ndarray:
    """Fixed-axis angles xyz (rad) of a quaternion xyzw."""
    x, y, z, w = quaternion / max(float(np.linalg.norm(quaternion)), 1e-9)
    return np.array(
        [
            np.arctan2(2 * (w * x + y * z), 1 - 2 * (x * x + y * y)),
            np.arcsin(np.clip(2 * (w * y - z * x), -1, 1)),
            np.arctan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z)),
        ]
    )
