"""CALVIN's episodes: the published chains, drawn starts, sentences, and the play table as `CalvinEnv` has it."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from agents.rollout import main
from agents.rollout_calvin import CalvinBenchmark, CalvinSimulation
from agents.rollout_results import read_results
from envs.calvin.env import CalvinEnv
from envs.calvin.language import PARAPHRASES, VALIDATION, sentences_for
from envs.calvin.sequences import VIDEOWORLD_TASKS, make_chains, start_observation
from envs.errors import UserError
from tests.robots import tiny_robot

# Episodes


def test_the_restricted_protocol() -> None:
    benchmark = CalvinBenchmark(count=25)
    episodes = benchmark.episodes()
    assert len(episodes) == len({episode.key for episode in episodes}) == 300
    chains = make_chains(1000, length=1, tasks=VIDEOWORLD_TASKS)
    for task in VIDEOWORLD_TASKS:
        of_task = [episode for episode in episodes if episode.tasks == (task,)]
        assert [e.start for e in of_task] == [{"state": c.state} for c in chains if c.tasks == (task,)][:25]
        assert {e.sentences for e in of_task} == {(VALIDATION[task],)}
    assert len({episode.seed for episode in episodes}) == 300
    assert [benchmark.group(task) for task in VIDEOWORLD_TASKS] == ["push"] * 6 + ["open/close"] * 2 + ["lights"] * 4
    assert benchmark.published["VideoWorld"] == {"push": 72.7, "open/close": 91.0, "lights": 93.8}


def test_an_episode_does_not_depend_on_the_others() -> None:
    some = CalvinBenchmark(("turn_on_led", "lift_red_block_table"), count=2, language="own").episodes()
    more = CalvinBenchmark(("lift_red_block_table", "open_drawer", "turn_on_led"), count=5, language="own").episodes()
    by_key = {episode.key: episode for episode in more}
    assert all(by_key[episode.key] == episode for episode in some)
    other = CalvinBenchmark(("lift_red_block_table",), count=2, seed=1).episodes()
    assert all(one.start != by_key[one.key].start and one.seed != by_key[one.key].seed for one in other)


def test_the_long_protocol(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agents.rollout_calvin.CHAINS", 20)  # a thousand take seconds
    benchmark = CalvinBenchmark(count=3, protocol="long")
    chains = make_chains(20)[:3]
    assert [(e.tasks, e.start["state"]) for e in benchmark.episodes()] == [(c.tasks, c.state) for c in chains]
    assert [e.sentences for e in benchmark.episodes()] == [tuple(VALIDATION[task] for task in c.tasks) for c in chains]
    assert benchmark.published == {}


def test_starts_are_drawn_where_the_protocol_has_none() -> None:
    for benchmark in (CalvinBenchmark(("stack_block",), count=3), CalvinBenchmark(("open_drawer",), 3, scene="B")):
        starts = [json.dumps(episode.start) for episode in benchmark.episodes()]
        assert len(set(starts)) == 3 and all("drawn" in start for start in starts)
    assert CalvinBenchmark(scene="B").published == {}


@pytest.mark.parametrize("language", ["own", "held-out"])
def test_sentences(language: str) -> None:
    episodes = CalvinBenchmark(("open_drawer",), count=40, language=language).episodes()
    said = {sentence for episode in episodes for sentence in episode.sentences}
    held_out = set(sentences_for("open_drawer", held_out=True))
    assert said == (held_out if language == "held-out" else set(PARAPHRASES["open_drawer"]) - held_out)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"tasks": ("open_door",)}, "task 'open_door' is unknown; there are 34 such as"),
        ({"scene": "E"}, "scene 'E' is unknown; choose one of A, B, C, D"),
        ({"scene": "A", "protocol": "long"}, "--protocol long starts from states of scene D, not A"),
        ({"count": 1001, "protocol": "long"}, "--episodes is 1001, but the protocol has 1000 chains"),
        ({"tasks": ("open_drawer",), "count": 200}, "--episodes is 200, but open_drawer comes in 80 of"),
    ],
)
def test_mistakes(settings: dict[str, object], said: str) -> None:
    with pytest.raises(UserError, match=said):
        CalvinBenchmark(**settings).episodes()  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--tasks", "open_draw"], "task 'open_draw' is unknown; there are 34 such as open_drawer"),
        (["--tasks", ","], "--tasks ',' names none; give names such as open_drawer,turn_on_led"),
        (["--tasks", "open_drawer", "--protocol", "long"], "leave --tasks out, or give --protocol single"),
        (["--protocol", "both"], "invalid choice: 'both'"),
        (["--language", "klingon"], "invalid choice: 'klingon'"),
        (["--scene", "d"], "scene 'd' is unknown; choose one of A, B, C, D"),
        (["--checkpoint", "nowhere"], "there is no checkpoint folder nowhere"),
    ],
)
def test_mistakes_of_the_command_line(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["calvin", *words]) == 2
    captured = capsys.readouterr()
    assert said in captured.err and len(captured.err.strip().splitlines()) == 1 and captured.out == ""


# The play table


@pytest.fixture
def simulation() -> Iterator[CalvinSimulation]:
    pytest.importorskip("pybullet", reason="the simulator (extra robots) is not installed")
    benchmark = pickle.loads(pickle.dumps(CalvinBenchmark(("turn_on_led", "lift_red_block_table"), 1)))
    simulation = benchmark.open()
    yield simulation
    simulation.close()


def test_it_is_the_environment_without_its_pictures(simulation: CalvinSimulation) -> None:
    """The same states, pictures and verdicts, whether pictures are looked at or not."""
    episode = CalvinBenchmark(("turn_on_led",), 1).episodes()[0]
    robot, scene = start_observation(episode.start["state"])
    env = CalvinEnv(depth=False, task="turn_on_led")
    observation, _ = env.reset(options={"robot_obs": robot, "scene_obs": scene})
    simulation.reset(episode.start)
    simulation.begin("turn_on_led")
    goals = [np.array([-0.12, -0.12, 0.56]), np.array([-0.12, -0.12, 0.44])]
    solved = False
    for step in range(60):
        if len(goals) > 1 and np.linalg.norm(observation["robot_obs"][:3] - goals[0]) < 0.03:
            goals.pop(0)
        towards = np.clip((goals[0] - observation["robot_obs"][:3]) / 0.02, -1, 1)
        action = np.array([*towards, 0, 0, 0, -1], np.float32)
        observation, _, solved, _, _ = env.step(action)
        assert simulation.step(action) == solved
        assert np.array_equal(simulation.world.states()[0], observation["robot_obs"])
        if step % 10 == 0 or solved:
            seen = simulation.pictures()
            assert all(np.array_equal(seen[name], observation[f"rgb_{name}"]) for name in ("static", "gripper"))
        if solved:
            break
    assert solved and simulation.opening == observation["robot_obs"][6] < 0.01
    env.close()


def test_pictures_are_of_their_step(simulation: CalvinSimulation) -> None:
    episode = CalvinBenchmark(("lift_red_block_table",), 1).episodes()[0]
    simulation.reset(episode.start)
    simulation.begin("lift_red_block_table")
    early, seen = simulation.pictures(), simulation.pictures()
    first = seen["static"]
    simulation.step(np.array([1, 0, 0, 0, 0, 0, 1], np.float32))
    assert seen["static"] is first and set(seen) == {"static", "gripper"} and len(seen) == 2
    with pytest.raises(AssertionError, match="of an earlier step"):
        early["static"]


def test_a_rollout_on_the_play_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("pybullet", reason="the simulator (extra robots) is not installed")
    words = ["calvin", "--checkpoint", str(tiny_robot(tmp_path / "tiny")), "--workers", "0", "--episodes", "1",
             "--steps", "4", "--tasks", "open_drawer, turn_on_led", "--out", str(tmp_path / "out")]  # fmt: skip
    assert main(words) == 0
    results = read_results(tmp_path / "out" / "episodes.jsonl")
    assert list(results) == ["open_drawer-000", "turn_on_led-000"]
    assert all(result.steps == (4,) and not result.solved for result in results.values())
    said = capsys.readouterr().out
    assert "open/close" in said and "lights" in said and "96.2" in said and "72.7" not in said


@pytest.mark.slow
def test_a_chain_and_two_workers_on_the_play_table(tmp_path: Path) -> None:
    pytest.importorskip("pybullet", reason="the simulator (extra robots) is not installed")
    robot = str(tiny_robot(tmp_path / "tiny"))
    words = ["calvin", "--checkpoint", robot, "--episodes", "2", "--steps", "12", "--temperature", "1"]
    for settings in (["--protocol", "long"], ["--scene", "A", "--tasks", "push_red_block_left", "--language", "own"]):
        ends = []
        for workers in ("0", "2"):
            out = tmp_path / f"{settings[1]}-{workers}"
            assert main([*words, *settings, "--workers", workers, "--out", str(out)]) == 0
            results = read_results(out / "episodes.jsonl")
            ends.append({key: (r.solved, r.steps, r.sentences) for key, r in results.items()})
        assert ends[0] == ends[1] and len(ends[0]) == 2


def test_without_pybullet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pybullet", None)
    words = ["calvin", "--checkpoint", str(tiny_robot(tmp_path / "tiny")), "--out", str(tmp_path / "out")]
    assert main(words) == 2
    assert "run `pip install 'videoworld-agents[robots]'`" in capsys.readouterr().err
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert main([*words, "--backend", "official"]) == 2
    assert "needs the package calvin_env, which is not installed" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
