"""What episodes add up to: counts, intervals, medians; and lines that survive."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from pathlib import Path

import pytest
from rich.console import Console

from agents.elo import wilson
from agents.rollout_episodes import Episode, Result
from agents.rollout_results import Scores, append_result, read_results
from envs.errors import UserError
from tests.robots import ToyBenchmark


def result(key: str, tasks: tuple[str, ...], solved: int, *steps: int, reason: str = "") -> Result:
    return Result(key, tasks, tasks, {}, solved, steps, 2.0, None if reason else 20.0, reason)


SINGLE = [result(f"left-{n}", ("left",), n % 2, 10 * (n + 1)) for n in range(4)] + [
    result("right-0", ("right",), 1, 7),
    Result.lost(Episode("right-1", ("right",), ("go",), {}, 0), "it died"),
]
CHAINS = [
    result("a", ("left", "right"), 0, 9),
    result("b", ("left", "right"), 1, 5, 9),
    result("c", ("left", "right"), 2, 3, 4),
]


def test_single_tasks() -> None:
    scores = Scores.of(SINGLE, ToyBenchmark())
    left, right = scores.tasks
    assert (left.name, left.solved, left.episodes, left.share, left.steps) == ("left", 2, 4, 0.5, 30)
    assert (left.low, left.high) == wilson(2, 4)
    assert (right.solved, right.episodes, right.steps, right.seconds, right.milliseconds) == (1, 2, 7, 2.0, 20.0)
    assert [(row.name, row.solved, row.episodes) for row in scores.groups] == [("move", 3, 6)]
    assert (scores.all.name, scores.all.solved, scores.all.episodes) == ("all", 3, 6)
    assert scores.chains == () and scores.length == 0.5


@dataclass(frozen=True)
class Compared(ToyBenchmark):
    source: str = ""

    @property
    def published(self) -> dict[str, dict[str, float]]:
        return {"VideoWorld": {"move": 72.7}, "oracle": {"move": 75.4}}


class Ungrouped(ToyBenchmark):
    def group(self, task: str) -> str:
        return task


def test_chains() -> None:
    scores = Scores.of(CHAINS, ToyBenchmark(chains=True))
    assert [(row.name, row.solved, row.episodes) for row in scores.chains] == [
        ("1 in a row", 2, 3),
        ("2 in a row", 1, 3),
    ]
    assert scores.length == 1
    assert [(row.name, row.solved, row.episodes) for row in scores.tasks] == [("left", 2, 3), ("right", 1, 2)]


def test_nothing_yet() -> None:
    scores = Scores.of([], ToyBenchmark())
    assert json.loads(json.dumps(scores.as_json(), allow_nan=False))["all"]["share"] is None
    Console(file=io.StringIO()).print(scores.table(ToyBenchmark()))


@pytest.mark.parametrize("results", [SINGLE, CHAINS])
def test_the_table_fits_80_columns(results: list[Result]) -> None:
    long = [Result(**{**vars(r), "tasks": tuple(f"push_blue_block_{task}" for task in r.tasks)}) for r in results]
    text = io.StringIO()
    benchmark = Compared(source="a paper")
    scores = Scores.of(long, benchmark)
    Console(file=text, width=80).print(scores.table(benchmark))
    lines = [line.split() for line in text.getvalue().splitlines() if line.strip()]
    row = next(line for line in lines if line[0] == "push_blue_block_left")
    assert row[1:3] == [f"{scores.tasks[0].solved}/{scores.tasks[0].episodes}", f"{100 * scores.tasks[0].share:.1f}"]
    assert next(line for line in lines if line[0] == "move")[-2:] == ["72.7", "75.4"]
    assert "VideoWorld, oracle: a paper" in text.getvalue()


def test_tasks_that_are_their_own_groups_are_shown_once() -> None:
    scores = Scores.of(SINGLE, Ungrouped())
    assert len(scores.tasks) == 2 and scores.groups == ()


def test_lines_come_back_and_a_torn_one_does_not(tmp_path: Path) -> None:
    path = tmp_path / "episodes.jsonl"
    for one in [*SINGLE, *CHAINS]:
        append_result(path, one)
    whole = path.read_bytes()
    with path.open("ab") as stream:
        stream.write(b'{"key": "d", "tasks": ["left"], "sol')
    assert read_results(path) == {one.key: one for one in [*SINGLE, *CHAINS]}
    assert path.read_bytes() == whole, "the next line is not glued to half a line"
    path.write_bytes(b'{"key": "a"}\n' + whole)
    with pytest.raises(UserError, match=r"damaged in line 1; repair it or choose another --out"):
        read_results(path)


def test_a_disk_that_refuses(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot write .* what is finished is kept"):
        append_result(tmp_path / "nowhere" / "episodes.jsonl", SINGLE[0])
