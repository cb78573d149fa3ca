"""Experts for tests: quick ones that press the button, and ones that misbehave."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np

from envs.calvin.layouts import Layout
from envs.calvin.tasks import TASKS

EXPERTS = TASKS


class ButtonExpert:
    """Moves over the button and presses it; one attempt in three ends at once."""

    def __init__(self, task: str, layout: Layout, random: np.random.Generator, *, noise: float = 1.0) -> None:
        x = layout.button + 0.01 * noise * random.uniform(-1, 1)
        self.goals = [np.array([x, -0.12, 0.56]), np.array([x, -0.12, 0.44])]
        self.finished = bool(random.random() < 1 / 3)

    def act(self, robot_obs: np.ndarray, scene_obs: np.ndarray) -> np.ndarray:
        """Towards the next goal."""
        if len(self.goals) > 1 and np.linalg.norm(robot_obs[:3] - self.goals[0]) < 0.03:
            self.goals.pop(0)
        step = np.clip((self.goals[0] - robot_obs[:3]) / 0.02, -1, 1)
        return np.array([*step, 0, 0, 0, -1], np.float32) * (not self.finished)


class DyingExpert(ButtonExpert):
    """Takes its process with it, once: the file that DIED names remembers."""

    def act(self, robot_obs: np.ndarray, scene_obs: np.ndarray) -> np.ndarray:
        died = Path(os.environ["DIED"])
        if not died.exists():
            died.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().act(robot_obs, scene_obs)


class DeadlyExpert(ButtonExpert):
    """Takes every process with it."""

    def act(self, robot_obs: np.ndarray, scene_obs: np.ndarray) -> np.ndarray:
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError


class BrokenExpert(ButtonExpert):
    """Has a bug."""

    def act(self, robot_obs: np.ndarray, scene_obs: np.ndarray) -> np.ndarray:
        raise ZeroDivisionError("a bug")
