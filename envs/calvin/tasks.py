"""CALVIN's 34 tasks and the tests that tell when one is solved.

A test compares `info` at the start of a task with `info` now (`CalvinEnv.get_info`, or that of the official package).
The tests are those of CALVIN's oracle, its oddities included, which are named where they stand.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, TypeAlias

import numpy as np

from envs.errors import UserError

Info: TypeAlias = "dict[str, Any]"
Test: TypeAlias = Callable[[Info, Info], bool]

COLOURS = ("red", "blue", "pink")
MOVED = 0.1  # m; a push moves a block further, a rotation does not
TURNED = 60.0  # degrees about the vertical that a rotation takes
TILTED = 30.0  # degrees about the other axes at which a rotation does not count
SETTLED = 1.0  # m/s and rad/s; a stacked block is slower in every component


def _block(info: Info, name: str) -> Info:
    block: Info = info["scene_info"]["movable_objects"][name]
    return block


def _robot(info: Info) -> int:
    return int(info["robot_info"]["uid"])


def _touched(thing: Info) -> set[int]:
    """The bodies a thing is in contact with."""
    return {contact[2] for contact in thing["contacts"]}


def _touched_links(thing: Info) -> set[tuple[int, int]]:
    """The same, link by link."""
    return {(contact[2], contact[4]) for contact in thing["contacts"]}


def _table_link(info: Info, link: str) -> tuple[int, int]:
    table = info["scene_info"]["fixed_objects"]["table"]
    return table["uid"], table["links"][link]


def _matrix(quaternion: Iterable[float]) -> np.ndarray:
    x, y, z, w = np.asarray(list(quaternion), float) / np.linalg.norm(list(quaternion))
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )


def turn_between(start: Iterable[float], end: Iterable[float]) -> np.ndarray:
    """The rotation from one quaternion xyzw to another, as fixed-axis angles x, y, z in degrees."""
    turn = _matrix(end) @ _matrix(start).T
    y = np.arcsin(np.clip(-turn[2, 0], -1, 1))
    return np.degrees([np.arctan2(turn[2, 1], turn[2, 2]), y, np.arctan2(turn[1, 0], turn[0, 0])])


def _rotate(block: str, left: bool, start: Info, end: Info) -> bool:
    before, now = _block(start, block), _block(end, block)
    if not _touched(now) - {_robot(end)}:
        return False
    x, y, z = turn_between(before["current_orn"], now["current_orn"])
    moved = np.linalg.norm(np.subtract(now["current_pos"], before["current_pos"]))
    turned = TURNED < z < 180 if left else -180 < z < -TURNED
    return bool(turned and abs(x) < TILTED and abs(y) < TILTED and moved <= MOVED)


def _push(block: str, sign: int, start: Info, end: Info) -> bool:
    before, now = _block(start, block), _block(end, block)
    under = [
        {pair for pair in _touched_links(thing) if pair[0] != _robot(info)}
        for thing, info in ((before, start), (now, end))
    ]
    on_the_same = bool(under[0] and under[1] and under[0] <= under[1])
    return on_the_same and sign * (now["current_pos"][0] - before["current_pos"][0]) > MOVED


def _move(door: str, by: float, start: Info, end: Info) -> bool:
    before, now = (info["scene_info"]["doors"][door]["current_state"] for info in (start, end))
    return bool(now - before > by if by > 0 else now - before < by)


def _lift(block: str, link: str, height: float, start: Info, end: Info) -> bool:
    before, now = _block(start, block), _block(end, block)
    return (
        now["current_pos"][2] - before["current_pos"][2] > height
        and _touched(now) == {_robot(end)}
        and _table_link(start, link) in _touched_links(before)
    )


def _place(link: str, start: Info, end: Info) -> bool:
    held = _touched(start["robot_info"])
    if len(held) != 1:
        return False
    for name, before in start["scene_info"]["movable_objects"].items():
        if before["uid"] in held:
            now = _block(end, name)
            return (
                _touched(before) == {_robot(start)}
                and now["uid"] not in _touched(end["robot_info"])
                and _table_link(end, link) in _touched_links(now)
            )
    return False


def _is_settled(block: Info) -> bool:
    speeds = [*block["current_lin_vel"], *block["current_ang_vel"]]
    return bool(np.max(np.abs(speeds)) < SETTLED)


def _uids(info: Info) -> set[int]:
    return {block["uid"] for block in info["scene_info"]["movable_objects"].values()}


def _stack(start: Info, end: Info) -> bool:
    """A block that touched no block touches nothing but blocks, the gripper included, and has come to rest."""
    blocks = _uids(end)
    for name, before in start["scene_info"]["movable_objects"].items():
        now = _block(end, name)
        under = _touched(now)
        if not _touched(before) & blocks and under and under <= blocks and _is_settled(now):
            return True
    return False


def _unstack(start: Info, end: Info) -> bool:
    """A block that rested on nothing but blocks touches none of them."""
    blocks = _uids(start)
    for name, before in start["scene_info"]["movable_objects"].items():
        under = _touched(before)
        if under and under <= blocks and _is_settled(before) and not _touched(_block(end, name)) & blocks:
            return True
    return False


def _push_into(start: Info, end: Info) -> bool:
    """A block that touched the table's top alone touches the drawer.

    The oracle also means to ask that the robot has let go, but compares a body's id with pairs of ids there: it never
    asks. The same holds here.
    """
    top, drawer = _table_link(start, "base_link"), _table_link(end, "drawer_link")
    return any(
        _touched_links(before) == {top} and drawer in _touched_links(_block(end, name))
        for name, before in start["scene_info"]["movable_objects"].items()
    )


def _toggle(light: str, on: bool, start: Info, end: Info) -> bool:
    before, now = (info["scene_info"]["lights"][light]["logical_state"] for info in (start, end))
    return bool(before) != on and bool(now) == on


def _tests() -> dict[str, Test]:
    tests: dict[str, Test] = {}
    for colour in COLOURS:
        for side, left in (("right", False), ("left", True)):
            tests[f"rotate_{colour}_block_{side}"] = partial(_rotate, f"block_{colour}", left)
    for colour in COLOURS:
        for side, sign in (("right", 1), ("left", -1)):
            tests[f"push_{colour}_block_{side}"] = partial(_push, f"block_{colour}", sign)
    tests["move_slider_left"] = partial(_move, "base__slide", 0.15)
    tests["move_slider_right"] = partial(_move, "base__slide", -0.15)
    tests["open_drawer"] = partial(_move, "base__drawer", 0.12)
    tests["close_drawer"] = partial(_move, "base__drawer", -0.12)
    for colour in COLOURS:
        for place, link, height in (
            ("table", "base_link", 0.05),
            ("slider", "plank_link", 0.03),
            ("drawer", "drawer_link", 0.05),
        ):
            tests[f"lift_{colour}_block_{place}"] = partial(_lift, f"block_{colour}", link, height)
    tests["place_in_slider"] = partial(_place, "plank_link")
    tests["place_in_drawer"] = partial(_place, "drawer_link")
    tests["stack_block"] = _stack
    tests["unstack_block"] = _unstack
    for light in ("lightbulb", "led"):
        for word, on in (("on", True), ("off", False)):
            tests[f"turn_{word}_{light}"] = partial(_toggle, light, on)
    tests["push_into_drawer"] = _push_into
    return tests


_TESTS = _tests()
TASKS = tuple(_TESTS)  # in the order of CALVIN's own table, which its chains are drawn from


def check_task(name: str) -> str:
    """Return `name` if there is such a task; else UserError with those that look like it."""
    if name not in _TESTS:
        near = difflib.get_close_matches(str(name), TASKS, 3, 0.5) or ("open_drawer", "turn_on_led", "stack_block")
        raise UserError(f"task {name!r} is unknown; there are 34 such as {', '.join(near)}")
    return name


def is_solved(task: str, start: Info, end: Info) -> bool:
    """Whether `task` has been solved between two infos."""
    return _TESTS[check_task(task)](start, end)


def solved_tasks(start: Info, end: Info, tasks: Iterable[str] = TASKS) -> set[str]:
    """All of `tasks` that have been solved between two infos: CALVIN's `get_task_info`."""
    return {task for task in tasks if is_solved(task, start, end)}
