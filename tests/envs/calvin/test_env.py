"""The environment: Gymnasium's contract, CALVIN's interface, actions and mistakes."""

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
from envs.calvin.env import CalvinEnv
from envs.calvin.sequences import VIDEOWORLD_TASKS, make_chains, start_observation, start_states
from envs.calvin.tasks import TASKS, solved_tasks
from envs.errors import UserError

pytest.importorskip("pybullet", reason="the simulator (extra robots) is not installed")

STILL = np.array([0, 0, 0, 0, 0, 0, 1.0])
HOME_TCP = (0.02587, -0.23131, 0.57128)
VARIANTS: list[dict[str, Any]] = [
    {},
    {"scene": "A", "actions": "absolute", "cameras": ["static"], "sizes": {"static": (32, 48)}, "depth": False},
    {"scene": "C", "actions": "joint_relative", "instruction": "open the drawer", "cameras": [], "max_steps": 5},
]


@pytest.fixture(scope="module")
def shared() -> Iterator[CalvinEnv]:
    env = CalvinEnv(cameras=())
    yield env
    env.close()


@pytest.fixture
def env(shared: CalvinEnv) -> CalvinEnv:
    shared.strict = False
    shared.max_steps = None
    shared.reset(seed=0)
    shared.start_task()
    return shared


