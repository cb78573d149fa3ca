"""Demonstrations: a scripted expert solves a task, and what the cameras saw is kept.

Everything about an episode follows from the settings and its slot alone, so it does not matter which process records
it, or when. What differs between worlds stands in `calvin_demonstrations` and `rlbench_demonstrations`.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from envs.errors import UserError
from envs.tabletop.dataset_files import DatasetKind
from envs.tabletop.dataset_writer import Episode, EpisodeEncoder

if TYPE_CHECKING:
    from agents.robot_agent import RobotAgent

ATTEMPTS = 10  # at a slot, before it is given up
# Frames that go on after success: without them a replay, which lags a little, or whoever learns from it, stops short of
# what counts.
AFTERWARDS = 8
PATIENCE = 15  # steps that a finished expert's work has to take effect
ASTRAY = 120  # steps that an agent acts before its expert, at most

Frame = dict[str, np.ndarray]  # an observation under the names of a frame's arrays


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
    """What came of a slot: an episode, or None after ATTEMPTS failures; how many attempts it took; notes on it."""

    slot: Slot
    episode: Episode | None
    attempts: int
    notes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Cost:
    """What episodes cost, until there are some to measure: frames each, bytes and seconds a frame."""

    frames: int
    frame_bytes: int
    frame_seconds: float


class StartError(Exception):
    """Raised by a stage whose things have found no place: that attempt has failed."""


class Expert(Protocol):
    """One attempt at one task."""

    @property
    def finished(self) -> bool:
        """Whether it has nothing more to do."""
        ...


class Stage(Protocol):
    """A world's simulation, in which one attempt after another is made. A task is open from `begin` until `go_on`."""

    def begin(self, task: str, random: np.random.Generator) -> Frame:
        """Start where the task makes sense, by chance; returns what is seen. StartError: another attempt may start."""
        ...

    def begin_here(self) -> None:
        """What counts as solving the task is measured from here on, and not from where `begin` started."""
        ...

    def sentences(self) -> Sequence[str]:
        """What training data may ask for the task in: neither the protocol's words nor those that are held out."""
        ...

    def notes(self) -> Mapping[str, Any]:
        """What the journal tells of the attempt."""
        ...

    def expert(self, random: np.random.Generator) -> Expert:
        """An expert that begins where things are now."""
        ...

    def advised(self, expert: Any) -> np.ndarray:
        """What that expert does next: an action (7,)."""
        ...

    def step(self, action: np.ndarray) -> tuple[Frame, bool]:
        """Act; what is seen then, and whether the task is solved."""
        ...

    def go_on(self) -> None:
        """Nothing more is asked for; `step` goes on telling whether the task is solved."""
        ...

    def close(self) -> None:
        """End the simulation."""
        ...


class Setting(Protocol):
    """What an episode depends on, besides its slot; a frozen dataclass that is sent to workers.

    seed: of everything random. noise: of the expert's movements; 0 is the straight script. expert: MODULE:CLASS that
    makes experts. agent: folder of a robot agent that acts first, for a while; the expert then demonstrates the task
    from wherever the agent has got, which is what learning from the expert's own videos alone never shows (as DAgger,
    Ross et al. 2011). "": the expert begins.
    """

    @property
    def seed(self) -> int: ...
    @property
    def noise(self) -> float: ...
    @property
    def expert(self) -> str: ...
    @property
    def agent(self) -> str: ...

    @property
    def world(self) -> str:
        """Its name, as agents know it."""
        ...

    @property
    def kind(self) -> DatasetKind:
        """What data sets of it say."""
        ...

    @property
    def cost(self) -> Cost:
        """What episodes will cost."""
        ...

    @property
    def steps(self) -> int:
        """Steps that an attempt may take."""
        ...

    def origin(self, task: str) -> Sequence[int]:
        """What the random numbers of a task's episodes come from."""
        ...

    def open(self) -> Stage:
        """Start the simulation; UserError where it is not installed, or there is no such expert."""
        ...


class Demonstrator:
    """Records episodes, one after the other, in one simulation."""

    def __init__(self, settings: Setting) -> None:
        """Start the simulation; raises UserError where it is not installed, or there is no such expert or agent."""
        self.settings, self._kind = settings, settings.kind
        self._agent = load_agent(settings.agent, settings.world) if settings.agent else None
        self._stage = settings.open()

    def record(self, slot: Slot) -> Recorded:
        """Attempt a slot until the task is solved."""
        for attempt in range(ATTEMPTS):
            random = np.random.default_rng([*self.settings.origin(slot.task), slot.number, attempt])
            seen = self._attempt(slot.task, random)
            if seen is not None:
                sentences = self._stage.sentences()
                sentence = sentences[int(random.integers(len(sentences)))]
                return Recorded(slot, self._episode(slot.task, sentence, seen), attempt + 1, self._stage.notes())
        return Recorded(slot, None, ATTEMPTS)

    def close(self) -> None:
        """End the simulation."""
        self._stage.close()

    def _attempt(self, task: str, random: np.random.Generator) -> list[Frame] | None:
        """The frames until shortly after the task is solved; None if it is not."""
        stage = self._stage
        try:
            frame = stage.begin(task, random)
        except StartError:
            return None
        if self._agent is not None:
            # A child's numbers: what the expert draws is the same with and without an agent
            led = self._lead(self._agent, random.spawn(1)[0], frame)
            if led is None:
                return None
            frame = led
            stage.begin_here()
        expert = stage.expert(random)
        seen, left = [frame], PATIENCE
        for _ in range(self.settings.steps):
            frame, solved = stage.step(stage.advised(expert))
            seen.append(frame)
            if solved:
                break
            left -= expert.finished
            if not left:
                return None
        else:
            return None
        stage.go_on()
        for _ in range(AFTERWARDS):
            frame, solved = stage.step(stage.advised(expert))
            if not solved:
                break
            seen.append(frame)
        return seen

    def _lead(self, agent: RobotAgent, random: np.random.Generator, frame: Frame) -> Frame | None:
        """The frame after a random number of an agent's steps; None if they solve the task."""
        sentences = self._stage.sentences()
        agent.reset(sentences[int(random.integers(len(sentences)))], seed=int(random.integers(2**62)))
        for _ in range(int(random.integers(1, ASTRAY + 1))):
            action = agent.act({camera: frame[f"rgb_{camera}"] for camera in agent.model.canvas.shapes})
            frame, solved = self._stage.step(action)
            if solved:
                return None
        return frame

    def _episode(self, task: str, sentence: str, seen: Sequence[Frame]) -> Episode:
        frames: list[bytes] = []
        encoder = EpisodeEncoder(frames.append, self._kind)
        for frame in seen:
            encoder.add(frame)
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


def load_agent(folder: str, world: str) -> RobotAgent:
    """A checkpoint's robot agent, which samples its codes, so that it errs in more ways than one. Raises UserError."""
    import torch

    from agents.robot_agent import RobotAgent

    torch.set_num_threads(1)  # seeds repeat, and the workers are what runs side by side
    return RobotAgent.load(folder, world, temperature=1.0)
