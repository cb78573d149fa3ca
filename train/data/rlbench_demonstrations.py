"""Demonstrations of RLBench's built-in tasks."""

from __future__ import annotations

import argparse
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from envs.rlbench.actions import read_action
from envs.rlbench.dataset import CAMERAS, SIZES, frame_of, rlbench_kind
from envs.rlbench.env import make_world
from envs.rlbench.language import sentences_for
from envs.rlbench.tasks import check_task, task_names
from envs.rlbench.world import OPEN, TASK_STEPS, SimulatorError
from envs.tabletop.dataset_files import DatasetKind
from train.data.demonstrations import Cost, Frame, StartError, load_expert

EXPERT = "envs.rlbench.experts:Expert"


@dataclass(frozen=True)
class RLBenchSetting:
    """A `Setting`."""

    seed: int = 0
    noise: float = 1.0
    expert: str = EXPERT
    agent: str = ""

    world: ClassVar[str] = "rlbench"
    steps: ClassVar[int] = TASK_STEPS
    cost: ClassVar[Cost] = Cost(70, 20_000, 0.012)

    @property
    def kind(self) -> DatasetKind:
        """See `Setting`."""
        return rlbench_kind()

    def origin(self, task: str) -> Sequence[int]:
        """See `Setting`. A task's episodes stay as they are when there are more tasks some day."""
        return self.seed, zlib.crc32(task.encode())

    def open(self) -> RLBenchStage:
        """See `Setting`."""
        return RLBenchStage(self)


class RLBenchStage:
    """A `Stage`: the world itself, which goes on after success where the environment's episodes are over."""

    def __init__(self, setting: RLBenchSetting) -> None:
        self._setting = setting
        self._expert = load_expert(setting.expert)
        self._world = make_world("builtin", dict(SIZES))
        self._task, self._variation, self._gripper = "", 0, OPEN

    def begin(self, task: str, random: np.random.Generator) -> Frame:
        """See `Stage`; the variation is drawn too."""
        try:
            self._world.reset(task, None, random)
        except SimulatorError as error:
            raise StartError(str(error)) from error
        self._task, self._variation, self._gripper = task, self._world.info()["variation"], OPEN
        return self._look()

    def begin_here(self) -> None:
        """See `Stage`; success is a state of the things here, wherever they started."""

    def sentences(self) -> Sequence[str]:
        """See `Stage`."""
        return sentences_for(self._task, self._variation)

    def notes(self) -> Mapping[str, Any]:
        """See `Stage`."""
        return {"variation": self._variation}

    def expert(self, random: np.random.Generator) -> Any:
        """See `Stage`."""
        return self._expert(self._task, random, variation=self._variation, noise=self._setting.noise)

    def advised(self, expert: Any) -> np.ndarray:
        """See `Stage`."""
        action: np.ndarray = expert.act(self._world.states())
        return action

    def step(self, action: np.ndarray) -> tuple[Frame, bool]:
        """See `Stage`."""
        command, _ = read_action(action, "delta")
        self._world.act(command)
        self._gripper = command.gripper
        return self._look(), bool(self._world.info()["success"])

    def go_on(self) -> None:
        """See `Stage`; the world goes on by itself."""

    def close(self) -> None:
        """See `Stage`."""
        self._world.close()

    def _look(self) -> Frame:
        pictures = {name: self._world.picture(name)[0] for name in CAMERAS}
        return frame_of(self._world.states(), pictures, self._gripper)


def add_options(parser: argparse.ArgumentParser) -> None:
    """RLBench's own part of the command line."""
    add = parser.add_argument
    add("--tasks", default="all", help="names with commas between (default: all that are built in)")
    add("--out", type=Path, help="folder (default: runs/rlbench)")


def make_setting(options: argparse.Namespace) -> tuple[RLBenchSetting, list[str], Path]:
    """The setting, the tasks in their order, and the default folder of a command line; raises UserError."""
    names = [name for name in options.tasks.split(",") if name]
    tasks = list(task_names()) if names in ([], ["all"]) else sorted({check_task(name) for name in names})
    return RLBenchSetting(options.seed, options.noise, EXPERT, options.agent), tasks, Path("runs") / "rlbench"
