"""How the gripper moves."""

from pyrep.backend import sim


class Discrete:
    def __init__(self, attach_grasped_objects=True, detach_before_open=True):
        self._attach_grasped_objects = attach_grasped_objects

    def action(self, scene, action):
        sim.gripper_open = float(action[0] > 0.5)
