"""What episodes add up to: shares with intervals, by task, group and place in a chain, as a table and as JSON."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from statistics import fmean, median
from typing import Any

from rich import box
from rich.console import Group
from rich.table import Table

from agents.elo import wilson
from agents.json_lines import append_line, read_lines
from agents.rollout_episodes import Benchmark, Result

ALL = "all"


@dataclass(frozen=True)
class Row:
    """A line of the table.

    Attributes:
        name: a task, a group, "all", or how many tasks of a chain.
        solved, episodes: how many of how many.
        share, low, high: of those solved, 0..1, with its 95 % interval (Wilson); share is nan without episodes.
        steps: median number of actions where it was solved; None if it never was.
        seconds: median wall time of an episode; the first of a process is longer, the simulation starts then.
        milliseconds: median of the episodes' median wall times of a decision.
    """

    name: str
    solved: int
    episodes: int
    share: float
    low: float
    high: float
    steps: float | None = None
    seconds: float | None = None
    milliseconds: float | None = None


@dataclass(frozen=True)
class _Attempt:
    """A task as it went: its part of an episode."""

    task: str
    solved: bool
    steps: int
    seconds: float
    milliseconds: float | None


def _attempts(result: Result) -> list[_Attempt]:
    total = max(1, sum(result.steps))
    return [
        _Attempt(task, number < result.solved, steps, result.seconds * steps / total, result.milliseconds)
        for number, (task, steps) in enumerate(zip(result.tasks, result.steps, strict=False))
    ]


def _row(name: str, attempts: Sequence[_Attempt]) -> Row:
    solved = [attempt.steps for attempt in attempts if attempt.solved]
    ran = [attempt for attempt in attempts if attempt.milliseconds is not None]
    return Row(
        name, len(solved), len(attempts), len(solved) / len(attempts) if attempts else math.nan,
        *wilson(len(solved), len(attempts)),
        steps=median(solved) if solved else None,
        seconds=median(attempt.seconds for attempt in ran) if ran else None,
        milliseconds=median(attempt.milliseconds or 0.0 for attempt in ran) if ran else None,
    )  # fmt: skip


@dataclass(frozen=True)
class Scores:
    """All figures of a rollout.

    tasks: a row each, by name; in chains, of those that were begun. groups: the same for groups of tasks; none where
    each task is a group of its own. all: the sum of them. chains: shares of the chains with at least 1, 2, ... tasks
    solved; empty for episodes of one task. length: mean number of tasks solved in a row.
    """

    tasks: tuple[Row, ...]
    groups: tuple[Row, ...]
    all: Row
    chains: tuple[Row, ...]
    length: float

    @classmethod
    def of(cls, results: Iterable[Result], benchmark: Benchmark) -> Scores:
        """Count; results in the order of their episodes."""
        results = list(results)
        attempts = [attempt for result in results for attempt in _attempts(result)]
        by_task: dict[str, list[_Attempt]] = {}
        by_group: dict[str, list[_Attempt]] = {}
        for attempt in attempts:
            by_task.setdefault(attempt.task, []).append(attempt)
            by_group.setdefault(benchmark.group(attempt.task), []).append(attempt)
        longest = max((len(result.tasks) for result in results), default=1)
        chains = []
        for least in range(1, longest + 1) if longest > 1 else ():
            count = sum(result.solved >= least for result in results)
            interval = wilson(count, len(results))
            chains.append(Row(f"{least} in a row", count, len(results), count / len(results), *interval))
        return cls(
            tuple(_row(task, by_task[task]) for task in sorted(by_task)),
            tuple(_row(group, by_group[group]) for group in by_group) if by_group.keys() != by_task.keys() else (),
            _row(ALL, attempts), tuple(chains), fmean(result.solved for result in results) if results else math.nan,
        )  # fmt: skip

    def table(self, benchmark: Benchmark) -> Group:
        """For people, with what is published for comparison."""
        published = benchmark.published
        table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
        table.add_column("", no_wrap=True)
        for column in ("solved", "share %", "95 %", "steps", "s", "ms", *published):
            table.add_column(column, justify="right", no_wrap=True)
        for part in (self.tasks, self.groups, (self.all,)):
            for row in part:
                table.add_row(*_cells(row), *(_figure(theirs.get(row.name), 1) for theirs in published.values()))
            table.add_section()
        legend = "medians: steps where it was solved; s of an episode; ms of a decision"
        if published:
            legend += f"\n{', '.join(published)}: {benchmark.source}"
        if not self.chains:
            return Group(table, "", legend)
        chained = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
        for column in ("chains", "solved", "share %", "95 %"):
            chained.add_column(column, justify="left" if column == "chains" else "right", no_wrap=True)
        for row in self.chains:
            chained.add_row(*_cells(row)[:4])
        return Group(chained, f"mean length {self.length:.2f}", "", table, "", legend)

    def as_json(self) -> dict[str, Any]:
        """All figures by name; what is unknown is null."""
        rows = {part: {row.name: _plain(row) for row in getattr(self, part)} for part in ("chains", "tasks", "groups")}
        return {"mean_length": None if math.isnan(self.length) else self.length, ALL: _plain(self.all), **rows}


def _plain(row: Row) -> dict[str, Any]:
    content = asdict(row)
    del content["name"]
    return {key: None if isinstance(value, float) and math.isnan(value) else value for key, value in content.items()}


def _cells(row: Row) -> tuple[str, ...]:
    share = f"{100 * row.share:.1f}" if row.episodes else "-"
    between = f"{100 * row.low:.0f} to {100 * row.high:.0f}" if row.episodes else ""
    solved = f"{row.solved}/{row.episodes}"
    return row.name, solved, share, between, _figure(row.steps), _figure(row.seconds, 1), _figure(row.milliseconds)


def _figure(value: float | None, digits: int = 0) -> str:
    return "" if value is None else f"{value:.{digits}f}"


# Files


def read_results(path: Path) -> dict[str, Result]:
    """Key -> result, of an episodes.jsonl; UserError where it is damaged."""
    return {result.key: result for result in read_lines(path, _result)}


def append_result(path: Path, result: Result) -> None:
    """Add an episode to an episodes.jsonl; UserError if the disk refuses."""
    append_line(path, asdict(result))


_TUPLES = ("tasks", "sentences", "steps")
_NAMES = {field.name for field in fields(Result)}


def _result(line: dict[str, Any]) -> Result:
    known = {name: value for name, value in line.items() if name in _NAMES}
    return Result(**known | {name: tuple(line[name]) for name in _TUPLES})
