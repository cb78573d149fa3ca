"""From the command line of a robot's window to its session: every mistake is found before anything slow begins."""

from __future__ import annotations

import argparse
import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from agents.checkpoint_config import checkpoint_settings, robot_world
from agents.sentences import check_sentence
from envs.calvin.layouts import layout
from envs.calvin.tasks import check_task
from envs.errors import UserError
from envs.tabletop.scene import load_pybullet
from ui.options import ROBOT_CHECKPOINT
from ui.robot_calvin import Calvin
from ui.robot_session import RobotSession, Setup

if TYPE_CHECKING:
    from agents.robot_agent import RobotAgent

DEFAULT_TASK = "turn_on_lightbulb"
ROLLOUT = "python -m agents.rollout calvin --checkpoint FOLDER"
_CURE = "give an agent's folder with --checkpoint FOLDER"


def calvin_setup(args: argparse.Namespace, seed: int) -> tuple[Calvin, Setup]:
    """What the window shows and begins with; raises UserError for what cannot be."""
    load_pybullet()
    benchmark = Calvin(args.backend, args.assets)
    layout(args.scene)
    if args.instruction is None:
        task: str | None = check_task(args.task or DEFAULT_TASK)
        instruction = benchmark.sentence(task or DEFAULT_TASK)
    else:
        instruction = check_sentence(args.instruction)
        try:
            task = benchmark.task_of(instruction)
        except UserError:  # the agent is told all the same
            task = None
    if args.assets is not None and not args.assets.is_dir():
        raise UserError(f"assets folder {args.assets} is not there; give the folder 'data' of calvin_env")
    setup = Setup(args.scene, task, instruction, speed=args.speed, record=args.record, seed=seed)
    return benchmark, setup


def agent_of(args: argparse.Namespace, seed: int) -> tuple[Callable[[], RobotAgent] | None, str]:
    """What loads the agent, or None and a sentence on why there is none; UserError where one is named in vain."""
    folder: Path = args.checkpoint or ROBOT_CHECKPOINT
    if args.checkpoint is None and not (folder / "config.yaml").is_file():
        place = f"{folder.parent.parent.name}/{folder.parent.name}/{folder.name}"
        return None, f"There is no agent in {place}: train one (python -m train experiment=calvin-small) or {_CURE}."
    head = robot_world(checkpoint_settings(folder, _CURE), folder, "calvin").get("inverse_dynamics")
    steps = head.get("steps") if isinstance(head, dict) else None
    if args.replan is not None and isinstance(steps, int) and not 1 <= args.replan <= steps:
        raise UserError(f"--replan is {args.replan}: this agent plans {steps} actions, so give 1 to {steps}")
    return functools.partial(_load, folder, args.temperature, args.replan, seed), ""


def _load(folder: Path, temperature: float, replan: int | None, seed: int) -> RobotAgent:
    """Runs in a thread, and only here torch is imported."""
    from agents.robot_agent import RobotAgent

    return RobotAgent.load(folder, "calvin", temperature=temperature, replan=replan, seed=seed)


def calvin_session(args: argparse.Namespace, seed: int) -> RobotSession:
    """The session that the options ask for, which begins to load at once; raises UserError."""
    benchmark, setup = calvin_setup(args, seed)
    load, why_not = agent_of(args, seed)
    if setup.record is not None:
        benchmark.record(setup.record, setup.scene).close()  # a folder that cannot be had is told now
    return RobotSession(benchmark, setup, load, no_agent=why_not)
