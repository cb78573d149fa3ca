"""The Panda as RLBench has it: its place, its joints at home, short fingers, and commands for its tip."""

from __future__ import annotations

from math import pi
from typing import NamedTuple

import numpy as np

from envs.rlbench.world import Command
from envs.tabletop.arm import ARM_JOINTS, OPEN, OPEN_WIDTH, Arm
from envs.tabletop.kinematics import towards
from envs.tabletop.panda import Hand
from envs.tabletop.scene import Scene
from envs.tabletop.turns import matrix_of, quaternion_of, rotation_vector, turn_by

BASE = (-0.268, -0.008, 0.740)  # m
# RLBench counts these joints from elsewhere than the manufacturer does, rad.
ZEROS = np.array([0.0, 0.005, 0.0, 0.0684, 0.0, 0.005, 0.0])
HOME = np.array([0.0, 0.175, 0.0, -0.873, 0.0, 1.222, 0.785]) + ZEROS  # rad, as the manufacturer counts
TIP = 0.0986  # m along the hand
TOOL = 0.107 + TIP  # m from the last wrist axis to the tip
HAND = Hand(finger_length=0.0530, tcp=TIP, camera_at=(0.05, 0, 0.0068), camera_turn=(1.6585, 0, -pi / 2))
FRAME = np.diag([-1.0, -1.0, 1.0])  # the tip's axes, as RLBench has them, in the hand's
OPEN_SHARE = 0.9  # of the whole width, beyond which the gripper counts as open

ROUNDS = 4  # of inverse kinematics in a step
EXACT = 2e-3  # m or rad by which they may miss
LEASH, TURN_LEASH = 0.06, 0.3  # m, rad by which the target may be ahead of the tip: more would only press harder
ARRIVED, STILL = 0.01, 0.001  # rad; a pose has been reached, the arm stands still


class Tip(NamedTuple):
    """A pose of the tip: position (3,) m and matrix (3, 3)."""

    position: np.ndarray
    turn: np.ndarray


class Robot:
    """The arm, and the target that its commands lead it to."""

    def __init__(self, scene: Scene) -> None:
        """Put the arm where RLBench has it, at home."""
        self.scene = scene
        self.arm = Arm(scene, BASE, hand=HAND, home=HOME)
        self.reset()

    @property
    def body(self) -> int:
        """The body's id."""
        return self.arm.body

    @property
    def tip(self) -> Tip:
        """Where the tip is."""
        state = self.scene.sim.getLinkState(self.arm.body, self.arm.tcp, computeForwardKinematics=True)
        return Tip(np.array(state[4]), matrix_of(np.array(state[5])) @ FRAME)

    @property
    def states(self) -> dict[str, np.ndarray]:
        """The entries of `STATES`."""
        joints = self.scene.sim.getJointStates(self.arm.body, [*range(ARM_JOINTS), *self.arm.fingers])
        tip = self.tip
        return {
            "joint_positions": np.array([joint[0] for joint in joints[:ARM_JOINTS]]) - ZEROS,
            "joint_velocities": np.array([joint[1] for joint in joints[:ARM_JOINTS]]),
            "gripper_open": np.array([float(self.arm.width > OPEN_SHARE * OPEN_WIDTH)]),
            "gripper_pose": np.concatenate([tip.position, quaternion_of(tip.turn)]),
            "gripper_joint_positions": np.array([joint[0] for joint in joints[ARM_JOINTS:]]),
        }

    def reset(self) -> None:
        """Jump home, with open fingers."""
        self.arm.reset()
        self._joints = HOME.copy()  # what the arm is driven to
        self._target = self.tip

    def lead(self, command: Command) -> str | None:
        """Move the target by a command and drive the arm towards it; returns what was wrong, or None.

        A target out of reach stays at the last place that the arm can get to.
        """
        start = self.tip if command.kind == "pose" else self._leashed()
        position, turn = start.position + command.move, matrix_of(command.turn) @ start.turn
        for rounds in (ROUNDS, 10 * ROUNDS):  # few do for small steps
            joints, left = towards(self._joints, position, turn @ FRAME, BASE, TOOL, HOME, rounds)
            if left <= EXACT:
                break
        trouble = None
        if left > EXACT:
            place = ", ".join(f"{value:.3g}" for value in position)
            trouble = f"the pose at ({place}) is out of the arm's reach"
        else:
            self._joints, self._target = joints, Tip(position, turn)
        self.arm.move_joints(self._joints, command.gripper)
        return trouble

    @property
    def ahead(self) -> np.ndarray:
        """How far the target is ahead of the tip, float64 (6,): m along the world's axes, a rotation vector in rad."""
        tip, target = self.tip, self._target
        return np.concatenate([target.position - tip.position, rotation_vector(target.turn @ tip.turn.T)])

    @property
    def arrived(self) -> bool:
        """Whether the arm's joints are where they are driven to."""
        return bool(np.abs(self.arm.joints - self._joints).max() < ARRIVED)

    def _leashed(self) -> Tip:
        """The target, brought near enough to the tip."""
        tip, target = self.tip, self._target
        ahead, turned = np.split(self.ahead, 2)
        far, wide = float(np.linalg.norm(ahead)), float(np.linalg.norm(turned))
        return Tip(
            target.position if far <= LEASH else tip.position + LEASH / far * ahead,
            target.turn if wide <= TURN_LEASH else turn_by(TURN_LEASH / wide * turned) @ tip.turn,
        )


def reaches(position: np.ndarray, turn: np.ndarray, joints: np.ndarray = HOME) -> np.ndarray | None:
    """The joints (7,) rad that bring the tip to a pose, searched from given ones; None where there are none."""
    found, left = towards(joints, position, turn @ FRAME, BASE, TOOL, HOME, 60)
    return found if left < EXACT else None


__all__ = ["BASE", "HOME", "OPEN", "Robot", "Tip", "reaches"]
