"""How often the scripted experts of RLBench's built-in tasks solve them, and how fast; without a camera.

    python -m benchmarks.rlbench_experts [--tasks NAME ...] [--episodes 50] [--noise 1] [--json FILE]

Episode i of a task is placed and varies by --seed + i, whoever runs it, so the figures do not depend on --workers.
"""

from __future__ import annotations

import multiprocessing
import sys
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from agents.elo import wilson
from benchmarks.report import Parser, benchmark, show, write
from envs.errors import UserError
from envs.rlbench.actions import read_action
from envs.rlbench.builtin import BuiltinWorld
from envs.rlbench.experts import Expert
from envs.rlbench.tasks import task_names
from envs.rlbench.world import TASK_STEPS


class Result(NamedTuple):
    """How an episode went: whether it was solved, after how many steps, and what went wrong."""

    solved: bool
    steps: int
    wrong: str


@lru_cache(maxsize=1)
def _world() -> BuiltinWorld:
    return BuiltinWorld({})


def run_episode(task: str, seed: int, noise: float) -> Result:
    """Let the expert try a task once, in at most `TASK_STEPS`."""
    world, random = _world(), np.random.default_rng(seed)
    world.reset(task, None, random)
    expert = Expert(task, random, variation=world.info()["variation"], noise=noise)
    steps, solved = 0, False
    while not (solved or expert.finished or steps == TASK_STEPS):
        command, _ = read_action(expert.act(world.states()), "delta")
        world.act(command)
        steps += 1
        solved = world.info()["success"]
    wrong = "" if solved else "ran out of time" if steps == TASK_STEPS else "finished without success"
    return Result(solved, steps, wrong)


def _job(arguments: tuple[str, int, float]) -> Result:
    return run_episode(*arguments)


def summary(results: Sequence[Result]) -> dict[str, Any]:
    """Success with its 95 % interval, median and most steps of what succeeded, and what went wrong how often."""
    solved = [result for result in results if result.solved]
    return {
        "episodes": len(results),
        "solved": len(solved),
        "interval": wilson(len(solved), len(results)),
        "median_steps": float(np.median([result.steps for result in solved])) if solved else None,
        "most_steps": max((result.steps for result in solved), default=None),
        "wrong": dict(Counter(result.wrong for result in results if result.wrong)),
    }


@benchmark
def main(arguments: Sequence[str] | None) -> None:
    """Measure and print."""
    what = "Measure how often the scripted experts of RLBench's built-in tasks solve them."
    parser = Parser(prog="python -m benchmarks.rlbench_experts", description=what)
    parser.add_argument("--tasks", nargs="+", default=task_names(), metavar="NAME")
    parser.add_argument("--episodes", type=int, default=50, help="of each task, its variations drawn")
    parser.add_argument("--noise", type=float, default=1.0, help="variety of the experts; 0 for the straight scripts")
    parser.add_argument("--seed", type=int, default=0, help="of the first episode of each task")
    parser.add_argument("--workers", type=int, default=1, help="processes")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    options = parser.parse_args(arguments)
    for task in options.tasks:
        Expert(task, np.random.default_rng(0), noise=options.noise)  # raises what is wrong
    if options.episodes < 1 or options.workers < 1:
        raise UserError(f"{options.episodes} episodes in {options.workers} processes are none; give 1 or more of both")
    seeds = range(options.seed, options.seed + options.episodes)
    jobs = [(task, seed, options.noise) for task in options.tasks for seed in seeds]
    if options.workers == 1:
        results = [_job(job) for job in jobs]
    else:
        with ProcessPoolExecutor(options.workers, mp_context=multiprocessing.get_context("spawn")) as pool:
            results = list(pool.map(_job, jobs, chunksize=10))
    figures, rows = {}, []
    for number, task in enumerate(options.tasks):
        figures[task] = row = summary(results[number * options.episodes : (number + 1) * options.episodes])
        low, high = row["interval"]
        rows.append(
            (
                task,
                f"{row['solved']} of {row['episodes']}",
                f"{100 * low:.0f} - {100 * high:.0f} %",
                "-" if row["median_steps"] is None else f"{row['median_steps']:.0f} ({row['most_steps']})",
                "; ".join(f"{count} {wrong}" for wrong, count in row["wrong"].items()) or "-",
            )
        )
    title = f"experts of RLBench's tasks, noise {options.noise:g}"
    show(title, rows, ("task", "solved", "95 % interval", "steps (most)", "what went wrong"))
    how = {name: getattr(options, name) for name in ("episodes", "noise", "seed")}
    write({**how, "tasks": figures}, options.json)


if __name__ == "__main__":
    sys.exit(main(None))
