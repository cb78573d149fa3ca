"""Scripted experts: what their actions are, that they depend on their seed alone, and that they solve tasks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from envs.calvin.env import CalvinEnv
from envs.calvin.experts import EXPERTS, Expert
from envs.calvin.layouts import layout
from envs.calvin.sequences import SINGLE_STEPS, VIDEOWORLD_TASKS
from envs.calvin.starts import start_for
from envs.calvin.tasks import TASKS
from envs.errors import UserError

pytest.importorskip("pybullet", reason="the simulator (extra robots) is not installed")


@pytest.fixture(scope="module")
def env() -> Iterator[CalvinEnv]:
    env = CalvinEnv(scene="D", cameras=(), strict=True, max_steps=SINGLE_STEPS)  # strict: a bad action raises
    yield env
    env.close()


def demonstrate(
    env: CalvinEnv, task: str, seed: int, *, start: int = 0, noise: float = 1.0, steps: int = SINGLE_STEPS
) -> tuple[bool, np.ndarray]:
    """Whether the expert solves the task, and its actions (T, 7)."""
    plan = layout("D")
    robot, scene = start_for(task, plan, np.random.default_rng(start), arm_spread=1, vary_scene=True)
    observation, _ = env.reset(options={"task": task, "robot_obs": robot, "scene_obs": scene})
    expert = Expert(task, plan, np.random.default_rng(seed), noise=noise)
    actions: list[np.ndarray] = []
    solved = over = False
    while not (solved or over or expert.finished or len(actions) == steps):
        actions.append(expert.act(observation["robot_obs"], observation["scene_obs"]))
        observation, _, solved, over, _ = env.step(actions[-1])
    return solved, np.array(actions)


def test_the_published_tasks_have_experts() -> None:
    assert set(VIDEOWORLD_TASKS) <= set(EXPERTS) <= set(TASKS)


@pytest.mark.parametrize("task", ["push_blue_block_left", "open_drawer", "turn_off_lightbulb", "turn_on_led"])
def test_an_expert_solves_its_task_smoothly(env: CalvinEnv, task: str) -> None:
    solved, actions = demonstrate(env, task, seed=1)
    assert solved and len(actions) < 120
    assert actions.dtype == np.float32 and actions.shape == (len(actions), 7)
    assert np.abs(actions).max() <= 1 and set(np.abs(actions[:, 6])) == {1.0}
    jumps = np.abs(np.diff(actions[:, :6], axis=0))
    assert jumps.max() < 0.5, "speeds change little by little"


def test_a_demonstration_depends_on_its_seed(env: CalvinEnv) -> None:
    first, again, other = (demonstrate(env, "close_drawer", seed, steps=30)[1] for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert np.abs(first - other)[:, :3].max() > 0.1


def test_without_noise_the_seed_does_not_matter(env: CalvinEnv) -> None:
    one, two = (demonstrate(env, "turn_on_led", seed, noise=0, steps=20)[1] for seed in (1, 2))
    assert np.array_equal(one, two)


def test_it_goes_on_to_its_end_and_then_stands_still(env: CalvinEnv) -> None:
    plan = layout("D")
    observation, _ = env.reset(seed=0, options={"task": "turn_on_led"})
    env.start_task()  # no task: nothing ends the episode
    expert = Expert("turn_on_led", plan, np.random.default_rng(0), noise=0)
    for _ in range(100):
        observation, *_ = env.step(expert.act(observation["robot_obs"], observation["scene_obs"]))
        if expert.finished:
            break
    assert expert.finished and observation["scene_obs"][5] == 1
    assert np.array_equal(expert.act(observation["robot_obs"], observation["scene_obs"]), [0, 0, 0, 0, 0, 0, -1])


@pytest.mark.parametrize(
    ("task", "noise", "words"),
    [
        ("open_window", 1.0, "task 'open_window' is unknown; there are 34 such as"),
        ("open_drawer", -1.0, "noise -1.0 is no amount; give 0 for the straight script or more"),
    ],
)
def test_mistakes_are_one_sentence(task: str, noise: float, words: str) -> None:
    with pytest.raises(UserError, match=words) as caught:
        Expert(task, layout("D"), np.random.default_rng(0), noise=noise)
    assert "\n" not in str(caught.value)


def test_varied_starts(env: CalvinEnv) -> None:
    starts = [
        start_for("open_drawer", layout("D"), np.random.default_rng(seed), arm_spread=1, vary_scene=True)
        for seed in range(20)
    ]
    robots, scenes = map(np.array, zip(*starts, strict=True))
    for robot, scene in starts[:3]:
        found: Any = env.reset(options={"robot_obs": robot, "scene_obs": scene})[0]["robot_obs"]
        assert np.allclose(found[:14], robot[:14], atol=1e-3), "the pose is that of the joints"
    assert 0.02 < np.ptp(robots[:, 0]) <= 0.13 and 0.1 < np.ptp(robots[:, 5]) <= 0.61
    assert set(scenes[:, 1]) == {0} and len(set(scenes[:, 0])) == len(set(scenes[:, 5])) == 2
    assert (scenes[:, 7::6] > 0.04).any(), "blocks stand in the cabinet too"


@pytest.mark.slow
@pytest.mark.parametrize("task", EXPERTS)
def test_experts_are_reliable(env: CalvinEnv, task: str) -> None:
    assert sum(demonstrate(env, task, seed, start=seed)[0] for seed in range(20)) >= 19
