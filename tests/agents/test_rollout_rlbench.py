"""RLBench's episodes: starts and variations, sentences, the world as `RLBenchEnv` has it, simulators that fail."""

from __future__ import annotations

import importlib
import json
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agents.rollout import main
from agents.rollout_results import read_results
from agents.rollout_rlbench import PUBLISHED, STEPS, RLBenchBenchmark, RLBenchSimulation
from envs.errors import UserError
from envs.rlbench.env import RLBenchEnv
from envs.rlbench.experts import Expert
from envs.rlbench.language import instruction_for, sentences_for
from envs.rlbench.tasks import task_names
from tests.envs.rlbench.fake_rlbench import installed
from tests.robots import tiny_robot

ALONE = ["--workers", "0", "--steps", "4"]


@pytest.fixture(scope="module")
def robot(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tiny_robot(tmp_path_factory.mktemp("robot") / "tiny", world="rlbench"))


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def ends(out: str) -> dict[str, tuple[Any, ...]]:
    results = read_results(Path(out) / "episodes.jsonl")
    return {key: (r.solved, r.steps, r.sentences, r.start, r.reason) for key, r in results.items()}


# Episodes


def test_all_tasks_with_starts_and_variations_of_their_own() -> None:
    episodes = RLBenchBenchmark(task_names(), count=25).episodes()
    assert len(episodes) == len({episode.key for episode in episodes}) == 25 * len(task_names())
    assert len({episode.seed for episode in episodes}) == len({json.dumps(e.start) for e in episodes}) == len(episodes)
    for episode in episodes:
        task, variation = episode.start["task"], episode.start["variation"]
        assert episode.tasks == (task,) and episode.sentences == (instruction_for(task, variation),)
    drawn = {e.start["variation"] for e in episodes if e.tasks == ("open_drawer",)}
    assert drawn == {0, 1, 2}


def test_an_episode_does_not_depend_on_the_others() -> None:
    some = RLBenchBenchmark(("push_button", "close_box"), count=2, language="own").episodes()
    more = RLBenchBenchmark(("close_box", "lamp_on", "push_button"), count=5, language="own").episodes()
    by_key = {episode.key: episode for episode in more}
    assert all(by_key[episode.key] == episode for episode in some)
    other = RLBenchBenchmark(("close_box",), count=2, seed=1).episodes()
    assert all(one.start != by_key[one.key].start and one.seed != by_key[one.key].seed for one in other)


def test_a_variation_for_all_has_the_starts_of_drawn_ones() -> None:
    drawn = RLBenchBenchmark(("push_button",), count=3).episodes()
    given = RLBenchBenchmark(("push_button",), count=3, variation=4).episodes()
    assert {episode.sentences for episode in given} == {("push the yellow button",)}
    assert [{**episode.start, "variation": 4} for episode in drawn] == [episode.start for episode in given]


@pytest.mark.parametrize("language", ["own", "held-out"])
def test_sentences(language: str) -> None:
    episodes = RLBenchBenchmark(("open_drawer",), 60, variation=1, language=language).episodes()
    said = {sentence for episode in episodes for sentence in episode.sentences}
    assert said == set(sentences_for("open_drawer", 1, held_out=language == "held-out"))


