"""Scripted experts of the built-in tasks: what their actions are, and that they solve tasks."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from envs.errors import UserError
from envs.rlbench.actions import read_action
from envs.rlbench.builtin import BuiltinWorld
from envs.rlbench.experts import Expert
from envs.rlbench.tasks import task_names

pytest.importorskip("pybullet", reason="the simulator (extra robots) is not installed")

STEPS = 300


@pytest.fixture(scope="module")
def world() -> Iterator[BuiltinWorld]:
    world = BuiltinWorld({})
    yield world
    world.close()


def demonstrate(
    world: BuiltinWorld, task: str, seed: int, *, noise: float = 1.0, steps: int = STEPS, chance: int | None = None
) -> tuple[bool, np.ndarray]:
    """Whether the expert solves the task as `seed` places it, and its actions (T, 7)."""
    world.reset(task, None, np.random.default_rng(seed))
    random = np.random.default_rng(seed if chance is None else chance)
    expert = Expert(task, random, variation=world.info()["variation"], noise=noise)
    actions: list[np.ndarray] = []
    while not (world.info()["success"] or expert.finished or len(actions) == steps):
        actions.append(expert.act(world.states()))
        command, trouble = read_action(actions[-1], "delta")
        assert trouble is None
        world.act(command)
    return world.info()["success"], np.array(actions)


@pytest.mark.parametrize("task", task_names())
@pytest.mark.parametrize("seed", [0, 1])
def test_an_expert_solves_its_task_smoothly(world: BuiltinWorld, task: str, seed: int) -> None:
    solved, actions = demonstrate(world, task, seed)
    assert solved and len(actions) < 250
    assert actions.dtype == np.float32 and actions.shape == (len(actions), 7)
    assert np.abs(actions).max() <= 1 and set(np.abs(actions[:, 6])) == {1.0}
    jumps = np.abs(np.diff(actions[:, :6], axis=0))
    assert jumps[:, :3].max() < 0.5, "speeds change little by little"
    assert jumps[:, 3:].max() < 1.0, "turns too, though they end sooner where they have gone at full speed"


@pytest.mark.slow
@pytest.mark.parametrize("task", task_names())
def test_experts_solve_nearly_all(world: BuiltinWorld, task: str) -> None:
    assert sum(demonstrate(world, task, seed)[0] for seed in range(100, 120)) >= 18


def test_a_demonstration_depends_on_its_seed(world: BuiltinWorld) -> None:
    first, again, other = (demonstrate(world, "push_button", 0, steps=20, chance=seed)[1] for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert np.abs(first - other)[:, :3].max() > 0.1


def test_without_noise_the_seed_does_not_matter(world: BuiltinWorld) -> None:
    one, two = (demonstrate(world, "push_button", 0, steps=20, noise=0, chance=seed)[1] for seed in (1, 2))
    assert np.array_equal(one, two)


def test_it_goes_on_to_its_end_and_then_stands_still(world: BuiltinWorld) -> None:
    world.reset("lamp_on", 0, np.random.default_rng(0))
    expert = Expert("lamp_on", np.random.default_rng(0), noise=0)
    for _ in range(200):
        world.act(read_action(expert.act(world.states()), "delta")[0])
        if expert.finished:
            break
    assert expert.finished
    assert np.array_equal(expert.act(world.states()), [0, 0, 0, 0, 0, 0, -1])


@pytest.mark.parametrize(
    ("task", "variation", "noise", "words"),
    [
        ("open_window", 0, 1.0, "task 'open_window' is unknown"),
        ("open_drawer", 3, 1.0, "variation 3 is out of range; open_drawer has variations 0 to 2"),
        ("open_drawer", 0, -1.0, "noise -1.0 is no amount; give 0 for the straight script or more"),
    ],
)
def test_mistakes_are_one_sentence(task: str, variation: int, noise: float, words: str) -> None:
    with pytest.raises(UserError, match=words) as caught:
        Expert(task, np.random.default_rng(0), variation=variation, noise=noise)
    assert "\n" not in str(caught.value)
