"""What the robot window asks of a benchmark, so that one window serves them all; and what benchmarks answer alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

Action: TypeAlias = NDArray[np.float32]  # (7,) in -1..1: x, y, z, three turns, gripper (above 0 open)

ACTION_NAMES = ("x", "y", "z", "turn x", "turn y", "turn z", "gripper")
# What a held key does, as the scene camera's picture shows it: the hand moves, turns about the vertical, or lets its
# fingertips swing.
MOVES = (
    "right", "left", "away", "near", "up", "down",
    "turn_left", "turn_right", "tilt_away", "tilt_near", "roll_left", "roll_right",
)  # fmt: skip

HELD_BACK = 0.06  # m between hand and target from which something must be in the way
PATIENCE = 15  # steps that a finished script's work has to take effect


@dataclass(frozen=True)
class View:
    """What there is to see after a step.

    Attributes:
        pictures: uint8 (h, w, 3) of each camera.
        observation: the environment's own, for experts and recordings.
        opening: m between the fingers. closed: whether they were last told to close.
        lead: float64 (6,), how far the pose that the hand was told to go to is ahead of it, m and rad.
        solved: whether this step has solved the task.
        trouble: why the arm does not do what it was told, in words; None where it does.
    """

    pictures: Mapping[str, NDArray[np.uint8]]
    observation: Mapping[str, np.ndarray]
    opening: float
    closed: bool
    lead: NDArray[np.float64] = field(default_factory=lambda: np.zeros(6))
    solved: bool = False
    trouble: str | None = None


Policy: TypeAlias = Callable[[View], Action]


class Script(Protocol):
    """A scripted expert in one attempt."""

    @property
    def finished(self) -> bool:
        """Whether it has nothing more to do."""
        ...


S = TypeVar("S", bound=Script)


def persistent(make: Callable[[], S], act: Callable[[S, View], Action]) -> Policy:
    """An expert that begins anew after an attempt in vain; `act` gives its next action."""
    expert, waited = make(), 0

    def policy(view: View) -> Action:
        nonlocal expert, waited
        waited += expert.finished
        if waited > PATIENCE:
            expert, waited = make(), 0
        return act(expert, view)

    return policy


def held_back(lead: NDArray[np.float64]) -> str | None:
    """What to say where the hand stays behind its target, (6,) as in `View`; None where it does not."""
    behind = float(np.linalg.norm(lead[:3]))
    if behind <= HELD_BACK:
        return None
    return f"something is in the way: the hand is {100 * behind:.0f} cm behind where it was told to go"


class Simulation(Protocol):
    """A robot at work. The worker's thread makes it and calls everything."""

    def reset(self, task: str | None, seed: int) -> View:
        """A start in which the task makes sense; the same seed gives the same one."""
        ...

    def go_on(self, task: str | None) -> View:
        """Another task, or the same anew, from here on; UserError where the other one needs other things."""
        ...

    def step(self, action: Action) -> View:
        """Let the arm act; raises UserError for what is no action."""
        ...

    def portrait(self, size: int) -> NDArray[np.uint8]:
        """What the scene camera sees now, uint8 (size, size, 3), or of its own size where it has but one."""
        ...

    def expert(self, task: str, seed: int) -> Policy:
        """One scripted attempt at a task from where things are now. UserError where there is no script."""
        ...

    def close(self) -> None:
        """End it."""
        ...


class Recorder(Protocol):
    """An open data set."""

    def begin(self) -> Recording:
        """An episode, frame by frame; UserError where the disk refuses."""
        ...

    def close(self) -> None:
        """Leave the data set whole."""
        ...


class Recording(Protocol):
    """An episode on its way into a data set."""

    def add(self, observation: Mapping[str, np.ndarray]) -> None:
        """The next observation. UserError where the disk refuses."""
        ...

    def commit(self, task: str | None = None, sentence: str | None = None) -> tuple[int, int]:
        """Keep it, with the words for what was done in it, if they are known; its first and last frame."""
        ...

    def discard(self) -> None:
        """Leave nothing of it."""
        ...


class Benchmark(Protocol):
    """Tables, tasks and data sets. Nothing here is slow but what says so.

    Attributes:
        name: for people. world: in commands, and what an agent has to know.
        hz: actions a second.
        limit: steps that a task may take.
        cameras: names of the scene's and the arm's camera.
        scenes: what there is to choose from; one alone is not spoken of. tasks: names of what can be done.
        moves: each of MOVES -> which of the six numbers of an action, and its sign.
        sizes: sides of the scene camera's pictures to choose from, px; the first is what recordings have.
    """

    name: str
    world: str
    hz: int
    limit: int
    cameras: tuple[str, str]
    scenes: tuple[str, ...]
    tasks: tuple[str, ...]
    sizes: tuple[int, ...]
    moves: Mapping[str, tuple[int, int]]

    def sentence(self, task: str) -> str:
        """How the task is asked for."""
        ...

    def recorded_as(self, task: str) -> str:
        """What data sets call the task."""
        ...

    def task_of(self, instruction: str) -> str:
        """The task that an instruction asks for; UserError, with a hint, where it is none."""
        ...

    def why_no_expert(self, task: str | None) -> str:
        """Why no script can do the task, as a sentence; "" where one can."""
        ...

    def open(self, scene: str, size: int) -> Simulation:
        """Start a simulation whose scene camera draws `size` px; slow. UserError where it cannot be had."""
        ...

    def data_set(self, scene: str) -> Path:
        """Where recordings go if nobody says so."""
        ...

    def record(self, folder: Path, scene: str) -> Recorder:
        """Open a data set for writing; UserError where that cannot be."""
        ...
