"""Every fixture can be worked and every block held by absolute poses alone, and the tests of success notice."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from envs.calvin.env import CalvinEnv
from envs.calvin.layouts import LAYOUTS
from envs.calvin.tasks import solved_tasks

pytest.importorskip("pybullet", reason="the simulator (extra robots) is not installed")

ASSETS = os.environ.get("CALVIN_ASSETS", "")
ACROSS = (np.pi, 0, 1.57)  # straight down, fingers along x
ALONG = (np.pi, 0, 0)  # straight down, fingers along y
TILTED = (np.pi - 0.3, -0.3, 1.57)  # towards the right and the back, where the arm could not reach straight down
OPEN, CLOSED = 1, -1


class Hand:
    """Moves the arm from pose to pose in small steps, on a table with the red block at hand."""

    def __init__(self, env: CalvinEnv) -> None:
        self.env, self.layout = env, LAYOUTS[env.world.table.layout.name]  # type: ignore[attr-defined]

    def begin(self, **fixtures: float) -> dict[str, Any]:
        """Reset with fixtures such as drawer=0.22; blocks: red at the right, the others out of the way."""
        scene = np.zeros(24)
        for name, value in fixtures.items():
            scene[["slide", "drawer", "button", "switch", "lightbulb", "led"].index(name)] = value
        places = {"red": (0.10, -0.08), "blue": (0.33, -0.06), "pink": (-0.02, 0.09)}
        for number, colour in enumerate(self.layout.order):
            scene[6 + 6 * number : 12 + 6 * number] = (*places[colour], 0.46, 0, 0, np.pi / 2)
        self.env.reset(options={"scene_obs": scene})
        return self.env.get_info()

    def go(self, *position: float, angles: Any = ACROSS, gripper: int = OPEN, wait: int = 5) -> None:
        """Move there in a straight line, 2 cm a step, and stay for `wait` steps."""
        start = self.env.world.states()[0][:3]
        steps = max(1, int(np.ceil(np.linalg.norm(np.subtract(position, start)) / 0.02)))
        for i in range(1, steps + wait + 1):
            part = min(1.0, i / steps)
            self.env.step((start + part * np.subtract(position, start), angles, gripper))

    def solved(self, start: dict[str, Any]) -> set[str]:
        return solved_tasks(start, self.env.get_info())


def folders() -> list[Any]:
    """The built-in table, and the official one where its assets are."""
    missing = not Path(ASSETS, "franka_panda").is_dir()
    reason = "CALVIN_ASSETS does not name the folder 'data' of calvin_env"
    return [
        pytest.param(None, id="built-in"),
        pytest.param(ASSETS, id="official", marks=pytest.mark.skipif(missing, reason=reason)),
    ]


@pytest.fixture(scope="module", params=folders())
def hand(request: pytest.FixtureRequest) -> Iterator[Hand]:
    env = CalvinEnv(scene="D", cameras=(), assets=request.param)
    yield Hand(env)
    env.close()


def pull_drawer(hand: Hand, *, begin: float, end: float) -> None:
    x = hand.layout.drawer
    hand.go(x, -0.25 - begin, 0.50, angles=ALONG)
    hand.go(x, -0.25 - begin, 0.365, angles=ALONG)
    hand.go(x, -0.25 - begin, 0.365, angles=ALONG, gripper=CLOSED)
    hand.go(x, -0.25 - end, 0.365, angles=ALONG, gripper=CLOSED)


def slide_door(hand: Hand, *, begin: float, end: float) -> None:
    x = hand.layout.door
    hand.go(x - begin, -0.08, 0.60)
    hand.go(x - begin, 0.01, 0.58)
    hand.go(x - begin, 0.01, 0.58, gripper=CLOSED)
    hand.go(x - end, 0.01, 0.58, gripper=CLOSED)


def press_button(hand: Hand) -> None:
    x = hand.layout.button
    for z in (0.55, 0.475, 0.55):
        hand.go(x, -0.12, z, gripper=CLOSED)


def grasp(hand: Hand, x: float, y: float, z: float = 0.46) -> None:
    hand.go(x, y, z + 0.09)
    hand.go(x, y, z)
    hand.go(x, y, z, gripper=CLOSED, wait=8)
    hand.go(x, y, z + 0.10, gripper=CLOSED)


def test_the_drawer_opens_and_closes(hand: Hand) -> None:
    start = hand.begin()
    pull_drawer(hand, begin=0, end=0.18)
    assert hand.solved(start) == {"open_drawer"}
    start = hand.begin(drawer=0.18)
    pull_drawer(hand, begin=0.18, end=0)
    assert hand.solved(start) == {"close_drawer"}


def test_the_door_slides_both_ways(hand: Hand) -> None:
    start = hand.begin()
    slide_door(hand, begin=0, end=0.22)
    assert hand.solved(start) == {"move_slider_left"}
    start = hand.begin(slide=0.22)
    slide_door(hand, begin=0.22, end=0)
    assert hand.solved(start) == {"move_slider_right"}


def test_the_button_toggles_the_led(hand: Hand) -> None:
    start = hand.begin()
    press_button(hand)
    assert hand.solved(start) == {"turn_on_led"}
    lit = hand.env.get_info()
    assert lit["scene_info"]["buttons"]["base__button"]["joint_state"] < 0.01, "it comes up again"
    press_button(hand)
    assert hand.solved(lit) == {"turn_off_led"}


def test_the_switch_lights_the_bulb_and_puts_it_out(hand: Hand) -> None:
    x = hand.layout.switch
    start = hand.begin()
    for y, z in ((-0.06, 0.50), (0.0, 0.505), (0.06, 0.62)):
        hand.go(x, y, z, angles=TILTED, gripper=CLOSED)
    assert hand.solved(start) == {"turn_on_lightbulb"}
    start = hand.begin(switch=0.088, lightbulb=1)
    for y, z in ((0.03, 0.70), (0.07, 0.66), (0.02, 0.55)):
        hand.go(x, y, z, angles=TILTED, gripper=CLOSED)
    assert hand.solved(start) == {"turn_off_lightbulb"}


def test_a_block_is_lifted_and_put_into_the_cabinet(hand: Hand) -> None:
    start = hand.begin(slide=0.28)
    grasp(hand, 0.10, -0.08)
    assert hand.solved(start) == {"lift_red_block_table"}
    start = hand.env.get_info()
    hand.go(0.10, 0.04, 0.56, gripper=CLOSED)
    hand.go(0.10, 0.04, 0.463, gripper=CLOSED)
    hand.go(0.10, 0.04, 0.463, gripper=OPEN)
    hand.go(0.10, -0.05, 0.56)
    assert hand.solved(start) == {"place_in_slider"}


def test_a_block_is_put_into_the_drawer_and_taken_out(hand: Hand) -> None:
    hand.begin(drawer=0.2)
    grasp(hand, 0.10, -0.08)
    start = hand.env.get_info()
    hand.go(0.15, -0.27, 0.56, gripper=CLOSED)
    hand.go(0.15, -0.27, 0.37, gripper=CLOSED)
    hand.go(0.15, -0.27, 0.37)
    hand.go(0.15, -0.27, 0.50)
    assert hand.solved(start) == {"place_in_drawer"}
    start = hand.env.get_info()
    grasp(hand, 0.15, -0.27, 0.36)
    assert hand.solved(start) == {"lift_red_block_drawer"}


def test_a_block_is_stacked_and_taken_down(hand: Hand) -> None:
    hand.begin()
    grasp(hand, 0.10, -0.08)
    start = hand.env.get_info()
    hand.go(0.33, -0.06, 0.57, gripper=CLOSED)
    hand.go(0.33, -0.06, 0.503, gripper=CLOSED)
    hand.go(0.33, -0.06, 0.503)
    hand.go(0.33, -0.06, 0.60)
    assert hand.solved(start) == {"stack_block"}
    start = hand.env.get_info()
    hand.go(0.33, -0.06, 0.50)
    hand.go(0.33, -0.06, 0.50, gripper=CLOSED, wait=8)
    hand.go(0.33, -0.06, 0.58, gripper=CLOSED)
    assert "unstack_block" in hand.solved(start)


@pytest.mark.parametrize(("side", "begin", "end"), [("right", 0.03, 0.20), ("left", 0.17, 0.01)])
def test_a_block_is_pushed(hand: Hand, side: str, begin: float, end: float) -> None:
    start = hand.begin()
    hand.go(begin, -0.08, 0.55, gripper=CLOSED)
    hand.go(begin, -0.08, 0.465, gripper=CLOSED)
    hand.go(end, -0.08, 0.465, gripper=CLOSED)
    assert f"push_red_block_{side}" in hand.solved(start)


@pytest.mark.parametrize(("side", "sign"), [("left", 1), ("right", -1)])
def test_a_block_is_rotated(hand: Hand, side: str, sign: int) -> None:
    start = hand.begin()
    turn: Callable[[float], Any] = lambda angle: (np.pi, 0, 1.57 + sign * angle)  # noqa: E731
    hand.go(0.10, -0.08, 0.55)
    hand.go(0.10, -0.08, 0.462)
    for angle in np.linspace(0, 1.3, 27):
        hand.env.step(((0.10, -0.08, 0.462), turn(angle), CLOSED))
    hand.go(0.10, -0.08, 0.462, angles=turn(1.3))
    assert hand.solved(start) == {f"rotate_red_block_{side}"}


def test_a_block_falls_into_the_drawer(hand: Hand) -> None:
    start = hand.begin(drawer=0.22)
    hand.go(0.10, -0.02, 0.56, gripper=CLOSED)
    hand.go(0.10, -0.02, 0.465, gripper=CLOSED)
    hand.go(0.10, -0.24, 0.465, gripper=CLOSED, wait=15)
    assert "push_into_drawer" in hand.solved(start)
