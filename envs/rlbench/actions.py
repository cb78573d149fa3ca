"""Actions of RLBench's arm: spaces, what they mean to a world, and what is wrong with them."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces

from envs.errors import UserError
from envs.rlbench.world import ACTION_KINDS, CLOSED, OPEN, Command
from envs.tabletop.arm import MAX_ANGLE_STEP, MAX_POSITION_STEP
from envs.tabletop.turns import quaternion_by

FARTHEST = 0.3  # m; the most that a pose action moves along an axis
UNIT = 0.02  # by which the length of a quaternion may miss 1

_LOW = {"delta": -np.ones(7), "pose": np.array([*[-FARTHEST] * 3, *[-1.0] * 4, 0.0])}
_HIGH = {"delta": np.ones(7), "pose": np.array([*[FARTHEST] * 3, *[1.0] * 4, 1.0])}


def action_space(kind: str) -> spaces.Box:
    """The space of a kind of action; UserError if it is unknown."""
    if kind not in ACTION_KINDS:
        raise UserError(f"actions {kind!r} are unknown; choose one of {', '.join(ACTION_KINDS)}")
    return spaces.Box(_LOW[kind].astype(np.float32), _HIGH[kind].astype(np.float32), dtype=np.float32)


def read_action(action: Any, kind: str) -> tuple[Command, str | None]:
    """The command that an action stands for, and what is wrong with it that need not stop it, in words.

    What is beyond a limit is cut off there, and a quaternion is made a unit one.

    Raises:
        UserError: a wrong shape, a value that is not finite, or a quaternion of zeros.
    """
    try:
        values = np.asarray(action, np.float64)
    except (TypeError, ValueError):
        raise UserError(f"the action is {action!r}; give numbers") from None
    low, high = _LOW[kind], _HIGH[kind]
    if values.shape != low.shape:
        raise UserError(f"the action has shape {values.shape}; {kind} actions have {low.shape}")
    if not np.isfinite(values).all():
        raise UserError(f"the action holds {values[~np.isfinite(values)][0]}; give finite numbers")
    trouble = None
    outside = np.flatnonzero((values < low - 1e-6) | (values > high + 1e-6))
    if len(outside):
        i = int(outside[0])
        trouble = f"value {i} of the {kind} action is {values[i]:.4g}, outside {low[i]:.4g} to {high[i]:.4g}"
    values = np.clip(values, low, high)
    if kind == "delta":
        turn = quaternion_by(MAX_ANGLE_STEP * values[3:6])
        return Command(kind, MAX_POSITION_STEP * values[:3], turn, OPEN if values[6] > 0 else CLOSED), trouble
    length = float(np.linalg.norm(values[3:7]))
    if length < 1e-6:
        raise UserError("the action's quaternion is 0, 0, 0, 0; give one of length 1, such as 0, 0, 0, 1 for no turn")
    if abs(length - 1) > UNIT and trouble is None:
        trouble = f"the action's quaternion has length {length:.3g} and not 1"
    return Command(kind, values[:3], values[3:7] / length, OPEN if values[7] > 0.5 else CLOSED), trouble
