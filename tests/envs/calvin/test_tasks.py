"""The tests of success, on infos made by hand: each has a case that just counts and one that just does not."""

from __future__ import annotations

import copy
import itertools
from typing import Any

import numpy as np
import pytest

from envs.calvin.actions import read_action
from envs.calvin.env import make_world
from envs.calvin.experts import Expert
from envs.calvin.layouts import layout
from envs.calvin.starts import start_for
from envs.calvin.tasks import COLOURS, TASKS, Info, check_task, is_solved, solved_tasks, turn_between
from envs.errors import UserError

ROBOT, TABLE = 0, 5
UIDS = {"block_red": 2, "block_blue": 3, "block_pink": 4}
LINKS = {"button_link": 0, "switch_link": 1, "slide_link": 2, "drawer_link": 3, "plank_link": 6, "base_link": -1}
ON_TABLE, IN_CABINET, IN_DRAWER, HELD = (TABLE, -1), (TABLE, 6), (TABLE, 3), (ROBOT, 10)


def touching(*pairs: tuple[int, int]) -> list[tuple[int, ...]]:
    """Contacts as PyBullet lists them: the other body stands third, its link fifth."""
    return [(0, 99, body, -1, link) for body, link in pairs]


def yaw(degrees: float) -> tuple[float, float, float, float]:
    half = np.radians(degrees) / 2
    return (0.0, 0.0, float(np.sin(half)), float(np.cos(half)))


def at_rest() -> Info:
    """All blocks on the table, everything closed and dark."""
    block: dict[str, Any] = {
        "current_pos": (0.1, -0.1, 0.46), "current_orn": yaw(0), "current_lin_vel": (0, 0, 0),
        "current_ang_vel": (0, 0, 0), "contacts": touching(ON_TABLE),
    }  # fmt: skip
    return {
        "robot_info": {"uid": ROBOT, "contacts": []},
        "scene_info": {
            "fixed_objects": {"table": {"uid": TABLE, "links": LINKS}},
            "movable_objects": {name: {**copy.deepcopy(block), "uid": uid} for name, uid in UIDS.items()},
            "doors": {"base__slide": {"current_state": 0.1}, "base__drawer": {"current_state": 0.1}},
            "lights": {"lightbulb": {"logical_state": 0}, "led": {"logical_state": 0}},
        },
    }


def red(**changes: Any) -> Info:
    info = at_rest()
    info["scene_info"]["movable_objects"]["block_red"].update(changes)
    return info


def held(colour: str = "red") -> Info:
    info = at_rest()
    info["scene_info"]["movable_objects"][f"block_{colour}"]["contacts"] = touching(HELD)
    info["robot_info"]["contacts"] = touching((UIDS[f"block_{colour}"], -1))
    return info


def fixture(kind: str, name: str, key: str, value: float) -> Info:
    info = at_rest()
    info["scene_info"][kind][name][key] = value
    return info


def test_there_are_34_tasks_and_nothing_is_solved_by_standing_still() -> None:
    assert len(TASKS) == 34
    for info in (at_rest(), held()):
        assert solved_tasks(info, info) == set()


@pytest.mark.parametrize(("degrees", "task"), [
    (61, "rotate_red_block_left"), (59, None), (179, "rotate_red_block_left"),
    (-61, "rotate_red_block_right"), (-59, None), (181, "rotate_red_block_right"),
])  # fmt: skip
def test_rotating(degrees: float, task: str | None) -> None:
    end = red(current_orn=yaw(degrees))
    assert solved_tasks(at_rest(), end) == ({task} if task else set())


