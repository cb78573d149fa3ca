"""Demonstrations at the play table: a scripted expert solves a task, and what the cameras saw is kept.

Everything about an episode follows from the settings and its slot alone, so it does not matter which process records
it, or when.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from envs.calvin.dataset_writer import Episode, EpisodeEncoder
from envs.calvin.env import CalvinEnv
from envs.calvin.language import sentences_for
from envs.calvin.layouts import LAYOUTS, Layout, layout
from envs.calvin.sequences import SINGLE_STEPS, after, start_observation, start_states
from envs.calvin.starts import start_for
from envs.calvin.tasks import TASKS, is_solved
from envs.errors import UserError

if TYPE_CHECKING:
    from agents.robot_agent import RobotAgent

EXPERT = "envs.calvin.experts:Expert"
ATTEMPTS = 10  # at a slot, before it is given up
# Frames that go on after success: without them a replay, which lags a little, or whoever learns from it, stops short of
# what counts.
AFTERWARDS = 8
PATIENCE = 15  # steps that a finished expert's work has to take effect
ASTRAY = 120  # steps that an agent acts before its expert, at most


class Expert(Protocol):
    """One attempt at one task; made from task, layout, random generator and `noise`."""

    finished: bool

    def act(self, robot_obs: np.ndarray, scene_obs: np.ndarray) -> np.ndarray:
        """The next relative action, float32 (7,) in -1..1."""
        ...


@dataclass(frozen=True)
class RecordingSettings:
    """What an episode depends on, besides its slot.

    scene: A to D. seed: of everything random. noise: of the expert's movements; 0 is the straight script. depth:
    whether to keep what the cameras measured. expert: MODULE:CLASS that makes experts. agent: folder of a robot agent
    that acts first, for a while; the expert then demonstrates the task from wherever the agent has got, which is what
    learning from the expert's own videos alone never shows (as DAgger, Ross et al. 2011). "": the expert begins.
    """

    scene: str = "D"
    seed: int = 0
    noise: float = 1.0
    depth: bool = False
    expert: str = EXPERT
    agent: str = ""


class Slot(NamedTuple):
    """A place for one successful episode: the task, and which of its episodes this is."""

    task: str
    number: int

    @property
    def key(self) -> str:
        """Its name in a writer's journal."""
        return f"{self.task}-{self.number:06d}"


@dataclass(frozen=True)
class Recorded:
    """What came of a slot: an episode, or None after ATTEMPTS failures; and how many attempts it took."""

    slot: Slot
    episode: Episode | None
    attempts: int


class Demonstrator:
    """Records episodes, one after the other, in one environment."""

    def __init__(self, settings: RecordingSettings) -> None:
        """Start the simulation; raises UserError where it is not installed, or there is no such expert or agent."""
        self.settings, self._layout = settings, layout(settings.scene)
        self._expert = load_expert(settings.expert)
        self._agent = load_agent(settings.agent) if settings.agent else None
        self._env = CalvinEnv(scene=settings.scene, depth=settings.depth)

    def record(self, slot: Slot) -> Recorded:
        """Attempt a slot until the task is solved."""
        for attempt in range(ATTEMPTS):
            origin = (self.settings.seed, tuple(LAYOUTS).index(self.settings.scene), TASKS.index(slot.task))
            random = np.random.default_rng([*origin, slot.number, attempt])
            seen = self._attempt(slot.task, random)
            if seen is not None:
                sentences = sentences_for(slot.task)
                sentence = sentences[int(random.integers(len(sentences)))]
                return Recorded(slot, self._episode(slot.task, sentence, seen), attempt + 1)
        return Recorded(slot, None, ATTEMPTS)

    def close(self) -> None:
        """End the simulation."""
        self._env.close()

    def _attempt(self, task: str, random: np.random.Generator) -> list[dict[str, np.ndarray]] | None:
        """The observations until shortly after the task is solved; None if it is not."""
        robot, scene = draw_start(task, self._layout, random)
        observation, start = self._env.reset(options={"task": task, "robot_obs": robot, "scene_obs": scene})
        if self._agent is not None:
            # A child's numbers: what the expert draws is the same with and without an agent
            led = self._lead(self._agent, task, random.spawn(1)[0], observation)
            if led is None:
                return None
            observation, start = led, self._env.start_task(task)
        expert: Expert = self._expert(task, self._layout, random, noise=self.settings.noise)
        seen, left = [observation], PATIENCE
        for _ in range(SINGLE_STEPS):
            action = expert.act(observation["robot_obs"], observation["scene_obs"])
            observation, _, solved, _, _ = self._env.step(action)
            seen.append(observation)
            if solved:
                break
            left -= expert.finished
            if not left:
                return None
        else:
            return None
        self._env.start_task()  # nothing more is asked for
        for _ in range(AFTERWARDS):
            action = expert.act(observation["robot_obs"], observation["scene_obs"])
            observation, _, _, _, info = self._env.step(action)
            if not is_solved(task, start, info):
                break
            seen.append(observation)
        return seen

    def _lead(
        self, agent: RobotAgent, task: str, random: np.random.Generator, observation: dict[str, np.ndarray]
    ) -> dict[str, np.ndarray] | None:
        """The observation after a random number of an agent's steps; None if they solve the task."""
        sentences = sentences_for(task)
        agent.reset(sentences[int(random.integers(len(sentences)))], seed=int(random.integers(2**62)))
        for _ in range(int(random.integers(1, ASTRAY + 1))):
            action = agent.act({camera: observation[f"rgb_{camera}"] for camera in agent.model.canvas.shapes})
            observation, _, solved, _, _ = self._env.step(action)
            if solved:
                return None
        return observation

    def _episode(self, task: str, sentence: str, seen: Sequence[dict[str, np.ndarray]]) -> Episode:
        frames: list[bytes] = []
        encoder = EpisodeEncoder(frames.append, depth=self.settings.depth)
        for observation in seen:
            encoder.add(observation)
        encoder.finish()
        return Episode(task, sentence, frames, encoder.moments.as_json())


def load_expert(path: str, tasks: Sequence[str] = ()) -> Any:
    """The class that a path MODULE:CLASS names; UserError where there is none, or its EXPERTS lack one of `tasks`."""
    module, _, name = path.partition(":")
    try:
        found = importlib.import_module(module)
        known = getattr(found, "EXPERTS", tasks)
        for task in tasks:
            if task not in known:
                raise UserError(f"task {task!r} has no expert; choose of {', '.join(known)}")
        return getattr(found, name)
    except (ImportError, AttributeError) as error:
        raise UserError(f"there is no expert {path!r} ({error}); give MODULE:CLASS") from error


def load_agent(folder: str) -> RobotAgent:
    """A checkpoint's robot agent, which samples its codes, so that it errs in more ways than one. Raises UserError."""
    import torch

    from agents.robot_agent import RobotAgent

    torch.set_num_threads(1)  # seeds repeat, and the workers are what runs side by side
    return RobotAgent.load(folder, "calvin", temperature=1.0)


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
