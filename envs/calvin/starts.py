"""Starts in which a task makes sense: a drawer to close is open, a block to place is held."""

from __future__ import annotations

from math import pi

import numpy as np

from envs.calvin.layouts import BLOCK_SIDE, BLOCK_Z, Layout
from envs.calvin.play_table import ROBOT_BASE
from envs.calvin.sequences import RULES, START_ROBOT, STATES, State
from envs.calvin.table import DRAWER_TRAVEL, SWITCH_TRAVEL
from envs.calvin.tasks import COLOURS, check_task
from envs.tabletop.arm import CLOSED, HOME
from envs.tabletop.kinematics import forward, joints_near
from envs.tabletop.solids import fixed_angles, rotation

APART = 0.10  # m between the centres of blocks side by side
TRIES = 10_000
DRAWER_FLOOR = 0.34  # z; its inside begins 0.16 m in front of the table's middle and is 0.20 m deep
HELD = 0.0383  # m; fingers around a block
ARM_SPREAD = (0.06, 0.05, 0.05)  # m; how far from home the arm starts, at most
YAW_SPREAD = 0.3  # rad
LANE, AHEAD, BEHIND = 0.085, 0.18, 0.115  # m; what a block to push needs aside, ahead and, for the hand, behind
TABLE_END = 0.42  # m; |x| of a block's centre on the table
DRAWER_WIDTH = 0.28  # m; where blocks that fall from the table land in the open drawer
BESIDE = 0.078  # m that the open fingers need beside the centre of a block, to both sides of the cabinet's opening
BEHIND_CLEAR = -0.065  # m; y of a block that has room for the hand behind it
PANEL_CLEAR = -0.045  # m; y of a block's centre in front of the panel


