"""The arm: the numbers of CALVIN's robot, its response to actions, and what it refuses."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import numpy as np
import pytest

from envs.errors import UserError
from envs.tabletop.arm import CLOSED, OPEN, Arm, beyond_reach
from envs.tabletop.scene import Scene, load_pybullet

pytest.importorskip("pybullet", reason="the simulator (extra robots) is not installed")

BASE = (-0.34, -0.46, 0.24)
# CALVIN's robot at the start of an evaluation, as recorded with its own meshes.
OFFICIAL_HOME = [0.02586889, -0.2313129, 0.5712808, 3.09045411, -0.02908596, 1.50013585, 0.07999963, -1.21779124,
                 1.03987629, 2.11978254, -2.34205014, -0.87015899, 1.64119093, 0.55344928, 1.0]  # fmt: skip
STILL = np.zeros(6)


@pytest.fixture(scope="module")
def robot() -> Iterator[Arm]:
    scene = Scene()
    yield Arm(scene, BASE)
    scene.close()


@pytest.fixture
def arm(robot: Arm) -> Arm:
    robot.reset()
    return robot


def step(arm: Arm, change: np.ndarray, gripper: int = OPEN) -> None:
    arm.move_by(change, gripper)
    arm.scene.simulate(8)


def test_joints_and_links_have_the_names_and_numbers_of_calvins_arm(arm: Arm) -> None:
    assert arm.scene.sim.getNumJoints(arm.body) == 16
    assert (arm.fingers, arm.camera_link, arm.tcp) == ((9, 11), 14, 15)
    assert [name for name in arm.scene.joints(arm.body)][:7] == [f"panda_joint{i}" for i in range(1, 8)]


def test_the_home_pose_agrees_with_the_official_one(arm: Arm) -> None:
    assert np.abs(arm.state - OFFICIAL_HOME).max() < 1e-4
    arm.reset(OFFICIAL_HOME)
    assert np.abs(arm.state - OFFICIAL_HOME).max() < 1e-5


def test_fingers_of_that_width_hold_the_gripper_camera_where_calvin_has_it(arm: Arm) -> None:
    """The hand's frame follows from the tool centre point; the camera is mounted in that frame."""
    state = arm.scene.sim.getLinkState(arm.body, arm.camera_link, computeForwardKinematics=True)
    hand = arm.scene.sim.getLinkState(arm.body, 8, computeForwardKinematics=True)
    turn = np.reshape(arm.scene.sim.getMatrixFromQuaternion(hand[5]), (3, 3))
    view = np.reshape(arm.scene.sim.getMatrixFromQuaternion(state[5]), (3, 3))
    assert turn.T @ np.subtract(state[4], hand[4]) == pytest.approx((-0.1, 0, 0), abs=1e-6)
    assert turn.T @ view[:, 1] == pytest.approx((0.268, 0, 0.964), abs=1e-3)


def test_relative_actions_move_as_calvins_arm_does(arm: Arm) -> None:
    start, offsets = arm.position[0], []
    for _ in range(10):
        step(arm, np.array([1.0, 0, 0, 0, 0, 0]))
        offsets.append(arm.position[0] - start)
    official = [0.010, 0.025, 0.042, 0.061, 0.080, 0.099, 0.118, 0.137, 0.155, 0.174]
    assert offsets == pytest.approx(official, abs=0.003)
    for _ in range(10):
        step(arm, STILL)
    assert arm.position[0] - start == pytest.approx(0.1983, abs=0.001)


def test_standing_still_does_not_drift(arm: Arm) -> None:
    start = arm.state
    for _ in range(30):
        step(arm, STILL)
    assert np.abs(arm.state[:6] - start[:6]).max() < 1e-4


def test_fingers_open_and_close_at_calvins_speed(arm: Arm) -> None:
    widths = []
    for gripper in [CLOSED] * 5 + [OPEN] * 5:
        step(arm, STILL, gripper)
        widths.append(arm.width)
    official = [0.034, 0.015, 0.006, 0.003, 0.001, 0.025, 0.056, 0.070, 0.076, 0.078]
    assert widths == pytest.approx(official, abs=0.002)
    assert arm.state[14] == OPEN


def test_absolute_poses_are_reached_and_leave_the_stored_target(arm: Arm) -> None:
    start = arm.position.copy()
    pose = np.array([0.1, -0.15, 0.55, np.pi, 0, 1.57])
    for _ in range(30):
        arm.move_to(pose, OPEN)
        arm.scene.simulate(8)
    assert arm.position == pytest.approx(pose[:3], abs=1e-3)
    for _ in range(30):
        step(arm, STILL)
    assert arm.position == pytest.approx(start, abs=2e-3), "as in CALVIN the next relative action goes back"


def test_joints_are_clipped_to_what_the_arm_can_do(arm: Arm) -> None:
    wanted = np.array([3.5, 0, 0, -1.5, 0, 1.5, 0])
    for _ in range(80):
        arm.move_joints(wanted, OPEN)
        arm.scene.simulate(8)
    assert arm.joints == pytest.approx([2.8973, *wanted[1:]], abs=0.01)


def test_reach() -> None:
    assert beyond_reach(np.array([0.1, -0.1, 0.5, np.pi, 0, 1.57]), BASE) == 0
    # Straight down over the switch's top end is out of CALVIN's reach; far away even more so.
    assert 0.05 < beyond_reach(np.array([0.30, 0.05, 0.66, np.pi, 0, 1.57]), BASE) < 0.1
    assert beyond_reach(np.array([1.0, 1.0, 0.5, np.pi, 0, 1.57]), BASE) > 0.5


def test_a_gripper_command_is_one_of_two(arm: Arm) -> None:
    with pytest.raises(UserError, match="gripper's command is 0; give 1 to open it or -1"):
        arm.move_by(STILL, 0)


def test_saved_states_come_back(arm: Arm) -> None:
    scene = arm.scene
    for _ in range(5):
        step(arm, np.array([1.0, 0, 0, 0, 0, 0.5]), CLOSED)
    kept, rest, before = scene.save(), arm.save(), arm.state

    def play() -> np.ndarray:
        for _ in range(5):
            step(arm, np.array([0, 1.0, 0.5, 0, 0, 0]), CLOSED)
        return arm.state

    after = play()
    scene.restore(kept)
    arm.restore(rest)
    assert np.array_equal(arm.state, before)
    assert play() == pytest.approx(after, abs=1e-6)
    scene.forget(kept)


def test_a_missing_simulator_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pybullet", None)
    with pytest.raises(UserError, match=r"run `pip install 'videoworld-agents\[robots\]'`"):
        load_pybullet()


def test_starting_a_scene_prints_nothing_to_stdout(capfd: pytest.CaptureFixture[str]) -> None:
    Scene().close()
    assert capfd.readouterr().out == ""
