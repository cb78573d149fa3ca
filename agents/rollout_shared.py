"""What benchmarks for rollouts share: parts of the command line, what is drawn for an episode, pictures on demand."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from envs.errors import UserError

LANGUAGES = ("protocol", "own", "held-out")
EPISODES = 25
_STARTS, _SENTENCES, _SAMPLING, _VARIATIONS = range(4)  # what random numbers are for
_ROLLOUT = 71  # begins the seed of all of them, so that no recording of training data has the same


def add_options(
    parser: argparse.ArgumentParser, *, name: str, tasks: str, episodes: str, backends: Sequence[str], package: str
) -> None:
    """Options of every benchmark.

    name: of the benchmark, for people. tasks, episodes: in words, what is run by default and what is counted.
    backends: the built-in one first. package: which the other one runs.
    """
    add = parser.add_argument
    add("--tasks", help=f"by name, with commas between (default: {tasks})")
    add("--episodes", type=int, default=EPISODES, help=f"{episodes} (default: {EPISODES})")
    add("--backend", choices=backends, default=backends[0], help=f"official: the installed package {package}")
    what = f"{name}'s sentence (default), one of training, or one held out"
    add("--language", choices=LANGUAGES, default="protocol", help=what)


def read_tasks(text: str, example: str) -> tuple[str, ...]:
    """The names in --tasks, each once; UserError where there are none."""
    tasks = tuple(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))
    if not tasks:
        raise UserError(f"--tasks {text!r} names none; give names such as {example}")
    return tasks


@dataclass(frozen=True)
class Draws:
    """What is drawn for one episode; each thing has a generator of its own, so none depends on the others.

    place: what tells the episode from all others, as whole numbers from 0; the rollout's seed is one of them.
    """

    place: tuple[int, ...]

    @property
    def start(self) -> list[int]:
        """The seed of the generator that draws the start."""
        return self._origin(_STARTS)

    @property
    def sampling(self) -> int:
        """The seed of the agent."""
        return int(np.random.default_rng(self._origin(_SAMPLING)).integers(2**62))

    def variation(self, count: int) -> int:
        """One of so many."""
        return int(np.random.default_rng(self._origin(_VARIATIONS)).integers(count))

    def sentences(self) -> np.random.Generator:
        """What sentences are chosen with."""
        return np.random.default_rng(self._origin(_SENTENCES))

    def _origin(self, purpose: int) -> list[int]:
        return [_ROLLOUT, *self.place, purpose]


def choose(sentences: Sequence[str], random: np.random.Generator) -> str:
    """One of the sentences."""
    return sentences[int(random.integers(len(sentences)))]


class Pictures(Mapping[str, NDArray[np.uint8]]):
    """What cameras see, drawn when it is looked at: drawing takes longer than the physics of several steps."""

    def __init__(
        self, cameras: Sequence[str], draw: Callable[[str], NDArray[np.uint8]], steps: Callable[[], int]
    ) -> None:
        """`draw` gives a camera's picture (h, w, 3) of now; `steps` tells how far the simulation is."""
        self._cameras, self._draw, self._steps, self._step = cameras, draw, steps, steps()

    def __getitem__(self, camera: str) -> NDArray[np.uint8]:
        return self._drawn[camera]

    def __iter__(self) -> Iterator[str]:
        return iter(self._cameras)

    def __len__(self) -> int:
        return len(self._cameras)

    @cached_property
    def _drawn(self) -> dict[str, NDArray[np.uint8]]:
        assert self._step == self._steps(), "these pictures are of an earlier step"
        return {camera: self._draw(camera) for camera in self._cameras}
