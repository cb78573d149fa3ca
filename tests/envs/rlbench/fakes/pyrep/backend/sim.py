"""The simulator that is not there: what it was told, and how it is to behave. The real module of this name differs."""

from __future__ import annotations

from typing import Any

import numpy as np

calls: list[Any] = []  # everything that was asked of the environment, in order
crash_in: set[str] = set()  # calls that fail inside the simulator: launch, get_task, reset, step, observe, shutdown
refuse: list[Exception] = []  # what the next steps raise, one each
no_place = 0  # resets that find no place for the task
failing_demos = 0  # demonstrations that do not succeed
solved_at = over_at = 10**9  # steps of an episode after which it is a success, or over
stiffness = 1.0  # the share of a move that the arm gets to
flipped = False  # tip poses come with the other sign of their quaternion
running = 0

position = np.zeros(3)
orientation = np.array([0.0, 0, 0, 1])
gripper_open = 1.0
steps = 0


def home() -> None:
    """Begin an episode: the tip over the table, pointing down."""
    global position, orientation, gripper_open, steps
    position, orientation = np.array([0.28, 0.0, 1.47]), np.array([0.0, 1, 0, 0])
    gripper_open, steps = 1.0, 0


def fail(call: str) -> None:
    """Fail as CoppeliaSim does, if it is to fail in this call."""
    if call in crash_in:
        raise RuntimeError("The call failed on the V-REP side. Return value: -1")
