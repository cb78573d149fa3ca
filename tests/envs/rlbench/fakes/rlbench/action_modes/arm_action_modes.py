"""How the arm moves: here it jumps, as far as the simulator's stiffness lets it."""

import numpy as np
from pyrep.backend import sim
from pyrep.errors import IKError

from rlbench.backend.exceptions import InvalidActionError


class ArmActionMode:
    reach = 0.0

    def __init__(self, absolute_mode=True, frame=None, collision_checking=False):
        self._absolute_mode = absolute_mode

    def action(self, scene, action):
        assert not self._absolute_mode, "this fake knows relative poses only"
        if not np.isclose(np.linalg.norm(action[3:]), 1.0):
            raise InvalidActionError("Action contained non unit quaternion!")
        if np.linalg.norm(action[:3]) > self.reach:
            raise InvalidActionError("too far from\nthe target") from IKError("no solution")
        sim.position = sim.position + sim.stiffness * action[:3]
        a, b = action[3:], sim.orientation
        turned = a[3] * b[:3] + b[3] * a[:3] + np.cross(a[:3], b[:3])
        sim.orientation = np.append(turned, a[3] * b[3] - a[:3] @ b[:3])


class EndEffectorPoseViaIK(ArmActionMode):
    reach = 0.1


class EndEffectorPoseViaPlanning(ArmActionMode):
    reach = 1.0
