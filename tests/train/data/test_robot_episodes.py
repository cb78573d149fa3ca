"""The recorder: resume, workers that die, failures, settings, disks; the same bytes every time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import zlib
from collections import namedtuple
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from envs.calvin.dataset import calvin_kind
from envs.calvin.env import CalvinEnv
from envs.calvin.language import VALIDATION, sentences_for
from envs.calvin.layouts import LAYOUTS
from envs.calvin.sequences import VIDEOWORLD_TASKS, start_observation, start_states
from envs.errors import UserError
from envs.tabletop.dataset import open_split
from envs.tabletop.dataset_writer import Episode, EpisodeEncoder
from tests.calvin_data import observations
from tests.robots import tiny_robot
from train.data import calvin_demonstrations, crew, robot_episodes
from train.data.calvin_demonstrations import CalvinSetting, draw_start
from train.data.crew import record_slots
from train.data.demonstrations import AFTERWARDS, ATTEMPTS, Recorded, Setting, Slot
from train.data.robot_episodes import main

ROOT = Path(__file__).parents[3]
BUTTON = "tests.train.data.fake_expert:ButtonExpert"
LED = "turn_on_led,turn_off_led"


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def made_up(settings: Setting, slots: Sequence[Slot], workers: int | str) -> Iterator[Recorded]:
    """Episodes without a simulation; one task cannot be solved."""
    for slot in slots:
        seed = sum(map(ord, slot.key)) % 251
        frames: list[bytes] = []
        encoder = EpisodeEncoder(frames.append, calvin_kind())
        for observation in observations(2 + seed % 3, seed):
            encoder.add(observation)
        encoder.finish()
        sentence = sentences_for(slot.task)[seed % 2]
        episode = Episode(slot.task, sentence, frames, encoder.moments.as_json())
        fails = slot.task == "close_drawer" or (slot.task == "open_drawer" and slot.number == 1)
        yield Recorded(slot, None, ATTEMPTS) if fails else Recorded(slot, episode, 1 + seed % 2)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """No simulation."""
    monkeypatch.setattr(calvin_demonstrations, "EXPERT", BUTTON)
    monkeypatch.setattr(robot_episodes, "record_slots", made_up)


def run(out: Path, *words: str, tasks: str = "open_drawer,turn_on_led", episodes: int = 4) -> int:
    return main(["calvin", "--episodes", str(episodes), "--tasks", tasks, "--out", str(out), *words])


# With the simulation


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four episodes of a fake expert, recorded by this process alone."""
    pytest.importorskip("pybullet", reason="the simulator (extra robots) is not installed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(calvin_demonstrations, "EXPERT", BUTTON)
        out = tmp_path_factory.mktemp("one") / "out"
        assert run(out, "--workers", "1", "--validation", "0.5", tasks=LED, episodes=2) == 0
    return out


def test_an_episode_ends_soon_after_its_task_is_solved(recorded: Path) -> None:
    for name, number in (("training", 0), ("validation", 1)):
        split = open_split(recorded, name)
        assert [window.task for window in split.windows] == ["turn_on_led", "turn_off_led"]
        assert [(window.first, window.last) for window in split.windows] == [tuple(span) for span in split.episodes]
        for window, (before, after) in zip(split.windows, ((0, 1), (1, 0)), strict=True):
            assert window.sentence in sentences_for(str(window.task)) and number in (0, 1)
            frames = split.frames(window.first, window.last, ["scene_obs", "rgb_static", "rel_actions", "robot_obs"])
            led = frames["scene_obs"][:, 5]
            solved = len(led) - 1 - AFTERWARDS
            assert (led[:solved] == before).all() and (led[solved:] == after).all()
            assert frames["rgb_static"].shape[1:] == (200, 200, 3) and len(frames["rgb_static"]) == len(window)
            assert not frames["rel_actions"][-1, :6].any()


def test_workers_that_are_killed_are_replaced_and_the_bytes_are_the_same(
    recorded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIED", str(tmp_path / "died"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setattr(calvin_demonstrations, "EXPERT", BUTTON.replace("Button", "Dying"))
    assert run(tmp_path / "out", "--workers", "2", "--validation", "0.5", tasks=LED, episodes=2) == 0
    assert (tmp_path / "died").exists()
    both = contents(recorded), contents(tmp_path / "out")
    assert both[0].pop("recording.json") != both[1].pop("recording.json")  # another expert
    assert both[0] == both[1]


def test_experts_take_over_from_an_agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pybullet", reason="the simulator (extra robots) is not installed")
    robot, scene = draw_start("turn_on_led", LAYOUTS["D"], np.random.default_rng(0))
    monkeypatch.setattr(calvin_demonstrations, "EXPERT", BUTTON)
    monkeypatch.setattr(calvin_demonstrations, "draw_start", lambda *_: (robot, scene))
    words = ("--workers", "1", "--validation", "0")
    led = ("--agent", str(tiny_robot(tmp_path / "tiny")))
    assert run(tmp_path / "out", *words, *led, tasks="turn_on_led", episodes=2) == 0
    split = open_split(tmp_path / "out")
    for window in split.windows:
        frames = split.frames(window.first, window.last, ["scene_obs", "robot_obs"])
        assert 0.01 < np.linalg.norm(frames["robot_obs"][0, :3] - robot[:3])  # m that it has wandered off
        assert frames["scene_obs"][0, 5] == 0 and frames["scene_obs"][-1, 5] == 1
    assert run(tmp_path / "out", *words, tasks="turn_on_led", episodes=2) == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "error", "sentence"),
    [
        ("Deadly", UserError, r"3 workers died at episode \d of turn_\w+_led \(exit status -9\); if memory"),
        ("Broken", RuntimeError, "a bug"),
        ("No", UserError, "there is no expert 'tests.train.data.fake_expert:NoExpert'"),
    ],
)
def test_workers_that_fail_end_the_recording(
    name: str, error: type[Exception], sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    settings = CalvinSetting(expert=BUTTON.replace("Button", name))
    with pytest.raises(error, match=sentence):
        list(record_slots(settings, [Slot("turn_on_led", 0), Slot("turn_off_led", 0)], 2))


@pytest.mark.slow
def test_recorded_actions_solve_their_tasks_again(tmp_path: Path) -> None:
    pytest.importorskip("pybullet", reason="the simulator (extra robots) is not installed")
    assert main(["calvin", "--episodes", "2", "--validation", "0", "--workers", "1", "--out", str(tmp_path / "a")]) == 0
    split, env, solved = open_split(tmp_path / "a"), CalvinEnv(cameras=()), []
    for window in split.windows:
        frames = split.frames(window.first, window.last, ["rel_actions", "robot_obs", "scene_obs"])
        start = {key: frames[key][0] for key in ("robot_obs", "scene_obs")}
        env.reset(options={"task": window.task, **start})
        for action in frames["rel_actions"]:
            done = env.step(action)[2]
            if done:
                break
        solved.append(done)
    env.close()
    assert len(solved) == 24 and sum(solved) >= 22


# Starts


@pytest.mark.parametrize("task", VIDEOWORLD_TASKS)
def test_no_start_is_one_of_the_evaluations(task: str) -> None:
    evaluated = np.array([start_observation(state)[1] for state in start_states()])
    random = np.random.default_rng(5)
    drawn = np.array([draw_start(task, LAYOUTS["D"], random)[1] for _ in range(20)])
    assert np.abs(drawn[:, None] - evaluated).max(-1).min() > 1e-4
    slots = np.abs(drawn[:, None, 6:8] - evaluated[:, 6:8]).max(-1).min(-1) < 1e-6
    assert 3 < slots.sum() < 17  # about half have their blocks where the evaluation has its own


# The folder


@pytest.mark.usefixtures("quick")
def test_the_order_in_which_episodes_come_does_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(tmp_path / "a", "--validation", "0.25") == 0
    monkeypatch.setattr(
        robot_episodes,
        "record_slots",
        lambda *told: iter(sorted(made_up(*told), key=lambda r: zlib.crc32(r.slot.key.encode()))),
    )
    assert run(tmp_path / "b", "--validation", "0.25", "--workers", "3") == 0
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    split = open_split(tmp_path / "a")
    assert [window.task for window in split.windows] == ["open_drawer", "turn_on_led", "turn_on_led"] + [
        "open_drawer", "turn_on_led",
    ]  # fmt: skip
    assert len(open_split(tmp_path / "a", "validation").windows) == 2


@pytest.mark.usefixtures("quick")
def test_more_episodes_are_added_to_those_there_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for episodes in (1, 3, 4, 4):
        assert run(tmp_path / "a", episodes=episodes) == 0
    said = capsys.readouterr()
    assert said.err.rstrip().splitlines()[-1].startswith("0 of 8 episodes to record")
    assert "7 episodes in" in said.out and "1 more were given up" in said.out
    assert run(tmp_path / "b") == 0
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


KILLED = """
import os, pathlib, signal, sys
from tests.train.data import test_robot_episodes as here
from train.data import calvin_demonstrations, robot_episodes
calvin_demonstrations.EXPERT, robot_episodes.record_slots = here.BUTTON, here.made_up
left, real = int(sys.argv[2]), pathlib.Path.write_bytes
def dying(path, content):
    global left
    left -= path.suffix == ".npz"
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(path, content)
pathlib.Path.write_bytes = dying
here.run(pathlib.Path(sys.argv[1]))
"""


@pytest.mark.usefixtures("quick")
def test_a_killed_recorder_goes_on(tmp_path: Path) -> None:
    command = [sys.executable, "-c", KILLED, str(tmp_path / "a"), "8"]
    killed = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=120, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    assert 0 < len(list((tmp_path / "a/training").glob("*.npz"))) <= 8
    assert run(tmp_path / "a") == 0
    assert run(tmp_path / "b") == 0
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


@pytest.mark.usefixtures("quick")
def test_what_was_recorded_ahead_of_its_turn_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Slot] = []

    def stopped(settings: Setting, slots: Sequence[Slot], workers: int | str) -> Iterator[Recorded]:
        asked.extend(slots)
        yield from list(made_up(settings, slots, workers))[3:5]
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(robot_episodes, "record_slots", stopped)
        assert run(tmp_path / "a") == 130
        assert len(open_split(tmp_path / "a").episodes) == 0
        run(tmp_path / "a")
    assert len(asked) == 8 + 6
    assert run(tmp_path / "a") == run(tmp_path / "b") == 0
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


