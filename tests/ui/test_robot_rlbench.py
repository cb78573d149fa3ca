"""RLBench behind the robot's window: tasks with variations, the expert, steering as the camera shows it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import play
from envs.errors import UserError
from envs.rlbench.builtin import BuiltinWorld
from envs.tabletop.dataset import open_split
from tests.envs.rlbench.fake_rlbench import installed
from tests.robots import tiny_robot
from tests.ui.robot_fakes import RobotDriver, attend
from ui.messages import WARNING
from ui.options import rlbench_parser
from ui.robot_benchmark import MOVES
from ui.robot_rig import AFTERWARDS, AGENT, EXPERT, YOU
from ui.robot_rlbench import ROOM, RLBench, name_of, read_name
from ui.robot_session import RobotSession, Setup
from ui.robot_speeds import FASTEST
from ui.robot_start import agent_of, rlbench_setup, robot_session

pytest.importorskip("pybullet", reason="the simulator is an extra: pip install -e '.[robots]'")

Open = Callable[..., RobotSession]


@pytest.fixture
def opened() -> Iterator[Open]:
    sessions: list[RobotSession] = []

    def begin(task: str, actor: str = EXPERT, **options: Any) -> RobotSession:
        bench = RLBench()
        sessions.append(RobotSession(bench, Setup(ROOM, task, bench.sentence(task), actor, FASTEST, seed=3), **options))
        attend(sessions[-1], lambda: sessions[-1].now is not None)
        return sessions[-1]

    yield begin
    for session in sessions:
        session.close()


# What can be asked for


def test_every_variation_is_a_task_of_the_window() -> None:
    bench = RLBench()
    assert {"close_box", "open_drawer 0", "open_drawer 2", "reach_target 19"} <= set(bench.tasks)
    assert len(bench.tasks) == len(set(bench.tasks)) == len({bench.sentence(task) for task in bench.tasks})
    for task in bench.tasks:
        assert name_of(*read_name(task)) == task == bench.task_of(bench.sentence(task))
        assert not bench.why_no_expert(task)
    assert bench.task_of("Pull the middle drawer open") == "open_drawer 1" == bench.task_of("open the middle drawer")
    assert bench.why_no_expert(None)
    with pytest.raises(UserError, match="did you mean"):
        bench.task_of("open the middel drawers")


def test_the_expert_solves_a_variation(opened: Open) -> None:
    session = opened("push_button 4")
    attend(session, lambda: session.solved)
    assert session.now is not None and session.now.solved_after is not None and session.now.solved_after < 200
    session.toggle_pause()  # on from there: pressed once, it has to come up before it counts again
    attend(session, lambda: not session.loading)
    assert not session.solved


def test_an_expert_is_recorded_and_read_again(opened: Open, tmp_path: Path) -> None:
    session = opened("push_button 4")
    session.new_start()
    session.toggle_recording()
    assert session.folder is not None and session.folder.parts[-3:] == ("videoworld", "demonstrations", "rlbench")
    attend(session, lambda: session.solved and session.recorded is None)
    session.same_start()
    attend(session, lambda: (session.recorded or 0) > 4)
    session.close()
    assert session.farewell is not None and str(session.folder) in session.farewell
    split = open_split(session.folder)
    (first, last), (begin, end) = split.episodes.tolist()
    window = split.windows[0]
    assert (window.first, window.last, window.task, window.sentence) == (
        first, last, "push_button", "push the yellow button",
    )  # fmt: skip
    assert last - first > AFTERWARDS + 10 and end >= begin + 4 and len(split.windows) == 1
    frame = split.frame(first)
    assert frame["rgb_front"].shape == frame["rgb_wrist"].shape == (128, 128, 3)
    assert frame["rel_actions"].shape == (7,) and frame["robot_obs"].shape == (15,)
    assert np.abs(frame["rel_actions"][:3]).max() > 0


def test_another_instruction_sets_up_its_things(opened: Open) -> None:
    session = opened("push_button 4", YOU)
    session.instruct("close the fridge")
    attend(session, lambda: not session.loading)
    assert session.start.task == "close_fridge" and session.status.kind != WARNING
    session.instruct("open the top drawer", anew=False)
    attend(session, lambda: session.message is not None and session.message.kind == WARNING)
    assert session.start.task == "close_fridge" and "open_drawer 2 needs others" in session.status.text
    session.instruct("do something nice", anew=False)  # the things stay, and success cannot be told
    attend(session, lambda: not session.loading)
    assert session.start.task is None
    session.instruct("close fridge", anew=False)
    attend(session, lambda: not session.loading)
    assert session.start.task == "close_fridge"


def test_words_without_a_task_get_the_things_of_the_task_before() -> None:
    simulation = RLBench().open(ROOM, 64)
    simulation.reset("lamp_on", 1)
    simulation.reset(None, 2)
    assert simulation.world.info()["task"] == "lamp_on"
    simulation.close()


# Steering


def pixel(position: np.ndarray) -> np.ndarray:
    """Where the front camera shows a place: right and down, as shares of its picture's half, and how far away."""
    from envs.rlbench.room import _VIEWS

    eye, forward, _, fov = _VIEWS["front"]
    ahead = np.array(forward) / np.linalg.norm(forward)
    right = np.cross(ahead, [0, 0, 1.0])
    right /= np.linalg.norm(right)
    down = np.cross(ahead, right)
    to = position - np.array(eye)
    far = to @ ahead
    half = np.tan(np.radians(fov / 2)) * far
    return np.array([to @ right / half, to @ down / half, far])


