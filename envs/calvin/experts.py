"""Scripted experts: closed loop from the state, in CALVIN's relative actions.

```python
expert = Expert("open_drawer", layout("D"), numpy.random.default_rng(1))
observation, _ = env.reset(options={"task": "open_drawer"})
while not (expert.finished or over):
    observation, _, over, _, _ = env.step(expert.act(observation["robot_obs"], observation["scene_obs"]))
```
"""

from __future__ import annotations

import numpy as np

from envs.calvin.layouts import Layout
from envs.calvin.scripts import SCRIPTS
from envs.calvin.situation import Situation
from envs.calvin.tasks import TASKS, check_task
from envs.errors import UserError
from envs.tabletop.arm import MAX_ANGLE_STEP, MAX_POSITION_STEP, OPEN
from envs.tabletop.waypoints import Follower, Waypoint

EXPERTS = tuple(task for task in TASKS if task in SCRIPTS)  # the tasks that have one
SPEEDS = 0.2  # share by which demonstrations are faster or slower than usual

_UNITS = np.repeat([MAX_POSITION_STEP, MAX_ANGLE_STEP], 3)


class Expert:
    """One attempt at one task."""

    def __init__(self, task: str, layout: Layout, random: np.random.Generator, *, noise: float = 1.0) -> None:
        """Prepare an attempt at `task` in the scene of `layout`.

        noise: how much a demonstration varies: waypoints, speed and a slow wobble of the hand; 0 gives the straight
        script, 1 the usual variety.

        Raises:
            UserError: there is no such task, or no expert for it, or `noise` is negative.
        """
        if check_task(task) not in SCRIPTS:
            raise UserError(f"task {task!r} has no expert; choose one of {', '.join(EXPERTS)}")
        if not 0 <= noise < np.inf:
            raise UserError(f"noise {noise} is no amount; give 0 for the straight script or more, 1 is usual")
        self.task = task
        self._see = Situation(layout, random, noise)
        speed = 1 + noise * SPEEDS * random.uniform(-1, 1)
        self._follower = Follower(random, noise=noise, speed=float(np.clip(speed, 0.5, 1.4)))
        self._script = SCRIPTS[task](self._see)
        self._goal: Waypoint | None = None
        self._begun = self._finished = False
        self._gripper = OPEN

    @property
    def finished(self) -> bool:
        """Whether the script has nothing more to do; whether it has succeeded is the environment's to tell."""
        return self._finished

    def act(self, robot_obs: np.ndarray, scene_obs: np.ndarray) -> np.ndarray:
        """The next relative action, float32 (7,) in -1..1; stands still once finished.

        robot_obs, scene_obs: the environment's, (15,) and (24,), after the action before.
        """
        self._see.robot, self._see.scene = np.asarray(robot_obs, np.float64), np.asarray(scene_obs, np.float64)
        measured = self._see.robot[:6]
        if not self._begun:
            self._begun, self._gripper = True, int(self._see.robot[14])
            self._follower.begin(measured)
            self._goal = next(self._script, None)
        elif self._goal is not None and self._follower.arrived(self._goal, measured):
            self._goal = next(self._script, None)
        if self._goal is None:
            self._finished = True
            return np.array([0, 0, 0, 0, 0, 0, self._gripper], np.float32)
        self._gripper = self._goal.gripper
        change = self._follower.step(self._goal, measured) / _UNITS
        return np.append(np.clip(change, -1, 1), self._gripper).astype(np.float32)