@pytest.mark.usefixtures("quick")
def test_failures_are_counted_and_a_hopeless_expert_ends_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path / "a") == 0
    rows = {line.split()[0]: line.split()[1:] for line in capsys.readouterr().out.splitlines() if line.strip()}
    assert rows["open_drawer"][0] == "3" and int(rows["open_drawer"][3]) >= ATTEMPTS
    assert run(tmp_path / "b", tasks="close_drawer") == 2
    assert "the expert has failed at close_drawer in all of 30 attempts; leave it out" in capsys.readouterr().err


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--tasks", "open_draw"], "task 'open_draw' is unknown; there are 34 such as open_drawer"),
        (["--scene", "E"], "scene 'E' is unknown; choose one of A, B, C, D"),
        (["--workers", "many"], "--workers is many; give 1 or more, or ray"),
        (["--episodes", "0"], "--episodes is 0; give 1 or more"),
        (["--validation", "1"], "--validation is 1.0; give a share"),
        (["--noise", "-1"], "--noise is -1.0; give 0 or more"),
        (["--agent", "nowhere"], "there is no checkpoint in nowhere (no config.yaml); give its folder"),
        (["--speed", "2"], "unrecognized arguments: --speed 2; see"),
    ],
)
def test_mistakes_are_one_sentence(
    words: list[str], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path / "a", *words) == 2
    said = capsys.readouterr()
    assert sentence in said.err and said.err.count("\n") == 1 and said.out == ""
    assert not (tmp_path / "a").exists()


