"""Starts in which a task makes sense: a drawer to close is open, a block to place is held."""

from __future__ import annotations

from math import pi

import numpy as np

from envs.calvin.layouts import BLOCK_SIDE, BLOCK_Z, Layout
from envs.calvin.sequences import RULES, START_ROBOT
from envs.calvin.table import DRAWER_TRAVEL, SWITCH_TRAVEL
from envs.calvin.tasks import COLOURS, check_task
from envs.tabletop.arm import CLOSED

APART = 0.10  # m between the centres of blocks side by side
TRIES = 1000
DRAWER_FLOOR = 0.34  # z; its inside begins 0.16 m in front of the table's middle and is 0.20 m deep
HELD = 0.0383  # m; fingers around a block


def start_for(task: str, layout: Layout, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """robot_obs float64 (15,) and scene_obs float64 (24,) drawn among the starts in which `task` makes sense."""
    rules = RULES[check_task(task)]
    wanted = rules[int(random.integers(len(rules)))].condition
    scene = np.zeros(24)
    scene[0] = layout.door_travel if wanted.get("slider") == "left" else 0.0
    scene[1] = DRAWER_TRAVEL if wanted.get("drawer") == "open" else 0.0
    scene[3] = SWITCH_TRAVEL if wanted.get("lightbulb") else 0.0
    scene[4], scene[5] = float(bool(wanted.get("lightbulb"))), float(bool(wanted.get("led")))
    robot = START_ROBOT.copy()
    if wanted.get("grasped"):
        robot[6], robot[14] = HELD, CLOSED
    places = {colour: str(wanted.get(f"{colour}_block", "table")) for colour in COLOURS}
    poses = _poses(places, layout, random)
    for number, colour in enumerate(layout.order):
        scene[6 + 6 * number : 12 + 6 * number] = poses[colour]
    return robot, scene


def _poses(places: dict[str, str], layout: Layout, random: np.random.Generator) -> dict[str, np.ndarray]:
    """Pose (6,) of each block; blocks side by side keep apart."""
    for _ in range(TRIES):
        poses = {colour: _pose(place, layout, random) for colour, place in places.items()}
        below = [poses[colour] for colour, place in places.items() if place == "stacked_bottom"]
        for colour, place in places.items():
            if place == "stacked_top":
                poses[colour] = below[0] + (0, 0, BLOCK_SIDE, 0, 0, 0)
        beside = [poses[colour][:3] for colour, place in places.items() if place != "stacked_top"]
        if all(np.linalg.norm(a - b) > APART for i, a in enumerate(beside) for b in beside[:i]):
            return poses
    raise RuntimeError("the blocks found no places apart from each other")


def _pose(place: str, layout: Layout, random: np.random.Generator) -> np.ndarray:
    yaw = random.uniform(pi / 2 - pi / 8, pi / 2 + pi / 8)
    if place == "grasped":  # between the fingers of the arm at home, its long side across them
        return np.array([*START_ROBOT[:3], 0, 0, START_ROBOT[5]])
    if place == "drawer":
        x = layout.drawer + random.uniform(-0.10, 0.10)
        return np.array([x, random.uniform(-0.31, -0.25), DRAWER_FLOOR + BLOCK_SIDE / 2, 0, 0, yaw])
    low, high = layout.starts[place if place in layout.starts else "table"]
    x, y, _ = random.uniform(low, high)
    if place == "stacked_bottom":
        y = min(y, -0.07)  # nothing leans on the door
    # The button's ring takes a part of the table's top.
    if place not in ("slider_left", "slider_right") and abs(x - layout.button) < 0.10:
        x = layout.button + np.copysign(0.10, x - layout.button)
    return np.array([x, y, BLOCK_Z, 0, 0, yaw])
