"""A Panda arm under position control: poses or joint angles in, motor targets out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from envs.errors import UserError
from envs.tabletop.panda import LONG_FINGERS, Hand, panda_links
from envs.tabletop.scene import Scene
from envs.tabletop.solids import PALETTE, Vector, paint_atlas, rotation

ARM_JOINTS = 7
OPEN, CLOSED = 1, -1
OPEN_WIDTH = 0.08  # m between the fingers' joints
HOME = (-1.21779206, 1.03987646, 2.11978261, -2.34205014, -0.87015947, 1.64119353, 0.55344866)  # rad; CALVIN's start
LOWER = np.array([-2.8973, -1.7628, -2.8973, -3.0718, -2.8973, -0.0175, -2.8973])  # rad
UPPER = np.array([2.8973, 1.7628, 2.8973, -0.0698, 2.8973, 3.7525, 2.8973])
MAX_POSITION_STEP = 0.02  # m per unit of a relative action
MAX_ANGLE_STEP = 0.05  # rad per unit
ARM_FORCE, ARM_SPEED = 200, 2.0  # N m, rad/s
OPEN_FORCE, CLOSE_FORCE, FINGER_SPEED = 2, 200, 1.0  # N, N, m/s
SHOULDER = 0.333  # m above the arm's base
FLANGE_TO_TCP = 0.107 + 0.14  # m from the last wrist axis to the tool centre point
REACH = float(np.hypot(0.316, 0.0825) + np.hypot(0.384, 0.0825) + 0.088)  # m from the shoulder to that wrist axis

ARM_STATE = 15  # entries of `Arm.state`


def beyond_reach(pose: np.ndarray, base: Vector, spare: float = 0.0) -> float:
    """How far a pose (6,) is beyond the length of an arm on `base`, in m; 0 where the length does not forbid it.

    spare: m of that length that shall be left.
    """
    roll, pitch, yaw = map(float, pose[3:6])
    wrist = pose[:3] - FLANGE_TO_TCP * rotation((roll, pitch, yaw))[:, 2]
    return max(0.0, float(np.linalg.norm(wrist - np.array(base) - (0, 0, SHOULDER))) - REACH + spare)


class ArmSetup(NamedTuple):
    """A URDF of the arm other than our own: its file, and the folder its meshes are searched in."""

    urdf: Path
    meshes: Path


class Arm:
    """The arm in a scene. Poses are the tool centre point's in the world: xyz in m, fixed-axis angles xyz in rad."""

    def __init__(
        self,
        scene: Scene,
        base: Vector,
        setup: ArmSetup | None = None,
        *,
        hand: Hand = LONG_FINGERS,
        home: Sequence[float] | np.ndarray = HOME,
    ) -> None:
        """Put the arm on `base`: our own with that `hand`, or the one that `setup` names. home: (7,) rad."""
        self.scene, self.base, self.home = scene, np.array(base), tuple(map(float, home))
        if setup is None:
            self.body = scene.add("panda", panda_links(hand), paint_atlas(PALETTE["white"]), at=base, fixed=True)
        else:
            scene.sim.setAdditionalSearchPath(str(setup.meshes))
            self.body = scene.load(setup.urdf, at=base, fixed=True)
        links = scene.links(self.body)
        self.tcp, self.camera_link = links["tcp"], links["gripper_cam"]
        self.fingers = (links["panda_leftfinger"], links["panda_rightfinger"])
        self.gripper = OPEN  # the last command
        self._target = (np.zeros(3), np.zeros(3))  # what relative actions add to
        sim = scene.sim
        for joint in range(sim.getNumJoints(self.body)):
            sim.changeDynamics(self.body, joint, linearDamping=0, angularDamping=0, jointDamping=0)
        gear = sim.createConstraint(
            self.body, self.fingers[0], self.body, self.fingers[1], sim.JOINT_GEAR, (1, 0, 0), (0, 0, 0), (0, 0, 0)
        )
        sim.changeConstraint(gear, gearRatio=-1, erp=0.1, maxForce=50)
        self.reset()

    @property
    def position(self) -> np.ndarray:
        """Where the tool centre point is, (3,) m."""
        return np.array(self._link_state()[0])

    @property
    def angles(self) -> np.ndarray:
        """Its fixed-axis angles, (3,) rad."""
        return np.array(self.scene.sim.getEulerFromQuaternion(self._link_state()[1]))

    @property
    def joints(self) -> np.ndarray:
        """The arm's joint angles, (7,) rad."""
        return np.array([state[0] for state in self.scene.sim.getJointStates(self.body, range(ARM_JOINTS))])

    @property
    def width(self) -> float:
        """How far the fingers are apart, 0 to 0.08 m."""
        return float(sum(state[0] for state in self.scene.sim.getJointStates(self.body, self.fingers)))

    @property
    def state(self) -> np.ndarray:
        """CALVIN's robot_obs, float64 (15,): position 3, angles 3, width, joints 7, last gripper command (+1 open)."""
        position, orientation = self._link_state()
        angles = self.scene.sim.getEulerFromQuaternion(orientation)
        return np.array([*position, *angles, self.width, *self.joints, self.gripper], np.float64)

    def reset(self, state: Sequence[float] | np.ndarray | None = None) -> None:
        """Jump to the joints and width of a `state` (15,), or home with open fingers.

        As in CALVIN the pose entries of the state are not used; the pose follows from the joints.
        """
        given = (
            np.array([*np.zeros(6), OPEN_WIDTH, *self.home, OPEN]) if state is None else np.asarray(state, np.float64)
        )
        joints, finger = given[7:14], given[6] / 2
        self.gripper = CLOSED if given[14] < 0 else OPEN
        sim = self.scene.sim
        for joint, angle in enumerate(joints):
            sim.resetJointState(self.body, joint, angle)
        self._drive(joints)
        for joint in self.fingers:
            sim.resetJointState(self.body, joint, finger)
            sim.setJointMotorControl2(
                self.body, joint, sim.POSITION_CONTROL, finger, force=OPEN_FORCE, maxVelocity=FINGER_SPEED
            )
        self._target = (self.position, self.angles)

    def move_by(self, change: np.ndarray, gripper: int) -> np.ndarray:
        """Relative action: add `change` (6,), in units of 0.02 m and 0.05 rad, to the stored target, and return that.

        What is added to is the target and not the arm's own pose, so that lag does not add up.
        """
        position, angles = self._target
        self._target = (position + MAX_POSITION_STEP * change[:3], angles + MAX_ANGLE_STEP * change[3:6])
        self._reach(*self._target, gripper)
        return np.concatenate(self._target)

    def move_to(self, pose: np.ndarray, gripper: int) -> None:
        """Absolute action: go to the `pose` (6,). As in CALVIN the target of relative actions stays where it was."""
        self._reach(pose[:3], pose[3:6], gripper)

    def move_joints(self, joints: np.ndarray, gripper: int) -> None:
        """Go to the joint angles (7,) rad."""
        self._drive(np.clip(joints, LOWER, UPPER))
        self._command(gripper)

    def save(self) -> tuple[int, tuple[np.ndarray, np.ndarray], np.ndarray]:
        """What PyBullet's own saved states leave out: gripper command, stored target, joint angles."""
        return self.gripper, self._target, self.joints

    def restore(self, saved: tuple[int, tuple[np.ndarray, np.ndarray], np.ndarray]) -> None:
        """Take over what `save` returned."""
        self.gripper, self._target, joints = saved
        self._drive(joints)
        self._command(self.gripper)

    def _link_state(self) -> tuple[Sequence[float], Sequence[float]]:
        state = self.scene.sim.getLinkState(self.body, self.tcp, computeForwardKinematics=True)
        return state[0], state[1]

    def _reach(self, position: np.ndarray, angles: np.ndarray, gripper: int) -> None:
        """Drive to a pose by inverse kinematics, staying near the home pose where there is a choice."""
        sim, free = self.scene.sim, ARM_JOINTS + len(self.fingers)
        joints = sim.calculateInverseKinematics(
            self.body,
            self.tcp,
            position,
            sim.getQuaternionFromEuler(angles),
            lowerLimits=[-7] * free,
            upperLimits=[7] * free,
            jointRanges=[7] * free,
            restPoses=[*self.home, OPEN_WIDTH / 2, OPEN_WIDTH / 2],
        )
        self.move_joints(np.array(joints[:ARM_JOINTS]), gripper)

    def _drive(self, joints: np.ndarray) -> None:
        sim = self.scene.sim
        for joint, angle in enumerate(joints):
            sim.setJointMotorControl2(
                self.body, joint, sim.POSITION_CONTROL, angle, force=ARM_FORCE, maxVelocity=ARM_SPEED
            )

    def _command(self, gripper: int) -> None:
        if gripper not in (OPEN, CLOSED):
            raise UserError(f"the gripper's command is {gripper}; give 1 to open it or -1 to close it")
        self.gripper = gripper
        target, force = (OPEN_WIDTH / 2, OPEN_FORCE) if gripper == OPEN else (0.0, CLOSE_FORCE)
        sim = self.scene.sim
        for finger in self.fingers:
            sim.setJointMotorControl2(
                self.body, finger, sim.POSITION_CONTROL, target, force=force, maxVelocity=FINGER_SPEED
            )