@pytest.mark.usefixtures("quick")
def test_folders_of_other_recordings_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path / "a") == 0
    capsys.readouterr()
    assert run(tmp_path / "a", tasks=LED) == 2
    said = "holds a recording with tasks open_drawer,turn_on_led, not turn_on_led,turn_off_led; choose another --out"
    assert said in capsys.readouterr().err
    assert run(tmp_path / "a", "--seed", "1") == 2
    assert "with seed 0, not 1; choose another --out" in capsys.readouterr().err
    (tmp_path / "b").mkdir()
    (tmp_path / "b/file").touch()
    assert run(tmp_path / "b") == 2
    assert "holds other files than a recording" in capsys.readouterr().err
    assert run(tmp_path / "b/file/c") == 2
    assert "cannot use" in capsys.readouterr().err


@pytest.mark.usefixtures("quick")
def test_a_small_disk_is_refused_before_it_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def disk(free: int) -> None:
        usage = namedtuple("usage", "f_bavail f_bfree f_blocks f_frsize")(free, free, 10**9, 1)
        monkeypatch.setattr(os, "statvfs", lambda path: usage)

    disk(10**8)
    assert run(tmp_path / "a", episodes=1000) == 2
    assert "2000 episodes take about 4.8 GB, but" in (said := capsys.readouterr().err) and "has 100 MB left" in said
    disk(10**10)
    iterate = made_up

    def filling(*told: Any) -> Iterator[Recorded]:
        for number, recorded in enumerate(iterate(*told)):
            if number == 4:
                disk(10**6)
            yield recorded

    monkeypatch.setattr(robot_episodes, "record_slots", filling)
    assert run(tmp_path / "b") == 2
    assert "has only 1 MB left; make room and go on" in capsys.readouterr().err
    monkeypatch.undo()
    assert len(open_split(tmp_path / "b").episodes) == 3  # of four slots one was given up


