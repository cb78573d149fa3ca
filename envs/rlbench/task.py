"""What a task of the built-in world is: its things, where they are put, what solves it, its words and its script."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import NamedTuple, Protocol

import numpy as np

from envs.rlbench.room import TOP
from envs.rlbench.sight import Condition, Thing
from envs.rlbench.situation import Situation
from envs.tabletop.waypoints import Waypoint

Script = Iterator[Waypoint]
Colour = tuple[float, float, float]

# RLBench's twenty colours, 0..1.
COLOURS: dict[str, Colour] = {
    "red": (1.0, 0.0, 0.0),
    "maroon": (0.5, 0.0, 0.0),
    "lime": (0.0, 1.0, 0.0),
    "green": (0.0, 0.5, 0.0),
    "blue": (0.0, 0.0, 1.0),
    "navy": (0.0, 0.0, 0.5),
    "yellow": (1.0, 1.0, 0.0),
    "cyan": (0.0, 1.0, 1.0),
    "magenta": (1.0, 0.0, 1.0),
    "silver": (0.75, 0.75, 0.75),
    "gray": (0.5, 0.5, 0.5),
    "orange": (1.0, 0.5, 0.0),
    "olive": (0.5, 0.5, 0.0),
    "purple": (0.5, 0.0, 0.5),
    "teal": (0.0, 0.5, 0.5),
    "azure": (0.0, 0.5, 1.0),
    "violet": (0.5, 0.0, 1.0),
    "rose": (1.0, 0.0, 0.5),
    "black": (0.05, 0.05, 0.05),
    "white": (1.0, 1.0, 1.0),
}


class Words(NamedTuple):
    """The sentences of a variation: the protocol's, our paraphrases, and those that are held out of training."""

    protocol: str
    own: tuple[str, ...]
    held_out: tuple[str, ...]


class Place(NamedTuple):
    """Where the first thing is put: ranges of x and y in m, its heading, and how far (rad) its yaw is from that."""

    x: tuple[float, float]
    y: tuple[float, float]
    yaw: float
    heading: float = 0.0


class Stage(Protocol):
    """What a task may do to the world when an episode begins."""

    def place(self, thing: str, position: Sequence[float] | np.ndarray, yaw: float = 0.0) -> None:
        """Put a thing's frame at a place (3,) m in the world."""
        ...

    def set_joint(self, joint: str, value: float) -> None:
        """Let a joint start there, m or rad."""
        ...

    def paint(self, thing: str, link: str, colour: Colour) -> None:
        """Tint a link, 0..1; white gives its materials as they are."""
        ...


class Task:
    """One task. A file of `envs.rlbench.tasks` holds a subclass with the file's name as `name`, and it as `TASK`.

    `place` None leaves it to `begin` to put things somewhere. `checked`: how many waypoints of the script, asked for
    without noise at the start, must be within the arm's reach, or the things are placed anew.
    """

    name: str
    words: tuple[Words, ...]  # one a variation
    place: Place | None = None
    checked: int = 8

    def make(self) -> Sequence[Thing]:
        """Describe the things, in the order of task_low_dim_state."""
        raise NotImplementedError

    def begin(self, stage: Stage, variation: int, random: np.random.Generator) -> None:
        """Set joints and colours, and put what is not placed by `place`."""

    def conditions(self, variation: int) -> Sequence[Condition]:
        """What must hold at once for the task to be solved."""
        raise NotImplementedError

    def show(self, stage: Stage, solved: bool) -> None:
        """Paint what changes its colour when the task is solved; asked once a step."""

    def script(self, see: Situation) -> Script:
        """Yield the waypoints of a demonstration, each worked out when the one before is done."""
        raise NotImplementedError

    @cached_property
    def things(self) -> tuple[Thing, ...]:
        """What `make` describes, made once."""
        return tuple(self.make())

    @property
    def variations(self) -> int:
        """How many there are."""
        return len(self.words)

    def draw_place(self, random: np.random.Generator) -> tuple[np.ndarray, float] | None:
        """A position (3,) m and a yaw (rad) within `place`, by chance."""
        if self.place is None:
            return None
        x, y = random.uniform(*self.place.x), random.uniform(*self.place.y)
        return np.array([x, y, TOP]), float(self.place.heading + random.uniform(-self.place.yaw, self.place.yaw))


def coloured(words: Words, colours: Sequence[str]) -> tuple[Words, ...]:
    """The same words for each colour, whose name takes the place of "COLOUR"."""
    return tuple(
        Words(
            words.protocol.replace("COLOUR", colour),
            tuple(text.replace("COLOUR", colour) for text in words.own),
            tuple(text.replace("COLOUR", colour) for text in words.held_out),
        )
        for colour in colours
    )
