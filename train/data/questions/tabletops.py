"""A tabletop's picture and what a scene tells about it: things with masks, kinds of things, states, parts to use.

Scenes of any simulator describe themselves as a `Tabletop`; `robot_questions` asks about all of them in the same way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from train.data.questions.labels import SIZES, STATES, thing_labels, with_all_labels, word_labels

MIN_PIXELS = 16  # px; what shows less than this cannot be asked for
ASIDE = 8.0  # px between two middles, from which one is to the left of the other


class Unclear(Exception):  # noqa: N818
    """Raised for a scene that shows so little of something that nobody could say whether it is there."""


def middle(mask: np.ndarray) -> tuple[float, float]:
    """x and y of the middle of a mask bool (H, W), as means of its pixels' numbers."""
    rows, columns = np.nonzero(mask)
    return float(columns.mean()), float(rows.mean())


@dataclass(frozen=True, eq=False)
class Seen:
    """Something in the picture. name: without an article. mask: bool (H, W)."""

    name: str
    mask: np.ndarray

    @cached_property
    def middle(self) -> tuple[float, float]:
        """x and y of its middle, px."""
        return middle(self.mask)


@dataclass(frozen=True)
class Kind:
    """Things that have something in common. members: names of what is seen."""

    singular: str
    plural: str
    members: tuple[str, ...]


@dataclass(frozen=True)
class State:
    """Something that is so or not: how it is asked, and the two answers.

    combination: its values, kind first, or (). things: names of what it can be seen from.
    """

    questions: tuple[str, ...]
    truth: bool
    yes: str
    no: str
    combination: tuple[str, ...] = ()
    things: tuple[str, ...] = ()


@dataclass(frozen=True)
class Use:
    """Which part an instruction wants. doing: "switch the LED on"; answer: with {} for the part and its slot."""

    doing: tuple[str, ...]
    verb: str
    part: str
    answer: str


@dataclass(frozen=True)
class Attribute:
    """A question about one thing that is answered in words and shown. answer: with {} for the thing and its slot."""

    questions: tuple[str, ...]
    thing: str
    answer: str
    combination: tuple[str, ...] = ()


@dataclass
class Tabletop:
    """One picture uint8 (H, W, 3) and all that can be asked about it.

    movable: names of the things that relations are asked of, and what they are called: "block", "blocks"; anchors:
    what they are to the left or right of. absent: things that are not there, as singular and plural. said, sizes: the
    state and the size of things by name, a word of STATES and of SIZES.
    """

    image: np.ndarray
    source: str
    things: dict[str, Seen] = field(default_factory=dict)
    kinds: list[Kind] = field(default_factory=list)
    states: list[State] = field(default_factory=list)
    uses: list[Use] = field(default_factory=list)
    attributes: list[Attribute] = field(default_factory=list)
    movable: tuple[str, ...] = ()
    movable_words: tuple[str, str] = ("thing", "things")
    anchors: tuple[str, ...] = ()
    absent: tuple[tuple[str, str], ...] = ()
    said: dict[str, str] = field(default_factory=dict)
    sizes: dict[str, str] = field(default_factory=dict)

    @cached_property
    def labels(self) -> np.ndarray:
        """Which thing each pixel shows and what is said of it, int8 (H, W, labels of all sources)."""
        masks, shape = {name: seen.mask for name, seen in self.things.items()}, self.image.shape[:2]
        return with_all_labels(
            {
                "thing": thing_labels(masks, shape),
                "state": word_labels(masks, self.said, STATES, shape),
                "size": word_labels(masks, self.sizes, SIZES, shape),
            }
        )

    def add(self, name: str, mask: np.ndarray, *, must: bool = False) -> None:
        """Add something if enough of it is seen.

        Raises:
            Unclear: `must` forbids it to be seen a little.
        """
        pixels = int(mask.sum())
        if pixels >= MIN_PIXELS:
            self.things[name] = Seen(name, mask)
        elif must and pixels:
            raise Unclear(name)

    def kind(self, singular: str, plural: str, members: Sequence[str]) -> None:
        """Add a kind of things; those that are not seen are left out."""
        self.kinds.append(Kind(singular, plural, tuple(name for name in members if name in self.things)))

    def left_to_right(self, names: Sequence[str]) -> list[Seen]:
        """The things of these names in reading order."""
        return sorted((self.things[name] for name in names), key=lambda seen: seen.middle)

    def beside(self, name: str, anchor: str) -> str | None:
        """ "left" or "right": where a thing is seen from another; None where that is not clear."""
        distance = self.things[name].middle[0] - self.things[anchor].middle[0]
        if abs(distance) < ASIDE:
            return None
        return "left" if distance < 0 else "right"
