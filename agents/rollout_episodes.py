"""One episode of a robot agent: where it starts, what is asked for, how it goes; and what a benchmark has to bring."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from agents.robot_agent import RobotAgent, RobotThought


class SimulationError(Exception):
    """Raised by a simulation that has failed in an episode, which is lost; the next reset goes on. Words for people."""


@dataclass(frozen=True)
class Episode:
    """What is to be done.

    Attributes:
        key: its name, good for a file, which no other episode of the benchmark has.
        tasks: asked for one after the other without a reset; the first that fails ends the episode.
        sentences: in which they are asked for, one each.
        start: where it starts, as plain JSON that the benchmark understands.
        seed: of the agent's sampling, 0 or more.
    """

    key: str
    tasks: tuple[str, ...]
    sentences: tuple[str, ...]
    start: Mapping[str, Any]
    seed: int


@dataclass(frozen=True)
class Result:
    """How an episode went, as a line of episodes.jsonl.

    Attributes:
        key, tasks, sentences, start: the episode's.
        solved: tasks in a row.
        steps: actions taken, for each task that was begun.
        seconds: wall time of the episode, its reset included.
        milliseconds: median wall time of a decision (a look and a plan); None if none was taken.
        reason: why the episode could not be run to its end; it then counts as not solved. "" for all that were.
        trouble: why the arm did not always do what it was told, and how often; "" if it did.
    """

    key: str
    tasks: tuple[str, ...]
    sentences: tuple[str, ...]
    start: Mapping[str, Any]
    solved: int
    steps: tuple[int, ...]
    seconds: float
    milliseconds: float | None
    reason: str = ""
    trouble: str = ""

    @classmethod
    def lost(cls, episode: Episode, reason: str) -> Result:
        """Of an episode that could not be run to its end."""
        return cls(episode.key, episode.tasks, episode.sentences, episode.start, 0, (0,), 0.0, None, reason)

    def same_end(self, other: Result) -> bool:
        """Whether two runs of an episode ended alike, which took longer aside."""
        return (self.solved, self.steps) == (other.solved, other.steps)


class Simulation(Protocol):
    """A robot in a benchmark's world."""

    @property
    def opening(self) -> float:
        """Between the gripper's fingers, m."""
        ...

    @property
    def trouble(self) -> str | None:
        """Why the arm did not do what it was told in the last step; None if it did."""
        ...

    @property
    def failed(self) -> bool:
        """Whether nothing can solve the task any more."""
        ...

    def reset(self, start: Mapping[str, Any]) -> None:
        """Begin an episode at its start. SimulationError where that fails."""
        ...

    def begin(self, task: str) -> None:
        """Ask for a task from here on."""
        ...

    def pictures(self) -> Mapping[str, NDArray[np.uint8]]:
        """What each camera sees now, (h, w, 3); drawn when it is asked for, so ask before the next step."""
        ...

    def step(self, action: NDArray[np.float32]) -> bool:
        """Carry out an action (7,) in [-1, 1]; whether that solves the task. SimulationError where that fails."""
        ...

    def close(self) -> None:
        """End the simulation."""
        ...


class Benchmark(Protocol):
    """Episodes and the world they take place in; it is pickled and sent to other processes.

    name: in commands. world: that an agent has to know. hz: actions a second. published: name of a published agent ->
    task or group of tasks -> percent solved, where that can be compared with; else empty. source: where these figures
    are from, in words.
    """

    @property
    def name(self) -> str: ...

    @property
    def world(self) -> str: ...

    @property
    def hz(self) -> int: ...

    @property
    def published(self) -> Mapping[str, Mapping[str, float]]: ...

    @property
    def source(self) -> str: ...

    def settings(self) -> dict[str, Any]:
        """What an episode of a given key depends on, as plain JSON."""
        ...

    def episodes(self) -> list[Episode]:
        """All that are to be run, always the same ones."""
        ...

    def group(self, task: str) -> str:
        """The group that a task is counted in; the task itself where each is counted by itself."""
        ...

    def open(self) -> Simulation:
        """Start a simulation; UserError where it is not installed, or a setting is wrong."""
        ...


