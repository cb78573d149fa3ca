"""RLBench's demonstrations, recorded as CALVIN's are; what the two share is tested in test_robot_episodes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from envs.rlbench.actions import read_action
from envs.rlbench.builtin import BuiltinWorld
from envs.rlbench.env import make_world
from envs.rlbench.experts import Expert
from envs.rlbench.language import instruction_for, sentences_for
from envs.rlbench.tasks import task_names
from envs.rlbench.world import SimulatorError, World
from envs.tabletop.dataset import DatasetSplit, open_split
from tests.robots import tiny_robot
from train.data.demonstrations import AFTERWARDS
from train.data.rlbench_demonstrations import RLBenchSetting
from train.data.robot_episodes import main

pytest.importorskip("pybullet", reason="the simulator (extra robots) is not installed")

TASKS = ["close_fridge", "reach_target"]


def run(out: Path, *words: str, tasks: str = ",".join(TASKS), episodes: int = 2) -> int:
    return main(["rlbench", "--episodes", str(episodes), "--tasks", tasks, "--out", str(out), *words])


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four episodes, recorded by this process alone."""
    out = tmp_path_factory.mktemp("rlbench") / "out"
    assert run(out, "--workers", "1", "--validation", "0.5") == 0
    return out


def journal(split: DatasetSplit) -> list[dict[str, object]]:
    return [json.loads(line) for line in (split.folder / "episodes.jsonl").read_text().splitlines()]


def replay(split: DatasetSplit, number: int, world: World, *, steps: int = 1) -> int | None:
    """After how many of an episode's actions its task is solved; each `steps` of them replaced by their mean."""
    entry, window = journal(split)[number], split.windows[number]
    slot, task = int(str(entry["key"])[-6:]), str(window.task)
    attempt = int(str(entry["attempts"])) - 1
    world.reset(task, None, np.random.default_rng([*RLBenchSetting().origin(task), slot, attempt]))
    assert world.info()["variation"] == entry["variation"]
    actions = split.frames(window.first, window.last, ["rel_actions"])["rel_actions"]
    for done in range(len(actions)):
        few = actions[done - done % steps : done - done % steps + steps]
        world.act(read_action([*few[:, :6].mean(0), few[-1, 6]], "delta")[0])
        if world.info()["success"]:
            return done + 1
    return None


def test_an_episode_is_a_demonstration_in_words_of_training(recorded: Path) -> None:
    world = make_world("builtin", {})
    for name in ("training", "validation"):
        split = open_split(recorded, name)
        assert [window.task for window in split.windows] == TASKS
        for number, (window, entry) in enumerate(zip(split.windows, journal(split), strict=True)):
            task, variation = str(window.task), int(str(entry["variation"]))
            others = {*sentences_for(task, variation, held_out=True), instruction_for(task, variation)}
            assert window.sentence in sentences_for(task, variation) and window.sentence not in others
            frames = split.frames(window.first, window.last, ["rgb_front", "rgb_wrist", "rel_actions", "robot_obs"])
            for camera in ("rgb_front", "rgb_wrist"):
                assert frames[camera].shape == (len(window), 128, 128, 3) and frames[camera].std() > 10
            assert not frames["rel_actions"][-1, :6].any()
            solved = replay(split, number, world)
            assert solved is not None and abs(len(window) - 1 - AFTERWARDS - solved) <= 4
    world.close()


def test_things_without_a_place_are_a_failed_attempt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The seeds' first attempts are refused; the second ones are recorded."""
    reset, refused = BuiltinWorld.reset, set[int]()

    def refuse(world: BuiltinWorld, task: str, variation: int | None, random: np.random.Generator) -> None:
        if len(refused) < 2:
            refused.add(len(refused))
            raise SimulatorError("no place")
        reset(world, task, variation, random)

    monkeypatch.setattr(BuiltinWorld, "reset", refuse)
    assert run(tmp_path / "out", "--workers", "1", "--validation", "0", tasks="reach_target") == 0
    assert [entry["attempts"] for entry in journal(open_split(tmp_path / "out", "training"))] == [3, 1]


def test_several_workers_record_the_same_bytes(recorded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[3]))
    assert run(tmp_path / "out", "--workers", "2", "--validation", "0.5") == 0
    both = [
        {str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*") if path.is_file()}
        for out in (recorded, tmp_path / "out")
    ]
    assert both[0] == both[1]


def test_an_agent_acts_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--workers", "1", "--validation", "0", "--agent")
    assert run(tmp_path / "out", *words, str(tiny_robot(tmp_path / "calvin"))) == 2
    assert "knows calvin, not rlbench; give another one" in capsys.readouterr().err
    agent = tiny_robot(tmp_path / "tiny", world="rlbench")
    assert run(tmp_path / "out", *words, str(agent), tasks="close_fridge", episodes=1) == 0
    split = open_split(tmp_path / "out")
    task, slot = "close_fridge", 0
    world = make_world("builtin", {})
    attempt = int(str(journal(split)[0]["attempts"])) - 1
    world.reset(task, None, np.random.default_rng([*RLBenchSetting().origin(task), slot, attempt]))
    moved = split.frame(0)["robot_obs"][:3] - world.states()["gripper_pose"][:3]
    world.close()
    assert np.linalg.norm(moved) > 0.01  # m that it has wandered off before the first frame


def test_mistakes_are_one_sentence(recorded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words, sentence in (
        (["--tasks", "open_draw"], "task 'open_draw' is unknown; choose one of open_drawer"),
        (["--scene", "A"], "unrecognized arguments: --scene A"),
        (["--depth"], "unrecognized arguments: --depth"),
        (["--out", str(recorded), "--tasks", "close_box"], "holds a recording with tasks close_fridge,reach_target"),
    ):
        assert run(tmp_path / "a", *words) == 2
        said = capsys.readouterr().err
        assert sentence in said and said.count("\n") == 1
    assert main([]) == 2 and "WORLD" in capsys.readouterr().err
    assert main(["calvin", "--episodes", "1", "--tasks", "open_drawer", "--out", str(recorded)]) == 2
    assert "choose another --out" in capsys.readouterr().err
    assert not (tmp_path / "a").exists()


@pytest.mark.slow
def test_recorded_actions_solve_every_task_again(tmp_path: Path) -> None:
    """One by one, and as means over the four steps that an agent plans."""
    assert run(tmp_path / "out", "--workers", "1", "--validation", "0", tasks="all", episodes=1) == 0
    split, world = open_split(tmp_path / "out"), make_world("builtin", {})
    assert [window.task for window in split.windows] == list(task_names())
    failed = [
        (window.task, steps)
        for number, window in enumerate(split.windows)
        for steps in (1, 4)
        if replay(split, number, world, steps=steps) is None
    ]
    world.close()
    assert not failed


def test_the_default_expert_is_rlbenchs() -> None:
    from train.data.demonstrations import load_expert

    assert load_expert(RLBenchSetting().expert) is Expert
