"""Rollouts from the command line: resume, same seed same result, mistakes, what is written."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from agents import rollout
from agents.rollout_folder import RolloutFolder
from agents.rollout_results import read_results
from envs.errors import UserError
from tests.go_games import tiny_model
from tests.robots import tiny_robot, toy_rollout

ROOT = Path(__file__).parents[2]
ALONE = ["--workers", "0", "--steps", "9"]


@pytest.fixture(scope="module")
def robot(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tiny_robot(tmp_path_factory.mktemp("robot") / "tiny"))


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is left in the project's folder, and the toy is gone after a test."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(rollout, "BENCHMARKS", dict(rollout.BENCHMARKS))


def ends(out: str) -> dict[str, tuple[object, ...]]:
    """How each episode ended, without how long it took."""
    results = read_results(Path(out) / "episodes.jsonl")
    return {key: (r.sentences, r.start, r.solved, r.steps, r.reason) for key, r in results.items()}


def test_a_rollout_and_what_it_writes(robot: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--checkpoint", robot, *ALONE, "--temperature", "1", "--out", "out", "--json", "figures.json"]
    assert toy_rollout(words) == 0
    said = capsys.readouterr()
    assert "8/8" in said.err and "left-000" in said.err
    table = [line.split() for line in said.out.splitlines() if line.strip()]
    assert table[0] == ["8", "episodes"] and {"left", "right", "move", "all"} <= {line[0] for line in table}
    assert "Somebody" in said.out and "55.5" in said.out
    content = json.loads(Path("figures.json").read_text())
    assert content == json.loads(Path("out/results.json").read_text())
    assert content["machine"]["cores"] > 0 and content["steps"] == 9 and content["replan"] == 3
    assert len(content["episodes"]) == content["all"]["episodes"] == content["groups"]["move"]["episodes"] == 8
    solved = sum(episode["solved"] for episode in content["episodes"])
    assert 0 < solved == content["all"]["solved"] < 8, "the toy is neither too easy nor too hard"
    assert all(episode["milliseconds"] > 0 for episode in content["episodes"])
    assert toy_rollout(words) == 0, "nothing is left to do"
    assert json.loads(Path("out/results.json").read_text())["episodes"] == content["episodes"]


def test_seeds_repeat_and_differ(robot: str) -> None:
    words = ["--checkpoint", robot, *ALONE, "--temperature", "1", "--out"]
    assert toy_rollout([*words, "one"]) == toy_rollout([*words, "again"]) == 0
    assert toy_rollout([*words, "other", "--seed", "1"]) == 0
    assert ends("one") == ends("again")
    assert ends("one") != ends("other")


@pytest.mark.slow
def test_two_workers_do_the_same_as_one_process(robot: str) -> None:
    words = ["--checkpoint", robot, "--steps", "9", "--temperature", "1"]
    assert toy_rollout([*words, "--workers", "0", "--out", "one"]) == 0
    assert toy_rollout([*words, "--workers", "2", "--out", "two"]) == 0
    assert ends("one") == ends("two")


def test_kill_in_the_middle_loses_no_finished_episode(robot: str, tmp_path: Path) -> None:
    words = ["--checkpoint", robot, "--temperature", "1", "--steps", "9"]
    command = [sys.executable, "-m", "tests.robots", *words, "--workers", "1", "--episodes", "5000", "--out", "out"]
    process = subprocess.Popen(
        command, cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert process.stderr is not None
    seen = [process.stderr.readline() for _ in range(6)]
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stderr.close()
    assert seen[0].startswith("10000 of 10000 episodes to run") and seen[5].startswith("5/10000"), seen
    finished = read_results(Path("out/episodes.jsonl"))
    assert len(finished) >= 5
    with Path("out/episodes.jsonl").open("a") as stream:
        stream.write('{"key": "right-000", "ta')  # as if killed while writing
    again = [*words, "--workers", "0", "--episodes", "8"]
    assert toy_rollout([*again, "--out", "out"]) == 0
    assert toy_rollout([*again, "--out", "in-one-go"]) == 0
    results = read_results(Path("out/episodes.jsonl"))
    assert {key: results[key] for key in finished} == finished
    assert {key: end for key, end in ends("out").items() if key in ends("in-one-go")} == ends("in-one-go")


def test_ctrl_c_keeps_what_is_finished(
    robot: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    add = RolloutFolder.add

    def interrupted(self: RolloutFolder, result: object) -> None:
        if len(self.results) == 3:
            raise KeyboardInterrupt
        add(self, result)  # type: ignore[arg-type]

    words = ["--checkpoint", robot, *ALONE, "--out", "out"]
    monkeypatch.setattr(RolloutFolder, "add", interrupted)
    assert toy_rollout(words) == 130
    assert "the same command goes on" in capsys.readouterr().err and len(ends("out")) == 3
    monkeypatch.setattr(RolloutFolder, "add", add)
    assert toy_rollout(words) == 0 and len(ends("out")) == 8


def test_another_rollout_is_refused(robot: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [*ALONE, "--out", "out", "--episodes", "1", "--checkpoint"]
    assert toy_rollout([*words, robot]) == 0
    assert toy_rollout([*words, robot, "--episodes", "2"]) == 0, "more episodes may be asked for"
    capsys.readouterr()
    other = str(tiny_robot(tmp_path / "other", seed=1))
    for words_then, said in (
        ([*words, robot, "--seed", "7"], "out holds a rollout with seed 0, not 7; choose another --out"),
        ([*words, robot, "--steps", "5"], "steps 9, not 5"),
        ([*words, robot, "--replan", "1"], "replan 3, not 1"),
        ([*words, other], "other weights"),
    ):
        assert toy_rollout(words_then) == 2
        assert said in capsys.readouterr().err
    busy = RolloutFolder(tmp_path / "out", json.loads(Path("out/rollout.json").read_text()))
    busy.open()
    assert toy_rollout([*words, robot]) == 2
    assert "another rollout is at work in out" in capsys.readouterr().err
    busy.close()
    lines = Path("out/episodes.jsonl").read_text()
    Path("out/episodes.jsonl").write_text("nonsense\n" + lines)
    assert toy_rollout([*words, robot]) == 2
    assert "damaged in line 1" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--episodes", "0"], "--episodes is 0; give 1 or more"),
        (["--steps", "0"], "--steps is 0; give 1 or more"),
        (["--workers", "-1"], "--workers is -1; give 0 or more"),
        (["--seed", "-1"], "--seed is -1; give 0 or more"),
        (["--films", "2"], "--films 2 has no folder to film into; give --video DIR too"),
        (["--temperature", "-1"], "temperature is -1.0: give 0"),
        (["--replan", "4"], "replan is 4: this agent plans 3 actions, so give 1 to 3"),
        (["--steps", "x"], "invalid int value: 'x'"),
        (["--nonsense"], "--nonsense"),
        (["--missing"], "the toy is not there; buy one"),
        (["--out", "a-file"], "cannot use a-file (File exists); choose another --out"),
        (["--out", "a-file/out"], "choose another --out"),
        (["--json", "."], "--json . is a folder; give the path of a file"),
        (["--json", "a-file/figures.json"], "cannot make the folder of --json a-file/figures.json"),
        (["--checkpoint", "nowhere"], "there is no checkpoint folder nowhere; check the path"),
    ],
)
def test_mistakes(words: list[str], said: str, robot: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("a-file").touch()
    assert toy_rollout(["--checkpoint", robot, *ALONE, "--episodes", "1", *words]) == 2
    captured = capsys.readouterr()
    assert said in captured.err and len(captured.err.strip().splitlines()) == 1 and captured.out == ""


def test_a_go_agent_is_no_robot(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from agents.go_model import save_go_model

    folder = save_go_model(tiny_model(), tmp_path / "go")
    assert toy_rollout(["--checkpoint", str(folder), *ALONE]) == 2
    assert "holds a 'go_agent' checkpoint, not a robot agent; give another folder" in capsys.readouterr().err


def test_no_room(robot: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("agents.rollout_folder.free_bytes", lambda folder: 1000)
    assert toy_rollout(["--checkpoint", robot, *ALONE]) == 2
    assert "has less than 20 MB of room; make room or choose another --out" in capsys.readouterr().err


def test_a_bug_keeps_its_stack_trace(robot: str) -> None:
    with pytest.raises(ZeroDivisionError):
        toy_rollout(["--checkpoint", robot, *ALONE, "--broken"])


def test_a_benchmark_has_to_be_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert rollout.main([]) == 2 and "BENCHMARK" in capsys.readouterr().err
    assert rollout.main(["calwin"]) == 2 and "'calwin'" in capsys.readouterr().err


def test_an_episode_that_cannot_be_run_is_told(
    robot: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from agents.rollout_workers import Lost

    def lose(make, jobs, workers):  # type: ignore[no-untyped-def]
        yield from ((job, Lost("its process ended with status -9, 3 times")) for job in jobs)

    monkeypatch.setattr(rollout, "run_jobs", lose)
    assert toy_rollout(["--checkpoint", robot, *ALONE, "--episodes", "1"]) == 0
    said = capsys.readouterr()
    assert "2 episodes could not be run to the end, counted as not solved: left-000 (its process ended" in said.err
    assert "0/2" in said.out


def test_chains_go_on_until_the_first_failure(robot: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--checkpoint", robot, *ALONE, "--chains", "--temperature", "1", "--episodes", "8", "--out", "out"]
    assert toy_rollout(words) == 0
    results = read_results(Path("out/episodes.jsonl")).values()
    assert {result.solved for result in results} == {0, 1, 2}
    assert all(len(result.steps) == min(2, result.solved + 1) for result in results)
    said = capsys.readouterr().out
    assert "1 in a row" in said and "mean length" in said and "Somebody" not in said
    content = json.loads(Path("out/results.json").read_text())
    assert content["chains"]["2 in a row"]["episodes"] == 8
    assert content["mean_length"] == sum(result.solved for result in results) / 8


def test_folders_of_others(tmp_path: Path) -> None:
    (tmp_path / "rollout.json").write_text("[1]")
    with pytest.raises(UserError, match="cannot use .*; choose another --out"):
        RolloutFolder(tmp_path, {"seed": 0}).open()
