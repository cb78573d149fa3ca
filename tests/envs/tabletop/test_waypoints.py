"""Waypoints, the follower's profile of speed, and the arm's kinematics; all without a simulator."""

from __future__ import annotations

import numpy as np
import pytest

from envs.errors import UserError
from envs.tabletop.arm import HOME
from envs.tabletop.kinematics import forward, joints_near
from envs.tabletop.solids import fixed_angles, rotation
from envs.tabletop.waypoints import Follower, Waypoint, pointing_down

BASE = (-0.34, -0.46, 0.24)
CALVIN_HOME = (0.02587, -0.23131, 0.57128)


def follow(goals: list[Waypoint], *, noise: float = 0.0) -> np.ndarray:
    """Poses (T, 6) of an arm without lag that is led along waypoints from a start at (0, 0, 0.5)."""
    follower = Follower(np.random.default_rng(0), noise=noise)
    pose = np.array([0, 0, 0.5, np.pi, 0, 1.5])
    follower.begin(pose)
    path = [pose]
    for goal in goals:
        for _ in range(200):
            if follower.arrived(goal, path[-1]):
                break
            path.append(path[-1] + follower.step(goal, path[-1]))
    return np.array(path)


def test_speed_goes_up_and_down_gently() -> None:
    goal = Waypoint(np.array([0.2, 0.1, 0.5, -np.pi, 0, 1.0]), 1)
    path = follow([goal])
    assert np.allclose(path[-1, :3], goal.pose[:3], atol=0.009)
    assert np.allclose(rotation(tuple(path[-1, 3:])), rotation(tuple(goal.pose[3:])), atol=0.05), (
        "roll went no full turn"
    )
    speeds = np.linalg.norm(np.diff(path[:, :3], axis=0), axis=1)
    assert speeds[0] < 0.004 and speeds[-1] < 0.004 and 0.010 < speeds.max() < 0.02
    assert np.abs(np.diff(speeds)).max() < 0.005


def test_a_waypoint_in_between_is_passed_without_a_stop() -> None:
    middle, end = np.array([0.15, 0, 0.5, np.pi, 0, 1.5]), np.array([0.15, 0.15, 0.5, np.pi, 0, 1.5])
    path = follow([Waypoint(middle, 1, through=0.02), Waypoint(end, 1)])
    speeds = np.linalg.norm(np.diff(path[:, :3], axis=0), axis=1)
    assert speeds[8:-8].min() > 0.005
    assert np.linalg.norm(path[:, :3] - middle[:3], axis=1).min() < 0.04


def test_noise_makes_paths_differ_but_not_their_end() -> None:
    goal = Waypoint(np.array([0.2, 0.1, 0.5, np.pi, 0, 1.5]), 1, steady=1.0)
    straight, noisy = follow([goal]), follow([goal._replace(steady=0.5)], noise=1.0)
    shared = min(len(straight), len(noisy))
    assert np.abs(straight[:shared] - noisy[:shared]).max() > 1e-3
    assert np.allclose(noisy[-1, :3], goal.pose[:3], atol=0.01)


def test_a_gripper_that_leans_points_where_it_should() -> None:
    assert np.allclose(rotation(tuple(pointing_down(1.5))), rotation((np.pi, 0, 1.5)))
    towards = rotation(tuple(pointing_down(1.5, (0.3, 0.4))))[:, 2]
    assert np.allclose(towards / -towards[2], (0.3, 0.4, -1))


def test_kinematics_go_there_and_back() -> None:
    position, turn = forward(HOME, BASE)
    assert np.allclose(position, CALVIN_HOME, atol=1e-4)
    assert np.allclose(fixed_angles(turn), (3.09045, -0.02909, 1.50014), atol=1e-4)
    wanted = position + (0.05, -0.03, 0.02), rotation((0, 0, 0.3)) @ turn
    found = forward(joints_near(HOME, *wanted, BASE), BASE)
    assert np.allclose(found[0], wanted[0], atol=1e-5) and np.allclose(found[1], wanted[1], atol=1e-5)


def test_a_pose_out_of_reach_is_one_sentence() -> None:
    with pytest.raises(UserError, match=r"the pose at \(2, 0, 0.5\) is out of the arm's reach"):
        joints_near(HOME, np.array([2, 0, 0.5]), forward(HOME, BASE)[1], BASE)