def start_for(
    task: str, layout: Layout, random: np.random.Generator, *, arm_spread: float = 0.0, vary_scene: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """robot_obs float64 (15,) and scene_obs float64 (24,) drawn among the starts in which `task` makes sense.

    arm_spread: how far from home the arm may start; 0 at home, 1 up to 6 cm and 0.3 rad of yaw away. vary_scene: also
    draw what the task leaves open (lights, door, drawer, which blocks stand in the cabinet), as in the starting states
    of CALVIN's chains; else that is dark, closed and on the table.

    Raises:
        UserError: there is no such task, or the arm can't start that far from home.
    """
    rules = RULES[check_task(task)]
    wanted = dict(rules[int(random.integers(len(rules)))].condition)
    if vary_scene:
        wanted = {**_fixtures(random), **wanted}
    scene = np.zeros(24)
    scene[0] = layout.door_travel if wanted.get("slider") == "left" else 0.0
    scene[1] = DRAWER_TRAVEL if wanted.get("drawer") == "open" else 0.0
    scene[3] = SWITCH_TRAVEL if wanted.get("lightbulb") else 0.0
    scene[4], scene[5] = float(bool(wanted.get("lightbulb"))), float(bool(wanted.get("led")))
    robot = START_ROBOT.copy()
    if arm_spread:
        _move_arm(robot, arm_spread, random)
    if wanted.get("grasped"):
        robot[6], robot[14] = HELD, CLOSED
    poses = _poses(task, wanted, layout, robot, random, vary_scene)
    for number, colour in enumerate(layout.order):
        scene[6 + 6 * number : 12 + 6 * number] = poses[colour]
    return robot, scene


def _fixtures(random: np.random.Generator) -> State:
    """Lights, door and drawer as they come."""
    return {name: STATES[name][int(random.integers(2))] for name in ("led", "lightbulb", "slider", "drawer")}


def _move_arm(robot: np.ndarray, spread: float, random: np.random.Generator) -> None:
    """Let the arm of a robot_obs start elsewhere, its gripper turned about the vertical."""
    position, turn = forward(HOME, ROBOT_BASE)
    position = position + spread * random.uniform(-np.array(ARM_SPREAD), ARM_SPREAD)
    turn = rotation((0.0, 0.0, spread * random.uniform(-YAW_SPREAD, YAW_SPREAD))) @ turn
    robot[7:14] = joints_near(HOME, position, turn, ROBOT_BASE)
    robot[:3] = position
    robot[3:6] = fixed_angles(turn)


def _places(wanted: State, random: np.random.Generator, vary: bool) -> dict[str, str]:
    """Where each block is; blocks that nothing is said of are on the table, or one on each side of the cabinet."""
    places = {colour: str(wanted[f"{colour}_block"]) for colour in COLOURS if f"{colour}_block" in wanted}
    free = [side for side in ("slider_left", "slider_right") if vary and side not in places.values()]
    for colour in COLOURS:
        if colour not in places:
            choice = int(random.integers(1 + len(free)))
            places[colour] = free.pop(choice - 1) if choice else "table"
    return {colour: places[colour] for colour in COLOURS}


def _poses(
    task: str, wanted: State, layout: Layout, robot: np.ndarray, random: np.random.Generator, vary: bool
) -> dict[str, np.ndarray]:
    """Pose (6,) of each block; blocks side by side keep apart, and those of the task have room for it."""
    door = layout.door_travel if wanted.get("slider") == "left" else 0.0
    for _ in range(TRIES):
        places = _places(wanted, random, vary)
        poses = {colour: _pose(place, layout, robot, random) for colour, place in places.items()}
        below = [poses[colour] for colour, place in places.items() if place == "stacked_bottom"]
        for colour, place in places.items():
            if place == "stacked_top":
                poses[colour] = below[0] + (0, 0, BLOCK_SIDE, 0, 0, 0)
        beside = [poses[colour][:3] for colour, place in places.items() if place != "stacked_top"]
        apart = all(np.linalg.norm(a - b) > APART for i, a in enumerate(beside) for b in beside[:i])
        if apart and _has_room(task, poses, layout, door):
            return poses
    raise RuntimeError("the blocks found no places apart from each other")


def _has_room(task: str, poses: dict[str, np.ndarray], layout: Layout, door: float) -> bool:
    """Whether the hand and what it moves find room; door: where its joint stands."""
    if task == "push_into_drawer":
        return all(
            abs(x - layout.drawer) < DRAWER_WIDTH / 2 and y < BEHIND_CLEAR
            for x, y, z in (pose[:3] for pose in poses.values())
            if y < 0 and z > BLOCK_Z - 0.01
        )
    verb, _, rest = task.partition("_")
    colour, _, side = rest.partition("_block_")
    if verb == "lift" and side == "slider":
        left, right = layout.opening(door)
        return left + BESIDE < poses[colour][0] < right - BESIDE
    if verb == "push":
        return _has_way(1 if side == "right" else -1, colour, poses, layout)
    return True


def _has_way(sign: int, colour: str, poses: dict[str, np.ndarray], layout: Layout) -> bool:
    """Whether a block to push stays on the table, and neither the button nor another block is in the way."""
    x, y, _ = poses[colour][:3]
    others = [(*poses[other][:2], AHEAD) for other in poses if other != colour]
    for other_x, other_y, ahead in (*others, (layout.button, -0.12, AHEAD + 0.025)):
        if abs(other_y - y) < LANE and -BEHIND < sign * (other_x - x) < ahead:
            return False
    # Next to the panel a block would count as touching that too, and would have to go on doing so.
    return bool(abs(x + 0.12 * sign) < TABLE_END and y < PANEL_CLEAR)


def _pose(place: str, layout: Layout, robot: np.ndarray, random: np.random.Generator) -> np.ndarray:
    yaw = random.uniform(pi / 2 - pi / 8, pi / 2 + pi / 8)
    if place == "grasped":  # between the fingers, its long side across them
        return np.array([*robot[:3], 0, 0, robot[5]])
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
