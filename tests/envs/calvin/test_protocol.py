"""The long-horizon protocol, with a chooser that moves the fixtures instead of the arm."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from envs.calvin.env import CalvinEnv
from envs.calvin.protocol import run_chain, score
from envs.calvin.sequences import Chain
from envs.errors import UserError

START = {
    "led": 0, "lightbulb": 0, "slider": "right", "drawer": "closed", "red_block": "table", "blue_block": "slider_left",
    "pink_block": "table", "grasped": 0,
}  # fmt: skip
CHAIN = Chain(START, ("open_drawer", "move_slider_left", "close_drawer", "turn_on_led", "move_slider_right"))
JOINTS = {
    "pull the handle to open the drawer": ("base__drawer", 0.2),
    "push the handle to close the drawer": ("base__drawer", 0.0),
    "push the sliding door to the left side": ("base__slide", 0.25),
    "push the sliding door to the right side": ("base__slide", 0.0),
    "press the button to turn on the led light": ("base__button", 0.02),
}


@pytest.fixture(scope="module")
def env() -> Iterator[CalvinEnv]:
    pytest.importorskip("pybullet", reason="the simulator (extra robots) is not installed")
    env = CalvinEnv(cameras=())
    yield env
    env.close()


def solve(env: CalvinEnv, until: int) -> Any:
    """A chooser that solves the first `until` tasks, in their third step."""
    told: list[str] = []

    def choose(observation: dict[str, np.ndarray], instruction: str, step: int) -> np.ndarray:
        assert observation["scene_obs"].shape == (24,)
        if step == 0:
            told.append(instruction)
        if step == 2 and len(told) <= until:
            world: Any = env.world
            name, value = JOINTS[instruction]
            world.scene.sim.resetJointState(world.table.table, world.table.joints[name], value)
        return np.array([0, 0, 0, 0, 0, 0, 1.0])

    return choose


@pytest.mark.parametrize("until", [0, 2, 5])
def test_a_chain_ends_at_its_first_failure(env: CalvinEnv, until: int) -> None:
    assert run_chain(env, CHAIN, solve(env, until), steps=6) == until


def test_a_task_solved_too_late_is_not_solved(env: CalvinEnv) -> None:
    assert run_chain(env, CHAIN, solve(env, 5), steps=2) == 0


def test_scores() -> None:
    assert score([5, 3, 0, 1], 5) == ([0.75, 0.5, 0.5, 0.25, 0.25], 2.25)
    with pytest.raises(UserError, match="there are no chains to score"):
        score([], 5)
