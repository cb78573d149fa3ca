"""How often the play table's scripted experts solve their tasks, and how fast; without a camera.

    python -m benchmarks.calvin_experts [--tasks NAME ...] [--scene D] [--episodes 50] [--noise 1] [--json FILE]

Episode i of a task starts and varies by --seed + i, whoever runs it, so the figures do not depend on --workers.
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
from envs.calvin.env import CalvinEnv
from envs.calvin.experts import EXPERTS, Expert
from envs.calvin.layouts import LAYOUTS, TOP
from envs.calvin.sequences import SINGLE_STEPS, VIDEOWORLD_TASKS, make_chains, start_observation
from envs.calvin.starts import start_for
from envs.errors import UserError

STARTS = {
    "varied": "the arm near home, and all else as the task allows",
    "plain": "the arm at home, and all else closed, dark and on the table",
    "protocol": "those of VideoWorld's published chains; its twelve tasks only",
}
MOVED = 0.02  # m; another block that has gone further was pushed along


class Result(NamedTuple):
    """How an episode went: whether it was solved, after how many steps, what went wrong, what else happened."""

    solved: bool
    steps: int
    wrong: str
    besides: str


@lru_cache(maxsize=1)
def _environment(scene: str) -> CalvinEnv:
    return CalvinEnv(scene=scene, cameras=(), max_steps=SINGLE_STEPS)


@lru_cache(maxsize=1)
def _chains() -> dict[str, list[Any]]:
    """Task -> the states that the published chains ask for it in."""
    states: dict[str, list[Any]] = {}
    for chain in make_chains(1000, length=1, tasks=VIDEOWORLD_TASKS):
        states.setdefault(chain.tasks[0], []).append(chain.state)
    return states


def run_episode(task: str, scene: str, seed: int, noise: float, starts: str) -> Result:
    """Let the expert try a task once, in at most 240 steps."""
    env, layout = _environment(scene), LAYOUTS[scene]
    random = np.random.default_rng(seed)
    if starts == "protocol":
        states = _chains()[task]
        robot, scene_obs = start_observation(states[seed % len(states)])
    else:
        varied = starts == "varied"
        robot, scene_obs = start_for(task, layout, random, arm_spread=float(varied), vary_scene=varied)
    observation, _ = env.reset(seed=seed, options={"task": task, "robot_obs": robot, "scene_obs": scene_obs})
    before = observation["scene_obs"][6:].reshape(-1, 6)[:, :3]
    expert = Expert(task, layout, random, noise=noise)
    steps, solved, over = 0, False, False
    while not (solved or over or expert.finished):
        action = expert.act(observation["robot_obs"], observation["scene_obs"])
        observation, _, solved, over, _ = env.step(action)
        steps += 1
    after = observation["scene_obs"][6:].reshape(-1, 6)[:, :3]
    wrong = "" if solved else "ran out of time" if over else "finished without success"
    besides = []
    for colour, old, new in zip(layout.order, before, after, strict=True):
        if new[2] < TOP - 0.02 <= old[2] and "drawer" not in task:
            besides.append("a block fell")
        elif f"_{colour}_" not in task and np.linalg.norm(new - old) > MOVED and "block" in task:
            besides.append("another block moved")
    return Result(solved, steps, wrong, ", ".join(sorted(set(besides))))


def _job(arguments: tuple[str, str, int, float, str]) -> Result:
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
        "besides": dict(Counter(result.besides for result in results if result.besides)),
    }


@benchmark
def main(arguments: Sequence[str] | None) -> None:
    """Measure and print."""
    what = "Measure how often the scripted experts of the play table solve their tasks."
    parser = Parser(prog="python -m benchmarks.calvin_experts", description=what)
    parser.add_argument("--tasks", nargs="+", default=EXPERTS, metavar="NAME", help="'published' for VideoWorld's 12")
    parser.add_argument("--episodes", type=int, default=50, help="of each task")
    parser.add_argument("--scene", choices=tuple(LAYOUTS), default="D")
    parser.add_argument("--noise", type=float, default=1.0, help="variety of the experts; 0 for the straight scripts")
    parser.add_argument("--starts", choices=tuple(STARTS), default="varied", help=str(STARTS))
    parser.add_argument("--seed", type=int, default=0, help="of the first episode of each task")
    parser.add_argument("--workers", type=int, default=1, help="processes")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    options = parser.parse_args(arguments)
    tasks = VIDEOWORLD_TASKS if list(options.tasks) == ["published"] else tuple(options.tasks)
    for task in tasks:
        Expert(task, LAYOUTS[options.scene], np.random.default_rng(0), noise=options.noise)  # raises what is wrong
        if options.starts == "protocol" and task not in VIDEOWORLD_TASKS:
            raise UserError(f"the published chains never ask for {task}; choose other --starts or --tasks published")
    if options.starts == "protocol" and options.scene != "D":
        raise UserError(f"the published chains play in scene D, not {options.scene}; choose other --starts")
    if options.episodes < 1 or options.workers < 1:
        raise UserError(f"{options.episodes} episodes in {options.workers} processes are none; give 1 or more of both")
    seeds = range(options.seed, options.seed + options.episodes)
    jobs = [(task, options.scene, seed, options.noise, options.starts) for task in tasks for seed in seeds]
    if options.workers == 1:
        results = [_job(job) for job in jobs]
    else:
        with ProcessPoolExecutor(options.workers, mp_context=multiprocessing.get_context("spawn")) as pool:
            results = list(pool.map(_job, jobs, chunksize=5))
    figures, rows = {}, []
    for number, task in enumerate(tasks):
        own = results[number * options.episodes : (number + 1) * options.episodes]
        figures[task] = row = summary(own)
        low, high = row["interval"]
        remarks = [f"{count} {what}" for what, count in (*row["wrong"].items(), *row["besides"].items())]
        rows.append(
            (
                task,
                f"{row['solved']} of {row['episodes']}",
                f"{100 * low:.0f} - {100 * high:.0f} %",
                "-" if row["median_steps"] is None else f"{row['median_steps']:.0f} ({row['most_steps']})",
                "; ".join(remarks) or "-",
            )
        )
    title = f"experts in scene {options.scene}, noise {options.noise:g}, starts {options.starts}"
    show(title, rows, ("task", "solved", "95 % interval", "steps (most)", "what went wrong"))
    how = {name: getattr(options, name) for name in ("scene", "episodes", "noise", "starts", "seed")}
    write({**how, "tasks": figures}, options.json)


if __name__ == "__main__":
    sys.exit(main(None))