@pytest.fixture(scope="module")
def world() -> Iterator[BuiltinWorld]:
    world = BuiltinWorld({})
    yield world
    world.close()


@pytest.mark.parametrize(
    ("move", "way"),
    [
        ("right", (1, 0, 0)), ("left", (-1, 0, 0)), ("up", (0, -1, 0)), ("down", (0, 1, 0)),
        ("away", (0, 0, 1)), ("near", (0, 0, -1)),
    ],
)  # fmt: skip
def test_the_hand_goes_where_the_picture_shows_it(world: BuiltinWorld, move: str, way: tuple[int, ...]) -> None:
    before, after = moved(world, move)
    change = pixel(after[0]) - pixel(before[0])
    along = np.array(way) * change
    assert along.sum() > 0.02, f"{move} goes another way: {change}"
    assert np.linalg.norm(after[1] - before[1]) < 0.05, "it does not turn"


@pytest.mark.parametrize(
    ("move", "axis", "sign"),
    [
        ("roll_right", 0, 1), ("roll_left", 0, -1), ("tilt_away", 2, 1), ("tilt_near", 2, -1),
    ],
)  # fmt: skip
def test_the_fingertips_swing_where_the_picture_shows_it(world: BuiltinWorld, move: str, axis: int, sign: int) -> None:
    before, after = moved(world, move)
    hand = after[0] - 0.1 * after[1][:, 2], before[0] - 0.1 * before[1][:, 2]  # 10 cm behind the fingertips
    swing = pixel(after[0]) - pixel(hand[0]) - (pixel(before[0]) - pixel(hand[1]))
    assert sign * swing[axis] > 0.01, f"{move} goes another way: {swing}"


def moved(world: BuiltinWorld, move: str) -> tuple[Any, Any]:
    """The tip's (place, matrix) before and after a held movement."""
    from envs.rlbench.actions import read_action

    world.reset("lamp_on", 0, np.random.default_rng(1))
    robot = world._playing().robot
    axis, sign = RLBench.moves[move]
    for _ in range(20):  # at home the arm is nearly as far out as it reaches
        world.act(read_action([0, 0, -0.5, 0, 0, 0, 1], "delta")[0])
    action = np.zeros(7)
    action[axis], action[6] = 0.5 * sign, 1
    before = robot.tip
    for _ in range(10):
        world.act(read_action(action, "delta")[0])
    return before, robot.tip


def test_all_movements_have_an_axis_and_opposites() -> None:
    assert set(RLBench.moves) == set(MOVES)
    assert sorted(RLBench.moves.values()) == sorted((axis, sign) for axis in range(6) for sign in (-1, 1))


def test_what_the_arm_cannot_do_is_said(opened: Open) -> None:
    simulation = RLBench().open(ROOM, 64)
    view = simulation.reset("close_box", 1)
    assert view.trouble is None and np.allclose(view.lead, 0, atol=0.01) and not view.closed
    assert view.opening == pytest.approx(0.08, abs=0.005) and view.pictures["wrist"].shape == (64, 64, 3)
    for _ in range(40):
        view = simulation.step(np.array([0, 0, -1, 0, 0, 0, -1], np.float32))
    assert view.trouble is not None and "something is in the way" in view.trouble and view.closed
    simulation.reset("close_box", 1)
    for _ in range(60):
        view = simulation.step(np.array([1, 0, 0, 0, 0, 0, 1], np.float32))
    assert view.trouble is not None and "out of the arm's reach" in view.trouble
    view = simulation.step(np.array([3, 0, 0, 0, 0, 0, 1], np.float32))
    assert view.trouble is not None and "outside" in view.trouble
    simulation.close()


# The window


