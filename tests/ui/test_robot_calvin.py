"""CALVIN behind the robot's window: the expert's work recorded, read again; steering; bad command lines."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import play
from envs.errors import UserError
from envs.tabletop.dataset import open_split
from tests.robots import tiny_robot
from tests.ui.robot_fakes import attend
from ui.options import calvin_parser
from ui.robot_benchmark import View
from ui.robot_calvin import Calvin
from ui.robot_rig import AFTERWARDS, EXPERT, YOU
from ui.robot_session import RobotSession, Setup
from ui.robot_speeds import FASTEST
from ui.robot_start import agent_of, calvin_setup

pytest.importorskip("pybullet", reason="the simulator is an extra: pip install -e '.[robots]'")


def session_of(task: str, actor: str = EXPERT, record: Path | None = None) -> RobotSession:
    bench = Calvin()
    setup = Setup("D", task, bench.sentence(task), actor, FASTEST, record, seed=3)
    session = RobotSession(bench, setup)
    attend(session, lambda: session.now is not None)
    return session


def test_an_expert_is_recorded_and_read_again(tmp_path: Path) -> None:
    session = session_of("open_drawer", record=tmp_path)
    attend(session, lambda: session.solved and session.recorded is None)
    solved = session.now.solved_after if session.now is not None else 0
    session.let_act(YOU)
    session.new_start()
    attend(session, lambda: (session.recorded or 0) > 4)
    session.close()
    assert session.farewell is not None and str(tmp_path) in session.farewell
    split = open_split(tmp_path)
    (first, last), (begin, end) = split.episodes.tolist()
    assert last - first == solved + AFTERWARDS and end >= begin + 4
    window = split.windows[0]
    assert len(split.windows) == 1 and (window.first, window.last, window.task) == (first, last, "open_drawer")
    assert window.sentence == Calvin().sentence("open_drawer")
    frame = split.frame(first)
    assert frame["rgb_static"].shape == (200, 200, 3) and frame["rel_actions"].shape == (7,)


def test_steering_moves_the_hand_as_the_keys_say() -> None:
    session = session_of("open_drawer", YOU)
    assert session.now is not None
    before = session.now.view.observation["robot_obs"].copy()
    session.steer((1.0, 0, 1.0, 0, 0, 0))
    session.toggle_gripper()
    attend(session, lambda: session.steps >= 15)
    after = session.now.view.observation["robot_obs"]
    moved = after[:3] - before[:3]
    # However many steps it was: the further it goes, the more it strays
    assert moved[0] > 0.02 and moved[2] > 0.02 and abs(moved[1]) < max(0.01, 0.1 * moved[0])
    assert session.now.view.closed and np.abs(session.now.view.lead[:3]).max() < 0.05
    session.close()


def test_what_the_arm_cannot_do_is_said() -> None:
    simulation = Calvin().open("D", 200)
    view = simulation.reset("open_drawer", 1)
    for _ in range(50):
        view = simulation.step(np.array([1, 0, 0, 0, 0, 0, 1], np.float32))
    assert view.trouble is not None and "the arm cannot reach" in view.trouble
    view = simulation.reset("open_drawer", 1)
    assert view.trouble is None and np.allclose(view.lead, 0)
    view = simulation.step(np.array([3, 0, 0, 0, 0, 0, 1], np.float32))
    assert view.trouble is not None and "outside" in view.trouble
    for _ in range(25):
        view = simulation.step(np.array([0, 0, -1, 0, 0, 0, 1], np.float32))
    assert view.trouble is not None and "something is in the way" in view.trouble
    simulation.close()


def test_without_a_task_there_is_a_start_and_no_expert() -> None:
    bench = Calvin()
    simulation = bench.open("B", 200)
    view = simulation.reset(None, 1)
    assert isinstance(view, View) and view.pictures["static"].shape == (200, 200, 3)
    assert not simulation.go_on(None).solved
    assert bench.why_no_expert(None) and bench.why_no_expert("nonsense") and not bench.why_no_expert("open_drawer")
    simulation.close()


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["--task", "fly"], ["fly"]),
        (["--instruction", "  "], ["the instruction is empty"]),
        (["--task", "open_drawer", "--instruction", "open it"], ["--instruction", "--task"]),
        (["--scene", "E"], ["scene 'E' is unknown", "A, B, C, D"]),
        (["--speed", "3"], ["there is no speed '3'", "4 or max"]),
        (["--seed", "-1"], ["--seed", "-1"]),
        (["--temperature", "-1"], ["--temperature"]),
        (["--assets", "/nowhere"], ["assets folder /nowhere is not there"]),
        (["--checkpoint", "/nowhere"], ["there is no checkpoint in /nowhere", "--checkpoint FOLDER"]),
        (["--checkpoint", "assets/checkpoints/go9-small"], ["'go_agent' checkpoint, not a robot agent"]),
        (["--backend", "gazebo"], ["--backend", "gazebo"]),
        (["--ui", "terminal"], ["a window only", "python -m agents.rollout calvin"]),
    ],
)
def test_mistakes_are_one_sentence(
    words: list[str], parts: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    assert play.main(["calvin", *words]) == 2
    out, err = capsys.readouterr()
    assert not out and err.startswith("play.py: ") and err.count("\n") == 1
    assert all(part in err for part in parts), err


def test_no_display_names_the_other_way(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    assert play.main(["calvin"]) == 2
    assert "there is no display" in (err := capsys.readouterr().err) and "agents.rollout calvin" in err


def test_a_missing_simulator_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    monkeypatch.setitem(__import__("sys").modules, "pybullet", None)
    assert play.main(["calvin"]) == 2
    assert "pip install 'videoworld-agents[robots]'" in capsys.readouterr().err


def test_a_folder_that_cannot_be_recorded_into(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    (tmp_path / "file").write_text("")
    assert play.main(["calvin", "--record", str(tmp_path / "file")]) == 2
    assert "cannot write to" in capsys.readouterr().err


def test_what_the_command_line_asks_for(tmp_path: Path) -> None:
    folder = tiny_robot(tmp_path / "agent")
    args = calvin_parser().parse_args(
        ["--instruction", "Open the drawer", "--checkpoint", str(folder), "--speed", "max"]
    )
    _, setup = calvin_setup(args, 7)
    assert (setup.task, setup.instruction, setup.speed, setup.seed) == ("open_drawer", "Open the drawer", FASTEST, 7)
    load, _ = agent_of(args, 7)
    assert load is not None and load().replan == 3
    args.replan = 9
    with pytest.raises(UserError, match="--replan is 9: this agent plans 3 actions"):
        agent_of(args, 7)
    args = calvin_parser().parse_args(["--instruction", "dance"])
    assert calvin_setup(args, 7)[1].task is None


def test_without_a_checkpoint_the_way_to_one_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = tmp_path / "assets" / "checkpoints" / "calvin-small"
    monkeypatch.setattr("ui.robot_start.ROBOT_CHECKPOINTS", {"calvin": folder})
    load, why = agent_of(calvin_parser().parse_args([]), 1)
    assert load is None and "python -m train experiment=calvin-small" in why and "--checkpoint FOLDER" in why