def test_the_papers_figures_are_said_to_be_of_rlbench_itself() -> None:
    benchmark = RLBenchBenchmark(("close_fridge", "lamp_on"))
    assert benchmark.published is PUBLISHED and PUBLISHED["VideoWorld"]["close_fridge"] == 62.5
    assert "RLBench itself" in benchmark.source and benchmark.group("lamp_on") == "lamp_on"
    assert RLBenchBenchmark(("lamp_on",)).published == {}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--tasks", "open_fridge"], "task 'open_fridge' is unknown; choose one of close_fridge"),
        (["--tasks", ","], "--tasks ',' names none; give names such as close_microwave,close_fridge"),
        (
            ["--tasks", "open_drawer", "--variation", "3"],
            "variation 3 is out of range; open_drawer has variations 0 to 2",
        ),
        (["--variation", "1"], "has only variation 0"),
        (["--language", "klingon"], "invalid choice: 'klingon'"),
        (["--backend", "gazebo"], "invalid choice: 'gazebo'"),
        (["--backend", "official", "--language", "own", "--tasks", "stack_wine"], "task 'stack_wine' is unknown"),
        (["--episodes", "0"], "--episodes is 0; give 1 or more"),
        (["--checkpoint", "nowhere"], "there is no checkpoint folder nowhere"),
    ],
)
def test_mistakes_of_the_command_line(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rlbench", "--checkpoint", "x", *words]) == 2
    captured = capsys.readouterr()
    assert said in captured.err and len(captured.err.strip().splitlines()) == 1 and captured.out == ""


def test_an_agent_that_is_not_there_or_knows_another_world(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("agents.rollout.CHECKPOINTS", tmp_path)
    assert main(["rlbench"]) == 2
    assert "there is no agent in assets/checkpoints/robots-small; train one" in capsys.readouterr().err
    assert main(["rlbench", "--checkpoint", str(tiny_robot(tmp_path / "other"))]) == 2
    assert "knows calvin, not rlbench" in capsys.readouterr().err


# The built-in world


@pytest.fixture
def simulation() -> Iterator[RLBenchSimulation]:
    pytest.importorskip("pybullet", reason="the simulator (extra robots) is not installed")
    simulation = pickle.loads(pickle.dumps(RLBenchBenchmark(("push_button",), 1))).open()
    yield simulation
    simulation.close()


def follow_expert(simulation: RLBenchSimulation, start: dict[str, Any]) -> list[np.ndarray]:
    """The tip's poses on the way to success."""
    simulation.reset(start)
    simulation.begin(start["task"])
    expert = Expert(start["task"], np.random.default_rng(0), variation=start["variation"])
    poses, solved = [], False
    while not solved and len(poses) < STEPS:
        solved = simulation.step(expert.act(simulation.world.states()))
        poses.append(simulation.world.states()["gripper_pose"])
    assert solved and not simulation.failed
    return poses


def test_it_is_the_environment_without_its_pictures(simulation: RLBenchSimulation) -> None:
    """The same states, pictures and verdicts, whether pictures are looked at or not."""
    episode = RLBenchBenchmark(("push_button",), 1).episodes()[0]
    poses = follow_expert(simulation, dict(episode.start))
    env = RLBenchEnv(task="push_button")
    env.reset(seed=0)
    env.world.reset("push_button", episode.start["variation"], np.random.default_rng(episode.start["drawn"]))
    expert = Expert("push_button", np.random.default_rng(0), variation=episode.start["variation"])
    for number, pose in enumerate(poses, 1):
        observation, reward, _, _, _ = env.step(expert.act(env.world.states()))
        assert np.array_equal(observation["gripper_pose"], pose) and reward == (number == len(poses))
    seen = simulation.pictures()
    assert set(seen) == {"front", "wrist"} and len(seen) == 2 and seen["front"].shape == (128, 128, 3)
    assert all(np.array_equal(seen[name], observation[f"{name}_rgb"]) for name in seen)
    assert simulation.opening == observation["gripper_joint_positions"].sum()
    env.close()


def test_an_episode_does_not_remember_the_one_before(simulation: RLBenchSimulation) -> None:
    start = dict(RLBenchBenchmark(("push_button",), 1).episodes()[0].start)
    first = follow_expert(simulation, start)
    simulation.reset({"task": "lamp_on", "variation": 0, "drawn": [1]})
    simulation.step(np.array([1, 0, -1, 0, 0, 0, -1], np.float32))
    again = follow_expert(simulation, start)
    assert np.array_equal(first, again)


def test_what_the_arm_refuses_is_told(simulation: RLBenchSimulation) -> None:
    simulation.reset({"task": "push_button", "variation": 0, "drawn": [1]})
    for _ in range(60):
        simulation.step(np.array([1, 0, 0, 0, 0, 0, 1], np.float32))
    assert simulation.trouble is not None and "out of the arm's reach" in simulation.trouble
    simulation.reset({"task": "push_button", "variation": 0, "drawn": [1]})
    assert simulation.trouble is None


def test_pictures_are_of_their_step(simulation: RLBenchSimulation) -> None:
    simulation.reset({"task": "push_button", "variation": 0, "drawn": [1]})
    early = simulation.pictures()
    simulation.step(np.array([1, 0, 0, 0, 0, 0, 1], np.float32))
    with pytest.raises(AssertionError, match="of an earlier step"):
        early["front"]


def test_a_rollout(robot: str, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("pybullet", reason="the simulator (extra robots) is not installed")
    words = ["rlbench", "--checkpoint", robot, *ALONE, "--episodes", "1", "--tasks", "lamp_on, close_fridge", "--out"]
    assert main([*words, "out"]) == 0
    results = read_results(Path("out/episodes.jsonl"))
    assert list(results) == ["lamp_on-000", "close_fridge-000"]
    assert all(result.steps == (4,) and not result.solved and result.reason == "" for result in results.values())
    said = capsys.readouterr().out
    assert "62.5" in said and "69.0" in said and "67.1" not in said and "in RLBench itself" in said
    assert said.count("close_fridge") == 1, "tasks are their own groups"
    assert json.loads(Path("out/results.json").read_text())["benchmark"] == "rlbench"


@pytest.mark.slow
def test_two_workers_do_the_same_as_one_process_and_film_it(robot: str) -> None:
    pytest.importorskip("pybullet", reason="the simulator (extra robots) is not installed")
    pytest.importorskip("imageio_ffmpeg", reason="films need the extra robots")
    words = ["rlbench", "--checkpoint", robot, "--episodes", "3", "--steps", "12", "--temperature", "1"]
    words += ["--tasks", "push_button,close_box", "--language", "own"]
    assert main([*words, "--workers", "0", "--out", "0"]) == 0
    assert main([*words, "--workers", "2", "--out", "2", "--video", "films"]) == 0
    assert ends("0") == ends("2") and len(ends("0")) == 6
    assert len(list(Path("films").glob("*.mp4"))) >= 2


def test_without_pybullet(robot: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pybullet", None)
    assert main(["rlbench", "--checkpoint", robot, "--out", "out"]) == 2
    assert "run `pip install 'videoworld-agents[robots]'`" in capsys.readouterr().err
    assert not Path("out").exists()


# The official package, on its stand-ins


@pytest.fixture
def sim(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Any]:
    """The simulator of the stand-ins."""
    (tmp_path / "sim").mkdir()
    with installed(monkeypatch, tmp_path / "sim") as module:
        yield module


def official(robot: str, *words: str) -> list[str]:
    return ["rlbench", "--backend", "official", "--checkpoint", robot, *ALONE, "--out", "out", *words]


def test_a_crash_in_mid_episode_costs_that_episode_alone(
    robot: str, sim: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    steps = []

    def dying(call: str) -> None:
        steps.extend([call] * (call == "step"))
        if call == "step" and len(steps) == 7:
            raise RuntimeError("The call failed on the V-REP side. Return value: -1")

    monkeypatch.setattr(sim, "fail", dying)
    words = official(robot, "--tasks", "close_microwave", "--episodes", "3")
    assert main(words) == 0
    results = read_results(Path("out/episodes.jsonl"))
    assert [result.steps for result in results.values()] == [(4,), (0,), (4,)]
    assert [bool(result.reason) for result in results.values()] == [False, True, False]
    assert "CoppeliaSim failed to step (RuntimeError: The call failed on the V-REP side" in results[
        "close_microwave-001"
    ].reason  # fmt: skip
    said = capsys.readouterr()
    assert "0/3" in said.out and "1 episode could not be run to the end, counted as not solved: close_" in said.err
    assert main(words) == 0, "what was lost is run again"
    assert ends("out")["close_microwave-001"][1] == (4,) and "could not" not in capsys.readouterr().err


def test_what_the_planner_refuses_is_kept_with_the_episode(
    robot: str, sim: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    errors = importlib.import_module("rlbench.backend.exceptions")
    sim.refuse += [
        errors.InvalidActionError("A path could not be found because the target is outside of workspace.")
    ] * 9
    assert main(official(robot, "--tasks", "close_microwave", "--episodes", "2")) == 0
    first, second = read_results(Path("out/episodes.jsonl")).values()
    assert first.steps == (4,) and first.solved == 0 and first.reason == ""
    assert first.trouble.startswith("in 4 of 4 steps, first: A path could not be found")
    assert second.steps == (4,)
    assert "(the arm refused in 4 of 4 steps" in capsys.readouterr().err


def test_an_episode_that_nothing_can_save_ends(robot: str, sim: Any) -> None:
    sim.over_at = 2
    assert main(official(robot, "--tasks", "close_microwave", "--episodes", "1")) == 0
    assert ends("out")["close_microwave-000"][:2] == (0, (2,))


def test_a_simulator_that_fails_every_time_is_given_up(
    robot: str, sim: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    words = official(robot, "--tasks", "close_microwave", "--episodes")
    assert main([*words, "1"]) == 0
    sim.crash_in.add("reset")
    assert main([*words, "9"]) == 2
    said = capsys.readouterr().err
    assert "5 episodes in a row could not begin" in said and "examples/rlbench.md" in said
    sim.crash_in.clear()
    assert main([*words, "9"]) == 0
    assert all(not end[4] for end in ends("out").values()) and len(ends("out")) == 9


def test_the_packages_other_tasks_are_asked_for_in_its_words(robot: str, sim: Any) -> None:
    benchmark = RLBenchBenchmark(("stack_wine", "open_drawer"), 8, backend="official")
    episodes = benchmark.episodes()
    for episode in episodes[:8]:
        assert episode.sentences == (f"put bottle {episode.start['variation']} on the rack",)
    assert {episode.start["variation"] for episode in episodes[:8]} == {0, 1}
    assert episodes[8].sentences[0].startswith("open ") and sim.running == 0
    with pytest.raises(UserError, match="task 'make_tea' is none of"):
        RLBenchBenchmark(("make_tea",), 1, backend="official").episodes()


def test_a_simulator_that_does_not_start_is_one_sentence(
    robot: str, sim: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    sim.crash_in.add("launch")
    assert main(official(robot)) == 2
    said = capsys.readouterr().err
    assert "CoppeliaSim failed to start" in said and "examples/rlbench.md lists what helps" in said