class Watcher(Protocol):
    """Sees an episode as it goes on, such as to film it."""

    def begin(self, task: str, sentence: str) -> None:
        """A task has been asked for."""
        ...

    def see(
        self,
        pictures: Mapping[str, NDArray[np.uint8]],
        thought: RobotThought,
        action: NDArray[np.float32],
        opening: float,
    ) -> None:
        """An action (7,) has been chosen, but not yet carried out; opening of the gripper in m."""
        ...

    def end(self, pictures: Mapping[str, NDArray[np.uint8]], opening: float, solved: bool) -> None:
        """The task is over."""
        ...


def roll_out(
    simulation: Simulation, agent: RobotAgent, episode: Episode, steps: int, watcher: Watcher | None = None
) -> Result:
    """Let an agent play an episode, with at most `steps` actions for each task.

    The agent gets pictures only: no joints, no places of things. A watcher changes nothing but the time it takes.
    SimulationError where the simulation fails.
    """
    start = time.perf_counter()
    simulation.reset(episode.start)
    taken: list[int] = []
    decisions: list[float] = []
    refusals: list[str] = []
    solved = 0
    for number, (task, sentence) in enumerate(zip(episode.tasks, episode.sentences, strict=True)):
        simulation.begin(task)
        agent.reset(sentence, seed=episode.seed + number)
        if watcher is not None:
            watcher.begin(task, sentence)
        taken.append(0)
        done, thought = False, None
        while not (done or simulation.failed) and taken[-1] < steps:
            pictures = simulation.pictures()
            action = agent.act(pictures, imagine=int(watcher is not None))
            assert agent.thought is not None
            if agent.thought is not thought:
                thought = agent.thought
                decisions.append(thought.milliseconds)
            if watcher is not None:
                watcher.see(pictures, agent.thought, action, simulation.opening)
            done = simulation.step(action)
            taken[-1] += 1
            if simulation.trouble is not None:
                refusals.append(simulation.trouble)
        if watcher is not None:
            watcher.end(simulation.pictures(), simulation.opening, done)
        if not done:
            break
        solved += 1
    return Result(
        episode.key, episode.tasks, episode.sentences, episode.start, solved, tuple(taken),
        round(time.perf_counter() - start, 3), round(float(np.median(decisions)), 2) if decisions else None,
        trouble=f"in {len(refusals)} of {sum(taken)} steps, first: {refusals[0]}" if refusals else "",
    )  # fmt: skip


class Job(NamedTuple):
    """An episode to run, and the film to make of it: a path without its ending, or None."""

    episode: Episode
    film: Path | None = None


@dataclass(frozen=True)
class RolloutSettings:
    """What a process needs to know to run episodes.

    benchmark: see there. checkpoint: folder of the robot agent. sentences: vectors (D,) of all sentences, so that not
    every process has to load their encoder. steps: actions for each task. temperature, replan: the agent's.
    """

    benchmark: Benchmark
    checkpoint: str
    sentences: Mapping[str, NDArray[np.float32]]
    steps: int
    temperature: float
    replan: int | None


class Runner:
    """Runs jobs one after the other with one agent in one simulation; torch gets one thread, so that seeds repeat."""

    def __init__(self, settings: RolloutSettings) -> None:
        """Load the agent and start the simulation; raises UserError."""
        import torch

        from agents.robot_agent import RobotAgent, load_robot_model

        self.settings, self._threads = settings, torch.get_num_threads()
        torch.set_num_threads(1)
        model = load_robot_model(settings.checkpoint, settings.benchmark.world)
        model.sentences.known.update(settings.sentences)
        self.agent = RobotAgent(model, temperature=settings.temperature, replan=settings.replan)
        self.simulation = settings.benchmark.open()

    def run(self, job: Job) -> Result:
        """Run an episode, and film it if that is wanted; no film is left of one that is lost."""
        try:
            return self._run(job)
        except SimulationError as error:
            return Result.lost(job.episode, str(error))

    def _run(self, job: Job) -> Result:
        settings = self.settings
        if job.film is None:
            return roll_out(self.simulation, self.agent, job.episode, settings.steps)
        from agents.rollout_films import Film

        canvas = self.agent.model.canvas
        with Film(job.film, canvas, hz=settings.benchmark.hz, ahead=self.agent.model.steps) as film:
            return roll_out(self.simulation, self.agent, job.episode, settings.steps, film)

    def close(self) -> None:
        """End the simulation."""
        import torch

        torch.set_num_threads(self._threads)
        self.simulation.close()


def sentences_of(episodes: Sequence[Episode]) -> list[str]:
    """All sentences of the episodes, each once."""
    return list(dict.fromkeys(sentence for episode in episodes for sentence in episode.sentences))
