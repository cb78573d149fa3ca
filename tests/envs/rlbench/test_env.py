"""RLBench's environment: Gymnasium's contract, actions, instructions and mistakes."""

from __future__ import annotations

import subprocess
import sys
import warnings
from collections.abc import Iterator
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.error import ResetNeeded
from gymnasium.utils.env_checker import check_env

import envs
from envs.errors import UserError
from envs.rlbench.env import RLBenchEnv
from envs.rlbench.world import CAMERAS

pytest.importorskip("pybullet", reason="the simulator (extra robots) is not installed")

STILL = np.array([0, 0, 0, 0, 0, 0, 1.0])
VARIANTS: list[dict[str, Any]] = [
    {},
    {"task": "close_microwave", "cameras": CAMERAS, "sizes": {"front": (24, 32), "overhead": 16}, "actions": "pose"},
    {"instruction": "open the top drawer", "cameras": [], "max_steps": 5},
]


@pytest.fixture(scope="module")
def shared() -> Iterator[RLBenchEnv]:
    env = RLBenchEnv(task="push_button", cameras=("front",), sizes=32)
    yield env
    env.close()


@pytest.fixture
def env(shared: RLBenchEnv) -> RLBenchEnv:
    shared.reset(seed=0)
    return shared


@pytest.mark.parametrize("kwargs", VARIANTS, ids=lambda kwargs: ",".join(map(str, kwargs)) or "defaults")
def test_the_checker_has_no_complaint(kwargs: dict[str, Any]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        if kwargs.get("actions") == "pose":  # metres are not normalised
            warnings.filterwarnings("ignore", ".*recommend using a symmetric and normalized space")
        env = gym.make(envs.RLBENCH_ENV_ID, **kwargs)
        check_env(env.unwrapped, skip_render_check=True)
        env.close()


def test_importing_the_environment_does_not_load_the_simulator() -> None:
    code = (
        "import sys, envs.rlbench.env, gymnasium, envs; print(envs.RLBENCH_ENV_ID in gymnasium.registry, *sys.modules)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True).stdout
    assert out.startswith("True")
    assert not {"pybullet", "torch", "pygame", "rlbench"} & set(out.split())


def test_an_episode_depends_on_its_seed_alone(env: RLBenchEnv) -> None:
    def play(before: int) -> list[np.ndarray]:
        for _ in range(before):
            env.step(np.array([1, 0, -1, 0, 0, 1, -1.0]))
        env.reset(seed=7)
        for _ in range(4):
            observation = env.step(np.array([0.3, 0.2, -0.8, 0, 0.5, 0, -1]))[0]
        return [observation[name] for name in sorted(observation)]

    first = play(0)
    for before in (0, 3, 12):
        assert all(np.array_equal(one, other) for one, other in zip(play(before), first, strict=True))
    env.reset(seed=8)
    other = env.step(STILL)[0]["task_low_dim_state"]
    assert np.abs(other - first[-1]).max() > 0.01, "another seed places the things elsewhere"


def test_the_arm_is_at_rlbenchs_home(env: RLBenchEnv) -> None:
    observation, _ = env.reset(seed=0)
    assert np.allclose(observation["gripper_pose"][:3], (0.2785, -0.0082, 1.4719), atol=2e-3)
    assert np.allclose(np.abs(observation["gripper_pose"][3:]), (0, 0.9927, 0, 0.1209), atol=2e-3)
    assert np.allclose(observation["joint_positions"], (0, 0.175, 0, -0.873, 0, 1.222, 0.785), atol=2e-3)
    assert np.allclose(observation["gripper_joint_positions"], 0.04, atol=1e-3) and observation["gripper_open"] == 1


def test_delta_actions_add_up(env: RLBenchEnv) -> None:
    start = env.reset(seed=0)[0]["gripper_pose"]
    for _ in range(5):
        env.step(np.array([0.5, -0.5, -1, 0, 0, 1, -1.0]))
    for _ in range(6):
        observation, *_ = env.step(np.array([0, 0, 0, 0, 0, 0, -1.0]))
    assert np.allclose(observation["gripper_pose"][:3] - start[:3], (0.05, -0.05, -0.10), atol=3e-3)
    assert observation["gripper_open"] == 0 and observation["gripper_joint_positions"].max() < 2e-3
    product = 2 * np.arccos(np.clip(abs(observation["gripper_pose"][3:] @ start[3:]), 0, 1))
    assert product == pytest.approx(0.25, abs=0.02), "turned by 5 steps of 0.05 rad"


def test_pose_actions_go_all_the_way() -> None:
    env = RLBenchEnv(task="push_button", cameras=(), actions="pose")
    start = env.reset(seed=0)[0]["gripper_pose"]
    turn = [0, 0, np.sin(np.pi / 8), np.cos(np.pi / 8)]
    observation, *_, info = env.step(np.array([0.05, 0.1, -0.2, *turn, 0.0]))
    assert info["trouble"] is None
    assert np.allclose(observation["gripper_pose"][:3] - start[:3], (0.05, 0.1, -0.2), atol=0.012)
    assert observation["gripper_open"] == 0
    info = env.step(np.array([0.3, 0.3, 0.3, 0, 0, 0, 1, 0.0]))[-1]
    info = env.step(np.array([0.3, 0.3, 0.3, 0, 0, 0, 1, 0.0]))[-1]
    assert "out of the arm's reach" in info["trouble"]
    with pytest.raises(UserError, match="quaternion is 0, 0, 0, 0"):
        env.step(np.zeros(8))
    env.close()


def test_what_is_beyond_a_limit_is_cut_off_and_named(env: RLBenchEnv) -> None:
    start = env.reset(seed=0)[0]["gripper_pose"]
    info = env.step(np.array([0, 0, -9.0, 0, 0, 0, 1]))[-1]
    assert info["trouble"] == "value 2 of the delta action is -9, outside -1 to 1"
    for _ in range(4):
        observation = env.step(STILL)[0]
    assert np.allclose(observation["gripper_pose"][2] - start[2], -0.02, atol=2e-3)


def test_the_end_of_an_episode() -> None:
    env = RLBenchEnv(task="reach_target", cameras=(), max_steps=2)
    env.reset(seed=0)
    assert env.step(STILL)[2:4] == (False, False)
    assert env.step(STILL)[2:4] == (False, True)
    with pytest.raises(ResetNeeded, match="call reset"):
        env.step(STILL)
    env.close()


def test_info_and_instructions() -> None:
    env = RLBenchEnv(task="open_drawer", variation=2, cameras=())
    _, info = env.reset(seed=0)
    assert info["variation"] == 2 and info["instruction"] == info["descriptions"][0] == "open top drawer"
    assert info["task"] == "open_drawer" and not info["success"] and info["steps"] == 0 and info["trouble"] is None
    _, info = env.reset(seed=0, options={"variation": 0})
    assert info["variation"] == 0 and "bottom" in info["instruction"]
    assert env.reset(seed=1)[1]["variation"] == 2
    env.close()
    env = RLBenchEnv(instruction="get the middle drawer open", cameras=())
    assert env.task == "open_drawer"
    assert env.reset(seed=3)[1]["variation"] == 1
    info = env.reset(options={"instruction": "open_drawer", "variation": 2})[1]
    assert info["variation"] == 2 and info["instruction"] == "open_drawer"
    env.close()


def test_pictures_have_their_sizes() -> None:
    env = RLBenchEnv(task="close_fridge", cameras=CAMERAS, sizes={"wrist": (20, 30)}, render_mode="rgb_array")
    observation, _ = env.reset(seed=0)
    assert observation["front_rgb"].shape == (128, 128, 3) and observation["wrist_rgb"].shape == (20, 30, 3)
    for camera in CAMERAS:
        assert observation[f"{camera}_rgb"].std() > 10, f"{camera} sees something"
    frame = env.render()
    assert frame is not None and frame.shape == (480, 480, 3)
    env.close()


@pytest.mark.parametrize(
    ("kwargs", "words"),
    [
        ({"task": "close_micro"}, "task 'close_micro' is unknown; choose one of close_microwave"),
        ({"task": "open_drawer", "variation": 3}, "variation 3 is out of range; open_drawer has variations 0 to 2"),
        ({"task": "lamp_on", "variation": -1}, "variation -1 is out of range; lamp_on has only variation 0"),
        ({"cameras": ["side"]}, "camera 'side' is unknown; choose of front"),
        ({"cameras": ["front", "front"]}, "camera 'front' is named 2 times"),
        ({"sizes": {"front": 0}}, "camera front cannot have 0 pixels a side"),
        ({"sizes": {"wrist": "big"}}, "size of camera wrist is 'big'"),
        ({"actions": "joints"}, "actions 'joints' are unknown; choose one of delta, pose"),
        ({"max_steps": 0}, "max_steps 0 leaves no step to take"),
        ({"instruction": "make coffee"}, "instruction 'make coffee' asks for no known task"),
        ({"task": "lamp_on", "instruction": "close the box"}, "asks for close_box, but the task is lamp_on"),
        ({"backend": "mujoco"}, "backend 'mujoco' is unknown"),
        ({"renderer": "cycles"}, "renderer 'cycles' is unknown"),
        ({"render_mode": "ansi"}, "render_mode 'ansi' is unknown"),
    ],
)
def test_mistakes_are_one_sentence(kwargs: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words) as caught:
        RLBenchEnv(**kwargs)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("action", "words"),
    [
        ([0, 0, np.nan, 0, 0, 0, 1], "the action holds nan; give finite numbers"),
        ([0, 0, 1], r"the action has shape \(3,\); delta actions have \(7,\)"),
        ("up", "give numbers"),
    ],
)
def test_bad_actions(env: RLBenchEnv, action: Any, words: str) -> None:
    with pytest.raises(UserError, match=words):
        env.step(action)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"seed": 3}, "reset option 'seed' is unknown; choose of variation, instruction"),
        ({"variation": 18}, "variation 18 is out of range; push_button has variations 0 to 17"),
        ({"instruction": "push the blue button", "variation": 0}, "leave one of them out"),
    ],
)
def test_bad_options(options: dict[str, Any], words: str) -> None:
    env = RLBenchEnv(task="push_button", cameras=())
    with pytest.raises(UserError, match=words):
        env.reset(options=options)
    env.close()
