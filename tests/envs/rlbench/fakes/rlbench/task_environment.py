"""A task in the simulator."""

import numpy as np
from pyrep.backend import sim

from rlbench.backend.exceptions import TaskEnvironmentError
from rlbench.backend.observation import Observation
from rlbench.demo import Demo

CAMERAS = ("left_shoulder", "right_shoulder", "overhead", "wrist", "front")


class TaskEnvironment:
    def __init__(
        self,
        pyrep,
        robot,
        scene,
        task,
        action_mode,
        dataset_root,
        obs_config,
        static_positions=False,
        attach_grasped_objects=True,
        shaped_rewards=False,
    ):
        self._task, self._action_mode, self._obs_config = task, action_mode, obs_config
        self._variation_number = 0
        self._reset_called = False

    def variation_count(self):
        return self._task.variations

    def set_variation(self, v):
        if v >= self.variation_count():
            raise TaskEnvironmentError(f"Requested variation {v}")
        self._variation_number = v

    def reset(self, demo=None):
        sim.fail("reset")
        sim.calls.append(("reset", self._variation_number, float(np.random.rand())))
        if sim.no_place:
            sim.no_place -= 1
            raise TaskEnvironmentError("Could not place the task")
        self._reset_called = True
        sim.home()
        return self._task.descriptions(self._variation_number), self._seen()

    def get_observation(self):
        sim.fail("observe")
        return self._seen()

    def step(self, action):
        assert self._reset_called
        sim.fail("step")
        sim.calls.append(("step", action))
        np.random.rand()
        if sim.refuse:
            raise sim.refuse.pop(0)
        self._action_mode.action(None, action)
        sim.steps += 1
        success = sim.steps >= sim.solved_at
        return self._seen(), float(success), success or sim.steps >= sim.over_at

    def get_demos(
        self,
        amount,
        live_demos=False,
        image_paths=False,
        callable_each_step=None,
        max_attempts=10,
        random_selection=True,
        from_episode_number=0,
    ):
        assert live_demos and amount == 1
        for _ in range(max_attempts):
            self.reset()
            if sim.failing_demos:
                sim.failing_demos -= 1
                continue
            seen = [self._seen()]
            for i in range(3):
                sim.position = sim.position + [0.01, 0, -0.02]
                sim.gripper_open = 1.0 if i < 2 else 0.0
                sim.steps += 1
                seen.append(self._seen())
            return [Demo(seen)]
        raise RuntimeError("Could not collect demos. Maybe a problem with the task?")

    def _seen(self):
        seen = {}
        for name in CAMERAS:
            config = getattr(self._obs_config, f"{name}_camera")
            width, height = config.image_size
            rgb = np.full((height, width, 3), sim.steps, np.uint8) if config.rgb else None
            depth = np.full((height, width), 1.5 if config.depth_in_meters else 0.5) if config.depth else None
            seen |= {f"{name}_rgb": rgb, f"{name}_depth": depth, f"{name}_mask": None, f"{name}_point_cloud": None}
        sign = -1 if sim.flipped else 1
        state = np.arange(self._task.state + self._variation_number, dtype=float)
        state[0] = np.nan
        return Observation(
            **seen,
            joint_velocities=np.zeros(7),
            joint_positions=np.arange(7) / 10,
            joint_forces=None,
            gripper_open=sim.gripper_open,
            gripper_pose=np.concatenate([sim.position, sign * sim.orientation]),
            gripper_matrix=None,
            gripper_joint_positions=np.full(2, 0.04 * sim.gripper_open),
            gripper_touch_forces=None,
            task_low_dim_state=state,
            misc={"variation_index": self._variation_number},
        )
