"""The experts' benchmark: its figures depend on the seeds alone, and its mistakes are one sentence."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.calvin_experts import Result, main, run_episode, summary

pytest.importorskip("pybullet", reason="the simulator (extra robots) is not installed")


def test_figures_are_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "figures.json"
    arguments = ["--tasks", "turn_on_led", "close_drawer", "--episodes", "2", "--json", str(file)]
    assert main(arguments) == 0
    figures = json.loads(file.read_text())
    assert figures["noise"] == 1 and figures["machine"]["cores"] > 0
    assert all(0 < row["median_steps"] < 120 and row["solved"] == 2 for row in figures["tasks"].values())
    assert "close_drawer" in capsys.readouterr().out


def test_an_episode_depends_on_its_seed_alone() -> None:
    first, _, again = (run_episode("turn_on_led", "D", seed, 1.0, "protocol") for seed in (3, 4, 3))
    assert first == again and first.solved


def test_summary() -> None:
    row = summary([Result(True, 40, "", ""), Result(True, 60, "", "a block fell"), Result(False, 240, "late", "")])
    assert (row["solved"], row["median_steps"], row["most_steps"]) == (2, 50.0, 60)
    assert row["wrong"] == {"late": 1} and row["besides"] == {"a block fell": 1}
    assert row["interval"] == pytest.approx((0.208, 0.939), abs=0.001)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--tasks", "open_window"], "task 'open_window' is unknown"),
        (["--episodes", "0"], "0 episodes in 1 processes are none"),
        (["--starts", "protocol", "--tasks", "stack_block"], "the published chains never ask for stack_block"),
        (["--starts", "protocol", "--tasks", "published", "--scene", "B"], "play in scene D, not B"),
    ],
)
def test_mistakes_are_one_sentence(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and words in captured.err
