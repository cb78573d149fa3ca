"""A benchmark without a simulator, a clock that tests turn, and hands in front of a robot's window."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from agents.robot_agent import RobotAgent
from envs.errors import UserError
from tests.robots import tiny_robot_model
from tests.ui.driver import Driver
from ui.robot_benchmark import Action, Policy, View
from ui.robot_calvin import Calvin
from ui.robot_rig import EXPERT
from ui.robot_screen import RobotScreen
from ui.robot_session import RobotSession, Setup
from ui.robot_window import RobotWindow

FAR = 5.0  # where a task is solved
EDGE = 20.0  # behind it the arm cannot reach


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass
class FakeRecording:
    told: list[Any]
    broken: bool = False
    frames: int = 0

    def add(self, observation: Mapping[str, np.ndarray]) -> None:
        if self.broken and self.frames:
            raise UserError("the disk is full; make room")
        self.frames += 1

    def commit(self, task: str | None = None, sentence: str | None = None) -> tuple[int, int]:
        self.told.append((self.frames, task, sentence))
        return 0, self.frames - 1

    def discard(self) -> None:
        self.told.append("discarded")


@dataclass
class FakeRecorder:
    told: list[Any]
    broken: bool = False

    def begin(self) -> FakeRecording:
        return FakeRecording(self.told, self.broken)

    def close(self) -> None:
        self.told.append("closed")


class FakeSimulation:
    """A point that actions move; to go right is solved far on the right."""

    def __init__(self, bench: FakeBenchmark, scene: str, size: int) -> None:
        self.bench, self.scene, self.size = bench, scene, size
        self.place, self.task, self.closed = np.zeros(6), None, False

    def reset(self, task: str | None, seed: int) -> View:
        self.bench.resets.append((self.scene, task, seed))
        self.place, self.task, self.closed = np.zeros(6), task, task == "hold"
        self.place[1] = seed
        return self.view()

    def go_on(self, task: str | None) -> View:
        self.bench.resets.append("on")
        self.task = task
        return self.view()

    def step(self, action: Action) -> View:
        gate = self.bench.gate
        assert gate is None or gate.acquire(timeout=20), "nobody opened the gate"
        self.bench.actions.append(action)
        self.place, self.closed = self.place + action[:6], action[6] <= 0
        goal = {"right": self.place[0] > FAR, "left": self.place[0] < -FAR}
        return self.view(bool(goal.get(self.task or "", False)))

    def portrait(self, size: int) -> np.ndarray:
        return self.view().pictures["static"].repeat(2, 0).repeat(2, 1)

    def expert(self, task: str, seed: int) -> Policy:
        way = 1.0 if task == "right" else -1.0
        return lambda view: np.array([way, 0, 0, 0, 0, 0, 1], np.float32)

    def close(self) -> None:
        self.bench.resets.append("closed")

    def view(self, solved: bool = False) -> View:
        sides = {"static": self.size, "gripper": self.size // 2}
        colour = (127 + 120 * np.sin(self.place[:3])).astype(np.uint8)
        pictures = {name: np.tile(colour, (side, side, 1)) for name, side in sides.items()}
        trouble = "the arm cannot reach that far" if abs(self.place[0]) > EDGE else None
        return View(pictures, {"robot_obs": self.place.copy()}, 0.04, self.closed, solved=solved, trouble=trouble)


@dataclass
class FakeBenchmark:
    """Tasks "left", "right" and "hold", for which there is no script."""

    gate: threading.Semaphore | None = None
    failing: str = ""  # the scene that cannot be built
    broken: bool = False  # recordings fail
    resets: list[Any] = field(default_factory=list)
    actions: list[Action] = field(default_factory=list)
    told: list[Any] = field(default_factory=list)

    name, world, hz, limit, cameras = "Fake", "calvin", 10, 40, ("static", "gripper")
    scenes, tasks, sizes = ("A", "B"), ("left", "right", "hold"), (20, 40)
    moves = Calvin.moves

    def sentence(self, task: str) -> str:
        return f"go {task}"

    def recorded_as(self, task: str) -> str:
        return f"the {task}"

    def task_of(self, instruction: str) -> str:
        task = instruction.split()[-1]
        if task not in self.tasks:
            raise UserError(f"instruction {instruction!r} asks for no known task; say 'go left'")
        return task

    def why_no_expert(self, task: str | None) -> str:
        return "" if task in ("left", "right") else "There is no script for that."

    def open(self, scene: str, size: int) -> FakeSimulation:
        if scene == self.failing:
            raise UserError(f"scene {scene} is locked; take another")
        return FakeSimulation(self, scene, size)

    def data_set(self, scene: str) -> Path:
        return Path(f"data-{scene}")

    def record(self, folder: Path, scene: str) -> FakeRecorder:
        if folder.name == "locked":
            raise UserError("another program records into locked; choose another folder")
        self.told.append((str(folder), scene))
        return FakeRecorder(self.told, self.broken)


def tiny_agent() -> RobotAgent:
    """An untrained agent that plans three actions."""
    return RobotAgent(tiny_robot_model(sentences=("go right", "go left", "dance")))


def session_of(
    bench: FakeBenchmark, actor: str = EXPERT, task: str | None = "right", words: str = "", **options: Any
) -> RobotSession:
    """A session of the fake benchmark; what is no field of the setup goes to the session."""
    fields = {name: options.pop(name) for name in ("speed", "record", "seed") if name in options}
    setup = Setup("A", task, words or f"go {task}", actor, **fields)
    return RobotSession(bench, setup, **options)


def attend(session: RobotSession, condition: Callable[[], object]) -> None:
    """Poll until something is the case; the clock of a test stands still meanwhile."""
    for _ in range(4000):
        if condition():
            return
        session.poll(0.01)
        if session.failure is not None and not condition():
            raise session.failure
    raise AssertionError("waited in vain")


class RobotDriver(Driver):
    """Posts events to a robot's window."""

    def __init__(self, session: RobotSession, size: tuple[int, int] = (1000, 700)) -> None:
        self.session = session
        self.window = RobotWindow(session, size=size)  # type: ignore[assignment]
        self.window.step()

    @property
    def robot(self) -> RobotScreen:
        assert isinstance(self.window.screen, RobotScreen)
        return self.window.screen

    def up(self, name: str) -> bool:
        import pygame

        return self.post(pygame.KEYUP, key=pygame.key.key_code(name), mod=0, unicode="")

    def press(self, action: str) -> bool:
        button = next(button for button in self.robot.panel.buttons if button.action == action)
        return self.click(button.rect.center)
