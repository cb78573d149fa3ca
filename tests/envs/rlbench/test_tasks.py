"""The built-in tasks: what solves them, where they are put, what they are called, and that one file is enough."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import envs.rlbench.tasks as tasks
from envs.errors import UserError
from envs.rlbench.builtin import BuiltinWorld, Theatre
from envs.rlbench.env import RLBenchEnv
from envs.rlbench.experts import Expert
from envs.rlbench.language import instruction_for, meaning_of, sentences_for
from envs.rlbench.sight import JointChange
from envs.rlbench.world import Command
from envs.tabletop.arm import OPEN

pytest.importorskip("pybullet", reason="the simulator (extra robots) is not installed")

ALL = tasks.task_names()
STAY = Command("delta", np.zeros(3), np.array([0, 0, 0, 1.0]), OPEN)
# Task -> its joint by variation, the change that is just too little, and that which is just enough.
JOINTS = {
    "close_box": (["box_joint"], 2.55, 2.65),
    "close_drawer": ([f"{name}_drawer_joint" for name in ("bottom", "middle", "top")], 0.05, 0.07),
    "close_fridge": (["top_joint"], np.radians(28), np.radians(32)),
    "close_laptop_lid": (["lid_joint"], 1.74, 1.84),
    "close_microwave": (["microwave_door_joint"], np.radians(38), np.radians(42)),
    "lamp_on": (["button_joint"], 0.002, 0.005),
    "open_drawer": ([f"{name}_drawer_joint" for name in ("bottom", "middle", "top")], 0.14, 0.16),
    "push_button": (["button_joint"] * 18, 0.002, 0.005),
    "toilet_seat_down": (["seat_joint"], 1.6, 1.75),
}


@pytest.fixture(scope="module")
def world() -> Iterator[BuiltinWorld]:
    world = BuiltinWorld({})
    yield world
    world.close()


def theatre_of(world: BuiltinWorld) -> Theatre:
    """What a world plays on."""
    theatre = world._theatre
    assert theatre is not None
    return theatre


def test_the_tasks_are_there() -> None:
    assert {*JOINTS, "reach_target"} <= set(ALL)
    counts = {name: tasks.task_named(name).variations for name in ALL}
    assert counts["push_button"] == 18 and counts["reach_target"] == 20
    assert counts["open_drawer"] == counts["close_drawer"] == 3
    assert all(counts[name] == 1 for name in ("close_microwave", "close_fridge", "close_box", "lamp_on"))


@pytest.mark.parametrize("name", sorted(JOINTS))
def test_a_change_of_the_joint_solves_it(world: BuiltinWorld, name: str) -> None:
    joints, little, enough = JOINTS[name]
    for variation in range(min(len(joints), 3)):
        joint = joints[variation]
        for change, solves in ((little, False), (enough, True)):
            world.reset(name, variation, np.random.default_rng(variation))
            theatre = theatre_of(world)
            begin = theatre.scene.joint(*theatre.joints[joint])
            theatre.set_joint(joint, begin - change if begin > change else begin + change)
            world._look(theatre)
            assert world.info()["success"] is solves, f"{joint} by {change:.3g}"


def test_only_the_drawer_that_was_asked_for_counts(world: BuiltinWorld) -> None:
    world.reset("open_drawer", 0, np.random.default_rng(0))
    theatre = theatre_of(world)
    theatre.set_joint("top_drawer_joint", 0.19)
    world._look(theatre)
    assert not world.info()["success"]
    theatre.set_joint("bottom_drawer_joint", 0.19)
    world._look(theatre)
    assert world.info()["success"]


def test_reaching_takes_the_right_target(world: BuiltinWorld) -> None:
    world.reset("reach_target", 4, np.random.default_rng(0))
    theatre = theatre_of(world)
    theatre.place("distractor_1", theatre.robot.tip.position)
    world._look(theatre)
    assert not world.info()["success"]
    theatre.place("target", theatre.robot.tip.position + (0, 0, 0.04))
    world._look(theatre)
    assert not world.info()["success"]
    theatre.place("target", theatre.robot.tip.position + (0, 0, 0.02))
    world._look(theatre)
    assert world.info()["success"]


def test_the_targets_are_apart_and_coloured(world: BuiltinWorld) -> None:
    for seed in range(5):
        world.reset("reach_target", None, np.random.default_rng(seed))
        places = world.states()["task_low_dim_state"].reshape(3, 7)[:, :3]
        assert min(np.linalg.norm(places[i] - places[j]) for i, j in ((0, 1), (0, 2), (1, 2))) >= 0.2
        tints = list(theatre_of(world)._tints.values())
        assert len(set(tints)) == 3


@pytest.mark.parametrize("name", ALL)
def test_it_stands_still_where_it_is_put(world: BuiltinWorld, name: str) -> None:
    task, seen = tasks.task_named(name), []
    for seed in range(2):
        world.reset(name, None, np.random.default_rng(seed))
        assert theatre_of(world).is_reachable(world.info()["variation"])
        before = world.states()["task_low_dim_state"]
        for _ in range(5):
            world.act(STAY)
        after = world.states()["task_low_dim_state"]
        assert np.allclose(before, after, atol=5e-3), "nothing moves by itself"
        assert not world.info()["success"]
        assert len(after) == world.state_size(name)
        if task.place is not None:
            x, y, z = after[:3]
            assert task.place.x[0] <= x <= task.place.x[1] and task.place.y[0] <= y <= task.place.y[1]
            assert z == pytest.approx(0.75)
        seen.append(after)
    assert not np.allclose(seen[0], seen[1], atol=1e-3), "another seed, another place"


def test_a_variation_keeps_the_place(world: BuiltinWorld) -> None:
    places = []
    for variation in (None, 3, 7):
        world.reset("push_button", variation, np.random.default_rng(5))
        places.append(world.states()["task_low_dim_state"])
    assert np.array_equal(places[0], places[1]) and np.array_equal(places[1], places[2])


@pytest.mark.parametrize("name", ALL)
def test_its_words(name: str) -> None:
    task = tasks.task_named(name)
    for variation, words in enumerate(task.words):
        assert len(words.own) >= 5 and len(words.held_out) >= 2
        texts = [words.protocol, *words.own, *words.held_out]
        assert len(set(texts)) == len(texts)
        for text in texts:
            assert text == text.strip() and "COLOUR" not in text and "WHICH" not in text
            assert meaning_of(text.upper()) == (name, (variation,)), text
        assert not set(sentences_for(name, variation)) & set(sentences_for(name, variation, held_out=True))
        assert instruction_for(name, variation) == words.protocol
        assert instruction_for(name, variation, np.random.default_rng(0)) in words.own
    assert meaning_of(name).task == name and len(meaning_of(name).variations) == task.variations


def test_unknown_tasks_and_variations(world: BuiltinWorld) -> None:
    with pytest.raises(UserError, match="task 'close_frige' is unknown; choose one of close_fridge"):
        world.reset("close_frige", None, np.random.default_rng(0))
    with pytest.raises(UserError, match="variation 1 is out of range; close_box has only variation 0"):
        world.reset("close_box", 1, np.random.default_rng(0))


NEW_TASK = """
from envs.rlbench.sight import JointChange, Thing, Hold
from envs.rlbench.task import Place, Task, Words
from envs.rlbench.tasks._buttons import button_cap, press
from envs.tabletop.solids import Link, between