def test_keys_pictures_and_the_list_of_tasks(opened: Open) -> None:
    session = opened("open_drawer 1")
    driver = RobotDriver(session)
    assert all(binding.action != "scene" for binding in driver.window.bindings)
    assert not any(button.action.startswith("scene") for button in driver.robot.panel.buttons)
    driver.key("p")
    assert session.paused
    driver.key("z")
    driver.until(lambda: not session.loading)
    assert session.now is not None and session.now.view.pictures["front"].shape == (256, 256, 3)
    driver.key("d")
    assert session.actor == YOU and not session.paused
    driver.up("d")
    driver.key("return")
    page = driver.robot.page
    assert (
        page is not None
        and len(page.lines) == len(RLBench.tasks)
        and page.lines[page.marked].label == "open middle drawer"
    )
    driver.type("push the yellow button")
    assert RLBench.tasks[page.marked] == "push_button 4"
    driver.picture()
    driver.key("return")
    driver.until(lambda: not session.loading)
    assert session.start.task == "push_button 4"
    driver.picture()
    driver.window.close()


def test_an_agent_acts_on_both_cameras(opened: Open, tmp_path: Path) -> None:
    folder = tiny_robot(tmp_path / "agent", world="rlbench")
    args = rlbench_parser().parse_args(["--checkpoint", str(folder)])
    load, _ = agent_of(args, 1)
    session = opened("push_button 0", AGENT, load_agent=load)
    attend(session, lambda: len(session.looks) > 2)
    assert session.looks[0].thought.frame.shape == (16, 24, 3) and session.looks[0].thought.imagined is not None


# Command lines


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["--task", "fly"], ["task 'fly' is unknown", "close_box"]),
        (["--task", "open_drawer", "--variation", "3"], ["open_drawer has variations 0 to 2"]),
        (["--instruction", "close box", "--variation", "0"], ["--variation 0 goes with --task"]),
        (["--instruction", "  "], ["the instruction is empty"]),
        (["--scene", "D"], ["--scene"]),
        (["--speed", "3"], ["there is no speed '3'", "4 or max"]),
        (["--checkpoint", "/nowhere"], ["there is no checkpoint in /nowhere", "--checkpoint FOLDER"]),
        (["--checkpoint", "assets/checkpoints/go9-small"], ["'go_agent' checkpoint, not a robot agent"]),
        (["--backend", "official"], ["rlbench"]),
        (["--ui", "terminal"], ["a window only", "python -m agents.rollout rlbench"]),
    ],
)
def test_mistakes_are_one_sentence(
    words: list[str], parts: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    assert play.main(["rlbench", *words]) == 2
    out, err = capsys.readouterr()
    assert not out and err.startswith("play.py: ") and err.count("\n") == 1
    assert all(part in err for part in parts), err


def test_what_the_command_line_asks_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def setup(*words: str, seed: int = 7) -> Setup:
        return rlbench_setup(rlbench_parser().parse_args(words), seed)[1]

    assert (setup().task, setup().instruction) == ("close_microwave", "close microwave")
    assert setup("--task", "open_drawer", "--variation", "2").instruction == "open top drawer"
    assert len({setup("--task", "open_drawer", seed=seed).task for seed in range(20)}) == 3
    assert setup("--instruction", "shut the box now").task is None
    assert setup("--instruction", "Close Box").task == "close_box"
    monkeypatch.setattr("ui.robot_start.ROBOT_CHECKPOINTS", {"rlbench": tmp_path / "assets/checkpoints/robots-small"})
    load, why = agent_of(rlbench_parser().parse_args([]), 1)
    assert load is None and "There is no agent in assets/checkpoints/robots-small: train one (python -m train" in why


def test_without_a_checkpoint_the_expert_acts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("ui.robot_start.ROBOT_CHECKPOINTS", {"rlbench": tmp_path})
    session = robot_session(rlbench_parser().parse_args(["--task", "lamp_on", "--speed", "max"]), 1)
    assert session.actor == EXPERT and "There is no agent" in session.status.text
    attend(session, lambda: session.steps > 3)
    session.close()


# The official package, on its stand-ins


@pytest.fixture
def sim(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Any]:
    (tmp_path / "sim").mkdir()
    with installed(monkeypatch, tmp_path / "sim") as module:
        yield module


def test_a_simulator_that_dies_is_told_and_started_again(sim: Any) -> None:
    bench = RLBench("official")
    assert bench.sizes == (128,) and "built-in models" in bench.why_no_expert("close_microwave")
    session = RobotSession(bench, Setup(ROOM, "close_microwave", "close microwave", YOU, FASTEST))
    attend(session, lambda: session.steps > 2)
    sim.crash_in.add("step")
    attend(session, lambda: session.paused)
    assert session.status.kind == WARNING and "CoppeliaSim failed to step" in session.status.text
    sim.crash_in.clear()
    session.new_start()
    attend(session, lambda: not session.loading)
    session.toggle_pause()
    attend(session, lambda: session.steps > 2)
    session.close()
    assert sim.running == 0