def test_a_rotation_needs_a_place_and_a_support() -> None:
    task = "rotate_red_block_left"
    assert is_solved(task, at_rest(), red(current_orn=yaw(70), current_pos=(0.19, -0.1, 0.46)))
    assert not is_solved(task, at_rest(), red(current_orn=yaw(70), current_pos=(0.21, -0.1, 0.46)))
    assert not is_solved(task, at_rest(), red(current_orn=yaw(70), contacts=touching(HELD)))
    assert is_solved(task, at_rest(), red(current_orn=yaw(70), contacts=touching(HELD, (3, -1))))
    tilted = np.array([np.sin(np.radians(20)), 0, 0, np.cos(np.radians(20))])
    assert not is_solved(task, red(current_orn=yaw(0)), red(current_orn=multiply(yaw(70), tilted)))


def multiply(a: Any, b: Any) -> np.ndarray:
    (x1, y1, z1, w1), (x2, y2, z2, w2) = a, b
    return np.array([
        w1 * x2 + x1 * w2 + y1 * z2 - z1 * y2, w1 * y2 - x1 * z2 + y1 * w2 + z1 * x2,
        w1 * z2 + x1 * y2 - y1 * x2 + z1 * w2, w1 * w2 - x1 * x2 - y1 * y2 - z1 * z2,
    ])  # fmt: skip


def test_turns_are_fixed_axis_angles() -> None:
    rotation = pytest.importorskip("scipy.spatial.transform", reason="the reference for angles").Rotation
    random = np.random.default_rng(0)
    for _ in range(50):
        start, end = (q / np.linalg.norm(q) for q in random.normal(size=(2, 4)))
        wanted = (rotation.from_quat(end) * rotation.from_quat(start).inv()).as_euler("xyz", degrees=True)
        assert turn_between(start, end) == pytest.approx(wanted, abs=1e-6)


@pytest.mark.parametrize(("x", "task"), [(0.201, "right"), (0.199, None), (-0.001, "left"), (0.001, None)])
def test_pushing(x: float, task: str | None) -> None:
    end = red(current_pos=(x, -0.1, 0.46), contacts=touching(ON_TABLE, HELD))
    assert solved_tasks(at_rest(), end) == ({f"push_red_block_{task}"} if task else set())


def test_a_pushed_block_stays_where_it_rested() -> None:
    far: dict[str, Any] = {"current_pos": (0.25, -0.1, 0.46)}
    task = "push_red_block_right"
    assert is_solved(task, at_rest(), red(**far, contacts=touching(ON_TABLE, (TABLE, 2)))), "it may touch more"
    assert not is_solved(task, at_rest(), red(**far, contacts=touching(HELD)))
    assert not is_solved(task, at_rest(), red(**far, contacts=touching(IN_DRAWER)))
    assert not is_solved(task, red(contacts=[]), red(**far))


@pytest.mark.parametrize(("door", "value", "task"), [
    ("base__slide", 0.251, "move_slider_left"), ("base__slide", 0.249, None),
    ("base__slide", -0.051, "move_slider_right"), ("base__slide", -0.049, None),
    ("base__drawer", 0.221, "open_drawer"), ("base__drawer", 0.219, None),
    ("base__drawer", -0.021, "close_drawer"), ("base__drawer", -0.019, None),
])  # fmt: skip
def test_doors(door: str, value: float, task: str | None) -> None:
    end = fixture("doors", door, "current_state", value)
    assert solved_tasks(at_rest(), end) == ({task} if task else set())


@pytest.mark.parametrize(("place", "support", "height"), [
    ("table", ON_TABLE, 0.05), ("slider", IN_CABINET, 0.03), ("drawer", IN_DRAWER, 0.05),
])  # fmt: skip
def test_lifting(place: str, support: tuple[int, int], height: float) -> None:
    start = red(contacts=touching(support))
    up = {"current_pos": (0.1, -0.1, 0.46 + height + 0.001), "contacts": touching(HELD)}
    assert solved_tasks(start, red(**up)) == {f"lift_red_block_{place}"}
    assert solved_tasks(start, red(**{**up, "current_pos": (0.1, -0.1, 0.46 + height - 0.001)})) == set()
    assert solved_tasks(start, red(**{**up, "contacts": touching(HELD, (3, -1))})) == set()
    assert solved_tasks(start, red(**{**up, "contacts": []})) == set()


