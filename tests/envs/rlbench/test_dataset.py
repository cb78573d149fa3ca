"""RLBench's data sets: what a frame holds, and that its relative actions are what the environment takes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml

from envs.calvin.dataset import calvin_kind
from envs.errors import UserError
from envs.rlbench.actions import read_action
from envs.rlbench.dataset import SIZES, frame_of, rlbench_kind
from envs.tabletop.dataset import open_split
from envs.tabletop.dataset_writer import DatasetWriter
from envs.tabletop.frames import encode_frame, frame_name, relative_action, turn_about_axes
from envs.tabletop.solids import rotation
from envs.tabletop.turns import matrix_of, quaternion_of, turn_by
from tests.rlbench_data import TASKS, observations, record


def states(random: np.random.Generator) -> dict[str, np.ndarray]:
    return {
        "gripper_pose": np.append(random.normal(size=3), quaternion_of(turn_by(random.normal(size=3)))),
        "gripper_joint_positions": np.array([0.03, 0.04]),
        "joint_positions": random.normal(size=7),
        "task_low_dim_state": random.normal(size=9),
    }


def test_a_frame_tells_of_the_arm_as_calvins_do() -> None:
    told = states(np.random.default_rng(0))
    pictures = {name: np.full((*size, 3), 7, np.uint8) for name, size in SIZES.items()}
    frame = frame_of(told, pictures, -1)
    assert set(frame) == {"rgb_front", "rgb_wrist", "robot_obs", "scene_obs"}
    robot = frame["robot_obs"]
    assert robot.shape == (15,) and robot.dtype == np.float64 and robot[6] == pytest.approx(0.07) and robot[14] == -1
    assert np.array_equal(robot[:3], told["gripper_pose"][:3]) and np.array_equal(robot[7:14], told["joint_positions"])
    angles = (float(robot[3]), float(robot[4]), float(robot[5]))
    assert rotation(angles) == pytest.approx(matrix_of(told["gripper_pose"][3:]))


def test_relative_actions_lead_from_one_pose_to_the_next() -> None:
    """Also where the hand points down, near which fixed-axis angles jump."""
    random = np.random.default_rng(1)
    for number in range(50):
        before, after = states(random), states(random)
        start = matrix_of(before["gripper_pose"][3:]) if number % 2 else np.diag([-1.0, 1.0, -1.0])
        turn = random.uniform(-0.03, 0.03, 3)
        before["gripper_pose"][3:] = quaternion_of(start)
        after["gripper_pose"][3:] = quaternion_of(turn_by(turn) @ start)
        after["gripper_pose"][:3] = before["gripper_pose"][:3] + (0.01, -0.02, 0.004)
        robot, following = (
            frame_of(seen, dict.fromkeys(("front", "wrist"), np.zeros((1, 1, 3), np.uint8)), 1)["robot_obs"]
            for seen in (before, after)
        )
        action = relative_action(robot, np.append(following[:6], 1.0), turn_about_axes)
        assert action == pytest.approx([0.5, -1, 0.2, *(turn / 0.05), 1], abs=1e-6)
        command, trouble = read_action(action, "delta")
        assert trouble is None and command.move == pytest.approx([0.01, -0.02, 0.004], abs=1e-6)
        assert matrix_of(command.turn) @ start == pytest.approx(turn_by(turn) @ start, abs=1e-6)


def test_a_data_set_holds_tasks_of_different_states(tmp_path: Path) -> None:
    for name in ("training", "validation"):
        record(tmp_path / name, [4, 3, 5])
    split = open_split(tmp_path)
    assert [window.task for window in split.windows] == [task for task, _ in TASKS]
    assert [split.frame(first)["scene_obs"].shape[0] for first, _ in split.episodes] == [n for _, n in TASKS]
    seen = list(observations(3, 1))
    for number, observation in enumerate(seen):
        frame = split.frame(4 + number)
        assert set(frame) == {"actions", "rel_actions", "robot_obs", "scene_obs", "rgb_front", "rgb_wrist"}
        assert all(np.array_equal(frame[key], observation[key]) for key in observation)
    assert split.scene_of(0) == "rlbench" and set(split.statistics) == {"robot_obs", "act_min_bound", "act_max_bound"}
    assert open_split(tmp_path, "validation").embeddings == {}  # the protocol's sentences are not told
    config = yaml.safe_load((tmp_path / "training/.hydra/merged_config.yaml").read_text())
    assert config["cameras"]["front"]["width"] == 20 and config["control_freq"] == 20


def test_data_sets_of_two_worlds_are_not_mixed(tmp_path: Path) -> None:
    record(tmp_path / "training", [2])
    for kind in (rlbench_kind(), calvin_kind()):
        with pytest.raises(UserError, match="was recorded in another scene than .*, or with other cameras"):
            DatasetWriter(tmp_path / "training", kind)


def test_pictures_of_any_camera_are_checked(tmp_path: Path) -> None:
    record(tmp_path / "training", [2])
    observation = next(observations(1))
    for key in ("rgb_front", "scene_obs"):
        odd = {**observation, key: np.zeros((2, 2), np.uint8)}
        content = encode_frame(odd, observation["robot_obs"], ("rgb_front", "rgb_wrist"))
        (tmp_path / "training" / frame_name(0)).write_bytes(content)
        with pytest.raises(UserError, match=rf"has {key} of shape \(2, 2\) and type uint8, which no frame"):
            open_split(tmp_path).frame(0)
