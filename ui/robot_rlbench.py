"""RLBench's tasks in the robot window."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from envs.errors import UserError
from envs.files import data_folder
from envs.rlbench.actions import read_action
from envs.rlbench.dataset import CAMERAS, frame_of, rlbench_kind
from envs.rlbench.env import make_world
from envs.rlbench.experts import Expert
from envs.rlbench.language import instruction_for, meaning_of
from envs.rlbench.tasks import check_task, check_variation, task_named, task_names
from envs.rlbench.world import CLOSED, CONTROL_HZ, OPEN, SIDE, TASK_STEPS, SimulatorError
from envs.tabletop.dataset_writer import DatasetWriter
from ui.robot_benchmark import Action, Policy, View, held_back, persistent

SIDES = (SIDE, 2 * SIDE)  # px of both cameras; RLBench's own first
ROOM = "room"
SCENES: tuple[str, ...] = (ROOM,)

# The front camera looks along -x, so that y is its right; actions turn about the world's axes.
_MOVES: Mapping[str, tuple[int, int]] = {
    "right": (1, 1), "left": (1, -1), "away": (0, -1), "near": (0, 1), "up": (2, 1), "down": (2, -1),
    "roll_left": (3, -1), "roll_right": (3, 1), "tilt_away": (4, 1), "tilt_near": (4, -1),
    "turn_left": (5, 1), "turn_right": (5, -1),
}  # fmt: skip


def name_of(task: str, variation: int) -> str:
    """What the window calls a variation of a task: "open_drawer 1", or "close_box" where there is only one.

    Raises:
        UserError: there is no such task or variation.
    """
    check_variation(task, variation)
    return task if task_named(task).variations == 1 else f"{task} {variation}"


def read_name(name: str) -> tuple[str, int]:
    """Task and variation of such a name; UserError as above."""
    task, _, variation = name.partition(" ")
    return check_task(task), check_variation(task, int(variation or 0))


def _all_names() -> tuple[str, ...]:
    return tuple(name_of(task, number) for task in task_names() for number in range(task_named(task).variations))


@dataclass
class RLBench:
    """A `Benchmark`. backend: as in `RLBenchEnv`."""

    backend: str = "builtin"
    sizes: tuple[int, ...] = field(init=False)

    name, world = "RLBench", "rlbench"
    hz = CONTROL_HZ
    limit = TASK_STEPS
    cameras = CAMERAS
    scenes = SCENES
    tasks = _all_names()
    moves = _MOVES

    def __post_init__(self) -> None:
        # Of the official simulator there can be one in a process, and its pictures keep their size.
        self.sizes = SIDES if self.backend == "builtin" else SIDES[:1]

    def sentence(self, task: str) -> str:
        """See `Benchmark`."""
        return instruction_for(*read_name(task))

    def recorded_as(self, task: str) -> str:
        """See `Benchmark`; the sentence tells the variation."""
        return read_name(task)[0]

    def task_of(self, instruction: str) -> str:
        """See `Benchmark`; of several variations that words may mean, the first."""
        meaning = meaning_of(instruction)
        return name_of(meaning.task, meaning.variations[0])

    def why_no_expert(self, task: str | None) -> str:
        """See `Benchmark`."""
        if self.backend != "builtin":
            return "The expert's scripts are made for the built-in models of the tasks."
        return "The expert follows scripts of known tasks, and this instruction asks for none." if task is None else ""

    def open(self, scene: str, size: int) -> RLBenchSimulation:
        """See `Benchmark`."""
        return RLBenchSimulation(self.backend, size)

    def data_set(self, scene: str) -> Path:
        """See `Benchmark`."""
        return data_folder() / "demonstrations" / "rlbench"

    def record(self, folder: Path, scene: str) -> DatasetWriter:
        """See `Benchmark`; what is recorded becomes the split `training` of the data set in `folder`."""
        return DatasetWriter(folder / "training", rlbench_kind())


class RLBenchSimulation:
    """A `Simulation`: a world that is told "delta" actions."""

    def __init__(self, backend: str, size: int) -> None:
        """size: side of both cameras' pictures, px."""
        self._draws = backend == "builtin"  # pictures of any size
        try:
            self.world = make_world(backend, dict.fromkeys(CAMERAS, (size, size)))
        except SimulatorError as error:
            raise UserError(f"{error}; examples/rlbench.md lists what helps") from error
        self._placed = RLBench.tasks[0]  # whose things stand there
        self._asked = False  # whether success counts
        self._stale = False  # whether it was there already when the task was asked for
        self._closed = False

    def reset(self, task: str | None, seed: int) -> View:
        """See `Simulation`; words that ask for no known task get the things of the task before."""
        name, variation = read_name(task or self._placed)
        try:
            self.world.reset(name, variation, np.random.default_rng(seed))
        except SimulatorError as error:
            raise UserError(f"{error}; N makes another start") from error
        self._placed, self._asked, self._stale, self._closed = task or self._placed, task is not None, False, False
        return self._view()

    def go_on(self, task: str | None) -> View:
        """See `Simulation`; a task that is done counts again once it has been undone."""
        if task not in (None, self._placed):
            raise UserError(f"the things of {self._placed} stand here, and {task} needs others; start anew with it")
        self._asked, self._stale = task is not None, bool(self.world.info()["success"])
        return self._view()

    def step(self, action: Action) -> View:
        """See `Simulation`."""
        command, trouble = read_action(action, "delta")
        try:
            self.world.act(command)
        except SimulatorError as error:
            raise UserError(f"{error}; N makes another start") from error
        self._closed = command.gripper != OPEN
        info = self.world.info()
        self._stale = self._stale and bool(info["success"])
        if info["failed"] and trouble is None:
            trouble = "nothing can solve the task any more"
        return self._view(self._asked and bool(info["success"]) and not self._stale, trouble or info["trouble"])

    def portrait(self, size: int) -> NDArray[np.uint8]:
        """See `Simulation`."""
        return self.world.overview(size) if self._draws else self.world.picture(RLBench.cameras[0])[0]

    def expert(self, task: str, seed: int) -> Policy:
        """See `Simulation`; after an attempt in vain the script begins anew."""
        (name, variation), random = read_name(task), np.random.default_rng(seed)
        return persistent(
            lambda: Expert(name, random, variation=variation), lambda expert, view: expert.act(view.observation)
        )

    def close(self) -> None:
        """See `Simulation`."""
        self.world.close()

    def _view(self, solved: bool = False, trouble: str | None = None) -> View:
        pictures = {name: self.world.picture(name)[0] for name in CAMERAS}
        states, lead = self.world.states(), self.world.ahead()
        return View(
            pictures=pictures,
            observation={**states, **frame_of(states, pictures, CLOSED if self._closed else OPEN)},
            opening=float(states["gripper_joint_positions"].sum()),
            closed=self._closed,
            lead=lead,
            solved=solved,
            trouble=trouble or held_back(lead),
        )