@pytest.mark.parametrize("kwargs", VARIANTS, ids=lambda kwargs: ",".join(map(str, kwargs.values())) or "defaults")
def test_the_checker_has_no_complaint(kwargs: dict[str, Any]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        if kwargs.get("actions", "relative") != "relative":  # metres and radians are not normalised
            warnings.filterwarnings("ignore", ".*recommend using a symmetric and normalized space")
        env = gym.make(envs.CALVIN_ENV_ID, **kwargs)
        check_env(env.unwrapped)
        env.close()


def test_an_episode_depends_on_its_seed_alone(env: CalvinEnv) -> None:
    def play(before: int) -> np.ndarray:
        for _ in range(before):
            env.step(np.array([1, 0, -1, 0, 0, 1, 1.0]))
        env.reset(seed=7)
        for _ in range(5):
            observation = env.step(np.array([0.3, 0.2, -0.8, 0, 0, 0, -1]))[0]
        return np.concatenate([observation["robot_obs"], observation["scene_obs"]])

    first = play(0)
    assert all(np.array_equal(play(before), first) for before in (0, 3, 20, 30))


def test_importing_the_environment_does_not_load_the_simulator() -> None:
    code = "import sys, envs.calvin.env, gymnasium, envs; print(envs.CALVIN_ENV_ID in gymnasium.registry, *sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True).stdout
    assert out.startswith("True")
    assert not {"pybullet", "torch", "pygame"} & set(out.split())


def test_observations_have_calvins_keys_shapes_and_numbers() -> None:
    env = CalvinEnv()
    observation, info = env.reset(seed=2)
    shapes = {key: (value.shape, value.dtype.name) for key, value in observation.items()}
    assert shapes == {
        "rgb_static": ((200, 200, 3), "uint8"),
        "depth_static": ((200, 200), "float32"),
        "rgb_gripper": ((84, 84, 3), "uint8"),
        "depth_gripper": ((84, 84), "float32"),
        "robot_obs": ((15,), "float64"),
        "scene_obs": ((24,), "float64"),
    }
    assert observation["robot_obs"][:3] == pytest.approx(HOME_TCP, abs=1e-3)
    assert 3.5 < observation["depth_static"].min() < observation["depth_static"].max() < 6.5
    assert 0.03 < observation["depth_gripper"].min() < observation["depth_gripper"].max() < 1.5
    nested = env.get_obs()
    assert set(nested) == {"rgb_obs", "depth_obs", "robot_obs", "scene_obs"}
    assert np.array_equal(nested["rgb_obs"]["rgb_gripper"], observation["rgb_gripper"])
    assert nested["depth_obs"]["depth_static"].shape == (200, 200)
    assert (info["task"], info["success"], info["trouble"]) == (None, False, None)
    table = info["scene_info"]["fixed_objects"]["table"]
    assert table["links"] == {
        "button_link": 0, "switch_link": 1, "slide_link": 2, "drawer_link": 3, "led_link": 4, "light_link": 5,
        "plank_link": 6, "base_link": -1,
    }  # fmt: skip
    robot, blocks = info["robot_info"], info["scene_info"]["movable_objects"]
    assert (robot["uid"], [block["uid"] for block in blocks.values()], table["uid"]) == (0, [2, 3, 4], 5)
    assert set(robot) >= {
        "tcp_pos",
        "tcp_orn",
        "gripper_opening_width",
        "arm_joint_states",
        "gripper_action",
        "contacts",
    }
    assert list(blocks) == ["block_red", "block_blue", "block_pink"]
    env.close()


def test_a_state_given_to_reset_is_the_state_observed(env: CalvinEnv) -> None:
    chain = make_chains(20, length=1, tasks=VIDEOWORLD_TASKS)[3]
    robot, scene = start_observation(chain.state)
    observation, _ = env.reset(options={"robot_obs": robot, "scene_obs": scene})
    assert observation["robot_obs"] == pytest.approx(robot, abs=2e-3)
    apart = np.abs(observation["scene_obs"] - scene)
    apart[[9, 10, 11, 15, 16, 17, 21, 22, 23]] %= 2 * np.pi
    assert apart.max() < 2e-3


def test_blocks_of_the_protocol_stand_in_the_cabinet_from_the_start(env: CalvinEnv) -> None:
    """Lifting one from there is solved only if it touches the floor when the task begins."""
    robot, scene = start_observation(next(state for state in start_states() if state["pink_block"] == "slider_left"))
    info = env.reset(options={"robot_obs": robot, "scene_obs": scene})[1]["scene_info"]
    floor = info["fixed_objects"]["table"]["links"]["plank_link"]
    assert floor in {contact[4] for contact in info["movable_objects"]["block_pink"]["contacts"]}


@pytest.mark.parametrize("seed", range(3))
def test_blocks_start_apart_and_inside_their_boxes(env: CalvinEnv, seed: int) -> None:
    observation, info = env.reset(seed=seed)
    scene = observation["scene_obs"]
    assert np.abs(scene[:6]).max() < 1e-3
    for block, name in enumerate(info["scene_info"]["movable_objects"]):
        x, y, z = scene[6 + 6 * block : 9 + 6 * block]
        assert -0.33 < x < 0.36 and -0.16 < y < 0.13 and z == pytest.approx(0.46, abs=2e-3)
        touched = {contact[2] for contact in info["scene_info"]["movable_objects"][name]["contacts"]}
        assert touched == {5}, "the table and no other block"


@pytest.mark.parametrize("task", TASKS)
def test_a_task_starts_where_it_makes_sense(env: CalvinEnv, task: str) -> None:
    observation, start = env.reset(seed=1, options={"task": task})
    grip = observation["robot_obs"][14]
    assert solved_tasks(start, start) == set()
    for _ in range(5):
        _, reward, terminated, _, now = env.step(np.append(np.zeros(6), grip))
        assert (reward, terminated) == (0, False)
    assert solved_tasks(start, now) == set()
    if task.startswith(("place", "stack")):
        held = [block for block in now["scene_info"]["movable_objects"].values() if block["current_pos"][2] > 0.5]
        assert len(held) == 1 and {contact[2] for contact in held[0]["contacts"]} == {0}


def test_solving_the_task_ends_the_episode_and_another_may_follow(env: CalvinEnv) -> None:
    env.reset(options={"instruction": "pull the handle to open the drawer"})
    world: Any = env.world
    world.scene.sim.resetJointState(world.table.table, world.table.joints["base__drawer"], 0.2)
    _, reward, terminated, truncated, info = env.step(STILL)
    assert (reward, terminated, truncated, info["success"], info["task"]) == (1.0, True, False, True, "open_drawer")
    with pytest.raises(ResetNeeded):
        env.step(STILL)
    info = env.start_task("close_drawer")
    assert (info["instruction"], info["steps"]) == ("push the handle to close the drawer", 0)
    assert env.step(STILL)[1:3] == (0.0, False)


def test_time_runs_out(env: CalvinEnv) -> None:
    env.max_steps = 2
    env.start_task("open_drawer")
    assert [env.step(STILL)[3] for _ in range(2)] == [False, True]
    with pytest.raises(ResetNeeded):
        env.step(STILL)


def test_calvins_forms_of_actions(env: CalvinEnv) -> None:
    def tcp_after(action: Any, steps: int = 25) -> np.ndarray:
        env.reset(seed=0)
        for _ in range(steps):
            observation = env.step(action)[0]
        return observation["robot_obs"]

    goal = np.array([0.1, -0.2, 0.5])
    quaternion = env.world.scene.sim.getQuaternionFromEuler((np.pi, 0, 1.57))  # type: ignore[attr-defined]
    for action in (
        (goal, (np.pi, 0, 1.57), [1]),
        (goal, quaternion, 1),
        {"type": "cartesian_abs", "action": [*goal, np.pi, 0, 1.57, 1]},
        {"type": "cartesian_abs", "action": [*goal, *quaternion, 1]},
    ):
        assert tcp_after(action)[:3] == pytest.approx(goal, abs=2e-3)
    down = tcp_after({"type": "cartesian_rel", "action": [0, 0, -1, 0, 0, 0, -1]}, 5)
    assert down[2] < HOME_TCP[2] - 0.04 and down[6] < 0.01 and down[14] == -1
    turned = tcp_after({"type": "joint_rel", "action": [0.05, *[0] * 6, 1]}, 5)
    assert turned[7] > -1.2178 + 0.1


@pytest.mark.parametrize(
    ("action", "words"),
    [
        (np.array([np.nan, 0, 0, 0, 0, 0, 1]), "the action holds nan; give finite numbers"),
        (np.array([0, 0, np.inf, 0, 0, 0, 1]), "the action holds inf"),
        (np.zeros(6), r"the action has shape \(6,\), but relative actions have \(7,\)"),
        ({"type": "teleport", "action": np.zeros(7)}, "action type 'teleport' is unknown; choose one of cartesian_rel"),
        ({"type": "joint_abs", "action": np.zeros(7)}, r"but joint_absolute actions have \(8,\)"),
        ("forwards", "the action is 'forwards'; give numbers"),
    ],
)
def test_malformed_actions_are_refused_and_change_nothing(env: CalvinEnv, action: Any, words: str) -> None:
    before = env.world.states()
    with pytest.raises(UserError, match=words):
        env.step(action)
    assert all(np.array_equal(a, b) for a, b in zip(before, env.world.states(), strict=True))


@pytest.mark.parametrize(
    ("action", "words"),
    [
        (np.array([0, 1.5, 0, 0, 0, 0, 1]), "value 1 of the relative action is 1.5, outside -1 to 1"),
        ({"type": "cartesian_abs", "action": [0.3, 0.05, 0.66, np.pi, 0, 1.57, 1]}, r"the pose at \(0.3, 0.05, 0.66\)"),
        ({"type": "cartesian_abs", "action": [3, 0, 0.5, np.pi, 0, 1.57, 1]}, "value 0 of the absolute action is 3"),
        ({"type": "joint_abs", "action": [4, 0, 0, -1, 0, 1, 0, 1]}, "value 0 of the joint_absolute action is 4"),
    ],
)
def test_what_is_beyond_a_limit_is_told_or_refused(env: CalvinEnv, action: Any, words: str) -> None:
    observation, *_, info = env.step(action)
    assert info["trouble"] is not None and np.isfinite(observation["robot_obs"]).all()
    env.strict = True
    with pytest.raises(UserError, match=words):
        env.step(action)
    assert env.step(STILL)[4]["trouble"] is None


@pytest.mark.parametrize(
    ("kwargs", "words"),
    [
        ({"scene": "E"}, "scene 'E' is unknown; choose one of A, B, C, D"),
        ({"task": "open_window"}, "task 'open_window' is unknown; there are 34"),
        ({"instruction": "make tea"}, "instruction 'make tea' asks for no known task"),
        (
            {"task": "open_drawer", "instruction": "close the drawer"},
            "asks for close_drawer, but the task is open_drawer",
        ),
        ({"actions": "thoughts"}, "actions 'thoughts' are unknown; choose one of relative, absolute"),
        ({"cameras": ["ceiling"]}, "camera 'ceiling' is unknown; choose of static, gripper"),
        ({"sizes": {"ceiling": 3}}, "camera 'ceiling' is unknown"),
        ({"sizes": {"static": (1, 2, 3)}}, r"the size of camera static is \(1, 2, 3\)"),
        ({"sizes": {"static": 0}}, "camera static cannot have 0 pixels a side"),
        ({"max_steps": 0}, "max_steps 0 leaves no step to take"),
        ({"renderer": "crayon"}, "renderer 'crayon' is unknown"),
        ({"backend": "dream"}, "backend 'dream' is unknown; choose one of builtin, official"),
        ({"render_mode": "hologram"}, "render_mode 'hologram' is unknown"),
    ],
)
def test_wrong_arguments_are_named(kwargs: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        CalvinEnv(**kwargs)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"speed": 3}, "reset option 'speed' is unknown; choose of robot_obs, scene_obs, task, instruction"),
        ({"scene_obs": np.zeros(23)}, r"scene_obs has shape \(23,\); give 24 finite numbers"),
        ({"robot_obs": np.full(15, np.nan)}, "give 15 finite numbers"),
        ({"task": "fly"}, "task 'fly' is unknown"),
    ],
)
def test_impossible_starts_are_refused(env: CalvinEnv, options: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        env.reset(options=options)


def test_pictures_for_people() -> None:
    env = CalvinEnv(cameras=(), render_mode="rgb_array")
    env.reset(seed=0)
    picture = env.render()
    assert picture is not None and picture.shape == (480, 480, 3) and len(np.unique(picture)) > 50
    env.close()
    env.close()


def test_a_saved_world_comes_back_with_its_lights_and_its_hand(env: CalvinEnv) -> None:
    world: Any = env.world
    env.reset(seed=3, options={"task": "place_in_drawer"})
    env.start_task()
    grip = np.array([0, 0, 0, 0, 0, 0, -1.0])
    for _ in range(3):
        env.step(grip)
    kept, before = world.save(), np.concatenate(world.states())

    def play() -> np.ndarray:
        for _ in range(6):
            observation = env.step(np.array([0.5, 0.5, 0, 0, 0, 0.3, -1.0]))[0]
        return np.concatenate([observation["robot_obs"], observation["scene_obs"]])

    after = play()
    world.table.lights["led"] = True
    world.restore(kept)
    assert np.array_equal(np.concatenate(world.states()), before)
    assert play() == pytest.approx(after, abs=1e-4), "the block is still held and the target is where it was"
    world.forget(kept)


def test_the_window_shows_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    pygame = pytest.importorskip("pygame", reason="the window needs pygame")
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    env = CalvinEnv(cameras=(), render_mode="human")
    env.metadata = {**env.metadata, "render_fps": 1000}
    env.reset(seed=0)
    before = pygame.surfarray.array3d(pygame.display.get_surface())
    assert before.shape == (480, 480, 3)
    env.step({"type": "cartesian_rel", "action": [0, 0, -1, 0, 0, 0, -1]})
    assert not np.array_equal(pygame.surfarray.array3d(pygame.display.get_surface()), before)
    env.close()
    assert pygame.display.get_surface() is None
