"""RLBench as a benchmark for rollouts: its episodes, their starts, sentences, and the world behind them."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from agents import rollout_shared
from agents.rollout_episodes import Episode, SimulationError
from agents.rollout_shared import EPISODES, Draws, Pictures, choose, read_tasks
from envs.errors import UserError
from envs.rlbench.actions import read_action
from envs.rlbench.dataset import CAMERAS, SIZES
from envs.rlbench.env import BACKENDS, make_world
from envs.rlbench.language import instruction_for, sentences_for
from envs.rlbench.tasks import check_task, check_variation, task_named, task_names
from envs.rlbench.world import CONTROL_HZ, TASK_STEPS, SimulatorError, World

STEPS = TASK_STEPS
CHECKPOINT = "robots-small"
TRIES = 5  # episodes in a row that cannot even begin, after which the simulator is given up

# Ren et al. 2025, table 3: percent solved.
PUBLISHED = {
    "VideoWorld": {"close_microwave": 67.1, "close_fridge": 62.5},
    "oracle": {"close_microwave": 72.1, "close_fridge": 69.0},
}


@dataclass(frozen=True)
class RLBenchBenchmark:
    """Episodes of RLBench's tasks, each from a start and, where there are several, of a variation drawn from the seed.

    Attributes:
        tasks: by name. count: episodes of each of them.
        variation: of all episodes; None: drawn for each.
        backend: as in `RLBenchEnv`. With "official", any task of the installed package may be named.
        language: "protocol" (RLBench's first sentence of the variation), "own" (one of those that training data ask in)
            or "held-out" (one that they leave out); the last two know the built-in tasks' sentences alone.
        seed: of starts, variations, sentences and sampling.
    """

    tasks: tuple[str, ...]
    count: int = EPISODES
    variation: int | None = None
    backend: str = "builtin"
    language: str = "protocol"
    seed: int = 0

    name = world = "rlbench"
    hz = CONTROL_HZ

    def __post_init__(self) -> None:
        for task in self.tasks:
            if self.backend == "builtin" or self.language != "protocol":
                check_task(task)
            if task in task_names() and self.variation is not None:
                check_variation(task, self.variation)

    @property
    def published(self) -> Mapping[str, Mapping[str, float]]:
        """The paper's figures by task, in percent, if any of its two tasks is run."""
        return PUBLISHED if {*self.tasks} & {*PUBLISHED["VideoWorld"]} else {}

    @property
    def source(self) -> str:
        """Where the paper's figures are from."""
        ours = " and not in this world of our own" if self.backend == "builtin" else ""
        return f"Ren et al. 2025, table 3, in RLBench itself{ours}"

    def settings(self) -> dict[str, Any]:
        """All but the tasks and their number: an episode's key says which it is."""
        names = ("variation", "backend", "language", "seed")
        return {"benchmark": self.name} | {name: getattr(self, name) for name in names}

    def episodes(self) -> list[Episode]:
        """Task by task.

        Raises:
            UserError: the official package has no such task or variation, or something is not installed; only it knows
                the sentences of tasks that are not built in, and is started for them.
        """
        words = _OfficialWords(self) if {*self.tasks} - {*task_names()} else _BuiltinWords()
        with closing(words):
            return [self._episode(task, number, words) for task in self.tasks for number in range(self.count)]

    def group(self, task: str) -> str:
        """The task itself."""
        return task

    def open(self) -> RLBenchSimulation:
        """Start the world; UserError where the simulator or the official package are missing, or do not start."""
        return RLBenchSimulation(self)

    def make_world(self) -> World:
        """The world itself; UserError as above."""
        try:
            return make_world(self.backend, dict(SIZES))
        except SimulatorError as error:
            raise UserError(f"{error}; examples/rlbench.md lists what helps") from error

    def _episode(self, task: str, number: int, words: _BuiltinWords) -> Episode:
        # The name's checksum and not its place in a list, which grows with every task that is added.
        draws = Draws((self.seed, crc32(task.encode()), number))
        variation = self.variation
        if variation is None:
            variation = draws.variation(words.variations(task))
        if self.language == "protocol":
            sentence = words.protocol(task, variation)
        else:
            choices = sentences_for(task, variation, held_out=self.language == "held-out")
            sentence = choose(choices, draws.sentences())
        start = {"task": task, "variation": variation, "drawn": draws.start}
        return Episode(f"{task}-{number:03d}", (task,), (sentence,), start, draws.sampling)


class _BuiltinWords:
    """Variations and the protocol's sentences of the tasks that are built in, which are RLBench's own."""

    def variations(self, task: str) -> int:
        return task_named(task).variations

    def protocol(self, task: str, variation: int) -> str:
        return instruction_for(task, variation)

    def close(self) -> None:
        """Nothing is open."""


class _OfficialWords(_BuiltinWords):
    """Those of the package's other tasks as well: it tells a variation's sentence when it sets the variation up."""

    def __init__(self, benchmark: RLBenchBenchmark) -> None:
        self._benchmark = benchmark
        self._counts: dict[str, int] = {}
        self._told: dict[tuple[str, int], str] = {}

    @cached_property
    def _world(self) -> World:
        return self._benchmark.make_world()

    def variations(self, task: str) -> int:
        if task in task_names():
            return super().variations(task)
        if task not in self._counts:
            self._counts[task] = self._world.variations(task)
        return self._counts[task]

    def protocol(self, task: str, variation: int) -> str:
        if task in task_names():
            return super().protocol(task, variation)
        if (task, variation) not in self._told:
            try:
                self._world.reset(task, variation, np.random.default_rng(0))
            except SimulatorError as error:
                raise UserError(f"the sentence of {task} cannot be had: {error}; leave that task out") from error
            self._told[task, variation] = self._world.info()["descriptions"][0]
        return self._told[task, variation]

    def close(self) -> None:
        if "_world" in self.__dict__:
            self._world.close()


class RLBenchSimulation:
    """RLBench's world: `RLBenchEnv` without what an agent of pictures does not use, so without drawing each step."""

    def __init__(self, benchmark: RLBenchBenchmark) -> None:
        """Start it; raises UserError."""
        self.world = benchmark.make_world()
        self.steps = 0
        self.trouble: str | None = None
        self.failed = False
        self._in_vain = 0  # episodes in a row that could not begin

    @property
    def opening(self) -> float:
        """Between the gripper's fingers, m."""
        return float(self.world.states()["gripper_joint_positions"].sum())

    def reset(self, start: Mapping[str, Any]) -> None:
        """Place the task's things as a generator's seed draws them.

        Raises:
            SimulationError: the simulator failed, or found no place for them. UserError: that happens again and again.
        """
        try:
            self.world.reset(start["task"], start["variation"], np.random.default_rng(start["drawn"]))
        except SimulatorError as error:
            self._in_vain += 1
            if self._in_vain >= TRIES:
                raise UserError(
                    f"{TRIES} episodes in a row could not begin ({error}); mend the simulator (examples/rlbench.md "
                    "lists what helps) and run the same command again, the other episodes are safe"
                ) from error
            raise SimulationError(str(error)) from error
        self._in_vain = 0
        self.steps += 1
        self.trouble, self.failed = None, False

    def begin(self, task: str) -> None:
        """Ask for the task, which stands there since the reset."""
        assert task == self.world.info()["task"], task

    def pictures(self) -> Pictures:
        """What the cameras "front" and "wrist" see now, in RLBench's size."""
        return Pictures(CAMERAS, lambda camera: self.world.picture(camera)[0], lambda: self.steps)

    def step(self, action: NDArray[np.float32]) -> bool:
        """Carry out a "delta" action (7,); whether that solves the task. SimulationError where the simulator fails."""
        command, _ = read_action(action, "delta")
        try:
            self.world.act(command)
        except SimulatorError as error:
            raise SimulationError(str(error)) from error
        self.steps += 1
        info = self.world.info()
        self.trouble, self.failed = info["trouble"], bool(info["failed"])
        return bool(info["success"])

    def close(self) -> None:
        """End the simulation."""
        self.world.close()


def add_options(parser: argparse.ArgumentParser) -> None:
    """RLBench's own part of the command line."""
    rollout_shared.add_options(
        parser, name="RLBench", tasks="all that are built in", episodes="of each task", backends=BACKENDS,
        package="rlbench",
    )  # fmt: skip
    parser.add_argument("--variation", type=int, metavar="N", help="of all episodes (default: drawn for each)")


def make_benchmark(options: argparse.Namespace) -> RLBenchBenchmark:
    """The benchmark that a command line describes; raises UserError."""
    tasks = task_names() if options.tasks is None else read_tasks(options.tasks, "close_microwave,close_fridge")
    return RLBenchBenchmark(tasks, options.episodes, options.variation, options.backend, options.language, options.seed)