@pytest.mark.parametrize(("task", "link"), [("place_in_slider", IN_CABINET), ("place_in_drawer", IN_DRAWER)])
def test_placing(task: str, link: tuple[int, int]) -> None:
    placed = red(contacts=touching(link))
    assert solved_tasks(held(), placed) == {task}
    assert not is_solved(task, at_rest(), placed), "it was not held"
    kept = held()
    kept["scene_info"]["movable_objects"]["block_red"]["contacts"] += touching(link)
    assert not is_solved(task, held(), kept), "it is not let go"
    assert not is_solved(task, held(), red(contacts=touching(ON_TABLE)))
    scraping = held()
    scraping["scene_info"]["movable_objects"]["block_red"]["contacts"] += touching(ON_TABLE)
    assert not is_solved(task, scraping, placed)
    leaning = held()
    leaning["robot_info"]["contacts"] += touching((TABLE, -1))
    assert not is_solved(task, leaning, placed)


def test_stacking_and_unstacking() -> None:
    stacked = red(contacts=touching((UIDS["block_blue"], -1)))
    assert solved_tasks(held(), stacked) == {"stack_block"}
    assert not is_solved("stack_block", held(), red(contacts=touching((3, -1), HELD))), "the gripper has not let go"
    assert not is_solved("stack_block", held(), red(contacts=touching((3, -1)), current_ang_vel=(0, -1.5, 0)))
    assert solved_tasks(stacked, at_rest()) == {"unstack_block"}
    assert not is_solved("unstack_block", stacked, stacked)
    assert not is_solved("unstack_block", red(contacts=touching((3, -1), ON_TABLE)), at_rest()), "it only leaned there"


def test_pushing_into_the_drawer() -> None:
    inside = red(contacts=touching(IN_DRAWER))
    assert solved_tasks(at_rest(), inside) == {"push_into_drawer"}
    assert not is_solved("push_into_drawer", red(contacts=touching(ON_TABLE, (3, -1))), inside)
    assert is_solved("push_into_drawer", at_rest(), red(contacts=touching(IN_DRAWER, HELD))), "as in CALVIN's oracle"


@pytest.mark.parametrize("light", ["lightbulb", "led"])
def test_lights(light: str) -> None:
    lit = fixture("lights", light, "logical_state", 1)
    assert solved_tasks(at_rest(), lit) == {f"turn_on_{light}"}
    assert solved_tasks(lit, at_rest()) == {f"turn_off_{light}"}
    assert solved_tasks(lit, lit) == set()


def test_unknown_tasks_are_named() -> None:
    with pytest.raises(UserError, match="task 'open_the_drawer' is unknown; there are 34 such as open_drawer"):
        check_task("open_the_drawer")
    with pytest.raises(UserError, match="task 'juggle' is unknown"):
        is_solved("juggle", at_rest(), at_rest())


def test_the_official_oracle_agrees() -> None:
    """On random infos: blocks anywhere in contact with anything, fixtures anywhere."""
    reference = pytest.importorskip("calvin_env.envs.tasks", reason="the official package calvin_env is not installed")
    oracle = reference.Tasks(official_table())
    random = np.random.default_rng(0)
    infos = [random_info(random) for _ in range(400)]
    verdicts = [
        (oracle.get_task_info(start, end), solved_tasks(start, end))
        for start, end in zip(infos[:-1], infos[1:], strict=True)
    ]
    assert sum(len(theirs) for theirs, _ in verdicts) > 200
    assert np.mean([theirs == ours for theirs, ours in verdicts]) >= 0.99


