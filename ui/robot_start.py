"""From the command line of a robot's window to its session: every mistake is found before anything slow begins."""

from __future__ import annotations

import argparse
import functools
import random
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from agents.checkpoint_config import checkpoint_settings, robot_world
from agents.sentences import check_sentence
from envs.calvin.layouts import layout
from envs.calvin.tasks import check_task
from envs.errors import UserError
from envs.rlbench import tasks as rlbench_tasks
from envs.tabletop.scene import load_pybullet
from ui.asker import make_asker
from ui.options import ROBOT_CHECKPOINTS
from ui.robot_benchmark import Benchmark
from ui.robot_calvin import Calvin
from ui.robot_rlbench import ROOM, RLBench, name_of
from ui.robot_session import RobotSession, Setup

if TYPE_CHECKING:
    from agents.robot_agent import RobotAgent

CALVIN_TASK, RLBENCH_TASK = "turn_on_lightbulb", "close_microwave"
_CURE = "give an agent's folder with --checkpoint FOLDER"


def calvin_setup(args: argparse.Namespace, seed: int) -> tuple[Calvin, Setup]:
    """What `play.py calvin` shows and begins with; raises UserError for what cannot be."""
    load_pybullet()
    benchmark = Calvin(args.backend, args.assets)
    layout(args.scene)
    task, instruction = _told(args, benchmark, check_task(args.task or CALVIN_TASK))
    if args.assets is not None and not args.assets.is_dir():
        raise UserError(f"assets folder {args.assets} is not there; give the folder 'data' of calvin_env")
    setup = Setup(args.scene, task, instruction, speed=args.speed, record=args.record, seed=seed)
    return benchmark, setup


def rlbench_setup(args: argparse.Namespace, seed: int) -> tuple[RLBench, Setup]:
    """What `play.py rlbench` shows and begins with; raises UserError for what cannot be."""
    if args.backend == "builtin":
        load_pybullet()
    benchmark, variation = RLBench(args.backend), args.variation
    if variation is not None and args.instruction is not None:
        raise UserError(f"--variation {variation} goes with --task; the words of --instruction say it themselves")
    name = args.task or RLBENCH_TASK
    if variation is None:
        variation = random.Random(seed).randrange(rlbench_tasks.task_named(name).variations)
    task, instruction = _told(args, benchmark, name_of(name, variation))
    return benchmark, Setup(ROOM, task, instruction, speed=args.speed, record=args.record, seed=seed)


def _told(args: argparse.Namespace, benchmark: Benchmark, task: str) -> tuple[str | None, str]:
    """The task that is to be done, and in which words: those of --instruction, or the ones for `task`."""
    if args.instruction is None:
        return task, benchmark.sentence(task)
    instruction = check_sentence(args.instruction)
    try:
        return benchmark.task_of(instruction), instruction
    except UserError:  # the agent is told all the same
        return None, instruction


def agent_of(args: argparse.Namespace, seed: int) -> tuple[Callable[[], RobotAgent] | None, str]:
    """What loads the agent, or None and a sentence on why there is none; UserError where one is named in vain."""
    folder: Path = args.checkpoint or ROBOT_CHECKPOINTS[args.mode]
    if args.checkpoint is None and not (folder / "config.yaml").is_file():
        place = f"{folder.parent.parent.name}/{folder.parent.name}/{folder.name}"
        return None, f"There is no agent in {place}: train one (python -m train experiment={folder.name}) or {_CURE}."
    head = robot_world(checkpoint_settings(folder, _CURE), folder, args.mode).get("inverse_dynamics")
    steps = head.get("steps") if isinstance(head, dict) else None
    if args.replan is not None and isinstance(steps, int) and not 1 <= args.replan <= steps:
        raise UserError(f"--replan is {args.replan}: this agent plans {steps} actions, so give 1 to {steps}")
    return functools.partial(_load, folder, args.mode, args.temperature, args.replan, seed), ""


def _load(folder: Path, world: str, temperature: float, replan: int | None, seed: int) -> RobotAgent:
    """Runs in a thread, and only here torch is imported."""
    from agents.robot_agent import RobotAgent

    return RobotAgent.load(folder, world, temperature=temperature, replan=replan, seed=seed)


def robot_session(args: argparse.Namespace, seed: int) -> RobotSession:
    """The session that the options ask for, which begins to load at once; raises UserError."""
    benchmark, setup = _SETUPS[args.mode](args, seed)
    load, why_not = agent_of(args, seed)
    asker = make_asker(args.ask)
    if setup.record is not None:
        benchmark.record(setup.record, setup.scene).close()  # a folder that cannot be had is told now
    return RobotSession(benchmark, setup, load, no_agent=why_not, asker=asker)


_SETUPS: dict[str, Callable[[argparse.Namespace, int], tuple[Benchmark, Setup]]] = {
    "calvin": calvin_setup,
    "rlbench": rlbench_setup,
}