def test_protocol_sentences_are_never_trained_on() -> None:
    for task, sentence in VALIDATION.items():
        trained, held_out = sentences_for(task), sentences_for(task, held_out=True)
        assert trained and len(held_out) == 1
        assert sentence not in {*trained, *held_out} and not set(trained) & set(held_out)


# Ray


class LostError(Exception):
    """As Ray says that a worker is gone."""


def fake_ray(deaths: int) -> Any:
    """Ray's few functions, in this process; the first `deaths` answers are lost."""
    lost = iter(range(deaths))

    def remote(made: type) -> Any:
        def make(*told: Any) -> Any:
            worker = made(*told)
            record = SimpleNamespace(remote=lambda slot: (worker, slot))
            return SimpleNamespace(record=record)

        return SimpleNamespace(remote=make)

    def get(answer: Any) -> Recorded:
        if next(lost, None) is not None:
            raise LostError
        recorded: Recorded = answer[0].record(answer[1])
        return recorded

    return SimpleNamespace(
        is_initialized=lambda: False, init=lambda **options: None, cluster_resources=lambda: {"CPU": 3.0},
        remote=remote, get=get, wait=lambda answers: (answers[:1], answers[1:]), kill=lambda worker: None,
        exceptions=SimpleNamespace(RayActorError=LostError),
    )  # fmt: skip


class FakeDemonstrator:
    """Needs no simulation."""

    def __init__(self, settings: Setting) -> None:
        self.settings = settings

    def record(self, slot: Slot) -> Recorded:
        return next(made_up(self.settings, [slot], 1))


def test_ray_workers_record_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    slots = [Slot(task, number) for number in range(4) for task in ("open_drawer", "turn_on_led")]
    monkeypatch.setattr(crew, "Demonstrator", FakeDemonstrator)
    wanted = list(made_up(CalvinSetting(), slots, 1))
    monkeypatch.setitem(sys.modules, "ray", fake_ray(deaths=2))
    recorded = list(record_slots(CalvinSetting(), slots, "ray"))
    assert {r.slot: r for r in recorded} == {r.slot: r for r in wanted} and len(recorded) == len(slots)
    monkeypatch.setitem(sys.modules, "ray", fake_ray(deaths=100))
    with pytest.raises(UserError, match=r"3 workers died at episode 0 of open_drawer \(LostError\)"):
        list(record_slots(CalvinSetting(), slots[:1], "ray"))


def test_ray_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(
        UserError, match=r"needs Ray, which is not installed: pip install 'videoworld-agents\[cluster\]'"
    ):
        list(record_slots(CalvinSetting(), [Slot("open_drawer", 0)], "ray"))