@pytest.mark.slow
def test_the_official_oracle_agrees_on_demonstrations() -> None:
    """What experts of all tasks do, judged between any two of its moments a third of a second apart or more."""
    reference = pytest.importorskip("calvin_env.envs.tasks", reason="the official package calvin_env is not installed")
    oracle, solved, pairs = reference.Tasks(official_table()), set[str](), 0
    world, plan = make_world("builtin", "D", {"static": (8, 8)}, "fast", None), layout("D")
    for task in TASKS:
        random = np.random.default_rng([7, TASKS.index(task)])
        robot, scene = start_for(task, plan, random, arm_spread=1.0)
        world.reset_to(robot, scene)
        expert, infos = Expert(task, plan, random), [world.info()]
        for step in range(300):
            world.act(read_action(expert.act(*world.states()), "relative"))
            if step % 10 == 9 or expert.finished:
                infos.append(world.info())
            if expert.finished:
                break
        for start, end in itertools.combinations(infos, 2):
            theirs = oracle.get_task_info(start, end)
            assert theirs == solved_tasks(start, end)
            solved, pairs = solved | theirs, pairs + 1
    world.close()
    assert len(solved) >= 30 and pairs > 1000


def official_table() -> dict[str, list[Any]]:
    """The table of tasks the oracle is configured with."""
    table: dict[str, list[Any]] = {}
    for colour in COLOURS:
        block = f"block_{colour}"
        table[f"rotate_{colour}_block_right"] = ["rotate_object", block, -60]
        table[f"rotate_{colour}_block_left"] = ["rotate_object", block, 60]
        table[f"push_{colour}_block_right"] = ["push_object", block, 0.1, 0]
        table[f"push_{colour}_block_left"] = ["push_object", block, -0.1, 0]
        table[f"lift_{colour}_block_table"] = ["lift_object", block, 0.05, "table", "base_link"]
        table[f"lift_{colour}_block_slider"] = ["lift_object", block, 0.03, "table", "plank_link"]
        table[f"lift_{colour}_block_drawer"] = ["lift_object", block, 0.05, "table", "drawer_link"]
    table |= {
        "move_slider_left": ["move_door_rel", "base__slide", 0.15],
        "move_slider_right": ["move_door_rel", "base__slide", -0.15],
        "open_drawer": ["move_door_rel", "base__drawer", 0.12],
        "close_drawer": ["move_door_rel", "base__drawer", -0.12],
        "place_in_slider": ["place_object", "table", "plank_link"],
        "place_in_drawer": ["place_object", "table", "drawer_link"],
        "push_into_drawer": ["push_object_into", list(UIDS), "table", "base_link", "table", "drawer_link"],
        "stack_block": ["stack_objects"],
        "unstack_block": ["unstack_objects"],
    }
    for light in ("lightbulb", "led"):
        table[f"turn_on_{light}"] = ["toggle_light", light, 0, 1]
        table[f"turn_off_{light}"] = ["toggle_light", light, 1, 0]
    return table


def random_info(random: np.random.Generator) -> Info:
    """Anything, with the cases that tasks ask for drawn often."""
    info = at_rest()
    supports = [ON_TABLE, IN_CABINET, IN_DRAWER, HELD, (2, -1), (3, -1), (4, -1)]
    robot: list[tuple[int, int]] = []
    for name, block in info["scene_info"]["movable_objects"].items():
        chosen = random.choice(len(supports), int(random.integers(1, 3)), replace=False)
        pairs = [supports[i] for i in chosen if supports[i][0] != UIDS[name]]
        robot += [(UIDS[name], -1)] if HELD in pairs else []
        block.update(
            current_pos=tuple(random.uniform((-0.1, -0.12, 0.4), (0.25, -0.08, 0.6))),
            current_orn=multiply(yaw(random.uniform(-180, 180)), yaw(0)),
            current_lin_vel=tuple(random.normal(0, 0.5, 3)),
            contacts=touching(*pairs),
        )
    info["robot_info"]["contacts"] = touching(*robot)
    for door in info["scene_info"]["doors"].values():
        door["current_state"] = random.uniform(0, 0.28)
    for light in info["scene_info"]["lights"].values():
        light["logical_state"] = int(random.integers(2))
    return info
