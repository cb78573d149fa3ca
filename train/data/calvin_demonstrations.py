"""Demonstrations at CALVIN's play table."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from envs.calvin.dataset import calvin_kind
from envs.calvin.env import CalvinEnv
from envs.calvin.language import sentences_for
from envs.calvin.layouts import LAYOUTS, Layout, layout
from envs.calvin.sequences import SINGLE_STEPS, VIDEOWORLD_TASKS, after, start_observation, start_states
from envs.calvin.starts import start_for
from envs.calvin.tasks import TASKS, check_task, is_solved
from envs.tabletop.dataset_files import DatasetKind
from train.data.demonstrations import Cost, Frame, load_expert

EXPERT = "envs.calvin.experts:Expert"


@dataclass(frozen=True)
class CalvinSetting:
    """A `Setting`. scene: A to D. depth: whether to keep what the cameras measured."""

    scene: str = "D"
    seed: int = 0
    noise: float = 1.0
    depth: bool = False
    expert: str = EXPERT
    agent: str = ""

    world: ClassVar[str] = "calvin"
    steps: ClassVar[int] = SINGLE_STEPS

    @property
    def kind(self) -> DatasetKind:
        """See `Setting`."""
        return calvin_kind(self.scene, depth=self.depth)

    @property
    def cost(self) -> Cost:
        """See `Setting`."""
        return Cost(60, 195_000 if self.depth else 40_000, 0.012)

    def origin(self, task: str) -> Sequence[int]:
        """See `Setting`."""
        return self.seed, tuple(LAYOUTS).index(self.scene), TASKS.index(task)

    def open(self) -> CalvinStage:
        """See `Setting`."""
        return CalvinStage(self)


class CalvinStage:
    """A `Stage`."""

    def __init__(self, setting: CalvinSetting) -> None:
        self._setting, self._layout = setting, layout(setting.scene)
        self._expert = load_expert(setting.expert)
        self._env = CalvinEnv(scene=setting.scene, depth=setting.depth)
        self._task = ""
        self._start: dict[str, Any] = {}
        self._seen: Frame = {}

    def begin(self, task: str, random: np.random.Generator) -> Frame:
        """See `Stage`."""
        robot, scene = draw_start(task, self._layout, random)
        self._task = task
        self._seen, self._start = self._env.reset(options={"task": task, "robot_obs": robot, "scene_obs": scene})
        return self._seen

    def begin_here(self) -> None:
        """See `Stage`."""
        self._start = self._env.start_task(self._task)

    def sentences(self) -> Sequence[str]:
        """See `Stage`."""
        return sentences_for(self._task)

    def notes(self) -> Mapping[str, Any]:
        """See `Stage`."""
        return {}

    def expert(self, random: np.random.Generator) -> Any:
        """See `Stage`."""
        return self._expert(self._task, self._layout, random, noise=self._setting.noise)

    def advised(self, expert: Any) -> np.ndarray:
        """See `Stage`."""
        action: np.ndarray = expert.act(self._seen["robot_obs"], self._seen["scene_obs"])
        return action

    def step(self, action: np.ndarray) -> tuple[Frame, bool]:
        """See `Stage`."""
        self._seen, _, _, _, info = self._env.step(action)
        return self._seen, is_solved(self._task, self._start, info)

    def go_on(self) -> None:
        """See `Stage`."""
        self._env.start_task()

    def close(self) -> None:
        """See `Stage`."""
        self._env.close()


def add_options(parser: argparse.ArgumentParser) -> None:
    """CALVIN's own part of the command line."""
    add = parser.add_argument
    add("--tasks", default="", help="names with commas between, or all (default: the 12 of VideoWorld's evaluation)")
    add("--scene", default="D", help="A, B, C or D (default: %(default)s)")
    add("--out", type=Path, help="folder (default: runs/calvin-SCENE)")
    add("--depth", action="store_true", help="keep depth too; frames are five times as large")


def make_setting(options: argparse.Namespace) -> tuple[CalvinSetting, list[str], Path]:
    """The setting, the tasks in their order, and the default folder of a command line; raises UserError."""
    layout(options.scene)
    names = [name for name in options.tasks.split(",") if name] or VIDEOWORLD_TASKS
    names = TASKS if options.tasks == "all" else names
    tasks = sorted({check_task(name) for name in names}, key=TASKS.index)
    setting = CalvinSetting(options.scene, options.seed, options.noise, options.depth, EXPERT, options.agent)
    return setting, tasks, Path("runs") / f"calvin-{options.scene}"


def draw_start(task: str, plan: Layout, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """robot_obs (15,) and scene_obs (24,) of a start in which `task` makes sense.

    Half of them are `start_for`'s, with arm, blocks and everything else that the task leaves open as they come. The
    other half, in scene D, are built as the published evaluation builds its own: one of its symbolic states, the same
    places for blocks, but other turns of them. The evaluation's generator is seeded by the state, this one from the
    recording's seed, and a start that should come out the same is drawn again: no start of the evaluation is ever
    recorded from.
    """
    if plan.name == "D":
        states = [state for state in start_states() if after(state, task) is not None]
        if states and random.random() < 0.5:
            state = states[int(random.integers(len(states)))]
            for robot, scene in _starts(state, random):
                if not np.allclose(scene, start_observation(state)[1], atol=1e-4):
                    return robot, scene
    return start_for(task, plan, random, arm_spread=1.0, vary_scene=True)


def _starts(state: Any, random: np.random.Generator) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    while True:
        yield start_observation(state, np.random.RandomState(int(random.integers(2**32))))