class RingBell(Task):
    name = "ring_bell"
    place = Place(x=(0.2, 0.3), y=(-0.1, 0.1), yaw=0.5)
    words = (Words("ring the bell", ("let the bell ring",), ("press the bell",)),)

    def make(self):
        bell = Link("bell", (between((-0.05, -0.05, 0), (0.05, 0.05, 0.04), "brass"),))
        return [Thing("bell", (bell, button_cap("bell", (0, 0, 0.04), "bell_joint")), {"bell_joint": Hold(4.0, True)})]

    def conditions(self, variation):
        return [JointChange("bell_joint", 0.003)]

    def script(self, see):
        yield from press(see, "bell", (0, 0, 0.04), "bell_joint")


TASK = RingBell()
"""


def test_a_file_is_all_that_a_new_task_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ring_bell.py").write_text(NEW_TASK)
    (tmp_path / "_shared.py").write_text("")
    monkeypatch.setattr(tasks, "__path__", [*tasks.__path__, str(tmp_path)])
    assert set(tasks.task_names()) == {*ALL, "ring_bell"}
    assert meaning_of("Let the bell ring!") == ("ring_bell", (0,))
    env = RLBenchEnv(instruction="ring the bell", cameras=("front",), sizes=32, max_steps=150)
    observation, info = env.reset(seed=0)
    expert = Expert(info["task"], np.random.default_rng(0))
    over = False
    while not over:
        observation, reward, solved, truncated, info = env.step(expert.act(observation))
        over = solved or truncated
    assert reward == 1 and info["success"]
    env.close()


def test_conditions_go_by_change_in_either_direction() -> None:
    from envs.rlbench.sight import Sight

    things = tasks.task_named("close_microwave").things
    start, now = Sight(things), Sight(things)
    condition = JointChange("microwave_door_joint", 0.7)
    start.values[7] = 1.0
    for value, met in ((0.2, True), (0.35, False), (1.6, False), (1.8, True)):
        now.values[7] = value
        assert condition.met(start, now) is met
