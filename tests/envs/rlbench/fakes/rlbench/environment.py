"""The simulator."""

import os

from pyrep.backend import sim

from rlbench.observation_config import ObservationConfig
from rlbench.task_environment import TaskEnvironment


class Environment:
    def __init__(
        self,
        action_mode,
        dataset_root="",
        obs_config=ObservationConfig(),  # noqa: B008  as the real one
        headless=False,
        static_positions=False,
        robot_setup="panda",
        randomize_every=None,
        frequency=1,
        visual_randomization_config=None,
        dynamics_randomization_config=None,
        attach_grasped_objects=True,
        shaped_rewards=False,
        arm_max_velocity=1.0,
        arm_max_acceleration=4.0,
    ):
        self.action_mode, self.obs_config, self.headless = action_mode, obs_config, headless
        self._launched = False
        sim.calls.append(("Environment", self))

    def launch(self):
        print("[CoppeliaSim:loadinfo]   done.")
        os.chdir(os.environ["COPPELIASIM_ROOT"])  # the real one comes back unless it fails
        sim.fail("launch")
        sim.running += 1
        self._launched = True
        sim.calls.append("launch")

    def shutdown(self):
        if self._launched:
            sim.running -= 1
            self._launched = False
            sim.calls.append("shutdown")
        sim.fail("shutdown")

    def get_task(self, task_class):
        assert self._launched
        sim.fail("get_task")
        sim.calls.append(("get_task", task_class.__name__))
        return TaskEnvironment(None, None, None, task_class(), self.action_mode, "", self.obs_config)
