"""Scripted experts of the built-in tasks: closed loop from the states, in "delta" actions.

```python
expert = Expert("close_microwave", numpy.random.default_rng(1), variation=info["variation"])
while not (expert.finished or over):
    observation, _, over, _, _ = env.step(expert.act(observation))
```
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from envs.errors import UserError
from envs.rlbench.situation import Situation, as_turn, as_vector
from envs.rlbench.tasks import check_variation, task_named
from envs.rlbench.world import OPEN
from envs.tabletop.arm import MAX_ANGLE_STEP, MAX_POSITION_STEP
from envs.tabletop.turns import rotation_vector
from envs.tabletop.waypoints import Follower, Waypoint

SPEED = 1.15  # of the usual one, which is meant for more steps a second
SPEEDS = 0.2  # share by which demonstrations are faster or slower than that


class Expert:
    """One attempt at one task."""

    def __init__(self, task: str, random: np.random.Generator, *, variation: int = 0, noise: float = 1.0) -> None:
        """Prepare an attempt at a variation of `task`.

        noise: how much a demonstration varies: waypoints, speed and a slow wobble of the hand; 0 gives the straight
        script, 1 the usual variety.

        Raises:
            UserError: there is no such task or variation, or `noise` is negative.
        """
        if not 0 <= noise < np.inf:
            raise UserError(f"noise {noise} is no amount; give 0 for the straight script or more, 1 is usual")
        self.task, self.variation = task, check_variation(task, variation)
        chosen = task_named(task)
        self._see = Situation(chosen.things, variation, random, noise)
        speed = SPEED * (1 + noise * SPEEDS * random.uniform(-1, 1))
        self._follower = Follower(random, noise=noise, speed=float(np.clip(speed, 0.5, 1.5)))
        self._script = chosen.script(self._see)
        self._goal: Waypoint | None = None
        self._begun = self._finished = False
        self._gripper = OPEN
        self._turn = np.zeros(3)  # of the target, as waypoints tell it

    @property
    def finished(self) -> bool:
        """Whether the script has nothing more to do; whether it has succeeded is the environment's to tell."""
        return self._finished

    def act(self, states: Mapping[str, np.ndarray]) -> np.ndarray:
        """The next "delta" action, float32 (7,) in -1..1; stands still once finished.

        states: the world's or the environment's after the action before; gripper_pose (7,) and task_low_dim_state are
        used.
        """
        self._see.look(states)
        tip = self._see.tip
        measured = np.concatenate([tip.position, as_vector(tip.turn)])
        if not self._begun:
            self._begun, self._turn = True, measured[3:]
            self._follower.begin(measured)
            self._goal = next(self._script, None)
        elif self._goal is not None and self._follower.arrived(self._goal, measured):
            self._goal = next(self._script, None)
        if self._goal is None:
            self._finished = True
            return np.array([0, 0, 0, 0, 0, 0, self._gripper], np.float32)
        self._gripper = self._goal.gripper
        change = self._follower.step(self._goal, measured)
        # The follower steps from one rotation vector to the next; actions turn about the world's axes.
        before, self._turn = as_turn(self._turn), self._turn + change[3:]
        turn = rotation_vector(as_turn(self._turn) @ before.T)
        values = np.concatenate([change[:3] / MAX_POSITION_STEP, turn / MAX_ANGLE_STEP])
        return np.append(np.clip(values, -1, 1), self._gripper).astype(np.float32)
